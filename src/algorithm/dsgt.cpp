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

Exchanges two_exchanges(const Options&, Round) { return {.count = 2}; }

constexpr StateRow kDsgtStates[] = {{"c", StateRow::Start::zero, StateRow::Kind::lasting, true}};
constexpr StateRow kAugDgmStates[] = {{"c", StateRow::Start::zero, StateRow::Kind::lasting, true},
                                      {"y", StateRow::Start::zero, StateRow::Kind::scratch}};
}  // namespace

constinit const AlgorithmRow kDsgt{
    .name = "dsgt",
    .help = "gradient tracking (DIGing); sends model and tracker",
    .run = dsgt,
    .delivery = Delivery::round,
    .quantizes = false,
    .uses_epsilon = false,
    .uses_deadline = false,
    .goes_on_without = false,
    .alpha = "0.2",
    .epsilon = "1",
    .paper =
        "Nedić, Olshevsky, Shi: Achieving geometric convergence for distributed optimization over "
        "time-varying graphs, SIAM J. Optim. 2017",
    .states = kDsgtStates,
    .exchanges = two_vectors,
    .channels = 2,
    .graph = kAnyGraph};

constinit const AlgorithmRow kDsgtAtc{
    .name = "dsgt-atc",
    .help = "gradient tracking, adapts then combines; larger steps than dsgt",
    .run = dsgt_atc,
    .delivery = Delivery::round,
    .quantizes = false,
    .uses_epsilon = false,
    .uses_deadline = false,
    .goes_on_without = false,
    .alpha = "0.2",
    .epsilon = "1",
    .paper = "Di Lorenzo, Scutari: NEXT: in-network nonconvex optimization, IEEE TSIPN 2016",
    .states = kDsgtStates,
    .exchanges = two_vectors,
    .channels = 2,
    .graph = kAnyGraph};

constinit const AlgorithmRow kAugDgm{
    .name = "aug-dgm",
    .help = "gradient tracking with two exchanges, one after the other",
    .run = aug_dgm,
    .delivery = Delivery::round,
    .quantizes = false,
    .uses_epsilon = false,
    .uses_deadline = false,
    .goes_on_without = false,
    .alpha = "0.2",
    .epsilon = "1",
    .paper =
        "Xu, Zhu, Soh, Xie: Augmented distributed gradient methods for multi-agent optimization "
        "under uncoordinated constant stepsizes, CDC 2015",
    .states = kAugDgmStates,
    .exchanges = two_exchanges,
    .channels = 2,
    .graph = kAnyGraph};

}  // namespace quantimed
