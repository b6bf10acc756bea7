// SPDX-License-Identifier: BSD-3-Clause
// The little language of options that have a value for each algorithm, --alpha and --epsilon and those like --gamma:
//   steps  := [NAME [@ LOSS] =] step {, [NAME [@ LOSS] =] step}
//   step   := NUMBER | power | NUMBER * power | NUMBER / power
//   power  := T | T^NUMBER | T^(NUMBER) | T^(NUMBER/NUMBER)
// Of --alpha a step may be a schedule, which has commas of its own (alpha_schedule.cpp).
// Of --gamma and its like a value is a plain number, and is for all targets.
#include "config/steps.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <functional>
#include <optional>
#include <set>
#include <string_view>

#include <fmt/ranges.h>

#include "algorithm/table.hpp"
#include "base/error.hpp"
#include "codec/codec.hpp"
#include "config/config.hpp"
#include "config/item_text.hpp"
#include "config/nearest.hpp"

namespace quantimed {

namespace {

constexpr const char* kForms =
    "a number above 0 or one with a power of the horizon: 0.2, 0.3*T^(-1/6), 15*T^-0.5, 15/T^(1/2)";

// Reads from the front; a rule that does not match leaves nullopt, and the whole text is refused.
class StepReader {
 public:
  StepReader(std::string_view text, double horizon) : rest_(text), horizon_(horizon) {}

  std::optional<double> step() {
    std::optional<double> value = 1;
    bool divides = false;
    if (!starts('T')) {
      value = number();
      if (!value || rest_.empty()) return value;
      divides = take('/');
      if (!divides && !take('*')) return std::nullopt;
    }
    const std::optional<double> factor = power();
    if (!factor || !rest_.empty()) return std::nullopt;
    return divides ? *value / *factor : *value * *factor;
  }

 private:
  std::optional<double> power() {
    if (!take('T')) return std::nullopt;
    if (!take('^')) return horizon_;
    const bool in_parentheses = take('(');
    std::optional<double> exponent = number();
    if (in_parentheses && exponent && take('/')) {
      const std::optional<double> divisor = number();
      if (!divisor || *divisor == 0) return std::nullopt;
      *exponent /= *divisor;
    }
    if (!exponent || (in_parentheses && !take(')'))) return std::nullopt;
    return std::pow(horizon_, *exponent);
  }
  std::optional<double> number() {
    skip_spaces();
    double value = 0;
    const auto [stop, failure] = std::from_chars(rest_.data(), rest_.data() + rest_.size(), value);
    if (failure != std::errc{}) return std::nullopt;
    rest_.remove_prefix(static_cast<std::size_t>(stop - rest_.data()));
    skip_spaces();
    return value;
  }
  bool starts(char c) {
    skip_spaces();
    return rest_.starts_with(c);
  }
  bool take(char c) {
    if (!starts(c)) return false;
    rest_.remove_prefix(1);
    skip_spaces();
    return true;
  }
  void skip_spaces() {
    while (rest_.starts_with(' ')) rest_.remove_prefix(1);
  }

