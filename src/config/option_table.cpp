// SPDX-License-Identifier: BSD-3-Clause
#include "config/option_table.hpp"

#include <deque>

#include <fmt/ranges.h>

#include "algorithm/table.hpp"
#include "codec/codec.hpp"
#include "config/nearest.hpp"
#include "config/steps.hpp"
#include "config/synonyms.hpp"
#include "dataset/augment.hpp"
#include "dataset/dataset.hpp"
#include "dataset/shards.hpp"
#include "engine/deadline_rule.hpp"
#include "engine/faults.hpp"
#include "engine/link_model.hpp"
#include "engine/placement.hpp"
#include "engine/speed_model.hpp"
#include "theory/schedule.hpp"
#include "topology/network.hpp"

namespace quantimed {

namespace {

constexpr CommandRow kCommandTable[] = {
    {kRun, "run", "[OPTIONS]", "one run: one HDF5 trace"},
    {kCompare, "compare", "[OPTIONS]", "algorithms x seeds, paired: a folder of traces, and a table"},
    {kCalibrate, "calibrate", "[OPTIONS]", "measures what a node's steps cost on this machine, into a file"},
    {kPredict, "predict", "[OPTIONS]", "virtual time against real time on this machine, phase by phase"},
    {kTune, "tune", "[OPTIONS]", "step sizes, the same budget for each algorithm, into an .ini to compare"},
    {kTheory, "theory", "[OPTIONS]", "the theorems' rates by experiment, compared with the bounds"},
    {kScale, "scale", "[OPTIONS]", "strong and weak scaling over cores, in real time: traces and tables"},
    {kReport, "report", "FOLDER...", "a page, figures and tables of the traces in a folder"},
    {kJudge, "judge", "[FILE|-]", "medians, targets, winners of a JSON document (analysis/README.md)"},
    {kVerify, "verify", "[OPTIONS] FILE...", "checks traces: schema, invariants, verdict"},
    {kReplay, "replay", "[OPTIONS] FILE", "recomputes a run in real time from its trace, and compares every bit"},
    {kInfo, "info", "[OPTIONS]", "cores, caches, clock, BLAS, limits; what is wrong with this machine"},
    {kExport, "export", "[OPTIONS]", "writes a data set as HDF5"},
    {kCite, "cite", "[ALGORITHM...]", "what to cite, as BibTeX; all: the papers of all algorithms"},
    {kCompletion, "completion", "SHELL", "what bash, zsh or fish offer after a TAB; man: the manual page"},
    {kHelp, "help", "[COMMAND]", "this text, or a command's"},
    {kVersion, "version", "", "the version"},
};

// ---- listings: what other modules' tables offer ---------------------------------------------------
template <class Rows>
Listing syntax_listing(const Rows& rows) {
  Listing listing;
  for (const auto& row : rows) listing.emplace_back(row.syntax, row.help);
  return listing;
}
Listing algorithm_listing() {
  Listing listing;
  for (const AlgorithmRow& row : algorithm_table()) listing.emplace_back(row.name, row.help);
  return listing;
}
Listing codec_listing() { return syntax_listing(codec_table()); }
Listing speed_listing() { return syntax_listing(kSpeedKinds); }
Listing graph_listing() { return syntax_listing(kGraphKinds); }
Listing link_listing() { return syntax_listing(kLinkKinds); }
Listing fault_listing() { return syntax_listing(kFaultKinds); }
Listing placement_listing() { return syntax_listing(kPlacementKinds); }
Listing schedule_listing() { return syntax_listing(kSchedules); }
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
Listing dataset_listing() {
  Listing listing;
  for (const KnownDataset& known : known_datasets()) listing.emplace_back(known.name, known.description);
  return listing;
}
std::vector<std::string> algorithm_names() {
  std::vector<std::string> names;
  for (const AlgorithmRow& row : algorithm_table()) names.emplace_back(row.name);
  return names;
}

// ---- checks of texts --------------------------------------------------------------------------------
void check_one_algorithm(const std::string& text) {
  if (text.find(',') != std::string::npos)
    throw InputError("--algorithm {}: run takes one; give one, or use quantimed compare --algorithms {}", text, text);
}
void check_graph(const std::string& text) { parse_graph(text); }
void check_mixing(const std::string& text) { parse_mixing(text); }
void check_partition(const std::string& text) { parse_partition(text); }
void check_placement(const std::string& text) { parse_placement(text); }
void check_augment(const std::string& text) { parse_augmentation(text); }
void check_fault(const std::string& text) { parse_faults(text, ~std::uint32_t{0}); }
void check_alpha(const std::string& text) { check_steps("--alpha", text); }
void check_epsilon(const std::string& text) { check_steps("--epsilon", text); }
void check_schedule(const std::string& text) { parse_schedule(text); }
void check_deadline(const std::string& text) { parse_deadline(text, 1); }

using C = Config;
constexpr double kMostNodes = 1'000'000;

// clang-format off
std::vector<OptionRow> run_rows() {
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
    {.name = "repeats", .commands = kRun | kCompare | kPredict | kScale, .value = "N", .help = "runs of each algorithm and seed", .field = &C::repeats, .least = 1},
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

std::vector<OptionRow> data_rows() {
  return {
    {.name = "dataset", .topic = Topic::data, .commands = kRuns | kExport | kCalibrate | kInfo, .value = "NAME|PATH",
     .help = "looked for in $QUANTIMED_DATA, datasets/ and /usr/share/datasets", .field = &C::dataset,
     .listing = dataset_listing},
    {.name = "classes", .topic = Topic::data, .commands = kRuns | kExport | kCalibrate | kInfo, .value = "N,N",
     .help = "keep only the samples with these labels, as classes 0, 1, ... in this order", .field = &C::classes,
     .usual = "all", .least = -16'777'216, .most = 16'777'216},
    {.name = "target", .topic = Topic::data, .commands = kRuns | kExport | kCalibrate | kInfo,
     .help = "what the targets of LIBSVM text are; auto: two labels are classes, fractions are values, and other whole "
             "numbers are what --model takes, which is said",
     .field = &C::target, .usual = "auto", .choices = {"classes", "regression"}},
    {.name = "grey", .topic = Topic::data, .commands = kRuns | kExport | kCalibrate | kInfo, .help = "colour to grey", .field = &C::grey},
    {.name = "normalise", .topic = Topic::data, .commands = kRuns | kCalibrate | kInfo,
     .help = "features to mean 0 and standard deviation 1 over the training set: of images each colour, of tables each "
             "feature; sparse rows cannot be",
     .field = &C::normalise},
    {.name = "augment", .topic = Topic::data, .commands = kTimedRuns | kCalibrate, .value = "crop:PIXELS,flip",
     .help = "of images: each sample of a gradient is moved at random by up to PIXELS, black where it moved from, and "
             "mirrored half of the time; either or both, drawn from the seed; evaluation sees the images as they are",
     .field = &C::augment, .usual = "none", .check = check_augment},
    {.name = "samples-per-node", .topic = Topic::data, .commands = kRuns | kCalibrate, .value = "M", .help = "each node's own; all: equal shares of all",
     .field = &C::samples_per_node, .usual = "all"},
    {.name = "partition", .topic = Topic::data, .value = "contiguous|iid|by-label|dirichlet:A",
     .help = "who holds which samples: file order, shuffled, sorted by label, or a class mix from Dirichlet(A)",
     .field = &C::partition, .check = check_partition},
  };
}

std::vector<OptionRow> model_rows() {
  return {
    {.name = "model", .topic = Topic::model, .commands = kRuns | kCalibrate, .value = "least-squares|logistic|mlp:H,H|gn-lenet|resnet20|layers:LAYER,LAYER",
     .help = "mlp: a network with these hidden layers, mlp:50 or mlp:30,20,20,25; gn-lenet, resnet20: convolutional "
             "networks with group norm, for square images; layers: one of your own, of conv:CHANNELS:KERNEL[:STRIDE][:no-bias], "
             "norm:GROUPS, relu, max:SIDE, average[:SIDE], linear[:OUTPUTS] and residual blocks [LAYER,LAYER], as in "
             "layers:conv:32:5,norm:2,relu,max:2,linear", .field = &C::model},
    {.name = "activation", .topic = Topic::model, .commands = kRuns | kCalibrate, .help = "of hidden units", .field = &C::activation,
     .choices = {"sigmoid", "tanh", "relu"}},
    {.name = "loss", .topic = Topic::model, .commands = kRuns | kCalibrate, .help = "of one sample; auto: the model's usual one", .field = &C::loss,
     .usual = "auto", .choices = {"sigmoid-cross-entropy", "softmax", "squared"}},
    {.name = "initial", .topic = Topic::model, .value = "A,A",
     .help = "the start is uniform in +-A, one A for all or one a layer", .field = &C::initial},
    {.name = "l2", .topic = Topic::model, .value = "LAMBDA", .help = "weight of the l2 term; biases are left out",
     .field = &C::l2},
    {.name = "l2-per", .topic = Topic::model,
     .help = "gradient + LAMBDA x / (training samples): every algorithm has the same objective; or LAMBDA x / |batch|, "
             "as in the paper's code: the objective then depends on the batch",
     .field = &C::l2_per, .choices = {"dataset", "batch"}},
  };
}

std::vector<OptionRow> algorithm_rows() {
  return {
    {.name = "batch", .topic = Topic::algorithm, .commands = kRuns | kCalibrate, .value = "B", .help = "samples of a gradient", .field = &C::batch,
     .least = 1, .most = kMostSamples},
    {.name = "gradient", .topic = Topic::algorithm, .value = "batch|deadline",
     .help = "what ends a gradient: --batch samples, or the --deadline, for any algorithm whose rounds all nodes share and "
             "that takes one gradient in each; or one for each algorithm, q-dsgd=deadline; auto: batch, and deadline for "
             "algorithms that are defined by one",
     .field = &C::gradient, .usual = "auto", .check = check_gradient},
    {.name = "deadline", .topic = Topic::algorithm, .value = "SECONDS|auto:B|auto:quantile:Q",
     .help = "T_d of algorithms that compute until one and of --gradient deadline, or chosen before the clock starts from modelled or measured speeds: for a mean "
             "batch of B, or so that a share Q of the nodes finish --batch samples; auto: auto:BATCH",
     .field = &C::deadline, .usual = "auto", .check = check_deadline, .units = "s"},
    {.name = "deadline-adapt", .topic = Topic::algorithm,
     .help = "choose T_d again in each iteration, from the speeds of the node and its neighbours",
     .field = &C::deadline_adapt},
    {.name = "deadlines", .topic = Topic::algorithm, .commands = kTheory, .value = "SECONDS,SECONDS",
     .help = "T_d is varied instead of the horizon; none: --deadline holds", .field = &C::deadlines, .usual = "none",
     .is_above_least = true, .units = "s"},
    {.name = "deadline-slack", .topic = Topic::algorithm, .commands = kTimedRuns, .value = "SECONDS",
     .help = "on threads: how far past T_d a gradient may rarely end; auto: 1 % of T_d", .field = &C::deadline_slack,
     .usual = "auto", .is_above_least = true, .clocks = kRealTime, .units = "s"},
    {.name = "alpha", .topic = Topic::algorithm, .commands = kTimedRuns & ~kTune, .value = "STEP",
     .help = "weight of the gradient: 0.2, 0.3*T^(-1/6) with T the --horizon, or one for each algorithm, "
             "dsgd=0.2,q-dsgd=0.3*T^(-1/6); compare: dsgd@1.9=0.4 is the one for the target loss 1.9; auto: the "
             "published one. A step that changes: \"warm-up 5%, 0.1 until 50%, 0.01 until 75%, 0.001\", in shares of T, "
             "iterations (until 200) or epochs of a node's samples (until 3 epochs)",
     .field = &C::alpha, .usual = "auto", .check = check_alpha},
    {.name = "epsilon", .topic = Topic::algorithm, .commands = kTimedRuns & ~kTune, .value = "STEP", .help = "step of the mixing, written like --alpha; at most 1",
     .field = &C::epsilon, .usual = "auto", .check = check_epsilon},
    {.name = "allow-large-epsilon", .topic = Topic::algorithm, .commands = kTimedRuns,
     .help = "let epsilon be above 1, where a round no longer averages; the published 15*T^(-1/2) is so below T = 225, and "
             "taken as 1 without this",
     .field = &C::allow_large_epsilon},
    {.name = "one-setting", .topic = Topic::algorithm, .commands = kCompare,
     .help = "leave out the steps that are for one target (NAME@TARGET=STEP): each algorithm has one setting for all targets",
     .field = &C::one_setting},
    {.name = "tuned-by", .topic = Topic::algorithm, .commands = kTimedRuns & ~kTune, .value = "TEXT",
     .help = "what the steps were tuned for, as quantimed tune writes it into tuned.ini; tables and traces say whether it "
             "holds for the run",
     .field = &C::tuned_by, .usual = "none"},
    {.name = "schedule", .topic = Topic::algorithm, .commands = kTheory, .value = "KIND",
     .help = "a theorem's step sizes at horizon T, and what it promises", .field = &C::schedule,
     .check = check_schedule, .listing = schedule_listing},
    {.name = "c1", .topic = Topic::algorithm, .commands = kTheory, .value = "C", .help = "the constant of alpha",
     .field = &C::c1, .is_above_least = true},
    {.name = "c2", .topic = Topic::algorithm, .commands = kTheory, .value = "C", .help = "the constant of epsilon",
     .field = &C::c2, .is_above_least = true},
    {.name = "trials", .topic = Topic::algorithm, .commands = kTune, .value = "N",
     .help = "step sizes to try for each algorithm, the published ones not counted", .field = &C::trials, .least = 1,
     .most = 10'000},
    {.name = "alpha-range", .topic = Topic::algorithm, .commands = kTune, .value = "LEAST,MOST",
     .help = "alpha is tried on a logarithmic grid between these", .field = &C::alpha_range, .is_above_least = true},
    {.name = "epsilon-range", .topic = Topic::algorithm, .commands = kTune, .value = "LEAST,MOST",
     .help = "and so is the step of the mixing, epsilon or gamma, where the algorithm has one and --gamma does not give it", .field = &C::epsilon_range, .is_above_least = true},
    {.name = "codec", .topic = Topic::algorithm, .commands = kRuns | kCalibrate, .value = "CODE", .help = "how algorithms that quantize send their vectors; or one for each, choco-sgd=top-k:0.1,q-dsgd=qsgd:16",
     .field = &C::codec, .check = check_codes, .listing = codec_listing},
  };
}

// --gamma, --momentum, …: one for each row of the table of parameters.
std::vector<OptionRow> parameter_rows() {
  static std::deque<std::string> texts;  // rows point to them
  std::vector<OptionRow> rows;
  for (const ParameterRow& parameter : parameter_table()) {
    std::vector<std::string> usual;
    for (const AlgorithmRow& row : algorithm_table())
      for (const ParameterUse& use : row.parameters)
        if (use.parameter == parameter.parameter) usual.push_back(fmt::format("{} {}", row.name, use.usual));
    texts.push_back(fmt::format("{}; or one for each algorithm, NAME=VALUE,NAME=VALUE; auto: {}", parameter.help,
                                usual.empty() ? "no algorithm has it" : fmt::format("{}", fmt::join(usual, ", "))));
    rows.push_back({.name = parameter.option, .topic = Topic::algorithm, .value = parameter.is_whole ? "N" : "VALUE",
                    .help = texts.back().c_str(), .field = parameter.parameter, .usual = "auto"});
  }
  return rows;
}

std::vector<OptionRow> network_rows() {
  return {
    {.name = "graph", .topic = Topic::network, .commands = kRuns | kInfo,
     .value = "GRAPH",
     .help = "who talks with whom", .field = &C::graph, .check = check_graph, .listing = graph_listing},
    {.name = "mixing", .topic = Topic::network, .value = "laplacian|laplacian:KAPPA|metropolis",
     .help = "the weights W: I - L/KAPPA with KAPPA = largest degree + 2 unless given, or 1/(1 + larger degree)",
     .field = &C::mixing, .check = check_mixing},
    {.name = "graphs", .topic = Topic::network, .commands = kTheory, .value = "GRAPH,GRAPH",
     .help = "the graph is varied instead of the horizon, and with it the spectral gap; none: --graph holds",
     .field = &C::graphs, .usual = "none", .check = check_graph},
  };
}

std::vector<OptionRow> time_rows() {
  return {
    {.name = "machine", .topic = Topic::time_model, .commands = kRun | kCompare | kPredict | kInfo, .value = "FILE",
     .help = "virtual time predicts real time on the machine that this file of `quantimed calibrate` describes; "
             "predict: none measures this machine first",
     .field = &C::machine, .usual = "none"},
    {.name = "speed", .topic = Topic::time_model, .commands = kRuns | kInfo, .value = "KIND",
     .help = "samples per second of each node; auto: uniform:10,90 in virtual time, none on threads",
     .field = &C::speed, .usual = "auto", .listing = speed_listing},
    {.name = "interference", .topic = Topic::time_model, .commands = kTimedRuns, .value = "COUNT,SHARE,PERIOD",
     .help = "on threads, compete for the cores of nodes 0 to COUNT-1: each meets a thread that is busy for SHARE of "
             "every PERIOD seconds",
     .field = &C::interference, .usual = "none", .clocks = kRealTime, .units = "--s"},
    {.name = "link", .topic = Topic::time_model, .value = "KIND",
     .help = "what a message costs; auto: paper:3 in virtual time, none on threads", .field = &C::link,
     .usual = "auto", .listing = link_listing, .units = "sb"},
    {.name = "fault", .topic = Topic::time_model, .commands = kRun, .value = "KIND",
     .help = "nodes that die or fall silent, several separated by ;  algorithms that can continue without them do, "
             "the others wait and end (info --algorithms)",
     .field = &C::fault, .usual = "none", .check = check_fault, .listing = fault_listing, .units = "-s"},
    {.name = "patience", .topic = Topic::time_model, .commands = kTimedRuns, .value = "SECONDS",
     .help = "how long a node waits for a message before its sender counts as lost, and how long a run on threads may "
             "make no progress; auto: 60, and no less than 100 rounds where no --fault was asked for",
     .field = &C::patience, .usual = "auto", .is_above_least = true, .units = "s"},
    {.name = "bits", .topic = Topic::time_model, .help = "what the link of virtual time charges: the bits that are sent, headers included and padding not (T_C is for 16 "
             "bits, so exact float32 models cost 2 T_C), or the paper's count; synchronous runs record both clocks, "
             "and compare makes other ones for each",
     .field = &C::bits, .choices = {"wire", "paper"}, .clocks = kModelledTime},
    {.name = "sync", .topic = Topic::time_model,
     .help = "a virtual round lasts as long as the slowest node, or as the slowest neighbour", .field = &C::sync,
     .choices = {"barrier", "neighbourhood"}, .clocks = kModelledTime},
  };
}

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
    {.name = "optimum", .topic = Topic::evaluation, .commands = kRun,
     .help = "compute f* first (Newton's method, float64, without a matrix), and show how far the loss is from it; of "
             "least squares, and of logistic regression of two classes",
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

}  // namespace

std::span<const CommandRow> command_table() { return kCommandTable; }

const CommandRow* find_command(const std::string& name) {
  for (const CommandRow& row : kCommandTable)
    if (name == row.name) return &row;
  return name == "plot" ? find_command("report") : nullptr;
}

InputError unknown_command(const std::string& name) {
  std::vector<std::string> known;
  for (const CommandRow& row : kCommandTable) known.emplace_back(row.name);
  std::string meant = command_meant_by(name);
  if (meant.empty()) meant = nearest(name, known);
  return InputError("{}: not a command; {}", name,
                    meant.empty() ? "quantimed help lists them" : fmt::format("did you mean {}?", meant));
}

const std::vector<OptionRow>& option_table() {
  static const std::vector<OptionRow> table = [] {
    std::vector<OptionRow> rows;
    for (auto* topic : {run_rows, data_rows, model_rows, algorithm_rows, parameter_rows, network_rows, time_rows,
                        evaluation_rows, output_rows})
      for (OptionRow& row : topic()) rows.push_back(std::move(row));
    return rows;
  }();
  return table;
}

const OptionRow* find_option(const std::string& name) {
  for (const OptionRow& row : option_table())
    if (name == row.name) return &row;
  return nullptr;
}

InputError unknown_option(const std::string& name) {
  std::vector<std::string> known;
  for (const OptionRow& row : option_table()) known.emplace_back(row.name);
  std::string meant = option_meant_by(name);
  if (meant.empty()) meant = nearest(name, known);
  return InputError("--{}: not an option; {}", name,
                    meant.empty() ? "quantimed help COMMAND lists them" : fmt::format("did you mean --{}?", meant));
}

std::string value_syntax(const OptionRow& row) {
  std::string syntax = row.value;
  if (syntax.empty())
    for (const std::string& choice : row.choices) syntax += (syntax.empty() ? "" : "|") + choice;
  return syntax;
}

}  // namespace quantimed
