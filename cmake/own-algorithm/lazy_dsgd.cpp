// SPDX-License-Identifier: BSD-3-Clause
// An example: DSGD with a lazy step, x_i ← (1 − θ) x_i + θ (Σ_j w_ij (x_j − α g_j)). θ is --gamma.
#include "algorithm/own.hpp"
#include "node/expression.hpp"

namespace {

using namespace quantimed;
using namespace quantimed::formula;

constexpr Channel kSteps{0};

Task lazy_dsgd(Node& node, const Options& o) {
  const Real theta = o.gamma;
  for (Round t = node.first_round(); node.begins(t); ++t) {
    co_await node.gradient(o.batch);
    node.publish(kSteps, x - o.alpha * g);
    co_await node.neighbours(kSteps);
    node.pass({{x, (1 - theta) * x + theta * mixed(kSteps)}});
  }
}

constexpr ParameterUse kTheta[] = {{Parameter::gamma, 0.5}};

const OwnAlgorithm kRow({.name = "lazy-dsgd",
                         .help = "DSGD that keeps a part of its own model",
                         .run = lazy_dsgd,
                         .delivery = Delivery::round,
                         .quantizes = false,
                         .uses_epsilon = false,
                         .uses_deadline = false,
                         .goes_on_without = true,
                         .alpha = "0.2",
                         .epsilon = "1",
                         .paper = "Surname, Surname: An example, ICML 2026",
                         .parameters = kTheta,
                         .exchanges = sent_late,
                         .graph = kAnyGraph});

}  // namespace
