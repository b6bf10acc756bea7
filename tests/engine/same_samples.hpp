// SPDX-License-Identifier: BSD-3-Clause
// What a twin is given of a run: its W, and gradients in float64 over the samples that the engines draw.
#pragma once

#include "algorithm/twins.hpp"
#include "engine/small_run.hpp"
#include "node/local_gradient.hpp"
#include "node/mix.hpp"

#include <cmath>

namespace quantimed {

inline double norm(const twin::Vector& v) {
  double sum = 0;
  for (const double value : v) sum += value * value;
  return std::sqrt(sum);
}

template <class A, class B>
double distance(const A& a, const B& b) {
  twin::Vector difference(a.size());
  for (std::size_t k = 0; k < a.size(); ++k) difference[k] = static_cast<double>(a[k]) - static_cast<double>(b[k]);
  return norm(difference);
}

inline twin::Matrix weights_of(const Network& network) {
  twin::Matrix w(network.nodes, twin::Vector(network.nodes));
  for (NodeId i = 0; i < network.nodes; ++i) {
    w[i][i] = network.self_weights[i];
    for (const Neighbour& j : network.neighbours(i)) w[i][j.id] = static_cast<double>(j.weight);
  }
  return w;
}

// g_i over the samples that the engines draw, at a float64 point rounded to float32.
struct SameSamples {
  const SmallRun& small;
  const Run& run;
  const Rounds& rounds;

  // A fixed batch is the same for all gradients of an iteration; a deadline is cut into equal parts.
  std::size_t batch(NodeId i, std::size_t t, unsigned k) const {
    const std::size_t gradients = run.algorithm.gradients(run.options);
    const auto all = static_cast<std::size_t>(rounds.batch[t * run.network.nodes + i]);
    if (gradients == 1 || !run.uses_deadline()) return all / gradients;
    const double speed = run.speed->speed(i, static_cast<Round>(t));
    const auto until = [&](unsigned parts) {
      return samples_within(speed, run.deadline.fixed_s * parts / static_cast<double>(gradients));
    };
    return until(k + 1) - until(k);
  }
  twin::Vector operator()(NodeId i, std::size_t t, unsigned k, const twin::Vector& at) const {
    const std::size_t count = batch(i, t, k);
    twin::Vector gradient(at.size());
    if (count == 0) return gradient;
    LocalGradient samples(run.problem, run.shards.of(i), i, run.seed);
    samples.begin(static_cast<Round>(t), k);
    const std::vector<float> x(at.begin(), at.end());
    AlignedVector<float> sum(at.size());
    std::vector<SampleId> rows;
    Workspace work = run.problem.make_workspace();
    samples.add(x, count, sum, rows, work);
    for (std::size_t c = 0; c < at.size(); ++c) gradient[c] = static_cast<double>(sum[c]) / static_cast<double>(count);
    const double l2 = static_cast<double>(l2_coefficient(run.penalty, count, run.shards.rows.size()));
    for (const CoordinateRange& range : run.problem.penalised())
      for (std::size_t c = range.first; c < range.last; ++c) gradient[c] += l2 * at[c];
    return gradient;
  }
};

}  // namespace quantimed
