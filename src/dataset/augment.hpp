// SPDX-License-Identifier: BSD-3-Clause
// Random crop and flip: what a gradient sees of an image is moved a little and mirrored half of the time, anew for each
// sample that is drawn (He, Zhang, Ren, Sun, "Deep residual learning for image recognition", CVPR 2016, section 4.2).
// The data themselves, their fingerprint and every evaluation stay as they are.
#pragma once

#include <cstdint>
#include <string>

#include "base/random.hpp"
#include "dataset/dataset.hpp"

namespace quantimed {

// --augment crop:PIXELS,flip; either or both
struct Augmentation {
  std::uint32_t crop = 0;  // pixels that an image moves at most, in each direction; 0: it does not
  bool flip = false;
  bool is_none() const { return crop == 0 && !flip; }
};

// "" and "none": none. Throws InputError.
Augmentation parse_augmentation(const std::string& text);

// Throws InputError where these data are no images, or moved by as much as their side.
void require_images(const Augmentation& augmentation, const Dataset& data);

// What is done to one image: moved down and to the right (up and to the left where negative), then mirrored.
struct Move {
  std::int16_t down = 0, right = 0;  // pixels
  bool is_mirrored = false;
  bool operator==(const Move&) const = default;
};

// That of a sample, which is number `slot` of its gradient: the first words of block `slot` of the stream
// (seed, node, iteration, Purpose::augmentation, number of the gradient). So it does not depend on how a gradient was
// cut into chunks. Both shifts are uniform on −crop … crop, mirrored is every other one.
Move draw_move(const Augmentation& augmentation, const StreamKey& gradient, std::uint32_t slot);

// Of one image as Dataset::gather() gives it, in place. What moves in from outside is black: 0 before the data were
// normalised. image: [data.features]; data: that require_images() has passed
void move_image(const Dataset& data, const Move& move, float* image);

}  // namespace quantimed
