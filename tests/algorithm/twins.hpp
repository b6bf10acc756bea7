// SPDX-License-Identifier: BSD-3-Clause
// The naive twins of the algorithms: all nodes at once, float64, plain loops, nothing of quantimed's own. An
// algorithm's text is compared with its twin; the twin is compared with the published form, known special cases and
// fixed points.
#pragma once

#include <cstddef>
#include <functional>
#include <string_view>
#include <vector>

namespace quantimed::twin {

using Vector = std::vector<double>;  // [p]
using Matrix = std::vector<Vector>;  // [n, p], one row a node

struct Parameters {
  double alpha = 0;          // α, the step along the gradient
  double epsilon = 1;        // ε of q-dsgd and quantimed-dsgd
  double gamma = 1;          // γ, the step of mixing what was compressed
  double momentum = 0;       // β; μ of qg-dsgdm and diloco; 1 − λ of motef
  double averaging = 0.5;    // a of lead
  double outer_step = 0.7;   // η_o of diloco
  bool nesterov = false;     // of dsgd-atc, qg-dsgdm and relaysgd; diloco's outer step always is Nesterov's
  bool overlap = false;      // choco-sgd mixes with the d of before, then compresses
  double beta = -1;          // K of β(t) = K + √t/α of amb and amb-dg; below 0: β = 1/α
  unsigned local_steps = 4;  // τ of local-dsgd, local-sgd and diloco: gradients in one iteration
  unsigned rounds = 5;       // r of amb and amb-dg: exchanges in one iteration
  unsigned period = 8;       // H of gossip-pga: the mean of all after iterations H − 1, 2H − 1, …
};

// Iterations, messages and batches are counted from 0.
struct Setting {
  Matrix w;  // [n, n], symmetric (but for r_fast_in_step), rows and columns sum to 1, w_ii included; an edge is where
             // it is not 0

  // g_i over the kth batch of iteration t.
  std::function<Vector(unsigned node, std::size_t t, unsigned kth, const Vector& at)> gradient;

  // b_i of iteration t, for amb, and of the kth part of it, for amb-dg; 1 where it is empty. Without samples (0) no
  // gradient is asked for.
  std::function<double(unsigned node, std::size_t t, unsigned kth)> batch;

  // What everyone, the sender included, decodes of the sender's message number k on a channel; the vector itself where
  // it is empty. Channel 0 carries models, channel 1 trackers (dsgt, dsgt-atc, aug-dgm, beer, motef). It is not asked
  // about means over all nodes (allreduce-sgd, local-sgd, diloco, gossip-pga's), relaysgd's sums and numbers sent with
  // a vector (sgp, amb, amb-dg): those are exact.
  std::function<Vector(unsigned node, unsigned channel, std::size_t k, const Vector& exact)> send;

  Parameters parameters;
};

// The vector that is evaluated, of every node, after so many iterations from x0, whose rows must be the same.
// std::invalid_argument for a name that is unknown, shapes that do not fit, and relaysgd without a tree.
Matrix run(std::string_view algorithm, const Setting& setting, const Matrix& x0, std::size_t iterations);

// R-FAST where all nodes step together and every message arrives before the next step: rows of setting.w sum to 1,
// columns of a do, [n, n]; neither need be symmetric. Not one of names(), which wait for their messages.
Matrix r_fast_in_step(const Setting& setting, const Matrix& a, const Matrix& x0, std::size_t iterations);

// The same as the papers write it: with the models and gradients of the iteration before, and a copy of what every
// other node believes. Only for published().
Matrix run_published(std::string_view algorithm, const Setting& setting, const Matrix& x0, std::size_t iterations);

std::vector<std::string_view> names();      // that run() knows
std::vector<std::string_view> published();  // that run_published() knows

}  // namespace quantimed::twin
