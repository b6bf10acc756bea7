// SPDX-License-Identifier: BSD-3-Clause
#include "config/contradictions.hpp"

#include <utility>

#include "algorithm/table.hpp"
#include "base/error.hpp"
#include "config/algorithm_options.hpp"
#include "config/config.hpp"
#include "config/option_table.hpp"

namespace quantimed {

namespace {

// What a command runs, of all that was given: some fix the engine themselves.
Config as_run_by(const std::string& command, Config config) {
  if (command == "theory") config.engine = "virtual";
  if (command == "predict") {  // measures on threads; what it predicts is held against that
    config.engine = "threads";
    config.machine.clear();
  }
  return config;
}

ClockBit clock_of(const Config& config) {
  if (config.engine != "virtual") return kRealTime;
  return config.machine.empty() ? kModelledTime : kPredictedTime;
}

const char* where(ClockBit clock) {
  switch (clock) {
    case kModelledTime:
      return "in virtual time";
    case kPredictedTime:
      return "with --machine, whose costs are charged instead";
    case kRealTime:
      return "in real time";
  }
  return "";
}

// Contradictions between the engine and the time models, whatever command runs them and wherever they were given.
void check_engine_options(const Config& config) {
  const ClockBit clock = clock_of(config);
  const bool is_virtual = config.engine == "virtual";
  if (is_virtual && config.oversubscribe)
    throw InputError(
        "--oversubscribe: virtual time has any number of nodes on any number of cores; leave it out, "
        "or give --engine threads");
  if (is_virtual && !config.interference.empty())
    throw InputError(
        "--interference {}: virtual time has no cores to compete for; leave it out, or give --engine threads",
        config.interference);
  if (is_virtual && config.counters)
    throw InputError(
        "--counters: virtual time has no cores that count for its nodes; leave it out, or give --engine threads");
  if (clock == kModelledTime && config.speed == "none")
    throw InputError(
        "--speed none: the machine's own speed is for --engine threads or a --machine; in virtual time give "
        "uniform:10,90 or another kind");
  if (clock != kModelledTime && config.link.starts_with("paper"))
    throw InputError(
        "--link {}: charges the paper's clock alone; for a real machine give none or alpha-beta:LATENCY,BANDWIDTH",
        config.link);
  if (clock != kModelledTime && config.sync != Config{}.sync)
    throw InputError("--sync {}: means nothing {}; leave it out", config.sync, where(clock));
  if (!is_virtual && !config.machine.empty())
    throw InputError("--machine {}: on threads the machine is this one; give --engine virtual", config.machine);
}

// A curve that a replay is to draw needs what a replay needs: a log, in this process, of who was there throughout.
void check_curve(const Config& config) {
  if (config.curve != "replay") return;
  if (config.engine == "virtual")
    throw InputError(
        "--curve replay: virtual time has no clock that a copy of a model could hold up; leave it out, or give "
        "--engine threads");
  if (config.engine == "mpi")
    throw InputError(
        "--curve replay: the curve of a run over several processes is drawn of their models; leave it out, or give "
        "--engine threads");
  if (config.no_record)
    throw InputError("--curve replay: is drawn from the log that --no-record leaves out; give one of the two");
  if (!config.fault.empty())
    throw InputError(
        "--curve replay: which models a curve is of while --fault {} takes nodes away is known to the run alone; give "
        "one of the two",
        config.fault);
}

// Who asks threads for 8 threads means nodes; the number of workers that evaluate the run is of no interest.
void refuse_threads_for_nodes(const Config& config, const std::string& command) {
  const bool takes_nodes = command == "run" || command == "compare" || command == "tune";
  if (takes_nodes && config.engine != "virtual" && config.threads > 0 && config.nodes == 0)
    throw InputError(
        "--threads {}: on threads it is the number of workers that evaluate the run; its nodes, one a core, are "
        "--nodes {}; "
        "give --nodes, and --threads beside it if you want both",
        config.threads, config.threads);
}

}  // namespace

bool runs_something(const std::string& command) {
  const CommandRow* row = find_command(command);
  return row && (row->bit & kRuns);
}

void refuse_other_clocks(const Request& request) {
  if (!runs_something(request.command)) return;
  const ClockBit clock = clock_of(as_run_by(request.command, request.config));
  for (const auto& [name, value] : request.given) {
    const OptionRow& row = *find_option(name);
    if (row.clocks & clock) continue;
    throw InputError("--{}{}: means nothing {}; leave it out{}", name, is_switch(row) ? "" : " " + value, where(clock),
                     row.clocks & kRealTime ? ", or give --engine threads"
                     : clock == kRealTime && request.command != "scale" && request.command != "predict"
                         ? ", or give --engine virtual"
                         : "");
  }
}

void validate(const Config& config, const std::string& command) {
  if (!runs_something(command)) return;
  if (command == "scale" && config.engine == "virtual")
    throw InputError("--engine virtual: scale measures real time; give threads, or use quantimed predict");
  if (command == "theory" && !config.machine.empty())
    throw InputError("--machine {}: theory runs on the modelled clock; leave it out", config.machine);
  check_engine_options(as_run_by(command, config));
  if (command != "theory") check_curve(as_run_by(command, config));
  refuse_threads_for_nodes(config, command);
  if (command == "tune" || command == "theory") return;  // they choose the steps
  // A step may leave the range of numbers at this horizon only.
  for (const std::string& algorithm : chosen_algorithms(command, config)) {
    find_algorithm(algorithm);
    for (const auto& [option, text] : {std::pair{"--alpha", config.alpha}, std::pair{"--epsilon", config.epsilon}}) {
      const std::string step = for_algorithm(text, algorithm);
      if (!step.empty()) alpha_schedule(option, step, step_horizon(config));
    }
  }
}

}  // namespace quantimed
