// SPDX-License-Identifier: BSD-3-Clause
#include "engine/spread/courier.hpp"

#include "base/error.hpp"
#include "engine/spread/streams.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <thread>

namespace quantimed {

namespace {

constexpr int kWord = 8, kLoad = 9;  // tags
constexpr auto kLookAround = std::chrono::milliseconds(50);
// How often others are told how many iterations have ended here: where the run ends by their number, soon.
constexpr auto kTellOften = std::chrono::milliseconds(2), kTellRarely = std::chrono::milliseconds(50);
constexpr auto kSignOfLife = std::chrono::seconds(1);
// A rank on another host that says nothing for so long is lost; rank 0 may be writing a trace meanwhile.
constexpr auto kSilence = std::chrono::seconds(8), kSilenceOfFirst = std::chrono::seconds(60);

template <class T>
std::span<std::byte> bytes_in(T& value) {
  return std::as_writable_bytes(std::span(&value, 1));
}

}  // namespace

Courier::Courier(Fleet& fleet, ThreadedRun& shared)
    : fleet_(fleet), transport_(fleet.transport()), shared_(shared), peers_(fleet.ranks()) {
  room_.reserve(Network::kMostPeers);
  const auto streams = std::uint64_t{shared.layout.nodes} * shared.run.algorithm.channels + kFirstStream;
  if (streams > static_cast<std::uint64_t>(transport_.most_tag()))
    throw InputError("--nodes {}: this MPI library tells {} streams of messages apart; give fewer", shared.layout.nodes,
                     transport_.most_tag());
  shared.run.algorithm.delivery == Delivery::newest ? make_newest_ghosts() : make_round_ghosts();
}

void Courier::make_round_ghosts() {
  const Run& run = shared_.run;
  for (NodeId j = 0; j < shared_.layout.nodes; ++j)
    for (std::uint8_t c = 0; c < run.algorithm.channels && !shared_.layout.has(j); ++c) {
      std::vector<NodeId> readers = readers_here(shared_, j, {c});
      if (readers.empty()) continue;
      auto mailbox = std::make_unique<RoundMailbox>(message_capacity(run, j));
      mailbox->first_touch();
      shared_.round_mailbox({c}, j) = mailbox.get();
      rounds_in_.push_back({j, {c}, shared_.layout.rank_of(j), std::move(readers), std::move(mailbox), 0, {}});
    }
}

void Courier::make_newest_ghosts() {
  for (NodeId j = 0; j < shared_.layout.nodes; ++j) {
    const std::uint32_t readers = shared_.layout.has(j) ? 0 : NewestThreadNode::readers_here(shared_, j);
    if (readers == 0) continue;
    auto mailbox = std::make_unique<NewestMailbox>(parcel_capacity(shared_.run), readers);
    mailbox->first_touch();
    shared_.inbox.newest[j] = mailbox.get();
    newest_in_.push_back({j, shared_.layout.rank_of(j), std::move(mailbox)});
  }
}

void Courier::start() {
  const Run& run = shared_.run;
  NodeCore& some = shared_.here().front()->core();  // all are at the same message
  for (RoundIn& in : rounds_in_) in.next = some.sent(in.channel);
  for (NodeId i = shared_.layout.first(); i < shared_.layout.last(); ++i) {
    if (run.algorithm.delivery == Delivery::newest) {
      std::uint32_t reader = NewestThreadNode::readers_here(shared_, i);
      for (const Rank to : ranks_that_hear(shared_, i, {0}))
        newest_out_.push_back({i, to, shared_.inbox.newest[i], reader++});
      continue;
    }
    for (std::uint8_t c = 0; c < run.algorithm.channels; ++c) {
      const Round first = some.sent({c});
      static_cast<RoundThreadNode&>(*shared_.nodes[i]).has_sent({c}, first);
      std::vector<Rank> ranks = ranks_that_hear(shared_, i, {c});
      if (!ranks.empty())
        rounds_out_.push_back({i, {c}, shared_.round_mailbox({c}, i), std::move(ranks), first, first, {}});
    }
  }
  for (std::size_t k = 0; k < newest_in_.size(); ++k) receive_newest(k);
  looked_at_ = moved_at_ = worked_at_ = Clock::now();
  arriving_.resize(fleet_.ranks());
  for (Rank r = 0; r < fleet_.ranks(); ++r) {
    if (r == fleet_.rank()) continue;
    peers_[r].heard_at = peers_[r].told_at = looked_at_;
    transport_.receive(r, kWord, bytes_in(peers_[r].buffer_in), ticket(Kind::word_in, r));
    if (!fleet_.leads()) continue;
    arriving_[r].resize(kLargestLoad);
    transport_.receive(r, kLoad, arriving_[r], ticket(Kind::load_in, r));
  }
  has_started_ = true;
}

// ---- what ranks tell each other --------------------------------------------------------------------

void Courier::stop() {
  own_.stop = 1;
  shared_.stop.store(true, std::memory_order_release);
}

bool Courier::was_told_to_stop() const {
  return std::ranges::any_of(peers_, [](const Peer& peer) { return peer.heard.stop != 0; });
}

void Courier::abort() { own_.abort = 1; }

void Courier::tell_others() {
  own_.finished = 0;
  for (const auto& node : shared_.here()) own_.finished += node->finished();
  if (own_.phase == kEnded && has_all_left()) own_.phase = kDrained;
  const auto now = Clock::now();
  const auto often = shared_.run.algorithm.delivery == Delivery::round ? kTellRarely : kTellOften;
  for (Rank r = 0; r < peers_.size(); ++r) {
    Peer& peer = peers_[r];
    if (r == fleet_.rank() || peer.is_telling || peer.told.phase == kDrained) continue;
    const Word& told = peer.told;
    const bool is_urgent = own_.phase != told.phase || own_.stop != told.stop || own_.abort != told.abort;
    const bool is_due = own_.finished != told.finished && now - peer.told_at > often;
    if (!is_urgent && !is_due && now - peer.told_at < kSignOfLife) continue;
    peer.buffer_out = peer.told = own_;
    peer.told_at = now;
    peer.is_telling = true;
    transport_.send(r, kWord, bytes_in(peer.buffer_out), ticket(Kind::word_out, r), Mode::matched);
  }
}

void Courier::hear(Rank from) {
  Peer& peer = peers_[from];
  peer.heard = peer.buffer_in;
  peer.heard_at = Clock::now();
  std::uint64_t finished = 0;
  for (Rank r = 0; r < peers_.size(); ++r)
    if (r != fleet_.rank()) finished += peers_[r].heard.finished;
  shared_.finished_elsewhere.store(finished, std::memory_order_relaxed);
  if (peer.heard.stop) shared_.stop.store(true, std::memory_order_release);
  if (peer.heard.abort && break_off_) break_off_();
  if (peer.heard.phase < kDrained)
    transport_.receive(from, kWord, bytes_in(peer.buffer_in), ticket(Kind::word_in, from));
}

void Courier::ship(Parcel parcel) {
  check(!fleet_.leads() && parcel.bytes().size() <= kLargestLoad, "what is shipped is too large, or is there already");
  loads_.push_back(std::move(parcel.bytes()));
}

bool Courier::send_load() {
  if (is_loading_ || loads_.empty()) return false;
  is_loading_ = true;
  ++under_way_;
  transport_.send(0, kLoad, loads_.front(), ticket(Kind::load_out, 0), Mode::matched);
  return true;
}

bool Courier::has_all_left() const { return under_way_ == 0 && loads_.empty(); }

// ---- at work ---------------------------------------------------------------------------------------

void Courier::complete(const Transport::Done& done) {
  const auto kind = static_cast<Kind>(done.ticket >> 56);
  const std::size_t slot = done.ticket >> 48 & 0xff, index = done.ticket & 0xffff'ffff'ffff;
  if (kind == Kind::round_out || kind == Kind::newest_out || kind == Kind::load_out) --under_way_;
  switch (kind) {
    case Kind::round_out:
      return has_left(index, slot);
    case Kind::round_in:
      return arrived(rounds_in_[index], done.bytes);
    case Kind::newest_out:
      newest_out_[index].is_under_way = false;
      return;
    case Kind::newest_in:
      arrived(newest_in_[index], done.bytes);
      return receive_newest(index);
    case Kind::word_out:
      peers_[index].is_telling = false;
      return;
    case Kind::word_in:
      return hear(static_cast<Rank>(index));
    case Kind::load_out:
      is_loading_ = false;
      loads_.pop_front();
      return;
    case Kind::load_in: {
      Parcel parcel({arriving_[index].begin(), arriving_[index].begin() + static_cast<std::ptrdiff_t>(done.bytes)});
      unload_(parcel);
      transport_.receive(static_cast<Rank>(index), kLoad, arriving_[index], ticket(Kind::load_in, index));
    }
  }
}

// What nodes have published leaves first, and what has come is theirs at once: the receive of the next message is
// started while the answer to this one is on its way.
bool Courier::step() {
  bool has_moved = send_rounds();
  has_moved |= send_newest();
  has_moved |= send_load();
  receive_rounds();
  done_.clear();
  transport_.poll(done_);
  for (const Transport::Done& done : done_) complete(done);
  return has_moved || !done_.empty();
}

// Now and then: whether all others are still there.
void Courier::look_around(Clock::time_point now) {
  if (now - looked_at_ < kLookAround) return;
  // This rank may have done something else for a while, and has not heard anybody meanwhile.
  const auto away = now - worked_at_;
  looked_at_ = now;
  transport_.require_all();
  for (Rank r = 0; r < peers_.size(); ++r) {
    Peer& peer = peers_[r];
    if (r == fleet_.rank() || peer.heard.phase == kDrained) continue;
    if (away > kLookAround) peer.heard_at += away;
    const auto silent = now - peer.heard_at;
    if (silent > (r == 0 ? kSilenceOfFirst : kSilence) && transport_.host(r) != transport_.host(fleet_.rank()))
      throw RankLost(r, fmt::format("rank {} ({}) has said nothing for {:.0f} s", r, transport_.where(r),
                                    std::chrono::duration<double>(silent).count()));
  }
}

// With a core of its own it never stops. Else it leaves the core to whoever has something to do.
void Courier::wait_a_little(bool has_moved) {
  constexpr Seconds kFirstNap_s = 5e-6, kLongestNap_s = 100e-6;
  constexpr auto kYields = std::chrono::microseconds(20);
  if (has_moved) {
    moved_at_ = Clock::now();
    nap_s_ = kFirstNap_s;
    return;
  }
  if (shared_.policy.spin >= WaitPolicy::dedicated().spin) return cpu_pause();
  if (Clock::now() - moved_at_ < kYields) return std::this_thread::yield();
  std::this_thread::sleep_for(std::chrono::duration<Seconds>(nap_s_));
  nap_s_ = std::min(2 * nap_s_, kLongestNap_s);
}

void Courier::work(Clock::duration time) {
  constexpr int kSteps = 64;  // between looks at the clock
  const auto until = Clock::now() + time;
  for (;;) {
    for (int k = 0; k < kSteps && !is_over_; ++k) {
      const bool has_moved = step();
      wait_a_little(has_moved);
      if (!has_moved && shared_.policy.spin < WaitPolicy::dedicated().spin) break;  // the look at the clock is cheap
    }
    tell_others();
    is_over_ = own_.phase == kDrained && std::ranges::all_of(peers_, [&](const Peer& peer) {
                 return &peer == &peers_[fleet_.rank()] ||
                        (peer.heard.phase == kDrained && peer.told.phase == kDrained && !peer.is_telling);
               });
    const auto now = Clock::now();
    look_around(now);
    worked_at_ = now;
    if (is_over_ || now > until) return;
  }
}

}  // namespace quantimed
