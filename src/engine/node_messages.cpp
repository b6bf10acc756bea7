// SPDX-License-Identifier: BSD-3-Clause
// Messages that hold more than one vector: a part for each neighbour, or one for each channel.
#include "engine/node_core.hpp"

#include <algorithm>
#include <array>
#include <cstring>

namespace quantimed {

namespace {
// Of a message for one neighbour: the vector, then the number that travels with it.
std::size_t stride_of(const Run& run) { return run.codec.capacity(run.problem.dimension()) + kCacheLine; }
}  // namespace

std::size_t message_capacity(const Run& run, NodeId id) {
  if (!run.algorithm.sends_each_its_own) return run.codec.capacity(run.problem.dimension());
  return std::max<std::size_t>(1, run.network.neighbours(id).size()) * stride_of(run);
}

namespace {
std::size_t part_capacity(const Run& run) {
  const std::size_t bytes = run.codec.capacity(run.problem.dimension());
  return (bytes + kCacheLine - 1) / kCacheLine * kCacheLine;
}
}  // namespace

std::size_t parcel_capacity(const Run& run) {
  if (run.algorithm.sends_its_model) return run.codec.capacity(run.problem.dimension());
  return run.algorithm.channels * part_capacity(run);
}

// To each neighbour j: what all get, and Σ_{k≠j} of what the others sent in the iteration before, which is where it was
// then: nobody writes over it before this message has been heard.
std::size_t NodeCore::publish_each(Channel c, const Linear& what, Real scalar, std::span<std::byte> message,
                                   Scratch& scratch) {
  Exchanged& channel = channels_[c.index];
  Linear common;
  Real factor = 0;
  for (const Linear::Term& term : what) {
    if (term.source == Source{Source::Kind::rest, c.index})
      factor += term.factor;
    else
      common.terms[common.size++] = term;
  }
  scratch.form.resize(x_.size());
  std::array<Received, Protocol::kMostChannels> received;
  violations_ += evaluate(sweep_input(received), common, scratch.form);
  const std::size_t stride = stride_of(run_), bytes = x_.size_bytes();
  for (std::size_t j = 0; j < next_unseen_.size(); ++j) {
    const std::span<std::byte> part = message.subspan(j * stride, stride);
    const std::span<Real> out(reinterpret_cast<Real*>(part.data()), x_.size());
    std::ranges::copy(scratch.form, out.begin());
    Real number = scalar;
    for (std::size_t k = 0; k < channel.terms.size(); ++k) {
      if (k == j) continue;
      const Real weight = factor * channel.terms[k].weight;
      violations_ += run_.codec.accumulate(channel.terms[k].message, weight, 0, x_, out);
      number += weight * channel.scalars[k];
    }
    std::memcpy(part.data() + stride - kCacheLine, &number, sizeof number);
  }
  published_in_place(c, message.first(std::min(bytes, message.size())));
  channel.is_model = false;
  channel.own_scalar = scalar;
  return next_unseen_.size() * stride;
}

HeardMessage NodeCore::part_for_this_node(const Neighbour& from, HeardMessage message) const {
  const auto theirs = run_.network.neighbours(from.id);
  const auto place = std::ranges::lower_bound(theirs, id_, {}, &Neighbour::id) - theirs.begin();
  const auto stride = stride_of(run_);
  const auto part = message.payload.subspan(static_cast<std::size_t>(place) * stride, stride);
  message.payload = part.first(x_.size_bytes());
  std::memcpy(&message.scalar, part.data() + stride - kCacheLine, sizeof message.scalar);
  return message;
}

std::span<std::byte> NodeCore::part_of(Channel c, std::span<std::byte> parcel) const {
  return parcel.subspan(c.index * part_capacity(run_), run_.codec.capacity(x_.size()));
}

double NodeCore::parcel_wire_bytes(std::span<std::byte> parcel) const {
  if (run_.algorithm.sends_its_model) return wire_bytes(parcel);
  double bytes = 0;
  for (std::uint8_t c = 0; c < run_.algorithm.channels; ++c) bytes += wire_bytes(part_of({c}, parcel));
  return bytes;
}

// Message number t + 1 is sent in iteration t; number 0 before the first.
HeardMessage NodeCore::part_of(Channel c, HeardMessage parcel) const {
  parcel.payload = parcel.payload.subspan(c.index * part_capacity(run_), run_.codec.capacity(x_.size()));
  if (parcel.round > 0) --parcel.round;
  return parcel;
}

}  // namespace quantimed
