// SPDX-License-Identifier: BSD-3-Clause
// What make_problem builds, and what it refuses.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "base/error.hpp"
#include "cases.hpp"
#include "problem/problem.hpp"

namespace quantimed {
namespace {

using testing::HasSubstr;

const Dataset& images() {
  static const Dataset data = random_data(30, 784, 10, Features::bytes);
  return data;
}
const Dataset& two_classes() {
  static const Dataset data = random_data(30, 20, 2, Features::values);
  return data;
}
const Dataset& regression() {
  static const Dataset data = random_data(30, 20, 0, Features::values);
  return data;
}

std::string refusal(const ModelRequest& request, const Dataset& data) {
  try {
    make_problem(request, data);
  } catch (const InputError& error) {
    return error.what();
  }
  return "accepted";
}

TEST(MakeProblem, PicksLossesAndOutputs) {
  const auto describe = [](const ModelRequest& request, const Dataset& data) {
    return make_problem(request, data)->description();
  };
  EXPECT_EQ(describe({}, images()), "mlp 784-50-10 sigmoid, sigmoid-cross-entropy");
  EXPECT_EQ(describe({.model = "mlp:30,20,20,25", .activation = "relu"}, two_classes()),
            "mlp 20-30-20-20-25-2 relu, sigmoid-cross-entropy");
  EXPECT_EQ(describe({.model = "mlp:3"}, regression()), "mlp 20-3-1 sigmoid, squared");
  EXPECT_EQ(describe({.model = "logistic"}, two_classes()), "logistic 20-1, sigmoid-cross-entropy");
  EXPECT_EQ(describe({.model = "logistic"}, images()), "logistic 784-10, softmax");
  EXPECT_EQ(describe({.model = "least-squares"}, regression()), "least-squares 20-1, squared");
  EXPECT_EQ(describe({.model = "least-squares"}, images()), "least-squares 784-10, squared");
}

TEST(MakeProblem, CountsParametersAndFlops) {
  const auto problem = make_problem({}, images());
  EXPECT_EQ(problem->dimension(), 784u * 50 + 50 + 50 * 10 + 10);
  EXPECT_EQ(problem->gradient_flops(), 2.0 * (784 * 50 * 2 + 50 * 10 * 3));
  EXPECT_TRUE(problem->is_classification());
  EXPECT_FALSE(make_problem({.model = "least-squares"}, regression())->is_classification());
}

TEST(MakeProblem, InitialValuesAreUniformLayerByLayer) {
  ModelRequest request{.model = "mlp:40", .initial_half_widths = {0.5, 2}};
  const auto problem = make_problem(request, images());
  std::vector<float> x(problem->dimension()), again(x.size()), other(x.size());
  problem->initialise(x, 1);
  problem->initialise(again, 1);
  problem->initialise(other, 2);
  EXPECT_EQ(x, again);
  EXPECT_NE(x, other);
  const auto first = std::span(x).first(784 * 40 + 40), second = std::span(x).subspan(784 * 40 + 40);
  EXPECT_NEAR(std::ranges::max(first), 0.5, 1e-3);
  EXPECT_NEAR(std::ranges::min(first), -0.5, 1e-3);
  EXPECT_NEAR(std::ranges::max(second), 2, 0.1);
  EXPECT_NEAR(std::ranges::min(second), -2, 0.1);
}

TEST(MakeProblem, RefusesUnknownWords) {
  EXPECT_THAT(refusal({.model = "forest"}, images()), HasSubstr("--model forest: unknown"));
  for (const char* model : {"mlp", "logistic:3", "least-squares:", ""})
    EXPECT_THAT(refusal({.model = model}, images()), HasSubstr("unknown"));
  for (const char* model :
       {"mlp:", "mlp:0", "mlp:abc", "mlp:3,", "mlp:,3", "mlp:3x", "mlp:-3", "mlp:99999999999999999999"})
    EXPECT_THAT(refusal({.model = model}, images()), HasSubstr("no layer width"));
  EXPECT_THAT(refusal({.activation = "step"}, images()), HasSubstr("--activation step"));
  EXPECT_THAT(refusal({.loss = "hinge"}, images()), HasSubstr("--loss hinge"));
}

TEST(MakeProblem, RefusesAnActivationThatNothingWouldTake) {
  for (const char* model : {"logistic", "least-squares", "gn-lenet", "resnet20", "layers:linear"})
    EXPECT_THAT(refusal({.model = model, .activation = "tanh"}, images()), HasSubstr("--activation tanh: --model"))
        << model;
}

TEST(MakeProblem, RefusesContradictions) {
  EXPECT_THAT(refusal({.model = "logistic"}, regression()), HasSubstr("real targets"));
  EXPECT_THAT(refusal({.model = "logistic", .loss = "squared"}, images()), HasSubstr("--loss squared"));
  EXPECT_THAT(refusal({.model = "least-squares", .loss = "softmax"}, images()), HasSubstr("--loss softmax"));
  EXPECT_THAT(refusal({.loss = "softmax"}, regression()), HasSubstr("use squared"));
  EXPECT_EQ(refusal({.loss = "squared"}, regression()), "accepted");
  EXPECT_THAT(refusal({}, random_data(5, 3, 1, Features::bytes)), HasSubstr("only one class"));
  EXPECT_THAT(refusal({}, random_data(5, 0, 2, Features::bytes)), HasSubstr("no features"));
}

TEST(MakeProblem, RefusesHalfWidthsThatDoNotFit) {
  EXPECT_THAT(refusal({.initial_half_widths = {0.5, 0.5, 1}}, images()), HasSubstr("3 half-widths for 2 layers"));
  EXPECT_THAT(refusal({.initial_half_widths = {}}, images()), HasSubstr("0 half-widths"));
  EXPECT_THAT(refusal({.initial_half_widths = {-1}}, images()), HasSubstr("half-width must be"));
  EXPECT_THAT(refusal({.initial_half_widths = {std::nan("")}}, images()), HasSubstr("half-width must be"));
  EXPECT_EQ(refusal({.model = "logistic", .initial_half_widths = {0}}, images()), "accepted");
}

TEST(Problem, ChecksShapesInReleaseBuildsToo) {
  const auto problem = make_problem({}, images());
  auto work = problem->make_workspace();
  std::vector<float> x(problem->dimension()), small(3);
  const std::vector<SampleId> rows = {0, 1};
  EXPECT_THROW(problem->gradient_sum(x, rows, false, small, work), InternalError);
  EXPECT_THROW(problem->loss_sum(x, two_classes(), rows, work), InternalError);
  EXPECT_THROW(problem->initialise(small, 1), InternalError);
  Workspace empty;
  EXPECT_THROW(problem->gradient_sum(x, rows, false, x, empty), InternalError);
  Dataset broken = images();
  broken.targets[1] = 10;
  EXPECT_THROW(problem->loss_sum(x, broken, rows, work), InternalError);
}

}  // namespace
}  // namespace quantimed
