// SPDX-License-Identifier: BSD-3-Clause
#include "timing/speed_model.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <filesystem>
#include <iterator>
#include <string_view>

#include "base/error.hpp"
#include "base/random.hpp"
#include "timing/link_model.hpp"
#include "timing/recorded_speed.hpp"

namespace quantimed {

namespace {

Stream speed_stream(std::uint64_t seed, NodeId node, Round round) {
  return Stream({.seed = seed, .node = node, .iteration = round, .purpose = Purpose::speed});
}

// The fix of every error of one kind: "give uniform:LOW,HIGH with …".
void require(bool condition, const std::string& text, const char* fix) {
  if (!condition) throw InputError("--speed {}: {}", text, fix);
}

class ConstantSpeed final : public SpeedModel {
 public:
  explicit ConstantSpeed(double v) : v_(v) {}
  double speed(NodeId, Round) const override { return v_; }
  double mean() const override { return v_; }
  double fastest() const override { return v_; }

 private:
  double v_;
};

class UniformSpeed final : public SpeedModel {
 public:
  UniformSpeed(double low, double high, std::uint64_t seed) : low_(low), high_(high), seed_(seed) {}
  double speed(NodeId node, Round round) const override {
    return speed_stream(seed_, node, round).uniform(low_, high_);
  }
  double mean() const override { return low_ + (high_ - low_) / 2; }
  double fastest() const override { return high_; }

 private:
  double low_, high_;
  std::uint64_t seed_;
};

// x e^x E1(x): what E[1/(s + X)] needs for an exponential X. From x = 50 the asymptotic series Σ (−1)^k k!/x^k, whose
// twelfth term is below 1e-11: e^x overflows, and libstdc++'s expint keeps only the first term from x = 100.
double scaled_exponential_integral(double x) {
  if (x < 50) return x * std::exp(x) * -std::expint(-x);
  double sum = 1, term = 1;
  for (int k = 1; k <= 12; ++k) sum += term *= -k / x;
  return sum;
}

// The shifted exponential of the straggler literature: the time of a sample is shift + X, X exponential.
class ExponentialSpeed final : public SpeedModel {
 public:
  ExponentialSpeed(double mean_time, double shift, std::uint64_t seed)
      : shift_(shift), tail_(mean_time - shift), seed_(seed) {}
  double speed(NodeId node, Round round) const override {
    // −log(1 − u), u in [0, 1): exponential with mean 1, always finite.
    return 1 / (shift_ - tail_ * std::log1p(-speed_stream(seed_, node, round).uniform()));
  }
  // E[1/(s + X)] = (1/s) · (s/τ) e^(s/τ) E1(s/τ), τ = E[X].
  double mean() const override { return scaled_exponential_integral(shift_ / tail_) / shift_; }
  double fastest() const override { return 1 / shift_; }

 private:
  double shift_, tail_;  // s a sample
  std::uint64_t seed_;
};

// Time of a sample ≥ 1/fastest with P(time > y) = (fastest · y)^−shape, so V = fastest · u^(1/shape).
class ParetoSpeed final : public SpeedModel {
 public:
  ParetoSpeed(double fastest, double shape, std::uint64_t seed) : fastest_(fastest), shape_(shape), seed_(seed) {}
  double speed(NodeId node, Round round) const override {
    return fastest_ * std::pow(1 - speed_stream(seed_, node, round).uniform(), 1 / shape_);
  }
  double mean() const override { return fastest_ * shape_ / (shape_ + 1); }
  double fastest() const override { return fastest_; }

