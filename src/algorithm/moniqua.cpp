// SPDX-License-Identifier: BSD-3-Clause
// Moniqua: Lu, De Sa, "Moniqua: modulo quantized communication in decentralized SGD", ICML 2020. Messages are models
// modulo a range (--codec modulo), taken nearest to the receiver's own; the own message is decoded in the same way, so
// that the mean of all models is exact.
#include "algorithm/algorithms.hpp"

namespace quantimed {

using namespace formula;

namespace {
constexpr Channel kModels{0};
}  // namespace

Task moniqua(Node& node, const Options& o) {
  for (Round t = node.first_round(); node.begins(t); ++t) {
    node.publish(kModels, x);
    co_await node.gradient(o.batch);
    co_await node.neighbours(kModels);
    node.pass({{x, x + o.gamma * apart(kModels) - o.alpha * g}});  // x_i ← x_i + γ Σ_j w_ij (x̂_j − x̂_i) − α g_i
  }
}

}  // namespace quantimed
