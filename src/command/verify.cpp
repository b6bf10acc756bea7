#include "base/error.hpp"
#include "command/commands.hpp"
#include "trace/trace.hpp"

#include <fmt/format.h>

#include <cstdio>

namespace quantimed {

// One line a trace: its status and verdict, and every invariant that is broken. Status 2 if any is.
int verify_command(const Request& request) {
  int status = kDone;
  for (const std::string& path : request.arguments) {
    try {
      const Trace trace = read_trace(path);
      const std::vector<std::string> findings = verify_trace(trace);
      fmt::print(
          "{}: {}{}, {}; {} iterations of {} nodes, {} points; {}\n", path,
          trace.status == RunStatus::running ? "interrupted (still running, or killed)" : to_string(trace.status),
          trace.checkpoint ? ", can go on with --resume" : "", trace.verdict, trace.rounds.iterations,
          trace.network.nodes, trace.progress.loss.size(),
          findings.empty() ? "all invariants hold" : fmt::format("{} broken", findings.size()));
      for (const std::string& finding : findings) fmt::print("  {}\n", finding);
      if (!request.config.quiet) fmt::print("{}", deadline_report(trace.rounds));
      if (!findings.empty()) status = kBadInput;
    } catch (const InputError& error) {
      fmt::print(stderr, "quantimed: {}\n", error.what());
      status = kBadInput;
    }
  }
  return status;
}

}  // namespace quantimed
