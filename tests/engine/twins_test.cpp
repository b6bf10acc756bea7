// SPDX-License-Identifier: BSD-3-Clause
// Each algorithm against its twin: naive matrices in float64, written from the papers' equations, that know nothing of
// nodes, channels, formulas or engines. Given the same samples, and with a quantizing code the same decoded messages,
// the models are the same but for the rounding of float32.
#include "algorithm/twins.hpp"

#include "engine/remembering_codec.hpp"
#include "engine/same_samples.hpp"
#include "engine/small_run.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <tuple>

namespace quantimed {
namespace {

constexpr Round kTwinIterations = 50;

twin::Parameters parameters_of(const Run& run) {
  const Options& o = run.options;
  twin::Parameters p;
  p.alpha = static_cast<double>(o.alpha);
  p.epsilon = static_cast<double>(o.epsilon);
  p.gamma = static_cast<double>(o.gamma);
  p.momentum = static_cast<double>(o.momentum);
  p.nesterov = o.nesterov;
  p.overlap = o.overlap;
  p.beta = static_cast<double>(o.beta);
  p.averaging = static_cast<double>(o.averaging);
  p.outer_step = static_cast<double>(o.outer_step);
  p.local_steps = o.local_steps;
  p.rounds = o.rounds;
  p.period = o.period;
  return p;
}

std::vector<std::string> both_know() {
  std::vector<std::string> names;
  for (const std::string_view name : twin::names())
    if (std::ranges::any_of(algorithm_table(), [&](const AlgorithmRow& row) { return row.name == name; }))
      names.emplace_back(name);
  return names;
}

class Twin : public testing::TestWithParam<std::string> {
 protected:
  static void expect_equal(const char* codec, float gamma, bool in_other_form = false) {
    const SmallRun small(GetParam(), 6, "ring", codec);
    const Remembering code(*small.codec);
    auto run = small.run_with(small.row, small.row.quantizes ? static_cast<const Codec&>(code) : *small.codec);
    run.options.alpha = 0.05f;
    run.options.gamma = gamma;
    run.options.momentum = 0.5f;
    run.options.period = 3;
    if (in_other_form && !choose_other_form(small.row, run.options)) GTEST_SKIP() << "has one form";
    run.iterations = kTwinIterations;
    run.evaluations = 1;
    KeepingWatcher watcher = small.watcher();
    const Outcome outcome = run_virtual(run, watcher);
    ASSERT_EQ(outcome.failure, "");
    const Rounds rounds = outcome.rounds.all();
    const auto& start = watcher.cuts.front().models;
    const SameSamples samples{small, run, rounds};

    twin::Setting setting{
        .w = weights_of(small.network),
        .gradient = samples,
        .batch = [&](unsigned i, std::size_t t, unsigned kth) { return static_cast<double>(samples.batch(i, t, kth)); },
        .send = {},
        .parameters = parameters_of(run)};
    if (small.row.quantizes)
      setting.send = [&](unsigned i, unsigned c, std::size_t k, const twin::Vector& exact) {
        const Remembering::Sent message{i, c, static_cast<Round>(k)};
        const twin::Vector& encoded = code.exact.at(message);
        EXPECT_LE(distance(encoded, exact), 1e-5 * (1 + norm(exact))) << "node " << i << ", message " << k;
        return code.sent.at(message);
      };
    twin::Matrix x0;
    for (const auto& model : start) x0.emplace_back(model.begin(), model.end());
    const twin::Matrix expected = twin::run(GetParam(), setting, x0, kTwinIterations);
    ASSERT_GT(distance(start[0], expected[0]), 1e-2) << "nothing has happened";
    for (NodeId i = 0; i < small.network.nodes; ++i)
      EXPECT_LE(distance(watcher.cuts.back().models[i], expected[i]), 1e-5 * norm(expected[i])) << "node " << i;
  }
};

TEST_P(Twin, IsEqualWithExactMessages) { expect_equal("exact", 1); }
TEST_P(Twin, IsEqualInItsOtherForm) { expect_equal("exact", 1, true); }
TEST_P(Twin, IsEqualGivenTheSameDecodedMessages) {
  if (!find_algorithm(GetParam()).quantizes) GTEST_SKIP() << "sends exact vectors";
  expect_equal("low-precision:1e-3", 0.5f);
}
TEST_P(Twin, IsEqualInItsOtherFormGivenTheSameDecodedMessages) {
  if (!find_algorithm(GetParam()).quantizes) GTEST_SKIP() << "sends exact vectors";
  expect_equal("low-precision:1e-3", 0.5f, true);
}

TEST(Twins, ThereIsOneForEveryRowThatWaitsForItsMessages) {
  const auto known = both_know();
  for (const AlgorithmRow& row : algorithm_table())
    EXPECT_EQ(std::ranges::count(known, row.name), row.delivery == Delivery::round ? 1 : 0) << row.name;
}

INSTANTIATE_TEST_SUITE_P(Field, Twin, testing::ValuesIn(both_know()), [](const auto& test) {
  std::string name = test.param;
  std::ranges::replace(name, '-', '_');
  return name;
});

}  // namespace
}  // namespace quantimed
