// SPDX-License-Identifier: BSD-3-Clause
// The table of `make bench`: each kernel beside the limit that this machine sets it, measured in the same seconds.
//
//   gradient             784–50–10, 50 of a shard of 200, bytes    limit: its FLOPs at this core's large sgemm rate
//   encode, accumulate   low-precision:1e-3, 39,760 coordinates    limit: memcpy of the same float vector
//   mixing               the updates of those 50 nodes, one worker limit: their FLOPs at the rate of products that are
//                        added up, of floats from the second-level cache + each model and message from memory once
//   virtual iteration    50 nodes, Erdős–Rényi 0.4, batch 50       limit: gradient FLOPs at the sgemm rate of all
//                        workers + the limit of mixing, of all workers; what encoding takes is no part of it
//   10,000 nodes         ring, cost a node and iteration           limit: the same of 50 nodes, ring
//   sparse iteration     9 nodes, torus, logistic of 47,236 features, 74 values a row (rcv1's size), batch 10
//                        limit: bytes of encoding and mixing and of the rows, at the cache bandwidth of all workers
//   mailbox              one way, between two cores                limit: a bare flag that carries the same bytes
//   overhead             least squares of 20 features, batch 8 (virtual_time.cpp)    limit: what is wanted
//   real time            two nodes on two cores (real_time.cpp)    limit: what the cores do without clock or messages
#include "bench/limits.hpp"
#include "bench/exchange.hpp"
#include "blas/blas.hpp"
#include "engine/engine.hpp"
#include "machine/placement.hpp"
#include "node/mix_together.hpp"

#include <fmt/format.h>
#include <omp.h>

#include <cstdio>
#include <cstring>

namespace quantimed::bench {

Dataset synthetic_images(std::uint32_t samples) {
  Dataset data;
  data.name = "synthetic";
  data.samples = samples;
  data.features = 784;
  data.classes = 10;
  Stream stream({.seed = 1, .purpose = Purpose::generated_data});
  data.bytes.resize(std::size_t{samples} * data.features);
  for (std::uint8_t& byte : data.bytes) byte = static_cast<std::uint8_t>(stream.index(256));
  for (std::uint32_t k = 0; k < samples; ++k) data.targets.push_back(static_cast<float>(stream.index(10)));
  return data;
}

void print(const std::string& kernel, const Ratio& r, const char* unit, double scale, double wanted, bool as_share) {
  const double figure = as_share ? 1 / r.ratio : r.ratio;
  const double low = as_share ? 1 / r.most : r.least, high = as_share ? 1 / r.least : r.most;
  fmt::print("| {:<44} | {:>9.4g} {:<2} | {:>9.4g} {:<2} | {:>6.2f} [{:.2f}–{:.2f}] | {} {:<4} | {} |\n", kernel,
             r.time * scale, unit, r.limit * scale, unit, figure, low, high, as_share ? "≥" : "≤", wanted,
             (as_share ? figure >= wanted : figure <= wanted) ? "yes" : "NO");
  std::fflush(stdout);
}

namespace {

// FLOP/s of 1024³ products, all workers at once.
double sgemm_rate(int workers) {
  constexpr int kSize = 1024;
  static const std::vector<float> a(kSize * kSize, 0.5f), b(kSize * kSize, 0.25f);
  static std::vector<std::vector<float>> c;
  c.resize(static_cast<std::size_t>(workers), std::vector<float>(kSize * kSize));
  const double time = seconds_of([&] {
#pragma omp parallel num_threads(workers)
    blas::gemm(blas::Op::none, blas::Op::none, kSize, kSize, kSize, a.data(), kSize, b.data(), kSize, 0,
               c[static_cast<std::size_t>(omp_get_thread_num())].data(), kSize);
  });
  return workers * 2.0 * kSize * kSize * kSize / time;
}

// Bytes per second that all workers together read from a working set of this size, over and over.
double read_bandwidth(std::size_t bytes, int workers) {
  static AlignedVector<float> memory;
  if (memory.size() != bytes / sizeof(float)) memory.assign(bytes / sizeof(float), 1.0f);
  constexpr int kPasses = 4;
  const double time = seconds_of([&] {
#pragma omp parallel num_threads(workers)
    {
      float total = 0;
      for (int pass = 0; pass < kPasses; ++pass) {
#pragma omp simd reduction(+ : total)
        for (std::size_t k = 0; k < memory.size(); ++k) total += memory[k];
      }
      asm volatile("" ::"m"(total));  // the sum is wanted
    }
  });
  return workers * kPasses * static_cast<double>(bytes) / time;
}

// FLOP/s of products that are added up in registers, of floats in the second-level cache, all workers at once.
double fma_rate(int workers) {
  using Lanes [[gnu::vector_size(64)]] = float;
  constexpr std::size_t kSums = 8, kCount = std::size_t{1} << 12;  // of vectors of 16 floats: 256 KiB
  static std::vector<AlignedVector<Lanes>> memory;
  memory.resize(static_cast<std::size_t>(workers), AlignedVector<Lanes>(kCount, Lanes{} + 0.5f));
  constexpr int kPasses = 200;
  const double time = seconds_of([&] {
#pragma omp parallel num_threads(workers)
    {
      const Lanes* const z = memory[static_cast<std::size_t>(omp_get_thread_num())].data();
      Lanes sums[kSums] = {};
      for (int pass = 0; pass < kPasses; ++pass) {
        const float weight = 1e-3f * static_cast<float>(pass);
        for (std::size_t k = 0; k < kCount; k += kSums) {
#pragma GCC unroll 8
          for (std::size_t v = 0; v < kSums; ++v) sums[v] += weight * z[k + v];
        }
      }
      for (const Lanes& sum : sums) asm volatile("" ::"m"(sum));  // they are wanted
    }
  });
  return workers * 2.0 * 16 * kCount * kPasses / time;
}

// Seconds that mixing takes at least: each sum at that rate, each model and each message through memory once.
double mixing_limit(const Network& network, std::size_t p, double message_bytes, int workers) {
  const auto n = static_cast<double>(network.nodes), coordinates = static_cast<double>(p);
  const double flops =
      (n * MixTogether::kFlops + 2.0 * static_cast<double>(network.edges.size()) * MixTogether::kFlopsOfMessage) *
      coordinates;
  const double bytes = n * (coordinates * sizeof(float) + message_bytes);
  return flops / fma_rate(workers) + bytes / read_bandwidth(static_cast<std::size_t>(bytes), workers);
}

Network dense_network() { return make_network(parse_graph("erdos-renyi:0.4"), parse_mixing("laplacian"), 50, 1); }

struct Bench {
  Dataset data = synthetic_images(10000);
  std::string model = "mlp:50";
  std::uint32_t batch = kBatch;
  std::unique_ptr<Problem> problem = make_problem({.model = model}, data);
  std::unique_ptr<SpeedModel> speed = make_speed_model("constant:50", 1);
  std::size_t p = problem->dimension();
  int workers = static_cast<int>(usable_cores().size());

