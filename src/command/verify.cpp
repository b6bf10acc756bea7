// SPDX-License-Identifier: BSD-3-Clause
#include "base/build_info.hpp"
#include "base/error.hpp"
#include "base/streams.hpp"
#include "command/commands.hpp"
#include "command/progress_line.hpp"
#include "command/replay.hpp"
#include "command/resumption.hpp"
#include "command/signals.hpp"
#include "config/ini.hpp"
#include "trace/trace.hpp"

#include <fmt/format.h>

#include <array>
#include <cstdio>

namespace quantimed {

namespace {

// What a file turns out to be.
enum Kind : std::size_t { valid, invalid, unfinished, diverged, differs, changed, broken, unreadable, kKinds };
constexpr const char* kWords[kKinds] = {"VALID",   "INVALID", "unfinished", "diverged", "not replayed to the bit",
                                        "changed", "broken",  "unreadable"};
struct Counts {
  std::array<std::size_t, kKinds> of{};
  std::size_t replayed = 0, untried = 0;  // with --replay: to the bit; without a log
};

// /config's attributes are for readers, /config/ini for the program: they must say the same.
std::string config_finding(const Trace& trace, const std::string& path) {
  try {
    Config config = default_config("run");
    read_ini_text(path + ": /config/ini", trace.ini, config);
    for (const auto& [name, value] : to_pairs(config))
      if (const Attribute* said = find(trace.config, name); said != nullptr && *said != to_attribute(value))
        return fmt::format("/config says {} = {}, /config/ini {}", name, to_text(*said), value);
  } catch (const InputError& error) {
    if (trace.software_version == build::kVersion) return error.what();  // else it may know other options
  }
  return {};
}

std::vector<std::string> findings_of(const Trace& trace, const std::string& path) {
  std::vector<std::string> findings = verify_trace(trace);
  if (const std::string finding = config_finding(trace, path); !finding.empty())
    findings.push_back("config and its ini agree: " + finding);
  return findings;
}

Kind kind_of(const Trace& trace, const std::vector<std::string>& findings) {
  if (!trace.is_sealed) return changed;
  if (!findings.empty()) return broken;
  if (!trace.verdict.is_valid()) return invalid;
  if (trace.status == RunStatus::complete) return valid;
  return trace.status == RunStatus::diverged ? diverged : unfinished;
}

std::string status_text(const Trace& trace) {
  return fmt::format(
      "{}{}", trace.status == RunStatus::running ? "interrupted (still running, or killed)" : to_string(trace.status),
      obstacle_to_resuming(trace).why.empty() ? ", can be resumed with --resume" : "");
}

// "complete, VALID", or why nobody should use it.
std::string standing_text(const Trace& trace, Kind kind) {
  if (kind == changed)
    return fmt::format("not VALID: its seal is gone: changed since it was written (it says {}, {})", status_text(trace),
                       trace.verdict);
  if (kind == broken)
    return fmt::format("not VALID: it contradicts itself (it says {}, {})", status_text(trace), trace.verdict);
  if (!trace.verdict.is_valid())
    return fmt::format("{}, INVALID, timing not trustworthy: {}", status_text(trace), trace.verdict.why());
  return fmt::format("{}, {}", status_text(trace), trace.verdict);
}

// With --replay: what came of it, on a line of its own. False: other bits.
bool is_replayed(const std::string& path, Trace trace, const Config& config, Counts& counts) {
  if (!trace.recording) {
    ++counts.untried;
    fmt::print("  not replayed: {}\n", text(trace.config, "engine", "") == "virtual"
                                           ? "virtual time, which no clock decides"
                                           : "it has no log of what its clock decided");
    return true;
  }
  ProgressLine line(1, config.quiet);
  TraceReplay replay(path, std::move(trace), config.threads);
  const Replayed replayed = replay(0, [&](double done) { line.show(0, "replay", done); });
  line.clear();
  if (replayed.interrupted) throw Stopped("stopped; what is printed above stands");
  fmt::print("  {}", verdict_of(replay, replayed));
  counts.replayed += !replayed.difference;
  keep_verdict(path, replayed);
  return !replayed.difference;
}

Kind verify_file(const std::string& path, const Config& config, Counts& counts) {
  const bool quiet = config.quiet;
  try {
    Trace trace = read_trace(path);
    const std::vector<std::string> findings = findings_of(trace, path);
    Kind kind = kind_of(trace, findings);
    fmt::print("{}: {}; {} iterations of {} nodes, {} points; {}\n", path, standing_text(trace, kind),
               trace.rounds.iterations, trace.network.nodes, trace.progress.loss.size(),
               findings.empty() ? "all invariants hold" : fmt::format("{} broken", findings.size()));
    for (const std::string& finding : findings) fmt::print("  {}\n", finding);
    if (!quiet) fmt::print("{}", deadline_report(trace));
    if (config.replay && kind != broken && !is_replayed(path, std::move(trace), config, counts)) kind = differs;
    return kind;
  } catch (const DamagedTrace& error) {
    tell("quantimed: {}\n", error.what());
    return changed;
  } catch (const InputError& error) {
    tell("quantimed: {}\n", error.what());
    return unreadable;
  }
}

// "12 traces: 10 VALID, 1 INVALID, 1 unfinished"
std::string summary(const Counts& counts, std::size_t files) {
  std::string parts;
  for (std::size_t kind = 0; kind < kKinds; ++kind)
    if (counts.of[kind] > 0) parts += fmt::format("{}{} {}", parts.empty() ? "" : ", ", counts.of[kind], kWords[kind]);
  if (counts.replayed > 0) parts += fmt::format("; {} replayed to the bit", counts.replayed);
  if (counts.untried > 0) parts += fmt::format("; {} without a log", counts.untried);
  return fmt::format("{} {}: {}\n", files, counts.of[unreadable] > 0 ? "files" : "traces", parts);
}

}  // namespace

// One line a trace, and one for every invariant that is broken; with several, how many are what. Status 2 where one
// cannot be read or contradicts itself, 5 where one is INVALID, was changed or is not replayed to the same bits.
int verify_command(const Request& request) {
  Counts counts;
  if (request.config.replay) catch_signals();
  for (const std::string& path : request.arguments) ++counts.of[verify_file(path, request.config, counts)];
  if (request.arguments.size() > 1) fmt::print("{}", summary(counts, request.arguments.size()));
  if (counts.of[unreadable] + counts.of[broken] > 0) return kBadInput;
  return counts.of[changed] + counts.of[invalid] + counts.of[differs] > 0 ? kInvalid : kDone;
}

}  // namespace quantimed
