// SPDX-License-Identifier: BSD-3-Clause
// The same time for every algorithm of a comparison, and the horizon T that each may expect to reach in it.
//
// Nobody does more than --iterations: without a --max-time the time is the one in which the algorithm with the shortest
// iterations does that many. How long an iteration takes is found out by a short run of the engine itself, once for a
// folder, and kept there: the same command means the same runs again, and a study to which seeds or algorithms are
// added keeps its time and its horizons.
#pragma once

#include "config/config.hpp"
#include "dataset/dataset.hpp"

#include <map>
#include <optional>
#include <string>
#include <vector>

namespace quantimed {

// What a run ends by where time is what it gets: more iterations than any run does.
inline constexpr std::uint32_t kAsManyAsTimeAllows = 1'000'000'000;

// Of one iteration of a node.
struct Pace {
  Seconds clock = 0;  // on the run's clock
  Seconds wall = 0;   // that this machine takes for it
};

// What was asked for, with one budget: --budget iterations takes back a --max-time that a --config brought
// (tuned.ini's). Throws InputError where --iterations or --budget iterations contradicts a --max-time otherwise.
Config with_one_budget(const Request& request);
// Throws InputError where repeats would be the same run.
void refuse_equal_repeats(const Config& given);

// A run of a few iterations, of which nothing is kept. `resolved`: virtual time or threads.
Pace measure_pace(const Config& resolved, const DataSplit& data);

// FOLDER/paces.txt: a line "KEY SECONDS WALL" for each pace that was measured, below a first line that says so.
class Paces {
 public:
  // What the folder holds is not taken with `overwrite`. Throws InputError where the file is not ours.
  Paces(const std::string& folder, bool overwrite);

  // Kept, or measured now. Zeros where a signal came, or the clock charges nothing.
  Pace of(const Config& resolved, const DataSplit& data);
  // Writes what was measured. Throws InputError where it cannot.
  void keep();

 private:
  std::string path_;
  std::map<std::string, Pace> paces_;
  bool has_more_;  // than the file
};

struct Budget {
  Seconds time = kForever;  // infinite: everybody does --iterations
  std::vector<Pace> paces;  // of each algorithm; empty where nothing depends on them
};

// `given`: --budget, --max-time and --iterations as given; `algorithms`: each one's resolved options, with the first
// seed. `kept_time`: what the runs that are there already had without a --max-time.
Budget plan_budget(const Config& given, const std::vector<Config>& algorithms, const DataSplit& data, Paces& paces,
                   std::optional<Seconds> kept_time = {});

// An algorithm's unresolved options with its share of the budget: --max-time, --horizon where its steps depend on it.
Config with_budget(Config config, const Budget& budget, std::size_t algorithm);

}  // namespace quantimed
