#include "engine/virtual_clock.hpp"

#include <algorithm>

namespace quantimed {

VirtualClock::VirtualClock(const Run& run, std::size_t dimension)
    : run_(run),
      dimension_(static_cast<double>(dimension)),
      start_(run.resume ? run.resume->checkpoint.start_time : std::vector<Seconds>(run.network.nodes)),
      sent_(run.network.nodes),
      computed_(run.network.nodes),
      end_(run.network.nodes) {}

Seconds VirtualClock::earliest() const { return *std::min_element(start_.begin(), start_.end()); }
Seconds VirtualClock::latest() const { return *std::max_element(start_.begin(), start_.end()); }

Seconds VirtualClock::exchange_time(float bytes) const {
  return run_.link.exchange(run_.charge_wire_bits ? 8.0 * static_cast<double>(bytes) / dimension_
                                                  : run_.codec.paper_bits());
}

void VirtualClock::advance_on_machine(std::vector<std::vector<RoundRecord>>& records, Round t) {
  const MachineCosts& machine = *run_.machine;
  const std::uint32_t n = run_.network.nodes;
  for (NodeId i = 0; i < n; ++i) {
    sent_[i] = start_[i] + machine.encode_s + machine.publish_s;
    computed_[i] = sent_[i] + static_cast<Seconds>(records[i][t].compute);
  }
  for (NodeId i = 0; i < n; ++i) {
    const auto neighbours = run_.network.neighbours(i);
    Seconds there = computed_[i] + machine.receive_s, visible = there,
            sent = 0;  // the last message is there; it may be read
    for (const Neighbour& j : neighbours) {
      const Seconds arrival = sent_[j.id] + machine.latency_s;
      there = std::max(there, arrival);
      const Seconds encoded = sent_[j.id] - machine.publish_s;  // from here on it is on the link
      visible = std::max(visible, encoded + run_.link.delay(static_cast<std::size_t>(records[j.id][t].bytes)));
      sent += sent_[j.id];
    }
    RoundRecord& record = records[i][t];
    record.start = start_[i];
    record.encode = static_cast<float>(machine.encode_s);
    record.publish = static_cast<float>(machine.publish_s);
    record.wait = static_cast<float>(std::max(there - computed_[i], machine.receive_s));
    record.exchange = static_cast<float>(std::max(visible - there, 0.0));
    record.mix = static_cast<float>(machine.mix_time(neighbours.size()));
    record.record = static_cast<float>(machine.record_s);
    end_[i] = std::max(visible, there) + machine.mix_time(neighbours.size()) + machine.record_s;
    if (!neighbours.empty())
      record.age = static_cast<float>(std::max(visible, there) - sent / static_cast<double>(neighbours.size()));
  }
  start_ = end_;
}

void VirtualClock::advance(std::vector<std::vector<RoundRecord>>& records, Round t) {
  if (run_.machine) return advance_on_machine(records, t);
  const std::uint32_t n = run_.network.nodes;
  for (NodeId i = 0; i < n; ++i) computed_[i] = start_[i] + static_cast<Seconds>(records[i][t].compute);
  std::vector<Seconds> exchange(n);  // charged after the last computation
  for (NodeId i = 0; i < n; ++i) {
    Seconds ready = computed_[i], arrival = 0;
    float bytes = records[i][t].bytes;
    for (const Neighbour& j : run_.network.neighbours(i)) {
      const RoundRecord& theirs = records[j.id][t];
      bytes = std::max(bytes, theirs.bytes);
      // With a link that is charged after computing, a message counts as sent when its sender has computed.
      ready = std::max(ready, run_.link.delays() ? start_[j.id] : computed_[j.id]);
      arrival = std::max(arrival, start_[j.id] + run_.link.delay(static_cast<std::size_t>(theirs.bytes)));
    }
    exchange[i] = std::max(exchange_time(bytes), arrival - ready);
    end_[i] = ready + exchange[i];
  }
  if (run_.sync == Sync::barrier) {
    const Seconds ready = *std::max_element(computed_.begin(), computed_.end());
    const Seconds end =
        std::max(*std::max_element(end_.begin(), end_.end()),
                 ready + (run_.link.delays() ? 0 : *std::max_element(exchange.begin(), exchange.end())));
    std::fill(end_.begin(), end_.end(), end);
  }
  for (NodeId i = 0; i < n; ++i) {
    RoundRecord& record = records[i][t];
    record.start = start_[i];
    record.exchange = static_cast<float>(exchange[i]);
    record.wait = static_cast<float>(std::max(0.0, end_[i] - computed_[i] - exchange[i]));
    // Sent before computing on a link, after it on the paper's clock.
    const auto neighbours = run_.network.neighbours(i);
    Seconds age = 0;
    for (const Neighbour& j : neighbours) age += end_[i] - (run_.link.delays() ? start_[j.id] : computed_[j.id]);
    if (!neighbours.empty()) record.age = static_cast<float>(age / static_cast<double>(neighbours.size()));
  }
  start_ = end_;
}

}  // namespace quantimed
