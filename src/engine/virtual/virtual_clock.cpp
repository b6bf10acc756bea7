// SPDX-License-Identifier: BSD-3-Clause
#include "engine/virtual/virtual_clock.hpp"

#include "base/error.hpp"
#include "engine/resumption.hpp"

#include <algorithm>
#include <utility>

namespace quantimed {

VirtualClock::VirtualClock(const Run& run, const Charge& charge, std::vector<Seconds> starts)
    : run_(run),
      charge_(charge),
      ranks_(run.ranks ? std::optional<RankClock>(std::in_place, run) : std::nullopt),
      first_message_(run.network.is_scheduled() ? run.algorithm.first_message(run.options, first_round(run, 0)) : 0),
      message_(first_message_),
      start_(starts.empty() ? std::vector<Seconds>(run.network.nodes) : std::move(starts)),
      sent_(run.network.nodes),
      computed_(run.network.nodes),
      end_(run.network.nodes),
      exchange_(run.network.nodes),
      all_exchanges_(run.network.nodes),
      all_waits_(run.network.nodes),
      away_(run.network.nodes),
      in_vain_(run.network.nodes),
      living_(run.network.nodes, 1),
      stalls_(run.faults, [&](const Fault& fault) { return !is_loss(fault, run.patience()); }) {}

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

void VirtualClock::stall() {
  while (const auto fault = stalls_.next([&](NodeId i) { return start_[i]; })) away_[fault->node] = fault->lasts;
}

void VirtualClock::begin_next_round(Round t) {
  first_message_ += run_.algorithm.messages(run_.options, t);
  start_ = end_;
  std::ranges::fill(away_, 0);
  std::ranges::fill(in_vain_, 0);
}

void VirtualClock::advance_on_machine(Records& records, Round t) {
  const MachineCosts& machine = *run_.machine;
  const std::uint32_t n = run_.network.nodes;
  for (NodeId i = 0; i < n; ++i) {
    if (!is_living(i)) continue;
    sent_[i] = start_[i] + away_[i] + machine.encode_s + machine.publish_s;
    computed_[i] = sent_[i] + static_cast<Seconds>(records[i][t].compute);
  }
  if (ranks_) ranks_->carry(sent_, records, t);
  for (NodeId i = 0; i < n; ++i) {
    if (!is_living(i)) continue;
    std::size_t messages = 0;
    Seconds there = computed_[i] + std::max(machine.receive_s, in_vain_[i]), visible = there,
            sent = 0;  // the last message is there; it may be read
    for (const Neighbour& j : run_.network.neighbours(i)) {
      if (!is_living(j.id)) continue;
      ++messages;
      const Seconds arrival = ranks_ ? ranks_->arrival(j.id, i) : sent_[j.id] + machine.latency_s;
      there = std::max(there, arrival);
      const Seconds encoded = sent_[j.id] - machine.publish_s;  // from here on it is on the link
      visible = std::max(visible, encoded + run_.link.delay(records[j.id][t].bytes));
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
  begin_next_round(t);
}

// All nodes' ends of round t.
void VirtualClock::take(const Records& records, Round t) {
  const std::uint32_t n = run_.network.nodes;
  const Exchanges exchanges = run_.algorithm.exchanges(run_.options, t);
  const double parts = exchanges.is_beside_gradient ? exchanges.count : 1;
  for (NodeId i = 0; i < n; ++i) {
    sent_[i] = start_[i] + away_[i];
    computed_[i] = is_living(i) ? sent_[i] + static_cast<Seconds>(records[i][t].compute) / parts : 0;
    if (!exchanges.is_sent_early) sent_[i] = computed_[i];
    all_exchanges_[i] = all_waits_[i] = 0;
  }
  for (std::uint32_t k = 0; k < exchanges.count; ++k) {
    if (k > 0) computed_ = sent_ = end_;
    if (k > 0 && exchanges.is_beside_gradient)
      for (NodeId i = 0; i < n; ++i)
        if (is_living(i)) computed_[i] += static_cast<Seconds>(records[i][t].compute) / parts;
    // Channels whose exchanges follow one another count their own messages.
    message_ = first_message_ + k % std::max(1u, run_.algorithm.messages(run_.options, t));
    exchange(records, t, exchanges);
    for (NodeId i = 0; i < n; ++i) {
      all_exchanges_[i] += exchange_[i];
      all_waits_[i] += std::max(0.0, end_[i] - computed_[i] - exchange_[i]);
    }
    std::ranges::fill(in_vain_, 0);  // a lost neighbour is waited for once
  }
}

Seconds VirtualClock::time_on_link(double bytes) const {
  return std::max(run_.link.delay(charge_.bytes(bytes)), run_.link.exchange(charge_.bits_per_coordinate(bytes)));
}

// From sent_ and computed_ to end_.
void VirtualClock::exchange(const Records& records, Round t, const Exchanges& exchanges) {
  const std::uint32_t n = run_.network.nodes;
  const Seconds last = *std::max_element(computed_.begin(), computed_.end());
  for (NodeId i = 0; i < n; ++i) {
    exchange_[i] = end_[i] = 0;
    if (!is_living(i)) continue;
    double bytes = records[i][t].bytes / exchanges.count;
    if (exchanges.is_collective) {
      exchange_[i] = collective(bytes);
      end_[i] = last + exchange_[i];
      continue;
    }
    Seconds ready = computed_[i] + in_vain_[i], arrival = 0;
    for (const Neighbour& j : sources(i)) {
      if (!is_living(j.id)) continue;
      const double theirs = records[j.id][t].bytes / exchanges.count;
      if (exchanges.is_beside_gradient) {
        arrival = std::max(arrival, sent_[j.id] + time_on_link(theirs));
        continue;
      }
      bytes = std::max(bytes, theirs);
      // With a link that is charged after computing, a message counts as sent when its sender has computed.
      ready = std::max(ready, run_.link.delays() ? sent_[j.id] : computed_[j.id]);
      arrival = std::max(arrival, sent_[j.id] + run_.link.delay(charge_.bytes(theirs)));
    }
    if (exchanges.is_beside_gradient)
      exchange_[i] = std::max(0.0, std::max(arrival, sent_[i] + time_on_link(bytes)) - ready);
    else
      exchange_[i] = std::max(run_.link.exchange(charge_.bits_per_coordinate(bytes)), arrival - ready);
    end_[i] = ready + exchange_[i];
  }
  if (run_.sync == Sync::barrier) {
    const Seconds end =
        std::max(*std::max_element(end_.begin(), end_.end()),
                 last + (run_.link.delays() ? 0 : *std::max_element(exchange_.begin(), exchange_.end())));
    std::fill(end_.begin(), end_.end(), end);
  }
}

// Ring all-reduce of what `bytes` are already 2 (n − 1)/n of.
Seconds VirtualClock::collective(double bytes) const {
  const double n = run_.network.nodes, share = 2 * (n - 1) / n;
  if (n < 2) return 0;
  if (run_.link.delays()) return run_.link.all_reduce(charge_.bytes(bytes, share), n);
  return run_.link.exchange(charge_.bits_per_coordinate(bytes, share));
}

void VirtualClock::note(Records& records, Round t) {
  const bool is_collective = run_.algorithm.exchanges(run_.options, t).is_collective;
  for (NodeId i = 0; i < run_.network.nodes; ++i) {
    if (!is_living(i)) continue;
    RoundRecord& record = records[i][t];
    record.start = start_[i];
    record.record = static_cast<float>(away_[i]);
    record.exchange = static_cast<float>(all_exchanges_[i]);
    record.wait = static_cast<float>(all_waits_[i]);
    // Sent before computing on a link, after it on the paper's clock.
    Seconds age = 0;
    std::size_t messages = 0;
    const auto hear = [&](NodeId j) {
      if (j == i || !is_living(j)) return;
      age += end_[i] - (run_.link.delays() ? sent_[j] : computed_[j]);
      ++messages;
    };
    if (is_collective)
      for (NodeId j = 0; j < run_.network.nodes; ++j) hear(j);
    else
      for (const Neighbour& j : sources(i)) hear(j.id);
    if (messages > 0) record.age = static_cast<float>(age / static_cast<double>(messages));
  }
}

void VirtualClock::advance(Records& records, Round t) {
  stall();
  if (run_.machine) return advance_on_machine(records, t);
  take(records, t);
  note(records, t);
  begin_next_round(t);
}

void VirtualClock::pass(const Records& records, Round t) {
  check(!run_.machine, "a predicted machine has one clock");
  stall();
  take(records, t);
  begin_next_round(t);
}

}  // namespace quantimed