 private:
  double fastest_, shape_;
  std::uint64_t seed_;
};

// A two-state Markov chain whose state is drawn anew with probability 1 − keep. It needs no history: the state at t
// was drawn at the newest renewal at or before t, and whether a round is a renewal is that round's own draw.
class BimodalSpeed final : public SpeedModel {
 public:
  BimodalSpeed(double fast, double slow, double p, double keep, std::uint64_t seed)
      : fast_(fast), slow_(slow), p_(p), keep_(keep), seed_(seed) {}
  double speed(NodeId node, Round round) const override {
    if (keep_ >= 1) round = 0;
    for (;; --round) {
      Stream stream = speed_stream(seed_, node, round);
      const bool is_renewal = stream.uniform() >= keep_ || round == 0;
      if (is_renewal) return stream.uniform() < p_ ? slow_ : fast_;
    }
  }
  double mean() const override { return p_ * slow_ + (1 - p_) * fast_; }
  double fastest() const override { return fast_; }

 private:
  double fast_, slow_, p_, keep_;
  std::uint64_t seed_;
};

// mean() is an ordinary node's: the deadline is set for them, and the slow ones fall short of it.
class SlowNodesSpeed final : public SpeedModel {
 public:
  SlowNodesSpeed(double count, double factor, double v) : count_(count), factor_(factor), v_(v) {}
  double speed(NodeId node, Round) const override { return node < count_ ? v_ / factor_ : v_; }
  double mean() const override { return v_; }
  double fastest() const override { return v_; }

