// SPDX-License-Identifier: BSD-3-Clause
// What an engine is given, and what it gives back. Engines never ask which algorithm they run.
#pragma once

#include "algorithm/alpha_schedule.hpp"
#include "algorithm/table.hpp"
#include "codec/codec.hpp"
#include "dataset/shards.hpp"
#include "engine/layout.hpp"
#include "machine/energy.hpp"
#include "machine/interference.hpp"
#include "machine/placement.hpp"
#include "problem/problem.hpp"
#include "record/records.hpp"
#include "timing/deadline_rule.hpp"
#include "timing/faults.hpp"
#include "timing/link_model.hpp"
#include "timing/machine_costs.hpp"
#include "timing/rank_links.hpp"
#include "timing/speed_model.hpp"
#include "topology/network.hpp"
#include "trace/trace.hpp"

#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace quantimed {

// --sync: a round of a synchronous algorithm lasts until all nodes have finished (barrier, the paper's clock),
// or until a node's own neighbours have.
enum class Sync { barrier, neighbourhood };

// Where a run goes on that was stopped before. The referenced objects outlive the run.
struct Resume {
  std::string path;  // of the trace, for messages
  const Checkpoint& checkpoint;
  Rounds rounds;                            // of the iterations that had ended; the engine takes them
  std::optional<Recording> recording = {};  // of those, where it was kept
};

// --ranks, --hosts: a run over MPI that virtual time predicts. Nodes in blocks over the ranks, ranks over the hosts.
struct PredictedRanks {
  Rank ranks = 1, hosts = 1;
  const LinkCosts *one_host = nullptr, *two_hosts = nullptr;  // there where ranks are so
};

// One run, resolved. The referenced objects outlive it.
struct Run {
  const AlgorithmRow& algorithm;
  Options options;
  AlphaSchedule steps = {};  // of options.alpha
  const Problem& problem;
  const Network& network;
  const Shards& shards;
  const Codec& codec;  // exact, or the quantizer, as the algorithm's row says
  Penalty penalty;
  Augmentation augmentation = {};            // of the samples of gradients
  DeadlineRule deadline = {};                // where gradients take until one
  const SpeedModel* speed = nullptr;         // null: the machine's own speed
  const MachineCosts* machine = nullptr;     // virtual: predict a threads run on this machine
  std::optional<PredictedRanks> ranks = {};  // with `machine`, `round` delivery
  LinkModel link;
  bool charge_wire_bits = false;  // --bits wire: what the clock charges in virtual time
  Sync sync = Sync::barrier;
  Round iterations = 0;  // T; for `newest` delivery T · n updates in all
  Seconds max_time = kForever;
  std::uint32_t evaluations = 50;  // K
  std::uint64_t seed = 1;
  std::uint32_t threads = 1;  // virtual: worker threads
  bool oversubscribe = false;
  Placement placement = {};               // threads: which core each node lives on
  InterferenceRequest interference = {};  // threads only
  std::vector<Fault> faults = {};
  Seconds patience_s = 0;          // how long a node waits for a message before its sender counts as lost; 0: auto
  Resume* resume = nullptr;        // null: from the start
  std::string record_folder = {};  // where records go that memory should not hold; empty: memory holds all
  bool keeps_log = true;           // threads: of what the clock decides, for a replay
  bool copies_models = true;       // threads: while the clock runs, for the curve; else draw_by_replay() draws it
  std::optional<Metering> counters = {};  // threads: --counters
  bool gradient_until_deadline = false;   // --gradient: instead of over a batch, where the text asks for a gradient

  // What the clock charges, or the other one.
  Charge charge(bool wire_bits) const {
    return {.wire_bits = wire_bits,
            .paper_bits = codec.paper_bits(),
            .dimension = static_cast<double>(problem.dimension()),
            .vectors = static_cast<double>(algorithm.exchanges(options, 0).vectors),
            .scalars = static_cast<double>(algorithm.message_scalars)};
  }
  // By --gradient, or by the algorithm's definition.
  bool uses_deadline() const { return gradient_until_deadline || algorithm.uses_deadline; }
  Seconds patience() const { return patience_s > 0 ? patience_s : kUsualPatience_s; }
};

// The models of all nodes that are not lost, at one moment of the run's clock.
struct Cut {
  double iteration;
  Seconds time;
  std::span<const Real* const> models;                               // [living] of [p]
  std::optional<Seconds> time_paper_bits = {}, time_wire_bits = {};  // Progress
  std::optional<double> sum_error = {};                              // Progress
};

// Who watches a run: evaluates cuts, shows progress, knows of signals. Called by one thread.
class Watcher {
 public:
  virtual ~Watcher() = default;
  virtual bool observe(const Cut& cut) = 0;  // off the clock; false ends the run
  virtual bool wants_to_stop() = 0;          // a signal came
  virtual void progress(double done) = 0;    // share of the run, 0 … 1
  // What the clock has decided so far, for the checkpoint() that follows. In real time alone.
  virtual void keep(std::optional<Recording> /*recording*/) {}
  // What has been recorded so far, and where the run could go on if it were killed; nothing where it could not.
  virtual void checkpoint(const RoundsSource& rounds, std::optional<Checkpoint> state) = 0;
  virtual bool checkpoint_due() = 0;
};

struct Outcome {
  bool interrupted = false;
  std::optional<Checkpoint> checkpoint;  // of an interrupted run
  std::optional<Recording> recording;    // of a run in real time that keeps a log
  Seconds end_time = 0;                  // of the run's clock
  Records rounds;
  std::uint64_t overflows = 0;   // coordinates that did not fit their code
  std::uint64_t violations = 0;  // blocks of messages that are known to have been decoded wrongly (modulo)
  std::optional<Seconds> end_time_paper_bits, end_time_wire_bits;
  Verdict verdict;                   // every reason why the timings do not count
  std::vector<LostNode> lost;        // nodes that have left the run
  std::string failure;               // why the run broke off, who waits for whom; empty: it did not
  bool machine_refused = false;      // … because the machine has no more memory
  Attributes measured;               // engine's own figures for /summary
  Attributes placement;              // for /environment
  std::optional<Counters> counters;  // of this part of the run, with --counters
  EnergyCurve energy;                // the same; empty where its reason is in the counters' account
};

Outcome run_virtual(const Run& run, Watcher& watcher);
Outcome run_threads(const Run& run, Watcher& watcher);

// The nodes spread over the processes of a fleet: rank 0 calls the first, all others the second, with the same run.
class Fleet;
Outcome run_spread(const Run& run, Watcher& watcher, Fleet& fleet);
void follow_spread(const Run& run, Fleet& fleet, const std::function<bool()>& wants_to_stop = {});

}  // namespace quantimed
