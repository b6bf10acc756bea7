// SPDX-License-Identifier: BSD-3-Clause
// Gradient tracking in three forms. dsgt: DIGing, Nedić, Olshevsky, Shi, "Achieving geometric convergence for
// distributed optimization over time-varying graphs", SIAM J. Optim. 2017; Pu, Nedić, "Distributed stochastic gradient
// tracking methods", Math. Program. 2021. dsgt-atc: adapt then combine, Di Lorenzo, Scutari, "NEXT: in-network
// nonconvex optimization", IEEE TSIPN 2016. aug-dgm: Xu, Zhu, Soh, Xie, "Augmented distributed gradient methods for
// multi-agent optimization under uncoordinated constant stepsizes", CDC 2015: two exchanges one after the other.
//
// The tracker y_i of the mean gradient is kept as c_i = y_i − g_i, from 0: it sums to zero over the nodes.
#include "algorithm/algorithms.hpp"

namespace quantimed {

using namespace formula;

namespace {
constexpr Channel kModels{0}, kTrackers{1};
}  // namespace

Task dsgt(Node& node, const Options& o) {
  const Source c = vector(1);
  for (Round t = node.first_round(); node.begins(t); ++t) {
    node.publish(kModels, x);
    co_await node.gradient(o.batch);
    node.publish(kTrackers, c + g);  // y_i
    co_await node.neighbours(kModels);
    co_await node.neighbours(kTrackers);
    // x_i ← Σ_j w_ij x_j − α y_i     c_i ← c_i + Σ_j w_ij (y_j − y_i)
    node.pass({{x, mixed(kModels) - o.alpha * c - o.alpha * g}, {c, c + apart(kTrackers)}});
  }
}

Task dsgt_atc(Node& node, const Options& o) {
  const Source c = vector(1);
  for (Round t = node.first_round(); node.begins(t); ++t) {
    co_await node.gradient(o.batch);
    node.publish(kModels, x - o.alpha * c - o.alpha * g);  // x_i − α y_i
    node.publish(kTrackers, c + g);                        // y_i
    co_await node.neighbours(kModels);
    co_await node.neighbours(kTrackers);
    node.pass({{x, mixed(kModels)}, {c, c + apart(kTrackers)}});
  }
}

Task aug_dgm(Node& node, const Options& o) {
  const Source c = vector(1), y = vector(2);  // y: scratch
  for (Round t = node.first_round(); node.begins(t); ++t) {
    co_await node.gradient(o.batch);
    node.publish(kTrackers, c + g);
    co_await node.neighbours(kTrackers);
    node.pass({{y, mixed(kTrackers)}});  // y_i ← Σ_j w_ij (c_j + g_j)
    node.publish(kModels, x - o.alpha * y);
    co_await node.neighbours(kModels);
    node.pass({{x, mixed(kModels)}, {c, y - g}});  // x_i ← Σ_j w_ij (x_j − α y_j)     c_i ← y_i − g_i
  }
}

Exchanges two_vectors(const Options&, Round) { return {.vectors = 2}; }
Exchanges two_exchanges(const Options&, Round) { return {.count = 2}; }

}  // namespace quantimed
