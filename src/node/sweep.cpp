// SPDX-License-Identifier: BSD-3-Clause
#include "node/sweep.hpp"

#include <algorithm>
#include <array>
#include <type_traits>

#include "base/instructions.hpp"

namespace quantimed {

namespace {

constexpr std::size_t kBlock = Codec::kSlice;
using Kind = Source::Kind;

// acc += factor · source
template <class Number, class Term>
QUANTIMED_KERNEL void add_scaled(Number* acc, std::size_t count, Real factor, const Term* source) {
  for (std::size_t k = 0; k < count; ++k) acc[k] += static_cast<Number>(factor) * static_cast<Number>(source[k]);
}

// acc += weight · (theirs − own), in float64
QUANTIMED_KERNEL void add_apart(double* acc, std::size_t count, double weight, const Real* theirs, const Real* own) {
  for (std::size_t k = 0; k < count; ++k)
    acc[k] += weight * (static_cast<double>(theirs[k]) - static_cast<double>(own[k]));
}

QUANTIMED_KERNEL void scale(const Real* x, Real factor, std::size_t count, Real* out) {
  for (std::size_t k = 0; k < count; ++k) out[k] = factor * x[k];
}

// The sources that are no vectors, each with its block of numbers.
class Sources {
 public:
  // cppcheck-suppress uninitMemberVar  // blocks are filled before they are read, for each range of coordinates
  explicit Sources(const SweepInput& input) : input_(input) {}

  void add(const Linear& form) {
    for (const Linear::Term& term : form)
      if (term.source.kind != Kind::vector && !find(term.source)) {
        check(count_ < kMost, "a pass reads too many different sources");
        sources_[count_++] = term.source;
      }
  }
  // Coordinates first … first + count − 1 of all of them.
  void fill(std::size_t first, std::size_t count) {
    first_ = first;
    for (std::size_t k = 0; k < count_; ++k) {
      const std::span out = std::span(blocks_[k]).first(count);
      if (sources_[k].kind == Kind::apart)
        fill_apart(input_.channels[sources_[k].index], out, std::span(apart_[sources_[k].index]).first(count));
      else
        fill(sources_[k], out);
    }
  }
  const Real* find(const Source& source) const {
    for (std::size_t k = 0; k < count_; ++k)
      if (sources_[k] == source) return blocks_[k];
    return nullptr;
  }
  // In float64, for wide sums.
  const double* wide_apart(const Source& source) const { return apart_[source.index]; }
  std::uint64_t wrong() const { return wrong_; }

 private:
  static constexpr std::size_t kMost = 8;

  // acc += weight · message
  void add_message(const Codec& codec, std::span<const std::byte> message, Real weight, std::span<Real> acc) {
    wrong_ += codec.accumulate(message, weight, first_, input_.vectors[0].single.subspan(first_, acc.size()), acc);
  }
  void decode(const Codec& codec, std::span<const std::byte> message, std::span<Real> out) {
    std::ranges::fill(out, 0.0f);
    add_message(codec, message, 1, out);
  }
  void fill(const Source& source, std::span<Real> out) {
    if (source.kind == Kind::gradient) return fill_gradient(out);
    const Received& received = input_.channels[source.index];
    switch (source.kind) {
      case Kind::own:
        return decode(*received.codec, received.own, out);
      case Kind::mixed:
        if (kIsDouble && is_average_of(received)) return fill_mean(received, out);
        std::ranges::fill(out, 0.0f);
        add_message(*received.codec, received.own, received.own_weight, out);
        break;
      default:
        std::ranges::fill(out, 0.0f);
    }
    for (const MixTerm& term : received.terms) add_message(*received.codec, term.message, term.weight, out);
  }
  static bool is_average_of(const Received& received) {
    Real sum = received.own_weight;
    for (const MixTerm& term : received.terms) sum += term.weight;
    return is_average(sum, received.terms.size());
  }
  // own + Σ w (theirs − own)
  void fill_mean(const Received& received, std::span<Real> out) {
    alignas(kCacheLine) double apart[kBlock];
    alignas(kCacheLine) Real own[kBlock];
    fill_apart(received, out, std::span(apart).first(out.size()));
    decode(*received.codec, received.own, std::span(own).first(out.size()));
    dispatched<add_scaled<Real, Real>>(out.data(), out.size(), Real{1}, own);
  }
  // In float64, where w (q_j − q_i) is exact but for its last bits: what one node adds its neighbour subtracts, so that
  // sums over the nodes stay zero.
  void fill_apart(const Received& received, std::span<Real> out, std::span<double> wide) {
    alignas(kCacheLine) Real own[kBlock];
    alignas(kCacheLine) Real theirs[kBlock];
    decode(*received.codec, received.own, std::span(own).first(out.size()));
    std::ranges::fill(wide, 0.0);
    for (const MixTerm& term : received.terms) {
      decode(*received.codec, term.message, std::span(theirs).first(out.size()));
      dispatched<add_apart>(wide.data(), out.size(), static_cast<double>(term.weight), theirs, own);
    }
    for (std::size_t k = 0; k < out.size(); ++k) out[k] = static_cast<Real>(wide[k]);
  }
  void fill_gradient(std::span<Real> out) const {
    const GradientSum& g = input_.gradient;
    if (g.batch == 0) {
      std::ranges::fill(out, 0.0f);
      return;
    }
    const Real share = 1 / static_cast<Real>(g.batch);
    dispatched<scale>(g.sum.data() + first_, share, out.size(), out.data());
    if (g.l2 == 0) return;
    const std::span<const Real> at = input_.vectors[input_.gradient_at].single;
    for (const CoordinateRange& range : input_.penalised) {
      const std::size_t from = std::max(first_, range.first), to = std::min(first_ + out.size(), range.last);
      if (from < to)
        dispatched<add_scaled<Real, Real>>(out.data() + (from - first_), to - from, g.l2, at.data() + from);
    }
  }

