// Asynchronous DSGD: Lian, Zhang, Zhang, Liu, "Asynchronous decentralized parallel stochastic gradient descent",
// ICML 2018, in the form that QuanTimed-DSGD is compared with: a node averages with the newest models of all of its
// neighbours, as soon as its own gradient is there. Nobody waits, and nobody else changes a node's model.
#include "algorithm/algorithms.hpp"

namespace quantimed {

Task async_dsgd(Node& node, const Options& options) {
  const float alpha = options.alpha;
  const float w_ii = node.self_weight();
  node.publish();  // x_i,0: what the first iteration starts from
  for (Round t = node.first_round(); node.begins(t); ++t) {
    const Gradient g = co_await node.gradient(options.batch);
    const Messages x = co_await node.newest();
    // x_i ← Σ_k w_ik x_k − α g_i        (self included, the others as they are now)
    node.update({.self = w_ii, .neighbours = 1, .gradient = -alpha}, x, g);
    node.publish();
  }
}

}  // namespace quantimed
