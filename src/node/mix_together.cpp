// SPDX-License-Identifier: BSD-3-Clause
#include "node/mix_together.hpp"

#include "base/instructions.hpp"
#include "base/prefetch.hpp"

#include <algorithm>
#include <cstring>

namespace quantimed {

namespace {

// Sixteen numbers; eight of them are as many sums as fit the registers beside what is added to them.
using Lanes [[gnu::vector_size(16 * sizeof(Real)), gnu::may_alias]] = Real;
constexpr std::size_t kLanes = 16, kSums = 8, kTile = kSums * kLanes;
static_assert(Codec::kSlice % kTile == 0);

// sums [kTile] ← self · x, where penalised: penalised_self · x, of coordinates from `first` on.
QUANTIMED_KERNEL void start(const MixJob& job, std::size_t first, Real* sums) {
  const Real self = job.coefficients.self, penalised_self = self + job.coefficients.gradient * job.gradient.l2;
  const Real* const x = job.x.data() + first;
  for (std::size_t k = 0; k < kTile; ++k) sums[k] = self * x[k];
  if (penalised_self == self) return;
  for (const CoordinateRange& range : job.penalised) {
    const std::size_t from = std::max(first, range.first), to = std::min(first + kTile, range.last);
    for (std::size_t k = from; k < to; ++k) sums[k - first] = penalised_self * x[k - first];
  }
}

// sums [kTile] += Σ weight · source, one part after the other, in registers.
QUANTIMED_KERNEL void add_parts(const MixPart* part, std::size_t count, const Real* packed, Real* sums) {
  Lanes acc[kSums];
  std::memcpy(acc, sums, sizeof acc);
  for (const MixPart* const end = part + count; part < end; ++part) {
    const auto* const z = reinterpret_cast<const Lanes*>(packed + part->source * kTile);
#pragma GCC unroll 8
    for (std::size_t v = 0; v < kSums; ++v) acc[v] += part->weight * z[v];
  }
  std::memcpy(sums, acc, sizeof acc);
}

// x ← sums + step · gradient
QUANTIMED_KERNEL void finish(const MixJob& job, std::size_t first, const Real* sums) {
  Real* const next = job.x.data() + first;
  const GradientSum& g = job.gradient;
  if (g.batch == 0) {
    std::copy_n(sums, kTile, next);
    return;
  }
  const Real step = job.coefficients.gradient / static_cast<Real>(g.batch);
  const Real* const sum = g.sum.data() + first;
  for (std::size_t k = 0; k < kTile; ++k) next[k] = sums[k] + step * sum[k];
}

// A job's coordinates from `first` on, of the messages that lie side by side. As mix(), it takes the instructions that
// a portable build has chosen: the bits are the same only if both do.
QUANTIMED_KERNEL void mix_tile(const MixJob* job, const MixPart* parts, const Real* packed, std::size_t first) {
  alignas(kCacheLine) Real sums[kTile];
  start(*job, first, sums);
  add_parts(parts, job->terms.size(), packed, sums);
  finish(*job, first, sums);
}

}  // namespace

void MixTogether::begin(std::span<MixJob> jobs) {
  jobs_ = jobs;
  is_packed_ = !kIsDouble && jobs.size() > 1 && codec_.is_identity();  // in double, differences: is_average()
  if (!is_packed_) return;
  sources_.clear();
  parts_.clear();
  for (const MixJob& job : jobs)
    for (const MixTerm& term : job.terms) sources_.push_back(term.message.data());
  std::ranges::sort(sources_);
  const auto same = std::ranges::unique(sources_);
  sources_.erase(same.begin(), same.end());
  for (const MixJob& job : jobs)
    for (const MixTerm& term : job.terms) {
      const auto place = std::ranges::lower_bound(sources_, term.message.data()) - sources_.begin();
      parts_.push_back({static_cast<std::uint32_t>(place), job.coefficients.neighbours * term.weight});
    }
  packed_.resize(sources_.size() * kTile);
}

void MixTogether::carry_out(std::size_t first, std::size_t last) {
  if (is_packed_ && (last - first) % kTile == 0) {  // all but the last range
    for (; first < last; first += kTile) mix_packed(first);
    return;
  }
  for (MixJob& job : jobs_)
    job.wrong += mix(job.x, job.x, first, last, job.coefficients, job.terms, codec_, job.gradient, job.penalised);
}

// Messages lie a whole number of pages apart, where their lines would push each other out of the first-level cache; so
// they are copied side by side first.
void MixTogether::mix_packed(std::size_t first) {
  for (std::size_t s = 0; s < sources_.size(); ++s)
    std::memcpy(packed_.data() + s * kTile, sources_[s] + first * sizeof(Real), kTile * sizeof(Real));
  const MixPart* parts = parts_.data();
  for (std::size_t k = 0; k < jobs_.size(); ++k) {
    const MixJob& job = jobs_[k];
    prefetch_next(k, first + kTile);
    dispatched<mix_tile>(&job, parts, static_cast<const Real*>(packed_.data()), first);
    parts += job.terms.size();
  }
}

// The k-th job's part of what the coordinates from `first` on will be read from.
void MixTogether::prefetch_next(std::size_t k, std::size_t first) const {
  constexpr std::size_t bytes = kTile * sizeof(Real);
  const MixJob& job = jobs_[k];
  prefetch(job.x.data() + first, bytes);
  if (job.gradient.batch > 0) prefetch(job.gradient.sum.data() + first, bytes);
  const std::size_t from = sources_.size() * k / jobs_.size(), to = sources_.size() * (k + 1) / jobs_.size();
  for (std::size_t s = from; s < to; ++s) prefetch(sources_[s] + first * sizeof(Real), bytes);
}

}  // namespace quantimed
