// SPDX-License-Identifier: BSD-3-Clause
#include "command/certificate.hpp"

#include "algorithm/table.hpp"
#include "base/build_info.hpp"
#include "base/error.hpp"
#include "config/algorithm_options.hpp"
#include "config/option_table.hpp"
#include "dataset/shards.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <map>

namespace quantimed {

namespace {

// What the best steps depend on.
constexpr const char* kEqual[] = {
    "dataset", "classes", "grey",  "samples-per-node", "partition",      "model", "activation", "loss",    "initial",
    "l2",      "l2-per",  "batch", "deadline",         "deadline-adapt", "codec", "graph",      "mixing",  "engine",
    "nodes",   "machine", "speed", "interference",     "link",           "bits",  "sync",       "max-time"};

// Entries are apart by "; ", so that none may hold that.
std::string plain(std::string text) {
  for (std::size_t at = 0; (at = text.find(';', at)) != std::string::npos;) text.replace(at, 1, "%3B");
  return text;
}

std::string hash_of(const std::string& text) {
  std::uint32_t hash = 0x811c9dc5;  // FNV-1a
  for (const unsigned char byte : text) hash = (hash ^ byte) * 0x01000193;
  return fmt::format("{:08x}", hash);
}

// "101-103", "1,5": as --seeds takes them.
std::string seeds_text(const std::vector<std::uint64_t>& seeds) {
  const bool is_range = seeds.size() > 2 && seeds.back() - seeds.front() == seeds.size() - 1 &&
                        std::is_sorted(seeds.begin(), seeds.end());
  return is_range ? fmt::format("{}-{}", seeds.front(), seeds.back()) : fmt::format("{}", fmt::join(seeds, ","));
}

// The value that decides: what follows from the engine or from another option is compared as it follows.
std::string value_of(const OptionRow& row, const Config& c) {
  const std::string name = row.name;
  const bool is_modelled = c.engine == "virtual" && c.machine.empty();
  if (name == "speed" && c.speed.empty()) return is_modelled ? "uniform:10,90" : "none";
  if (name == "link" && c.link.empty()) return is_modelled ? "paper:3" : "none";
  // Before it was a word it was this number: steps that were tuned then are for it.
  if (name == "samples-per-node" && c.samples_per_node == kAutoSamples) return fmt::format("{}", kMostUsualSamples);
  if (name == "nodes" && c.nodes == 0 && c.engine == "virtual") return "50";
  if ((name == "bits" || name == "sync") && !is_modelled) return "-";
  return get_option(row, c);
}

std::map<std::string, std::string> entries_of(const std::string& text) {
  std::map<std::string, std::string> entries;
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = std::min(text.find("; ", begin), text.size());
    const std::string entry = text.substr(begin, end - begin);
    const std::size_t equals = std::min(entry.find('='), entry.size());
    entries[entry.substr(0, equals)] = equals < entry.size() ? entry.substr(equals + 1) : "";
    begin = end + 2;
  }
  return entries;
}

bool is_sound(const std::string& text) {
  const std::size_t at = text.rfind("; check=");
  return at != std::string::npos && text.substr(at + 8) == hash_of(text.substr(0, at));
}

// A run has the steps of one algorithm, for all targets or for one.
bool has_step(const std::string& certified, const std::string& algorithm, const std::string& step) {
  if (for_algorithm(certified, algorithm) == step) return true;
  const auto targets = step_targets(certified, algorithm);
  return std::any_of(targets.begin(), targets.end(),
                     [&](double target) { return for_algorithm(certified, algorithm, target) == step; });
}

// "alpha", where the judged steps are not those that were found. A list of steps must be the same text; a step alone is
// that of the run's algorithm.
bool is_certified(const std::string& certified, const std::string& judged, const std::string& algorithm) {
  return plain(judged) == certified || has_step(certified, algorithm, judged);
}

std::string entry_of(const std::map<std::string, std::string>& entries, const std::string& name) {
  const auto found = entries.find(name);
  return found == entries.end() ? "?" : found->second;
}

std::vector<std::uint64_t> parsed_seeds(const std::string& text) {
  Config c;
  try {
    set_option(*find_option("seeds"), c, text);
  } catch (const InputError&) {
    return {};
  }
  return c.seeds;
}

// Steps that virtual time found may be judged in real time, where both model the same speeds and the same link.
bool is_tuned_in_virtual_time(const std::map<std::string, std::string>& tuned, const Config& judged) {
  return entry_of(tuned, "engine") == "virtual" && judged.engine != "virtual" && !judged.speed.empty() &&
         !judged.link.empty();
}

// The certificate's parameters and --gradient; what it does not name was left at the usual.
Config with_own_options(const std::map<std::string, std::string>& tuned) {
  Config config;
  for (const ParameterRow& row : parameter_table())
    if (const auto found = tuned.find(row.option); found != tuned.end())
      config.parameters[row.parameter] = found->second;
  if (const auto found = tuned.find("gradient"); found != tuned.end()) config.gradient = found->second;
  return config;
}

// Those that come to something else for this algorithm.
void add_own_options(std::vector<std::string>& others, const Config& tuned, const Config& judged,
                     const AlgorithmRow& row) {
  const auto then = own_parameters(tuned, row), now = own_parameters(judged, row);
  for (const auto& [parameter, value] : then)
    if (now.at(parameter) != value) others.push_back(fmt::format("{} ({})", row_of(parameter).option, value));
  if (uses_deadline(tuned, row) != uses_deadline(judged, row))
    others.push_back(fmt::format("gradient ({})", uses_deadline(tuned, row) ? "deadline" : "batch"));
}

// The certificate's code for this algorithm; exact vectors have none.
bool is_code_of(const std::string& tuned, const Config& judged, const AlgorithmRow& row) {
  Config config;
  config.codec = tuned;
  return !row.quantizes || codec_for(config, row) == codec_for(judged, row);
}

// Options that differ, each with what the steps were tuned for.
std::vector<std::string> differences(const std::map<std::string, std::string>& tuned, const Config& judged,
                                     const std::string& data) {
  std::vector<std::string> others;
  const AlgorithmRow& row = find_algorithm(judged.algorithm);
  const auto entry = [&](const std::string& name) { return entry_of(tuned, name); };
  const bool is_virtual = is_tuned_in_virtual_time(tuned, judged);
  for (const std::string name : kEqual) {
    if (name == "codec" && is_code_of(entry(name), judged, row)) continue;
    if (is_virtual && (name == "engine" || name == "bits" || name == "sync")) continue;
    const std::string now = plain(value_of(*find_option(name), judged));
    const bool has_own = name == "deadline" && !uses_deadline(judged, row);
    const bool follows = name == "deadline" && entry(name) == "auto";  // from batch and speed, which are here
    if (!has_own && !follows && entry(name) != now) others.push_back(fmt::format("{} ({})", name, entry(name)));
  }
  if (!is_certified(entry("alpha"), judged.alpha, judged.algorithm)) others.emplace_back("alpha");
  if (row.uses_epsilon && !is_certified(entry("epsilon"), judged.epsilon, judged.algorithm))
    others.emplace_back("epsilon");
  add_own_options(others, with_own_options(tuned), judged, row);
  if (!data.empty() && tuned.contains("data") && entry("data") != data) others.emplace_back("the data themselves");
  return others;
}

}  // namespace

