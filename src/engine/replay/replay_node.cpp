// SPDX-License-Identifier: BSD-3-Clause
#include "base/error.hpp"
#include "engine/replay/replay_engine.hpp"
#include "record/replay_log.hpp"

namespace quantimed {

// ---- every node ----

ReplayNode::ReplayNode(ReplayRun& replay, NodeId id, std::span<const std::uint8_t> log)
    : Node(protocol_of(replay.run_.algorithm), own_weight(replay.run_.network, id), 0),
      core(replay.run_, id),
      replay_(replay),
      log_(replay.run_, id, log),
      x_(replay.run_.problem.dimension()),
      sum_(x_.size()) {
  core.place(x_);
}

void ReplayNode::compare_state(std::uint16_t was) {
  if (was != core.state_check()) differs("its model");
  replay_.done_.fetch_add(1, std::memory_order_relaxed);
}

bool ReplayNode::is_model_of_run(std::uint64_t at) {
  const auto& models = replay_.models_[core.id()];
  bool is_same = true;
  for (; next_model_ < models.size() && models[next_model_].at == at; ++next_model_) {
    is_same = is_same && model_fingerprint(core.x()) == models[next_model_].fingerprint;
    replay_.compared_.fetch_add(1, std::memory_order_relaxed);
  }
  return is_same;
}

void ReplayNode::show_point(Round t, std::span<const Real> x, std::size_t below) {
  const auto& shown = replay_.shown_[core.id()];
  for (; next_point_ < shown.size() && shown[next_point_].iteration == t && shown[next_point_].point < below;
       ++next_point_)
    replay_.deliver(core.id(), shown[next_point_].point, x);
}

void ReplayNode::ends_at(std::uint64_t turns) {
  if (!is_model_of_run(turns)) differs("its whole model");
  show_point(replay_.iterations(core.id()), core.x());
}

bool ReplayNode::goes_on(Round t) const {
  if (const auto& [broken, why] = replay_.broken_[core.id()]; t == broken) std::rethrow_exception(why);
  return t < replay_.iterations(core.id()) && !replay_.stop_.load(std::memory_order_relaxed);
}

void ReplayNode::differs(std::string what) {
  std::atomic<Round>& since = replay_.wrong_since_[core.id()];
  if (since.load(std::memory_order_relaxed) != ReplayRun::kNever) return;
  const bool is_first = !is_of_a_wrong_sender();
  since.store(core.round(), std::memory_order_release);
  if (is_first) replay_.found({core.id(), core.round(), std::move(what)});
}

bool ReplayNode::start(const GradientRequest& request) {
  gradient_ = request;
  need = Need::gradient;
  return false;
}

void ReplayNode::compute() {
  const Run& run = replay_.run_;
  core.begin_samples(core.round(), core.next_gradient(), gradient_.at.index);
  const Rounds& rounds = replay_.request_.rounds;
  const bool is_recorded = core.round() < rounds.iterations;
  const std::size_t at = std::size_t{core.round()} * rounds.nodes + core.id();
  const double most = is_recorded ? static_cast<double>(rounds.batch[at]) : 0;
  if (gradient_.deadline > 0 || run.gradient_until_deadline)
    while (const std::size_t chunk = log_.chunk()) {
      // Before they are computed: a log can name more than anybody has time for.
      if (is_recorded && drawn_ + static_cast<double>(core.drawn() + chunk) > most) {
        log_.reject(fmt::format("its gradient is of more than the {} samples of /rounds/batch", most));
      }
      core.add_samples(chunk, sum_, *scratch);
    }
  else
    core.add_samples(gradient_.batch, sum_, *scratch);
  core.took_gradient(core.drawn(), sum_);
  drawn_ += static_cast<double>(core.drawn());
  if (!is_recorded || core.this_gradient() + 1 < run.algorithm.gradients(run.options)) return;
  if (static_cast<float>(drawn_) != rounds.batch[at])
    differs(fmt::format("{} samples by its log, {} by /rounds/batch", drawn_, rounds.batch[at]));
  const auto lasted = static_cast<double>(rounds.compute_time[at]);
  if (lasted > 0) core.set_speed(drawn_ / lasted);  // for the next adapted deadline, of a run that goes on
}

// ---- messages ----

bool MessageReplayNode::is_newest() const { return replay_.run_.algorithm.delivery == Delivery::newest; }

// An iteration that read what another node had got wrong is wrong for that reason alone.
bool MessageReplayNode::is_of_a_wrong_sender() const {
  return std::ranges::any_of(wanted_, [&](const Wanted& wanted) {
    const Round of = is_newest() ? wanted.number : core.round();
    return wanted.from.id != core.id() && replay_.wrong_since_[wanted.from.id].load(std::memory_order_acquire) < of;
  });
}

// With `newest` delivery an iteration's messages follow its update, and nobody may read them before it was checked.
bool MessageReplayNode::wants(Round t) {
  if (t > 0 && !is_newest()) end_iteration();
  if (!is_model_of_run(t)) differs("its whole model");
  show_point(t, core.x());
  const bool wanted = goes_on(t);
  core.begin(t, 0);
  drawn_ = 0;
  has_updated_ = false;
  // A text that sends its model within the iteration has not sent this one, and in a run that was resumed it was there
  // from the beginning, also of a node that had no turn any more.
  const bool is_model = is_newest() && replay_.run_.algorithm.sends_its_model;
  if (!wanted && is_model && t > 0 && replay_.readers_of(core, t) > 0) send({0}, Linear(), 0);
  return wanted;
}

bool MessageReplayNode::proceed() {
  if (need == Need::gradient) compute();
  if (need == Need::others && !gather()) return false;
  need = Need::nothing;
  return true;
}

// The one of those who wait whose message was sent longest after its iteration had ended has a log that is wrong: what
// was read had been sent.
ReplayNode::Lack MessageReplayNode::lack() const {
  const NodeId sender = wanted_[gathered_].from.id;
  const Round iteration = wanted_[gathered_].number;
  const Rounds& rounds = replay_.request_.rounds;
  const Seconds sent = iteration == 0 ? 0 : end_of(rounds, sender, iteration - 1);
  return {.what = fmt::format("it reads iteration {} of node {}, which waits for it in turn", iteration, sender),
          .late = sent - end_of(rounds, core.id(), core.round())};
}

bool MessageReplayNode::start(const MessagesRequest& request) {
  request_ = request;
  list_wanted();
  need = Need::others;
  return false;
}

void MessageReplayNode::list_wanted() {
  gathered_ = 0;
  if (is_newest() && request_.channel.index > 0) return;  // of the same messages as on the first channel
  wanted_.clear();
  if (is_newest()) {
    const auto neighbours = core.neighbours();
    for (std::size_t k = 0; k < neighbours.size(); ++k) {
      const Round of = log_.reads(k);
      if (const Round last = replay_.iterations(neighbours[k].id); of > last)
        log_.reject(fmt::format("it reads iteration {} of node {}, which did {}", of, neighbours[k].id, last));
      wanted_.push_back({neighbours[k], of});
    }
    return;
  }
  const Round number = core.sent(request_.channel) - 1;
  if (request_.is_of_all) {
    for (NodeId j = 0; j < replay_.run_.network.nodes; ++j) wanted_.push_back({{.id = j, .weight = 0}, number});
    return;
  }
  for (const Neighbour& j : core.sources(number))
    if (replay_.iterations(j.id) > core.round()) wanted_.push_back({j, number});
}

bool MessageReplayNode::gather() {
  for (; gathered_ < wanted_.size(); ++gathered_) {
    Wanted& wanted = wanted_[gathered_];
    const std::uint64_t key = MessageStore::key(request_.channel, wanted.number);
    // Where it is not there yet another worker may run this node from now on: nothing of it is touched any more.
    const MessageStore::Stored* message = replay_.stores_[wanted.from.id].find_or_wait(key, core.id());
    if (!message) return false;
    wanted.message = message;
    if (wanted.from.id != core.id()) held_[request_.channel.index].push_back({wanted.from.id, key});
  }
  hear();
  return true;
}

void MessageReplayNode::hear() {
  const Channel c = request_.channel;
  const bool is_simple = replay_.run_.algorithm.sends_its_model;
  terms_.clear();
  is_simple ? core.listen(0) : core.listen(c, 0);
  for (const Wanted& wanted : wanted_) {
    if (request_.is_of_all)
      core.hear_of_all(c, wanted.from.id, wanted.message->heard);
    else if (is_simple)
      core.hear(wanted.from, wanted.message->heard, terms_);
    else
      core.hear(c, wanted.from, wanted.message->heard);
  }
  if (!is_newest() && !request_.is_of_all)
    for (const Neighbour& j : core.sources(core.sent(c) - 1))
      if (replay_.iterations(j.id) <= core.round()) core.miss(j);
  if (is_simple)
    core.heard(0);
  else
    received_ = core.heard(c, 0);
}

// With `newest` delivery the iteration that starts from a model that was sent, or for forms the one after theirs.
Round MessageReplayNode::number_of_next(Channel c) const {
  if (!is_newest()) return core.sent(c);
  if (!has_published_) return 0;
  return core.round() + (has_updated_ || !replay_.run_.algorithm.sends_its_model ? 1 : 0);
}

void MessageReplayNode::send(Channel c, const Linear& what, Real scalar) {
  const bool is_simple = replay_.run_.algorithm.sends_its_model;
  const Round number = number_of_next(c);
  if (is_newest() && is_simple && has_published_ && number == published_) return;  // x_0 again
  has_published_ = has_published_ || c.index + 1 == replay_.run_.algorithm.channels;
  published_ = number;
  std::vector<Held> before;
  std::swap(before, held_[c.index]);
  const std::uint32_t readers = replay_.readers_of(core, number);
  if (is_newest() && is_simple && readers == 0) {
    core.published_in_place(c, {});
  } else {
    const std::uint64_t key = MessageStore::key(c, number);
    MessageStore& store = replay_.stores_[core.id()];
    auto stored = store.make(message_capacity(replay_.run_, core.id()));
    std::size_t bytes = 0;
    if (is_simple) {
      bytes = core.encode(is_newest() ? number : core.round(), stored->bytes);
      core.published_in_place(c, std::span(stored->bytes).first(bytes));
    } else {
      bytes = core.publish(c, what, scalar, stored->bytes, *scratch);
    }
    const Round round = is_newest() ? number : core.round();
    stored->heard = {std::span(stored->bytes).first(bytes), round, 0, core.speed(), scalar};
    stored->readers = readers + 1;  // itself, until its next one
    held_[c.index].push_back({core.id(), key});
    replay_.count_kept();
    const std::vector<NodeId> waited = store.put(key, std::move(stored));
    for (const NodeId i : waited) replay_.queue_.push(replay_.began(i, replay_.nodes_[i]->core.round()), i);
  }
  release(before);
}

void MessageReplayNode::release(std::span<const Held> messages) {
  for (const Held& held : messages)
    if (replay_.stores_[held.from].release(held.key)) replay_.kept_messages_.fetch_sub(1, std::memory_order_relaxed);
}

void MessageReplayNode::release_all() {
  for (auto& channel : held_) {
    release(channel);
    channel.clear();
  }
}

void MessageReplayNode::apply(std::span<const Statement> statements) {
  has_updated_ = true;
  if (!replay_.run_.algorithm.sends_its_model) {
    core.carry_out(statements);
  } else {
    const auto coefficients = core.as_coefficients(statements);
    check(coefficients.has_value(), "a text updates by a formula of its own, and its row does not say so");
    core.carry_out(core.update_of(*coefficients, core.drawn(), sum_), terms_, core.x());
  }
  if (is_newest()) end_iteration();
}

}  // namespace quantimed
