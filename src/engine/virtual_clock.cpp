#include "engine/virtual_clock.hpp"

#include <algorithm>

namespace quantimed {

VirtualClock::VirtualClock(const Run& run, std::size_t dimension)
    : run_(run),
      dimension_(static_cast<double>(dimension)),
      start_(run.resume ? run.resume->checkpoint.start_time : std::vector<Seconds>(run.network.nodes)),
      sent_(run.network.nodes),
      computed_(run.network.nodes),
      end_(run.network.nodes),
      away_(run.network.nodes),
      in_vain_(run.network.nodes),
      living_(run.network.nodes, 1) {}

Seconds VirtualClock::earliest() const {
  Seconds earliest = kForever;
  for (NodeId i = 0; i < start_.size(); ++i)
    if (is_living(i)) earliest = std::min(earliest, start_[i]);
  return earliest;
}

Seconds VirtualClock::latest() const {
  Seconds latest = 0;
  for (NodeId i = 0; i < start_.size(); ++i)
    if (is_living(i)) latest = std::max(latest, start_[i]);
  return latest;
}

void VirtualClock::lose(NodeId i) {
  living_[i] = 0;
  for (const Neighbour& j : run_.network.neighbours(i)) in_vain_[j.id] = run_.patience();
}

void VirtualClock::begin_next_round() {
  start_ = end_;
  std::ranges::fill(away_, 0);
  std::ranges::fill(in_vain_, 0);
}

Seconds VirtualClock::exchange_time(float bytes) const {
  return run_.link.exchange(run_.charge_wire_bits ? 8.0 * static_cast<double>(bytes) / dimension_
                                                  : run_.codec.paper_bits());
}

void VirtualClock::advance_on_machine(Records& records, Round t) {
  const MachineCosts& machine = *run_.machine;
  const std::uint32_t n = run_.network.nodes;
  for (NodeId i = 0; i < n; ++i) {
    if (!is_living(i)) continue;
    sent_[i] = start_[i] + away_[i] + machine.encode_s + machine.publish_s;
    computed_[i] = sent_[i] + static_cast<Seconds>(records[i][t].compute);
  }
  for (NodeId i = 0; i < n; ++i) {
    if (!is_living(i)) continue;
    std::size_t messages = 0;
    Seconds there = computed_[i] + std::max(machine.receive_s, in_vain_[i]), visible = there,
            sent = 0;  // the last message is there; it may be read
    for (const Neighbour& j : run_.network.neighbours(i)) {
      if (!is_living(j.id)) continue;
      ++messages;
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
    record.mix = static_cast<float>(machine.mix_time(messages));
    record.record = static_cast<float>(machine.record_s + away_[i]);
    end_[i] = std::max(visible, there) + machine.mix_time(messages) + machine.record_s;
    if (messages > 0) record.age = static_cast<float>(std::max(visible, there) - sent / static_cast<double>(messages));
  }
  begin_next_round();
}

void VirtualClock::advance(Records& records, Round t) {
  if (run_.machine) return advance_on_machine(records, t);
  const std::uint32_t n = run_.network.nodes;
  for (NodeId i = 0; i < n; ++i) {
    sent_[i] = start_[i] + away_[i];
    computed_[i] = is_living(i) ? sent_[i] + static_cast<Seconds>(records[i][t].compute) : 0;
  }
  std::vector<Seconds> exchange(n);  // charged after the last computation
  for (NodeId i = 0; i < n; ++i) {
    if (!is_living(i)) continue;
    Seconds ready = computed_[i] + in_vain_[i], arrival = 0;
    float bytes = records[i][t].bytes;
    for (const Neighbour& j : run_.network.neighbours(i)) {
      if (!is_living(j.id)) continue;
      const RoundRecord& theirs = records[j.id][t];
      bytes = std::max(bytes, theirs.bytes);
      // With a link that is charged after computing, a message counts as sent when its sender has computed.
      ready = std::max(ready, run_.link.delays() ? sent_[j.id] : computed_[j.id]);
      arrival = std::max(arrival, sent_[j.id] + run_.link.delay(static_cast<std::size_t>(theirs.bytes)));
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
    if (!is_living(i)) continue;
    RoundRecord& record = records[i][t];
    record.start = start_[i];
    record.record = static_cast<float>(away_[i]);
    record.exchange = static_cast<float>(exchange[i]);
    record.wait = static_cast<float>(std::max(0.0, end_[i] - computed_[i] - exchange[i]));
    // Sent before computing on a link, after it on the paper's clock.
    Seconds age = 0;
    std::size_t messages = 0;
    for (const Neighbour& j : run_.network.neighbours(i)) {
      if (!is_living(j.id)) continue;
      age += end_[i] - (run_.link.delays() ? sent_[j.id] : computed_[j.id]);
      ++messages;
    }
    if (messages > 0) record.age = static_cast<float>(age / static_cast<double>(messages));
  }
  begin_next_round();
}

}  // namespace quantimed
