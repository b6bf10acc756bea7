// SPDX-License-Identifier: BSD-3-Clause
// One plain value for all that a user can set. command_line.cpp is the only user of Boost.ProgramOptions.
// What each field is called, may hold and means to a user: one row of the table of options (rows_of_*.cpp).
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "algorithm/alpha_schedule.hpp"
#include "algorithm/parameters.hpp"
#include "base/types.hpp"
#include "dataset/shards.hpp"

namespace quantimed {

// What is known of a Config beside its options, and makes no two of them differ.
struct Aside {
  bool is_so = false;
  bool operator==(const Aside&) const { return true; }
};

// An empty text, a 0 or an infinity that means "the usual one" is written as a word (auto, all, none) by users.
struct Config {
  std::string algorithm = "quantimed-dsgd";  // run: row of the algorithm table
  std::string engine = "virtual";            // virtual | threads
  std::uint32_t nodes = 0;                   // 0: 50 in virtual time, one a core on threads
  std::uint32_t threads = 0;                 // virtual and evaluation: worker threads; 0: all cores allowed
  bool oversubscribe = false;
  std::string placement = "compact";  // compact | spread | l3 | list:0-3,8
  bool smt = false;
  std::string interference;  // "COUNT,SHARE,PERIOD": who competes for the nodes' cores; "": nobody
  std::string graph = "erdos-renyi:0.4";
  std::string mixing = "laplacian";
  std::string dataset = "fashion-mnist";
  std::vector<int> classes;  // labels; empty: all
  std::string target;        // "": by the files and the model; classes | regression
  bool grey = false;
  bool normalise = false;
  std::string augment;                            // see parse_augmentation; "": none
  std::uint32_t samples_per_node = kAutoSamples;  // as make_shards() takes it
  std::string partition = "contiguous";
  std::string model = "mlp:50";
  std::string precision = "single";  // single | double: of models, gradients and exact messages
  std::string activation = "sigmoid";
  std::string loss;                     // "": the model's usual one
  std::vector<double> initial = {0.5};  // half-widths of the uniform start, one a layer or one for all
  double l2 = 1.0;                      // λ
  std::string l2_per = "dataset";       // dataset | batch
  std::uint32_t batch = 50;             // b
  std::string deadline;                 // T_d, see parse_deadline; "": auto
  bool deadline_adapt = false;
  double deadline_slack = 0;   // s; 0: 1 % of T_d
  std::string alpha, epsilon;  // see for_algorithm; "": the algorithm's published ones
  // --gamma, --momentum, …, see for_algorithm; not there: each algorithm's usual one. Resolved: those of the algorithm.
  std::map<Parameter, std::string> parameters;
  std::string gradient;  // batch | deadline, see for_algorithm; "": by the algorithm's definition
  bool allow_large_epsilon = false;
  bool one_setting = false;        // of the steps, those for one target (NAME@TARGET) are left out
  std::string tuned_by;            // what the steps were tuned for, see command/certificate.hpp; "": nothing is known
  std::uint32_t iterations = 300;  // at most
  std::uint32_t horizon = 0;       // T in the steps' formulas; 0: iterations
  double max_time = kForever;      // s, on the run's clock
  std::string budget = "time";     // compare, tune: time | iterations, what every algorithm gets as much of
  std::string codec = "low-precision:1e-3";
  std::string machine;                 // a machine file; "": none
  std::uint32_t ranks = 0;             // of a run over MPI that is predicted with `machine`; 0: none, one process
  std::uint32_t hosts = 1;             // that these ranks are on
  std::string speed;                   // "": uniform:10,90 in virtual time, none on threads
  std::string link;                    // "": paper:3 in virtual time, none on threads
  std::string fault;                   // see parse_faults; "": none
  double patience = 0;                 // s; 0: auto
  std::string bits = "wire";           // wire | paper: what the virtual clock charges
  std::string sync = "barrier";        // barrier | neighbourhood
  std::uint32_t evaluations = 50;      // K
  std::string curve = "live";          // live | replay: how a run in real time draws it
  std::uint32_t evaluate_samples = 0;  // 0: all
  bool optimum = false;                // run
  std::vector<double> target_loss;     // empty: none (run), chosen from the runs (compare, tune)
  std::uint64_t seed = 1;              // run
  std::vector<std::uint64_t> seeds = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10};  // compare
  std::vector<std::string> algorithms;  // compare, scale, …; empty: compared_algorithms()
  std::vector<std::uint64_t> cores;     // scale; empty: 1, 2, 4, … up to all that may be used
  std::string study = "both";           // scale: strong | weak | both
  std::uint32_t warm_up = 1;            // scale: runs of each point that are thrown away
  std::uint32_t repeats = 1;
  std::uint32_t trials = 24;                      // tune, for each algorithm
  std::vector<double> alpha_range = {0.02, 5};    // tune: [least, most]
  std::string search;                             // tune: parameters to look for, too, momentum=0.5:0.99
  std::vector<double> epsilon_range = {0.1, 1};   // tune: [least, most]
  std::string schedule = "strongly-convex:0.25";  // theory, see parse_schedule
  double c1 = 1, c2 = 1;                          // theory: the constants of alpha and epsilon
  std::vector<std::uint64_t> horizons = {100, 300, 1000, 3000, 10'000, 30'000};  // theory
  std::vector<double> deadlines;                                                 // theory: s; empty: no sweep
  std::vector<std::string> graphs;                                               // theory; empty: no sweep
  std::vector<std::string> quantities;                                           // theory; empty: the promised ones
  bool timeline = false;
  bool no_record = false;
  bool counters = false;
  bool replay = false;
  bool dry_run = false;
  bool overwrite = false;
  bool quiet = false;
  bool json = false;          // compare
  bool jitter = false;        // info
  bool dependencies = false;  // info
  bool contents = false;      // info
  std::string resume;         // run: the trace to go on from; "": none
  std::string output;         // "": runs/<algorithm>-<engine>-seed<seed>-<hash>.h5; compare, scale: a folder
  Aside threads_auto = {};    // resolved: `threads` is what the machine has, and may be fewer

