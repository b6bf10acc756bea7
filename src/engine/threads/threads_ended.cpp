// SPDX-License-Identifier: BSD-3-Clause
// A run on threads that has ended, in all of its processes: what each reports, what rank 0 asks the others for, and the
// models of one moment, wherever their nodes are.
#include "engine/threads/threads_engine.hpp"

#include "base/error.hpp"
#include "engine/spread/parts.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

namespace quantimed {

std::optional<Round> ThreadsEngine::lost_in(NodeId i) const {
  if (of_node_[i].lost_in < 0) return {};
  return static_cast<Round>(of_node_[i].lost_in);
}

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
    ended.copies = node.snapshots().taken();
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
  Real* to = models_.data();
  for (Rank r = 1; r < shared_.layout.ranks; ++r)
    for (NodeId i = shared_.layout.first_of(r); i < shared_.layout.first_of(r + 1); ++i) {
      const auto iteration = answers[r - 1].take<Round>();
      const std::vector<Real> model = answers[r - 1].take_all<Real>();
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

}  // namespace quantimed
