// SPDX-License-Identifier: BSD-3-Clause
// What each node did in each of its iterations, while it happens; Rounds is the same, as the trace stores it. However
// long the run, memory holds the newest records only.
#pragma once

#include "base/prefetch.hpp"
#include "record/record_file.hpp"
#include "trace/trace.hpp"

#include <memory>
#include <string>
#include <vector>

namespace quantimed {

// One node's, of one iteration after the other.
class NodeRecords {
 public:
  NodeRecords() = default;  // memory holds all of them
  explicit NodeRecords(std::shared_ptr<RecordFile> file) : file_(std::move(file)) {}

  std::size_t size() const { return first_ + recent_.size(); }
  bool empty() const { return size() == 0; }
  void push_back(const RoundRecord& record) { recent_.push_back(record); }
  void pop_back() { recent_.pop_back(); }
  void prefetch_end() const { prefetch(recent_.data() + recent_.size(), sizeof(RoundRecord)); }

  // Of iterations that have not ended, and the last that has.
  RoundRecord& operator[](std::size_t t) { return recent_[t - first_]; }
  const RoundRecord& operator[](std::size_t t) const { return recent_[t - first_]; }
  RoundRecord& back() { return recent_.back(); }

  // Iterations below `ended` are over (all of them, if there are fewer): what the trace shows, and what may leave
  // memory.
  void finish(std::size_t ended);
  std::size_t finished() const { return finished_; }

  // Finished records in memory although a file should have them: the disk refuses them.
  std::size_t refused() const { return refused_; }

  // Any records, from iteration `first` on.
  void read(std::size_t first, std::span<RoundRecord> to) const;
  RoundRecord at(std::size_t t) const;

 private:
  std::shared_ptr<RecordFile> file_;
  std::vector<std::uint32_t> blocks_;  // of the file: iterations below first_
  std::size_t first_ = 0, finished_ = 0, refused_ = 0;
  std::vector<RoundRecord> recent_;
};

// All nodes'.
class Records final : public RoundsSource {
 public:
  Records() = default;
  // `folder`: where records go that memory should not hold; empty: memory holds all.
  Records(std::size_t nodes, const std::string& folder);
  // Of a run that goes on: what had ended before.
  Records(const Rounds& before, const std::string& folder);

  // Of one node at most, while the disk takes the others.
  static std::size_t most_in_memory(std::size_t nodes);

  NodeRecords& operator[](std::size_t i) { return nodes_[i]; }
  const NodeRecords& operator[](std::size_t i) const { return nodes_[i]; }
  void finish(std::size_t ended = ~std::size_t{0}) {
    for (NodeRecords& node : nodes_) node.finish(ended);
  }
  std::size_t refused() const;

  std::size_t nodes() const override { return nodes_.size(); }
  std::size_t iterations() const override;  // finished ones, of the node that has most
  Rounds block(std::size_t first, std::size_t last) const override;

 private:
  std::shared_ptr<RecordFile> file_;
  std::vector<NodeRecords> nodes_;
};

}  // namespace quantimed
