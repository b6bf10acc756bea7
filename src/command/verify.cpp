#include "base/build_info.hpp"
#include "base/error.hpp"
#include "base/streams.hpp"
#include "command/commands.hpp"
#include "command/resumption.hpp"
#include "config/ini.hpp"
#include "trace/trace.hpp"

#include <fmt/format.h>

#include <array>
#include <cstdio>

namespace quantimed {

namespace {

// What a file turns out to be.
enum Kind : std::size_t { valid, invalid, unfinished, diverged, changed, broken, unreadable, kKinds };
constexpr const char* kWords[kKinds] = {"VALID",   "INVALID", "unfinished", "diverged",
                                        "changed", "broken",  "unreadable"};
using Counts = std::array<std::size_t, kKinds>;

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
      trace.checkpoint && obstacle_to_resuming(trace).why.empty() ? ", can be resumed with --resume" : "");
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

Kind verify_file(const std::string& path, bool quiet) {
  try {
    const Trace trace = read_trace(path);
    const std::vector<std::string> findings = findings_of(trace, path);
    const Kind kind = kind_of(trace, findings);
    fmt::print("{}: {}; {} iterations of {} nodes, {} points; {}\n", path, standing_text(trace, kind),
               trace.rounds.iterations, trace.network.nodes, trace.progress.loss.size(),
               findings.empty() ? "all invariants hold" : fmt::format("{} broken", findings.size()));
    for (const std::string& finding : findings) fmt::print("  {}\n", finding);
    if (!quiet) fmt::print("{}", deadline_report(trace.rounds));
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
    if (counts[kind] > 0) parts += fmt::format("{}{} {}", parts.empty() ? "" : ", ", counts[kind], kWords[kind]);
  return fmt::format("{} {}: {}\n", files, counts[unreadable] > 0 ? "files" : "traces", parts);
}

}  // namespace

// One line a trace, and one for every invariant that is broken; with several, how many are what. Status 2 where one
// cannot be read or contradicts itself, 5 where one is INVALID or was changed.
int verify_command(const Request& request) {
  Counts counts{};
  for (const std::string& path : request.arguments) ++counts[verify_file(path, request.config.quiet)];
  if (request.arguments.size() > 1) fmt::print("{}", summary(counts, request.arguments.size()));
  if (counts[unreadable] + counts[broken] > 0) return kBadInput;
  return counts[changed] + counts[invalid] > 0 ? kInvalid : kDone;
}

}  // namespace quantimed
