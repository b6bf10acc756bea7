// SPDX-License-Identifier: BSD-3-Clause
#include "engine/threads/threads_node.hpp"

#include "base/error.hpp"
#include "engine/spread/streams.hpp"

namespace quantimed {

RoundThreadNode::RoundThreadNode(ThreadedRun& shared, NodeId id, std::uint64_t snapshot_stride)
    : ThreadNode(shared, id, snapshot_stride),
      // Lost nodes make the ways between the others longer.
      furthest_(shared.run.network.is_scheduled() ? 0
                : shared.run.faults.empty()       ? shared.run.network.eccentricity(id)
                                                  : shared.run.network.nodes) {
  for (std::uint8_t c = 0; c < shared.run.algorithm.channels; ++c) {
    mailboxes_.push_back(std::make_unique<RoundMailbox>(message_capacity(shared.run, id)));
    mailboxes_.back()->first_touch();
    shared.round_mailbox({c}, id) = mailboxes_.back().get();
    leaves_process_[c] = !ranks_that_hear(shared, id, {c}).empty();
  }
  place_model(mailboxes_[0]->begin_write(first_round()));
}

// When time is up, all nodes must end with the same round. A node in round t knows that nobody is beyond
// t + its distance, since each round waits for the neighbours' messages; so all can still reach t + `furthest_` and
// nobody has passed it. Who gets that far has received, over the messages' release / acquire pairs, what this node
// wrote before publishing its round t; or, over its seat, where a neighbour gave it up before that: so it takes its
// seat after this.
bool RoundThreadNode::wants(Round t) {
  if (shared_.abort.load(std::memory_order_acquire)) throw RunAborted{};
  begin_record(t);
  if (shared_.run.network.is_scheduled()) release_all();
  const bool time_is_up = core_.record.start >= shared_.run.max_time || shared_.stop.load(std::memory_order_acquire);
  Round last = shared_.last_round.load(std::memory_order_acquire);
  if (time_is_up)
    for (const Round least = t + furthest(t); last > least && !shared_.last_round.compare_exchange_weak(last, least);) {
    }
  if (!shared_.run.faults.empty() && t < last && !takes_seat(t)) return false;
  if (snapshots_.wants_round(t)) capture(t);
  return t < shared_.last_round.load(std::memory_order_acquire);
}

// On a schedule the same holds with the messages' own links: who has ended round t has heard of those that it heard in
// round t, who by then had published it. Of several exchanges on a channel in a round the first alone is counted.
Round RoundThreadNode::furthest(Round t) const {
  const Run& run = shared_.run;
  if (!run.network.is_scheduled()) return furthest_;
  if (run.algorithm.exchanges(run.options, t).is_collective) return 1;
  return run.network.messages_until_all_hear(core_.id(), core_.sent({0}), run.algorithm.messages(run.options, t));
}

// What has been received is read within its iteration.
void RoundThreadNode::release_all() {
  for (std::uint8_t c = 0; c < shared_.run.algorithm.channels; ++c)
    done_[c].store(core_.sent({c}), std::memory_order_release);
}

// Before this node writes message k of a schedule over message k − 2: until all who hear that one have done with it.
// Readers in other processes have a ghost of their own, and it is enough that the message has left for it.
void RoundThreadNode::await_readers(Channel c, Round message) {
  const bool is_scheduled = shared_.run.network.is_scheduled();
  if ((!is_scheduled && !leaves_process_[c.index]) || message < 2) return;
  const auto await_count = [&](NodeId j, const std::atomic<Round>& count) {
    const auto is_done = [&] { return count.load(std::memory_order_acquire) >= message - 1; };
    if (!is_done()) wait_for(j, round(), is_done);
  };
  if (is_scheduled)
    for (const Neighbour& j : core_.readers(message - 2))
      if (shared_.layout.has(j.id)) await_count(j.id, neighbour(j.id).done_[c.index]);
  if (leaves_process_[c.index]) await_count(core_.id(), sent_[c.index]);
  charge(&RoundRecord::wait);
}

// An exact model is written where it is sent from, while the messages that it is made of are read.
void RoundThreadNode::before_update() {
  if (lives_in_outbox()) await_readers({0}, core_.sent({0}));
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

void RoundThreadNode::send(Channel c, const Linear& what, Real scalar) {
  const bool is_simple = shared_.run.algorithm.sends_its_model;
  check(!is_simple || what.is_model(), "a text publishes more than its model, and its row does not say so");
  RoundMailbox& mailbox = *mailboxes_[c.index];
  const Round number = core_.sent(c);
  await_readers(c, number);
  const std::span<std::byte> message = mailbox.begin_write(number);
  const std::size_t bytes = is_simple ? write_message(round(), c, message) : write_message(c, what, scalar, message);
  if (shared_.run.network.is_scheduled() || shared_.is_spread())
    done_[c.index].store(number, std::memory_order_release);
  MessageNote note = this->note();
  note.scalar = scalar;
  mailbox.publish(number, bytes, note);
  charge(&RoundRecord::publish);
}

// Waits for the sender's message of this exchange; at most until `limit`, where that is the algorithm's way. False: the
// sender is lost. What it had published before it was given up is there for whoever sees that it was.
bool RoundThreadNode::await(NodeId from, Channel c, Round message, Seconds limit) {
  const RoundMailbox& mailbox = *shared_.round_mailbox(c, from);
  const auto is_there = [&] { return mailbox.has(message); };
  if (is_there()) return true;
  if (shared_.run.faults.empty() || !shared_.run.algorithm.goes_on_without) {
    wait_for(from, round(), is_there);
    return true;
  }
  RoundThreadNode& sender = neighbour(from);
  wait_for(from, round(), [&] {
    return is_there() || sender.is_given_up() || is_over() || (shared_.now() >= limit && sender.give_up(round()));
  });
  const bool is_lost = sender.is_given_up();
  if (is_there()) return true;
  if (!is_lost) throw RunAborted{};  // the run has ended before this round
  return false;
}

Message RoundThreadNode::receive(NodeId from, Channel c, Round number) {
  Message message = shared_.round_mailbox(c, from)->read(number);
  if (shared_.run.link.delays()) wait_until_visible(message.header.visible_at);
  message.header.round = round();  // the sender's iteration is this node's
  return message;
}

bool RoundThreadNode::start(const MessagesRequest& request) {
  check(!request.is_newest, "round delivery: messages are asked for as neighbours()");
  exchange_bytes_ = 0;
  const Channel c = request.channel;
  const Round number = core_.sent(c) - 1;
  const bool is_simple = shared_.run.algorithm.sends_its_model;
  scratch_.terms.clear();
  is_simple ? core_.listen(charged_until_) : core_.listen(c, charged_until_);
  const Seconds limit = charged_until_ + shared_.run.patience();
  if (request.is_of_all) {
    for (NodeId j = 0; j < shared_.layout.nodes; ++j) {
      (void)await(j, c, number, limit);
      core_.hear_of_all(c, j, as_heard(j, receive(j, c, number)));
    }
  } else {
    for (const Neighbour& j : core_.sources(number)) {
      if (!await(j.id, c, number, limit)) {
        core_.miss(j);
        continue;
      }
      const HeardMessage heard = as_heard(j.id, receive(j.id, c, number));
      is_simple ? core_.hear(j, heard, scratch_.terms) : core_.hear(c, j, heard);
    }
  }
  charge(&RoundRecord::wait);
  if (is_simple)
    core_.heard(charged_until_);
  else
    received_ = core_.heard(c, charged_until_);
  return true;
}

}  // namespace quantimed
