// SPDX-License-Identifier: BSD-3-Clause
// What a run on threads does beside its nodes where they are spread over the processes of a fleet: who shares which
// cores, one clock, what is shipped to rank 0 while the run lasts. When it has ended: threads_ended.cpp.
#include "engine/threads/threads_engine.hpp"

#include "base/error.hpp"
#include "engine/resumption.hpp"
#include "engine/spread/shares.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>

namespace quantimed {

namespace {

constexpr std::size_t kRecordsAtOnce = 4096;
constexpr std::size_t kBytesAtOnce = kLargestLoad - 64;
static_assert(kRecordsAtOnce * sizeof(RoundRecord) < kBytesAtOnce);
enum class Load : std::uint8_t { records, log };

}  // namespace

// Rank 0 throws what has happened, the others Abandoned.
void ThreadsEngine::break_off_together(std::exception_ptr failure) {
  try {
    if (is_spread())
      fleet_->agree(failure);
    else if (failure)
      std::rethrow_exception(failure);
  } catch (...) {
    break_off();
    throw;
  }
}

OnItsOwnCore::OnItsOwnCore(int processing_unit) : before_(affinity()) { pin_this_thread(processing_unit); }

OnItsOwnCore::~OnItsOwnCore() {
  const Hardware hardware = load_hardware();
  (void)hwloc_set_cpubind(hardware.topology.get(), before_.get(), HWLOC_CPUBIND_THREAD);
}

std::optional<OnItsOwnCore> ThreadsEngine::core_of_courier() {
  const std::size_t core = shared_.layout.here();
  if (!courier_ || are_cores_shared_ || core >= cores_.size()) return {};
  return std::optional<OnItsOwnCore>(std::in_place, cores_[core]);
}

// Ranks on one host with the same cores share them evenly. One is for the courier, which never sleeps.
void ThreadsEngine::share_cores() {
  CoreShare share = quantimed::share_cores(*fleet_, cores_);
  cores_ = std::move(share.cores);
  are_cores_shared_ = share.are_shared;
  const std::size_t needed = shared_.layout.here() + std::size_t{1};
  if (cores_.size() >= needed && !are_cores_shared_) return;
  if (!run_.oversubscribe)
    throw InputError(
        "--nodes {}: {} nodes and the courier need {} cores on {}, and {} {} to be had{}; start fewer nodes or more "
        "ranks, or give --oversubscribe (timings are then INVALID)",
        shared_.layout.nodes, shared_.layout.here(), needed, fleet_->transport().where(fleet_->rank()), cores_.size(),
        cores_.size() == 1 ? "is" : "are", are_cores_shared_ ? ", shared with another rank" : "");
  outcome_.verdict.reject(fmt::format("rank {}: {} nodes and the courier share {} cores{}", fleet_->rank(),
                                      shared_.layout.here(), cores_.size(),
                                      are_cores_shared_ ? " with another rank" : ""));
  shared_.policy = WaitPolicy::oversubscribed();
}

// The run's clock shows the same everywhere, as far as messages can tell.
void ThreadsEngine::align_clocks() {
  using std::chrono::steady_clock;
  steady_clock::time_point now = steady_clock::now();
  if (is_spread()) {
    clocks_before_ = fleet_->compare_clocks();
    const std::chrono::nanoseconds first = steady_clock::now().time_since_epoch();
    const auto epoch = fleet_->broadcast(std::move(Parcel().put(std::int64_t{first.count()}))).take<std::int64_t>();
    now = steady_clock::time_point(std::chrono::nanoseconds(epoch + clocks_before_[fleet_->rank()].ahead_ns));
  }
  shared_.epoch = now - std::chrono::duration_cast<steady_clock::duration>(std::chrono::duration<double>(before_s_));
}

// The speeds of all nodes, everywhere. False where some could not be measured.
bool ThreadsEngine::share_speeds(std::vector<double>& all, bool all_came) {
  if (!is_spread()) return all_came;
  std::vector<Parcel> parts = fleet_->gather(std::move(Parcel().put(all_came).put_all(all)));
  Parcel result;
  if (fleet_->leads()) {
    all.clear();
    for (Parcel& part : parts) {
      all_came = part.take<bool>() && all_came;
      const std::vector<double> speeds = part.take_all<double>();
      all.insert(all.end(), speeds.begin(), speeds.end());
    }
    result.put(all_came).put_all(all);
  }
  result = fleet_->broadcast(std::move(result));
  all_came = result.take<bool>();
  all = result.take_all<double>();
  return all_came;
}

bool ThreadsEngine::share_choice(bool goes_on) {
  if (!is_spread()) return goes_on;
  return fleet_->broadcast(std::move(Parcel().put(goes_on))).take<bool>();
}

// ---- while the run lasts ---------------------------------------------------------------------------

// What the nodes here have logged and recorded since the last time. A log has at least the iterations that its node
// says have ended, which are told with its last part.
void ThreadsEngine::ship_logs_and_records() {
  for (NodeId i = shared_.layout.first(); i < shared_.layout.last(); ++i) {
    ThreadNode& node = *shared_.nodes[i];
    std::vector<RoundRecord> records;
    const auto ship_records = [&] {
      if (records.empty()) return;
      courier_->ship(std::move(Parcel().put(Load::records).put(i).put_all(records)));
      records.clear();
    };
    const Round finished = node.finished();
    if (keeps_log_) {
      node.take_log(logs_[i]);
      for (std::span<const std::uint8_t> rest = logs_[i]; !rest.empty();) {
        const auto part = rest.first(std::min(rest.size(), kBytesAtOnce));
        rest = rest.subspan(part.size());
        if (rest.empty()) logged_[i] = finished;
        courier_->ship(std::move(Parcel().put(Load::log).put(i).put(logged_[i]).put_all(part)));
      }
      logs_[i].clear();
    }
    node.log().take([&](const RoundRecord& record) {
      records.push_back(record);
      if (records.size() == kRecordsAtOnce) ship_records();
    });
    ship_records();
  }
}

void ThreadsEngine::unload(Parcel& parcel) {
  const auto load = parcel.take<Load>();
  const auto i = parcel.take<NodeId>();
  check(i < shared_.layout.nodes && !is_here(i), "a load of a node that is here");
  if (load == Load::log) {
    logged_[i] = parcel.take<Round>();
    const std::vector<std::uint8_t> bytes = parcel.take_all<std::uint8_t>();
    logs_[i].insert(logs_[i].end(), bytes.begin(), bytes.end());
    return;
  }
  for (const RoundRecord& record : parcel.take_all<RoundRecord>()) add_record(i, record);
  records_[i].finish(records_[i].size());
}

// ---- in a process of the fleet ---------------------------------------------------------------------

namespace {

// In a process that does not lead. A signal to it stops the run as one to rank 0 does.
class NoWatcher final : public Watcher {
 public:
  explicit NoWatcher(const std::function<bool()>& wants_to_stop) : wants_to_stop_(wants_to_stop) {}
  bool observe(const Cut&) override { return true; }
  bool wants_to_stop() override { return wants_to_stop_ && wants_to_stop_(); }
  void progress(double) override {}
  void checkpoint(const RoundsSource&, std::optional<Checkpoint>) override {}
  bool checkpoint_due() override { return false; }

