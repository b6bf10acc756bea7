// SPDX-License-Identifier: BSD-3-Clause
// What is run by whom, and how long.
#include "config/option_rows.hpp"

#include "algorithm/table.hpp"
#include "base/error.hpp"
#include "machine/placement.hpp"

namespace quantimed {

namespace {

using C = Config;
constexpr double kMostNodes = 1'000'000;

std::vector<std::string> algorithm_names() {
  std::vector<std::string> names;
  for (const AlgorithmRow& row : algorithm_table()) names.emplace_back(row.name);
  return names;
}
Listing algorithm_listing() {
  Listing listing;
  for (const AlgorithmRow& row : algorithm_table()) listing.emplace_back(row.name, row.help);
  return listing;
}
Listing placement_listing() { return syntax_listing(kPlacementKinds); }
void check_placement(const std::string& text) { parse_placement(text); }
void check_one_algorithm(const std::string& text) {
  if (text.find(',') != std::string::npos)
    throw InputError("--algorithm {}: run takes one; give one, or use quantimed compare --algorithms {}", text, text);
}

}  // namespace

// clang-format off
std::vector<OptionRow> participant_rows() {
  return {
    {.name = "algorithm", .commands = kRun | kTheory, .value = "NAME", .help = "what to run", .field = &C::algorithm,
     .choices = algorithm_names(), .check = check_one_algorithm, .listing = algorithm_listing, .instead = "--algorithms"},
    {.name = "algorithms", .commands = kCompare | kScale | kPredict | kTune | kInfo, .value = "NAME,NAME",
     .help = "what to compare, to scale, to predict or to tune; paper: the four of the reference paper; all: every one "
             "that there is, on a chain, a star or a file's graph also those that need a tree. info: the table of them, of all without a value",
     .field = &C::algorithms, .usual = "paper", .choices = algorithm_names(), .instead = "--algorithm", .every = "all",
     .may_be_bare = kInfo},
    {.name = "engine", .commands = kRun | kCompare | kScale | kTune, .help = "virtual: a simulated clock, the same bits every time; threads: real time on this machine; "
             "mpi: real time, the nodes in blocks over the ranks of mpirun quantimed-mpi",
     .field = &C::engine, .choices = {"virtual", "threads", "mpi"}},
    {.name = "nodes", .commands = kRun | kCompare | kCalibrate | kPredict | kTune | kTheory, .value = "N",
     .help = "how many nodes; auto: 50 in virtual time, one a core on threads; with --engine mpi over all ranks, to be given",
     .field = &C::nodes, .usual = "auto", .least = 1, .most = kMostNodes, .instead = "--cores"},
    {.name = "cores", .commands = kScale | kPredict, .value = "N,N|N-N",
     .help = "how many cores to use in turn, with a node on each; auto: 1, 2, 4, ... and all that may be used (scale); "
             "none: only what is measured (predict)",
     .field = &C::cores, .usual = "auto", .least = 1, .most = kMostNodes, .instead = "--nodes"},
    {.name = "study", .commands = kScale,
     .help = "strong: --samples-per-node, --batch and a fixed --deadline are those of one core, and N nodes have an Nth "
             "each; weak: each node has all of it",
     .field = &C::study, .choices = {"strong", "weak", "both"}},
    {.name = "warm-up", .commands = kScale, .value = "N",
     .help = "runs of each algorithm and number of cores that come first and are thrown away", .field = &C::warm_up},
    {.name = "threads", .commands = kRuns | kReplay | kVerify, .value = "N",
     .help = "worker threads of virtual time, of evaluation and of a replay; auto: all cores allowed",
     .field = &C::threads, .usual = "auto", .most = 65536},
    {.name = "oversubscribe", .commands = kTimedRuns, .help = "let threads have more nodes than cores; its timings are marked INVALID",
     .field = &C::oversubscribe, .clocks = kRealTime},
    {.name = "placement", .commands = kTimedRuns, .value = "KIND", .help = "which cores the nodes of --engine threads live on",
     .field = &C::placement, .check = check_placement, .listing = placement_listing, .clocks = kRealTime},
    {.name = "smt", .commands = kTimedRuns, .help = "count simultaneous-multithreading siblings as cores (threads)", .field = &C::smt, .clocks = kRealTime},
  };
}

std::vector<OptionRow> length_rows() {
  return {
    {.name = "iterations", .commands = kTimedRuns, .value = "T",
     .help = "iterations of each node, at most; compare and tune: of the algorithm whose iterations are the shortest, and "
             "all get the time that it needs, unless --budget or --max-time says otherwise",
     .field = &C::iterations, .least = 1, .instead = "--horizons"},
    {.name = "horizon", .commands = kTimedRuns, .value = "T",
     .help = "T in the formulas of --alpha and --epsilon; auto: the iterations, in compare and tune those that the "
             "algorithm is expected to do in its time",
     .field = &C::horizon, .usual = "auto", .least = 1, .instead = "--horizons"},
    {.name = "horizons", .commands = kTheory, .value = "T,T",
     .help = "iterations of each node, a run for each; one alone with --deadlines or --graphs", .field = &C::horizons,
     .least = 10, .most = 4e9, .instead = "--iterations"},
    {.name = "max-time", .commands = kTimedRuns, .value = "SECONDS",
     .help = "stop when the run's clock, virtual or real, shows this: 90, 5ms, 2min; compare and tune: the time of every "
             "algorithm",
     .field = &C::max_time, .usual = "none", .usual_number = kForever, .is_above_least = true, .units = "s"},
    {.name = "budget", .commands = kCompare | kTune,
     .help = "what every algorithm gets as much of: the same time on the run's clock, or the same number of iterations",
     .field = &C::budget, .choices = {"time", "iterations"}},
    {.name = "seed", .commands = kRun | kScale | kExport | kCalibrate | kPredict | kInfo, .value = "N",
     .help = "fixes generated data, graph, start, samples, speeds and rounding", .field = &C::seed, .instead = "--seeds"},
    {.name = "seeds", .commands = kCompare | kTune | kTheory, .value = "N,N|N-N", .help = "one run of each algorithm for each seed",
     .field = &C::seeds, .instead = "--seed"},
    {.name = "repeats", .commands = kRun | kCompare | kPredict | kScale, .value = "N", .help = "runs of each algorithm and seed", .field = &C::repeats, .least = 1, .most = 10'000},
    {.name = "config", .commands = kRuns | kExport | kCalibrate | kInfo, .value = "FILE",
     .help = "read options from FILE: name = value, # comments; later files win, the command line wins over all",
     .in_ini = false},
    {.name = "resume", .commands = kRun, .value = "TRACE",
     .help = "resume a run that was stopped (status interrupted) or killed (TRACE.partial), to the same trace; its "
             "options are the trace's, beside which only --threads, --output and --quiet may differ",
     .field = &C::resume, .usual = "none", .in_ini = false},
    {.name = "dry-run", .help = "print the resolved options as an .ini and stop", .field = &C::dry_run, .in_ini = false},
  };
}
// clang-format on

}  // namespace quantimed
