// SPDX-License-Identifier: BSD-3-Clause
// The algorithms in the form that has a message per line and states that sum to zero; see twins.hpp.
#include "algorithm/twins.hpp"

#include "algorithm/field.hpp"

#include <cmath>

namespace quantimed::twin {
namespace {

// ---- DSGD and its relatives ---------------------------------------------------------------------

// x_i ← (1 − ε + ε w_ii) x_i + ε Σ_{j≠i} w_ij q_j − α ε g_i: the own model as it is, the others' as decoded.
Matrix combine_while_adapt(Field& f, std::size_t iterations, double epsilon) {
  Matrix x = f.x0;
  for (std::size_t t = 0; t < iterations; ++t) {
    const Matrix q = f.send(kModels, x);
    const Matrix g = f.gradient(t, x);
    Matrix next = zeros(x);
    for (std::size_t i = 0; i < x.size(); ++i)
      for (std::size_t k = 0; k < x[i].size(); ++k) {
        next[i][k] = (1 - epsilon + epsilon * f.w[i][i]) * x[i][k] - f.p.alpha * epsilon * g[i][k];
        for (std::size_t j = 0; j < x.size(); ++j)
          if (j != i) next[i][k] += epsilon * f.w[i][j] * q[j][k];
      }
    x = next;
  }
  return x;
}

Matrix dsgd(Field& f, std::size_t iterations) { return combine_while_adapt(f, iterations, 1); }
Matrix q_dsgd(Field& f, std::size_t iterations) { return combine_while_adapt(f, iterations, f.p.epsilon); }

// What momentum makes of a gradient; m becomes the m of the next iteration.
Matrix with_momentum(const Field& f, const Matrix& g, Matrix& m) {
  m = f.p.momentum * m + g;
  return f.p.nesterov ? g + f.p.momentum * m : m;
}

Matrix dsgd_atc(Field& f, std::size_t iterations) {
  Matrix x = f.x0, m = zeros(x);
  for (std::size_t t = 0; t < iterations; ++t) {
    const Matrix step = with_momentum(f, f.gradient(t, x), m);
    x = f.mixed(f.send(kModels, x - f.p.alpha * step));
  }
  return x;
}

Matrix qg_dsgdm(Field& f, std::size_t iterations) {
  const double mu = f.p.momentum;
  Matrix x = f.x0, m = zeros(x);
  for (std::size_t t = 0; t < iterations; ++t) {
    const Matrix g = f.gradient(t, x);
    const Matrix heavy = mu * m + g;
    const Matrix step = f.p.nesterov ? g + mu * heavy : heavy;
    const Matrix next = f.mixed(f.send(kModels, x - f.p.alpha * step));
    m = mu * m + ((1 - mu) / f.p.alpha) * (x - next);
    x = next;
  }
  return x;
}

// τ steps of every node alone.
Matrix after_local_steps(const Field& f, std::size_t t, Matrix x) {
  for (unsigned k = 0; k < f.p.local_steps; ++k) x = x - f.p.alpha * f.gradient(t, x, k);
  return x;
}

Matrix local_dsgd(Field& f, std::size_t iterations) {
  Matrix x = f.x0;
  for (std::size_t t = 0; t < iterations; ++t) x = f.mixed(f.send(kModels, after_local_steps(f, t, x)));
  return x;
}

Matrix gossip_pga(Field& f, std::size_t iterations) {
  Matrix x = f.x0;
  for (std::size_t t = 0; t < iterations; ++t) {
    const Matrix h = x - f.p.alpha * f.gradient(t, x);
    x = (t + 1) % f.p.period == 0 ? mean(h) : f.mixed(f.send(kModels, h));
  }
  return x;
}

// ---- push-sum, trees, collectives ---------------------------------------------------------------

// p_ij = 1 / (1 + degree of j) on edges and the diagonal: columns sum to 1.
Matrix push_weights(const Field& f) {
  Matrix push = zeros(f.w);
  for (std::size_t j = 0; j < f.w.size(); ++j) {
    const std::vector<std::size_t> receivers = f.neighbours(j);
    const double share = 1 / (1 + static_cast<double>(receivers.size()));
    push[j][j] = share;
    for (const std::size_t i : receivers) push[i][j] = share;
  }
  return push;
}

Matrix sgp(Field& f, std::size_t iterations) {
  const Matrix push = push_weights(f);
  Matrix z = f.x0;
  Vector omega(z.size(), 1.0);
  for (std::size_t t = 0; t < iterations; ++t) {
    const Matrix q = f.send(kModels, omega * z - f.p.alpha * f.gradient(t, z));
    omega = times(push, omega);
    z = times(push, q);
    for (std::size_t i = 0; i < z.size(); ++i)
      for (double& value : z[i]) value /= omega[i];
  }
  return z;
}

void require_tree(const Field& f) {
  const std::size_t n = f.w.size();
  std::vector<bool> reached(n, false);
  std::vector<std::size_t> todo{0};
  std::size_t ends = 0, found = 0;
  while (!todo.empty()) {
    const std::size_t i = todo.back();
    todo.pop_back();
    if (reached[i]) continue;
    reached[i] = true;
    ++found;
    for (const std::size_t j : f.neighbours(i)) {
      ++ends;
      todo.push_back(j);
    }
  }
  if (found != n || ends != 2 * (n - 1)) throw std::invalid_argument("relaysgd's graph is not a tree");
}

// What node i received last from its neighbours j: sums of models and how many.
struct Relayed {
  std::vector<Matrix> sum;    // [i][j][p]
  std::vector<Vector> count;  // [i][j]
};

// m_{i→j} = h_i + Σ_{k≠j} m_{k→i}, c_{i→j} = 1 + Σ_{k≠j} c_{k→i}, of the messages of the round before.
Relayed relay(const Field& f, const Matrix& h, const Relayed& last) {
  Relayed out = last;
  for (std::size_t i = 0; i < h.size(); ++i)
    for (const std::size_t j : f.neighbours(i)) {
      Vector sum = h[i];
      double count = 1;
      for (const std::size_t k : f.neighbours(i)) {
        if (k == j) continue;
        for (std::size_t e = 0; e < sum.size(); ++e) sum[e] += last.sum[i][k][e];
        count += last.count[i][k];
      }
      out.sum[j][i] = sum;
      out.count[j][i] = count;
    }
  return out;
}

Matrix relaysgd(Field& f, std::size_t iterations) {
  require_tree(f);
  const std::size_t n = f.w.size();
  Matrix x = f.x0, m = zeros(x);
  Relayed inbox{std::vector<Matrix>(n, zeros(x)), std::vector<Vector>(n, Vector(n, 0.0))};
  for (std::size_t t = 0; t < iterations; ++t) {
    const Matrix h = x - f.p.alpha * with_momentum(f, f.gradient(t, x), m);
    inbox = relay(f, h, inbox);
    for (std::size_t i = 0; i < n; ++i) {
      double count = 1;
      x[i] = h[i];
      for (const std::size_t j : f.neighbours(i)) {
        for (std::size_t e = 0; e < x[i].size(); ++e) x[i][e] += inbox.sum[i][j][e];
        count += inbox.count[i][j];
      }
      for (double& value : x[i]) value /= count;
    }
  }
  return x;
}

Matrix allreduce_sgd(Field& f, std::size_t iterations) {
  Matrix x = f.x0;
  for (std::size_t t = 0; t < iterations; ++t) x = mean(x - f.p.alpha * f.gradient(t, x));
  return x;
}

Matrix local_sgd(Field& f, std::size_t iterations) {
  Matrix x = f.x0;
  for (std::size_t t = 0; t < iterations; ++t) x = mean(after_local_steps(f, t, x));
  return x;
}

Matrix diloco(Field& f, std::size_t iterations) {
  const double mu = f.p.momentum;
  Matrix phi = f.x0, m = zeros(phi);
  for (std::size_t t = 0; t < iterations; ++t) {
    const Matrix delta = mean(phi - after_local_steps(f, t, phi));
    m = mu * m + delta;
    phi = phi - f.p.outer_step * (delta + mu * m);
  }
  return phi;
}

// ---- exact for heterogeneous data ---------------------------------------------------------------

// r, from 0, sums to 0. share: 1 is D², ½ is exact diffusion.
Matrix diffusion(Field& f, std::size_t iterations, double share) {
  Matrix x = f.x0, r = zeros(x);
  for (std::size_t t = 0; t < iterations; ++t) {
    const Matrix psi = f.send(kModels, x + r - f.p.alpha * f.gradient(t, x));
    const Matrix moved = share * f.apart(psi);
    r = r + moved;
    x = psi + moved;
  }
  return x;
}

Matrix d2(Field& f, std::size_t iterations) { return diffusion(f, iterations, 1); }
Matrix exact_diffusion(Field& f, std::size_t iterations) { return diffusion(f, iterations, 0.5); }

Matrix extra(Field& f, std::size_t iterations) {
  Matrix x = f.x0, u = zeros(x);
  for (std::size_t t = 0; t < iterations; ++t) {
    const Matrix moved = f.apart(f.send(kModels, x));
    x = x + moved + u - f.p.alpha * f.gradient(t, x);
    u = u + 0.5 * moved;
  }
  return x;
}

// c = y − g, from 0, sums to 0: y is the tracker.
Matrix dsgt(Field& f, std::size_t iterations) {
  Matrix x = f.x0, c = zeros(x);
  for (std::size_t t = 0; t < iterations; ++t) {
    const Matrix models = f.send(kModels, x);
    const Matrix y = c + f.gradient(t, x);
    x = f.mixed(models) - f.p.alpha * y;
    c = c + f.apart(f.send(kTrackers, y));
  }
  return x;
}

Matrix dsgt_atc(Field& f, std::size_t iterations) {
  Matrix x = f.x0, c = zeros(x);
  for (std::size_t t = 0; t < iterations; ++t) {
    const Matrix y = c + f.gradient(t, x);
    x = f.mixed(f.send(kModels, x - f.p.alpha * y));
    c = c + f.apart(f.send(kTrackers, y));
  }
  return x;
}

Matrix aug_dgm(Field& f, std::size_t iterations) {
  Matrix x = f.x0, c = zeros(x);
  for (std::size_t t = 0; t < iterations; ++t) {
    const Matrix g = f.gradient(t, x);
    const Matrix y = f.mixed(f.send(kTrackers, c + g));
    x = f.mixed(f.send(kModels, x - f.p.alpha * y));
    c = y - g;
  }
  return x;
}

// ---- compressed ---------------------------------------------------------------------------------

// x̂, from x_0, is what everyone knows of x; d = Σ_j w_ij (x̂_j − x̂_i), from 0.
Matrix choco_sgd(Field& f, std::size_t iterations) {
  Matrix x = f.x0, x_hat = f.x0, d = zeros(x);
  if (f.p.overlap) {  // mixes what was compressed before, then compresses; its first message, of x_0 − x̂, is 0
    const Matrix none = f.send(kModels, zeros(x));
    for (const Vector& row : none)
      for (const double value : row)
        if (value != 0) throw std::invalid_argument("a code that makes something of nothing");
    for (std::size_t t = 0; t < iterations; ++t) {
      x = x - f.p.alpha * f.gradient(t, x) + f.p.gamma * d;
      if (t + 1 == iterations) break;  // nobody mixes it
      const Matrix q = f.send(kModels, x - x_hat);
      x_hat = x_hat + q;
      d = d + f.apart(q);
    }
    return x;
  }
  for (std::size_t t = 0; t < iterations; ++t) {
    const Matrix h = x - f.p.alpha * f.gradient(t, x);
    const Matrix q = f.send(kModels, h - x_hat);
    x_hat = x_hat + q;
    d = d + f.apart(q);
    x = h + f.p.gamma * d;
  }
  return x;
}

// d = Σ_j w_ij (x_j − x_i), from 0.
Matrix dcd_psgd(Field& f, std::size_t iterations) {
  Matrix x = f.x0, d = zeros(x);
  for (std::size_t t = 0; t < iterations; ++t) {
    const Matrix q = f.send(kModels, d - f.p.alpha * f.gradient(t, x));
    x = x + q;
    d = d + f.apart(q);
  }
  return x;
}

// s = Σ_j w_ij x̃_j, from x_0, where x̃ is what everyone believes of x.
Matrix ecd_psgd(Field& f, std::size_t iterations) {
  Matrix x = f.x0, s = f.x0;
  for (std::size_t t = 0; t < iterations; ++t) {
    const double tau = static_cast<double>(t) + 1;
    const Matrix next = s - f.p.alpha * f.gradient(t, x);
    const Matrix q = f.send(kModels, (1 - tau / 2) * x + (tau / 2) * next);
    x = next;
    s = (1 - 2 / tau) * s + (2 / tau) * f.mixed(q);
  }
  return x;
}

// e, from 0: what the codec has left over so far.
Matrix deepsqueeze(Field& f, std::size_t iterations) {
  Matrix x = f.x0, e = zeros(x);
  for (std::size_t t = 0; t < iterations; ++t) {
    const Matrix h = x - f.p.alpha * f.gradient(t, x);
    const Matrix q = f.send(kModels, h + e);
    e = h + e - q;
    x = h + f.p.gamma * f.apart(q);
  }
  return x;
}

// The own model, too, counts as it is decoded.
Matrix moniqua(Field& f, std::size_t iterations) {
  Matrix x = f.x0;
  for (std::size_t t = 0; t < iterations; ++t) {
    const Matrix q = f.send(kModels, x);
    x = x + f.p.gamma * f.apart(q) - f.p.alpha * f.gradient(t, x);
  }
  return x;
}

// h, from x_0, follows what is sent; d = Σ_j w_ij (h_j − h_i) and r, from 0, sum to 0.
Matrix lead(Field& f, std::size_t iterations) {
  const double a = f.p.averaging;
  Matrix x = f.x0, h = f.x0, r = zeros(x), d = zeros(x);
  for (std::size_t t = 0; t < iterations; ++t) {
    const Matrix step = f.p.alpha * f.gradient(t, x);
    const Matrix q = f.send(kModels, x - step + r - h);
    r = r + (f.p.gamma / 2) * (d + f.apart(q));
    x = x - step + r;
    h = h + a * q;
    d = d + a * f.apart(q);
  }
  return x;
}

// Gradient tracking through replicas h of x, from x_0, and k of v = c + m, from 0. dh, dk: Σ_j w_ij (h_j − h_i) and
// the same of k; c sums to 0. m is the gradient, or motef's mean of those so far, whose newest counts lambda.
Matrix beer_of(Field& f, std::size_t iterations, double lambda) {
  Matrix x = f.x0, h = f.x0, m;
  Matrix dh = zeros(x), k = dh, dk = dh, c = dh;
  for (std::size_t t = 0; t < iterations; ++t) {
    const Matrix g = f.gradient(t, x);
    m = t == 0 ? g : (1 - lambda) * m + lambda * g;
    const Matrix q = f.send(kModels, x - h);
    const Matrix p = f.send(kTrackers, c + m - k);
    h = h + q;
    dh = dh + f.apart(q);
    k = k + p;
    dk = dk + f.apart(p);
    x = x + f.p.gamma * dh - f.p.alpha * (c + m);
    c = c + f.p.gamma * dk;
  }
  return x;
}

Matrix beer(Field& f, std::size_t iterations) { return beer_of(f, iterations, 1); }
Matrix motef(Field& f, std::size_t iterations) { return beer_of(f, iterations, 1 - f.p.momentum); }

// ---- anytime minibatch --------------------------------------------------------------------------

// 1/β(t + 1), where the paper's t is one more than ours.
double dual_step(const Field& f, std::size_t t) {
  const double next = static_cast<double>(t) + 2;
  return f.p.beta < 0 ? f.p.alpha : 1 / (f.p.beta + std::sqrt(next) / f.p.alpha);
}

// z, from 0: the dual. m and s are mixed r times before z ← m / s and x ← x_0 − z/β.
Matrix amb(Field& f, std::size_t iterations) {
  const std::size_t n = f.w.size();
  Matrix x = f.x0, z = zeros(x);
  for (std::size_t t = 0; t < iterations; ++t) {
    Matrix m = zeros(x);
    Vector s(n);
    for (unsigned i = 0; i < n; ++i) {
      s[i] = f.s.batch ? f.s.batch(i, t, 0) : 1;
      if (s[i] == 0) continue;
      const Vector g = f.s.gradient(i, t, 0, x[i]);
      for (std::size_t k = 0; k < g.size(); ++k) m[i][k] = s[i] * (z[i][k] + g[k]);
    }
    for (unsigned k = 0; k < f.p.rounds; ++k) {
      m = f.mixed(f.send(kModels, m));
      s = times(f.w, s);
    }
    for (std::size_t i = 0; i < n; ++i) {
      if (s[i] == 0) continue;  // nobody near has finished a sample
      for (std::size_t k = 0; k < z[i].size(); ++k) z[i][k] = m[i][k] / s[i];
      for (std::size_t k = 0; k < z[i].size(); ++k) x[i][k] = f.x0[i][k] - dual_step(f, t) * z[i][k];
    }
  }
  return x;
}

// The same with b_i g_i of the iteration before, summed over r parts.
Matrix amb_dg(Field& f, std::size_t iterations) {
  const std::size_t n = f.w.size();
  Matrix x = f.x0, z = zeros(x), late = zeros(x);
  Vector late_b(n, 0.0);
  for (std::size_t t = 0; t < iterations; ++t) {
    Matrix m = late_b * z + late, sum = zeros(x);
    Vector s = late_b, b(n, 0.0);
    for (unsigned k = 0; k < f.p.rounds; ++k) {
      m = f.mixed(f.send(kModels, m));
      s = times(f.w, s);
      for (unsigned i = 0; i < n; ++i) {
        const double part = f.s.batch ? f.s.batch(i, t, k) : 1;
        if (part == 0) continue;
        b[i] += part;
        const Vector g = f.s.gradient(i, t, k, x[i]);
        for (std::size_t c = 0; c < g.size(); ++c) sum[i][c] += part * g[c];
      }
    }
    for (std::size_t i = 0; i < n; ++i) {
      if (s[i] == 0) continue;
      for (std::size_t c = 0; c < z[i].size(); ++c) z[i][c] = m[i][c] / s[i];
      for (std::size_t c = 0; c < z[i].size(); ++c) x[i][c] = f.x0[i][c] - dual_step(f, t) * z[i][c];
    }
    late = sum;
    late_b = b;
  }
  return x;
}

constexpr Named kTexts[] = {
    {"dsgd", dsgd},
    {"q-dsgd", q_dsgd},
    {"quantimed-dsgd", q_dsgd},
    {"dsgd-atc", dsgd_atc},
    {"qg-dsgdm", qg_dsgdm},
    {"local-dsgd", local_dsgd},
    {"gossip-pga", gossip_pga},
    {"sgp", sgp},
    {"relaysgd", relaysgd},
    {"allreduce-sgd", allreduce_sgd},
    {"local-sgd", local_sgd},
    {"diloco", diloco},
    {"d2", d2},
    {"exact-diffusion", exact_diffusion},
    {"extra", extra},
    {"dsgt", dsgt},
    {"dsgt-atc", dsgt_atc},
    {"aug-dgm", aug_dgm},
    {"choco-sgd", choco_sgd},
    {"dcd-psgd", dcd_psgd},
    {"ecd-psgd", ecd_psgd},
    {"deepsqueeze", deepsqueeze},
    {"moniqua", moniqua},
    {"lead", lead},
    {"beer", beer},
    {"motef", motef},
    {"amb", amb},
    {"amb-dg", amb_dg},
};

}  // namespace

// Zhu et al., IEEE TSIPN 2024: z tracks the gradients, ρ_ji is all of z that i has handed to j so far, and ρ̃_ji what of
// it j has used.
Matrix r_fast_in_step(const Setting& setting, const Matrix& a, const Matrix& x0, std::size_t iterations) {
  const Field f(setting, x0);
  const std::size_t n = x0.size();
  Matrix x = x0, g = f.gradient(0, x), z = g;
  std::vector<Matrix> rho(n, zeros(x)), used = rho;  // [to][from][p]
  for (std::size_t t = 0; t < iterations; ++t) {
    x = f.mixed(x - f.p.alpha * z);
    if (t + 1 == iterations) break;  // no gradient is taken there any more
    const Matrix next = f.gradient(t + 1, x);
    Matrix whole = z + next - g;
    for (std::size_t i = 0; i < n; ++i)
      for (std::size_t j = 0; j < n; ++j)
        for (std::size_t k = 0; k < x[i].size(); ++k) whole[i][k] += rho[i][j][k] - used[i][j][k];
    used = rho;
    for (std::size_t i = 0; i < n; ++i)
      for (std::size_t k = 0; k < x[i].size(); ++k) {
        z[i][k] = a[i][i] * whole[i][k];
        for (std::size_t j = 0; j < n; ++j)
          if (j != i) rho[j][i][k] += a[j][i] * whole[i][k];
      }
    g = next;
  }
  return x;
}

Matrix run(std::string_view algorithm, const Setting& setting, const Matrix& x0, std::size_t iterations) {
  return run_one_of(kTexts, algorithm, setting, x0, iterations);
}

std::vector<std::string_view> names() { return names_of(kTexts); }

}  // namespace quantimed::twin
