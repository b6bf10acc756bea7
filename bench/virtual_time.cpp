// SPDX-License-Identifier: BSD-3-Clause
// What virtual time costs beside arithmetic: least squares of 20 features, batch 8, so small that a node's iteration is
// mostly the engine's own work.
#include "bench/limits.hpp"
#include "machine/placement.hpp"

#include <fmt/format.h>

#include <filesystem>

namespace quantimed::bench {

namespace {

struct Tiny {
  Tiny(const char* algorithm, std::uint32_t count)
      : row(find_algorithm(algorithm)),
        nodes(count),
        network(make_network(parse_graph("ring"), parse_mixing("laplacian"), nodes, 1)),
        data(load_dataset({.name = "gaussian-linear:20," + std::to_string(kEach * std::min(nodes, kShards))}).train),
        problem(make_problem({.model = "least-squares"}, data)) {
    const std::uint32_t kept = std::min(nodes, kShards);
    shards = make_shards(data, parse_partition("contiguous"), kept, kEach, 1);
    for (NodeId i = kept; i < nodes; ++i) {  // nodes share shards: the cost is the same
      const auto rows = std::vector<SampleId>(shards.of(i % kept).begin(), shards.of(i % kept).end());
      shards.rows.insert(shards.rows.end(), rows.begin(), rows.end());
    }
    shards.nodes = nodes;
  }

  // Seconds a node and iteration, without what a run costs to set up.
  double iteration(Round iterations, std::uint32_t workers) const {
    const double little = seconds_of([&] { run(2, workers); });
    return (seconds_of([&] { run(iterations, workers); }) - little) / (iterations - 2.0) / nodes;
  }

 private:
  static constexpr std::uint32_t kEach = 100, kShards = 50;

  void run(Round iterations, std::uint32_t workers) const {
    Blind blind;
    run_virtual({.algorithm = row,
                 .options = {.alpha = 0.01f, .batch = 8},
                 .problem = *problem,
                 .network = network,
                 .shards = shards,
                 .codec = *exact,
                 .penalty = {.lambda = 1, .per = Penalty::Per::dataset},
                 .speed = speed.get(),
                 .link = parse_link("paper:3"),
                 .iterations = iterations,
                 .evaluations = 1,
                 .threads = workers,
                 .record_folder = std::filesystem::temp_directory_path().string()},
                blind);
  }

  const AlgorithmRow& row;
  std::uint32_t nodes;
  Network network;
  Dataset data;
  std::unique_ptr<Problem> problem;
  Shards shards;
  std::unique_ptr<Codec> exact = make_codec("exact");
  std::unique_ptr<SpeedModel> speed = make_speed_model("uniform:10,90", 1);
};

}  // namespace

void virtual_time_rows() {
  const auto all = static_cast<std::uint32_t>(usable_cores().size());
  const Tiny few("dsgd", 6), many("async-dsgd", 100'000);
  print("6 nodes of 20 features, one worker",
        alternate([] { return 1.2e-6; }, [&] { return few.iteration(20'000, 1); }, 9), "us", 1e6, 1, false);
  print("6 nodes of 20 features, all workers / one",
        alternate([&] { return few.iteration(20'000, 1); }, [&] { return few.iteration(20'000, all); }, 9), "us", 1e6,
        1.05, false);
  print("100,000 nodes of 20 features, an event",
        alternate([] { return 1e-6; }, [&] { return many.iteration(6, 1); }, 5), "us", 1e6, 1, false);
  print("100,000 nodes of 20 features, all workers / one",
        alternate([&] { return many.iteration(6, 1); }, [&] { return many.iteration(6, all); }, 5), "us", 1e6, 1.05,
        false);
}

}  // namespace quantimed::bench
