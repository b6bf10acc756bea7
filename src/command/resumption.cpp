#include "command/resumption.hpp"

#include "base/build_info.hpp"
#include "base/error.hpp"
#include "command/experiment.hpp"
#include "command/outputs.hpp"
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
  const auto& iteration = trace.checkpoint->iteration;
  return std::accumulate(iteration.begin(), iteration.end(), std::uint64_t{0});
}

// Why a trace cannot go on; empty where it can.
std::string finding(const Trace& trace) {
  if (trace.status == RunStatus::complete) return "is complete; nothing is left to do";
  if (trace.status == RunStatus::diverged) return "has diverged; run it again with smaller steps";
  if (const std::string fault = text(trace.config, "fault", ""); !fault.empty() && fault != "none")
    return fmt::format("is of a run with --fault {}, which cannot be resumed; run it again", fault);
  if (!trace.checkpoint)
    return trace.status == RunStatus::running && text(trace.config, "engine", "") == "threads"
               ? "is of a run in real time that was killed, which cannot be resumed; run it again"
               : "holds no checkpoint; run it again";
  if (trace.software_version != build::kVersion)
    return fmt::format(
        "is of version {} and this is {}: the bits would differ; resume with that version, or run it again",
        trace.software_version, build::kVersion);
  return {};
}

// Nothing, and why, where the file is not there, not whole, or cannot go on.
std::optional<Trace> try_trace(const std::string& path, std::string& why) {
  try {
    Trace trace = read_trace(path);
    why = finding(trace);
    if (why.empty()) return trace;
    why = fmt::format("{} {}", path, why);
  } catch (const InputError& error) {
    why = error.what();
  }
  return {};
}

bool may_differ(const std::string& option) {
  for (const char* free : {"resume", "output", "quiet", "threads", "dry-run", "repeats", "overwrite"})
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

Resumption prepare_resumption(const Request& request) {
  const std::string& given = request.config.resume;
  const bool is_partial = given.ends_with(kPartial);
  const std::string path = is_partial ? given.substr(0, given.size() - kPartial.size()) : given;
  const std::string output = request.config.output.empty() ? path : request.config.output;
  require_writable_folder(std::filesystem::path(output).parent_path().string(), "--resume", given);
  OutputLock lock(output);  // first: what is read is then nobody's work in progress

  std::string why, why_not_partial, from = given;
  std::optional<Trace> trace = try_trace(given, why);
  if (const std::string partial = path + std::string(kPartial); !is_partial && std::filesystem::exists(partial)) {
    std::optional<Trace> other = try_trace(partial, why_not_partial);
    const bool is_same_run = other && (!trace || trace->ini == other->ini);
    if (is_same_run && (trace ? progress_of(*other) > progress_of(*trace) : !std::filesystem::exists(path))) {
      trace = std::move(other);
      from = partial;
    }
  }
  if (!trace && !why_not_partial.empty() && !std::filesystem::exists(path)) why = why_not_partial;
  if (!trace) throw InputError("--resume {}: {}", given, why);

  Config config = config_of(*trace, from);
  refuse_contradictions(request, config);
  config.output = output;
  config.quiet = request.config.quiet;
  config.dry_run = request.config.dry_run;
  config.threads = request.config.threads;  // auto: what this allocation has
  config.overwrite = request.config.overwrite;
  validate(config, "run");
  config = resolve(config);
  if (output != path) require_replaceable({&config, 1}, false);
  return {.path = from, .lock = std::move(lock), .config = config, .trace = std::move(*trace)};
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