  double virtual_iteration(const AlgorithmRow& row, const Network& network, const Codec& codec, Round iterations) {
    const Shards shards = make_shards(data, parse_partition("iid"), network.nodes <= 50 ? network.nodes : 50, 0, 1);
    Shards shared = shards;  // beyond 50 nodes, nodes share shards: the cost is the same
    for (NodeId i = shards.nodes; i < network.nodes; ++i) {
      const auto rows = shards.of(i % shards.nodes);
      shared.rows.insert(shared.rows.end(), rows.begin(), rows.end());
    }
    shared.nodes = network.nodes;
    const Run run{.algorithm = row,
                  .options = {.alpha = 0.1f, .epsilon = 0.8f, .batch = batch},
                  .problem = *problem,
                  .network = network,
                  .shards = shared,
                  .codec = codec,
                  .penalty = {.lambda = 1, .per = Penalty::Per::batch},
                  .deadline = {.fixed_s = kBatch / 50.0},
                  .speed = speed.get(),
                  .link = parse_link("paper:3"),
                  .iterations = iterations,
                  .evaluations = 1,
                  .threads = static_cast<std::uint32_t>(workers)};
    Blind blind;
    // A run sets up its nodes first: the cost of an iteration is the difference between a long and a short run.
    Run brief = run;
    brief.iterations = 2;
    const double little = seconds_of([&] { run_virtual(brief, blind); });
    const double all = seconds_of([&] { run_virtual(run, blind); });
    return (all - little) / (iterations - 2);
  }
};

void gradient_row(Bench& bench) {
  Workspace work = bench.problem->make_workspace();
  AlignedVector<float> x(bench.p), sum(bench.p);
  bench.problem->initialise(x, 1);
  std::vector<SampleId> batch;
  Stream stream({.purpose = Purpose::samples});
  constexpr std::uint32_t kShard = 200;  // a node's own samples, as in the paper
  const double flops = kBatch * bench.problem->gradient_flops();
  const Ratio ratio = alternate([&] { return flops / sgemm_rate(1); },
                                [&] {
                                  return seconds_of(
                                      [&] {
                                        batch.resize(kBatch);
                                        for (SampleId& row : batch) row = stream.index(kShard);
                                        bench.problem->gradient_sum(x, batch, false, sum, work);
                                      },
                                      100);
                                });
  print("gradient 784-50-10, batch 50, share of sgemm", ratio, "us", 1e6, 0.7, true);
}

void codec_rows(Bench& bench) {
  const auto codec = make_codec("low-precision:1e-3");
  AlignedVector<float> x(bench.p), acc(bench.p), copy(bench.p);
  bench.problem->initialise(x, 1);
  std::fill(acc.begin(), acc.end(), 0.0f);
  AlignedVector<std::byte> message(codec->capacity(bench.p));
  std::size_t bytes = codec->encode(x, {}, message).bytes;
  const auto copy_time = [&] {
    return seconds_of(
        [&] {
          std::memcpy(copy.data(), x.data(), bench.p * sizeof(float));
          asm volatile("" ::"r"(copy.data()) : "memory");
        },
        400);
  };
  std::uint32_t code = 0;
  print("low-precision encode / memcpy",
        alternate(
            copy_time,
            [&] { return seconds_of([&] { bytes = codec->encode(x, {.iteration = ++code}, message).bytes; }, 200); }),
        "us", 1e6, 4, false);
  print("low-precision decode-accumulate / memcpy",
        alternate(copy_time,
                  [&] {
                    return seconds_of(
                        [&] { codec->accumulate(std::span<const std::byte>(message).first(bytes), 1e-3f, 0, x, acc); },
                        400);
                  }),
        "us", 1e6, 2, false);
}

void mixing_row(Bench& bench) {
  const Network network = dense_network();
  const auto codec = make_codec("exact");
  std::vector<AlignedVector<float>> models(network.nodes, AlignedVector<float>(bench.p));
  AlignedVector<float> gradient(bench.p);
  std::fill(gradient.begin(), gradient.end(), 1e-3f);
  std::vector<AlignedVector<std::byte>> messages;
  for (NodeId i = 0; i < network.nodes; ++i) {
    bench.problem->initialise(models[i], i);
    codec->encode(models[i], {}, messages.emplace_back(codec->capacity(bench.p)));
  }
  const std::vector<CoordinateRange> penalised = bench.problem->penalised();
  std::vector<std::vector<MixTerm>> terms(network.nodes);
  std::vector<MixJob> jobs;
  for (NodeId i = 0; i < network.nodes; ++i) {
    for (const Neighbour& j : network.neighbours(i)) terms[i].push_back({messages[j.id], j.weight});
    jobs.push_back(
        {.x = models[i],
         .coefficients = {.self = static_cast<float>(network.self_weights[i]), .neighbours = 1, .gradient = -0.1f},
         .gradient = {.sum = gradient, .batch = kBatch, .l2 = 1e-4f},
         .terms = terms[i],
         .penalised = penalised});
  }
  MixTogether mix(*codec);
  const auto together = [&] {
    mix.begin(jobs);
    for (std::size_t first = 0; first < bench.p; first += mix.range())
      mix.carry_out(first, std::min(bench.p, first + mix.range()));
  };
  const auto bytes = static_cast<double>(codec->capacity(bench.p));
  print("mixing of 50 nodes, exact, one worker",
        alternate([&] { return mixing_limit(network, bench.p, bytes, 1); }, [&] { return seconds_of(together, 5); }),
        "ms", 1e3, 1.35, false);
}

void iteration_rows(Bench& bench) {
  const Network network = dense_network();
  for (const std::string& name : compared_algorithms()) {
    const AlgorithmRow& row = find_algorithm(name);
    const auto codec = make_codec(row.quantizes ? "low-precision:1e-3" : "exact");
    AlignedVector<float> x(bench.p);
    bench.problem->initialise(x, 1);
    AlignedVector<std::byte> message(codec->capacity(bench.p));
    const auto bytes = static_cast<double>(codec->encode(x, {}, message).bytes);
    const double flops = 50 * kBatch * bench.problem->gradient_flops();
    const auto limit = [&] {
      return flops / sgemm_rate(bench.workers) + mixing_limit(network, bench.p, bytes, bench.workers);
    };
    print(fmt::format("virtual iteration, 50 nodes: {}", row.name),
          alternate(
              limit, [&] { return bench.virtual_iteration(row, network, *codec, 42); }, 9),
          "ms", 1e3, 1.35, false);
  }
}

// The limit has no term for a gradient of p numbers: a batch speaks of few of them.
void sparse_row() {
  constexpr std::uint32_t kNodes = 9, kRowBatch = 10;
  Bench bench{.data = load_dataset({.name = "sparse-logistic:47236,0.0015666,20242"}).train,
              .model = "logistic",
              .batch = kRowBatch};
  const Network network = make_network(parse_graph("torus"), parse_mixing("laplacian"), kNodes, 1);
  const auto codec = make_codec("exact");
  const double model = static_cast<double>(bench.p) * sizeof(float);
  const double values = static_cast<double>(bench.data.sparse.values.size()) / bench.data.samples * kNodes * kRowBatch;
  // Encoding reads the model and writes a message; mixing reads the model and a message a neighbour, and writes the
  // model. Of a value: its column and itself, twice, and its weight and its place in the gradient.
  const double moved = kNodes * 4 * model + 2.0 * static_cast<double>(network.edges.size()) * model + values * 28;
  const auto limit = [&] {
    return moved / read_bandwidth(static_cast<std::size_t>(kNodes * 3 * model), bench.workers);
  };
  print("sparse iteration, 9 nodes: dsgd",
        alternate(
            limit, [&] { return bench.virtual_iteration(find_algorithm("dsgd"), network, *codec, 1002); }, 9),
        "ms", 1e3, 1.5, false);
}

void many_nodes_row(Bench& bench) {
  const auto ring = [](std::uint32_t nodes) {
    return make_network(parse_graph("ring"), parse_mixing("laplacian"), nodes, 1);
  };
  const Network few = ring(50), many = ring(10000);
  const AlgorithmRow& row = find_algorithm("quantimed-dsgd");
  const auto codec = make_codec("low-precision:1e-3");
  print("10,000 nodes / 50 nodes, a node and iteration",
        alternate([&] { return bench.virtual_iteration(row, few, *codec, 202) / 50; },
                  [&] { return bench.virtual_iteration(row, many, *codec, 10) / 10000; }, 3),
        "us", 1e6, 1.3, false);
}

void mailbox_rows() {
  for (const std::size_t bytes : {std::size_t{64}, std::size_t{80000}}) {
    const Setup setup{.bytes = bytes, .readers = 1, .acknowledged = false, .oversubscribed = false};
    if (usable_cores().size() < 2) {
      fmt::print("| mailbox: not measured, it needs two cores\n");
      return;
    }
    print(fmt::format("mailbox, round delivery, {} B / bare flag", bytes),
          against_bare_flag<RoundCarrier>(setup, 2, 101), "us", 1e6, 1.2, false);
    print(fmt::format("mailbox, newest delivery, {} B / bare flag", bytes),
          against_bare_flag<NewestCarrier>(setup, 2, 101), "us", 1e6, 1.2, false);
  }
}

}  // namespace
}  // namespace quantimed::bench

// With a word, only the rows that it names: sparse, dense, overhead.
int main(int argc, char** argv) {
  using namespace quantimed;
  using namespace quantimed::bench;
  blas::use_one_thread();
  Bench bench;
  fmt::print("{}; {} cores; medians of alternating passes, [least–most]\n\n", blas::description(), bench.workers);
  fmt::print(
      "| {:<44} | {:<12} | {:<12} | ratio              | wanted | met "
      "|\n|{:-<46}|{:-<14}|{:-<14}|{:-<20}|{:-<8}|{:-<5}|\n",
      "kernel", "time", "limit", "", "", "", "", "", "");
  if (argc > 1 && std::string(argv[1]) == "sparse") return sparse_row(), 0;
  if (argc > 1 && std::string(argv[1]) == "dense") return mixing_row(bench), iteration_rows(bench), 0;
  if (argc > 1 && std::string(argv[1]) == "overhead") return virtual_time_rows(), 0;
  gradient_row(bench);
  codec_rows(bench);
  mailbox_rows();
  real_time_rows(bench.data, *bench.problem);
  mixing_row(bench);
  iteration_rows(bench);
  sparse_row();
  many_nodes_row(bench);
  virtual_time_rows();
}
