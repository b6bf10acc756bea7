// SPDX-License-Identifier: BSD-3-Clause
#include "dataset/augment.hpp"

#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <string_view>

#include "base/error.hpp"

namespace quantimed {

Augmentation parse_augmentation(const std::string& text) {
  constexpr std::uint32_t kMostPixels = std::numeric_limits<std::int16_t>::max();
  Augmentation result;
  if (text.empty() || text == "none") return result;
  std::string_view rest = text;
  for (bool more = true; more;) {
    const std::size_t comma = rest.find(',');
    const std::string_view word = rest.substr(0, comma);
    more = comma != std::string_view::npos;
    if (more) rest.remove_prefix(comma + 1);
    constexpr std::string_view kCrop = "crop:";
    if (word == "flip" && !result.flip) {
      result.flip = true;
    } else if (word.starts_with(kCrop) && result.crop == 0) {
      const std::string_view pixels = word.substr(kCrop.size());
      const auto [end, error] = std::from_chars(pixels.data(), pixels.data() + pixels.size(), result.crop);
      if (error != std::errc{} || end != pixels.data() + pixels.size() || result.crop < 1 || result.crop > kMostPixels)
        throw InputError("--augment {}: '{}' moves by no number of pixels; give a whole number from 1, as in crop:4",
                         text, word);
    } else {
      throw InputError("--augment {}: '{}' is {}; give crop:PIXELS, flip, or both, as in crop:4,flip", text, word,
                       word == "flip" || word.starts_with(kCrop) ? "there twice" : "unknown");
    }
  }
  return result;
}

namespace {

struct ImageSize {
  std::size_t channels, height, width;
};

ImageSize size_of(const Dataset& data) {
  const std::vector<std::uint32_t>& s = data.shape;
  return s.size() == 3 ? ImageSize{s[0], s[1], s[2]} : ImageSize{1, s[0], s[1]};
}

}  // namespace

void require_images(const Augmentation& augmentation, const Dataset& data) {
  if (augmentation.is_none()) return;
  if (data.is_sparse())
    throw InputError("--augment: takes images, and '{}' has sparse rows; leave --augment out", data.name);
  if (data.shape.size() != 2 && data.shape.size() != 3)
    throw InputError(
        "--augment: takes images, and samples of '{}' are {} numbers without height and width; leave "
        "--augment out",
        data.name, data.features);
  const auto [channels, height, width] = size_of(data);
  check(channels * height * width == data.features, "an image of another number of features");
  if (augmentation.crop >= std::min(height, width))
    throw InputError("--augment crop:{}: images of '{}' are {} pixels, and would move out of sight; give less than {}",
                     augmentation.crop, data.name, fmt::join(data.shape, "x"), std::min(height, width));
}

Move draw_move(const Augmentation& augmentation, const StreamKey& gradient, std::uint32_t slot) {
  const auto words = random_block(gradient, slot);
  const std::uint64_t places = 2 * std::uint64_t{augmentation.crop} + 1;
  const auto shift = [&](std::uint32_t word) {
    return static_cast<std::int16_t>(static_cast<std::int64_t>((word * places) >> 32) -
                                     std::int64_t{augmentation.crop});
  };
  return {.down = shift(words[0]), .right = shift(words[1]), .is_mirrored = augmentation.flip && (words[2] >> 31) != 0};
}

namespace {

// Rows are taken in the order in which none is written over that is still to be read.
void move_plane(std::ptrdiff_t height, std::ptrdiff_t width, const Move& move, float black, float* plane) {
  const std::ptrdiff_t down = move.down, right = move.right, kept = width - std::abs(right);
  for (std::ptrdiff_t k = 0; k < height; ++k) {
    const std::ptrdiff_t r = down > 0 ? height - 1 - k : k, from = r - down;
    float* const row = plane + r * width;
    if (from < 0 || from >= height) {
      std::fill_n(row, width, black);
      continue;
    }
    if (down != 0 || right != 0)
      std::memmove(row + std::max<std::ptrdiff_t>(0, right), plane + from * width + std::max<std::ptrdiff_t>(0, -right),
                   static_cast<std::size_t>(kept) * sizeof(float));
    std::fill_n(right > 0 ? row : row + kept, std::abs(right), black);
    if (move.is_mirrored) std::reverse(row, row + width);
  }
}

}  // namespace

void move_image(const Dataset& data, const Move& move, float* image) {
  if (move == Move{}) return;
  const auto [channels, height, width] = size_of(data);
  check(std::abs(move.right) < static_cast<int>(width), "an image moved by its width");
  for (std::size_t c = 0; c < channels; ++c) {
    // Normalised, each channel has a shift of its own, or all have one.
    const float black = data.shift.empty() ? 0.0f : data.shift[data.shift.size() == channels ? c : 0];
    move_plane(static_cast<std::ptrdiff_t>(height), static_cast<std::ptrdiff_t>(width), move, black,
               image + c * height * width);
  }
}

}  // namespace quantimed
