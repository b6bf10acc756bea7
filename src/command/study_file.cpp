// SPDX-License-Identifier: BSD-3-Clause
#include "command/study_file.hpp"

#include "base/build_info.hpp"
#include "base/error.hpp"
#include "base/path_kind.hpp"
#include "command/table_text.hpp"
#include "config/ini.hpp"
#include "config/option_table.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <fstream>
#include <string_view>
#include <utility>

namespace quantimed {

namespace {

// How it is written, and how many workers compute it.
constexpr std::string_view kOutsideAStudy[] = {"output", "quiet", "threads", "json"};

std::string mark(const std::string& command) {
  return fmt::format("# A study by quantimed {0}; to repeat it: quantimed {0} --config FILE\n", command);
}

constexpr std::string_view kTimeMark = "# time: ";

std::string program_line() { return fmt::format("# program: {} ({})", build::kVersion, build::kCommit); }

template <class T>
bool holds_all(const std::vector<T>& has, const std::vector<T>& wanted) {
  return std::ranges::all_of(wanted, [&](const T& one) { return std::ranges::find(has, one) != has.end(); });
}

// More runs of the same study.
bool is_enlarged(const std::string& command, std::string_view option, const Config& had, const Config& now) {
  if (command == "tune") return false;  // each trial depends on those before it
  if (option == "algorithms") return holds_all(now.algorithms, had.algorithms);
  if (command == "compare" && option == "target-loss") return true;  // looked for on the curves that are there
  if (command == "compare" && option == "seeds") return holds_all(now.seeds, had.seeds);
  if (command == "compare" && option == "repeats") return had.repeats > 1 && now.repeats > had.repeats;  // their names
  if (command == "scale" && option == "cores") return holds_all(now.cores, had.cores);
  if (command == "scale" && option == "repeats") return now.repeats > had.repeats;
  return command == "scale" && option == "study" && now.study == "both";
}

std::string differing(const std::string& command, const Config& had, const Config& now) {
  const unsigned bit = find_command(command)->bit;
  for (const OptionRow& row : option_table()) {
    const bool counts = row.in_ini && (row.commands & bit) != 0 && !std::holds_alternative<std::monostate>(row.field) &&
                        std::ranges::find(kOutsideAStudy, row.name) == std::end(kOutsideAStudy);
    const std::string before = get_option(row, had), after = get_option(row, now);
    if (counts && before != after && !is_enlarged(command, row.name, had, now))
      return fmt::format("--{} {}, not {}", row.name, before, after);
  }
  return "";
}

Fingerprints parsed_contents(const std::string& line) {
  const auto of = [&](const std::string& name) {
    const std::size_t at = line.find(" " + name + "=");
    if (at == std::string::npos) return std::string();
    const std::size_t begin = at + name.size() + 2;
    return line.substr(begin, line.find(' ', begin) - begin);
  };
  return {.data = of("data"), .graph = of("graph"), .speed = of("speed"), .machine = of("machine")};
}

}  // namespace

std::string study_ini(const Config& config) {
  std::string ini = to_ini(config);
  const std::size_t line = ini.find("\nalgorithm = ") + 1;
  return ini.erase(line, ini.find('\n', line) + 1 - line);
}

Config study_config(Config given, const std::vector<std::string>& algorithms, const Config& resolved) {
  given.algorithms = algorithms;
  given.nodes = resolved.nodes;
  given.speed = resolved.speed;
  given.link = resolved.link;
  return given;
}

StudyFile::StudyFile(std::string command, std::string folder, Config config)
    : command_(std::move(command)),
      folder_(std::move(folder)),
      path_(folder_ + "/study.ini"),
      config_(std::move(config)) {
  require_own_text(path_, mark(command_));
  require_own_text(folder_ + "/table.md", table_mark(command_));
}

std::string StudyFile::contents_line() const {
  return fmt::format("# contents: data={} graph={} speed={} machine={}", contents_.data, contents_.graph,
                     contents_.speed, contents_.machine);
}

void StudyFile::require_same(const DataSplit& data) {
  contents_ = fingerprints_of(config_, data);
  if (is_generated(config_.dataset)) contents_.data = "";  // each seed draws its own
  if (config_.overwrite) return;
  const auto refuse = [&](const std::string& what) {
    throw InputError("--output {}: {}; name another folder, or replace it with --overwrite", folder_, what);
  };
  if (kind_of_path("--output", path_) == PathKind::nothing) {
    if (kind_of_path("--output", folder_ + "/table.md") != PathKind::nothing)
      refuse("its table.md is of a study that is not known, since study.ini is not there");
    return;
  }
  std::ifstream file(path_);
  std::string first, program, contents;
  if (!std::getline(file, first) || !std::getline(file, program) || !std::getline(file, contents))
    refuse("study.ini in it is cut short");
  if (program != program_line())
    refuse(fmt::format("holds a study of another {}, not {}", program.substr(std::min<std::size_t>(2, program.size())),
                       program_line().substr(11)));
  Config had = default_config(command_);
  read_ini(path_, had);
  if (const std::string option = differing(command_, had, config_); !option.empty())
    refuse(fmt::format("holds a study with {}", option));
  std::string time;
  if (std::getline(file, time) && time.starts_with(kTimeMark)) {
    Seconds kept = 0;
    const auto read = std::from_chars(time.data() + kTimeMark.size(), time.data() + time.size(), kept);
    if (read.ec != std::errc() || !(kept > 0)) refuse("study.ini in it has no time in its line \"" + time + "\"");
    kept_time_ = kept;
  }
  if (const std::string other = differing_contents(parsed_contents(contents), contents_); !other.empty())
    refuse("holds a study in which " + other);
}

void StudyFile::write(Seconds time) const {
  const std::string line = std::isfinite(time) ? fmt::format("{}{} s for every algorithm\n", kTimeMark, time) : "";
  write_text(path_,
             fmt::format("{}{}\n{}\n{}{}", mark(command_), program_line(), contents_line(), line, study_ini(config_)));
}

}  // namespace quantimed
