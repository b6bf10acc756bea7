// SPDX-License-Identifier: BSD-3-Clause
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "config/nearest.hpp"
#include "config/parse.hpp"

namespace quantimed {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::StartsWith;

TEST(StepSize, NumbersAndPowers) {
  const auto at = [](const char* text, std::uint32_t horizon) { return step_size("--alpha", text, horizon); };
  EXPECT_EQ(at("0.2", 300), 0.2);
  EXPECT_EQ(at("2e-1", 300), 0.2);
  EXPECT_DOUBLE_EQ(at("0.3*T^(-1/6)", 64), 0.15);
  EXPECT_DOUBLE_EQ(at("15*T^-0.5", 100), 1.5);
  EXPECT_DOUBLE_EQ(at("15/T^(1/2)", 100), 1.5);
  EXPECT_DOUBLE_EQ(at("15/T^.5", 100), 1.5);
  EXPECT_DOUBLE_EQ(at("15*T^(-0.5)", 100), 1.5);
  EXPECT_DOUBLE_EQ(at("T^(-1/2)", 100), 0.1);
  EXPECT_DOUBLE_EQ(at("2/T", 100), 0.02);
  EXPECT_DOUBLE_EQ(at(" 0.3 * T ^ ( -1 / 6 ) ", 64), 0.15);
  EXPECT_DOUBLE_EQ(at("0.3*T^(-1/6)", 300), 0.3 * std::pow(300, -1.0 / 6));
}

TEST(StepSize, AnythingElseNamesTheOptionAndTheForms) {
  for (const char* text : {"",
                           " ",
                           "0",
                           "-0.2",
                           "inf",
                           "nan",
                           "1e999",
                           "abc",
                           "0.2x",
                           "0.3*",
                           "0.3*t^2",
                           "0.3T",
                           "T^",
                           "T^()",
                           "T^(1/0)",
                           "T^(1/2",
                           "T^1/2",
                           "T^(1/2)x",
                           "0.3*T^(-1/6)*2",
                           "0.3**T",
                           "0.3*T*T",
                           "(0.3)",
                           "0.3*T^(1/2/3)",
                           "T^inf",
                           "0.3-T",
                           "0.2 0.3",
                           "+0.2",
                           "--1",
                           "T^-T",
                           "nan*T",
                           "1e300*T^200"}) {
    SCOPED_TRACE(text);
    try {
      step_size("--epsilon", text, 300);
      ADD_FAILURE() << "accepted";
    } catch (const InputError& error) {
      EXPECT_THAT(error.what(), AllOf(StartsWith(fmt::format("--epsilon {}: ", text)), HasSubstr("15/T^(1/2)")));
    }
  }
}

TEST(StepSize, ForEachAlgorithm) {
  EXPECT_EQ(for_algorithm("", "dsgd"), "");
  EXPECT_EQ(for_algorithm("0.2", "dsgd"), "0.2");
  const std::string text = "dsgd=0.2, q-dsgd = 0.3*T^(-1/6)";
  EXPECT_EQ(for_algorithm(text, "dsgd"), "0.2");
  EXPECT_EQ(for_algorithm(text, "q-dsgd"), "0.3*T^(-1/6)");
  EXPECT_EQ(for_algorithm(text, "async-dsgd"), "");
  EXPECT_EQ(for_algorithm("0.1," + text, "async-dsgd"), "0.1");
  EXPECT_EQ(for_algorithm(text + ",0.1", "dsgd"), "0.2");
}

TEST(StepSize, ForATarget) {
  const std::string text = "dsgd=0.2,dsgd@1.9=0.4,0.1,dsgd@2=0.3*T^(-1/6)";
  EXPECT_EQ(for_algorithm(text, "dsgd"), "0.2");
  EXPECT_EQ(for_algorithm(text, "dsgd", 1.9), "0.4");
  EXPECT_EQ(for_algorithm(text, "dsgd", 2), "0.3*T^(-1/6)");
  EXPECT_EQ(for_algorithm(text, "dsgd", 1.8), "0.2");
  EXPECT_EQ(for_algorithm(text, "q-dsgd", 1.9), "0.1");
  EXPECT_EQ(step_targets(text, "dsgd"), (std::vector{1.9, 2.0}));
  EXPECT_TRUE(step_targets(text, "q-dsgd").empty());
  EXPECT_EQ(error_of({"compare", "--alpha", text}), "");
  for (const char* bad : {"dsgd@=0.2,0.1", "dsgd@x=0.2,0.1", "dsgd@-1=0.2,0.1", "dsgd@0=0.2,0.1", "dsgd@inf=1,1"})
    EXPECT_THAT(error_of({"compare", "--alpha", bad}), HasSubstr("not a target loss")) << bad;
  EXPECT_THAT(error_of({"compare", "--alpha", "dsgd@2=0.2,dsgd@2.0=0.3,0.1"}), HasSubstr("two steps for dsgd at 2.0"));
  EXPECT_THAT(error_of({"compare", "--alpha", "dsgd@2=0.2"}), HasSubstr("for one target alone"));
  EXPECT_THAT(error_of({"compare", "--alpha", "@2=0.2"}), HasSubstr("no algorithm is called"));
}

TEST(StepSize, OfAHorizonOfItsOwn) {
  EXPECT_EQ(step_horizon(parse({"run", "--iterations", "70"}).config), 70u);
  EXPECT_EQ(step_horizon(parse({"run", "--iterations", "70", "--horizon", "9"}).config), 9u);
  EXPECT_EQ(error_of({"run", "--alpha", "T^200", "--iterations", "1000", "--horizon", "2"}), "");
}

TEST(StepSize, OnTheCommandLine) {
  EXPECT_EQ(parse({"compare", "--alpha", "dsgd=0.2,q-dsgd=0.3*T^(-1/6)"}).config.alpha, "dsgd=0.2,q-dsgd=0.3*T^(-1/6)");
  EXPECT_EQ(parse({"run", "--epsilon", "auto"}).config.epsilon, "");
  EXPECT_THAT(error_of({"compare", "--alpha", "sdgd=0.2"}), HasSubstr("did you mean dsgd?"));
  EXPECT_THAT(error_of({"compare", "--alpha", "dsgd=0.2,dsgd=0.3"}), HasSubstr("two steps for dsgd"));
  EXPECT_THAT(error_of({"compare", "--alpha", "0.2,0.3"}), HasSubstr("two steps for all"));
  EXPECT_THAT(error_of({"compare", "--alpha", "dsgd="}), HasSubstr("\"\" is not a step size"));
  EXPECT_THAT(error_of({"compare", "--alpha", "0.2,"}), HasSubstr("\"\" is not a step size"));
  EXPECT_THAT(error_of({"compare", "--alpha", "=0.2"}), HasSubstr("no algorithm is called \"\""));
  EXPECT_THAT(error_of({"compare", "--epsilon", "dsgd=nonsense"}), StartsWith("--epsilon dsgd=nonsense: \"nonsense\""));
  // Out of range at this horizon only.
  EXPECT_THAT(error_of({"run", "--alpha", "T^200", "--iterations", "1000"}), HasSubstr("is inf at T = 1000"));
  EXPECT_EQ(error_of({"run", "--alpha", "T^200", "--iterations", "2"}), "");
}

TEST(Nearest, EditDistance) {
  EXPECT_EQ(edit_distance("", "abc"), 3u);
  EXPECT_EQ(edit_distance("nodes", "nodes"), 0u);
  EXPECT_EQ(edit_distance("kitten", "sitting"), 3u);
  EXPECT_EQ(edit_distance("rnu", "run"), 1u);
  const std::string known[] = {"alpha", "batch", "bits"};
  EXPECT_EQ(nearest("bacth", known), "batch");
  EXPECT_EQ(nearest("beta", known), "");
  EXPECT_EQ(nearest(std::string(1'000'000, 'b'), known), "");
  EXPECT_EQ(nearest("alpha", {}), "");
}

}  // namespace
}  // namespace quantimed
