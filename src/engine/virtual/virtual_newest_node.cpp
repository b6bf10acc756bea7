// SPDX-License-Identifier: BSD-3-Clause
#include "engine/virtual/virtual_newest.hpp"

#include "base/error.hpp"
#include "base/prefetch.hpp"

#include <algorithm>

namespace quantimed {

NewestNode::NewestNode(NewestEngine& engine, NodeId id, std::span<Real> x)
    : VirtualNode(engine.run_, id),
      engine_(engine),
      sum_(x.size()),
      parcel_(engine.run_.algorithm.sends_its_model ? 0 : parcel_capacity(engine.run_)) {
  core.place(x);
}

Seconds NewestNode::now() const { return engine_.now_ + ahead_; }

void NewestNode::spend(float RoundRecord::*phase, Seconds time) {
  core.record.*phase += static_cast<float>(time);
  ahead_ += time;
}

void NewestNode::wait_for(Seconds duration) {
  event_time = now() + duration;
  ahead_ = 0;
  engine_.events_.push({event_time, core.id()});
}

// The engine ends the run after T · n updates in all. Records are of iterations that have ended.
bool NewestNode::wants(Round t) {
  if (t > first_round()) {
    if (run_.machine) spend(&RoundRecord::record, run_.machine->record_s);
    engine_.records_[core.id()].push_back(core.record);
  }
  has_begun_ = true;
  has_updated_ = false;
  core.begin(t, now());
  const std::optional<Fault> fault = engine_.faults_.next(core.id(), now());
  if (fault && fault->lasts == kForever) {
    engine_.lose(core.id(), t);  // its last message stays what its neighbours read
    return false;
  }
  if (fault) spend(&RoundRecord::record, fault->lasts);
  return true;
}

bool NewestNode::start(const GradientRequest& request) {
  check(request.at == formula::x, "newest delivery: a text takes its gradient at its model");
  plan(request);
  pending = batch_ > 0;
  core.took_gradient(batch_, sum_);
  if (pending) engine_.pending_.push_back(core.id());
  if (restoring_) return exchanging_;
  wait_for(static_cast<Seconds>(core.record.compute));
  return false;
}

void NewestNode::compute(Scratch& scratch) {
  core.begin_samples(core.round());
  core.add_samples(batch_, sum_, scratch);
  pending = false;
}

void NewestNode::prefetch_event() const {
  task.prefetch();
  core.prefetch_lists();
  prefetch_vectors();
  engine_.records_[core.id()].prefetch_end();
  const NewestOutbox& out = engine_.outboxes_[core.id()];
  prefetch(out.versions.data(), out.versions.size() * sizeof(Sent));
  prefetch(out.unused.data());
  prefetch(out.buffers.data());
  for (const Neighbour& j : core.neighbours()) prefetch(&engine_.outboxes_[j.id], sizeof(NewestOutbox));
}

void NewestNode::prefetch_vectors() const {
  prefetch(core.x().data(), core.x().size_bytes());
  prefetch(sum_.data(), core.x().size_bytes());
}

// The exchange is charged to the node's own clock before it reads.
bool NewestNode::start(const MessagesRequest& request) {
  check(request.is_newest, "newest delivery: there are no rounds to wait for");
  asked_ = request.channel;
  if (asked_.index > 0) return true;  // it came with the first
  core.record.bytes = engine_.outboxes_[core.id()].versions.back().wire_bytes;
  const Seconds exchange = run_.link.exchange(engine_.charge_.bits_per_coordinate(core.record.bytes));
  core.record.exchange = static_cast<float>(exchange);
  if (restoring_) return false;
  if (exchange <= 0) return true;
  exchanging_ = true;
  wait_for(exchange);
  return false;
}

Messages NewestNode::finish(Messages) {
  exchanging_ = false;
  if (run_.algorithm.sends_its_model) return {};  // they are read at the update
  const auto neighbours = core.neighbours();
  core.listen(asked_, engine_.now_);
  for (std::size_t k = 0; k < neighbours.size(); ++k) {
    const Sent& version = engine_.newest_visible(neighbours[k].id);
    if (asked_.index == 0) core.pass_over(k, version.iteration);
    core.hear(asked_, neighbours[k], core.part_of(asked_, {version.payload, version.iteration, version.published_at}));
  }
  return core.heard(asked_, engine_.now_);
}

void NewestNode::apply(std::span<const Statement> statements) {
  if (!run_.algorithm.sends_its_model) {
    core.carry_out(statements);
    has_updated_ = true;
    ++engine_.updates_;
    return;
  }
  const auto coefficients = core.as_coefficients(statements);
  check(coefficients.has_value(), "newest delivery: a text updates by a formula of its own");
  if (pending) engine_.compute_pending();
  const std::size_t first_term = engine_.terms_.size();
  const auto neighbours = core.neighbours();
  core.listen(engine_.now_);
  for (std::size_t k = 0; k < neighbours.size(); ++k) {
    const Sent& version = engine_.newest_visible(neighbours[k].id);
    core.pass_over(k, version.iteration);
    core.hear(neighbours[k], {version.payload, version.iteration, version.published_at}, engine_.terms_);
  }
  core.heard(engine_.now_);
  engine_.deferred_.push_back({.node = core.id(),
                               .copy = false,
                               .update = core.update_of(*coefficients, batch_, sum_),
                               .first_term = first_term,
                               .terms = neighbours.size(),
                               .iteration = 0,
                               .message = {}});
  if (const MachineCosts* machine = run_.machine) {
    spend(&RoundRecord::wait, machine->receive_s);
    spend(&RoundRecord::mix, machine->mix_time(neighbours.size()));
  }
  has_updated_ = true;
  ++engine_.updates_;
}

// As many under way as the threads engine's mailbox has buffers for.
bool NewestNode::link_is_full() const {
  const auto& versions = engine_.outboxes_[core.id()].versions;
  const auto under_way = std::ranges::count_if(versions, [&](const Sent& sent) { return sent.visible_at > now(); });
  return run_.link.delays() && static_cast<std::uint32_t>(under_way) >= run_.link.most_in_flight();
}

// None of it is put off: the next event may read what this one has written.
void NewestNode::send_part(Channel c, const Linear& what) {
  if (restoring_ && !has_begun_) return;  // messages are there already
  if (pending) engine_.compute_pending();
  const std::span<std::byte> part = core.part_of(c, parcel_);
  core.publish(c, what, 0, part, engine_.scratch_.front());
  parcel_bytes_ = (c.index == 0 ? 0 : parcel_bytes_) + core.wire_bytes(part);
  if (restoring_ || c.index + 1 < run_.algorithm.channels) return;
  if (auto version = new_version(has_begun_ ? core.round() + 1 : 0)) {
    std::ranges::copy(parcel_, engine_.outboxes_[core.id()].buffers[version->buffer].begin());
    send_version(*version, parcel_bytes_, 0, now());
  }
}

std::optional<Sent> NewestNode::new_version(Round iteration) {
  if (link_is_full()) {
    ++engine_.dropped_;
    return {};
  }
  NewestOutbox& out = engine_.outboxes_[core.id()];
  const std::size_t capacity = parcel_capacity(run_);
  if (out.versions.size() > 1) (void)engine_.newest_visible(core.id());  // gives up what has been overtaken
  if (out.unused.empty()) {
    out.buffers.emplace_back(capacity);
    out.unused.push_back(out.buffers.size() - 1);
  }
  const Sent version{.buffer = out.unused.back(),
                     .payload = out.buffers[out.unused.back()],
                     .wire_bytes = 0,
                     .iteration = iteration,
                     .published_at = now(),
                     .visible_at = 0};
  out.unused.pop_back();
  return version;
}

void NewestNode::send_version(Sent version, double wire_bytes, Seconds latency, Seconds on_link) {
  version.wire_bytes = wire_bytes;
  if (has_begun_)
    version.visible_at =
        std::max(version.published_at + latency, on_link + run_.link.delay(engine_.charge_.bytes(wire_bytes)));
  engine_.outboxes_[core.id()].versions.push_back(version);
  (void)engine_.newest_visible(core.id());  // gives up what has been overtaken, also where no neighbour ever reads
}

void NewestNode::send(Channel c, const Linear& what, Real) {
  if (!run_.algorithm.sends_its_model) return send_part(c, what);
  core.published_in_place(c, {});
  if (restoring_) return;
  NewestOutbox& out = engine_.outboxes_[core.id()];
  const Codec& codec = run_.codec;
  // The message carries the model that this iteration has started from, or the next one will.
  const Round iteration = has_begun_ ? core.round() + (has_updated_ ? 1 : 0) : 0;
  if (!out.versions.empty() && out.versions.back().iteration == iteration) return;  // x_0 is with everybody
  Seconds latency = 0, on_link = now();
  if (const MachineCosts* machine = run_.machine; machine && has_begun_) {
    spend(&RoundRecord::encode, machine->encode_s);
    on_link = now();
    spend(&RoundRecord::publish, machine->publish_s);
    latency = machine->latency_s;
  }
  auto version = new_version(iteration);
  if (!version) return;
  const std::span<std::byte> message = out.buffers[version->buffer];
  if (codec.is_sliceable()) {
    engine_.deferred_.push_back({.node = core.id(),
                                 .copy = true,
                                 .update = {},
                                 .first_term = 0,
                                 .terms = 0,
                                 .iteration = iteration,
                                 .message = message});
  } else {  // its length is known only once it is written
    engine_.carry_out();
    version->payload = message.first(core.encode(iteration, message));
  }
  send_version(*version, core.wire_bytes(message), latency, on_link);
}

// Between two events every node waits for one of its own: the end of its gradient, which depends on its model alone
// and is computed again, or of its exchange.
void NewestNode::save(Checkpoint& checkpoint) const {
  checkpoint.start_time.push_back(core.record.start);
  checkpoint.event_time.push_back(event_time);
  checkpoint.exchanging.push_back(exchanging_);
  core.save_unseen(checkpoint);
}

void NewestNode::restore(const Checkpoint& saved, std::span<const std::uint32_t>& next_unseen) {
  core.restore_unseen(next_unseen);
  exchanging_ = saved.exchanging[core.id()] != 0;
  event_time = start_again(saved, "newest delivery: an algorithm that never waits");
  engine_.events_.push({event_time, core.id()});
}

}  // namespace quantimed
