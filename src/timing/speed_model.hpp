// SPDX-License-Identifier: BSD-3-Clause
// --speed: how many samples a second each node computes, in each iteration.
//
// A speed is a pure function of (seed, node, round): any thread may ask, in any order, and two algorithms that run
// with the same seed meet the same stragglers. A further kind is one class and one row of kSpeedKinds.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <memory>
#include <string>
#include <vector>

#include "base/types.hpp"

namespace quantimed {

// Seconds, speeds and bandwidths that a user may give, beside 0: sums and quotients of them stay far from the ends of a
// float, so no time in a trace is infinite.
inline constexpr double kLeastNumber = 1e-12, kMostNumber = 1e12;

class SpeedModel {
 public:
  virtual ~SpeedModel() = default;
  // V_i,t > 0, samples per second.
  virtual double speed(NodeId node, Round round) const = 0;
  // E[V], samples per second; T_d = b / E[V] gives a mean batch of b.
  virtual double mean() const = 0;
  // What no speed is above, samples per second; infinity where it is not known.
  virtual double fastest() const { return std::numeric_limits<double>::infinity(); }
};

// ⌊V · T_d⌋, the samples that are finished when the deadline passes; a whole product stays whole though it is not
// exact in binary (29/100 s at 100 samples a second). At most kMostSamples, however long the deadline.
inline std::size_t samples_within(double speed, Seconds deadline) {
  return static_cast<std::size_t>(
      std::min(std::floor(speed * deadline * (1 + 1e-12)), static_cast<double>(kMostSamples)));
}

// Gradients until deadlines that came before another one in the same iteration. The sample that one of them has begun
// is finished in the next: parts of T_d give as many samples as T_d at once.
struct EarlierParts {
  Seconds deadline = 0;
  std::size_t samples = 0;
};
inline std::size_t samples_within(double speed, const EarlierParts& earlier, Seconds deadline) {
  return samples_within(speed, earlier.deadline + deadline) - earlier.samples;
}

// One row a kind: how it is written, one line of help. make_speed_model has a maker for each, in this order.
struct SpeedKind {
  const char* syntax;
  const char* help;
};
inline constexpr SpeedKind kSpeedKinds[] = {
    {"uniform:LOW,HIGH", "V uniform between LOW and HIGH, drawn in each iteration (the paper: 10,90)"},
    {"constant:V", "every node V, always"},
    {"exponential:MEAN,SHIFT", "seconds a sample: SHIFT plus an exponential, MEAN in all"},
    {"pareto:FASTEST,SHAPE", "seconds a sample: Pareto, at least 1/FASTEST, tail index SHAPE"},
    {"bimodal:FAST,SLOW,P,KEEP", "SLOW with probability P, else FAST; the mode is kept with probability KEEP"},
    {"slow-nodes:COUNT,FACTOR,V", "nodes 0 to COUNT-1 run at V/FACTOR, the others at V"},
    {"file:PATH", "recorded: a line an iteration, a column a node; or the speeds of a trace (.h5)"},
    {"none", "the machine's own speed (threads only)"},
};

// Null for "none". Throws InputError that names --speed.
std::unique_ptr<SpeedModel> make_speed_model(const std::string& text, std::uint64_t seed);

// For people: "10 to 90 samples/s". `text` is one that make_speed_model takes.
std::string speed_in_words(const std::string& text);

// "KIND" or "KIND:NUMBER,NUMBER,…", taken apart; every number 0 or of a size between kLeastNumber and kMostNumber.
// `option` and `text` are for the error alone.
struct ModelSpec {
  std::string kind;
  std::vector<double> numbers;
};
ModelSpec parse_model_spec(const std::string& option, const std::string& text);

}  // namespace quantimed
