// SPDX-License-Identifier: BSD-3-Clause
// Which nodes can go on, shared by the virtual engine's workers.
//
// Each worker takes what it made ready last: neighbours of the node that it has just run, whose models and messages
// are still in its cache. On a sparse graph this lets a few nodes run several rounds ahead before the rest of memory
// is touched. A worker with nothing left takes the oldest entry of another. The order never changes a result: with
// `round` delivery a node's inputs are fixed by their round (a Kahn network).
#pragma once

#include "base/types.hpp"

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <span>
#include <vector>

namespace quantimed {

class ReadyQueue {
 public:
  explicit ReadyQueue(std::size_t workers) : stacks_(workers) {}

  // Opens a phase that lasts until `count` nodes have been retired.
  void open(std::size_t count) {
    remaining_ = count;
    is_stuck_ = false;
  }
  // The last phase ended because every worker waited and no node was ready: who has not retired waits for ever.
  bool is_stuck() const { return is_stuck_; }

  void push(std::size_t worker, std::span<const NodeId> nodes) {
    if (nodes.empty()) return;
    bool is_too_much = false;  // this worker takes one of them itself, and next
    {
      const std::lock_guard lock(mutex_);
      auto& own = stacks_[worker];
      own.insert(own.end(), nodes.begin(), nodes.end());
      is_too_much = own.size() > 1 && waiting_ > 0;
    }
    if (is_too_much) changed_.notify_all();
  }

  // A node has reached the end of the phase.
  void retire() {
    bool last = false;
    {
      const std::lock_guard lock(mutex_);
      last = remaining_ > 0 && --remaining_ == 0;  // 0 already: the phase was abandoned
    }
    if (last) changed_.notify_all();
  }

  // The next nodes for this worker, of so many: as many of those that are ready as are its share, at most `most`. False
  // once the phase is over (or was abandoned, or is stuck). Every worker has pushed the nodes that it begins with
  // before it first calls this.
  bool pop(std::size_t worker, std::size_t workers, std::size_t most, std::vector<NodeId>& nodes) {
    nodes.clear();
    std::unique_lock lock(mutex_);
    while (remaining_ > 0) {
      if (auto& own = stacks_[worker]; !own.empty()) {
        for (std::size_t share = share_of(own, workers, most); share > 0; --share) {
          nodes.push_back(own.back());
          own.pop_back();
        }
        return true;
      }
      for (auto& other : stacks_)
        if (!other.empty()) {
          for (std::size_t share = share_of(other, workers, most); share > 0; --share) {
            nodes.push_back(other.front());
            other.pop_front();
          }
          return true;
        }
      if (waiting_ + 1 == workers) {
        is_stuck_ = true;
        remaining_ = 0;
        changed_.notify_all();
        return false;
      }
      ++waiting_;
      changed_.wait(lock);
      --waiting_;
    }
    return false;
  }

  // After an exception: all workers leave the phase.
  void abandon() {
    {
      const std::lock_guard lock(mutex_);
      remaining_ = 0;
    }
    changed_.notify_all();
  }

 private:
  // Shares shrink as fewer are left, so that workers end together; a few nodes are not worth parting.
  static std::size_t share_of(const std::deque<NodeId>& ready, std::size_t workers, std::size_t most) {
    constexpr std::size_t kFew = 4;
    return std::min({most, ready.size(), std::max(kFew, ready.size() / workers)});
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::deque<NodeId>> stacks_;
  std::size_t remaining_ = 0;
  bool is_stuck_ = false;
  std::size_t waiting_ = 0;  // workers
};

}  // namespace quantimed
