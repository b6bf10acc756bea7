// SPDX-License-Identifier: BSD-3-Clause
// What the nodes have recorded and logged, taken from them while they run, and the recording that it comes to.
#include "engine/replay/log_reader.hpp"
#include "engine/replay/replay.hpp"
#include "engine/threads/threads_engine.hpp"
#include "engine/threads/threads_pair_node.hpp"

#include <algorithm>

namespace quantimed {

namespace {

Seconds end_of(const RoundRecord& r) {
  Seconds end = r.start;
  for (const float phase : {r.compute, r.encode, r.publish, r.wait, r.exchange, r.mix, r.record})
    end += static_cast<Seconds>(phase);
  return end;
}

}  // namespace

// What the nodes have recorded since the last time. From a node's end at a cut to its start after it, the time on the
// clock (the last node's end, and all nodes' start) is the instrument's own.
void ThreadsEngine::take_records() {
  for (NodeId i = shared_.layout.first(); i < shared_.layout.last(); ++i) {
    shared_.nodes[i]->log().take([&](const RoundRecord& record) { add_record(i, record); });
    records_[i].finish(records_[i].size());
  }
}

void ThreadsEngine::add_record(NodeId i, const RoundRecord& record) {
  NodeRecords& records = records_[i];
  if (run_.resume && records.size() == run_.resume->checkpoint.iteration[i] && !records.empty()) {
    RoundRecord& last = records.back();
    last.record += static_cast<float>(std::max(0.0, record.start - end_of(last)));
  }
  records.push_back(record);
}

// What the nodes have logged since the last time; a log has at least the iterations that its node says have ended.
void ThreadsEngine::take_logs() {
  if (!keeps_log_) return;
  for (NodeId i = shared_.layout.first(); i < shared_.layout.last(); ++i) {
    ThreadNode& node = *shared_.nodes[i];
    logged_[i] = node.finished();
    node.take_log(logs_[i]);
  }
}

std::optional<Recording> ThreadsEngine::recording() const {
  if (!keeps_log_) return {};
  Recording recording;
  if (run_.resume) {  // whole models from before the cut
    const Recording& before = *run_.resume->recording;
    recording.model_node = before.model_node;
    recording.model_iteration = before.model_iteration;
    recording.model_turn = before.model_turn;
    recording.model_fingerprint = before.model_fingerprint;
  }
  for (std::size_t i = 0; i < logs_.size(); ++i) {
    recording.log.insert(recording.log.end(), logs_[i].begin(), logs_[i].end());
    recording.log_bytes.push_back(static_cast<std::int64_t>(logs_[i].size()));
    recording.iterations.push_back(logged_[i]);
  }
  return recording;
}

// Of whole models, as the copies of the nodes here have them and as they are now.
void ThreadsEngine::add_fingerprints(Recording& recording) const {
  for (NodeId i = shared_.layout.first(); i < shared_.layout.last(); ++i) {
    const Snapshots& copies = shared_.nodes[i]->snapshots();
    const std::span<const Real> x = shared_.nodes[i]->model();
    const Round iterations = shared_.nodes[i]->finished();
    const auto* const pair = dynamic_cast<const PairThreadNode*>(shared_.nodes[i].get());
    const auto add = [&](Round iteration, std::uint64_t turn, std::span<const Real> model) {
      recording.model_node.push_back(i);
      recording.model_iteration.push_back(std::min(iteration, iterations));
      if (pair) recording.model_turn.push_back(static_cast<std::int64_t>(turn));
      recording.model_fingerprint.push_back(model_fingerprint(model));
    };
    for (const Snapshots::Copy& copy : copies.copies()) add(copy.iteration, copy.turn, {copies.model(copy), x.size()});
    // Of a run that broke off the last iterations have not ended.
    if (outcome_.failure.empty()) add(iterations, pair ? pair->turns() : 0, x);
  }
}

Recording ThreadsEngine::whole_recording() {
  Recording recording = *this->recording();
  add_fingerprints(recording);
  collect_fingerprints(recording);
  return recording;
}

}  // namespace quantimed
