// SPDX-License-Identifier: BSD-3-Clause
// An exception must not leave a parallel region of OpenMP. Here it waits for the region's end.
#pragma once

#include <exception>
#include <mutex>
#include <utility>

namespace quantimed {

class FirstFailure {
 public:
  // Any worker: runs `work`; keeps what it throws, if it is the first.
  template <class Work>
  void guard(Work&& work) noexcept {
    try {
      std::forward<Work>(work)();
    } catch (...) {
      const std::scoped_lock lock(mutex_);
      if (!failure_) failure_ = std::current_exception();
    }
  }

  // Behind the region.
  void rethrow() const {
    if (failure_) std::rethrow_exception(failure_);
  }

 private:
  std::mutex mutex_;
  std::exception_ptr failure_;
};

}  // namespace quantimed