  bool operator==(const Config&) const = default;
};

// What holds where nothing is given. scale differs from Config{}: real time, repeats, a batch that many numbers of
// cores divide and that takes long enough to be timed, and no curve, whose copies of models take time. So does theory:
// a small problem whose solution can be computed.
Config default_config(const std::string& command);

// A command line or an .ini that was understood: what to do, and with what.
struct Request {
  std::string command;  // run | compare | scale | verify | info | export | help | version
  Config config;
  std::vector<std::string> arguments;  // of verify: paths, at least one
  std::string help;                    // command help: the text to print (the short one where argc < 2)
  std::vector<std::pair<std::string, std::string>> given = {};  // the options as they were given, --config too
};

// Defaults, then each --config FILE in the order given (later files win), then the command line. An .ini may hold any
// option, so that one file serves run, compare and export; on the command line an option that the command would
// ignore is an error. Ends with validate(), except that --resume brings its own configuration.
// Throws InputError: one line that names the option, the value, the fix. Unknown options name the nearest known one.
Request parse_command_line(int argc, const char* const* argv);

// Contradictions between options: one check for all commands that run something. Throws InputError. --speed, --link
// and --interference are only checked for where they are allowed: the engines understand their text.
void validate(const Config& config, const std::string& command);

// Every option as "name = value" lines that --config reads back to the same Config. Only dry_run, overwrite, resume,
// jitter, contents and dependencies are left out: what --dry-run printed is there to be run, and the others are no
// matter of a run.
std::string to_ini(const Config& config);
// The same, as pairs, for the trace.
std::vector<std::pair<std::string, std::string>> to_pairs(const Config& config);

// --alpha, --epsilon and their like: a step for all ("0.2"), or one for each algorithm named
// ("dsgd=0.2,q-dsgd=0.3*T^(-1/6)"); a step without a name is for all that are not named. "dsgd@1.9=0.4" is the one for
// the target loss 1.9, beside that for all targets. This is the part of `text` that is meant for `algorithm`: "" where
// there is none, and its published step holds. `target` 0: for all targets. Does not throw for a text that was parsed.
std::string for_algorithm(const std::string& text, const std::string& algorithm, double target = 0);
// The targets for which it has steps of their own, in the order of the text.
std::vector<double> step_targets(const std::string& text, const std::string& algorithm);

// T of the steps' formulas.
inline std::uint32_t step_horizon(const Config& config) { return config.horizon ? config.horizon : config.iterations; }

// A step at horizon T: "0.2", "0.3*T^(-1/6)", "15*T^-0.5", "15/T^(1/2)", "T^(-1/2)". Finite and above 0.
// `option` as the user writes it, "--alpha". Throws InputError.
double step_size(const std::string& option, const std::string& text, std::uint32_t horizon);

// A step that changes: "warm-up 5%, 0.1 until 50%, 0.01 until 75%, 0.001"; marks are shares of the horizon, epochs (of
// `epoch` iterations; 0: not known yet, and the order of marks is not looked at) or iterations. Nothing for a plain
// step, which is looked at as well. Throws InputError.
AlphaSchedule alpha_schedule(const std::string& option, const std::string& text, std::uint32_t horizon,
                             double epoch = 0);
bool is_schedule(const std::string& step);
bool counts_epochs(const std::string& step);
// "0.1 until 50%": another step has to follow.
bool is_unfinished_schedule(const std::string& step);

}  // namespace quantimed
