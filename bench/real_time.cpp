// SPDX-License-Identifier: BSD-3-Clause
// Rows about the threads engine, two nodes on two cores, 784-50-10.
#include "bench/limits.hpp"
#include "machine/placement.hpp"

#include <fmt/format.h>

#include <cmath>

namespace quantimed::bench {

namespace {

struct RealTime {
  const Dataset& data;
  const Problem& problem;
  std::unique_ptr<Codec> exact = make_codec("exact"), grid = make_codec("low-precision:1e-3");

  Rounds run(const char* algorithm, std::uint32_t nodes, std::uint32_t batch, Seconds deadline, Round rounds) const {
    const AlgorithmRow& row = find_algorithm(algorithm);
    const Network network = make_network(parse_graph("ring"), parse_mixing("laplacian"), nodes, 1);
    const Shards shards = make_shards(data, parse_partition("contiguous"), nodes, 200, 1);
    const Run run{.algorithm = row,
                  .options = {.alpha = 0.01f, .epsilon = 0.8f, .batch = batch},
                  .problem = problem,
                  .network = network,
                  .shards = shards,
                  .codec = row.quantizes ? *grid : *exact,
                  .penalty = {.lambda = 1, .per = Penalty::Per::batch},
                  .deadline = {.fixed_s = deadline},
                  .link = {},
                  .iterations = rounds,
                  .evaluations = 1,
                  .oversubscribe = true};
    Blind blind;
    return run_threads(run, blind).rounds.all();
  }
};

std::vector<double> each(const Rounds& rounds, auto figure) {
  std::vector<double> values;
  for (std::size_t at = rounds.nodes; at + rounds.nodes < rounds.batch.size(); ++at) values.push_back(figure(at));
  return values;
}

// Seconds a sample: of gradients over `batch` samples at once, and of gradients until a deadline.
double seconds_a_sample(const Rounds& rounds) {
  return median(each(rounds, [&](std::size_t at) {
    return static_cast<double>(rounds.compute_time[at]) / static_cast<double>(rounds.batch[at]);
  }));
}

// Of the node that is slower in that round: the other waits for it.
double beyond_gradient_and_mixing(const Rounds& rounds) {
  std::vector<double> values;
  for (std::size_t t = 1; t + 1 < rounds.iterations; ++t) {
    double least = kForever;
    for (std::size_t at = t * rounds.nodes; at < (t + 1) * rounds.nodes; ++at)
      least =
          std::min(least, rounds.start_time[at + rounds.nodes] - rounds.start_time[at] -
                              static_cast<double>(rounds.compute_time[at]) - static_cast<double>(rounds.mix_time[at]));
    values.push_back(least);
  }
  return median(std::move(values));
}

// Of all nodes together, seconds a sample of the whole run.
double seconds_a_sample_together(const Rounds& rounds) {
  double samples = 0, end = 0;
  for (std::size_t at = 0; at < rounds.batch.size(); ++at)
    if (!std::isnan(rounds.batch[at])) {
      samples += static_cast<double>(rounds.batch[at]);
      end = std::max(end, rounds.start_time[at] + static_cast<double>(rounds.compute_time[at]));
    }
  return end / samples;
}

}  // namespace

void real_time_rows(const Dataset& data, const Problem& problem) {
  if (usable_cores().size() < 2) {
    fmt::print("| real time: not measured, it needs two cores\n");
    return;
  }
  const RealTime real{data, problem};
  constexpr std::uint32_t kLong = 2048;  // samples: about 5 ms
  print("sample until a 5 ms deadline, share without a clock",
        alternate([&] { return seconds_a_sample(real.run("dsgd", 2, kLong, 0, 30)); },
                  [&] { return seconds_a_sample(real.run("quantimed-dsgd", 2, kBatch, 5e-3, 30)); }, 21),
        "us", 1e6, 0.97, true);
  for (const std::uint32_t batch : {8u, 50u})
    print(fmt::format("DSGD round beyond gradient and update, batch {}", batch),
          alternate([] { return 2e-6; },
                    [&] { return beyond_gradient_and_mixing(real.run("dsgd", 2, batch, 0, 1000)); }, 21),
          "us", 1e6, 1, false);
  print("8 nodes on 2 cores, samples/s, share of 2 nodes",
        alternate([&] { return seconds_a_sample_together(real.run("dsgd", 2, kBatch, 0, 1200)); },
                  [&] { return seconds_a_sample_together(real.run("dsgd", 8, kBatch, 0, 300)); }, 11),
        "us", 1e6, 0.8, true);
}

}  // namespace quantimed::bench
