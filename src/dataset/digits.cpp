// SPDX-License-Identifier: BSD-3-Clause
// A digit is a few strokes on the unit square: polygons, or smooth curves through their points. Each sample picks one
// of its digit's ways of writing, moves every point a little, turns, stretches, slants and shifts the whole, draws it
// with a pen of its own width and softness, and adds noise to the pixels.
// The spreads below were chosen so that a linear model is visibly behind a small network, as on real handwriting.
#include "dataset/digits.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>

#include "base/random.hpp"
#include "dataset/digit_strokes.hpp"
#include "dataset/generated.hpp"

namespace quantimed {

namespace {

constexpr std::uint32_t kPixels = kDigitsSide * kDigitsSide;
constexpr double kPixelsPerUnit = 23.0;  // the unit square leaves a margin of 2.5 pixels

// Streams: sample i draws from node i, iteration 0; the order of the labels from iteration 1.
constexpr std::uint32_t kDraw = 0, kOrder = 1;

// Roughly normal, with mean 0 and variance 1; sums and products only, so no libm decides a bit.
double bell(Stream& random) {
  return (random.uniform() + random.uniform() + random.uniform() + random.uniform() - 2.0) * 1.7320508075688772;
}

// Unit square to pixels: pixel = centre + matrix · (point − ½).
struct Affine {
  double xx, xy, yx, yy, x0, y0;
  StrokePoint operator()(StrokePoint p) const {
    const double x = p.x - 0.5, y = p.y - 0.5;
    return {x0 + xx * x + xy * y, y0 + yx * x + yy * y};
  }
};

Affine random_affine(Stream& random) {
  const double angle = 0.16 * bell(random), shear = 0.18 * bell(random);
  const double width = kPixelsPerUnit * random.uniform(0.72, 1.08),
               height = kPixelsPerUnit * random.uniform(0.75, 1.05);
  const double c = std::cos(angle), s = std::sin(angle), centre = (kDigitsSide - 1) / 2.0;
  const double x0 = centre + 1.3 * bell(random), y0 = centre + 1.2 * bell(random);
  return {width * c, height * (shear * c - s), width * s, height * (shear * s + c), x0, y0};
}

// One image's squared distance to the nearest stroke, in pixels².
class DistanceField {
 public:
  explicit DistanceField(double reach) : reach_(reach) { squared_.fill(static_cast<float>(reach * reach)); }

  // Only pixels within `reach` of the segment are touched.
  void add_segment(StrokePoint a, StrokePoint b) {
    const auto first = [&](double low) { return std::max(0, static_cast<int>(std::floor(low - reach_))); };
    const auto last = [&](double high) {
      return std::min<int>(kDigitsSide - 1, static_cast<int>(std::ceil(high + reach_)));
    };
    const double dx = b.x - a.x, dy = b.y - a.y, length2 = std::max(dx * dx + dy * dy, 1e-12);
    for (int row = first(std::min(a.y, b.y)); row <= last(std::max(a.y, b.y)); ++row)
      for (int column = first(std::min(a.x, b.x)); column <= last(std::max(a.x, b.x)); ++column) {
        const double px = column - a.x, py = row - a.y;
        const double along = std::clamp((px * dx + py * dy) / length2, 0.0, 1.0);
        const double ex = px - along * dx, ey = py - along * dy;
        float& best = squared_[static_cast<std::size_t>(row) * kDigitsSide + static_cast<std::size_t>(column)];
        best = std::min(best, static_cast<float>(ex * ex + ey * ey));
      }
  }
  float distance(std::size_t pixel) const { return std::sqrt(squared_[pixel]); }

