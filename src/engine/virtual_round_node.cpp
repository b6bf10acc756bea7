#include "engine/virtual_round.hpp"

#include "base/error.hpp"

namespace quantimed {

RoundNode::RoundNode(RoundEngine& engine, NodeId id) : VirtualNode(engine.run_, id), engine_(engine) {
  missing[0] = missing[1] = static_cast<std::uint32_t>(core.neighbours().size()) + 1;  // its own too
}

// Records are of iterations that have ended.
bool RoundNode::wants(Round t) {
  if (t > first_round()) engine_.records_[core.id()].push_back(core.record);
  core.begin(t, 0);
  return t < run_.iterations;
}

void RoundNode::send() {
  Slot& slot = engine_.outboxes_[core.id()][core.round() % 2];
  slot.bytes = core.encode(core.round(), slot.message);
  slot.speed = core.speed();
  core.record.bytes = core.wire_bytes(slot.message);
  sent = core.round() + 1;
}

bool RoundNode::start(const GradientRequest& request) {
  plan(request);
  return true;  // the numbers are computed in apply()
}

bool RoundNode::start(const MessagesRequest& request) {
  check(request.round == core.round(), "round delivery: messages are asked for in their own round");
  return false;
}

void RoundNode::apply(const Coefficients& c, const Gradient& g) {
  auto& [gradient, scratch, ready] = *worker;
  if (g.batch > 0) {
    core.begin_samples(core.round());
    core.add_samples(g.batch, gradient, scratch);
  }
  scratch.terms.clear();
  core.listen(0);
  for (const Neighbour& j : core.neighbours()) {
    if (engine_.clock_.is_living(j.id))
      core.hear(j, engine_.outboxes_[j.id][core.round() % 2].heard(core.round()), scratch.terms);
    else
      core.miss(j);
  }
  core.carry_out(core.update_of(c, g.batch, gradient), scratch.terms, core.x());
}

}  // namespace quantimed