  const SweepInput& input_;
  std::array<Source, kMost> sources_{Source{Kind::vector}};
  std::size_t count_ = 0, first_ = 0;
  std::uint64_t wrong_ = 0;
  alignas(kCacheLine) Real blocks_[kMost][kBlock];
  alignas(kCacheLine) double apart_[Protocol::kMostChannels][kBlock];
};

template <class Number>
void add(Number* acc, std::size_t count, Real factor, const auto* source) {
  dispatched<add_scaled<Number, std::remove_cvref_t<decltype(*source)>>>(acc, count, factor, source);
}

// acc [count] ← the form, in the precision of acc.
template <class Number>
void form_block(const SweepInput& input, const Sources& sources, const Linear& form, std::size_t first,
                std::size_t count, Number* acc) {
  std::fill_n(acc, count, Number{0});
  for (const Linear::Term& term : form) {
    if (term.source.kind != Kind::vector) {
      if (std::is_same_v<Number, double> && term.source.kind == Kind::apart)
        add(acc, count, term.factor, sources.wide_apart(term.source));
      else
        add(acc, count, term.factor, sources.find(term.source));
      continue;
    }
    const VectorView& vector = input.vectors[term.source.index];
    if (vector.wide.empty())
      add(acc, count, term.factor, vector.single.data() + first);
    else
      add(acc, count, term.factor, vector.wide.data() + first);
  }
}

bool reads_wide(const SweepInput& input, const Linear& form) {
  return std::ranges::any_of(form, [&](const Linear::Term& term) {
    return term.source.kind == Kind::vector && !input.vectors[term.source.index].wide.empty();
  });
}

// Sums that a wide vector is part of are wide; what is kept in float32 is rounded once, at the end.
void assign_block(const SweepInput& input, const Sources& sources, const Linear& form, std::size_t first,
                  std::size_t count, const VectorView& to) {
  if (to.wide.empty() && !reads_wide(input, form)) {
    alignas(kCacheLine) Real acc[kBlock];
    form_block(input, sources, form, first, count, acc);
    std::copy_n(acc, count, to.single.data() + first);
    return;
  }
  alignas(kCacheLine) double acc[kBlock];
  form_block(input, sources, form, first, count, acc);
  if (to.wide.empty())
    std::transform(acc, acc + count, to.single.data() + first, [](double value) { return static_cast<Real>(value); });
  else
    std::copy_n(acc, count, to.wide.data() + first);
}

}  // namespace

std::uint64_t sweep(const SweepInput& input, std::span<const Statement> statements) {
  Sources sources(input);
  for (const Statement& statement : statements) sources.add(statement.value);
  const std::size_t p = input.vectors[0].single.size();
  for (std::size_t first = 0; first < p; first += kBlock) {
    const std::size_t count = std::min(kBlock, p - first);
    sources.fill(first, count);
    for (const Statement& statement : statements)
      assign_block(input, sources, statement.value, first, count, input.vectors[statement.destination.index]);
  }
  return sources.wrong();
}

std::uint64_t evaluate(const SweepInput& input, const Linear& form, std::span<Real> out) {
  Sources sources(input);
  sources.add(form);
  for (std::size_t first = 0; first < out.size(); first += kBlock) {
    const std::size_t count = std::min(kBlock, out.size() - first);
    sources.fill(first, count);
    assign_block(input, sources, form, first, count, {.single = out, .wide = {}});
  }
  return sources.wrong();
}

}  // namespace quantimed
