// SPDX-License-Identifier: BSD-3-Clause
#include "record/records.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

namespace quantimed {

namespace {

// In memory, of all nodes together: about 20 MB, and as much again while they wait to leave it.
constexpr std::size_t kRecentRecords = std::size_t{1} << 18;

// Each column of the trace with its field of a record.
template <class AnyRounds, class Function>
void for_each_field(AnyRounds& rounds, Function&& function) {
  function(rounds.start_time, &RoundRecord::start);
  function(rounds.compute_time, &RoundRecord::compute);
  function(rounds.encode_time, &RoundRecord::encode);
  function(rounds.publish_time, &RoundRecord::publish);
  function(rounds.wait_time, &RoundRecord::wait);
  function(rounds.exchange_time, &RoundRecord::exchange);
  function(rounds.mix_time, &RoundRecord::mix);
  function(rounds.record_time, &RoundRecord::record);
  function(rounds.batch, &RoundRecord::batch);
  function(rounds.deadline, &RoundRecord::deadline);
  function(rounds.overshoot, &RoundRecord::overshoot);
  function(rounds.speed_asked, &RoundRecord::speed_asked);
  function(rounds.staleness, &RoundRecord::staleness);
  function(rounds.message_age, &RoundRecord::age);
  function(rounds.overwritten, &RoundRecord::overwritten);
  function(rounds.bytes_sent, &RoundRecord::bytes);
}

}  // namespace

void NodeRecords::finish(std::size_t ended) {
  finished_ = std::min(ended, size());
  if (!file_) return;
  const std::size_t count = file_->block_records();
  if (finished_ <= first_ + refused_ + count) return;  // after a refusal the disk is asked again a block later
  std::size_t gone = 0;
  refused_ = 0;
  while (finished_ > first_ + count) {  // the last that has ended stays
    const auto block = file_->keep(std::span<const RoundRecord>(recent_).subspan(gone, count));
    if (!block) {
      refused_ = finished_ - first_;
      break;
    }
    blocks_.push_back(*block);
    first_ += count;
    gone += count;
  }
  recent_.erase(recent_.begin(), recent_.begin() + static_cast<std::ptrdiff_t>(gone));
}

void NodeRecords::read(std::size_t first, std::span<RoundRecord> to) const {
  while (!to.empty() && first < first_) {
    const std::size_t each = file_->block_records(), at = first % each, count = std::min(to.size(), each - at);
    file_->read(blocks_[first / each], at, to.first(count));
    first += count;
    to = to.subspan(count);
  }
  std::copy_n(recent_.begin() + static_cast<std::ptrdiff_t>(first - std::min(first, first_)), to.size(), to.begin());
}

RoundRecord NodeRecords::at(std::size_t t) const {
  RoundRecord record;
  read(t, {&record, 1});
  return record;
}

namespace {
std::size_t block_of(std::size_t nodes) {
  return std::clamp<std::size_t>(kRecentRecords / std::max<std::size_t>(nodes, 1), 64, 4096);
}
}  // namespace

std::size_t Records::most_in_memory(std::size_t nodes) { return 2 * block_of(nodes); }

Records::Records(std::size_t nodes, const std::string& folder) {
  if (!folder.empty()) file_ = std::make_shared<RecordFile>(folder, block_of(nodes));
  for (std::size_t i = 0; i < nodes; ++i) nodes_.emplace_back(file_);
}

Records::Records(const Rounds& before, const std::string& folder) : Records(before.nodes, folder) {
  for (std::size_t i = 0; i < before.nodes; ++i)
    for (std::size_t t = 0; t < before.iterations; ++t) {
      const std::size_t at = t * before.nodes + i;
      if (std::isnan(before.start_time[at])) break;  // the node has come no further
      RoundRecord record;
      for_each_field(before, [&](const auto& column, auto field) { record.*field = column[at]; });
      nodes_[i].push_back(record);
      nodes_[i].finish(t + 1);
    }
}

std::size_t Records::refused() const {
  std::size_t records = 0;
  for (const NodeRecords& node : nodes_) records += node.refused();
  return records;
}

std::size_t Records::iterations() const {
  std::size_t most = 0;
  for (const NodeRecords& node : nodes_) most = std::max(most, node.finished());
  return most;
}

Rounds Records::block(std::size_t first, std::size_t last) const {
  Rounds rounds;
  rounds.nodes = nodes_.size();
  rounds.iterations = last - first;
  for_each_field(rounds, [&](auto& column, auto) {
    using Value = typename std::decay_t<decltype(column)>::value_type;
    column.assign(rounds.iterations * rounds.nodes, std::numeric_limits<Value>::quiet_NaN());
  });
  std::vector<RoundRecord> records(rounds.iterations);
  for (std::size_t i = 0; i < rounds.nodes; ++i) {
    const std::size_t end = std::min(last, nodes_[i].finished());
    if (end <= first) continue;
    const std::span<RoundRecord> some = std::span(records).first(end - first);
    nodes_[i].read(first, some);
    for_each_field(rounds, [&](auto& column, auto field) {
      for (std::size_t t = 0; t < some.size(); ++t) column[t * rounds.nodes + i] = some[t].*field;
    });
  }
  return rounds;
}

}  // namespace quantimed
