// SPDX-License-Identifier: BSD-3-Clause
// What a search of step sizes leaves behind: the table, all trials, and the .ini for quantimed compare.
#pragma once

#include "command/budget.hpp"
#include "command/tuning.hpp"

#include <map>
#include <optional>
#include <string>
#include <vector>

namespace quantimed {

// A run of a trial; its whole trace is in the folder.
struct KeptTrial {
  std::uint64_t seed;
  std::string alpha, epsilon;
  std::string gamma;                            // "": the algorithm has none
  std::map<Parameter, std::string> parameters;  // all of the algorithm's, as they were
  std::string file;
  RunStatus status;
  std::string verdict;
  Progress progress;
  bool counts() const { return status == RunStatus::complete && verdict == "VALID" && !progress.loss.empty(); }
};

// The search of one algorithm.
struct Search {
  const AlgorithmRow& algorithm;
  Steps steps;                                           // what is searched
  std::size_t index;                                     // of the algorithm in the budget
  std::vector<Trial> trials = {};                        // the grid or sequence, the finer ones, the published steps
  std::size_t grid = 0;                                  // how many are the grid's or sequence's
  std::optional<std::size_t> published = {};             // which of them is the published one
  std::vector<std::vector<KeptTrial>> traces = {};       // [trials], over seeds in the order of --seeds
  std::vector<std::vector<TrialRun>> runs = {};          // the same, by the targets
  std::optional<std::size_t> winner = {};                // for all targets
  std::vector<std::optional<std::size_t>> winners = {};  // [targets]

  void rate(const std::vector<double>& targets);  // fills in runs
};

struct TuneReport {
  const Config& given;
  const std::vector<Search>& searches;
  const std::vector<double>& targets;  // descending
  const Budget& budget;
};

inline constexpr const char* kTrialsStart = "algorithm,alpha,epsilon,pass,seed,status,verdict,final_loss";

std::string tune_text(const TuneReport& report);
std::string trials_csv(const TuneReport& report);
// "" where no algorithm has steps that work. `data`: its fingerprint.
std::string tuned_ini(const TuneReport& report, const std::string& data);
// --dry-run: what would be tried at first.
std::string plan_text(const TuneReport& report, std::size_t runs);

}  // namespace quantimed
