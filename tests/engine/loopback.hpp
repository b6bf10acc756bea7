// SPDX-License-Identifier: BSD-3-Clause
// Ranks that are threads of one process: a transport without MPI, as strict as its standard allows. A message is copied
// by the receiver, when it polls; until then the sender's buffer is its own, and ThreadSanitizer sees who touches it.
#pragma once

#include "base/error.hpp"
#include "engine/spread/transport.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <deque>
#include <memory>
#include <mutex>
#include <vector>

namespace quantimed {

class Loopback {
 public:
  explicit Loopback(Rank ranks) {
    for (Rank r = 0; r < ranks; ++r) ends_.push_back(std::make_unique<End>(*this, r));
  }
  Transport& operator[](Rank r) { return *ends_[r]; }
  // Messages that no rank has received, and receives that were not cancelled: none, once all is over.
  std::size_t left_over() {
    const std::lock_guard hold(lock_);
    return sends_.size() + receives_.size();
  }
  std::vector<std::string> hosts = {};  // of each rank; those that are not named: "here"
  bool is_late = false;  // receives are completed one poll after the other: order between streams is up to the test

 private:
  struct Send {
    Rank from, to;
    int tag;
    std::span<const std::byte> bytes;
    Ticket ticket;
    bool is_copied;  // `free`: the sender may go on, its bytes are in `copy`
    std::vector<std::byte> copy;
  };
  struct Receive {
    Rank from, to;
    int tag;
    std::span<std::byte> room;
    Ticket ticket;
  };

  class End final : public Transport {
   public:
    End(Loopback& all, Rank rank) : all_(all), rank_(rank) {}
    Rank rank() const override { return rank_; }
    Rank ranks() const override { return static_cast<Rank>(all_.ends_.size()); }
    int most_tag() const override { return 32767; }
    std::string where(Rank r) const override { return fmt::format("thread {}", r); }
    std::string host(Rank r) const override { return r < all_.hosts.size() ? all_.hosts[r] : "here"; }
    void send(Rank to, int tag, std::span<const std::byte> bytes, Ticket ticket, Mode mode) override {
      constexpr std::size_t kEager = 256;  // larger ones wait for their receiver, as MPI's do
      const std::lock_guard hold(all_.lock_);
      const bool is_copied = mode == Mode::free && bytes.size() <= kEager;
      std::vector<std::byte> copy;
      if (is_copied) {
        copy.assign(bytes.begin(), bytes.end());
        done_.push_back({ticket, 0});
      }
      all_.sends_.push_back({rank_, to, tag, bytes, ticket, is_copied, std::move(copy)});
    }
    void receive(Rank from, int tag, std::span<std::byte> room, Ticket ticket) override {
      const std::lock_guard hold(all_.lock_);
      all_.receives_.push_back({from, rank_, tag, room, ticket});
    }
    void poll(std::vector<Done>& done) override {
      const std::lock_guard hold(all_.lock_);
      all_.match(*this);
      done.insert(done.end(), done_.begin(), done_.end());
      done_.clear();
    }
    void cancel_receives() override {
      const std::lock_guard hold(all_.lock_);
      std::erase_if(all_.receives_, [&](const Receive& r) { return r.to == rank_; });
    }

   private:
    friend class Loopback;
    Loopback& all_;
    Rank rank_;
    std::vector<Done> done_;
  };

  // The receives of one end, oldest first, with the oldest message that fits each.
  void match(End& end) {
    for (auto receive = receives_.begin(); receive != receives_.end();) {
      const auto fits = [&](const Send& s) {
        return s.to == end.rank_ && receive->to == end.rank_ && s.from == receive->from && s.tag == receive->tag;
      };
      const auto send = std::ranges::find_if(sends_, fits);
      if (send == sends_.end()) {
        ++receive;
        continue;
      }
      const std::span<const std::byte> bytes = send->is_copied ? std::span<const std::byte>(send->copy) : send->bytes;
      check(bytes.size() <= receive->room.size(), "a message is longer than the room for it");
      if (!bytes.empty()) std::memcpy(receive->room.data(), bytes.data(), bytes.size());
      end.done_.push_back({receive->ticket, bytes.size()});
      if (!send->is_copied) ends_[send->from]->done_.push_back({send->ticket, 0});
      sends_.erase(send);
      receive = receives_.erase(receive);
      if (is_late) return;
    }
  }

  std::mutex lock_;
  std::deque<Send> sends_;
  std::deque<Receive> receives_;
  std::vector<std::unique_ptr<End>> ends_;
};

}  // namespace quantimed
