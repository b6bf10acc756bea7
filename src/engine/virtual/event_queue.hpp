// SPDX-License-Identifier: BSD-3-Clause
// Events in the order of (time, node). The next few are known in advance, so that the memory that they will touch can
// be fetched meanwhile.
#pragma once

#include "base/types.hpp"

#include <algorithm>
#include <functional>
#include <queue>
#include <vector>

namespace quantimed {

struct Event {
  Seconds time;
  NodeId node;
  bool operator>(const Event& other) const { return time != other.time ? time > other.time : node > other.node; }
};

class EventQueue {
 public:
  static constexpr std::size_t kKnown = 16;  // at most so many are known in advance

  bool empty() const { return next_.empty(); }
  const Event& top() const { return next_.back(); }
  void push(const Event& event) {
    if (next_.size() == kKnown && !(next_.front() > event)) return later_.push(event);
    if (!later_.empty() && event > later_.top()) return later_.push(event);
    next_.insert(std::ranges::lower_bound(next_, event, std::greater<>{}), event);
    if (next_.size() <= kKnown) return;
    later_.push(next_.front());
    next_.erase(next_.begin());
  }
  void pop() {
    next_.pop_back();
    if (next_.size() < kKnown / 2) refill();
  }
  // The k-th behind the next one; null where it is not known yet. An event that is pushed before it pushes it back.
  const Event* ahead(std::size_t k) const { return k < next_.size() ? &next_[next_.size() - 1 - k] : nullptr; }

 private:
  void refill() {
    more_.clear();
    for (; next_.size() + more_.size() < kKnown && !later_.empty(); later_.pop()) more_.push_back(later_.top());
    next_.insert(next_.begin(), more_.rbegin(), more_.rend());
  }

  std::vector<Event> next_;  // the last one comes first
  std::vector<Event> more_;
  std::priority_queue<Event, std::vector<Event>, std::greater<>> later_;  // none of them before one of next_
};

}  // namespace quantimed
