// SPDX-License-Identifier: BSD-3-Clause
// Which step sizes a comparison runs: one setting of each algorithm, and where --alpha or --epsilon name some for a
// target loss (dsgd@1.9=0.4), those too. What is the same is run once.
#pragma once

#include "config/config.hpp"

#include <string>
#include <vector>

namespace quantimed {

// What a run counts for.
struct StepsUse {
  std::string setting;    // "alpha 0.4"; empty where the algorithm has one setting
  double for_target = 0;  // this target alone; 0: all
};

struct ComparedSteps {
  std::string algorithm;
  std::size_t algorithm_index;  // in the list that was given
  std::size_t number;           // among the algorithm's settings, from 0: the one for all targets
  std::string alpha, epsilon;   // "": the published ones
  std::vector<StepsUse> uses;
};

// In the order of `algorithms`; with --one-setting only the steps for all targets. Throws InputError where steps are
// for a target that --target-loss does not name.
std::vector<ComparedSteps> plan_steps(const Config& given, const std::vector<std::string>& algorithms);

// `given` for this algorithm with these steps. Its targets stay: the report judges runs at those that they name.
Config with_steps(Config given, const ComparedSteps& steps);

}  // namespace quantimed