 private:
  double reach_;
  std::array<float, kPixels> squared_;
};

// Catmull–Rom: a smooth curve through all points, the first and last standing in for the missing neighbours.
StrokePoint on_curve(std::span<const StrokePoint> p, std::size_t k, double t) {
  const StrokePoint a = p[k == 0 ? 0 : k - 1], b = p[k], c = p[k + 1], d = p[std::min(k + 2, p.size() - 1)];
  const auto blend = [t](double pa, double pb, double pc, double pd) {
    return pb + 0.5 * t * (pc - pa + t * (2 * pa - 5 * pb + 4 * pc - pd + t * (3 * (pb - pc) + pd - pa)));
  };
  return {blend(a.x, b.x, c.x, d.x), blend(a.y, b.y, c.y, d.y)};
}

void add_stroke(const Stroke& stroke, const Affine& to_pixels, Stream& random, DistanceField& field) {
  constexpr double kJitter = 0.035;  // of the unit square, for each point
  constexpr int kPieces = 4;         // straight pieces between two points of a curve
  std::array<StrokePoint, kMostPoints> points{};
  const std::size_t count = stroke.points.size();
  for (std::size_t k = 0; k < count; ++k) {
    const double jx = kJitter * bell(random), jy = kJitter * bell(random);
    points[k] = to_pixels({stroke.points[k].x + jx, stroke.points[k].y + jy});
  }
  const std::span<const StrokePoint> path(points.data(), count);
  for (std::size_t k = 0; k + 1 < count; ++k) {
    if (!stroke.smooth) {
      field.add_segment(path[k], path[k + 1]);
      continue;
    }
    StrokePoint from = path[k];
    for (int piece = 1; piece <= kPieces; ++piece) {
      const StrokePoint to = on_curve(path, k, static_cast<double>(piece) / kPieces);
      field.add_segment(from, to);
      from = to;
    }
  }
}

// The four bytes of a word, summed and centred: mean 0, standard deviation 147.8.
int byte_noise(std::uint32_t word) {
  return static_cast<int>((word & 255) + (word >> 8 & 255) + (word >> 16 & 255) + (word >> 24)) - 510;
}

void draw_digit(std::uint32_t digit, Stream random, std::span<std::uint8_t> image) {
  const auto ways = ways_to_write(digit);
  const auto& strokes = ways[random.index(static_cast<std::uint32_t>(ways.size()))];
  const Affine to_pixels = random_affine(random);
  const double radius = random.uniform(0.55, 1.5), softness = random.uniform(0.8, 1.8);  // pixels; softness is the blur
  const double ink = random.uniform(170, 255), noise = random.uniform(6, 34);            // grey levels
  DistanceField field(radius + softness);
  for (const Stroke& stroke : strokes) add_stroke(stroke, to_pixels, random, field);
  for (std::size_t i = 0; i < kPixels; ++i) {
    const double covered = std::clamp(0.5 + (radius - field.distance(i)) / softness, 0.0, 1.0);
    const double level = ink * covered + noise / 147.8 * byte_noise(random());
    image[i] = static_cast<std::uint8_t>(std::clamp(std::lround(level), 0l, 255l));
  }
}

// Labels in equal numbers, shuffled, so that contiguous shards are mixed.
Dataset generate_part(std::uint64_t seed, std::uint32_t first, std::uint32_t samples) {
  Dataset data;
  data.name = "digits";
  data.samples = samples;
  data.features = kPixels;
  data.classes = 10;
  data.bytes.resize(std::size_t{samples} * kPixels);
  data.targets.resize(samples);
  for (std::uint32_t i = 0; i < samples; ++i) data.targets[i] = static_cast<float>(i % 10);
  Stream order({.seed = seed, .node = first, .iteration = kOrder, .purpose = Purpose::generated_data});
  for (std::uint32_t i = samples; i > 1; --i) std::swap(data.targets[i - 1], data.targets[order.index(i)]);
#pragma omp parallel for schedule(static)
  for (std::uint32_t i = 0; i < samples; ++i)
    draw_digit(static_cast<std::uint32_t>(data.targets[i]),
               Stream({.seed = seed, .node = first + i, .iteration = kDraw, .purpose = Purpose::generated_data}),
               std::span(data.bytes).subspan(std::size_t{i} * kPixels, kPixels));
  return data;
}

}  // namespace

DataSplit generate_digits(std::uint64_t seed) { return generate_digits({.name = "digits", .seed = seed}); }

DataSplit generate_digits(const DatasetRequest& request) {
  const GeneratedName name(request.name, "digits:100000");
  name.require_count(0, 1);
  const std::uint32_t train =
      name.count() > 0 ? name.whole(0, "samples", kFewestSamples, kMostGenerated) : kDigitsTrain;
  const std::uint32_t test = test_samples_of(train);
  require_room(request, (static_cast<double>(train) + test) * (kPixels + sizeof(float)));
  DataSplit split = {generate_part(request.seed, 0, train),
                     generate_part(request.seed, train, test),
                     {.format = "generated", .shape = {28, 28}, .test = "generated"}};
  split.train.name = split.test->name = request.name;
  return split;
}

}  // namespace quantimed
