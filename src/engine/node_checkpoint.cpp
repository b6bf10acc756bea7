// SPDX-License-Identifier: BSD-3-Clause
// What is kept of a node that is stopped, and how it is restored; and what tells one state from another.
#include "engine/node_core.hpp"
#include "engine/resumption.hpp"

#include <algorithm>
#include <bit>
#include <cstring>
#include <type_traits>

namespace quantimed {

namespace {

// A few coordinates, so that it costs nothing: the last ones, which move in every iteration of every model here
// (biases), and others that change with t.
template <class T>
void add_some(std::uint64_t& sum, std::span<const T> x, Round t) {
  using Bits = std::conditional_t<sizeof(T) == sizeof(std::uint32_t), std::uint32_t, std::uint64_t>;
  constexpr std::size_t kEach = 8;
  constexpr std::uint64_t kMix = 0x9e3779b97f4a7c15;
  const auto add = [&](std::span<const T> some) {
    for (const T value : some) sum = (std::rotl(sum, 5) ^ std::bit_cast<Bits>(value)) * kMix;
  };
  const std::size_t count = std::min(kEach, x.size());
  add(x.last(count));
  if (x.size() > count) add(x.subspan(std::uint64_t{t} * kEach % (x.size() - count), count));
}

}  // namespace

std::uint16_t NodeCore::state_check() const {
  std::uint64_t sum = round_;
  add_some<Real>(sum, x_, round_);
  for (std::size_t k = 0; k < lasting_; ++k) add_some<Real>(sum, floats_[k], round_);
  for (const AlignedVector<double>& values : doubles_) add_some<double>(sum, values, round_);
  return static_cast<std::uint16_t>(sum >> 48);
}

std::size_t NodeCore::floats_of_sent() const {
  if (run_.algorithm.delivery != Delivery::newest || run_.algorithm.sends_its_model) return 0;
  return (run_.codec.capacity(x_.size()) + sizeof(Real) - 1) / sizeof(Real);
}

bool NodeCore::publish_again(Channel c, std::span<std::byte> message) {
  if (sent_before_.empty()) return false;
  const std::size_t bytes = run_.codec.capacity(x_.size());
  std::memcpy(message.data(), &sent_before_[c.index * floats_of_sent()], bytes);
  channels_[c.index].own = message.first(bytes);
  channels_[c.index].is_model = false;
  return true;
}

void NodeCore::save(Checkpoint& checkpoint) const {
  checkpoint.iteration.push_back(round_);
  checkpoint.speed.push_back(speed_at_begin_);
  deadline_.save(checkpoint.seen_speeds, checkpoint.seen_counts);
  for (std::size_t k = 0; k < lasting_; ++k)
    checkpoint.states.insert(checkpoint.states.end(), floats_[k].begin(), floats_[k].end());
  if (const std::size_t floats = floats_of_sent(); floats > 0)
    for (const Exchanged& channel : channels_) {
      const std::size_t first = checkpoint.states.size();
      checkpoint.states.resize(first + floats);
      if (!channel.own.empty()) std::memcpy(&checkpoint.states[first], channel.own.data(), channel.own.size());
    }
  if (run_.algorithm.sends_each_its_own)
    for (const Exchanged& channel : channels_)
      for (std::size_t k = 0; k < next_unseen_.size(); ++k) {
        const std::size_t first = checkpoint.states.size();
        checkpoint.states.resize(first + x_.size() + 1);
        if (k >= channel.terms.size()) continue;  // before the first have come
        std::memcpy(&checkpoint.states[first], channel.terms[k].message.data(), x_.size_bytes());
        checkpoint.states.back() = channel.scalars[k];
      }
  for (const AlignedVector<double>& values : doubles_)
    checkpoint.wide_states.insert(checkpoint.wide_states.end(), values.begin(), values.end());
  if (run_.algorithm.sends_its_model) return;
  checkpoint.scalars.push_back(scalar_);
  for (std::size_t c = 0; c < channels_.size(); ++c) checkpoint.messages.push_back(channels_[c].sent_at_begin);
}

void NodeCore::restore(const Checkpoint& saved, std::span<const double>& seen_speeds) {
  speed_ = saved.speed[id_];
  if (!deadline_.restore(seen_speeds, saved.seen_counts[id_])) reject_checkpoint(run_, "its checkpoint lacks speeds");
  if (run_.algorithm.sends_its_model) return;
  const std::size_t p = x_.size(), n = run_.network.nodes, sent = channels_.size() * floats_of_sent(),
                    floats = lasting_ * p + sent, doubles = doubles_.size() * p;
  const std::size_t kept = run_.algorithm.sends_each_its_own ? channels_.size() * (p + 1) : 0;  // for each neighbour
  const std::size_t first = id_ * floats + run_.network.offsets[id_] * kept;
  if (saved.states.size() != n * floats + run_.network.neighbour_list.size() * kept ||
      saved.wide_states.size() != n * doubles || saved.scalars.size() != n ||
      saved.messages.size() != n * channels_.size())
    reject_checkpoint(run_, "its checkpoint lacks what the algorithm keeps beside the models");
  for (std::size_t k = 0; k < lasting_; ++k)
    std::copy_n(saved.states.begin() + static_cast<std::ptrdiff_t>(first + k * p), p, floats_[k].begin());
  for (std::size_t k = 0; k < doubles_.size(); ++k)
    std::copy_n(saved.wide_states.begin() + static_cast<std::ptrdiff_t>(id_ * doubles + k * p), p, doubles_[k].begin());
  if (sent > 0 && saved.iteration[id_] > 0) {
    const std::span<const Real> last = std::span(saved.states).subspan(first + lasting_ * p, sent);
    sent_before_.assign(last.begin(), last.end());
  }
  if (kept > 0) restore_messages(std::span(saved.states).subspan(first + floats, next_unseen_.size() * kept));
  scalar_ = saved.scalars[id_];
  for (std::size_t c = 0; c < channels_.size(); ++c) channels_[c].sent = saved.messages[id_ * channels_.size() + c];
}

void NodeCore::restore_messages(std::span<const Real> saved) {
  const std::size_t p = x_.size();
  for (Exchanged& channel : channels_)
    for (const Neighbour& from : neighbours()) {
      AlignedVector<Real>& message = heard_before_.emplace_back();
      message.resize(p);
      std::copy_n(saved.begin(), p, message.begin());
      channel.terms.push_back({std::as_bytes(std::span<const Real>(message)), weight_from(from, 0)});
      channel.scalars.push_back(saved[p]);
      saved = saved.subspan(p + 1);
    }
}

void NodeCore::save_unseen(Checkpoint& checkpoint) const {
  checkpoint.next_unseen.insert(checkpoint.next_unseen.end(), next_unseen_.begin(), next_unseen_.end());
}

void NodeCore::restore_unseen(std::span<const std::uint32_t>& next_unseen) {
  std::copy_n(next_unseen.begin(), next_unseen_.size(), next_unseen_.begin());
  next_unseen = next_unseen.subspan(next_unseen_.size());
}

}  // namespace quantimed
