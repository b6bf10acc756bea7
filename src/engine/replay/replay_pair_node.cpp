// SPDX-License-Identifier: BSD-3-Clause
#include "base/error.hpp"
#include "engine/pairs.hpp"
#include "engine/replay/replay_engine.hpp"

namespace quantimed {

Turns::Now Turns::take(std::uint64_t turn, NodeId waiter) {
  const std::lock_guard lock(mutex_);
  if (turn == next_) return Now::mine;
  if (turn < next_ || !waiting_.emplace(turn, waiter).second) return Now::past;
  return Now::later;
}

std::optional<NodeId> Turns::pass() {
  const std::lock_guard lock(mutex_);
  const auto waiter = waiting_.find(++next_);
  if (waiter == waiting_.end()) return {};
  const NodeId node = waiter->second;
  waiting_.erase(waiter);
  return node;
}

PairReplayNode::PairReplayNode(ReplayRun& replay, NodeId id, std::span<const std::uint8_t> log)
    : ReplayNode(replay, id, log) {
  if (const auto& shown = replay.shown_[id]; !shown.empty() && shown.front().iteration == 0) start_ = x_;
}

NodeId PairReplayNode::partner(Round t) const { return partner_of(replay_.run_, core.id(), t); }

void PairReplayNode::send(Channel, const Linear&, Real) { check(false, "pairwise delivery: nothing is published"); }

bool PairReplayNode::wants(Round t) {
  if (t > 0) put_off_.push_back({.ends = t - 1, .begins = {}, .statements = {}});
  put_off_.push_back({.ends = {}, .begins = t, .statements = {}});
  return goes_on(t);
}

void PairReplayNode::apply(std::span<const Statement> statements) {
  put_off_.push_back({.ends = {}, .begins = {}, .statements = {statements.begin(), statements.end()}});
}

bool PairReplayNode::start(const AverageRequest& request) {
  is_averaged_ = false;
  if (request.partner == core.id()) return true;
  request_ = request;
  need = Need::others;
  return false;
}

bool PairReplayNode::take(NodeId model, std::uint64_t turn) {
  awaited_ = {model, turn};
  switch (replay_.turns_[model].take(turn, core.id())) {
    case Turns::Now::mine:
      return true;
    case Turns::Now::later:
      return false;
    case Turns::Now::past:
      break;
  }
  reject(fmt::format("turn {} at the model of node {} is another's", turn, model));
}

// Its own first: while it has that, nobody else can take the next one there.
bool PairReplayNode::take_turns(PairEntry what) {
  if (!turn_) {
    turn_ = log_.turn();
    if (turn_->what != what) reject("an entry of another kind than what the algorithm does");
  }
  const std::optional<std::uint64_t> its = turn_->its;  // not to be read once another worker may run this node
  const NodeId other = request_.partner;
  return take(core.id(), turn_->own) && (!its || take(other, *its));
}

void PairReplayNode::pass_turn(NodeId model) {
  if (const std::optional<NodeId> next = replay_.turns_[model].pass())
    replay_.queue_.push(replay_.began(*next, replay_.nodes_[*next]->core.round()), *next);
}

void PairReplayNode::average() {
  if (!is_model_of_run(turn_->own)) differs("its whole model");
  is_averaged_ = turn_->its.has_value();
  if (is_averaged_) {
    auto& partner = static_cast<PairReplayNode&>(*replay_.nodes_[request_.partner]);
    if (!partner.is_model_of_run(*turn_->its)) differs(fmt::format("the whole model of node {}", request_.partner));
    const PairMessages sent = average_models(replay_.run_, core.id(), core.round(), core.x(), partner.core.x(), room_);
    core.count_overflows(sent.overflows);
    core.count_violations(sent.violations);
    pass_turn(request_.partner);
  }
  turn_.reset();
  pass_turn(core.id());
}

bool PairReplayNode::proceed() {
  for (; done_ < put_off_.size(); ++done_) {
    const PutOff& next = put_off_[done_];
    if (next.begins) {
      core.begin(*next.begins, 0);
      drawn_ = 0;
      // A node without an iteration: the end's point is shown at the end.
      const bool is_all = replay_.iterations(core.id()) == 0;
      if (*next.begins == 0) show_point(0, start_, is_all ? replay_.points_.size() - 1 : ~std::size_t{0});
      continue;
    }
    if (!take_turns(next.ends ? PairEntry::end : PairEntry::pass)) return false;
    if (!is_model_of_run(turn_->own)) differs("its whole model");
    if (next.ends) {
      compare_state(log_.state_check());
      if (*next.ends + 1 < replay_.iterations(core.id())) show_point(*next.ends + 1, core.x());
    } else {
      core.carry_out(next.statements);
    }
    turn_.reset();
    pass_turn(core.id());
  }
  put_off_.clear();
  done_ = 0;
  if (need == Need::gradient) compute();
  if (need == Need::others) {
    if (!take_turns(PairEntry::average)) return false;
    average();
  }
  need = Need::nothing;
  return true;
}

ReplayNode::Lack PairReplayNode::lack() const {
  const auto& [model, turn] = awaited_;
  return {.what = fmt::format("it waits for turn {} at the model of node {}, which never comes", turn, model),
          .late = -replay_.began(core.id(), core.round())};
}

}  // namespace quantimed
