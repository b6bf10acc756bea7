// SPDX-License-Identifier: BSD-3-Clause
// --alpha as a schedule:
//   schedule := [warm-up mark ,] step {until mark , step}      warm-up 5%, 0.1 until 50%, 0.01 until 75%, 0.001
//   mark     := NUMBER % | NUMBER epochs | NUMBER              of T, of a node's passes over its samples, iterations
#include <charconv>
#include <cmath>
#include <optional>
#include <string_view>

#include "base/error.hpp"
#include "config/config.hpp"
#include "config/item_text.hpp"

namespace quantimed {

namespace {

constexpr std::string_view kWarmUp = "warm-up", kUntil = " until ";

class ScheduleReader {
 public:
  ScheduleReader(const std::string& option, const std::string& text, std::uint32_t horizon, double epoch)
      : option_(option), text_(text), horizon_(horizon), epoch_(epoch) {}

  AlphaSchedule read() {
    AlphaSchedule schedule;
    bool is_open = true;  // a step is still to come
    for (std::size_t begin = 0; begin <= text_.size();) {
      const std::size_t end = std::min(text_.find(',', begin), text_.size());
      const std::string part = trimmed(text_.substr(begin, end - begin));
      if (begin == 0 && part.starts_with(kWarmUp))
        schedule.warm_up = mark(part.substr(kWarmUp.size()));
      else
        is_open = add_piece(schedule, part, is_open);
      begin = end + 1;
    }
    if (is_open) refuse("a step has to follow");
    return schedule;
  }

 private:
  [[noreturn]] void refuse(const std::string& what) const {
    throw InputError(
        "{} {}: {}; give steps as in 0.1 until 50%, 0.01 until 75%, 0.001, with marks of ascending shares, iterations "
        "(until 200) or epochs (until 3 epochs), and warm-up 5% before them where wanted",
        option_, text_, what);
  }

  // Whether another one has to follow.
  bool add_piece(AlphaSchedule& schedule, const std::string& part, bool is_open) {
    if (!is_open) refuse(fmt::format("\"{}\" follows a step without a mark", part));
    const std::size_t at = part.find(kUntil);
    const std::string step = trimmed(part.substr(0, at));
    AlphaSchedule::Piece piece{.until = ~Round{0}, .alpha = static_cast<Real>(step_size(option_, step, horizon_))};
    if (!(piece.alpha > 0) || !std::isfinite(piece.alpha)) refuse(fmt::format("\"{}\" is no float32 above 0", step));
    if (at != std::string::npos) piece.until = mark(part.substr(at + kUntil.size()));
    if (epoch_ > 0 && !schedule.pieces.empty() && piece.until < schedule.pieces.back().until)
      refuse(fmt::format("\"{}\" ends before the step before it", part));
    schedule.pieces.push_back(piece);
    return at != std::string::npos;
  }

  Round mark(const std::string& given) const {
    const std::string text = trimmed(given);
    double value = 0;
    const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), value);
    const std::string unit = trimmed(std::string(end, text.data() + text.size()));
    double iterations = value;
    if (failure != std::errc{} || !std::isfinite(value) || value <= 0) refuse(fmt::format("\"{}\" is no mark", text));
    if (unit == "%") {
      if (value > 100) refuse(fmt::format("\"{}\" is beyond 100%", text));
      iterations = value / 100 * horizon_;
    } else if (unit == "epochs" || unit == "epoch") {
      iterations = value * (epoch_ > 0 ? epoch_ : 1);
    } else if (!unit.empty() || value != std::floor(value)) {
      refuse(fmt::format("\"{}\" is no mark", text));
    }
    constexpr double kMost = 4e9;
    return static_cast<Round>(std::min(kMost, std::round(iterations)));
  }

  const std::string& option_;
  const std::string& text_;
  std::uint32_t horizon_;
  double epoch_;
};

}  // namespace

bool is_schedule(const std::string& step) {
  return step.find(kUntil) != std::string::npos || step.starts_with(kWarmUp);
}

bool counts_epochs(const std::string& step) { return is_schedule(step) && step.find("epoch") != std::string::npos; }

bool is_unfinished_schedule(const std::string& step) {
  const std::size_t comma = step.rfind(',');
  const std::string last = trimmed(comma == std::string::npos ? step : step.substr(comma + 1));
  return last.starts_with(kWarmUp) || last.find(kUntil) != std::string::npos;
}

AlphaSchedule alpha_schedule(const std::string& option, const std::string& text, std::uint32_t horizon, double epoch) {
  if (!is_schedule(text)) {
    (void)step_size(option, text, horizon);
    return {};
  }
  return ScheduleReader(option, text, horizon, epoch).read();
}

}  // namespace quantimed
