// SPDX-License-Identifier: BSD-3-Clause
// Step sizes for each algorithm, found with the same budget; every trial is kept. tuning.hpp says how.
#include "algorithm/table.hpp"
#include "base/error.hpp"
#include "base/path_kind.hpp"
#include "base/streams.hpp"
#include "command/budget.hpp"
#include "command/certificate.hpp"
#include "command/commands.hpp"
#include "command/experiment.hpp"
#include "command/outputs.hpp"
#include "command/progress_line.hpp"
#include "command/resumption.hpp"
#include "command/setup.hpp"
#include "command/signals.hpp"
#include "command/study_file.hpp"
#include "command/table_text.hpp"
#include "command/tune_report.hpp"
#include "command/tuning.hpp"
#include "config/algorithm_options.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <optional>

namespace quantimed {

namespace {

// Resolved; "": the algorithm has none.
std::string gamma_of(const Config& config) {
  const auto gamma = config.parameters.find(Parameter::gamma);
  return gamma == config.parameters.end() ? "" : gamma->second;
}

class Tuning {
 public:
  explicit Tuning(const Request& request);
  int operator()();

 private:
  bool is_given(const AlgorithmRow& row, Parameter parameter) const;
  Steps looked_for(const AlgorithmRow& row, std::span<const SearchedRange> searched) const;
  Config config_of(const Search& search, std::size_t trial, std::uint64_t seed) const;
  std::vector<Config> published() const;
  Config study_of(const Config& resolved) const;
  void tell_cost();
  void run(Search& search, std::size_t trial, std::size_t seeds);
  void run_grids();
  void set_targets();
  void run_finer(Search& search);
  void run_finalists(Search& search);
  void choose(Search& search) const;
  std::size_t runs_of_one() const;
  int finish();
  void require_own_files() const;

