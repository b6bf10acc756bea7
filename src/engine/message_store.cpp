// SPDX-License-Identifier: BSD-3-Clause
#include "base/error.hpp"
#include "engine/replay/replay_engine.hpp"

namespace quantimed {

std::unique_ptr<MessageStore::Stored> MessageStore::make(std::size_t capacity) {
  {
    const std::lock_guard lock(mutex_);
    if (!unused_.empty()) {
      auto message = std::move(unused_.back());
      unused_.pop_back();
      return message;
    }
  }
  auto message = std::make_unique<Stored>();
  message->bytes.resize(capacity);
  return message;
}

std::vector<NodeId> MessageStore::put(std::uint64_t key, std::unique_ptr<Stored> message) {
  std::vector<NodeId> waited;
  const std::lock_guard lock(mutex_);
  check(messages_.emplace(key, std::move(message)).second, "a message was sent twice");
  std::erase_if(waiting_, [&](const auto& entry) {
    if (entry.first == key) waited.push_back(entry.second);
    return entry.first == key;
  });
  return waited;
}

const MessageStore::Stored* MessageStore::find_or_wait(std::uint64_t key, NodeId waiter) {
  const std::lock_guard lock(mutex_);
  if (const auto found = messages_.find(key); found != messages_.end()) return found->second.get();
  waiting_.emplace_back(key, waiter);
  return nullptr;
}

bool MessageStore::release(std::uint64_t key) {
  const std::lock_guard lock(mutex_);
  const auto found = messages_.find(key);
  check(found != messages_.end(), "a message was released that is not there");
  if (--found->second->readers > 0) return false;
  unused_.push_back(std::move(found->second));
  messages_.erase(found);
  return true;
}

void EarliestFirst::push(double began, NodeId node) {
  {
    const std::lock_guard lock(mutex_);
    ready_.emplace(began, node);
  }
  changed_.notify_one();
}

std::optional<NodeId> EarliestFirst::pop(bool has_run_one) {
  std::unique_lock lock(mutex_);
  if (has_run_one) --running_;
  for (;;) {
    if (is_stopped_ || living_ == 0) break;
    if (!ready_.empty()) {
      const NodeId node = ready_.top().second;
      ready_.pop();
      ++running_;
      return node;
    }
    if (running_ == 0) {
      is_stuck_ = is_stopped_ = true;
      break;
    }
    changed_.wait(lock);
  }
  changed_.notify_all();
  return {};
}

void EarliestFirst::end_one() {
  const std::lock_guard lock(mutex_);
  --living_;
}

void EarliestFirst::stop() {
  {
    const std::lock_guard lock(mutex_);
    is_stopped_ = true;
  }
  changed_.notify_all();
}

}  // namespace quantimed
