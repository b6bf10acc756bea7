// SPDX-License-Identifier: BSD-3-Clause
// Crop and flip against a twin that pads, cuts out and mirrors; where the moves come from, and what is refused.
#include "dataset/augment.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <map>
#include <vector>

#include "base/error.hpp"

namespace quantimed {
namespace {

using testing::HasSubstr;

std::string refusal(const std::string& text) {
  try {
    parse_augmentation(text);
  } catch (const InputError& error) {
    return error.what();
  }
  return "accepted";
}

Dataset pictures(std::vector<std::uint32_t> shape) {
  Dataset data{.name = "pictures", .samples = 1, .features = 1, .shape = std::move(shape)};
  for (const std::uint32_t extent : data.shape) data.features *= extent;
  for (std::uint32_t k = 0; k < data.features; ++k) data.values.push_back(static_cast<float>(k + 1));
  return data;
}

// As it is described everywhere: a border of `pad` black pixels, a window of the image's size in it, then a mirror.
std::vector<float> naive(const Dataset& data, const Move& move, const std::vector<float>& image) {
  const std::size_t channels = data.shape.size() == 3 ? data.shape[0] : 1, height = data.shape[data.shape.size() - 2],
                    width = data.shape.back(), pad = 40;
  std::vector<float> result;
  for (std::size_t c = 0; c < channels; ++c) {
    const float black = data.shift.empty() ? 0 : data.shift[c];
    std::vector<std::vector<float>> padded(height + 2 * pad, std::vector<float>(width + 2 * pad, black));
    for (std::size_t r = 0; r < height; ++r)
      for (std::size_t i = 0; i < width; ++i) padded[r + pad][i + pad] = image[(c * height + r) * width + i];
    for (std::size_t r = 0; r < height; ++r)
      for (std::size_t i = 0; i < width; ++i) {
        const std::size_t column = move.is_mirrored ? width - 1 - i : i;
        result.push_back(
            padded[r + pad - static_cast<std::size_t>(move.down)][column + pad - static_cast<std::size_t>(move.right)]);
      }
  }
  return result;
}

TEST(Augment, MovesAsPaddingCuttingOutAndMirroringDo) {
  for (const std::vector<std::uint32_t>& shape :
       {std::vector<std::uint32_t>{5, 5}, {1, 6, 4}, {3, 4, 7}, {2, 1, 3}, {2, 3, 1}})
    for (const bool is_normalised : {false, true}) {
      Dataset data = pictures(shape);
      if (is_normalised) {
        const std::size_t channels = shape.size() == 3 ? shape[0] : 1;
        for (std::size_t c = 0; c < channels; ++c) {
          data.scale.push_back(0.5f + static_cast<float>(c));
          data.shift.push_back(-1.25f - static_cast<float>(c));
        }
      }
      std::vector<float> image(data.features);
      const SampleId row = 0;
      data.gather({&row, 1}, image.data());
      const int down = static_cast<int>(shape[shape.size() - 2]) - 1, right = static_cast<int>(shape.back()) - 1;
      for (int d = -down; d <= down; ++d)
        for (int r = -right; r <= right; ++r)
          for (const bool is_mirrored : {false, true}) {
            const Move move{static_cast<std::int16_t>(d), static_cast<std::int16_t>(r), is_mirrored};
            std::vector<float> found = image;
            move_image(data, move, found.data());
            ASSERT_EQ(found, naive(data, move, image)) << d << ' ' << r << ' ' << is_mirrored;
          }
    }
}

TEST(Augment, MovesAreUniformAndDependOnTheSlotAlone) {
  const Augmentation both{.crop = 2, .flip = true};
  const StreamKey key{.seed = 3, .node = 1, .iteration = 4, .purpose = Purpose::augmentation};
  std::map<std::array<int, 3>, int> counts;
  constexpr std::uint32_t kDraws = 20'000;
  for (std::uint32_t slot = 0; slot < kDraws; ++slot) {
    const Move move = draw_move(both, key, slot);
    ++counts[{move.down, move.right, move.is_mirrored}];
    ASSERT_EQ(move, draw_move(both, key, slot));
    // The same places with or without a mirror, which none has that was not asked for.
    Move unmirrored = move;
    unmirrored.is_mirrored = false;
    ASSERT_EQ(unmirrored, draw_move({.crop = 2}, key, slot));
    ASSERT_EQ((Move{0, 0, move.is_mirrored}), draw_move({.flip = true}, key, slot));
  }
  ASSERT_EQ(counts.size(), 50u) << "5 x 5 places, mirrored or not";
  for (const auto& [move, count] : counts) {  // 400 ± 20 each
    EXPECT_GT(count, 300);
    EXPECT_LT(count, 500);
  }
  // Other streams move otherwise.
  for (const StreamKey& other : {StreamKey{.seed = 4, .node = 1, .iteration = 4, .purpose = Purpose::augmentation},
                                 {.seed = 3, .node = 2, .iteration = 4, .purpose = Purpose::augmentation},
                                 {.seed = 3, .node = 1, .iteration = 5, .purpose = Purpose::augmentation},
                                 {.seed = 3, .node = 1, .iteration = 4, .purpose = Purpose::augmentation, .draw = 1},
                                 {.seed = 3, .node = 1, .iteration = 4, .purpose = Purpose::samples}}) {
    int same = 0;
    for (std::uint32_t slot = 0; slot < 100; ++slot) same += draw_move(both, key, slot) == draw_move(both, other, slot);
    EXPECT_LT(same, 20);
  }
}

TEST(Augment, ReadsItsText) {
  EXPECT_TRUE(parse_augmentation("").is_none());
  EXPECT_TRUE(parse_augmentation("none").is_none());
  const Augmentation both = parse_augmentation("flip,crop:4");
  EXPECT_EQ(both.crop, 4u);
  EXPECT_TRUE(both.flip);
  EXPECT_EQ(parse_augmentation("crop:32767").crop, 32'767u);
  EXPECT_FALSE(parse_augmentation("crop:1").flip);
  for (const char* text :
       {"crop:0", "crop:", "crop:-1", "crop:4x", "crop:32768", "crop:99999999999999999999", "crop:1.5"})
    EXPECT_THAT(refusal(text), HasSubstr("by no number of pixels")) << text;
  for (const char* text : {"crop", "rotate", "crop:4,", ",flip", "flip ,crop:4", "none,flip"})
    EXPECT_THAT(refusal(text), HasSubstr("is unknown; give crop:PIXELS, flip, or both")) << text;
  for (const char* text : {"flip,flip", "crop:2,crop:2"})
    EXPECT_THAT(refusal(text), HasSubstr("is there twice")) << text;
}

TEST(Augment, TakesImagesAlone) {
  const auto says = [](const Augmentation& augmentation, const Dataset& data) -> std::string {
    try {
      require_images(augmentation, data);
    } catch (const InputError& error) {
      return error.what();
    }
    return "accepted";
  };
  Dataset sparse = pictures({12});
  sparse.values.clear();
  sparse.sparse.starts = {0, 0};
  EXPECT_THAT(says({.flip = true}, sparse), HasSubstr("has sparse rows"));
  EXPECT_THAT(says({.flip = true}, pictures({12})), HasSubstr("are 12 numbers without height and width"));
  EXPECT_EQ(says({}, pictures({12})), "accepted");
  EXPECT_EQ(says({.crop = 3}, pictures({3, 4, 7})), "accepted");
  EXPECT_THAT(says({.crop = 4}, pictures({3, 4, 7})), HasSubstr("--augment crop:4: images of 'pictures' are 3x4x7"));
  EXPECT_THAT(says({.crop = 5}, pictures({5, 8})), HasSubstr("give less than 5"));
}

}  // namespace
}  // namespace quantimed
