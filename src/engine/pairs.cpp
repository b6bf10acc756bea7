// SPDX-License-Identifier: BSD-3-Clause
#include "engine/pairs.hpp"

#include "base/random.hpp"

#include <algorithm>

namespace quantimed {

// The streams of schedules are of all nodes, draw 0.
NodeId partner_of(const Run& run, NodeId i, Round t) {
  const std::span<const Neighbour> neighbours = run.network.neighbours(i);
  if (neighbours.empty()) return i;
  Stream stream({.seed = run.seed, .node = i, .iteration = t, .purpose = Purpose::schedule, .draw = 1});
  return neighbours[stream.index(static_cast<std::uint32_t>(neighbours.size()))].id;
}

namespace {

void average_exactly(std::span<Real> a, std::span<Real> b) {
  Real* const one = a.data();
  Real* const other = b.data();
#pragma omp simd
  for (std::size_t k = 0; k < a.size(); ++k) one[k] = other[k] = 0.5f * (one[k] + other[k]);
}

// Of an averaging's first message, of who begins it, and its second.
StreamKey stream_of(const Run& run, NodeId i, Round t, std::uint32_t message) {
  return {.seed = run.seed, .node = i, .iteration = t, .purpose = Purpose::quantizer, .draw = message};
}

}  // namespace

PairMessages average_models(const Run& run, NodeId i, Round t, std::span<Real> x_i, std::span<Real> x_j,
                            PairRoom& room) {
  PairMessages done;
  if (run.codec.is_identity()) {
    done.wire_bytes = 2 * static_cast<double>(run.codec.wire_bytes(std::as_bytes(x_i), x_i.size()));
    average_exactly(x_i, x_j);
    return done;
  }
  const std::span<Real> models[] = {x_i, x_j};
  for (std::uint32_t k = 0; k < 2; ++k) {
    room.messages[k].resize(run.codec.capacity(x_i.size()));
    done.overflows += run.codec.encode(models[k], stream_of(run, i, t, k), room.messages[k]).overflows;
    done.wire_bytes += static_cast<double>(run.codec.wire_bytes(room.messages[k], x_i.size()));
  }
  for (std::uint32_t k = 0; k < 2; ++k) {
    room.sums[k].assign(x_i.size(), 0.0f);
    for (const auto& message : room.messages)
      done.violations += run.codec.accumulate(message, 0.5f, 0, models[k], room.sums[k]);
  }
  for (std::uint32_t k = 0; k < 2; ++k) std::ranges::copy(room.sums[k], models[k].begin());
  return done;
}

double pair_message_bytes(const Run& run, NodeId i, Round t, std::span<const Real> x, PairRoom& room) {
  if (run.codec.is_sliceable()) return static_cast<double>(run.codec.wire_bytes(std::as_bytes(x), x.size()));
  room.messages[0].resize(run.codec.capacity(x.size()));
  (void)run.codec.encode(x, stream_of(run, i, t, 0), room.messages[0]);
  return static_cast<double>(run.codec.wire_bytes(room.messages[0], x.size()));
}

PairCost cost_of_pair(const Run& run, double message_bytes, const Charge& charge) {
  return {.bytes = 2 * message_bytes,
          .on_paper_link = 2 * run.link.exchange(charge.bits_per_coordinate(message_bytes)),
          .on_link = 2 * run.link.delay(charge.bytes(message_bytes))};
}

}  // namespace quantimed
