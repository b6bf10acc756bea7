// SPDX-License-Identifier: BSD-3-Clause
// What a run on threads does beside its nodes where they are spread over the processes of a fleet: who shares which
// cores, one clock, and all that rank 0 has to know of nodes elsewhere.
#include "engine/threads_engine.hpp"

#include "base/error.hpp"
#include "engine/parts.hpp"
#include "engine/resumption.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <bit>
#include <chrono>
#include <cmath>

namespace quantimed {

namespace {

constexpr std::size_t kRecordsAtOnce = 4096;
constexpr std::size_t kBytesAtOnce = kLargestLoad - 64;
static_assert(kRecordsAtOnce * sizeof(RoundRecord) < kBytesAtOnce);
enum class Load : std::uint8_t { records, log };

// Which cores a rank may have: an even part of those that it shares with all ranks of its host, or nothing where they
// share some of their cores only.
struct Share {
  std::vector<int> cores;
  bool are_shared = false;
};

Share share_of(std::size_t rank, const std::vector<std::string>& hosts, const std::vector<std::vector<int>>& cores) {
  std::size_t others = 0, before = 0;
  Share share;
  for (std::size_t r = 0; r < hosts.size(); ++r) {
    if (r == rank || hosts[r] != hosts[rank]) continue;
    if (cores[r] == cores[rank]) {
      ++others;
      before += r < rank;
    } else if (std::ranges::find_first_of(cores[r], cores[rank]) != cores[r].end()) {
      share.are_shared = true;
    }
  }
  const std::size_t units = cores[rank].size(), ranks = others + 1;
  const auto at = [&](std::size_t k) { return cores[rank].begin() + static_cast<std::ptrdiff_t>(k * units / ranks); };
  share.cores.assign(at(before), at(before + 1));
  if (share.cores.empty()) share = {cores[rank], true};
  return share;
}

}  // namespace

std::optional<Round> ThreadsEngine::lost_in(NodeId i) const {
  if (of_node_[i].lost_in < 0) return {};
  return static_cast<Round>(of_node_[i].lost_in);
}

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
  std::vector<Parcel> all =
      fleet_->gather(std::move(Parcel().put_text(fleet_->transport().host(fleet_->rank())).put_all(cores_)));
  Parcel shares;
  if (fleet_->leads()) {
    std::vector<std::string> hosts;
    std::vector<std::vector<int>> cores;
    for (Parcel& parcel : all) {
      hosts.push_back(parcel.take_text());
      cores.push_back(parcel.take_all<int>());
    }
    for (std::size_t r = 0; r < all.size(); ++r) {
      const Share share = share_of(r, hosts, cores);
      shares.put_all(share.cores).put(share.are_shared);
    }
  }
  shares = fleet_->broadcast(std::move(shares));
  for (Rank r = 0; r <= fleet_->rank(); ++r) {
    cores_ = shares.take_all<int>();
    are_cores_shared_ = shares.take<bool>();
  }
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

// ---- when it has ended -----------------------------------------------------------------------------

// Of the nodes here, once their threads have ended.
void ThreadsEngine::report_ended() {
  for (NodeId i = shared_.layout.first(); i < shared_.layout.last(); ++i) {
    ThreadNode& node = *shared_.nodes[i];
    Ended& ended = of_node_[i];
    ended.finished = node.finished();
    ended.lost_in = node.lost_in() ? std::int64_t{*node.lost_in()} : -1;
    ended.at = ended_[i];
    ended.too_slow = node.too_slow();
    ended.dropped = node.dropped();
    ended.overflows = node.core().overflows();
    ended.violations = node.core().violations();
    ended.heard_here = node.heard_here();
    ended.bytes_heard_here = node.bytes_heard_here();
    ended.stride = node.snapshots().stride();
    ended.core = core_of(i);
    ended.is_local = are_local(hardware_, numa_nodes_[i], core_of(i));
  }
  if (!is_spread()) return;
  courier_->close();
  clocks_after_ = fleet_->compare_clocks();
  if (leads()) return;
  const auto here = std::span(of_node_).subspan(shared_.layout.first(), shared_.layout.here());
  Parcel report;
  report.put_text(outcome_.failure).put(outcome_.machine_refused).put(courier_->crossed());
  report.put_text(to_list(cores_)).put_all(std::span<const Ended>(here));
  for (NodeId i = shared_.layout.first(); i < shared_.layout.last(); ++i) report.put_all(numa_nodes_[i]);
  report.put(std::uint64_t{outcome_.verdict.reasons().size()});
  for (const std::string& reason : outcome_.verdict.reasons()) report.put_text(reason);
  (void)fleet_->gather(std::move(report));
}

// At rank 0: the same of all others.
void ThreadsEngine::collect_reports() {
  if (!is_spread()) return;
  std::vector<Parcel> reports = fleet_->gather({});
  crossed_.push_back(courier_->crossed());
  cores_of_ranks_.push_back(to_list(cores_));
  for (Rank r = 1; r < reports.size(); ++r) {
    Parcel& report = reports[r];
    const std::string failure = report.take_text();
    const bool is_refused = report.take<bool>();
    if (outcome_.failure.empty() && !failure.empty()) {
      outcome_.failure = failure;
      outcome_.machine_refused = is_refused;
    }
    crossed_.push_back(report.take<Crossed>());
    cores_of_ranks_.push_back(report.take_text());
    NodeId i = shared_.layout.first_of(r);
    for (const Ended& ended : report.take_all<Ended>()) of_node_[i++] = ended;
    for (NodeId k = shared_.layout.first_of(r); k < i; ++k) numa_nodes_[k] = report.take_all<int>();
    for (auto reasons = report.take<std::uint64_t>(); reasons > 0; --reasons)
      outcome_.verdict.reject(report.take_text());
  }
  for (NodeId i = 0; i < of_node_.size(); ++i) ended_[i] = of_node_[i].at;
  if (is_broken_off() && outcome_.failure.empty()) outcome_.failure = "a rank has broken the run off";
}

std::vector<Parcel> ThreadsEngine::ask(Question what, std::uint64_t argument) {
  (void)fleet_->broadcast(std::move(Parcel().put(what).put(argument)));
  if (what == kLeave) return {};
  std::vector<Parcel> answers = fleet_->gather({});
  answers.erase(answers.begin());
  return answers;
}

// In the other processes: what rank 0 asks, until it lets them go.
void ThreadsEngine::answer() {
  for (;;) {
    Parcel question = fleet_->broadcast({});
    const auto what = question.take<Question>();
    const auto argument = question.take<std::uint64_t>();
    Parcel reply;
    if (what == kLeave) return;
    if (what == kStride)
      for (const auto& node : shared_.here()) node->snapshots().coarsen_to(argument);
    if (what == kModels)
      for (NodeId i = shared_.layout.first(); i < shared_.layout.last(); ++i) {
        const ModelCopy copy = copy_at(i, argument);
        reply.put(copy.iteration).put_all(std::span(copy.model, run_.problem.dimension()));
      }
    if (what == kCheckpoint) put(reply, part_of_checkpoint());
    if (what == kSum) {
      SumOfState sum{argument, std::vector<double>(argument == 0 ? 1 : run_.problem.dimension())};
      sum_up(sum);
      reply.put_all(sum.sum).put(sum.squares);
    }
    if (what == kFingerprints) {
      Recording recording;
      add_fingerprints(recording);
      reply.put_all(recording.model_node).put_all(recording.model_iteration).put_all(recording.model_fingerprint);
    }
    (void)fleet_->gather(std::move(reply));
  }
}

std::uint64_t ThreadsEngine::coarsen_to_one(std::uint64_t stride) {
  for (const Ended& node : of_node_) stride = std::max(stride, node.stride);
  for (const auto& node : shared_.here()) {
    node->snapshots().coarsen_to(stride);
    stride = std::max(stride, node->snapshots().stride());
  }
  for (Ended& node : of_node_) node.stride = stride;
  if (is_spread()) (void)ask(kStride, stride);
  return stride;
}

ModelCopy ThreadsEngine::copy_at(NodeId i, std::uint64_t mark) const {
  const ThreadNode& node = *shared_.nodes[i];
  const Snapshots::Copy* copy = mark == kEnd ? nullptr : node.snapshots().at(mark);
  if (!copy) return {node.model().data(), node.finished()};
  return {node.snapshots().model(*copy), copy->iteration};
}

std::span<const ModelCopy> ThreadsEngine::at(std::uint64_t mark) {
  copies_.resize(shared_.layout.nodes);
  for (NodeId i = shared_.layout.first(); i < shared_.layout.last(); ++i) copies_[i] = copy_at(i, mark);
  if (is_spread()) collect_models(mark);
  return copies_;
}

// Whole models come to rank 0, so that means are taken over the nodes in their order, as everywhere.
void ThreadsEngine::collect_models(std::uint64_t mark) {
  const std::size_t p = run_.problem.dimension(), others = shared_.layout.nodes - shared_.layout.here();
  std::vector<Parcel> answers = ask(kModels, mark);
  models_.resize(others * p);
  float* to = models_.data();
  for (Rank r = 1; r < shared_.layout.ranks; ++r)
    for (NodeId i = shared_.layout.first_of(r); i < shared_.layout.first_of(r + 1); ++i) {
      const auto iteration = answers[r - 1].take<Round>();
      const std::vector<float> model = answers[r - 1].take_all<float>();
      check(model.size() == p, "a model from another process is not whole");
      std::ranges::copy(model, to);
      copies_[i] = {to, iteration};
      to += p;
    }
}

void ThreadsEngine::collect_fingerprints(Recording& recording) {
  if (!is_spread()) return;
  const auto append = [](auto& to, const auto& from) { to.insert(to.end(), from.begin(), from.end()); };
  for (Parcel& answer : ask(kFingerprints)) {
    append(recording.model_node, answer.take_all<std::uint32_t>());
    append(recording.model_iteration, answer.take_all<std::uint32_t>());
    append(recording.model_fingerprint, answer.take_all<std::int64_t>());
  }
}

void ThreadsEngine::add_others(Checkpoint& checkpoint) {
  if (!is_spread()) return;
  for (Parcel& answer : ask(kCheckpoint)) append(checkpoint, take_checkpoint(answer));
}

void ThreadsEngine::add_others(SumOfState& state) {
  if (!is_spread()) return;
  for (Parcel& answer : ask(kSum, state.vector)) {
    const std::vector<double> sum = answer.take_all<double>();
    for (std::size_t c = 0; c < sum.size(); ++c) state.sum[c] += sum[c];
    state.squares += answer.take<double>();
  }
}

void ThreadsEngine::add_others(std::uint64_t& overflows, std::uint64_t& violations) {
  for (NodeId i = 0; i < of_node_.size(); ++i) {
    if (is_here(i)) continue;
    overflows += of_node_[i].overflows;
    violations += of_node_[i].violations;
  }
}

// Who lives where, how far the clocks can be trusted, and what crossed between processes.
void ThreadsEngine::report_fleet() {
  Transport& transport = fleet_->transport();
  std::vector<std::string> nodes, hosts, cores, before, after, uncertain;
  Crossed crossed;
  std::uint64_t heard_here = 0;
  double bytes_heard_here = 0;
  const Layout& layout = shared_.layout;
  for (Rank r = 0; r < layout.ranks; ++r) {
    nodes.push_back(fmt::format("{}-{}", layout.first_of(r), layout.first_of(r + 1) - 1));
    hosts.push_back(transport.host(r));
    cores.push_back(fmt::format("{}:{}", r, cores_of_ranks_[r]));
    before.push_back(fmt::format("{:.9f}", static_cast<double>(clocks_before_[r].ahead_ns) * 1e-9));
    after.push_back(fmt::format("{:.9f}", static_cast<double>(clocks_after_[r].ahead_ns) * 1e-9));
    uncertain.push_back(fmt::format("{:.2e}", std::max(clocks_before_[r].uncertainty, clocks_after_[r].uncertainty)));
    crossed.messages += crossed_[r].messages;
    crossed.bytes += crossed_[r].bytes;
  }
  for (const Ended& node : of_node_) {
    heard_here += node.heard_here;
    bytes_heard_here += node.bytes_heard_here;
  }
  const auto joined = [](const std::vector<std::string>& texts) { return fmt::format("{}", fmt::join(texts, ",")); };
  Attributes& placement = outcome_.placement;
  placement.emplace_back("ranks", std::int64_t{layout.ranks});
  placement.emplace_back("rank_hosts", joined(hosts));
  placement.emplace_back("rank_nodes", joined(nodes));
  placement.emplace_back("node_cores", fmt::format("{}", fmt::join(cores, " ")));
  placement.emplace_back("clock_offsets_before_s", joined(before));
  placement.emplace_back("clock_offsets_after_s", joined(after));
  placement.emplace_back("clock_uncertainty_s", joined(uncertain));
  Attributes& measured = outcome_.measured;
  measured.emplace_back("messages_between_ranks", static_cast<std::int64_t>(crossed.messages));
  measured.emplace_back("bytes_between_ranks", crossed.bytes);
  measured.emplace_back("messages_within_ranks", static_cast<std::int64_t>(heard_here));
  measured.emplace_back("bytes_within_ranks", bytes_heard_here);
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