  std::string_view rest_;
  double horizon_;
};

struct NamedStep {
  bool is_named = false;  // else for all that are not named
  std::string name = {};
  bool has_target = false;  // else for all targets
  std::string target = {};  // as written
  std::string step;
};

// Not above 0: no target loss.
double target_of(const std::string& text) {
  double value = 0;
  const auto [stop, failure] = std::from_chars(text.data(), text.data() + text.size(), value);
  return failure == std::errc{} && stop == text.data() + text.size() && std::isfinite(value) ? value : 0;
}

std::vector<NamedStep> split_steps(const std::string& text) {
  std::vector<NamedStep> steps;
  if (text.empty()) return steps;
  for (std::size_t begin = 0; begin <= text.size();) {
    const std::size_t end = std::min(text.find(',', begin), text.size());
    const std::string part = text.substr(begin, end - begin);
    const std::size_t equals = part.find('=');
    if (equals == std::string::npos && !steps.empty() && is_unfinished_schedule(steps.back().step)) {
      steps.back().step += ", " + trimmed(part);
    } else if (equals == std::string::npos) {
      steps.push_back({.step = trimmed(part)});
    } else {
      const std::string name = part.substr(0, equals);
      const std::size_t at = std::min(name.find('@'), name.size());
      steps.push_back({.is_named = true,
                       .name = trimmed(name.substr(0, at)),
                       .has_target = at < name.size(),
                       .target = at < name.size() ? name.substr(at + 1) : "",
                       .step = trimmed(part.substr(equals + 1))});
    }
    begin = end + 1;
  }
  return steps;
}

}  // namespace

double step_size(const std::string& option, const std::string& text, std::uint32_t horizon) {
  const std::optional<double> value = StepReader(text, horizon).step();
  if (!value) throw InputError("{} {}: not a step size; give {}", option, text, kForms);
  if (!std::isfinite(*value) || *value <= 0)
    throw InputError("{} {}: is {} at T = {}; give {}", option, text, *value, horizon, kForms);
  return *value;
}

std::string for_algorithm(const std::string& text, const std::string& algorithm, double target) {
  std::string named, otherwise;
  for (const NamedStep& entry : split_steps(text)) {
    if (!entry.is_named) otherwise = entry.step;
    if (!entry.is_named || entry.name != algorithm) continue;
    if (entry.target.empty())
      named = entry.step;
    else if (target > 0 && target_of(entry.target) == target)
      return entry.step;
  }
  return named.empty() ? otherwise : named;
}

std::vector<double> step_targets(const std::string& text, const std::string& algorithm) {
  std::vector<double> targets;
  for (const NamedStep& entry : split_steps(text))
    if (entry.name == algorithm && !entry.target.empty()) targets.push_back(target_of(entry.target));
  return targets;
}

namespace {

// Every name is an algorithm's, once; `check` looks at what it has.
void check_entries(const std::string& option, const std::string& text, const std::vector<NamedStep>& entries,
                   const char* several, const std::function<void(const NamedStep&)>& check) {
  std::vector<std::string> known;
  for (const AlgorithmRow& row : algorithm_table()) known.emplace_back(row.name);
  const std::set<std::string> names(known.begin(), known.end());
  std::set<std::pair<std::string, double>> seen;  // 0: for all targets
  for (const NamedStep& entry : entries) {
    if (entry.is_named && !names.contains(entry.name))
      throw InputError("{} {}: no algorithm is called \"{}\"{}", option, text, entry.name,
                       did_you_mean(entry.name, known));
    check(entry);
    if (!seen.insert({entry.name, target_of(entry.target)}).second)
      throw InputError("{} {}: two {} for {}{}{}; give one", option, text, several,
                       entry.name.empty() ? "all" : entry.name, entry.target.empty() ? "" : " at ", entry.target);
  }
}

void refuse_target(const std::string& option, const std::string& text, const NamedStep& entry) {
  if (entry.has_target)
    throw InputError("{} {}: only --alpha and --epsilon have values for one target; give {}={}", option, text,
                     entry.name, entry.step);
}

bool is_in_range(const ParameterRow& row, double value) {
  return (row.has_least ? value >= row.least : value > row.least) &&
         (row.has_most ? value <= row.most : value < row.most);
}

}  // namespace

void check_steps(const std::string& option, const std::string& text) {
  const std::vector<NamedStep> steps = split_steps(text);
  check_entries(option, text, steps, "steps", [&](const NamedStep& entry) {
    if (entry.has_target && !(target_of(entry.target) > 0))
      throw InputError("{} {}: \"{}\" is not a target loss; give a number above 0, {}@1.9={}", option, text,
                       entry.target, entry.name, entry.step);
    if (is_schedule(entry.step)) {
      if (option != "--alpha")
        throw InputError("{} {}: only --alpha has steps that change; give {}", option, text, kForms);
      (void)alpha_schedule(option, entry.step, 1);
      return;
    }
    // At T = 1 a power is 1: what is refused here is refused at every horizon.
    const std::optional<double> value = StepReader(entry.step, 1).step();
    if (!value || !std::isfinite(*value) || *value <= 0)
      throw InputError("{} {}: \"{}\" is not a step size; give {}", option, text, entry.step, kForms);
  });
  const auto is_for_all_targets = [&](const NamedStep& one, const std::string& name) {
    return one.target.empty() && (!one.is_named || one.name == name);
  };
  for (const NamedStep& entry : steps)
    if (!entry.target.empty() &&
        std::ranges::none_of(steps, [&](const NamedStep& one) { return is_for_all_targets(one, entry.name); }))
      throw InputError("{} {}: {} has a step for one target alone; give the one for all others, {}=STEP, too", option,
                       text, entry.name, entry.name);
}

std::string range_text(const ParameterRow& row) {
  if (row.is_whole) return fmt::format("a whole number from {:.0f} to {:.0f}", row.least, row.most);
  return fmt::format("{}a number {} {} and {} {}", row.word ? fmt::format("{}, or ", row.word) : "",
                     row.has_least ? "of at least" : "above", row.least, row.has_most ? "at most" : "below", row.most);
}

double parameter_value(const ParameterRow& row, const std::string& text, const std::string& item) {
  const auto refuse = [&](const char* what) {
    return InputError("--{} {}: {}{}; give {}", row.option, text, quoted_item(text, item), what, range_text(row));
  };
  if (row.word && item == row.word) return row.word_is;
  double value = 0;
  const auto [stop, failure] = std::from_chars(item.data(), item.data() + item.size(), value);
  if (failure == std::errc::invalid_argument || stop != item.data() + item.size() || std::isnan(value))
    throw refuse("not a number");
  if (failure != std::errc{} || !is_in_range(row, value)) throw refuse("out of range");
  if (row.is_whole && value != std::floor(value)) throw refuse("not a whole number");
  // Options keeps floats: 1 - 1e-9 would be 1, and 1e-60 would be 0.
  Options kept;
  row.set(kept, value);
  if (!is_in_range(row, row.get(kept))) throw refuse("out of range once it is rounded to single precision");
  return value;
}

std::vector<SearchedRange> searched_ranges(const std::string& text) {
  std::vector<SearchedRange> found;
  for (const NamedStep& entry : split_steps(text)) {
    const auto row =
        std::ranges::find_if(parameter_table(), [&](const ParameterRow& r) { return r.option == entry.name; });
    const std::size_t colon = entry.step.find(':');
    if (!entry.is_named || entry.has_target || row == parameter_table().end() || colon == std::string::npos)
      throw InputError("--search {}: give NAME=LEAST:MOST for each parameter, momentum=0.5:0.99,local-steps=2:32",
                       text);
    if (row->parameter == Parameter::gamma)
      throw InputError("--search {}: gamma is looked for anyway, in --epsilon-range; leave it out", text);
    if (std::ranges::any_of(found, [&](const SearchedRange& r) { return r.parameter == row->parameter; }))
      throw InputError("--search {}: two ranges of {}; give one", text, entry.name);
    const auto end = [&](const std::string& item) {
      const double value = parameter_value(*row, text, item);
      if (row->word && item == row->word)
        throw InputError("--search {}: {} is no end of a range; give numbers", text, item);
      return value;
    };
    found.push_back({row->parameter, end(entry.step.substr(0, colon)), end(entry.step.substr(colon + 1))});
    if (!(found.back().least < found.back().most))
      throw InputError("--search {}: {} has no values between {}; give LEAST:MOST", text, entry.name, entry.step);
  }
  return found;
}

bool names_others_alone(const std::string& text, std::span<const std::string> chosen) {
  const std::vector<NamedStep> entries = split_steps(text);
  const auto is_other = [&](const NamedStep& entry) {
    return entry.is_named && std::ranges::find(chosen, entry.name) == chosen.end();
  };
  return !entries.empty() && std::ranges::all_of(entries, is_other);
}

std::vector<std::string> algorithms_with(Parameter parameter) {
  std::vector<std::string> names;
  for (const AlgorithmRow& row : algorithm_table())
    if (std::ranges::any_of(row.parameters, [&](const ParameterUse& use) { return use.parameter == parameter; }))
      names.emplace_back(row.name);
  return names;
}

void check_parameter(const ParameterRow& row, const std::string& text) {
  const std::string option = fmt::format("--{}", row.option);
  const std::vector<std::string> having = algorithms_with(row.parameter);
  check_entries(option, text, split_steps(text), "values", [&](const NamedStep& entry) {
    if (entry.is_named && std::ranges::find(having, entry.name) == having.end())
      throw InputError(
          "{} {}: {} has no {}; {}", option, text, entry.name, row.option,
          having.empty() ? "no algorithm has" : fmt::format("those that have: {}", fmt::join(having, ", ")));
    refuse_target(option, text, entry);
    (void)parameter_value(row, text, entry.step);
  });
}

void check_gradient(const std::string& text) {
  check_entries("--gradient", text, split_steps(text), "values", [&](const NamedStep& entry) {
    refuse_target("--gradient", text, entry);
    if (entry.step != "batch" && entry.step != "deadline")
      throw InputError("--gradient {}: {}not known; give batch, deadline, or one for each algorithm, dsgd=deadline",
                       text, quoted_item(text, entry.step));
  });
}

namespace {

// A code may hold a comma, modulo:1e-3,8: what follows it is another entry only where it names an algorithm.
std::vector<NamedStep> split_codes(const std::string& text) {
  std::vector<NamedStep> codes;
  for (NamedStep& part : split_steps(text)) {
    if (part.is_named || codes.empty())
      codes.push_back(std::move(part));
    else
      codes.back().step += "," + part.step;
  }
  return codes;
}

}  // namespace

void check_codes(const std::string& text) {
  if (text.empty()) (void)make_codec(text);  // refuses it
  check_entries("--codec", text, split_codes(text), "codes", [&](const NamedStep& entry) {
    refuse_target("--codec", text, entry);
    if (entry.is_named && !find_algorithm(entry.name).quantizes)
      throw InputError("--codec {}: {} sends exact vectors; leave it out", text, entry.name);
    (void)make_codec(entry.step);
  });
}

std::string code_for_algorithm(const std::string& text, const std::string& algorithm) {
  std::string code;
  for (const NamedStep& entry : split_codes(text)) {
    if (entry.is_named && entry.name == algorithm) return entry.step;
    if (!entry.is_named) code = entry.step;
  }
  return code;
}

}  // namespace quantimed
