// SPDX-License-Identifier: BSD-3-Clause
#include "engine/replay/log_reader.hpp"

#include "base/error.hpp"
#include "engine/pairs.hpp"
#include "engine/resumption.hpp"
#include "timing/chunk_costs.hpp"

#include <algorithm>

namespace quantimed {

namespace {

std::int64_t from_zigzag(std::uint64_t value) {
  return static_cast<std::int64_t>(value >> 1) ^ -static_cast<std::int64_t>(value & 1);
}

std::vector<std::int64_t> nothing_read(const Run& run, NodeId i) {
  const bool is_pairwise = run.algorithm.delivery == Delivery::pairwise;
  return std::vector<std::int64_t>(is_pairwise ? 1 : run.network.neighbours(i).size(), -1);
}

}  // namespace

LogReader::LogReader(const Run& run, NodeId node, std::span<const std::uint8_t> log)
    : run_(run), node_(node), log_(log), last_(nothing_read(run, node)) {}

void LogReader::reject(const std::string& why) const {
  throw InputError(
      "/replay/log: node {}, iteration {}: {}; the log is not one of this run, or was changed; name a trace as it was "
      "written",
      node_, iteration_, why);
}

std::uint8_t LogReader::byte() {
  if (next_ == log_.size()) reject("the log ends");
  return log_[next_++];
}

std::size_t LogReader::chunk() {
  const std::uint8_t code = byte();
  if (code > std::bit_width(ChunkCosts::kLargest)) reject(fmt::format("no chunk has the code {}", code));
  return code == 0 ? 0 : std::size_t{1} << (code - 1);
}

std::uint64_t LogReader::number() {
  constexpr int kMostBits = 49;  // of a step between two turns, and a little
  std::uint64_t value = 0;
  std::uint8_t group = 0x80;
  for (int shift = 0; group & 0x80; shift += 7) {
    if (shift >= kMostBits) reject("a number without end");
    group = byte();
    value |= std::uint64_t{group & 0x7fu} << shift;
  }
  return value;
}

LogReader::Turn LogReader::turn() {
  const std::uint64_t value = number();
  if ((value & 3) > static_cast<std::uint64_t>(PairEntry::end)) reject("an entry of no kind");
  last_[0] += 1 + static_cast<std::int64_t>(value >> 2);
  if (last_[0] >= std::int64_t{1} << 48) reject(fmt::format("its turn {} at its own model", last_[0]));
  Turn turn{.what = static_cast<PairEntry>(value & 3), .own = static_cast<std::uint64_t>(last_[0]), .its = {}};
  if (turn.what != PairEntry::average) return turn;
  const std::uint64_t its = number();
  if (its == 0) return turn;
  const std::int64_t at = last_[0] + from_zigzag(its - 1);
  if (at < 0) reject(fmt::format("its turn {} at its partner's model", at));
  turn.its = static_cast<std::uint64_t>(at);
  return turn;
}

Round LogReader::reads(std::size_t k) {
  const std::int64_t of = last_[k] + 1 + from_zigzag(number());
  if (of < 0 || of > std::int64_t{~Round{0}})
    reject(fmt::format("it reads iteration {} of its neighbour number {}", of, k));
  last_[k] = of;
  return static_cast<Round>(of);
}

std::uint16_t LogReader::state_check() {
  const std::uint8_t low = byte();
  const auto state = static_cast<std::uint16_t>(low | byte() << 8);
  at_ = next_;
  ++iteration_;
  return state;
}

void LogReader::skip() {
  if (run_.uses_deadline())
    for (std::size_t gradient = 0; gradient < run_.algorithm.gradients(run_.options); ++gradient)
      while (chunk() > 0) {
      }
  if (run_.algorithm.delivery == Delivery::newest)
    for (std::size_t k = 0; k < last_.size(); ++k) (void)reads(k);
  if (run_.algorithm.delivery == Delivery::pairwise)
    while (turn().what != PairEntry::end) {
    }
  (void)state_check();
}

std::vector<std::span<const std::uint8_t>> logs_of(const Recording& recording) {
  std::vector<std::span<const std::uint8_t>> logs;
  std::size_t at = 0;
  for (const std::int64_t bytes : recording.log_bytes) {
    logs.push_back(std::span(recording.log).subspan(at, static_cast<std::size_t>(bytes)));
    at += logs.back().size();
  }
  return logs;
}

bool keeps_log(const Run& run) { return run.resume ? run.resume->recording.has_value() : run.keeps_log; }

std::vector<std::int64_t> last_reads(const Run& run, NodeId i) {
  if (!run.resume) return nothing_read(run, i);
  LogReader log(run, i, logs_of(*run.resume->recording)[i]);
  while (log.iteration() < first_round(run, i)) log.skip();
  return log.last_reads();
}

std::vector<std::uint64_t> turns_taken(const Run& run) {
  std::vector<std::uint64_t> turns(run.network.nodes);
  if (!run.resume || !run.resume->recording) return turns;
  const auto logs = logs_of(*run.resume->recording);
  const auto count = [&](NodeId i, std::uint64_t turn) { turns[i] = std::max(turns[i], turn + 1); };
  for (NodeId i = 0; i < turns.size(); ++i) {
    LogReader log(run, i, logs[i]);
    while (log.iteration() < first_round(run, i)) {
      const LogReader::Turn turn = log.turn();
      count(i, turn.own);
      if (turn.its) count(partner_of(run, i, log.iteration()), *turn.its);
      if (turn.what == PairEntry::end) (void)log.state_check();
    }
  }
  return turns;
}

std::vector<Round> latest_cut(const Run& run, const Recording& recording) {
  std::vector<Round> cut(recording.iterations.begin(), recording.iterations.end());
  if (run.algorithm.delivery == Delivery::round) {
    std::ranges::fill(cut, *std::ranges::min_element(cut));
    return cut;
  }
  const auto logs = logs_of(recording);
  for (bool is_lowered = true; is_lowered;) {
    is_lowered = false;
    for (NodeId i = 0; i < cut.size(); ++i) {
      const auto neighbours = run.network.neighbours(i);
      LogReader log(run, i, logs[i]);
      for (Round t = 0; t < cut[i]; ++t) {
        log.skip();
        const bool is_sent = std::ranges::all_of(neighbours, [&, k = std::size_t{0}](const Neighbour& j) mutable {
          return log.last_reads()[k++] <= std::int64_t{cut[j.id]};
        });
        if (is_sent) continue;
        cut[i] = t;
        is_lowered = true;
      }
    }
  }
  return cut;
}

Recording cut_at(const Run& run, const Recording& recording, std::span<const Round> iterations) {
  Recording cut;
  const auto logs = logs_of(recording);
  for (NodeId i = 0; i < logs.size(); ++i) {
    LogReader log(run, i, logs[i]);
    while (log.iteration() < iterations[i]) log.skip();
    const auto part = logs[i].first(log.bytes_read());
    cut.log.insert(cut.log.end(), part.begin(), part.end());
    cut.log_bytes.push_back(static_cast<std::int64_t>(part.size()));
    cut.iterations.push_back(iterations[i]);
  }
  // Where nodes average in pairs a model at so many iterations of its own may hold turns of others that are cut away.
  const bool has_turns_of_others = run.algorithm.delivery == Delivery::pairwise;
  for (std::size_t k = 0; k < recording.model_node.size() && !has_turns_of_others; ++k) {
    if (recording.model_iteration[k] > iterations[recording.model_node[k]]) continue;
    cut.model_node.push_back(recording.model_node[k]);
    cut.model_iteration.push_back(recording.model_iteration[k]);
    cut.model_fingerprint.push_back(recording.model_fingerprint[k]);
  }
  return cut;
}

}  // namespace quantimed
