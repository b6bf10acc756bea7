// SPDX-License-Identifier: BSD-3-Clause
// How near a gradient comes to the core's own large sgemm. Counters are in FLOP/s; divide a gradient's by sgemm's of
// the same run:
//   --benchmark_enable_random_interleaving=true --benchmark_repetitions=20 --benchmark_report_aggregates_only=true
// Matrix products alone are counted as work; gathering, activations and the loss are overhead.
#include <benchmark/benchmark.h>

#include <string>

#include "blas/blas.hpp"
#include "problem/problem.hpp"

namespace quantimed {
namespace {

// Random bytes as images: the gradient's time does not depend on what they show.
Dataset random_images(std::uint32_t samples, std::uint32_t features, std::uint32_t classes) {
  Dataset data;
  data.samples = samples;
  data.features = features;
  data.classes = classes;
  Stream words({.seed = 1});
  data.bytes.resize(std::size_t{samples} * features);
  for (auto& byte : data.bytes) byte = static_cast<std::uint8_t>(words.index(256));
  for (std::uint32_t k = 0; k < samples; ++k) data.targets.push_back(static_cast<float>(k % classes));
  return data;
}

void report_rate(benchmark::State& state, double flop) {
  state.counters["FLOP/s"] = benchmark::Counter(flop, benchmark::Counter::kIsIterationInvariantRate);
}

void sgemm(benchmark::State& state) {
  blas::use_one_thread();
  const auto size = static_cast<std::size_t>(state.range(0));
  AlignedVector<float> a(size * size, 0.5f), b(size * size, 0.25f), c(size * size);
  for (auto _ : state)
    blas::gemm(blas::Op::none, blas::Op::none, size, size, size, a.data(), size, b.data(), size, 0, c.data(), size);
  const auto edge = static_cast<double>(size);
  report_rate(state, 2 * edge * edge * edge);
}
BENCHMARK(sgemm)->Arg(1024)->Arg(2048)->Unit(benchmark::kMicrosecond);

// Batches from a shard of 200, as in the paper; `accumulate` as in the chunks of a deadline.
void measure(benchmark::State& state, const Dataset& data, const std::string& model, bool accumulate) {
  blas::use_one_thread();
  const auto problem = make_problem({.model = model}, data);
  auto work = problem->make_workspace();
  AlignedVector<float> x(problem->dimension()), sum(problem->dimension(), 0.0f);
  problem->initialise(x, 1);
  Stream words({.seed = 2});
  std::vector<SampleId> batch(static_cast<std::size_t>(state.range(0)));
  for (auto& row : batch) row = words.index(data.samples);
  for (auto _ : state) problem->gradient_sum(x, batch, accumulate, sum, work);
  report_rate(state, static_cast<double>(batch.size()) * problem->gradient_flops());
}

void gradient(benchmark::State& state, std::uint32_t features, std::uint32_t classes, const std::string& model) {
  measure(state, random_images(200, features, classes), model, state.range(1) != 0);
}

void batches(benchmark::internal::Benchmark* bench) {
  bench->ArgNames({"batch", "accumulate"})->Unit(benchmark::kMicrosecond);
  bench->Args({50, 0});
  for (int samples : {8, 16, 32, 50, 128, 1024}) bench->Args({samples, 1});
}
BENCHMARK_CAPTURE(gradient, mlp_784_50_10, 784, 10, std::string("mlp:50"))->Apply(batches);
BENCHMARK_CAPTURE(gradient, mlp_1024_30_2, 1024, 2, std::string("mlp:30"))->Apply(batches);

// Convolutional networks on images of CIFAR-10's size; bench/layers sets them beside PyTorch.
void layered(benchmark::State& state, const std::string& model) {
  Dataset data = random_images(200, 3072, 10);
  data.shape = {3, 32, 32};
  measure(state, data, model, false);
}
BENCHMARK_CAPTURE(layered, gn_lenet, std::string("gn-lenet"))->Arg(8)->Arg(32)->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(layered, resnet20, std::string("resnet20"))->Arg(8)->Arg(32)->Unit(benchmark::kMillisecond);

// The evaluator's work, off the clock.
void loss(benchmark::State& state) {
  blas::use_one_thread();
  const Dataset data = random_images(2000, 784, 10);
  const auto problem = make_problem({}, data);
  auto work = problem->make_workspace();
  AlignedVector<float> x(problem->dimension());
  problem->initialise(x, 1);
  std::vector<SampleId> rows(data.samples);
  for (std::uint32_t k = 0; k < data.samples; ++k) rows[k] = k;
  for (auto _ : state) benchmark::DoNotOptimize(problem->loss_sum(x, data, rows, work));
  report_rate(state, 2.0 * data.samples * (784 * 50 + 50 * 10));
}
BENCHMARK(loss)->Unit(benchmark::kMicrosecond);

}  // namespace
}  // namespace quantimed
