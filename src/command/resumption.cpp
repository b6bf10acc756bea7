// SPDX-License-Identifier: BSD-3-Clause
#include "command/resumption.hpp"

#include "base/build_info.hpp"
#include "base/error.hpp"
#include "base/path_kind.hpp"
#include "base/streams.hpp"
#include "command/experiment.hpp"
#include "command/outputs.hpp"
#include "command/progress_line.hpp"
#include "config/algorithm_options.hpp"
#include "config/ini.hpp"
#include "config/option_table.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <numeric>
#include <optional>
#include <string_view>

namespace quantimed {

namespace {

constexpr std::string_view kPartial = ".partial";

// Of all nodes together; what a trace has come to.
std::uint64_t progress_of(const Trace& trace) {
  const auto& iteration = trace.checkpoint ? trace.checkpoint->iteration : trace.recording->iterations;
  return std::accumulate(iteration.begin(), iteration.end(), std::uint64_t{0});
}

// What was left at a path, and why it cannot go on. `failure`: it could not be read.
struct Left {
  std::optional<Trace> trace;  // that can be resumed
  Obstacle obstacle;
  std::string failure;

  // After the path that was given; "" where there is a trace.
  std::string text(const std::string& path) const {
    return obstacle.why.empty() ? failure : fmt::format("{} {}; {}", path, obstacle.why, obstacle.fix);
  }
};

Left read_left(const std::string& path) {
  Left left;
  try {
    Trace trace = read_trace(path);
    left.obstacle = obstacle_to_resuming(trace);
    if (left.obstacle.why.empty()) left.trace = std::move(trace);
  } catch (const InputError& error) {
    left.failure = error.what();
  }
  return left;
}

bool is_there(const std::string& path) { return kind_of_path("--resume", path) != PathKind::nothing; }

struct Furthest {
  std::string path;
  Left left;
};

// Of `given` and GIVEN.partial, if both are of one run, the one that has come further.
Furthest furthest(const std::string& given) {
  Furthest found{given, read_left(given)};
  const std::string partial = given + std::string(kPartial);
  if (given.ends_with(kPartial) || !is_there(partial)) return found;
  Left other = read_left(partial);
  const bool is_there_itself = is_there(given);
  const std::optional<Trace>& trace = found.left.trace;
  const bool is_further =
      other.trace &&
      (trace ? trace->ini == other.trace->ini && progress_of(*other.trace) > progress_of(*trace) : !is_there_itself);
  if (is_further || (!trace && !is_there_itself)) found = {partial, std::move(other)};
  return found;
}

bool may_differ(const std::string& option) {
  for (const char* free : {"resume", "output", "quiet", "threads", "dry-run", "repeats", "overwrite", "fom"})
    if (option == free) return true;
  return false;
}

// What was given beside --resume, on the command line or in a --config, must be what the trace says.
void refuse_contradictions(const Request& request, const Config& of_trace) {
  Config given = of_trace;
  for (const auto& [name, value] : request.given) {
    if (name == "config")
      read_ini(value, given);
    else
      set_option(*find_option(name), given, value);
  }
  given.threads = of_trace.threads;
  const auto differing = [](const Config& a, const Config& b) {
    return std::ranges::find_if(option_table(), [&](const OptionRow& row) {
      return !std::holds_alternative<std::monostate>(row.field) && !may_differ(row.name) &&
             get_option(row, a) != get_option(row, b);
    });
  };
  Config wanted = given, has = of_trace;
  try {  // `auto` says what the trace says if it comes to the same
    wanted = resolve(given);
    has = resolve(of_trace);
  } catch (const InputError&) {
    wanted = given;
    has = of_trace;
  }
  if (const auto row = differing(wanted, has); row != option_table().end())
    throw InputError("--{} {}: the run that --resume {} continues has {}; leave the option out", row->name,
                     get_option(*row, wanted), request.config.resume, get_option(*row, has));
}

}  // namespace

Obstacle obstacle_to_resuming(const Trace& trace) {
  if (!trace.is_sealed)
    return {"has lost its seal: it was changed since it was written", "resume a copy as it was, or run it again"};
  if (trace.status == RunStatus::complete) return {"is complete", "nothing is left to do"};
  if (trace.status == RunStatus::diverged) return {"has diverged", "run it again with smaller steps"};
  if (const std::string fault = text(trace.config, "fault", ""); !fault.empty() && fault != "none")
    return {fmt::format("is of a run with --fault {}, which cannot be resumed", fault), "run it again"};
  if (!trace.checkpoint && !trace.recording)
    return {trace.status == RunStatus::running && text(trace.config, "engine", "virtual") != "virtual"
                ? "is of a run in real time that was killed and kept no log (--no-record), which cannot be resumed"
                : "holds no checkpoint",
            "run it again"};
  if (!trace.checkpoint && text(trace.config, "delivery", "") == "pairwise")
    return {
        "is of a run in real time of averages of two that was killed: its nodes were in the middle of iterations that "
        "depend on each other",
        "run it again"};
  if (trace.software_version != build::kVersion)
    return {
        fmt::format("is of version {} and this is {}: the bits would differ", trace.software_version, build::kVersion),
        "resume with that version, or run it again"};
  return {};
}

std::string why_not_resumed(const std::string& path) {
  const Left left = furthest(path).left;
  return left.trace ? "" : left.obstacle.why.empty() ? "cannot be read: " + left.failure : left.obstacle.why;
}

Resumption prepare_resumption(const Request& request) {
  const std::string& given = request.config.resume;
  const bool is_partial = given.ends_with(kPartial);
  const std::string path = is_partial ? given.substr(0, given.size() - kPartial.size()) : given;
  const std::string output = request.config.output.empty() ? path : request.config.output;
  require_writable_folder(std::filesystem::path(output).parent_path().string(), "--resume", given);
  (void)is_there(given);
  OutputLock lock(output);  // first: what is read is then nobody's work in progress

  auto [from, left] = furthest(given);
  if (!left.trace) throw InputError("--resume {}: {}", given, left.text(from));

  Config config = config_of(*left.trace, from);
  refuse_contradictions(request, config);
  refuse_idle_parameters(
      {.command = request.command, .config = config, .arguments = {}, .help = {}, .given = request.given});
  config.output = output;
  config.quiet = request.config.quiet;
  config.dry_run = request.config.dry_run;
  config.threads = request.config.threads;  // auto: what this allocation has
  config.overwrite = request.config.overwrite;
  validate(config, "run");
  config = resolve(config);
  if (output != path) require_replaceable({&config, 1}, false);
  return {.path = from, .lock = std::move(lock), .config = config, .trace = std::move(*left.trace)};
}

namespace {

// Where `resolved`, which is unfinished, can be resumed; nothing, and why, where it cannot.
std::optional<Resumption> find_resumption(const Config& resolved, std::string& why) {
  OutputLock lock(resolved.output);
  auto [from, left] = furthest(resolved.output);
  if (!left.trace) {
    why = left.obstacle.why.empty() ? left.failure : fmt::format("{} {}", from, left.obstacle.why);
    return {};
  }
  return Resumption{.path = from, .lock = std::move(lock), .config = resolved, .trace = std::move(*left.trace)};
}

}  // namespace

Trace run_or_continue(const Config& config, const DataSplit& data, ProgressLine& line, std::size_t piece,
                      const std::string& name, Continued& count) {
  const Fingerprints now = fingerprints_of(config, data);
  if (std::optional<Trace> finished = finished_run(config, now, true)) {
    ++count.kept;
    return std::move(*finished);
  }
  const ProgressReport progress = [&](double done) { line.show(piece, name, done); };
  if (config.overwrite || find_output(config, &now).standing != Standing::unfinished)
    return run_experiment(config, data, progress);
  std::string why;
  std::optional<Resumption> resumption = find_resumption(config, why);
  if (!resumption) {
    line.clear();
    tell("quantimed: {}; it is run again from its start\n", why);
    return run_experiment(config, data, progress);
  }
  ++count.resumed;
  return run_experiment(config, data, progress, &*resumption);
}

std::string continued_text(const Continued& count) {
  const auto line = [](std::size_t runs, const char* one, const char* several) {
    return runs == 0 ? "" : fmt::format("{} {}\n", runs, runs == 1 ? one : several);
  };
  return line(count.kept, "run was complete already and is kept; --overwrite runs it again.",
              "runs were complete already and are kept; --overwrite runs them again.") +
         line(count.resumed, "run was resumed where it had stopped.", "runs were resumed where they had stopped.");
}

std::string continuing_text(const Config& given) {
  return given.overwrite ? "the same command without --overwrite continues" : "the same command continues";
}

void add_cut(Attributes& state, const Checkpoint& checkpoint) {
  const auto append = [&](const char* name, double value) {
    const std::string before = text(state, name, "");
    const std::string all = fmt::format("{}{}{:.10g}", before, before.empty() ? "" : ", ", value);
    for (auto& [key, attribute] : state)
      if (key == name) {
        attribute = all;
        return;
      }
    state.emplace_back(name, all);
  };
  const auto& iteration = checkpoint.iteration;
  append("resumed_at_iteration", std::accumulate(iteration.begin(), iteration.end(), 0.0) /
                                     static_cast<double>(std::max<std::size_t>(iteration.size(), 1)));
  append("resumed_at_time_s", number(checkpoint.state, "clock", 0));
}

}  // namespace quantimed
