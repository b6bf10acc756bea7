// SPDX-License-Identifier: BSD-3-Clause
#include "timing/speed_model.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <string_view>

#include "base/error.hpp"
#include "here.hpp"

namespace quantimed {
namespace {

struct Moments {
  double mean = 0, deviation = 0, least = std::numeric_limits<double>::infinity(), most = 0;
  double standard_error = 0;
};

Moments sample(const SpeedModel& model, NodeId nodes, Round rounds) {
  Moments m;
  double sum = 0, squares = 0;
  for (NodeId i = 0; i < nodes; ++i)
    for (Round t = 0; t < rounds; ++t) {
      const double v = model.speed(i, t);
      sum += v;
      squares += v * v;
      m.least = std::min(m.least, v);
      m.most = std::max(m.most, v);
    }
  const double count = double(nodes) * rounds;
  m.mean = sum / count;
  m.deviation = std::sqrt(squares / count - m.mean * m.mean);
  m.standard_error = m.deviation / std::sqrt(count);
  return m;
}

TEST(SpeedModel, UniformHasItsMomentsAndBounds) {
  const auto model = make_speed_model("uniform:10,90", 7);
  const Moments m = sample(*model, 50, 2000);
  EXPECT_DOUBLE_EQ(model->mean(), 50);
  EXPECT_NEAR(m.mean, 50, 5 * m.standard_error);
  EXPECT_NEAR(m.deviation, 80 / std::sqrt(12.0), 0.2);
  EXPECT_GE(m.least, 10);
  EXPECT_LT(m.most, 90);
  EXPECT_LT(m.least, 10.1);
  EXPECT_GT(m.most, 89.9);
}

TEST(SpeedModel, MeansAreTheOnesDrawn) {
  for (const char* text : {"uniform:1,2", "exponential:0.02,0.01", "exponential:0.05,0.001", "pareto:100,2",
                           "pareto:90,0.5", "bimodal:90,10,0.3,0", "bimodal:90,10,0.3,0.5"}) {
    SCOPED_TRACE(text);
    const auto model = make_speed_model(text, 3);
    const Moments m = sample(*model, 400, 500);
    // Keeping a mode for 1/(1 − keep) rounds makes draws count less: (1 + keep)/(1 − keep) = 3 at 0.5.
    const double inflation = std::string_view(text) == "bimodal:90,10,0.3,0.5" ? std::sqrt(3.0) : 1;
    EXPECT_NEAR(m.mean, model->mean(), 5 * inflation * m.standard_error);
    EXPECT_GT(m.least, 0);
  }
}

TEST(SpeedModel, ExponentialMeanIsAccurateForEveryShareOfTheTail) {
  // e E1(1) = 0.596347362323194…
  EXPECT_NEAR(make_speed_model("exponential:2,1", 1)->mean(), 0.596347362323194, 1e-12);
  // Both sides of where the series takes over: shift / (mean - shift) = 50; x e^x E1(x) = 0.98075549… at 50.
  EXPECT_NEAR(make_speed_model("exponential:1.0200001,1", 1)->mean(), 0.9807554965, 1e-6);
  EXPECT_NEAR(make_speed_model("exponential:1.0199999,1", 1)->mean(), 0.9807554965, 1e-6);
  EXPECT_NEAR(make_speed_model("exponential:1.0000001,1", 1)->mean(), 1, 1e-6);
}

TEST(SpeedModel, ExponentialAndParetoHaveTheirTails) {
  // P(time > y) for y a multiple of the least time.
  const auto pareto = make_speed_model("pareto:100,1.5", 5);
  const auto exponential = make_speed_model("exponential:0.03,0.01", 5);
  int slow_pareto = 0, slow_exponential = 0;
  constexpr int kDraws = 100'000;
  for (NodeId i = 0; i < kDraws; ++i) {
    slow_pareto += 1 / pareto->speed(i, 0) > 0.04;
    slow_exponential += 1 / exponential->speed(i, 0) > 0.05;
  }
  const auto expect_share = [](int hits, double p) {
    EXPECT_NEAR(double(hits) / kDraws, p, 5 * std::sqrt(p * (1 - p) / kDraws));
  };
  expect_share(slow_pareto, std::pow(4, -1.5));
  expect_share(slow_exponential, std::exp(-2.0));
}

TEST(SpeedModel, BimodalKeepsItsModeAsOftenAsItSays) {
  const auto model = make_speed_model("bimodal:90,10,0.25,0.8", 11);
  int stays = 0, slow = 0;
  constexpr int kNodes = 200, kRounds = 500;
  for (NodeId i = 0; i < kNodes; ++i)
    for (Round t = 0; t < kRounds; ++t) {
      const double now = model->speed(i, t), next = model->speed(i, t + 1);
      EXPECT_TRUE(now == 90 || now == 10);
      slow += now == 10;
      stays += now == 10 && next == 10;
    }
  // P(slow → slow) = keep + (1 − keep) P.
  EXPECT_NEAR(double(slow) / (kNodes * kRounds), 0.25, 5 * std::sqrt(0.25 * 0.75 * 9 / (kNodes * kRounds)));
  EXPECT_NEAR(double(stays) / slow, 0.8 + 0.2 * 0.25, 5 * std::sqrt(0.85 * 0.15 / slow));
}

TEST(SpeedModel, BimodalWithKeepOneGivesEachNodeOneModeForEver) {
  const auto model = make_speed_model("bimodal:90,10,0.5,1", 2);
  int slow = 0;
  for (NodeId i = 0; i < 1000; ++i) {
    slow += model->speed(i, 0) == 10;
    EXPECT_EQ(model->speed(i, 0), model->speed(i, 4'000'000'000u));
  }
  EXPECT_NEAR(slow, 500, 5 * std::sqrt(250.0));
}

TEST(SpeedModel, ConstantAndSlowNodes) {
  const auto constant = make_speed_model("constant:12.5", 1);
  EXPECT_EQ(constant->speed(3, 9), 12.5);
  EXPECT_EQ(constant->mean(), 12.5);
  const auto slow = make_speed_model("slow-nodes:2,4,100", 1);
  EXPECT_EQ(slow->speed(0, 5), 25);
  EXPECT_EQ(slow->speed(1, 0), 25);
  EXPECT_EQ(slow->speed(2, 0), 100);
}

TEST(SpeedModel, IsAFunctionOfSeedNodeAndRoundAlone) {
  for (const char* text : {"uniform:10,90", "exponential:0.02,0.01", "pareto:100,2"}) {
    const auto a = make_speed_model(text, 1), same = make_speed_model(text, 1), other = make_speed_model(text, 2);
    const double last = a->speed(9, 9);
    EXPECT_EQ(a->speed(0, 0), same->speed(0, 0));
    EXPECT_EQ(same->speed(9, 9), last);  // asked in another order
    EXPECT_NE(a->speed(0, 0), other->speed(0, 0));
    EXPECT_NE(a->speed(0, 0), a->speed(1, 0));
    EXPECT_NE(a->speed(0, 0), a->speed(0, 1));
  }
}

TEST(SpeedModel, NoneIsTheMachinesOwn) { EXPECT_EQ(make_speed_model("none", 1), nullptr); }

TEST(SpeedModel, EveryKindOfTheTableIsMade) {
  const std::string file = "file:" QUANTIMED_TESTS_DIR "/engine/speeds.txt";
  const char* examples[] = {"uniform:10,90",       "constant:3",        "exponential:2,1", "pareto:9,2",
                            "bimodal:9,1,0.5,0.5", "slow-nodes:1,2,50", file.c_str(),      "none"};
  ASSERT_EQ(std::size(examples), std::size(kSpeedKinds));
  for (std::size_t k = 0; k < std::size(examples); ++k) {
    const std::string_view syntax = kSpeedKinds[k].syntax;
    EXPECT_TRUE(std::string_view(examples[k]).starts_with(syntax.substr(0, syntax.find(':'))));
    EXPECT_NO_THROW(make_speed_model(examples[k], 1)) << examples[k];
  }
}

TEST(SpeedModel, BadInputNamesTheOptionTheValueAndTheFix) {
  for (const char* text : {"",
                           "uniform",
                           "uniform:",
                           "uniform:10",
                           "uniform:10,90,",
                           "uniform:10,90,3",
                           "uniform:90,10",
                           "uniform:0,90",
                           "uniform:-1,90",
                           "uniform:10,inf",
                           "uniform:10,nan",
                           "uniform:1e999,2",
                           "uniform:10,90x",
                           "uniform: 10,90",
                           "uniform:+1,2",
                           "uniform:0x1,2",
                           "constant:0",
                           "constant:",
                           "constant",
                           "fast",
                           "Uniform:10,90",
                           "exponential:1,1",
                           "exponential:1,0",
                           "pareto:1,0",
                           "bimodal:1,2,0.5,0",
                           "bimodal:2,1,1.5,0",
                           "bimodal:2,1,0.5,0.9999",
                           "slow-nodes:1.5,2,3",
                           "slow-nodes:1,0.5,3",
                           "file",
                           "file:",
                           "file:/no/such/file",
                           "file:/",
                           "file:/dev/null",
                           "file:/dev/zero",
                           "file:/no/such/trace.h5",
                           "none:1",
                           "none:"}) {
    try {
      make_speed_model(text, 1);
      ADD_FAILURE() << "accepted: " << text;
    } catch (const InputError& error) {
      EXPECT_THAT(error.what(), testing::StartsWith(std::string("--speed ") + text + ":"));
      EXPECT_THAT(error.what(), testing::Not(testing::HasSubstr("\n")));
    }
  }
}

}  // namespace
}  // namespace quantimed
