// SPDX-License-Identifier: BSD-3-Clause
// Copies of one node's model along a real-time run, at marks that all nodes agree on: every stride-th round, or every
// stride-th step of a time grid. When the memory is full every second copy is given up and the stride doubles, so the
// copies stay evenly spread however long the run turns out to be, and are between half of what was asked for and all of
// it. They are most of a small node's memory. Owned and written by the node's own thread.
#pragma once

#include "base/types.hpp"

#include <algorithm>
#include <cstring>
#include <span>
#include <vector>

namespace quantimed {

class Snapshots {
 public:
  // None at all: of a run whose curve is drawn without them.
  Snapshots() = default;

  struct Copy {
    std::uint64_t mark;  // the model holds at marks after the previous copy's, up to this one (in strides)
    Round iteration;
    std::size_t slot;
    std::uint64_t turn;  // pairwise delivery: at the model, that came next
  };

  // Marks 0 … `intervals` have copies. Touches all of its memory: call it on the owner's thread, before the clock
  // starts.
  Snapshots(std::size_t intervals, std::size_t dimension, std::uint64_t stride)
      : dimension_(dimension), stride_(stride), most_(models_of(intervals)) {
    copies_.reserve(most_);
    for (std::size_t k = 0; k < most_; ++k) unused_.push_back(k);
    floats_.resize(most_ * dimension);
    std::fill(floats_.begin(), floats_.end(), 0.0f);
  }

  static constexpr std::size_t models_of(std::size_t intervals) { return intervals + 1; }  // that memory holds

  std::uint64_t stride() const { return stride_; }

  // The first position (round or grid step) that has no copy yet.
  std::uint64_t next() const {
    if (most_ == 0) return ~std::uint64_t{0};
    return copies_.empty() ? 0 : (copies_.back().mark + 1) * stride_;
  }

  // Whether round t is a mark.
  bool wants_round(Round t) const { return most_ > 0 && t % stride_ == 0; }

  // x is the model at all positions from next() to `position` ≥ next().
  void take(std::uint64_t position, Round iteration, std::span<const Real> x, std::uint64_t turn = 0) {
    while (position / stride_ >= most_) thin_out();
    if (position < next()) return;  // now between two marks
    const std::size_t slot = unused_.back();
    unused_.pop_back();
    ++taken_;
    std::memcpy(floats_.data() + slot * dimension_, x.data(), dimension_ * sizeof(Real));
    copies_.push_back({position / stride_, iteration, slot, turn});
  }

  // After the run: the same stride for all nodes.
  void coarsen_to(std::uint64_t stride) {
    while (stride_ < stride) thin_out();
  }

  // The copy that holds at this mark; the last one beyond it.
  const Copy* at(std::uint64_t mark) const {
    const auto found = std::lower_bound(copies_.begin(), copies_.end(), mark,
                                        [](const Copy& copy, std::uint64_t m) { return copy.mark < m; });
    return found == copies_.end() ? nullptr : &*found;
  }
  std::span<const Copy> copies() const { return copies_; }
  std::uint64_t taken() const { return taken_; }  // copies, those that were given up again as well
  std::uint64_t last_mark() const { return copies_.empty() ? 0 : copies_.back().mark; }
  const Real* model(const Copy& copy) const { return floats_.data() + copy.slot * dimension_; }

 private:
  // Marks become floor(mark / 2); a copy that no even mark fell to is given up.
  void thin_out() {
    std::size_t kept = 0;
    for (const Copy& copy : copies_) {
      const std::uint64_t mark = copy.mark / 2;
      const bool covers_none = kept == 0 ? false : mark == copies_[kept - 1].mark;
      if (covers_none)
        unused_.push_back(copy.slot);
      else
        copies_[kept++] = {mark, copy.iteration, copy.slot, copy.turn};
    }
    copies_.resize(kept);
    stride_ *= 2;
  }

  std::size_t dimension_ = 0;
  std::uint64_t stride_ = 1;
  std::uint64_t most_ = 0;  // marks below this fit, a copy each
  std::uint64_t taken_ = 0;
  std::vector<Copy> copies_;
  std::vector<std::size_t> unused_;
  AlignedVector<Real> floats_;  // [most, p]
};

}  // namespace quantimed
