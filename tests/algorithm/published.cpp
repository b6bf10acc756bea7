// SPDX-License-Identifier: BSD-3-Clause
// The algorithms as their papers write them, which the forms in twins.cpp must equal; see twins.hpp.
#include "algorithm/field.hpp"
#include "algorithm/twins.hpp"

namespace quantimed::twin {
namespace {

// (I + W)/2
Matrix half_mixed(const Field& f, const Matrix& q) { return 0.5 * (q + f.mixed(q)); }

// D² (Tang et al., ICML 2018) with W, exact diffusion (Yuan et al., TSP 2019) with (I + W)/2:
// x⁺ = W(2x − x₋ − α(g − g₋)), first W(x − αg).
template <typename Mixing>
Matrix two_step(Field& f, std::size_t iterations, Mixing mixing) {
  Matrix x = f.x0, x_before, g_before;
  for (std::size_t t = 0; t < iterations; ++t) {
    const Matrix g = f.gradient(t, x);
    const Matrix psi = t == 0 ? x - f.p.alpha * g : 2 * x - x_before - f.p.alpha * (g - g_before);
    x_before = x;
    g_before = g;
    x = mixing(psi);
  }
  return x;
}

Matrix d2(Field& f, std::size_t iterations) {
  return two_step(f, iterations, [&](const Matrix& psi) { return f.mixed(psi); });
}

Matrix exact_diffusion(Field& f, std::size_t iterations) {
  return two_step(f, iterations, [&](const Matrix& psi) { return half_mixed(f, psi); });
}

// Shi et al., SIAM J. Optim. 2015: x⁺ = x + Wx − W̃x₋ − α(g − g₋), first Wx − αg.
Matrix extra(Field& f, std::size_t iterations) {
  Matrix x = f.x0, x_before, g_before;
  for (std::size_t t = 0; t < iterations; ++t) {
    const Matrix g = f.gradient(t, x);
    const Matrix next =
        t == 0 ? f.mixed(x) - f.p.alpha * g : x + f.mixed(x) - half_mixed(f, x_before) - f.p.alpha * (g - g_before);
    x_before = x;
    g_before = g;
    x = next;
  }
  return x;
}

// Nedić, Olshevsky, Shi 2017: y ← Wy + g⁺ − g, from g_0, and x ← Wx − αy, or W(x − αy) with adapt_then_combine.
Matrix tracking(Field& f, std::size_t iterations, bool adapt_then_combine) {
  Matrix x = f.x0, g = f.gradient(0, x), y = g;
  for (std::size_t t = 0; t < iterations; ++t) {
    if (t > 0) {
      const Matrix newest = f.gradient(t, x);
      y = f.mixed(y) + newest - g;
      g = newest;
    }
    x = adapt_then_combine ? f.mixed(x - f.p.alpha * y) : f.mixed(x) - f.p.alpha * y;
  }
  return x;
}

Matrix dsgt(Field& f, std::size_t iterations) { return tracking(f, iterations, false); }
Matrix dsgt_atc(Field& f, std::size_t iterations) { return tracking(f, iterations, true); }

// Xu et al., CDC 2015: y ← W(y + g⁺ − g), then x ← W(x − αy).
Matrix aug_dgm(Field& f, std::size_t iterations) {
  Matrix x = f.x0, y = zeros(x), g = zeros(x);
  for (std::size_t t = 0; t < iterations; ++t) {
    const Matrix newest = f.gradient(t, x);
    y = f.mixed(y + newest - g);
    g = newest;
    x = f.mixed(x - f.p.alpha * y);
  }
  return x;
}

// Assran et al., ICML 2019: x and ω are pushed, the gradient is at z = x / ω.
Matrix sgp(Field& f, std::size_t iterations) {
  Matrix push = zeros(f.w);
  for (std::size_t i = 0; i < f.w.size(); ++i)
    for (std::size_t j = 0; j < f.w.size(); ++j)
      if (i == j || f.w[i][j] != 0) push[i][j] = 1 / (1 + static_cast<double>(f.neighbours(j).size()));
  Matrix x = f.x0, z = f.x0;
  Vector omega(x.size(), 1.0);
  for (std::size_t t = 0; t < iterations; ++t) {
    x = times(push, f.send(kModels, x - f.p.alpha * f.gradient(t, z)));
    omega = times(push, omega);
    Vector inverse;
    for (const double value : omega) inverse.push_back(1 / value);
    z = inverse * x;
  }
  return z;
}

// Koloskova et al., ICML 2019, every node with a copy of each x̂_j.
Matrix choco_sgd(Field& f, std::size_t iterations) {
  Matrix x = f.x0, x_hat = f.x0;
  for (std::size_t t = 0; t < iterations; ++t) {
    if (f.p.overlap) {  // Koloskova, Lin, Stich, Jaggi, ICLR 2020: the order of their programs
      x = x - f.p.alpha * f.gradient(t, x) + f.p.gamma * (f.mixed(x_hat) - x_hat);
      x_hat = x_hat + f.send(kModels, x - x_hat);
      continue;
    }
    const Matrix h = x - f.p.alpha * f.gradient(t, x);
    x_hat = x_hat + f.send(kModels, h - x_hat);
    x = h + f.p.gamma * (f.mixed(x_hat) - x_hat);
  }
  return x;
}

// Tang et al., NeurIPS 2018: z = Wx − αg − x is sent, and added.
Matrix dcd_psgd(Field& f, std::size_t iterations) {
  Matrix x = f.x0;
  for (std::size_t t = 0; t < iterations; ++t) x = x + f.send(kModels, f.mixed(x) - f.p.alpha * f.gradient(t, x) - x);
  return x;
}

// The same paper: an extrapolation is sent, and every node keeps a copy of each x̃_j.
Matrix ecd_psgd(Field& f, std::size_t iterations) {
  Matrix x = f.x0, x_tilde = f.x0;
  for (std::size_t t = 0; t < iterations; ++t) {
    const double tau = static_cast<double>(t) + 1;
    const Matrix next = f.mixed(x_tilde) - f.p.alpha * f.gradient(t, x);
    const Matrix z = (1 - tau / 2) * x + (tau / 2) * next;
    x_tilde = (1 - 2 / tau) * x_tilde + (2 / tau) * f.send(kModels, z);
    x = next;
  }
  return x;
}

// Liu et al., ICLR 2021, without its first local step: the dual D, and H with its mixture H_w.
Matrix lead(Field& f, std::size_t iterations) {
  const double eta = f.p.alpha, a = f.p.averaging;
  Matrix x = f.x0, dual = zeros(x), h = f.x0, h_w = f.mixed(h);
  for (std::size_t t = 0; t < iterations; ++t) {
    const Matrix g = f.gradient(t, x);
    const Matrix q = f.send(kModels, x - eta * g - eta * dual - h);
    const Matrix y = h + q, y_w = h_w + f.mixed(q);
    h = (1 - a) * h + a * y;
    h_w = (1 - a) * h_w + a * y_w;
    dual = dual + (f.p.gamma / (2 * eta)) * (y - y_w);
    x = x - eta * g - eta * dual;
  }
  return x;
}

// Zhao et al., NeurIPS 2022, and Islamov et al. 2024, where m is a mean of gradients; H from x_0, G from C(v) of the
// start: half a round later than in twins.cpp.
Matrix beer_of(Field& f, std::size_t iterations, double lambda) {
  Matrix x = f.x0, h = f.x0, m = f.gradient(0, x), v = m;
  Matrix replica = f.send(kTrackers, v);
  for (std::size_t t = 0; t < iterations; ++t) {
    x = x + f.p.gamma * (f.mixed(h) - h) - f.p.alpha * v;
    h = h + f.send(kModels, x - h);
    if (t + 1 == iterations) break;
    const Matrix newest = (1 - lambda) * m + lambda * f.gradient(t + 1, x);
    v = v + f.p.gamma * (f.mixed(replica) - replica) + newest - m;
    m = newest;
    replica = replica + f.send(kTrackers, v - replica);
  }
  return x;
}

Matrix beer(Field& f, std::size_t iterations) { return beer_of(f, iterations, 1); }
Matrix motef(Field& f, std::size_t iterations) { return beer_of(f, iterations, 1 - f.p.momentum); }

constexpr Named kPublished[] = {
    {"d2", d2},
    {"exact-diffusion", exact_diffusion},
    {"extra", extra},
    {"dsgt", dsgt},
    {"dsgt-atc", dsgt_atc},
    {"aug-dgm", aug_dgm},
    {"sgp", sgp},
    {"choco-sgd", choco_sgd},
    {"dcd-psgd", dcd_psgd},
    {"ecd-psgd", ecd_psgd},
    {"lead", lead},
    {"beer", beer},
    {"motef", motef},
};

}  // namespace

Matrix run_published(std::string_view algorithm, const Setting& setting, const Matrix& x0, std::size_t iterations) {
  return run_one_of(kPublished, algorithm, setting, x0, iterations);
}

std::vector<std::string_view> published() { return names_of(kPublished); }

}  // namespace quantimed::twin
