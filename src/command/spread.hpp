// SPDX-License-Identifier: BSD-3-Clause
// --engine mpi: rank 0 carries out the command, and for each run calls the other processes in. The program without MPI
// has no such engine and says so.
#pragma once

#include "config/config.hpp"
#include "dataset/dataset.hpp"
#include "engine/engine.hpp"
#include "engine/spread/fleet.hpp"
#include "engine/spread/measure_links.hpp"

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace quantimed {

class SpreadEngine {
 public:
  virtual ~SpreadEngine() = default;
  virtual Rank ranks() const = 0;
  // `run` was made from this resolved Config and these data; the other processes make theirs from the same.
  virtual Outcome run(const Config& config, const DataSplit& data, const Run& run, Watcher& watcher) = 0;
  // Of such a run, of two nodes.
  virtual MeasuredLinks measure_links(const Config& config, const DataSplit& data, const Run& run,
                                      const std::vector<std::size_t>& sizes,
                                      const std::function<bool(double)>& goes_on) = 0;
  // Throws RankLost where another process is known to have ended. Now and then.
  virtual void require_all() = 0;
};

// Of this program; null: it has none. Set before anything else by a program that does.
SpreadEngine*& spread_engine();

// Commands and engines that several ranks would do one after the other, or not at all. Throws InputError.
void require_for_ranks(const Request& request);
// --engine mpi where there is none. Throws InputError.
void require_spread_engine(const Config& config);

// By the run's --engine.
Outcome run_by_engine(const Config& config, const DataSplit& data, const Run& run, Watcher& watcher);
// Nodes and ranks of such a run.
Layout layout_of(const Config& config);

// ---- between the processes: what rank 0 hands out, and what the others do with it ----
void put_job(Parcel& job, const Config& config, const DataSplit& data, const Run& run);
// What rank 0 hands out, as another process carries it out.
class Follower {
 public:
  explicit Follower(Fleet& fleet) : fleet_(fleet) {}
  void run(Parcel& job);            // from the job's Config to the run's end
  void measure_links(Parcel& job);  // … and sizes

 private:
  struct Prepared;
  std::unique_ptr<Prepared> prepare(Parcel& job);

  Fleet& fleet_;
  std::string data_key_;  // of the data that are kept from the run before
  std::optional<DataSplit> data_;
};

}  // namespace quantimed
