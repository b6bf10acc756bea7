// SPDX-License-Identifier: BSD-3-Clause
// Of the algorithms: gradients, steps, codes, and the parameters that some of them have.
#include "config/option_rows.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <deque>

#include "algorithm/table.hpp"
#include "codec/codec.hpp"
#include "config/steps.hpp"
#include "theory/schedule.hpp"
#include "timing/deadline_rule.hpp"

namespace quantimed {

namespace {

using C = Config;
Listing codec_listing() { return syntax_listing(codec_table()); }
Listing schedule_listing() { return syntax_listing(kSchedules); }
void check_alpha(const std::string& text) { check_steps("--alpha", text); }
void check_search(const std::string& text) { (void)searched_ranges(text); }
void check_epsilon(const std::string& text) { check_steps("--epsilon", text); }
void check_schedule(const std::string& text) { parse_schedule(text); }
void check_deadline(const std::string& text) { parse_deadline(text, 1); }

}  // namespace

// clang-format off
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
  };
}

std::vector<OptionRow> search_rows() {
  return {
    {.name = "trials", .topic = Topic::algorithm, .commands = kTune, .value = "N",
     .help = "step sizes to try for each algorithm, the published ones not counted", .field = &C::trials, .least = 1,
     .most = 10'000},
    {.name = "alpha-range", .topic = Topic::algorithm, .commands = kTune, .value = "LEAST,MOST",
     .help = "alpha is tried on a logarithmic grid between these", .field = &C::alpha_range, .is_above_least = true},
    {.name = "epsilon-range", .topic = Topic::algorithm, .commands = kTune, .value = "LEAST,MOST",
     .help = "and so is the step of the mixing, epsilon or gamma, where the algorithm has one and --gamma does not give it", .field = &C::epsilon_range, .is_above_least = true},
    {.name = "search", .topic = Topic::algorithm, .commands = kTune, .value = "NAME=LEAST:MOST",
     .help = "parameters to look for beside the steps, momentum=0.5:0.99,local-steps=2:32, in the algorithms that have "
             "them; with these all trials are points of a Sobol sequence", .field = &C::search, .usual = "none",
     .check = check_search},
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
        if (use.parameter == parameter.parameter) usual.push_back(fmt::format("{} {}", row.name, value_text(parameter, use.usual)));
    texts.push_back(fmt::format("{}; or one for each algorithm, NAME=VALUE,NAME=VALUE; auto: {}", parameter.help,
                                usual.empty() ? "no algorithm has it" : fmt::format("{}", fmt::join(usual, ", "))));
    rows.push_back({.name = parameter.option, .topic = Topic::algorithm, .value = parameter.is_whole ? "N" : "VALUE",
                    .help = texts.back().c_str(), .field = parameter.parameter, .usual = "auto"});
  }
  return rows;
}
// clang-format on

}  // namespace quantimed
