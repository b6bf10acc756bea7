// DSGD, synchronous: Yuan, Ling, Yin, "On the convergence of decentralized gradient descent", SIAM J. Optim. 2016,
// with stochastic gradients.
//
// Exact messages, a fixed batch; each round waits for its slowest node.
#include "algorithm/algorithms.hpp"

namespace quantimed {

Task dsgd(Node& node, const Options& options) {
  const float alpha = options.alpha;
  const float w_ii = node.self_weight();
  for (Round t = node.first_round(); node.begins(t); ++t) {
    node.publish();  // x_i,t
    const Gradient g = co_await node.gradient(options.batch);
    const Messages x = co_await node.neighbours(t);
    // x_i,t+1 = Σ_j w_ij x_j,t − α g_i,t        (self included)
    node.update({.self = w_ii, .neighbours = 1, .gradient = -alpha}, x, g);
  }
}

}  // namespace quantimed
