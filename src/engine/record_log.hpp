// One node's records, appended by its own thread while another reads what is finished. Grows by whole pages of
// records, so that an append is a store, except once in some thousands.
#pragma once

#include "engine/records.hpp"

#include <algorithm>
#include <atomic>
#include <cstring>
#include <memory>

namespace quantimed {

class RecordLog {
 public:
  explicit RecordLog(std::size_t expected) : pages_(std::make_unique<std::unique_ptr<RoundRecord[]>[]>(kPages)) {
    for (std::size_t k = 0; k < std::min(kTouched, expected / kPerPage + 1); ++k) add_page(k);
  }

  // Records of one node; a run that would need more ends there.
  static constexpr std::size_t capacity() { return kPages * kPerPage; }

  // The owner's thread.
  void append(const RoundRecord& record) {
    const std::size_t k = count_.load(std::memory_order_relaxed);
    if (!pages_[k / kPerPage]) add_page(k / kPerPage);
    pages_[k / kPerPage][k % kPerPage] = record;
    count_.store(k + 1, std::memory_order_release);  // pairs with the acquire in finished()
  }

  // Any thread: a copy of what is finished.
  std::vector<RoundRecord> finished() const {
    std::vector<RoundRecord> all(count_.load(std::memory_order_acquire));
    for (std::size_t k = 0; k < all.size(); k += kPerPage)
      std::copy_n(pages_[k / kPerPage].get(), std::min(kPerPage, all.size() - k), all.data() + k);
    return all;
  }

 private:
  static constexpr std::size_t kPerPage = 4096, kPages = 16384, kTouched = 64;

  void add_page(std::size_t k) { pages_[k] = std::make_unique<RoundRecord[]>(kPerPage); }  // zeroed, hence touched

  std::unique_ptr<std::unique_ptr<RoundRecord[]>[]> pages_;  // [pages]
  std::atomic<std::size_t> count_ = 0;                       // written by the owner
};

}  // namespace quantimed
