// SPDX-License-Identifier: BSD-3-Clause
// The gradient's first step: the batch's rows, as floats.
#include <algorithm>
#include <cstring>

#include "base/error.hpp"
#include "base/instructions.hpp"
#include "dataset/dataset.hpp"

namespace quantimed {

namespace {

// A plain loop over restrict pointers: widen, convert, scale, which compilers turn into full vectors. Out of the cache
// it runs at the speed of its stores, so hand-written vectors gain nothing; an `out` on a cache line does.
QUANTIMED_KERNEL void scale_bytes(const std::uint8_t* __restrict in, std::size_t count, float* __restrict out) {
  constexpr float kScale = 1.0f / 255.0f;
#pragma omp simd
  for (std::size_t i = 0; i < count; ++i) out[i] = static_cast<float>(in[i]) * kScale;
}

// Normalised: the bytes of a channel, or its values.
template <class Value>
QUANTIMED_KERNEL void scale_channel(const Value* __restrict in, std::size_t count, float scale, float shift,
                                    float* __restrict out) {
#pragma omp simd
  for (std::size_t i = 0; i < count; ++i) out[i] = static_cast<float>(in[i]) * scale + shift;
}

template <class Value>
void scale_row(const Dataset& data, const Value* in, float unit, float* out) {
  const std::size_t channels = data.scale.size(), area = data.features / channels;
  if (area == 1) {
    for (std::size_t c = 0; c < channels; ++c)
      out[c] = static_cast<float>(in[c]) * unit * data.scale[c] + data.shift[c];
    return;
  }
  for (std::size_t c = 0; c < channels; ++c)
    dispatched<scale_channel<Value>>(in + c * area, area, unit * data.scale[c], data.shift[c], out + c * area);
}

// Sampled rows lie anywhere, so a row is asked for while the ones before it are converted: this many of them, since
// converting one takes less time than a line takes to arrive from the last-level cache.
constexpr std::size_t kAhead = 4;
void prefetch(const void* row, std::size_t size) {
  const char* line = static_cast<const char*>(row);
  for (std::size_t at = 0; at < size; at += kCacheLine) __builtin_prefetch(line + at);
}

}  // namespace

void Dataset::gather(std::span<const SampleId> rows, float* out) const {
  const std::size_t p = features;
  for (const SampleId row : rows) check(row < samples, "gather: a row id is beyond the data set");
  if (!bytes.empty())
    for (std::size_t k = 0; k < std::min(kAhead, rows.size()); ++k) prefetch(bytes.data() + rows[k] * p, p);
  for (std::size_t k = 0; k < rows.size(); ++k, out += p) {
    if (is_sparse()) {
      std::fill_n(out, p, 0.0f);
      const SparseRow row = sparse.row(rows[k]);
      for (std::size_t e = 0; e < row.values.size(); ++e) out[row.columns[e]] = row.values[e];
    } else if (!bytes.empty()) {
      if (k + kAhead < rows.size()) prefetch(bytes.data() + rows[k + kAhead] * p, p);
      if (scale.empty())
        dispatched<scale_bytes>(bytes.data() + rows[k] * p, p, out);
      else
        scale_row(*this, bytes.data() + rows[k] * p, 1.0f / 255.0f, out);
    } else if (!scale.empty()) {
      scale_row(*this, values.data() + rows[k] * p, 1.0f, out);
    } else {
      std::memcpy(out, values.data() + rows[k] * p, p * sizeof(float));
    }
  }
}

}  // namespace quantimed