std::string make_certificate(const Config& tuned, std::uint32_t trials, const std::vector<std::uint64_t>& seeds,
                             const std::string& data, const SearchDoubts& doubts) {
  std::string text = fmt::format("trials={}; seeds={}; budget={}; program={} {}", trials, seeds_text(seeds),
                                 tuned.budget, build::kVersion, build::kCommit);
  for (const char* name : kEqual) text += fmt::format("; {}={}", name, plain(value_of(*find_option(name), tuned)));
  text += fmt::format("; alpha={}; epsilon={}", plain(tuned.alpha), plain(tuned.epsilon));
  for (const auto& [parameter, values] : tuned.parameters)
    text += fmt::format("; {}={}", row_of(parameter).option, plain(values));
  if (!tuned.gradient.empty()) text += "; gradient=" + plain(tuned.gradient);
  if (!data.empty()) text += "; data=" + data;
  if (!doubts.at_edge.empty()) text += fmt::format("; at-edge={}", fmt::join(doubts.at_edge, ","));
  if (!doubts.usual_better.empty()) text += fmt::format("; usual-better={}", fmt::join(doubts.usual_better, ","));
  return text + "; check=" + hash_of(text);
}

namespace {

constexpr std::string_view kBut = "; but ";

std::string doubts_text(const std::map<std::string, std::string>& tuned) {
  std::vector<std::string> doubts;
  if (const auto edge = tuned.find("at-edge"); edge != tuned.end())
    doubts.push_back("the best of " + edge->second + " lies at the edge of what was tried");
  if (const auto usual = tuned.find("usual-better"); usual != tuned.end())
    doubts.push_back("published or usual steps do better than the best trial of " + usual->second);
  return doubts.empty() ? "" : fmt::format("{}the search was too small: {}", kBut, fmt::join(doubts, ", "));
}

}  // namespace

std::string certified_data(const Config& config, const DataSplit& data) {
  return is_generated(config.dataset) ? "" : fingerprint(data);
}

std::string tuning_of(const Config& judged, const std::vector<std::uint64_t>& seeds, const std::string& data) {
  if (judged.tuned_by.empty()) return "none";
  if (!is_sound(judged.tuned_by)) return "a certificate that was changed, or is none";
  const auto tuned = entries_of(judged.tuned_by);
  if (const auto others = differences(tuned, judged, data); !others.empty())
    return fmt::format("other options than these: {}", fmt::join(others, ", "));
  const auto tuning_seeds = parsed_seeds(entry_of(tuned, "seeds"));
  std::vector<std::uint64_t> both;
  std::copy_if(seeds.begin(), seeds.end(), std::back_inserter(both), [&](std::uint64_t seed) {
    return std::find(tuning_seeds.begin(), tuning_seeds.end(), seed) != tuning_seeds.end();
  });
  if (!both.empty()) return fmt::format("the seeds that judge: {}", fmt::join(both, ", "));
  return fmt::format("equal budgets: {} trials of each algorithm, seeds {}{}{}", entry_of(tuned, "trials"),
                     entry_of(tuned, "seeds"),
                     is_tuned_in_virtual_time(tuned, judged) ? ", in virtual time with these speeds and this link" : "",
                     doubts_text(tuned));
}

bool is_tuned_fairly(const std::string& tuning) { return tuning.starts_with("equal budgets: "); }

std::string search_doubts_of(const std::string& tuning) {
  const std::size_t at = is_tuned_fairly(tuning) ? tuning.find(kBut) : std::string::npos;
  return at == std::string::npos ? "" : tuning.substr(at + kBut.size());
}

}  // namespace quantimed
