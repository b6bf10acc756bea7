// SPDX-License-Identifier: BSD-3-Clause
#include "engine/threads/threads_node.hpp"

#include "base/error.hpp"
#include "engine/spread/streams.hpp"

#include <algorithm>

namespace quantimed {

NewestThreadNode::NewestThreadNode(ThreadedRun& shared, NodeId id)
    : ThreadNode(shared, id, 1),
      mailbox_(parcel_capacity(shared.run), readers_here(shared, id) + ranks_elsewhere(shared, id),
               shared.run.link.most_in_flight()) {
  mailbox_.first_touch();
  if (shared.is_spread()) mailbox_.write_headers();
  shared.inbox.newest[id] = &mailbox_;
  place_model(mailbox_.begin_write());
  for (const Neighbour& j : core_.neighbours()) {
    std::uint32_t before = 0;
    for (const Neighbour& k : shared.run.network.neighbours(j.id)) {
      if (k.id == id) break;
      before += shared.layout.has(k.id);
    }
    reader_.push_back(before);
  }
}

std::uint32_t NewestThreadNode::readers_here(const ThreadedRun& shared, NodeId owner) {
  const auto all = shared.run.network.neighbours(owner);
  return static_cast<std::uint32_t>(
      std::ranges::count_if(all, [&](const Neighbour& j) { return shared.layout.has(j.id); }));
}

bool NewestThreadNode::wants(Round t) {
  has_updated_ = false;
  return wants_until_all_have_done(t);
}

void NewestThreadNode::before_update() {
  const auto position = static_cast<std::uint64_t>(charged_until_ / kGrid_s);
  if (position >= snapshots_.next()) capture(position);
  has_updated_ = true;
}

// Parts of one message, which is published with the last. It stays where it is until the next is begun, also where a
// full link has not taken it.
void NewestThreadNode::send_part(Channel c, const Linear& what) {
  if (c.index == 0) {
    exchange_bytes_ = 0;
    parcel_ = mailbox_.begin_write();
  }
  const std::span<std::byte> part = core_.part_of(c, parcel_);
  if (!has_published_ && core_.publish_again(c, part))  // x and its states are what it was made of no longer
    count_bytes(part);
  else
    (void)write_message(c, what, 0, part);
  if (c.index + 1 < shared_.run.algorithm.channels) return;
  const bool first = !has_published_;
  has_published_ = true;
  mailbox_.publish(first ? first_round() : round() + 1, parcel_.size(), note(!first));
  charge(&RoundRecord::publish);
}

void NewestThreadNode::send(Channel c, const Linear& what, Real) {
  if (!shared_.run.algorithm.sends_its_model) return send_part(c, what);
  const bool first = !has_published_;
  // The message carries the model that this iteration has started from, or the next one will.
  const Round iteration = first ? first_round() : round() + (has_updated_ ? 1 : 0);
  exchange_bytes_ = 0;
  if (!first && iteration == published_ && lives_in_outbox()) return count_bytes(std::as_bytes(core_.x()));
  has_published_ = true;
  published_ = iteration;
  const std::size_t bytes = write_message(iteration, c, lives_in_outbox() ? std::span<std::byte>{} : next_message());
  mailbox_.publish(iteration, bytes, note(!first));
  charge(&RoundRecord::publish);
}

bool NewestThreadNode::start(const MessagesRequest& request) {
  check(request.is_newest, "newest delivery: there are no rounds to wait for");
  const Channel c = request.channel;
  const bool is_form = !shared_.run.algorithm.sends_its_model;
  if (c.index > 0) {  // it came with the first
    hear(c, charged_until_);
    return true;
  }
  const Seconds now = charged_until_;
  scratch_.terms.clear();
  parcels_.clear();
  if (!is_form) core_.listen(now);
  const auto neighbours = core_.neighbours();
  for (std::size_t k = 0; k < neighbours.size(); ++k) {
    NewestMailbox& mailbox = *shared_.inbox.newest[neighbours[k].id];
    // Only before the very first message is there nothing to read.
    if (mailbox.newest() == 0) wait_for(neighbours[k].id, first_round(), [&] { return mailbox.newest() > 0; });
    const auto message = mailbox.acquire(reader_[k], now);
    check(message.has_value(), "a published message is not there");
    core_.pass_over(k, message->header.version - 1);
    if (replay_log_) replay_log_->reads(k, message->header.round);
    const HeardMessage heard = as_heard(neighbours[k].id, *message);
    if (is_form)
      parcels_.push_back(heard);
    else
      core_.hear(neighbours[k], heard, scratch_.terms);
  }
  charge(&RoundRecord::wait);
  if (is_form)
    hear(c, now);
  else
    core_.heard(charged_until_);
  return true;
}

void NewestThreadNode::hear(Channel c, Seconds now) {
  const auto neighbours = core_.neighbours();
  core_.listen(c, now);
  for (std::size_t k = 0; k < neighbours.size(); ++k) core_.hear(c, neighbours[k], core_.part_of(c, parcels_[k]));
  received_ = core_.heard(c, charged_until_);
}

}  // namespace quantimed
