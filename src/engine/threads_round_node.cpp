#include "engine/threads_node.hpp"

#include "base/error.hpp"

namespace quantimed {

RoundThreadNode::RoundThreadNode(ThreadedRun& shared, NodeId id, std::uint64_t snapshot_stride)
    : ThreadNode(shared, id, snapshot_stride),
      mailbox_(shared.run.codec.capacity(shared.run.problem.dimension())),
      // Lost nodes make the ways between the others longer.
      furthest_(shared.run.faults.empty() ? shared.run.network.eccentricity(id) : shared.run.network.nodes) {
  mailbox_.first_touch();
  place_model(mailbox_.begin_write(first_round()));
}

// When time is up, all nodes must end with the same round. A node in round t knows that nobody is beyond
// t + its distance, since each round waits for the neighbours' messages; so all can still reach t + `furthest_` and
// nobody has passed it. Who gets that far has received, over the messages' release / acquire pairs, what this node
// wrote before publishing its round t; or, over its seat, where a neighbour gave it up before that: so it takes its
// seat after this.
bool RoundThreadNode::wants(Round t) {
  if (shared_.abort.load(std::memory_order_acquire)) throw RunAborted{};
  begin_record(t);
  const bool time_is_up = core_.record.start >= shared_.run.max_time || shared_.stop.load(std::memory_order_acquire);
  Round last = shared_.last_round.load(std::memory_order_acquire);
  if (time_is_up)
    while (last > t + furthest_ && !shared_.last_round.compare_exchange_weak(last, t + furthest_)) {
    }
  if (!shared_.run.faults.empty() && t < last && !takes_seat(t)) return false;
  if (t % snapshots_.stride() == 0) capture(t);
  return t < shared_.last_round.load(std::memory_order_acquire);
}

// Between two rounds: what was asked to happen to this node happens here.
bool RoundThreadNode::takes_seat(Round t) {
  std::uint64_t free = 2 * std::uint64_t{t};
  seat_.store(free, std::memory_order_release);
  if (!survives(t)) return false;
  if (seat_.compare_exchange_strong(free, free + 1, std::memory_order_acq_rel)) return true;
  leave(t);
  return false;
}

// Any neighbour's thread. False where this node has entered round t after all.
bool RoundThreadNode::give_up(Round t) {
  std::uint64_t free = 2 * std::uint64_t{t};
  return seat_.compare_exchange_strong(free, free + kGivenUp, std::memory_order_acq_rel) || free & kGivenUp;
}

void RoundThreadNode::send() {
  const std::size_t bytes = write_message(round(), mailbox_.begin_write(round()));
  mailbox_.publish(round(), bytes, note());
  charge(&RoundRecord::publish);
}

// Waits for the sender's message of this round; at most until `limit`, where that is the algorithm's way. False: the
// sender is lost. What it had published before it was given up is there for whoever sees that it was.
bool RoundThreadNode::await(RoundThreadNode& sender, Seconds limit) {
  const auto is_there = [&] { return sender.mailbox_.has(round()); };
  if (is_there()) return true;
  if (shared_.run.faults.empty() || !shared_.run.algorithm.goes_on_without) {
    wait_for(sender.core_.id(), round(), is_there);
    return true;
  }
  wait_for(sender.core_.id(), round(), [&] {
    return is_there() || sender.is_given_up() || is_over() || (shared_.now() >= limit && sender.give_up(round()));
  });
  const bool is_lost = sender.is_given_up();
  if (is_there()) return true;
  if (!is_lost) throw RunAborted{};  // the run has ended before this round
  return false;
}

bool RoundThreadNode::start(const MessagesRequest& request) {
  check(request.round == round(), "round delivery: messages are asked for in their own round");
  scratch_.terms.clear();
  core_.listen(charged_until_);
  const Seconds limit = charged_until_ + shared_.run.patience();
  for (const Neighbour& j : core_.neighbours()) {
    RoundThreadNode& sender = neighbour(j.id);
    if (!await(sender, limit)) {
      core_.miss(j);
      continue;
    }
    const Message message = sender.mailbox_.read(round());
    if (shared_.run.link.delays()) wait_until_visible(message.header.visible_at);
    core_.hear(j, as_heard(message), scratch_.terms);
  }
  charge(&RoundRecord::wait);
  core_.heard(charged_until_);
  return true;
}

}  // namespace quantimed