  Config given_;
  std::string folder_;
  std::string search_;  // --search: the trials' own figures do not depend on it
  std::vector<Search> searches_;
  std::vector<double> targets_;
  Budget budget_;
  DataSplit data_;
  std::string data_key_;
  std::optional<ProgressLine> line_;
  std::size_t piece_ = 0, done_ = 0;
  Continued continued_;
  bool interrupted_ = false;
};

Tuning::Tuning(const Request& request)
    : given_(with_one_budget(request)),
      folder_(given_.output.empty() ? "runs/tune" : given_.output),
      search_(given_.search),
      targets_(given_.target_loss) {
  check_range("--alpha-range", given_.alpha_range);
  check_range("--epsilon-range", given_.epsilon_range);
  std::sort(targets_.rbegin(), targets_.rend());
  given_.alpha = given_.epsilon = given_.tuned_by = "";  // an .ini may hold some
  given_.target_loss.clear();                            // the trials' own figures do not depend on it
  given_.search.clear();
  std::vector<SearchedRange> idle = searched_ranges(search_);
  const std::vector<SearchedRange> all = idle;
  for (const std::string& name : chosen_algorithms("tune", given_)) {
    const AlgorithmRow& row = find_algorithm(name);
    Search search{.algorithm = row, .steps = looked_for(row, all), .index = searches_.size()};
    search.trials = search.steps.is_quasi_random()
                        ? plan_quasi_random(search.steps, given_.trials, given_.alpha_range, given_.epsilon_range)
                        : plan_grid(search.steps, given_.trials - fine_trials(given_.trials), given_.alpha_range,
                                    given_.epsilon_range);
    search.grid = search.trials.size();
    std::erase_if(idle, [&](const SearchedRange& range) { return search.steps.searches(range.parameter); });
    searches_.push_back(std::move(search));
  }
  if (!idle.empty())
    throw InputError("--search {}: none of the chosen algorithms has {} without a value given; leave it out", search_,
                     row_of(idle.front().parameter).option);
}

bool Tuning::is_given(const AlgorithmRow& row, Parameter parameter) const {
  const auto given = given_.parameters.find(parameter);
  return given != given_.parameters.end() && !for_algorithm(given->second, row.name).empty();
}

Steps Tuning::looked_for(const AlgorithmRow& row, std::span<const SearchedRange> searched) const {
  Steps steps = steps_of(row, is_given(row, Parameter::gamma));
  for (const SearchedRange& range : searched)
    if (!is_given(row, range.parameter) &&
        std::ranges::any_of(row.parameters, [&](const ParameterUse& use) { return use.parameter == range.parameter; }))
      steps.searched.push_back(range);
  return steps;
}

Config Tuning::config_of(const Search& search, std::size_t trial, std::uint64_t seed) const {
  const Trial& steps = search.trials[trial];
  Config c = given_;
  c.algorithm = search.algorithm.name;
  if (!steps.is_published) {
    c.alpha = steps.alpha;
    if (search.steps.mixing == Steps::Mixing::gamma) c.parameters[Parameter::gamma] = steps.mixing;
    c.epsilon = search.steps.mixing == Steps::Mixing::epsilon ? steps.mixing : "";
    for (std::size_t k = 0; k < steps.others.size(); ++k)
      c.parameters[search.steps.searched[k].parameter] = steps.others[k];
  }
  c.seed = seed;
  c = with_budget(c, budget_, search.index);
  c.output = fmt::format("{}/{}-{}-seed{}.h5", folder_, search.algorithm.name,
                         steps.is_published ? "published" : fmt::format("trial{}", trial + 1), seed);
  c = resolve(c);
  c.repeats = 1;
  return c;
}

// Each algorithm with its published steps and the first seed.
std::vector<Config> Tuning::published() const {
  std::vector<Config> configs;
  for (const Search& search : searches_) {
    Config c = given_;
    c.algorithm = search.algorithm.name;
    c.seed = given_.seeds.front();
    configs.push_back(resolve(c));
  }
  return configs;
}

Config Tuning::study_of(const Config& resolved) const {
  std::vector<std::string> names;
  for (const Search& search : searches_) names.emplace_back(search.algorithm.name);
  Config study = study_config(given_, names, resolved);
  study.target_loss = targets_;
  study.search = search_;
  return study;
}

// All trials once, as many finalists with the other seeds, and the published steps with all.
std::size_t Tuning::runs_of_one() const {
  const std::size_t seeds = given_.seeds.size();
  return given_.trials + finalists(given_.trials) * (seeds - 1) + seeds;
}

void Tuning::tell_cost() {
  const std::size_t runs = runs_of_one() * searches_.size();
  Seconds wall = 0;
  for (const Pace& pace : budget_.paces)
    wall += static_cast<double>(runs_of_one()) * pace.wall * budget_.time / pace.clock;
  if (given_.quiet) return;
  tell("{} runs: {} trials of each of {} algorithms{}\n", runs, given_.trials, searches_.size(),
       wall > 1 && std::isfinite(wall) ? fmt::format(", about {}", duration_text(wall)) : "");
}

// The seeds that this trial has not had yet, up to `seeds` in all.
void Tuning::run(Search& search, std::size_t trial, std::size_t seeds) {
  search.runs.resize(search.trials.size());
  while (search.traces[trial].size() < seeds && !interrupted_) {
    const std::uint64_t seed = given_.seeds[search.traces[trial].size()];
    const Config config = config_of(search, trial, seed);
    if (std::string key = data_key(config); key != data_key_) {
      data_ = load_data_of_another_seed(config);
      data_key_ = std::move(key);
    }
    Trace trace = run_or_continue(config, data_, *line_, piece_,
                                  fmt::format("{} alpha {}", config.algorithm, config.alpha), continued_);
    ++piece_;
    if (trace.status == RunStatus::interrupted) {
      interrupted_ = true;
      return;
    }
    ++done_;
    search.traces[trial].push_back({.seed = seed,
                                    .alpha = config.alpha,
                                    .epsilon = config.epsilon,
                                    .gamma = gamma_of(config),
                                    .parameters = config.parameters,
                                    .file = std::filesystem::path(config.output).filename().string(),
                                    .status = trace.status,
                                    .verdict = std::move(trace.verdict),
                                    .progress = std::move(trace.progress)});
    interrupted_ = signal_came();
  }
}

void Tuning::run_grids() {
  for (Search& search : searches_) {
    search.traces.resize(search.trials.size());
    for (std::size_t trial = 0; trial < search.grid && !interrupted_; ++trial) run(search, trial, 1);
  }
}

// Given, or shares of the fall to the best that any trial of any algorithm has reached.
void Tuning::set_targets() {
  double start = kForever, best = kForever;
  for (const Search& search : searches_)
    for (const auto& trial : search.traces)
      for (const KeptTrial& kept : trial) {
        if (!kept.counts()) continue;
        start = std::min(start, kept.progress.loss.front());
        best = std::min(best, *std::min_element(kept.progress.loss.begin(), kept.progress.loss.end()));
      }
  if (targets_.empty()) targets_ = tuning_targets(start, best);
}

void Tuning::run_finer(Search& search) {
  if (search.steps.is_quasi_random()) return;  // all of its trials have run
  search.rate(targets_);
  const std::size_t count = given_.trials - search.grid;
  const auto first = leaders(search.runs, targets_.size(), std::max<std::size_t>(1, count / 2));
  const std::vector<Trial> finer =
      plan_around(search.steps, search.trials, first, fine_trials(given_.trials) ? count : 0, given_.alpha_range,
                  given_.epsilon_range);
  search.trials.insert(search.trials.end(), finer.begin(), finer.end());
  search.traces.resize(search.trials.size());
  for (std::size_t trial = search.grid; trial < search.trials.size() && !interrupted_; ++trial) run(search, trial, 1);
}

void Tuning::run_finalists(Search& search) {
  search.rate(targets_);
  for (const std::size_t trial : leaders(search.runs, targets_.size(), finalists(given_.trials)))
    run(search, trial, given_.seeds.size());
  search.published = search.trials.size();
  search.trials.push_back(
      {.alpha = search.algorithm.alpha, .mixing = published_mixing(search.steps), .is_published = true});
  search.traces.emplace_back();
  run(search, *search.published, given_.seeds.size());
  search.rate(targets_);
}

void Tuning::choose(Search& search) const {
  auto runs = search.runs;
  if (search.published) runs[*search.published].clear();  // beside the budget
  const auto best = [&](std::size_t target) -> std::optional<std::size_t> {
    const auto order = ranking(runs, target);
    if (order.empty() || std::isinf(score(runs[order[0]], target).loss)) return {};
    return order[0];
  };
  search.winner = best(kAllTargets);
  for (std::size_t target = 0; target < targets_.size(); ++target) search.winners.push_back(best(target));
}

int Tuning::finish() {
  for (Search& search : searches_) {
    search.runs.resize(search.trials.size());
    search.rate(targets_);
    if (!interrupted_) choose(search);
  }
  const TuneReport report{.given = given_, .searches = searches_, .targets = targets_, .budget = budget_};
  write_text(folder_ + "/trials.csv", trials_csv(report));
  fmt::print("{}", continued_text(continued_));
  if (interrupted_) {
    fmt::print("Stopped by a signal after {} runs; {}.\n", done_, continuing_text(given_));
    return kInterrupted;
  }
  const std::string text = tune_text(report);
  write_text(folder_ + "/table.md", table_mark("tune") + text);
  fmt::print("{}Every trial: {}/trials.csv\n", text, folder_);
  const std::string ini = tuned_ini(report, certified_data(given_, data_));
  if (ini.empty()) {
    fmt::print("No algorithm has steps that work; widen --alpha-range.\n");
    return kDiverged;
  }
  write_text(folder_ + "/tuned.ini", ini);
  fmt::print("To compare with these steps, on other seeds:\n  quantimed compare --config {}/tuned.ini\n", folder_);
  return kDone;
}

// What is to be written over is ours, beside what StudyFile asks: the tables, and the traces that are planned already.
// Others are asked before their runs.
void Tuning::require_own_files() const {
  require_own_text(folder_ + "/trials.csv", kTrialsStart);
  require_own_text(folder_ + "/tuned.ini", "# Step sizes found by quantimed tune");
  for (const Search& search : searches_)
    for (std::size_t trial = 0; trial < search.trials.size(); ++trial) {
      const Config config = config_of(search, trial, given_.seeds.front());
      if (find_output(config, nullptr).standing == Standing::foreign) require_replaceable({&config, 1}, true);
    }
}

int Tuning::operator()() {
  const std::vector<Config> configs = published();  // all that is wrong is found first
  if (!given_.dry_run) {
    make_folder("--output", folder_);
    require_writable_folder(folder_, "--output", folder_);
    require_own_files();
  }
  StudyFile study("tune", folder_, study_of(configs.front()));
  data_key_ = data_key(configs.front());
  data_ = load_data(configs.front());
  require_codecs(configs, data_);
  if (!given_.dry_run) study.require_same(data_);
  catch_signals();
  Paces paces(folder_, given_.overwrite);
  budget_ = plan_budget(given_, configs, data_, paces);
  if (signal_came()) return kInterrupted;
  for (const Search& search : searches_)
    for (std::size_t trial = 0; trial < search.trials.size(); ++trial)
      (void)config_of(search, trial, given_.seeds.front());
  if (given_.dry_run) {
    fmt::print("{}", plan_text({.given = given_, .searches = searches_, .targets = targets_, .budget = budget_},
                               runs_of_one() * searches_.size()));
    return kDone;
  }
  paces.keep();
  study.write();
  tell_cost();
  line_.emplace(runs_of_one() * searches_.size(), given_.quiet);
  run_grids();
  if (!interrupted_) set_targets();
  for (Search& search : searches_)
    if (!interrupted_) run_finer(search);
  for (Search& search : searches_)
    if (!interrupted_) run_finalists(search);
  line_.reset();
  return finish();
}

}  // namespace

int tune_command(const Request& request) { return Tuning(request)(); }

}  // namespace quantimed
