// SPDX-License-Identifier: BSD-3-Clause
#include "engine/threads/threads_pair_node.hpp"

#include "base/error.hpp"
#include "engine/pairs.hpp"

#include <algorithm>

namespace quantimed {

PairThreadNode::PairThreadNode(ThreadedRun& shared, NodeId id) : ThreadNode(shared, id, 1) {
  place_model({});
  guarded_.steps = first_round();
  if (!shared.turns.empty()) guarded_.turns = shared.turns[id];
}

NodeId PairThreadNode::partner(Round t) const { return partner_of(shared_.run, core_.id(), t); }

void PairThreadNode::take(PairThreadNode& of) {
  if (of.guarded_.lock.try_lock()) return;
  wait_for(of.core_.id(), round(), [&] { return of.guarded_.lock.try_lock(); });
}

// The model holds up to now: who is about to change it copies it, if the curve wants it.
void PairThreadNode::keep_copy_before_change(Seconds now) {
  const auto position = static_cast<std::uint64_t>(now / NewestThreadNode::kGrid_s);
  if (position >= snapshots_.next()) keep_copy(position, guarded_.steps, guarded_.turns);
}

// Under its own lock.
void PairThreadNode::take_turn(PairEntry what) {
  if (replay_log_) replay_log_->takes_turn(guarded_.turns, what);
  ++guarded_.turns;
}

void PairThreadNode::log_end_of_iteration() {
  const Held own(*this, *this);
  take_turn(PairEntry::end);
  replay_log_->iteration_ends(core_.state_check());
}

void PairThreadNode::apply(std::span<const Statement> statements) {
  const bool is_step = std::ranges::any_of(statements, [](const Statement& s) { return s.destination == formula::x; });
  const Held own(*this, *this);
  charge(&RoundRecord::wait);
  if (is_step) {
    keep_copy_before_change(charged_until_);
    charge(&RoundRecord::record);
  }
  ThreadNode::apply(statements);
  take_turn(PairEntry::pass);
  guarded_.steps += is_step;
}

bool PairThreadNode::start(const AverageRequest& request) {
  is_averaged_ = false;
  if (request.partner == core_.id()) return true;
  if (shared_.run.link.delays()) {
    const PairCost cost = cost_of_pair(shared_.run, message_bytes(), shared_.run.charge(true));
    wait_until_visible(charged_until_ + cost.on_link);
  }
  is_averaged_ = average_both(node(request.partner));
  return true;
}

double PairThreadNode::message_bytes() {
  const Held own(*this, *this);
  return pair_message_bytes(shared_.run, core_.id(), round(), core_.x(), room_);
}

bool PairThreadNode::average_both(PairThreadNode& partner) {
  const bool is_lower = core_.id() < partner.core_.id();
  const Held first(*this, is_lower ? *this : partner);
  const Held second(*this, is_lower ? partner : *this);
  charge(&RoundRecord::wait);
  if (partner.lost_in()) {
    core_.record.bytes += 2 * pair_message_bytes(shared_.run, core_.id(), round(), core_.x(), room_);
    take_turn(PairEntry::average);
    if (replay_log_) replay_log_->takes_turn_of_partner({});
    return false;
  }
  keep_copy_before_change(charged_until_);
  partner.keep_copy_before_change(charged_until_);
  charge(&RoundRecord::record);
  const PairMessages sent = average_models(shared_.run, core_.id(), round(), core_.x(), partner.core_.x(), room_);
  core_.record.bytes += sent.wire_bytes;
  core_.count_overflows(sent.overflows);
  core_.count_violations(sent.violations);
  charge(&RoundRecord::mix);
  take_turn(PairEntry::average);
  const std::uint64_t its_turn = partner.guarded_.turns++;
  if (replay_log_) replay_log_->takes_turn_of_partner(its_turn);
  core_.record.staleness = static_cast<float>(round()) - static_cast<float>(partner.guarded_.steps);
  return true;
}

}  // namespace quantimed
