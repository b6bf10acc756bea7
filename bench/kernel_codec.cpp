// SPDX-License-Identifier: BSD-3-Clause
// Every code: encode of a whole model, accumulate of one message, and one node's mixing (20 neighbours, in slices that
// stay in L1), each beside memcpy of the same model. Ratios are what to read: run with
//   --benchmark_repetitions=20 --benchmark_enable_random_interleaving=true --benchmark_report_aggregates_only=true
#include <benchmark/benchmark.h>

#include <algorithm>
#include <cstring>
#include <vector>

#include "codec/codec.hpp"

namespace {

using namespace quantimed;

constexpr std::size_t kModel = 39760;  // 784–50–10, the paper's MNIST network
constexpr std::size_t kNeighbours = 20;
constexpr std::size_t kMixingSlice = 4096;  // coordinates: 16 KiB of acc

// Weights as training leaves them: most within ±0.5, some up to ±2.
AlignedVector<float> some_model() {
  AlignedVector<float> x(kModel);
  Stream stream({.seed = 1, .purpose = Purpose::initial_model});
  for (float& v : x) v = static_cast<float>(stream.uniform(-0.5, 0.5) * (stream.index(4) == 0 ? 4 : 1));
  return x;
}

void BM_memcpy(benchmark::State& state) {
  const auto x = some_model();
  AlignedVector<float> y(kModel);
  for (auto _ : state) {
    std::memcpy(y.data(), x.data(), kModel * sizeof(float));
    benchmark::DoNotOptimize(y.data());
    benchmark::ClobberMemory();
  }
}
BENCHMARK(BM_memcpy);

void BM_random_words16(benchmark::State& state) {
  AlignedVector<std::uint16_t> words(kModel);
  StreamKey key;
  for (auto _ : state) {
    ++key.iteration;
    random_words16(key, words);
    benchmark::DoNotOptimize(words.data());
    benchmark::ClobberMemory();
  }
}
BENCHMARK(BM_random_words16);

void BM_encode(benchmark::State& state, const char* text) {
  const auto codec = make_codec(text);
  const auto x = some_model();
  AlignedVector<std::byte> message(codec->capacity(kModel));
  StreamKey key{.seed = 1, .purpose = Purpose::quantizer};
  Encoded encoded;
  for (auto _ : state) {
    ++key.iteration;
    encoded = codec->encode(x, key, message);
    benchmark::ClobberMemory();
  }
  state.counters["bits"] = static_cast<double>(8 * encoded.bytes) / kModel;
}

void BM_accumulate(benchmark::State& state, const char* text) {
  const auto codec = make_codec(text);
  const auto x = some_model();
  AlignedVector<std::byte> message(codec->capacity(kModel));
  codec->encode(x, {.seed = 1}, message);
  AlignedVector<float> acc(kModel, 0.0f);
  for (auto _ : state) {
    codec->accumulate(message, 0.05f, 0, x, acc);
    benchmark::DoNotOptimize(acc.data());
    benchmark::ClobberMemory();
  }
}

// Time is for all the neighbours: divide by 20 to compare with BM_memcpy.
void BM_mix(benchmark::State& state, const char* text) {
  const auto codec = make_codec(text);
  const auto x = some_model();
  std::vector<AlignedVector<std::byte>> messages(kNeighbours);
  for (auto& message : messages) {
    message.resize(codec->capacity(kModel));
    codec->encode(x, {.seed = 1}, message);
  }
  AlignedVector<float> acc(kModel, 0.0f);
  for (auto _ : state) {
    for (std::size_t first = 0; first < kModel; first += kMixingSlice) {
      const std::size_t count = std::min(kMixingSlice, kModel - first);
      for (const auto& message : messages)
        codec->accumulate(message, 0.05f, first, std::span(x).subspan(first, count),
                          std::span(acc).subspan(first, count));
    }
    benchmark::DoNotOptimize(acc.data());
    benchmark::ClobberMemory();
  }
}

#define QUANTIMED_CODEC_BENCHMARKS(label, text)  \
  BENCHMARK_CAPTURE(BM_encode, label, text);     \
  BENCHMARK_CAPTURE(BM_accumulate, label, text); \
  BENCHMARK_CAPTURE(BM_mix, label, text)

QUANTIMED_CODEC_BENCHMARKS(exact, "exact");
QUANTIMED_CODEC_BENCHMARKS(float16, "float16");
QUANTIMED_CODEC_BENCHMARKS(low_precision_1e3, "low-precision:1e-3");
QUANTIMED_CODEC_BENCHMARKS(low_precision_1e5, "low-precision:1e-5");
QUANTIMED_CODEC_BENCHMARKS(rounding, "rounding");
QUANTIMED_CODEC_BENCHMARKS(sparsifier, "sparsifier:4");
QUANTIMED_CODEC_BENCHMARKS(qsgd_1024, "qsgd:1024");
QUANTIMED_CODEC_BENCHMARKS(modulo_8, "modulo:1e-3,8");
QUANTIMED_CODEC_BENCHMARKS(top_k, "top-k:0.1");
QUANTIMED_CODEC_BENCHMARKS(random_k, "random-k:0.1");
QUANTIMED_CODEC_BENCHMARKS(sign, "sign");
QUANTIMED_CODEC_BENCHMARKS(sign_512, "sign:512");
QUANTIMED_CODEC_BENCHMARKS(qsgd_rescaled, "qsgd-rescaled:16");

}  // namespace
