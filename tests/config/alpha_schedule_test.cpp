// SPDX-License-Identifier: BSD-3-Clause
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "config/parse.hpp"

namespace quantimed {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::StartsWith;

AlphaSchedule read(const std::string& text, std::uint32_t horizon = 1000, double epoch = 20) {
  return alpha_schedule("--alpha", text, horizon, epoch);
}

TEST(AlphaSchedule, HoldsEachStepUntilItsMark) {
  const AlphaSchedule s = read("0.1 until 50%, 0.01 until 75%, 0.001");
  ASSERT_EQ(s.pieces.size(), 3u);
  for (const auto& [t, alpha] : {std::pair{0u, 0.1f},
                                 {499u, 0.1f},
                                 {500u, 0.01f},
                                 {749u, 0.01f},
                                 {750u, 0.001f},
                                 {999u, 0.001f},
                                 {100'000u, 0.001f}})
    EXPECT_EQ(s.at(t, 7), alpha) << t;
}

TEST(AlphaSchedule, MarksAreSharesIterationsOrEpochs) {
  EXPECT_EQ(read("1 until 200, 2").pieces[0].until, 200u);
  EXPECT_EQ(read("1 until 3 epochs, 2").pieces[0].until, 60u);
  EXPECT_EQ(read("1 until 1 epoch,2").pieces[0].until, 20u);
  EXPECT_EQ(read("1 until 0.5%, 2").pieces[0].until, 5u);
  EXPECT_EQ(read("1 until 2.5 epochs , 2 until 50% , 3").pieces[1].until, 500u);
}

TEST(AlphaSchedule, StepsMayBeFormulasOfTheHorizon) {
  const AlphaSchedule s = read("2/T until 50%, T^(-1)", 100);
  EXPECT_FLOAT_EQ(s.at(0, 0), 0.02f);
  EXPECT_FLOAT_EQ(s.at(50, 0), 0.01f);
}

TEST(AlphaSchedule, WarmsUpInAStraightLine) {
  const AlphaSchedule s = read("warm-up 1%, 0.1 until 50%, 0.01");
  EXPECT_EQ(s.warm_up, 10u);
  EXPECT_FLOAT_EQ(s.at(0, 0), 0.01f);
  EXPECT_FLOAT_EQ(s.at(4, 0), 0.05f);
  EXPECT_FLOAT_EQ(s.at(9, 0), 0.1f);
  EXPECT_EQ(s.at(10, 0), 0.1f);
  EXPECT_FLOAT_EQ(read("warm-up 2 epochs, 0.4").at(19, 0), 0.2f);
}

TEST(AlphaSchedule, APlainStepIsNone) {
  EXPECT_TRUE(read("0.1").pieces.empty());
  EXPECT_EQ(AlphaSchedule{}.at(5, 0.25f), 0.25f);
}

TEST(AlphaSchedule, AnythingElseIsRefusedWithTheForms) {
  for (const char* text : {"0.1 until 50%", "0.1 until 50%,", "0.1 until , 0.2", "0.1 until x, 0.2",
                           "0.1 until 101%, 0.2", "0.1 until 0%, 0.2", "0.1 until -5, 0.2", "0.1 until 2.5, 0.2",
                           "0.1 until nan%, 0.2", "0.1 until 50% , 0.2 , 0.3", "0.1 until 50%, 0.01 until 40%, 0.2",
                           "0.1 until 600, 0.01 until 50%, 0.2", "warm-up 5%", "warm-up, 0.1", "warm-up x, 0.1",
                           "0.1 until 50%, warm-up 5%, 0.2", "1e-60 until 50%, 0.1", "0.1 until 5 miles, 0.2"}) {
    SCOPED_TRACE(text);
    try {
      read(text);
      ADD_FAILURE() << "accepted";
    } catch (const InputError& error) {
      EXPECT_THAT(error.what(), AllOf(StartsWith("--alpha "), testing::Not(HasSubstr("\n"))));
    }
  }
}

TEST(AlphaSchedule, IsForAllOrForEachAlgorithm) {
  const std::string text = "dsgd=0.1 until 50%, 0.01, q-dsgd=0.2, warm-up 5%, 0.3 until 10, 0.4";
  EXPECT_EQ(for_algorithm(text, "dsgd"), "0.1 until 50%, 0.01");
  EXPECT_EQ(for_algorithm(text, "q-dsgd"), "0.2");
  EXPECT_EQ(for_algorithm(text, "async-dsgd"), "warm-up 5%, 0.3 until 10, 0.4");
  EXPECT_EQ(parse({"run", "--alpha", "0.1 until 50%, 0.01"}).config.alpha, "0.1 until 50%, 0.01");
  EXPECT_EQ(parse({"compare", "--alpha", text}).config.alpha, text);
  EXPECT_THAT(error_of({"run", "--alpha", "0.1 until 50%"}), StartsWith("--alpha 0.1 until 50%: "));
  EXPECT_THAT(error_of({"run", "--epsilon", "0.1 until 50%, 0.2"}), HasSubstr("only --alpha has steps that change"));
  EXPECT_THAT(error_of({"run", "--gamma", "0.1 until 50%, 0.2"}), StartsWith("--gamma "));
}

}  // namespace
}  // namespace quantimed