 private:
  double count_, factor_, v_;
};

using Numbers = std::vector<double>;
using Model = std::unique_ptr<SpeedModel>;

Model make_uniform(const std::string& text, const Numbers& n, std::uint64_t seed) {
  require(n.size() == 2 && 0 < n[0] && n[0] <= n[1], text,
          "give uniform:LOW,HIGH in samples per second, 0 < LOW <= HIGH");
  return std::make_unique<UniformSpeed>(n[0], n[1], seed);
}

Model make_constant(const std::string& text, const Numbers& n, std::uint64_t) {
  require(n.size() == 1 && n[0] > 0, text, "give constant:V in samples per second, V > 0");
  return std::make_unique<ConstantSpeed>(n[0]);
}

Model make_exponential(const std::string& text, const Numbers& n, std::uint64_t seed) {
  require(n.size() == 2 && 0 < n[1] && n[1] < n[0], text,
          "give exponential:MEAN,SHIFT in seconds a sample, 0 < SHIFT < MEAN");
  return std::make_unique<ExponentialSpeed>(n[0], n[1], seed);
}

Model make_pareto(const std::string& text, const Numbers& n, std::uint64_t seed) {
  // Below 0.1 the smallest draws underflow to a speed of 0.
  require(n.size() == 2 && n[0] > 0 && n[1] >= 0.1, text,
          "give pareto:FASTEST,SHAPE, FASTEST > 0 in samples per second, SHAPE >= 0.1");
  return std::make_unique<ParetoSpeed>(n[0], n[1], seed);
}

Model make_bimodal(const std::string& text, const Numbers& n, std::uint64_t seed) {
  // The walk back to the newest renewal takes 1 / (1 − KEEP) steps on average: hence the gap below 1.
  require(
      n.size() == 4 && 0 < n[1] && n[1] <= n[0] && 0 <= n[2] && n[2] <= 1 && 0 <= n[3] && (n[3] <= 0.999 || n[3] == 1),
      text,
      "give bimodal:FAST,SLOW,P,KEEP, 0 < SLOW <= FAST in samples per second, P in [0, 1], KEEP in [0, 0.999] or 1");
  return std::make_unique<BimodalSpeed>(n[0], n[1], n[2], n[3], seed);
}

Model make_slow_nodes(const std::string& text, const Numbers& n, std::uint64_t) {
  require(n.size() == 3 && n[0] >= 0 && n[0] == std::floor(n[0]) && n[1] >= 1 && n[2] > 0, text,
          "give slow-nodes:COUNT,FACTOR,V, COUNT whole, FACTOR >= 1, V > 0 in samples per second");
  return std::make_unique<SlowNodesSpeed>(n[0], n[1], n[2]);
}

// PATH is not made of numbers, and may hold colons and commas.
constexpr std::string_view kFile = "file:";

Model make_file(const std::string& text, std::uint32_t nodes) {
  require(text.size() > kFile.size(), text, "give file:PATH, a text file of speeds or a trace (.h5)");
  return read_recorded_speed("--speed " + text, text.substr(kFile.size()), nodes);
}

Model make_none(const std::string& text, const Numbers& n, std::uint64_t) {
  require(n.empty(), text, "give none, without numbers");
  return nullptr;
}

constexpr Model (*kMakers[])(const std::string&, const Numbers&, std::uint64_t) = {
    make_uniform,
    make_constant,
    make_exponential,
    make_pareto,
    make_bimodal,
    make_slow_nodes,
    nullptr /* file: it needs to know the nodes */,
    make_none};
static_assert(std::size(kMakers) == std::size(kSpeedKinds));

}  // namespace

ModelSpec parse_model_spec(const std::string& option, const std::string& text) {
  const std::size_t colon = text.find(':');
  ModelSpec spec{.kind = text.substr(0, colon), .numbers = {}};
  if (colon == std::string::npos) return spec;
  for (std::size_t begin = colon + 1;;) {
    const std::size_t end = std::min(text.find(',', begin), text.size());
    double value = 0;
    const auto [stop, failure] = std::from_chars(text.data() + begin, text.data() + end, value);
    if (failure != std::errc{} || stop != text.data() + end || !std::isfinite(value))
      throw InputError("{} {}: \"{}\" is not a number; write it like {}:1.5", option, text,
                       text.substr(begin, end - begin), spec.kind);
    if (value != 0 && !(std::abs(value) >= kLeastNumber && std::abs(value) <= kMostNumber))
      throw InputError("{} {}: \"{}\" is out of range; give 0, or {} to {}", option, text,
                       text.substr(begin, end - begin), kLeastNumber, kMostNumber);
    spec.numbers.push_back(value);
    if (end == text.size()) return spec;
    begin = end + 1;
  }
}

std::unique_ptr<SpeedModel> make_speed_model(const std::string& text, std::uint64_t seed) {
  return make_speed_model(text, seed, 0);
}

std::unique_ptr<SpeedModel> make_speed_model(const std::string& text, std::uint64_t seed, std::uint32_t nodes) {
  const ModelSpec spec =
      text.starts_with(kFile) ? ModelSpec{.kind = "file", .numbers = {}} : parse_model_spec("--speed", text);
  std::string known;
  for (std::size_t k = 0; k < std::size(kSpeedKinds); ++k) {
    const std::string_view syntax = kSpeedKinds[k].syntax;
    if (spec.kind == syntax.substr(0, syntax.find(':')))
      return kMakers[k] ? kMakers[k](text, spec.numbers, seed) : make_file(text, nodes);
    known += (known.empty() ? "" : ", ") + std::string(syntax);
  }
  throw InputError("--speed {}: not known; give one of {}", text, known);
}

// As in analysis/quantimed_report/words.py.
std::string speed_in_words(const std::string& text) {
  if (text.starts_with(kFile))
    return "recorded in " + std::filesystem::path(text.substr(kFile.size())).filename().string();
  const auto [kind, v] = parse_model_spec("--speed", text);
  if (kind == "uniform") return fmt::format("{:g} to {:g} samples/s", v[0], v[1]);
  if (kind == "constant") return fmt::format("{:g} samples/s", v[0]);
  if (kind == "exponential")
    return fmt::format("{} a sample in the mean, exponential above {}", with_unit(v[0]), with_unit(v[1]));
  if (kind == "pareto") return fmt::format("at most {:g} samples/s, Pareto with tail index {:g}", v[0], v[1]);
  if (kind == "bimodal")
    return fmt::format("{:g} samples/s, or {:g} with probability {:g} (kept with {:g})", v[0], v[1], v[2], v[3]);
  if (kind == "slow-nodes")
    return fmt::format("{:g} samples/s, {:g} node{} {:g} times as slow", v[2], v[0], v[0] == 1 ? "" : "s", v[1]);
  return "the machine's own";
}

}  // namespace quantimed
