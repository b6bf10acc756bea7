// SPDX-License-Identifier: BSD-3-Clause
// BEER: Zhao, Li, Li, Richtárik, Chi, "BEER: fast O(1/T) rate for decentralized nonconvex optimization with
// communication compression", NeurIPS 2022; and MoTEF: Islamov, Gao, Stich, "Near optimal decentralized optimization
// with compression and momentum tracking", 2024. Gradient tracking with compressed differences; MoTEF tracks a moving
// average of gradients.
//
// The published order is shifted by half an iteration, so that the first one mixes the tracker too. c_i = v_i − g_i.
#include "algorithm/algorithms.hpp"

namespace quantimed {

using namespace formula;

namespace {
constexpr Channel kModels{0}, kTrackers{1};

Task beer(Node& node, const Options& o) {
  // H_i, from x_0; Σ_j w_ij (H_j − H_i); G_i; Σ_j w_ij (G_j − G_i); c_i: from 0
  const Source h = vector(1), dh = vector(2), k = vector(3), dk = vector(4), c = vector(5);
  for (Round t = node.first_round(); node.begins(t); ++t) {
    node.publish(kModels, x - h);  // C(x_i − H_i)
    co_await node.gradient(o.batch);
    node.publish(kTrackers, c + g - k);  // C(v_i − G_i)
    co_await node.neighbours(kModels);
    co_await node.neighbours(kTrackers);
    node.pass({{h, h + own(kModels)},
               {dh, dh + apart(kModels)},
               {k, k + own(kTrackers)},
               {dk, dk + apart(kTrackers)},
               {x, x + o.gamma * dh - o.alpha * c - o.alpha * g},  // x_i ← x_i + γ Σ_j w_ij (H_j − H_i) − α v_i
               {c, c + o.gamma * dk}});                            // c_i ← c_i + γ Σ_j w_ij (G_j − G_i)
  }
}

Task motef(Node& node, const Options& o) {
  // As beer's, and M_i, the moving average of gradients; its first value is the first gradient.
  const Source h = vector(1), dh = vector(2), k = vector(3), dk = vector(4), c = vector(5), m = vector(6);
  const Source now = vector(7);  // scratch: M_i of this iteration
  for (Round t = node.first_round(); node.begins(t); ++t) {
    const Real lambda = t == 0 ? 1 : 1 - o.momentum;
    node.publish(kModels, x - h);
    co_await node.gradient(o.batch);
    node.pass({{now, lambda == 1 ? Linear(g) : (1 - lambda) * m + lambda * g}});
    node.publish(kTrackers, c + now - k);
    co_await node.neighbours(kModels);
    co_await node.neighbours(kTrackers);
    node.pass({{h, h + own(kModels)},
               {dh, dh + apart(kModels)},
               {k, k + own(kTrackers)},
               {dk, dk + apart(kTrackers)},
               {x, x + o.gamma * dh - o.alpha * c - o.alpha * now},
               {c, c + o.gamma * dk},
               {m, now}});
  }
}

constexpr StateRow kBeerStates[] = {{"h", StateRow::Start::model, StateRow::Kind::lasting},
                                    {"dh", StateRow::Start::zero, StateRow::Kind::wide, true},
                                    {"k", StateRow::Start::zero, StateRow::Kind::lasting},
                                    {"dk", StateRow::Start::zero, StateRow::Kind::wide, true},
                                    {"c", StateRow::Start::zero, StateRow::Kind::wide, true}};
constexpr ParameterUse kBeerParameters[] = {{Parameter::gamma, 0.05}};
constexpr StateRow kMotefStates[] = {
    {"h", StateRow::Start::model, StateRow::Kind::lasting},   {"dh", StateRow::Start::zero, StateRow::Kind::wide, true},
    {"k", StateRow::Start::zero, StateRow::Kind::lasting},    {"dk", StateRow::Start::zero, StateRow::Kind::wide, true},
    {"c", StateRow::Start::zero, StateRow::Kind::wide, true}, {"m", StateRow::Start::zero, StateRow::Kind::lasting},
    {"now", StateRow::Start::zero, StateRow::Kind::scratch}};
constexpr ParameterUse kMotefParameters[] = {{Parameter::gamma, 0.05}, {Parameter::momentum, 0.9}};
}  // namespace

constinit const AlgorithmRow kBeer{
    .name = "beer",
    .help = "gradient tracking with compressed differences",
    .run = beer,
    .delivery = Delivery::round,
    .quantizes = true,
    .uses_epsilon = false,
    .uses_deadline = false,
    .goes_on_without = false,
    .alpha = "0.2",
    .epsilon = "1",
    .paper =
        "Zhao, Li, Li, Richtárik, Chi: BEER: fast O(1/T) rate for decentralized nonconvex "
        "optimization with communication compression, NeurIPS 2022",
    .states = kBeerStates,
    .parameters = kBeerParameters,
    .exchanges = two_vectors,
    .channels = 2,
    .codec = CodecNeed::contraction,
    .graph = {.symmetric = false}};

constinit const AlgorithmRow kMotef{
    .name = "motef",
    .help = "beer with a moving average of gradients",
    .run = motef,
    .delivery = Delivery::round,
    .quantizes = true,
    .uses_epsilon = false,
    .uses_deadline = false,
    .goes_on_without = false,
    .alpha = "0.2",
    .epsilon = "1",
    .paper =
        "Islamov, Gao, Stich: Near optimal decentralized optimization with compression and momentum tracking, 2024",
    .states = kMotefStates,
    .parameters = kMotefParameters,
    .exchanges = two_vectors,
    .channels = 2,
    .codec = CodecNeed::contraction,
    .graph = {.symmetric = false}};

}  // namespace quantimed
