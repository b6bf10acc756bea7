// SPDX-License-Identifier: BSD-3-Clause
#include "command/budget.hpp"

#include "algorithm/table.hpp"
#include "base/error.hpp"
#include "base/path_kind.hpp"
#include "command/outputs.hpp"
#include "command/setup.hpp"
#include "command/signals.hpp"
#include "command/spread.hpp"
#include "command/table_text.hpp"
#include "config/option_table.hpp"
#include "engine/engine.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cmath>
#include <fstream>

namespace quantimed {

namespace {

constexpr std::uint32_t kPilotIterations = 20;
constexpr Seconds kPilotTime = 0.5;  // on threads

// Keeps the clock alone.
class PaceWatcher final : public Watcher {
 public:
  bool observe(const Cut& cut) override {
    iteration = cut.iteration;
    time = cut.time;
    return true;
  }
  bool wants_to_stop() override { return signal_came(); }
  void progress(double) override {}
  void checkpoint(const RoundsSource&, std::optional<Checkpoint>) override {}
  bool checkpoint_due() override { return false; }

  double iteration = 0;
  Seconds time = 0;
};

// To three digits: a time that people can quote.
Seconds rounded(Seconds time) {
  const std::string text = fmt::format("{:.3g}", time);
  double value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

bool depends_on_horizon(const Config& resolved) {
  return resolved.horizon == 0 && (resolved.alpha + resolved.epsilon).find('T') != std::string::npos;
}

// What the pace depends on, as a name for it.
std::string key_of(Config c) {
  c.iterations = 1;
  c.max_time = kForever;
  c.output = c.tuned_by = "";
  c.seed = 0;
  std::uint64_t hash = 0xcbf29ce484222325;  // FNV-1a
  for (const unsigned char byte : to_ini(c)) hash = (hash ^ byte) * 0x100000001b3;
  return fmt::format("{:016x}", hash);
}

constexpr std::string_view kPacesHeader =
    "# paces measured by quantimed: key, seconds on the run's clock, seconds on the wall\n";

}  // namespace

Config with_one_budget(const Request& request) {
  Config c = request.config;
  if (!std::isfinite(c.max_time)) return c;
  const auto is_given = [&](const char* name) {
    return std::ranges::any_of(request.given, [&](const auto& option) { return option.first == name; });
  };
  const std::string max_time = get_option(*find_option("max-time"), c);
  const char* const where = is_given("max-time") ? "" : " of --config";
  if (c.budget == "iterations") {
    if (is_given("max-time") || !is_given("budget"))
      throw InputError(
          "--max-time {}{}: --budget iterations gives every algorithm the same iterations, and some would be cut by "
          "the time; leave one of them out, or give --budget time",
          max_time, where);
    c.max_time = kForever;
  } else if (is_given("iterations")) {
    throw InputError(
        "--iterations {}: --max-time {}{} is the time of every algorithm; leave one of them out (--max-time none), or "
        "give --budget iterations",
        c.iterations, max_time, where);
  }
  return c;
}

void refuse_equal_repeats(const Config& given) {
  if (given.engine == "virtual" && given.repeats > 1)
    throw InputError(
        "--repeats {}: in virtual time repeats are the same to the bit; give other seeds, or --engine threads",
        given.repeats);
}

Pace measure_pace(const Config& resolved, const DataSplit& data) {
  Config c = resolved;
  if (c.horizon == 0) c.horizon = c.iterations;  // the same steps; values do not matter, but must be numbers
  c.iterations = std::min(c.iterations, kPilotIterations);
  c.max_time = kForever;
  c.evaluations = 1;
  c.output = "";
  const bool is_virtual = c.engine == "virtual";
  if (!is_virtual) {
    c.max_time = kPilotTime;
    c.iterations = resolved.iterations;
  }
  const Setup setup(c, data);
  PaceWatcher watcher;
  const auto start = std::chrono::steady_clock::now();
  const Run run = setup.run();
  const Outcome outcome = run_by_engine(c, data, run, watcher);
  const Seconds wall = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  if (!outcome.failure.empty()) throw InputError("--algorithms {}: {}", c.algorithm, outcome.failure);
  if (!(watcher.iteration > 0) || !(watcher.time > 0)) return {};  // a signal, or a clock that charges nothing
  return {.clock = watcher.time / watcher.iteration, .wall = wall / watcher.iteration};
}

Paces::Paces(const std::string& folder, bool overwrite) : path_(folder + "/paces.txt"), has_more_(overwrite) {
  require_own_text(path_, kPacesHeader);
  if (overwrite) return;
  std::ifstream file(path_);
  for (std::string key; file >> key;) {
    Pace pace;
    if (file >> pace.clock >> pace.wall && pace.clock > 0) paces_[key] = pace;
    file.clear();
    file.ignore(1 << 10, '\n');
  }
}

Pace Paces::of(const Config& resolved, const DataSplit& data) {
  const std::string key = key_of(resolved);
  if (const auto kept = paces_.find(key); kept != paces_.end()) return kept->second;
  const Pace pace = measure_pace(resolved, data);
  if (!(pace.clock > 0)) return pace;
  has_more_ = true;
  return paces_[key] = pace;
}

void Paces::keep() {
  if (!has_more_ || paces_.empty()) return;
  std::string text(kPacesHeader);
  for (const auto& [key, pace] : paces_) text += fmt::format("{} {} {}\n", key, pace.clock, pace.wall);
  write_text(path_, text);
  has_more_ = false;
}

Budget plan_budget(const Config& given, const std::vector<Config>& algorithms, const DataSplit& data, Paces& paces,
                   std::optional<Seconds> kept_time) {
  Budget budget;
  if (given.budget != "time") return budget;
  budget.time = given.max_time;
  if (std::isfinite(budget.time) && std::none_of(algorithms.begin(), algorithms.end(), depends_on_horizon))
    return budget;
  Seconds shortest = kForever;
  for (const Config& algorithm : algorithms) {
    const Pace pace = paces.of(algorithm, data);
    if (!(pace.clock > 0) && !signal_came())
      throw InputError("--budget time: the clock charges {} nothing for an iteration; give --budget iterations",
                       algorithm.algorithm);
    budget.paces.push_back(pace);
    shortest = std::min(shortest, pace.clock);
  }
  if (!std::isfinite(budget.time)) budget.time = kept_time.value_or(rounded(given.iterations * shortest));
  return budget;
}

Config with_budget(Config config, const Budget& budget, std::size_t algorithm) {
  if (!std::isfinite(budget.time)) return config;
  if (!budget.paces.empty() && config.horizon == 0)
    config.horizon = static_cast<std::uint32_t>(
        std::clamp(std::round(budget.time / budget.paces[algorithm].clock), 1.0, double{kAsManyAsTimeAllows}));
  config.max_time = budget.time;
  config.iterations = kAsManyAsTimeAllows;
  return config;
}

}  // namespace quantimed
