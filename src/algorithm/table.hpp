// SPDX-License-Identifier: BSD-3-Clause
// One algorithm, one row. Help, completion, sweeps, checkpoints, checks and tests iterate this table.
#pragma once

#include "algorithm/options.hpp"
#include "algorithm/parameters.hpp"
#include "node/node.hpp"

#include <algorithm>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace quantimed {

// A vector that a node keeps beside its model.
struct StateRow {
  const char* name;
  enum class Start { zero, model } start;
  // lasting: kept from one iteration to the next; wide: the same in float64, for sums of sums; scratch: within one only
  enum class Kind { lasting, wide, scratch } kind;
  bool sums_to_zero = false;  // over the nodes, at the end of every iteration: held by every run
};

// What travels in one iteration: so many exchanges one after the other, in each of which a node sends so many vectors.
struct Exchanges {
  std::uint32_t count = 1;
  std::uint32_t vectors = 1;
  bool is_collective = false;  // among all nodes, charged as a ring all-reduce; else with the neighbours
  bool is_sent_early = false;  // the message is complete before the gradient, and travels while that is computed
  // The gradient is taken in `count` parts of equal length, one while each exchange travels.
  bool is_beside_gradient = false;
};
inline Exchanges sent_early(const Options&, Round) { return {.is_sent_early = true}; }
inline Exchanges sent_late(const Options&, Round) { return {}; }
inline Exchanges two_vectors(const Options&, Round) { return {.vectors = 2}; }
inline Exchanges there_and_back(const Options&, Round) { return {.count = 2}; }
inline Exchanges collective(const Options&, Round) { return {.is_collective = true}; }

// What --codec may be for an algorithm that quantizes (algorithms' compressors differ in what their proofs ask for).
enum class CodecNeed {
  contraction,  // E‖C(v) − v‖² ≤ (1 − δ)‖v‖², or unbiased with a variance below ‖v‖²
  small_error,  // the same, or bounded in absolute terms; no large relative variance
  unbiased,
  models,  // messages are whole models: no biased code; codes relative to the receiver's own are allowed too
};

enum class Weights {
  mixing,  // W
  push,    // columns sum to 1: 1 / (1 + number of nodes that hear the sender)
  ones,    // 1 for every message, own included: sums
  none,    // two nodes at a time are averaged
};

inline const char* name_of(Weights weights) {
  constexpr const char* kNames[] = {"mixing", "push", "ones", "none"};
  return kNames[static_cast<std::size_t>(weights)];
}

// What an algorithm's derivation asks of --graph. W is doubly stochastic on every graph.
struct GraphNeed {
  bool symmetric = true;  // else links may have a direction
  bool fixed = true;      // else W may change from one message to the next
  bool tree = false;      // no cycles
};
inline constexpr GraphNeed kAnyGraph{.symmetric = false, .fixed = false};

struct AlgorithmRow {
  const char* name;  // as on the command line
  const char* help;  // one line
  Task (*run)(Node&, const Options&);
  Delivery delivery;     // round: every message of round t; newest: the latest only; pairwise: two nodes average
  bool quantizes;        // its messages go through --codec; else they are exact
  bool uses_epsilon;     // its text has the step ε
  bool uses_deadline;    // T_d instead of b, by definition
  bool goes_on_without;  // a lost neighbour; else its neighbours wait for it, and the run ends
  const char* alpha;     // published step sizes (paper.md, MNIST)
  const char* epsilon;
  const char* paper = "";                         // authors, title, venue
  std::span<const StateRow> states = {};          // vector(1), vector(2), …
  std::span<const ParameterUse> parameters = {};  // beside the steps
  Exchanges (*exchanges)(const Options&, Round) = sent_early;
  std::uint8_t channels = 1;
  std::uint8_t message_scalars = 0;  // numbers that travel with each message
  CodecNeed codec = CodecNeed::models;
  Weights weights = Weights::mixing;
  GraphNeed graph = {};
  double least_eigenvalue = -1;  // that of W must be above
  // The text publishes x itself, once an iteration, and changes it in one update of the kind that mix() carries out:
  // then an exact model is sent from where it lies.
  bool sends_its_model = false;
  // What its messages hold for one neighbour is not what they hold for another.
  bool sends_each_its_own = false;
  const char* minimises = "";  // where that is not Σ f_i
  const char* loses = "";      // what a node that leaves takes with it, where that biases those who go on
  bool is_compared = false;    // unless --algorithms says otherwise: the reference paper's four

  std::size_t gradients(const Options& o) const {  // an iteration
    if (const Exchanges e = exchanges(o, 0); e.is_beside_gradient) return e.count;
    for (const ParameterUse& use : parameters)
      if (use.parameter == Parameter::local_steps) return o.local_steps;
    return 1;
  }
  // Messages on a channel with the neighbours in iteration t: those that count for a graph that changes with them.
  std::uint32_t messages(const Options& o, Round t) const {
    const Exchanges e = exchanges(o, t);
    return e.is_collective || channels == 0 ? 0 : std::max<std::uint32_t>(1, e.count / channels);
  }
  // The number of the first of them, in iteration t.
  Round first_message(const Options& o, Round t) const {
    Round sum = 0;
    for (Round before = 0; before < t; ++before) sum += messages(o, before);
    return sum;
  }
  // All nodes average in every H-th iteration; 0: never.
  Round collective_period(const Options& o) const {
    if (exchanges(o, 0).is_collective) return 1;
    return o.period > 0 && exchanges(o, o.period - 1).is_collective ? o.period : 0;
  }
};

std::span<const AlgorithmRow> algorithm_table();
const AlgorithmRow& find_algorithm(std::string_view name);  // throws InputError with the known names

// Those that are compared unless --algorithms says otherwise.
std::vector<std::string> compared_algorithms();

// All parameters at their usual values for this algorithm.
Options usual_options(const AlgorithmRow& row);

}  // namespace quantimed
