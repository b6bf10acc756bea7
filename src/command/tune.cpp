// Step sizes for each algorithm, found with the same budget; every trial is kept.
#include "algorithm/table.hpp"
#include "base/error.hpp"
#include "command/commands.hpp"
#include "command/experiment.hpp"
#include "command/progress_line.hpp"
#include "command/signals.hpp"
#include "command/table_text.hpp"
#include "command/tuning.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <numeric>
#include <optional>

namespace quantimed {

namespace {

// The search of one algorithm.
struct Search {
  const AlgorithmRow& algorithm;
  std::vector<Trial> trials;
  std::vector<std::vector<Score>> scores;  // [trials], over seeds in the order of --seeds
  std::optional<std::size_t> winner = {};
};

class Tuning {
 public:
  explicit Tuning(const Request& request);
  int operator()();

 private:
  Config config_of(const Search& search, std::size_t trial, std::uint64_t seed) const;
  void run(Search& search, std::size_t trial, std::size_t seeds);
  void run_search(Search& search);
  void write_best(const Search& search) const;
  std::vector<std::string> line_of(const Search& search) const;
  std::string figure(const Score& score) const;
  std::size_t runs_in_all() const;

  Config given_;
  double target_;
  std::string folder_;
  std::vector<Search> searches_;
  DataSplit data_;
  std::uint64_t data_seed_ = 0;
  std::optional<ProgressLine> line_;
  std::size_t piece_ = 0;
  bool interrupted_ = false;
  std::string csv_ = "algorithm,alpha,epsilon,published,seed,status,verdict,time_to_target_s,final_loss,trace\n";
};

void check_range(const char* option, const std::vector<double>& range) {
  if (range.size() != 2 || !(range[0] > 0) || !(range[1] >= range[0]))
    throw InputError("{} {}: give LEAST,MOST, both above 0", option, fmt::join(range, ","));
}

Tuning::Tuning(const Request& request)
    : given_(request.config),
      target_(given_.target_loss.empty() ? 0 : given_.target_loss.front()),
      folder_(given_.output.empty() ? "runs/tune" : given_.output) {
  check_range("--alpha-range", given_.alpha_range);
  check_range("--epsilon-range", given_.epsilon_range);
  std::vector<std::string> names = given_.algorithms;
  if (names.empty())
    for (const AlgorithmRow& row : algorithm_table()) names.emplace_back(row.name);
  for (const std::string& name : names) {
    const AlgorithmRow& row = find_algorithm(name);
    Search search{.algorithm = row,
                  .trials = plan_trials(row, given_.trials, given_.alpha_range, given_.epsilon_range),
                  .scores = {}};
    search.scores.resize(search.trials.size());
    searches_.push_back(std::move(search));
  }
}

Config Tuning::config_of(const Search& search, std::size_t trial, std::uint64_t seed) const {
  Config c = given_;
  c.algorithm = search.algorithm.name;
  c.alpha = search.trials[trial].alpha;
  c.epsilon = search.trials[trial].epsilon;
  c.seed = seed;
  c.output = fmt::format("{}/{}-{}-seed{}.h5", folder_, search.algorithm.name,
                         search.trials[trial].is_published ? "published" : fmt::format("trial{}", trial + 1), seed);
  c = resolve(c);
  c.repeats = 1;
  return c;
}

// The seeds that this trial has not had yet, up to `seeds` in all.
void Tuning::run(Search& search, std::size_t trial, std::size_t seeds) {
  while (search.scores[trial].size() < seeds && !interrupted_) {
    const std::uint64_t seed = given_.seeds[search.scores[trial].size()];
    const Config config = config_of(search, trial, seed);
    if (is_generated(config.dataset) && seed != data_seed_) {
      data_ = load_data(config);
      data_seed_ = seed;
    }
    const Trace trace = run_experiment(config, data_, [&](double done) {
      line_->show(piece_, fmt::format("{} alpha {}", config.algorithm, config.alpha), done);
    });
    ++piece_;
    if (trace.status == RunStatus::interrupted) {
      interrupted_ = true;
      return;
    }
    const bool counts = trace.verdict == "VALID";
    const Score worth =
        counts ? score(trace.status, trace.progress, target_) : Score{.time = kForever, .loss = kForever};
    search.scores[trial].push_back(worth);
    csv_ += fmt::format("{},\"{}\",\"{}\",{},{},{},\"{}\",{},{},{}\n", config.algorithm, config.alpha, config.epsilon,
                        search.trials[trial].is_published, seed, to_string(trace.status), trace.verdict,
                        target_ > 0 ? fmt::format("{}", worth.time) : "", trace.progress.loss.back(),
                        std::filesystem::path(config.output).filename().string());
    interrupted_ = signal_came();
  }
}

void Tuning::run_search(Search& search) {
  const std::size_t grid = search.trials.size() - 1;  // the published steps are last
  std::vector<std::size_t> candidates(grid);
  std::iota(candidates.begin(), candidates.end(), std::size_t{0});
  for (const Rung& rung : plan_rungs(grid, given_.seeds.size())) {
    candidates = rung.seeds == 1 ? candidates : best(search.scores, candidates, rung.survivors);
    for (const std::size_t trial : candidates) run(search, trial, rung.seeds);
  }
  run(search, grid, given_.seeds.size());
  if (interrupted_) return;
  const auto first = best(search.scores, candidates, 1);
  if (!first.empty() && std::isfinite(median(search.scores[first[0]]).loss)) search.winner = first[0];
}

std::string Tuning::figure(const Score& score) const {
  if (std::isinf(score.loss)) return "diverged";
  if (target_ > 0) return std::isinf(score.time) ? "missed" : fmt::format("{:.4g} s", score.time);
  return fmt::format("{:.4g}", score.loss);
}

std::vector<std::string> Tuning::line_of(const Search& search) const {
  const std::size_t published = search.trials.size() - 1;
  const auto runs = std::accumulate(search.scores.begin(), search.scores.end() - 1, std::size_t{0},
                                    [](std::size_t sum, const auto& scores) { return sum + scores.size(); });
  const Trial& theirs = search.trials[published];
  const auto steps = [&](const Trial& trial) {
    return search.algorithm.uses_epsilon ? fmt::format("{}, {}", trial.alpha, trial.epsilon) : trial.alpha;
  };
  return {search.algorithm.name,
          search.winner ? steps(search.trials[*search.winner]) : "—",
          search.winner ? figure(median(search.scores[*search.winner])) : "—",
          steps(theirs),
          search.scores[published].empty() ? "—" : figure(median(search.scores[published])),
          fmt::format("{} in {} runs", published, runs)};
}

// An .ini to run, with what it is worth.
void Tuning::write_best(const Search& search) const {
  if (!search.winner) return;
  Config c = config_of(search, *search.winner, given_.seeds.front());
  c.output = "";
  c.threads = given_.threads;
  write_text(fmt::format("{}/{}.ini", folder_, search.algorithm.name),
             fmt::format("# The best of {} trials for {}, median over seeds {}: {} {}. All trials: trials.csv\n{}",
                         search.trials.size() - 1, search.algorithm.name, fmt::join(given_.seeds, ", "),
                         target_ > 0 ? fmt::format("time to loss {:g}", target_) : "final loss",
                         figure(median(search.scores[*search.winner])), to_ini(c)));
}

std::size_t Tuning::runs_in_all() const {
  std::size_t runs = 0;
  for (const Search& search : searches_) {
    std::size_t before = 0;
    for (const Rung& rung : plan_rungs(search.trials.size() - 1, given_.seeds.size())) {
      runs += rung.survivors * (rung.seeds - before);
      before = rung.seeds;
    }
    runs += given_.seeds.size();
  }
  return runs;
}

int Tuning::operator()() {
  for (const Search& search : searches_)  // all that is wrong is found first
    for (std::size_t trial = 0; trial < search.trials.size(); ++trial)
      (void)config_of(search, trial, given_.seeds.front());
  if (given_.dry_run) {
    fmt::print("# {} runs\n", runs_in_all());
    for (const Search& search : searches_)
      for (const Trial& trial : search.trials)
        fmt::print("{}: alpha {}, epsilon {}{}\n", search.algorithm.name, trial.alpha, trial.epsilon,
                   trial.is_published ? " (published)" : "");
    return kDone;
  }
  std::error_code error;
  std::filesystem::create_directories(folder_, error);
  require_writable_folder(folder_, "--output", folder_);
  data_seed_ = given_.seeds.front();
  data_ = load_data(config_of(searches_.front(), 0, data_seed_));
  catch_signals();
  line_.emplace(runs_in_all(), given_.quiet);
  for (Search& search : searches_)
    if (!interrupted_) run_search(search);
  line_.reset();

  std::vector<std::vector<std::string>> lines = {
      {"algorithm", "tuned alpha, epsilon", target_ > 0 ? fmt::format("time to loss {:g}", target_) : "final loss",
       "published alpha, epsilon", "with these", "trials"}};
  std::string notes;
  for (const Search& search : searches_) {
    lines.push_back(line_of(search));
    write_best(search);
    if (!search.winner) continue;
    const std::string option = edge_of_grid(search.trials[*search.winner], search.trials);
    if (!option.empty())
      notes += fmt::format("{}: the best lies at the edge of the grid; widen {}\n", search.algorithm.name, option);
  }
  const std::string text = fmt::format(
      "{} time, {}, {}, batch {}, {} iterations; medians over seeds {}; each algorithm has the same number of "
      "trials\n\n"
      "{}{}",
      given_.engine == "virtual" ? "virtual" : "real", given_.dataset, given_.model, given_.batch, given_.iterations,
      fmt::join(given_.seeds, ", "), table_text(lines), notes);
  write_text(folder_ + "/trials.csv", csv_);
  write_text(folder_ + "/table.md", text);
  if (interrupted_) fmt::print("Stopped by a signal after {} runs.\n\n", piece_);
  fmt::print("{}Every trial: {}/trials.csv", text, folder_);
  const auto found = std::ranges::find_if(searches_, [](const Search& search) { return search.winner.has_value(); });
  if (found != searches_.end())
    fmt::print("; to run the best: quantimed run --config {}/{}.ini", folder_, found->algorithm.name);
  fmt::print("\n");
  return interrupted_ ? kInterrupted : kDone;
}

}  // namespace

int tune_command(const Request& request) { return Tuning(request)(); }

}  // namespace quantimed
