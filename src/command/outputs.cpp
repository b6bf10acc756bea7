// SPDX-License-Identifier: BSD-3-Clause
#include "command/outputs.hpp"

#include "base/build_info.hpp"
#include "base/error.hpp"
#include "base/fingerprint.hpp"
#include "base/path_kind.hpp"
#include "command/resumption.hpp"
#include "command/spread.hpp"
#include "config/ini.hpp"
#include "config/option_table.hpp"
#include "machine/machine.hpp"
#include "timing/machine_file.hpp"
#include "topology/network.hpp"
#include "trace/output_lock.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

namespace quantimed {

namespace {

namespace fs = std::filesystem;

constexpr std::string_view kFile = "file:";
constexpr std::string_view kNameATrace = "; name a trace that `quantimed run` wrote";
constexpr std::string_view kMachineFileStart = "; What the steps of a node cost on this machine";

// Where and how a run is written and how many workers compute it; the target is looked for on the finished curve.
constexpr const char* kOutsideARun[] = {"output", "quiet", "threads", "repeats", "target-loss"};

bool decides(const OptionRow& row) {
  return row.in_ini && (row.commands & kRun) != 0 && !std::holds_alternative<std::monostate>(row.field) &&
         std::ranges::find(kOutsideARun, std::string_view(row.name)) == std::end(kOutsideARun);
}

// PATH of "file:PATH"; "" for another kind.
std::string file_of(const std::string& text) { return text.starts_with(kFile) ? text.substr(kFile.size()) : ""; }

std::string fingerprint_of(const char* option, const std::string& path) try {
  return path.empty() ? "" : file_fingerprint(path);
} catch (const InputError& error) {
  throw InputError("--{} {}", option, error.what());
}

// Whatever stands at the end of links; a link to nothing counts as nothing.
bool exists(const std::string& path) { return kind_of_path("--output", path) != PathKind::nothing; }
bool is_file(const std::string& path) { return kind_of_path("--output", path) == PathKind::file; }
bool is_same_file(const std::string& a, const std::string& b) {
  std::error_code ignored;
  return fs::equivalent(a, b, ignored);
}

std::string maker(const std::string& version, const std::string& commit) {
  return fmt::format("{} ({})", version, commit);
}

// Why a trace of ours is not of this very run; "" where it is, as far as can be told without the data.
std::string other_because(const Trace& trace, const std::string& path, const Config& wanted) {
  if (!trace.is_sealed) return "has lost its seal: it was changed since it was written";
  try {
    if (const std::string option = differing_option(config_of(trace, path), wanted); !option.empty())
      return fmt::format("is of a run with {}", option);
  } catch (const InputError&) {
    return fmt::format("is of a run of version {}, whose options this version does not know", trace.software_version);
  }
  if (trace.software_version != build::kVersion || trace.commit != build::kCommit)
    return fmt::format("was made by version {}, not {}", maker(trace.software_version, trace.commit),
                       maker(build::kVersion, build::kCommit));
  const std::string cpu = text(trace.environment, "cpu", "");
  if (wanted.engine != "virtual" && cpu != inspect_machine().cpu)
    return fmt::format("was timed on another processor, {}", cpu);
  if (wanted.engine == "mpi" && spread_engine()) {
    const double ranks = number(trace.environment, "ranks", 1), now = static_cast<double>(spread_engine()->ranks());
    if (ranks != now) return fmt::format("was timed over {} ranks, not {}", ranks, now);
  }
  return "";
}

// "PATH: reason; what to do about it", without the path and what to do.
std::string reason_of(const InputError& error, const std::string& path) {
  std::string_view text = error.what();
  if (text.starts_with(path + ": ")) text.remove_prefix(path.size() + 2);
  if (text.ends_with(kNameATrace)) text.remove_suffix(kNameATrace.size());
  return std::string(text);
}

std::string stopped_at(const Trace& trace) {
  if (trace.status == RunStatus::running) return "holds what this run had when it was killed";
  return fmt::format("holds this run, interrupted at iteration {:.10g} of {:.10g}",
                     number(trace.summary, "iterations", 0), number(trace.config, "iterations", 0));
}

Found judge(const std::string& path, const Config& wanted, const Fingerprints* now) {
  if (!is_file(path)) return {Standing::foreign, "is not a plain file", {}};
  std::optional<Trace> trace;
  try {
    trace = read_trace_summary(path);
  } catch (const InputError& error) {
    if (const auto cut = cut_short(path))
      return {
          Standing::other,
          fmt::format("is a trace that is damaged or cut short: {} of at least {} bytes", cut->bytes, cut->at_least),
          {}};
    if (!claims_to_be_a_trace(path)) return {Standing::foreign, "is not a trace that quantimed wrote", {}};
    return {Standing::other, "is a trace that cannot be read: " + reason_of(error, path), {}};
  }
  if (std::string why = other_because(*trace, path, wanted); !why.empty()) return {Standing::other, why, {}};
  if (now)
    if (std::string why = differing_contents(fingerprints_of(*trace), *now); !why.empty())
      return {Standing::other, "is of a run in which " + why, {}};
  if (trace->status == RunStatus::running || trace->status == RunStatus::interrupted)
    return {Standing::unfinished, stopped_at(*trace), {}};
  return {Standing::finished, "", std::move(trace)};
}

[[noreturn]] void refuse(const Config& config, const Found& found) {
  const std::string& path = config.output;
  switch (found.standing) {
    case Standing::unfinished:
      (void)OutputLock(path);  // throws where the run is still under way
      if (const std::string why = why_not_resumed(path); !why.empty())
        throw InputError("--output {}: {}; it {}; start again with --overwrite, or name another file", path, found.why,
                         why);
      throw InputError("--output {}: {}; continue it with quantimed run --resume {}, or start again with --overwrite",
                       path, found.why, path);
    case Standing::other:
      throw InputError("--output {}: {}; name another file, or replace it with --overwrite", path, found.why);
    default:
      throw InputError("--output {}: {}, and is not replaced; name another file", path, found.why);
  }
}

void refuse_unless_replaceable(const Config& config, const Found& found, bool may_continue) {
  const bool is_ours = found.standing == Standing::other || found.standing == Standing::unfinished;
  const bool may_stand = found.standing == Standing::absent || found.standing == Standing::finished ||
                         (is_ours && config.overwrite) || (may_continue && found.standing == Standing::unfinished);
  if (!may_stand) refuse(config, found);
}

}  // namespace

Fingerprints fingerprints_of(const Config& c, const DataSplit& data) {
  return {.data = fingerprint(data),
          .graph = fingerprint_of("graph", parse_graph(c.graph).path),
          .speed = fingerprint_of("speed", file_of(c.speed)),
          .machine = fingerprint_of("machine", c.machine)};
}

Fingerprints fingerprints_of(const Trace& trace) {
  const auto of = [&](const char* name) { return text(trace.data, name, ""); };
  return {.data = of("fingerprint"),
          .graph = of("graph_fingerprint"),
          .speed = of("speed_fingerprint"),
          .machine = of("machine_fingerprint")};
}

Attributes data_attributes(const DataSplit& data, const Fingerprints& fingerprints) {
  const DataSource& source = data.source;
  const auto joined = [](const std::vector<std::string>& list) { return fmt::format("{}", fmt::join(list, ", ")); };
  return {{"fingerprint", fingerprints.data},
          {"graph_fingerprint", fingerprints.graph},
          {"speed_fingerprint", fingerprints.speed},
          {"machine_fingerprint", fingerprints.machine},
          {"description", describe(data)},
          {"format", source.format},
          {"features", std::int64_t{data.train.features}},
          {"shape", fmt::format("{}", fmt::join(source.shape, "x"))},
          {"classes", std::int64_t{data.train.classes}},
          {"labels", describe_labels(source.labels)},
          {"training_samples", std::int64_t{data.train.samples}},
          {"test_samples", std::int64_t{data.test ? data.test->samples : 0}},
          {"test_set", data.test ? fs::path(source.test).filename().string() : "none"},
          {"test_set_looked_for", joined(source.looked_for)},
          {"storage", storage_of(data.train)},
          {"storage_rule", source.storage_rule},
          {"notices", joined(source.notices)}};
}

std::string differing_contents(const Fingerprints& has, const Fingerprints& wanted) {
  constexpr struct {
    const char* what;
    std::string Fingerprints::*content;
  } kContents[] = {{"the data", &Fingerprints::data},
                   {"the file of --graph", &Fingerprints::graph},
                   {"the file of --speed", &Fingerprints::speed},
                   {"the file of --machine", &Fingerprints::machine}};
  for (const auto& [what, content] : kContents)
    if (has.*content != wanted.*content)
      return (has.*content).empty()
                 ? fmt::format("{} had contents that an earlier version did not record", what)
                 : fmt::format("{} had other contents (fingerprint {}, now {})", what, (has.*content).substr(0, 8),
                               (wanted.*content).empty() ? "none" : (wanted.*content).substr(0, 8));
  return "";
}

std::string differing_option(const Config& has, const Config& wanted) {
  for (const OptionRow& row : option_table())
    if (decides(row) && get_option(row, has) != get_option(row, wanted))
      return fmt::format("--{} {}, not {}", row.name, get_option(row, has), get_option(row, wanted));
  return "";
}

std::string run_hash(const Config& resolved) {
  Fingerprint all;
  for (const OptionRow& row : option_table())
    if (decides(row)) {
      all.add(std::string(row.name));
      all.add(get_option(row, resolved));
    }
  all.add(std::string(build::kVersion));
  all.add(std::string(build::kCommit));
  return all.hex().substr(0, 8);
}

Config config_of(const Trace& trace, const std::string& path) {
  Config config = default_config("run");
  read_ini_text(path + ": /config/ini", trace.ini, config);
  config.repeats = 1;  // the trace is of one of them
  return config;
}

Found find_output(const Config& config, const Fingerprints* now) {
  const std::string &path = config.output, partial = path + ".partial", lock = path + ".lock";
  std::error_code ignored;
  if (exists(lock) && (!is_file(lock) || fs::file_size(lock, ignored) > 0))
    return {Standing::foreign, fmt::format("would be locked with {}, which is a file of yours", lock), {}};
  if (const std::string speed = file_of(config.speed); exists(path) && !speed.empty() && is_same_file(path, speed))
    return {Standing::foreign, "is read by --speed", {}};
  Found left = exists(partial) ? judge(partial, config, now) : Found{};
  if (left.standing == Standing::foreign) {
    left.why = fmt::format("would be kept in {} as it runs, which {}", partial, left.why);
    return left;
  }
  if (exists(path)) return judge(path, config, now);
  if (left.standing == Standing::other) left.why = fmt::format("has a {} beside it that {}", partial, left.why);
  return left;
}

void require_replaceable(std::span<const Config> runs, bool may_continue) {
  for (const Config& config : runs) refuse_unless_replaceable(config, find_output(config, nullptr), may_continue);
}

std::optional<Trace> finished_run(const Config& config, const Fingerprints& now, bool may_continue) {
  Found found = find_output(config, &now);
  refuse_unless_replaceable(config, found, may_continue);
  if (found.standing != Standing::finished || config.overwrite) return {};
  return std::move(found.trace);
}

std::string table_mark(std::string_view command) { return fmt::format("<!-- made by quantimed {} -->\n", command); }

void require_own_text(const std::string& path, std::string_view first_line) {
  if (!exists(path)) return;
  std::string begin(first_line.size(), '\0');
  const bool is_ours =
      is_file(path) &&
      std::ifstream(path, std::ios::binary).read(begin.data(), static_cast<std::streamsize>(begin.size())) &&
      begin == first_line;
  if (!is_ours)
    throw InputError("--output {}: is not a file that quantimed wrote, and is not replaced; name another place", path);
}

void require_own_machine_file(const std::string& path) { require_own_text(path, kMachineFileStart); }

void require_replaceable_machine_file(const std::string& path, bool overwrite) {
  require_own_machine_file(path);
  if (exists(path) && !overwrite)
    throw InputError("--output {}: holds an earlier measurement; name another place, or replace it with --overwrite",
                     path);
}

void require_not_input(const std::string& output, const std::string& option, const std::string& input) {
  if (!input.empty() && is_same_file(output, input))
    throw InputError("--output {}: is read by {}; name another file", output, option);
}

}  // namespace quantimed
