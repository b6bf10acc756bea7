// SPDX-License-Identifier: BSD-3-Clause
// Values on their way from one thread to another that takes them, in pages. Pages that were emptied come back, so that
// to put a value is a store, and touches no new memory while the other thread keeps up.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <utility>

namespace quantimed {

template <class T, std::size_t kCount>
class PagedLog {
 public:
  PagedLog() : tail_(new Page()), head_(tail_), spare_(new Page()) {}
  PagedLog(const PagedLog&) = delete;
  PagedLog& operator=(const PagedLog&) = delete;
  ~PagedLog() {
    delete spare_.load();
    while (head_) delete std::exchange(head_, head_->next);
  }

  static constexpr std::size_t kPerPage = kCount;
  static constexpr double kLeastBytes = 2.0 * kCount * sizeof(T);  // of memory, from the start

  // The owner's thread. What was put can be taken from the next commit() on.
  void put(const T& value) {
    if (filled_ == kCount) {
      Page* page = spare_.exchange(nullptr, std::memory_order_acquire);  // pairs with take()'s exchange
      if (!page) page = new Page();
      tail_->next = page;
      tail_ = page;
      filled_ = 0;
    }
    tail_->values[filled_++] = value;
    ++put_;
  }
  void commit() { count_.store(put_, std::memory_order_release); }  // pairs with take()
  void append(const T& value) {
    put(value);
    commit();
  }

  // One other thread: every value once, in order.
  template <class Function>
  void take(Function&& function) {
    for (const std::size_t count = count_.load(std::memory_order_acquire); taken_ < count; ++taken_) {
      if (read_ == kCount) {  // there is a next page, for a value in it is counted
        Page* empty = std::exchange(head_, head_->next);
        empty->next = nullptr;
        delete spare_.exchange(empty, std::memory_order_acq_rel);
        read_ = 0;
      }
      function(head_->values[read_++]);
    }
  }

 private:
  struct Page {
    std::array<T, kCount> values{};  // zeroed, hence touched
    Page* next = nullptr;
  };

  Page* tail_;                        // the owner's
  std::size_t filled_ = 0, put_ = 0;  // of the tail, and in all; the owner's
  std::atomic<std::size_t> count_ = 0;
  Page* head_;                        // the taker's
  std::size_t read_ = 0, taken_ = 0;  // of the head, and in all; the taker's
  std::atomic<Page*> spare_;
};

}  // namespace quantimed
