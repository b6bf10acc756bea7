// SPDX-License-Identifier: BSD-3-Clause
#include "engine/virtual/virtual_round.hpp"

#include "base/error.hpp"

namespace quantimed {

RoundNode::RoundNode(RoundEngine& engine, NodeId id) : VirtualNode(engine.run_, id), engine_(engine) {
  set_missing(static_cast<std::uint32_t>(core.neighbours().size()) + 1);  // its own too
  if (!run_.algorithm.sends_its_model) gradient_.resize(run_.problem.dimension());
}

void RoundNode::set_missing(std::uint32_t arrivals) {
  for (auto& missing : missing_) missing.store(arrivals, std::memory_order_relaxed);
}

// Records are of iterations that have ended.
bool RoundNode::wants(Round t) {
  if (t > first_round()) engine_.records_[core.id()].push_back(core.record);
  core.begin(t, 0);
  exchanges_ = 0;
  batch_ = 0;
  return t < run_.iterations;
}

void RoundNode::send(Channel c, const Linear& what, Real scalar) {
  Slot& slot = engine_.outboxes_[core.id()][c.index][core.sent(c) % 2];
  if (run_.algorithm.sends_its_model) {
    check(what.is_model(), "a text publishes more than its model, and its row does not say so");
    core.published_in_place(c, slot.message);
    slot.bytes = slot.message.size();
    sent_ = &slot;
    worker->messages.push_back(this);
  } else {
    slot.bytes = core.publish(c, what, scalar, slot.message, worker->scratch);
    core.record.bytes += core.wire_bytes(slot.message);
  }
  slot.speed = core.speed();
  slot.scalar = scalar;
}

void RoundNode::encode_slice(std::size_t first, std::size_t last) {
  core.count_overflows(core.encode_slice(core.round(), first, last, sent_->message));
}

void RoundNode::complete_message() {
  if (!run_.codec.is_sliceable()) sent_->bytes = core.encode(core.round(), sent_->message);
  core.record.bytes += core.wire_bytes(sent_->message);
}

// A gradient that is needed at the update alone is computed there.
bool RoundNode::start(const GradientRequest& request) {
  plan(request);
  const std::uint32_t k = core.this_gradient();
  if (run_.algorithm.sends_its_model) {
    check(k == 0 && request.at == formula::x, "a text takes more than one gradient, and its row does not say so");
    return true;
  }
  core.begin_samples(core.round(), k, request.at.index);
  if (batch_ > 0) core.add_samples(batch_, gradient_, worker->scratch);
  core.took_gradient(batch_, gradient_);
  return true;
}

bool RoundNode::start(const MessagesRequest& request) {
  check(!request.is_newest, "round delivery: messages are asked for as neighbours()");
  awaits_ = request;
  ++exchanges_;
  return false;
}

Messages RoundNode::finish(Messages) {
  if (run_.algorithm.sends_its_model) return {};  // they are read at the update
  const Channel c = channel();
  const auto slot_of = [&](NodeId j) -> const Slot& { return engine_.outboxes_[j][c.index][message() % 2]; };
  core.listen(c, 0);
  if (is_of_all())
    for (NodeId j = 0; j < run_.network.nodes; ++j) core.hear_of_all(c, j, slot_of(j).heard(core.round()));
  else
    for (const Neighbour& j : core.sources(message())) {
      if (engine_.clock_.is_living(j.id))
        core.hear(c, j, slot_of(j.id).heard(core.round()));
      else
        core.miss(j);
    }
  return core.heard(c, 0);
}

void RoundNode::apply(std::span<const Statement> statements) {
  if (!run_.algorithm.sends_its_model) return core.carry_out(statements);
  const auto coefficients = core.as_coefficients(statements);
  check(coefficients.has_value(), "a text updates by a formula of its own, and its row does not say so");
  note_update(*coefficients);
}

void RoundNode::note_update(const Coefficients& c) {
  auto& terms = worker->terms;
  const std::size_t first = terms.size();
  core.listen(0);
  for (const Neighbour& j : core.sources(core.round())) {
    if (engine_.clock_.is_living(j.id))
      core.hear(j, engine_.outboxes_[j.id][0][core.round() % 2].heard(core.round()), terms);
    else
      core.miss(j);
  }
  const std::size_t p = run_.problem.dimension();
  const std::span<const Real> sum = std::span(worker->gradients).subspan(worker->updates.size() * p, p);
  worker->updates.push_back({.node = this,
                             .round = core.round(),
                             .update = core.update_of(c, batch_, sum),
                             .first_term = first,
                             .terms = terms.size() - first});
}

// Behind the text, which is in its next iteration already; the model is as it was.
void RoundNode::compute(const NotedUpdate& noted) {
  const GradientSum& gradient = noted.update.gradient;
  if (gradient.batch == 0) return;
  core.begin_samples(noted.round);
  const std::size_t first = static_cast<std::size_t>(gradient.sum.data() - worker->gradients.data());
  core.add_samples(gradient.batch, std::span(worker->gradients).subspan(first, gradient.sum.size()), worker->scratch);
}

}  // namespace quantimed
