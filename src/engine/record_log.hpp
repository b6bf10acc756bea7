// One node's records on their way from its own thread to another that takes them. Pages that were emptied come back,
// so that an append is a store, and touches no new memory while the other thread keeps up.
#pragma once

#include "engine/record_file.hpp"

#include <array>
#include <atomic>
#include <cstddef>
#include <utility>

namespace quantimed {

class RecordLog {
 public:
  RecordLog() : tail_(new Page()), head_(tail_), spare_(new Page()) {}
  RecordLog(const RecordLog&) = delete;
  RecordLog& operator=(const RecordLog&) = delete;
  ~RecordLog() {
    delete spare_.load();
    while (head_) delete std::exchange(head_, head_->next);
  }

  static constexpr std::size_t kPerPage = 4096;
  static constexpr double kLeastBytes = 2.0 * kPerPage * sizeof(RoundRecord);  // of memory, from the start

  // The owner's thread.
  void append(const RoundRecord& record) {
    if (filled_ == kPerPage) {
      Page* page = spare_.exchange(nullptr, std::memory_order_acquire);  // pairs with take()'s exchange
      if (!page) page = new Page();
      tail_->next = page;
      tail_ = page;
      filled_ = 0;
    }
    tail_->records[filled_++] = record;
    count_.store(count_.load(std::memory_order_relaxed) + 1, std::memory_order_release);  // pairs with take()
  }

  // One other thread: every record once, in order.
  template <class Function>
  void take(Function&& function) {
    for (const std::size_t count = count_.load(std::memory_order_acquire); taken_ < count; ++taken_) {
      if (read_ == kPerPage) {  // there is a next page, for a record in it is counted
        Page* empty = std::exchange(head_, head_->next);
        empty->next = nullptr;
        delete spare_.exchange(empty, std::memory_order_acq_rel);
        read_ = 0;
      }
      function(head_->records[read_++]);
    }
  }

 private:
  struct Page {
    std::array<RoundRecord, kPerPage> records{};  // zeroed, hence touched
    Page* next = nullptr;
  };

  Page* tail_;              // the owner's
  std::size_t filled_ = 0;  // of the tail; the owner's
  std::atomic<std::size_t> count_ = 0;
  Page* head_;                        // the taker's
  std::size_t read_ = 0, taken_ = 0;  // of the head, and in all; the taker's
  std::atomic<Page*> spare_;
};

}  // namespace quantimed
