// SPDX-License-Identifier: BSD-3-Clause
// Reads what replay_log.hpp writes, of one node, front to back. The log is not trusted: whatever is wrong with it is an
// InputError that names the node and the iteration.
#pragma once

#include "engine/engine.hpp"
#include "record/replay_log.hpp"

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace quantimed {

class LogReader {
 public:
  LogReader(const Run& run, NodeId node, std::span<const std::uint8_t> log);

  // The next chunk of a gradient until a deadline, in samples; 0: the gradient has ended.
  std::size_t chunk();
  // The iteration of the message that is read of the k-th neighbour.
  Round reads(std::size_t k);
  // Pairwise delivery.
  struct Turn {
    PairEntry what = PairEntry::pass;
    std::uint64_t own = 0;             // at the node's model
    std::optional<std::uint64_t> its;  // at that of its partner, which was still there
  };
  Turn turn();  // behind PairEntry::end comes state_check()
  // Ends the iteration: NodeCore::state_check() as it was.
  std::uint16_t state_check();
  // A whole iteration that nobody looks into.
  void skip();

  Round iteration() const { return iteration_; }  // that is read now
  std::size_t bytes_read() const { return at_; }  // by the iterations before it: where a log is cut
  const std::vector<std::int64_t>& last_reads() const { return last_; }  // [neighbours]; pairwise: its last turn, [1]
  [[noreturn]] void reject(const std::string& why) const;

 private:
  std::uint8_t byte();
  std::uint64_t number();

  const Run& run_;
  NodeId node_;
  std::span<const std::uint8_t> log_;
  std::size_t at_ = 0, next_ = 0;  // where this iteration begins, and how far it has been read
  Round iteration_ = 0;
  std::vector<std::int64_t> last_;
};

// Each node's part of a recording. [n]
std::vector<std::span<const std::uint8_t>> logs_of(const Recording& recording);

// Whether this run on threads keeps a log: one that goes on, where it has its beginning.
bool keeps_log(const Run& run);
// What a node had read last of each neighbour, [neighbours], or its last turn at its own model, [1], when the run was
// stopped; −1 in a new run.
std::vector<std::int64_t> last_reads(const Run& run, NodeId i);
// Pairwise delivery: how many turns each model had had when the run was stopped; 0 in a new run. [n]
std::vector<std::uint64_t> turns_taken(const Run& run);

// How far all nodes can be replayed together: what each of them has read was sent within these iterations. [n] A run
// that was killed may have written down that a message was read and not yet that it was sent.
std::vector<Round> latest_cut(const Run& run, const Recording& recording);

// The same recording up to these iterations. [n]
Recording cut_at(const Run& run, const Recording& recording, std::span<const Round> iterations);

}  // namespace quantimed
