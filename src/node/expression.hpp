// SPDX-License-Identifier: BSD-3-Clause
// What an algorithm's formulas are made of: a source is a vector of the node, its gradient, or what a channel has
// brought; a linear form is a short sum of them; a statement assigns one. They are values that an engine carries out,
// in one sweep over the coordinates. All vectors have p coordinates.
//
// Texts write formulas with the names of namespace formula, and they read like the papers':
//   node.pass({{x, mixed(kModels) - alpha * g}});        x_i ← Σ_j w_ij x_j − α g_i
#pragma once

#include "base/error.hpp"

#include <array>
#include <cstdint>
#include <stdexcept>

namespace quantimed {

struct Channel {
  std::uint8_t index;
  bool operator==(const Channel&) const = default;
};

struct Source {
  enum class Kind : std::uint8_t {
    vector,    // index 0: the model x_i; 1 …: the row's states, in their order
    gradient,  // the newest: sum / |S| + ℓ2; 0 where |S| = 0
    own,       // q_i: the node's newest message on the channel, as everyone decodes it
    mixed,     // Σ_j w_ij q_j, own message included
    apart,     // Σ_{j≠i} w_ij (q_j − q_i): a message that is missing adds nothing
    others,    // Σ_{j≠i} w_ij q_j
    mean,      // (1/n) Σ_j q_j over all nodes: what a collective brings
    rest,      // of a message to node j: Σ_{k≠j} w_ik q_k of the iteration before, so each neighbour gets its own
  } kind;
  std::uint8_t index = 0;  // of the vector or of the channel
  bool operator==(const Source&) const = default;
};

struct Linear {
  struct Term {
    Real factor = 0;
    Source source{Source::Kind::vector};
  };
  static constexpr std::uint8_t kMost = 8;
  std::array<Term, kMost> terms{};
  std::uint8_t size = 0;

  constexpr Linear() = default;
  constexpr Linear(Source source) : terms{{{1, source}}}, size(1) {}  // NOLINT: a source is a form

  constexpr const Term* begin() const { return terms.data(); }
  constexpr const Term* end() const { return terms.data() + size; }
  // The model as it is.
  constexpr bool is_model() const {
    return size == 1 && terms[0].factor == 1 && terms[0].source == Source{Source::Kind::vector, 0};
  }
};

constexpr Linear operator+(Linear a, const Linear& b) {
  for (const Linear::Term& term : b) {
    if (a.size == Linear::kMost) throw std::logic_error("a formula has more than eight terms");
    a.terms[a.size++] = term;
  }
  return a;
}
constexpr Linear operator*(Real factor, Linear a) {
  for (std::uint8_t k = 0; k < a.size; ++k) a.terms[k].factor *= factor;
  return a;
}
constexpr Linear operator-(const Linear& a, const Linear& b) { return a + -1.0f * b; }

// destination ← value. In a pass a later statement sees what an earlier one has assigned; the gradient and what
// channels have brought are as they were.
struct Statement {
  Source destination;
  Linear value;
};

namespace formula {

inline constexpr Source x{Source::Kind::vector, 0};
inline constexpr Source g{Source::Kind::gradient, 0};
constexpr Source vector(std::uint8_t index) { return {Source::Kind::vector, index}; }
constexpr Source own(Channel c) { return {Source::Kind::own, c.index}; }
constexpr Source mixed(Channel c) { return {Source::Kind::mixed, c.index}; }
constexpr Source apart(Channel c) { return {Source::Kind::apart, c.index}; }
constexpr Source others(Channel c) { return {Source::Kind::others, c.index}; }
constexpr Source mean(Channel c) { return {Source::Kind::mean, c.index}; }
constexpr Source rest(Channel c) { return {Source::Kind::rest, c.index}; }

}  // namespace formula

}  // namespace quantimed