 private:
  const std::function<bool()>& wants_to_stop_;
};

// What works in one process alone.
void require_for_fleet(const Run& run, const Fleet& fleet) {
  if (fleet.ranks() == 1) return;
  if (fleet.ranks() > run.network.nodes)
    throw InputError("--nodes {}: {} ranks were started, and each needs a node; start fewer, or give --nodes {}",
                     run.network.nodes, fleet.ranks(), fleet.ranks());
  if (run.algorithm.delivery == Delivery::pairwise)
    throw InputError(
        "--algorithm {}: averages of two models at a time work within one rank; start one rank, or take "
        "another algorithm",
        run.algorithm.name);
  if (!run.faults.empty())
    throw InputError("--fault: nodes that are lost are seen within one rank; start one rank, or give --engine threads");
  if (run.link.delays())
    throw InputError("--link: between ranks messages take as long as they take; leave it out, or start one rank");
  if (run.interference.count > 0)
    throw InputError("--interference: works within one rank; start one rank, or give --engine threads");
}

}  // namespace

Outcome run_spread(const Run& run, Watcher& watcher, Fleet& fleet) {
  std::optional<ThreadsEngine> engine;
  std::exception_ptr failure;
  try {
    require_for_fleet(run, fleet);
    if (run.resume && fleet.leads()) require_fit(run);
    engine.emplace(run, watcher, &fleet);
  } catch (...) {
    failure = std::current_exception();
  }
  fleet.agree(failure);
  return (*engine)();
}

void follow_spread(const Run& run, Fleet& fleet, const std::function<bool()>& wants_to_stop) {
  NoWatcher nobody(wants_to_stop);
  (void)run_spread(run, nobody, fleet);
}

}  // namespace quantimed
