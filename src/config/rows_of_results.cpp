// SPDX-License-Identifier: BSD-3-Clause
// What is measured, and where it goes.
#include "config/option_rows.hpp"

#include "theory/schedule.hpp"

namespace quantimed {

namespace {

using C = Config;
Listing quantity_listing() {
  Listing listing;
  for (const QuantityRow& row : quantity_table()) listing.emplace_back(row.name, row.formula);
  return listing;
}
std::vector<std::string> quantity_names() {
  std::vector<std::string> names;
  for (const QuantityRow& row : quantity_table()) names.emplace_back(row.name);
  return names;
}

}  // namespace

// clang-format off
std::vector<OptionRow> evaluation_rows() {
  return {
    {.name = "evaluations", .topic = Topic::evaluation, .commands = kTimedRuns | kReplay, .value = "K",
     .help = "points on the curve, off the clock; replay: of a new curve, into --output",
     .field = &C::evaluations, .least = 1, .most = 1'000'000},
    {.name = "curve", .topic = Topic::evaluation, .commands = kTimedRuns,
     .help = "how a run on threads draws its curve: of copies of its models that nodes make while the clock runs, or of no copies, "
             "by a replay of its log once it has ended, which takes about as long as the run",
     .field = &C::curve, .choices = {"live", "replay"}, .clocks = kRealTime},
    {.name = "target-loss", .topic = Topic::evaluation, .commands = kTimedRuns, .value = "LOSS,LOSS",
     .help = "report the time to these training losses; none: no target in run, chosen from the runs in compare and tune",
     .field = &C::target_loss, .usual = "none", .is_above_least = true},
    {.name = "evaluate-samples", .topic = Topic::evaluation, .commands = kTimedRuns, .value = "N",
     .help = "take the curve's losses, accuracies and gradient norm over N samples of the training set, evenly spaced "
             "over the nodes', and as many of the test set; all: over all of them",
     .field = &C::evaluate_samples, .usual = "all"},
    {.name = "optimum", .topic = Topic::evaluation, .commands = kRun | kCompare,
     .help = "compute f* first (Newton's method, float64, without a matrix), and show how far the loss is from it, also where nodes "
             "count by the samples that they have computed; of least squares, and of logistic regression of two classes",
     .field = &C::optimum},
    {.name = "quantities", .topic = Topic::evaluation, .commands = kTheory, .value = "NAME,NAME",
     .help = "what to fit, after T iterations; auto: what the schedule makes a promise of. x_i is node i's model",
     .field = &C::quantities, .usual = "auto", .choices = quantity_names(), .listing = quantity_listing},
  };
}

std::vector<OptionRow> output_rows() {
  return {
    {.name = "output", .topic = Topic::output, .commands = kRuns | kExport | kCalibrate | kReplay, .value = "PATH",
     .help = "the trace (run, replay), the folder (compare, scale, predict, theory), the data set (export), the machine "
             "file (calibrate); auto: named after what is in it",
     .field = &C::output, .usual = "auto"},
    {.name = "overwrite", .topic = Topic::output, .commands = kRuns | kExport | kCalibrate | kReplay,
     .help = "run again what is complete already, and replace results of other options; files that quantimed did not "
             "write are never replaced",
     .field = &C::overwrite, .in_ini = false},
    {.name = "timeline", .topic = Topic::output, .commands = kTimedRuns, .help = "record when each node computes, sends and waits",
     .field = &C::timeline},
    {.name = "no-record", .topic = Topic::output, .commands = kTimedRuns,
     .help = "keep no log of what the clock decides: such a run cannot be replayed, nor resumed once it was killed",
     .field = &C::no_record, .clocks = kRealTime},
    {.name = "counters", .topic = Topic::output, .commands = kRun | kCompare | kScale,
     .help = "count each node's cycles, instructions, misses of the last-level cache and stalled cycles, and the energy of "
             "the machine's processors; what the machine or its rights do not give is named with the reason",
     .field = &C::counters, .clocks = kRealTime},
    {.name = "replay", .topic = Topic::output, .commands = kVerify,
     .help = "recompute the runs in real time as well, and compare every bit (quantimed replay)", .field = &C::replay,
     .in_ini = false},
    {.name = "json", .topic = Topic::output, .commands = kCompare | kInfo, .help = "print the result as one JSON document",
     .field = &C::json, .in_ini = false},
    {.name = "fom", .topic = Topic::output, .commands = kRun, .help = "print the figures for programs, too: lines FOM name: value unit",
     .in_ini = false},
    {.name = "quiet", .topic = Topic::output, .commands = kRuns | kVerify | kReplay | kInfo | kExport | kCalibrate,
     .help = "print results and errors alone", .field = &C::quiet},
    {.name = "jitter", .topic = Topic::output, .commands = kInfo,
     .help = "measure for 4 s how much time each core loses to interrupts and others, on all at once", .field = &C::jitter,
     .in_ini = false},
    {.name = "contents", .topic = Topic::output, .commands = kInfo,
     .help = "what a run with these --dataset, --classes, --grey, --normalise, --seed, --graph, --speed and --machine (or --config) "
             "reads, with fingerprints of the contents, and nothing else",
     .field = &C::contents, .in_ini = false},
    {.name = "dependencies", .topic = Topic::output, .commands = kInfo,
     .help = "list the libraries in use with their versions, and nothing else", .field = &C::dependencies, .in_ini = false},
    {.name = "help", .topic = Topic::output, .commands = ~0u, .help = "this text", .in_ini = false},
  };
}
// clang-format on

}  // namespace quantimed
