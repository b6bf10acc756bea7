// SPDX-License-Identifier: BSD-3-Clause
// A node's gradient over augmented samples, against one over a set of the very images that it should see.
#include "node/local_gradient.hpp"

#include <gtest/gtest.h>

#include <numeric>
#include <vector>

namespace quantimed {
namespace {

constexpr std::uint64_t kSeed = 11;
constexpr NodeId kNode = 2;
constexpr Round kRound = 7;
constexpr std::uint32_t kDraw = 1;

class AugmentedGradient : public testing::TestWithParam<const char*> {};

// However the gradient is cut, and whatever the model.
TEST_P(AugmentedGradient, IsThatOfTheImagesMoved) {
  const Dataset digits = load_dataset({.name = "digits", .seed = 3}).train;
  const Augmentation augmentation{.crop = 5, .flip = true};
  std::vector<SampleId> shard(90);
  std::iota(shard.begin(), shard.end(), SampleId{20});
  constexpr std::size_t kSamples = 70;  // more than a chunk of any model

  // What is drawn, moved by the one who draws.
  Stream samples({.seed = kSeed, .node = kNode, .iteration = kRound, .purpose = Purpose::samples, .draw = kDraw});
  Dataset moved{
      .name = "moved", .samples = kSamples, .features = digits.features, .classes = 10, .shape = digits.shape};
  moved.values.resize(kSamples * std::size_t{digits.features});
  for (std::uint32_t slot = 0; slot < kSamples; ++slot) {
    const SampleId row = shard[samples.index(static_cast<std::uint32_t>(shard.size()))];
    float* const image = moved.values.data() + std::size_t{slot} * digits.features;
    digits.gather({&row, 1}, image);
    move_image(
        digits,
        draw_move(augmentation,
                  {.seed = kSeed, .node = kNode, .iteration = kRound, .purpose = Purpose::augmentation, .draw = kDraw},
                  slot),
        image);
    moved.targets.push_back(digits.targets[row]);
  }

  const auto problem = make_problem({.model = GetParam()}, digits),
             of_moved = make_problem({.model = GetParam()}, moved);
  Workspace work = problem->make_workspace(), other_work = of_moved->make_workspace();
  std::vector<float> x(problem->dimension()), found(x.size()), expected(x.size()), plain(x.size());
  problem->initialise(x, 1);
  std::vector<SampleId> batch, all(kSamples);
  std::iota(all.begin(), all.end(), SampleId{0});
  LocalGradient gradient(*problem, shard, kNode, kSeed, augmentation), unmoved(*problem, shard, kNode, kSeed);
  for (const std::vector<std::size_t>& cut : {std::vector<std::size_t>{kSamples}, {1, 66, 3}, {69, 1}}) {
    gradient.begin(kRound, kDraw);
    for (const std::size_t count : cut) {
      of_moved->gradient_sum(x, std::span(all).subspan(gradient.drawn(), count), gradient.drawn() > 0, expected,
                             other_work);
      gradient.add(x, count, found, batch, work);
    }
    EXPECT_EQ(found, expected);
  }
  unmoved.begin(kRound, kDraw);
  unmoved.add(x, kSamples, plain, batch, work);
  EXPECT_NE(plain, found);
}

INSTANTIATE_TEST_SUITE_P(Models, AugmentedGradient, testing::Values("logistic", "mlp:5", "resnet20"),
                         [](const auto& test) { return std::string(test.param).substr(0, 3); });

}  // namespace
}  // namespace quantimed
