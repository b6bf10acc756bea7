// D²: Tang, Lian, Yan, Zhang, Liu, "D²: decentralized training over decentralized data", ICML 2018; and exact
// diffusion: Yuan, Ying, Zhao, Sayed, "Exact diffusion for distributed optimization and learning", IEEE TSP 2019, which
// is D² with (I + W)/2 and so needs no bound on W's smallest eigenvalue.
//
// Published as x_t+1 = W (2 x_t − x_t−1 − α (g_t − g_t−1)); here as DSGD with a correction r that sums to zero over the
// nodes, which needs no old model, no old gradient and no special first iteration.
#include "algorithm/algorithms.hpp"

namespace quantimed {

using namespace formula;

namespace {
constexpr Channel kSteps{0};
}  // namespace

Task d2(Node& node, const Options& o) {
  const Source r = vector(1);  // from 0
  for (Round t = node.first_round(); node.begins(t); ++t) {
    co_await node.gradient(o.batch);
    node.publish(kSteps, x + r - o.alpha * g);  // ψ_i
    co_await node.neighbours(kSteps);
    // r_i ← r_i + Σ_j w_ij (ψ_j − ψ_i)     x_i ← ψ_i + Σ_j w_ij (ψ_j − ψ_i)
    node.pass({{r, r + apart(kSteps)}, {x, own(kSteps) + apart(kSteps)}});
  }
}

Task exact_diffusion(Node& node, const Options& o) {
  const Source r = vector(1);  // from 0
  for (Round t = node.first_round(); node.begins(t); ++t) {
    co_await node.gradient(o.batch);
    node.publish(kSteps, x + r - o.alpha * g);  // ψ_i
    co_await node.neighbours(kSteps);
    // r_i ← r_i + ½ Σ_j w_ij (ψ_j − ψ_i)     x_i ← ψ_i + ½ Σ_j w_ij (ψ_j − ψ_i)
    node.pass({{r, r + 0.5f * apart(kSteps)}, {x, own(kSteps) + 0.5f * apart(kSteps)}});
  }
}

}  // namespace quantimed
