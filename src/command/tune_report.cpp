// SPDX-License-Identifier: BSD-3-Clause
#include "command/tune_report.hpp"

#include "command/certificate.hpp"
#include "command/experiment.hpp"
#include "command/study_file.hpp"
#include "command/table_text.hpp"
#include "command/tune_notes.hpp"
#include "config/algorithm_options.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>

namespace quantimed {

namespace {

std::string steps_text(const Search& search, const Trial& trial) {
  std::string text = search.steps.has_two() ? fmt::format("{}, {}", trial.alpha, trial.mixing) : trial.alpha;
  for (std::size_t k = 0; k < trial.others.size(); ++k)
    text += fmt::format(", {} {}", row_of(search.steps.searched[k].parameter).option, trial.others[k]);
  return text;
}

// In the order of their table: what is looked for in some algorithm.
std::vector<Parameter> searched_parameters(const TuneReport& report) {
  std::vector<Parameter> found;
  for (const ParameterRow& row : parameter_table())
    if (std::ranges::any_of(report.searches, [&](const Search& s) { return s.steps.searches(row.parameter); }))
      found.push_back(row.parameter);
  return found;
}

std::string time_text(const Search& search, std::size_t trial, std::size_t target) {
  return time_text(search.runs[trial], target);
}

// On the clock that charges the other count of bits, which `round` runs have too; empty: a run has one clock alone.
std::vector<TrialRun> charged_otherwise(const TuneReport& report, std::span<const KeptTrial> kept) {
  std::vector<TrialRun> runs;
  for (const KeptTrial& trial : kept) {
    Progress curve = trial.progress;
    curve.time = report.given.bits == "wire" ? curve.time_paper_bits : curve.time_wire_bits;
    if (curve.time.empty()) return {};
    runs.push_back(trial_run(curve, trial.counts(), report.targets));
  }
  return runs;
}

// The winners' times on that clock; "" where no run has it.
std::string other_clock_table(const TuneReport& report) {
  if (report.targets.empty()) return "";
  const char* const other = report.given.bits == "wire" ? "the paper's bits" : "bits on the wire";
  std::vector<std::vector<std::string>> table = {{fmt::format("these steps, the clock charging {}", other)}};
  for (const double target : report.targets) table[0].push_back(fmt::format("time to {:g}", target));
  bool is_known = false;
  for (const Search& search : report.searches) {
    const auto runs =
        search.winner ? charged_otherwise(report, search.traces[*search.winner]) : std::vector<TrialRun>{};
    table.push_back({search.algorithm.name});
    for (std::size_t k = 0; k < report.targets.size(); ++k)
      table.back().push_back(runs.empty() ? "another run" : time_text(runs, k));
    is_known |= !runs.empty();
  }
  if (!is_known) return "";
  return "\n" + table_text(table) +
         "another run: what it reads depends on the clock; quantimed compare runs it on both\n";
}

std::string share_text(const TuneReport& report) {
  return std::isfinite(report.budget.time) ? fmt::format("{:g} s", report.budget.time)
                                           : fmt::format("{} iterations", report.given.iterations);
}

std::vector<std::string> for_all_targets(const TuneReport& report, const Search& search) {
  std::vector<std::string> line = {search.algorithm.name};
  line.push_back(search.winner ? steps_text(search, search.trials[*search.winner]) : "none works");
  line.push_back(search.winner && !report.targets.empty() ? plateau(search.trials, search.runs, *search.winner) : "—");
  for (std::size_t k = 0; k < report.targets.size(); ++k)
    line.push_back(search.winner ? time_text(search, *search.winner, k) : "—");
  line.push_back(steps_text(search, search.trials[*search.published]));
  line.push_back(report.targets.empty() ? "—" : time_text(search, *search.published, report.targets.size() / 2));
  return line;
}

std::vector<std::string> for_each_target(const TuneReport& report, const Search& search) {
  std::vector<std::string> line = {search.algorithm.name};
  for (std::size_t k = 0; k < report.targets.size(); ++k) {
    const auto winner = search.winners[k];
    line.push_back(
        winner ? fmt::format("{}: {}", steps_text(search, search.trials[*winner]), time_text(search, *winner, k))
               : "—");
  }
  return line;
}

// The steps for a target of its own, where they are worth runs of their own.
bool has_own_steps(const Search& search, std::size_t target) {
  const auto winner = search.winners[target];
  if (!winner || winner == search.winner) return false;
  // --gamma and its like have no values for one target.
  if (search.steps.mixing == Steps::Mixing::gamma || search.steps.is_quasi_random()) return false;
  return median_time(search.runs[*search.winner], target) > kWorthARun * median_time(search.runs[*winner], target);
}

// `mixing`: whose steps of the mixing; none: alpha.
std::string steps_option(const TuneReport& report, std::string Trial::*step,
                         Steps::Mixing mixing = Steps::Mixing::none) {
  std::string text;
  for (const Search& search : report.searches) {
    if (!search.winner || (step == &Trial::mixing && search.steps.mixing != mixing)) continue;
    const auto add = [&](const std::string& name, std::size_t trial) {
      text += fmt::format("{}{}={}", text.empty() ? "" : ",", name, search.trials[trial].*step);
    };
    add(search.algorithm.name, *search.winner);
    for (std::size_t k = 0; k < report.targets.size(); ++k)
      if (has_own_steps(search, k))
        add(fmt::format("{}@{}", search.algorithm.name, report.targets[k]), *search.winners[k]);
  }
  return text;
}

// Ten that did not tune: 1 to 10, or those behind the tuning's.
std::vector<std::uint64_t> judging_seeds(const std::vector<std::uint64_t>& tuning) {
  std::vector<std::uint64_t> seeds = Config{}.seeds;
  const bool overlap = std::any_of(tuning.begin(), tuning.end(),
                                   [&](std::uint64_t seed) { return seed >= seeds.front() && seed <= seeds.back(); });
  if (overlap)
    for (std::uint64_t& seed : seeds) seed += *std::max_element(tuning.begin(), tuning.end());
  return seeds;
}

}  // namespace

void Search::rate(const std::vector<double>& targets) {
  runs.assign(trials.size(), {});
  for (std::size_t k = 0; k < traces.size(); ++k)
    for (const KeptTrial& kept : traces[k]) runs[k].push_back(trial_run(kept.progress, kept.counts(), targets));
}

namespace {

bool tunes_gamma(const Search& search) { return search.steps.mixing == Steps::Mixing::gamma; }

std::string mixing_title(const TuneReport& report) {
  if (!searched_parameters(report).empty()) return "alpha, epsilon or gamma, what --search names, for all targets";
  return std::ranges::any_of(report.searches, tunes_gamma) ? "alpha, epsilon or gamma for all targets"
                                                           : "alpha, epsilon for all targets";
}

bool is_looked_for(const TuneReport& report, const std::string& algorithm, Parameter parameter) {
  return std::ranges::any_of(report.searches, [&](const Search& search) {
    if (search.algorithm.name != algorithm) return false;
    return (parameter == Parameter::gamma && tunes_gamma(search)) || search.steps.searches(parameter);
  });
}

// "dsgd-atc=0.9,motef=0.8" of the winners; "": it is not looked for.
std::string found_values(const TuneReport& report, Parameter parameter) {
  std::string text;
  for (const Search& search : report.searches)
    for (std::size_t k = 0; search.winner && k < search.steps.searched.size(); ++k)
      if (search.steps.searched[k].parameter == parameter)
        text += fmt::format("{}{}={}", text.empty() ? "" : ",", search.algorithm.name,
                            search.trials[*search.winner].others[k]);
  return text;
}

}  // namespace

std::string tune_text(const TuneReport& report) {
  const Config& c = report.given;
  std::vector<std::vector<std::string>> all = {{"algorithm", mixing_title(report), "alpha within 5 %"}},
                                        each = {{"best for each target"}};
  for (const double target : report.targets) {
    all[0].push_back(fmt::format("time to {:g}", target));
    each[0].push_back(fmt::format("{:g}", target));
  }
  all[0].emplace_back("published or usual steps");
  all[0].push_back(report.targets.empty()
                       ? "with them"
                       : fmt::format("with them to {:g}", report.targets[report.targets.size() / 2]));
  for (const Search& search : report.searches) {
    all.push_back(for_all_targets(report, search));
    each.push_back(for_each_target(report, search));
  }
  return fmt::format(
      "{} time, {} for every algorithm, {}, {}, batch {}; {} trials of each algorithm, of which {} with all of the "
      "seeds {}; medians over them\n{}\n{}{}{}",
      c.engine == "virtual" ? "virtual" : "real", share_text(report), c.dataset, c.model, c.batch, c.trials,
      finalists(c.trials), fmt::join(c.seeds, ", "),
      own_options_text(
          c, chosen_algorithms("tune", c),
          [&](const std::string& name, Parameter parameter) { return is_looked_for(report, name, parameter); }),
      table_text(all) + other_clock_table(report),
      report.targets.empty() ? "\nNo trial's loss fell; the least final loss decides.\n" : "\n" + table_text(each),
      tune_notes(report));
}

std::string trials_csv(const TuneReport& report) {
  std::string text = kTrialsStart;
  for (const double target : report.targets) text += fmt::format(",time_to_{:g}_s", target);
  text += ",trace,gamma";
  const std::vector<Parameter> searched = searched_parameters(report);
  for (const Parameter parameter : searched) text += fmt::format(",{}", row_of(parameter).option);
  text += "\n";
  for (const Search& search : report.searches)
    for (std::size_t trial = 0; trial < search.traces.size(); ++trial)
      for (std::size_t k = 0; k < search.traces[trial].size(); ++k) {
        const KeptTrial& kept = search.traces[trial][k];
        text += fmt::format("{},\"{}\",\"{}\",{},{},{},\"{}\",{}", search.algorithm.name, kept.alpha, kept.epsilon,
                            search.trials[trial].is_published ? "published"
                            : search.steps.is_quasi_random()  ? "quasi-random"
                            : trial < search.grid             ? "grid"
                                                              : "finer",
                            kept.seed, to_string(kept.status), kept.verdict,
                            kept.progress.loss.empty() ? kForever : kept.progress.loss.back());
        for (const double time : search.runs[trial][k].times) text += fmt::format(",{}", time);
        text += fmt::format(",{},{}", kept.file, kept.gamma);
        for (const Parameter parameter : searched) {
          const auto own = kept.parameters.find(parameter);
          text += "," + (own == kept.parameters.end() ? "" : own->second);
        }
        text += "\n";
      }
  return text;
}

std::string tuned_ini(const TuneReport& report, const std::string& data) {
  Config c = report.given;
  c.algorithms.clear();
  for (const Search& search : report.searches)
    if (search.winner) c.algorithms.emplace_back(search.algorithm.name);
  if (c.algorithms.empty()) return "";
  c.alpha = steps_option(report, &Trial::alpha);
  c.epsilon = steps_option(report, &Trial::mixing, Steps::Mixing::epsilon);
  if (const std::string gammas = steps_option(report, &Trial::mixing, Steps::Mixing::gamma); !gammas.empty()) {
    std::string& gamma = c.parameters[Parameter::gamma];  // beside those that were given
    gamma += (gamma.empty() ? "" : ",") + gammas;
  }
  for (const Parameter parameter : searched_parameters(report))
    if (const std::string values = found_values(report, parameter); !values.empty()) {
      std::string& own = c.parameters[parameter];
      own += (own.empty() ? "" : ",") + values;
    }
  c.target_loss = report.targets;
  c.max_time = report.budget.time;
  c.seeds = judging_seeds(report.given.seeds);
  c.output = "";
  Config resolved = c;
  resolved.algorithm = c.algorithms.front();
  c.nodes = resolve(resolved).nodes;
  c.tuned_by = make_certificate(c, report.given.trials, report.given.seeds, data, doubts_of(report));
  return fmt::format("# Step sizes found by quantimed tune; to compare with them: quantimed compare --config FILE\n{}",
                     study_ini(c));
}

std::string plan_text(const TuneReport& report, std::size_t runs) {
  std::string text = fmt::format("# {} runs, {} for every algorithm\n", runs, share_text(report));
  for (const Search& search : report.searches) {
    const char* const second = search.steps.mixing == Steps::Mixing::gamma ? "gamma" : "epsilon";
    for (const Trial& trial : search.trials) {
      text += fmt::format("{}: alpha {}, {} {}", search.algorithm.name, trial.alpha, second, trial.mixing);
      for (std::size_t k = 0; k < trial.others.size(); ++k)
        text += fmt::format(", {} {}", row_of(search.steps.searched[k].parameter).option, trial.others[k]);
      text += "\n";
    }
    if (!search.steps.is_quasi_random())
      text += fmt::format("{}: {} more between the best of these\n", search.algorithm.name,
                          report.given.trials - search.grid);
    text += fmt::format("{}: alpha {}, {} {} (published)\n", search.algorithm.name, search.algorithm.alpha, second,
                        published_mixing(search.steps));
  }
  return text;
}

}  // namespace quantimed
