// SPDX-License-Identifier: BSD-3-Clause
// Where the twins come to rest, and what they conserve on the way there.
#include <gtest/gtest.h>

#include <numeric>
#include <ostream>
#include <string>

#include "algorithm/field.hpp"
#include "algorithm/quadratics.hpp"

namespace quantimed::twin {
namespace {

constexpr unsigned kNodes = 8, kSize = 6;
constexpr std::size_t kLong = 6000;  // at rest

const Quadratics& problem() {
  static const Quadratics all(kNodes, kSize);
  return all;
}

Matrix optimum(const Vector& of_weights = Vector(kNodes, 1.0)) {
  return Matrix(kNodes, problem().minimiser(of_weights));
}
Matrix from() { return start(kNodes, kSize); }
Matrix on_ring() { return ring(kNodes, 0.3); }  // λ_min = −0.2
Matrix on_tree() { return weights(kNodes, tree_edges(), 0.25); }

Matrix gradient_at(const Matrix& x) {
  Matrix g;
  for (unsigned i = 0; i < x.size(); ++i) g.push_back(problem().gradient(i, x[i]));
  return g;
}

Matrix rest(std::string_view name, const Matrix& w, const Parameters& p, const Codec& send = {}) {
  Setting s = exact_gradients(problem(), w, p);
  s.send = send;
  return run(name, s, from(), kLong);
}

// How far W(x − step g(x)) is from x: where dsgd-atc with this step rests it is 0.
double move_of_atc(const Matrix& w, const Matrix& x, double step) {
  return distance(times(w, x - step * gradient_at(x)), x);
}

// ---- exact methods ------------------------------------------------------------------------------

struct Exact {
  const char* what;
  const char* name;
  Parameters p;
  Codec send = {};
  bool tree = false;
};

void PrintTo(const Exact& e, std::ostream* out) { *out << e.what; }

// Links one way, and nodes that hear more, or fewer, than hear them.
TEST(RFast, ReachesTheOptimumOfHeterogeneousDataOnAnUnevenDirectedGraph) {
  Matrix a(kNodes, Vector(kNodes, 0.0)), w;
  for (unsigned j = 0; j < kNodes; ++j) {
    std::vector<unsigned> readers = {j, (j + 1) % kNodes};
    if (j % 3 == 0) readers.push_back((j + 3) % kNodes);
    for (const unsigned i : readers) a[i][j] = 1.0 / static_cast<double>(readers.size());
  }
  w = a;
  for (Vector& row : w) {
    const double sum = std::accumulate(row.begin(), row.end(), 0.0);
    for (double& weight : row) weight /= sum;
  }
  const Setting s = exact_gradients(problem(), w, {.alpha = .02});
  EXPECT_LT(distance(r_fast_in_step(s, a, start(kNodes, kSize), 20000), optimum()), 1e-9);
  EXPECT_GT(distance(r_fast_in_step(s, w, start(kNodes, kSize), 20000), optimum()), 1e-3) << "of rows that sum to 1";
}

class ExactMethod : public testing::TestWithParam<Exact> {};

TEST_P(ExactMethod, ReachesTheOptimumOfHeterogeneousData) {
  const Exact& e = GetParam();
  EXPECT_LT(distance(rest(e.name, e.tree ? on_tree() : on_ring(), e.p, e.send), optimum()), 1e-9);
}

INSTANTIATE_TEST_SUITE_P(
    Twins, ExactMethod,
    testing::Values(Exact{"D2", "d2", {.alpha = .1}}, Exact{"ExactDiffusion", "exact-diffusion", {.alpha = .1}},
                    Exact{"Extra", "extra", {.alpha = .1}}, Exact{"Dsgt", "dsgt", {.alpha = .03}},
                    Exact{"DsgtAtc", "dsgt-atc", {.alpha = .1}}, Exact{"AugDgm", "aug-dgm", {.alpha = .1}},
                    Exact{"Lead", "lead", {.alpha = .1}}, Exact{"LeadOfFourLevels", "lead", {.alpha = .1}, qsgd(4)},
                    Exact{"Beer", "beer", {.alpha = .03}},
                    Exact{"BeerOfHalfTheEntries", "beer", {.alpha = .02, .gamma = .3}, top(3)},
                    Exact{"Motef", "motef", {.alpha = .03, .momentum = .5}},
                    Exact{"MotefOfHalfTheEntries", "motef", {.alpha = .02, .gamma = .3, .momentum = .5}, top(3)},
                    Exact{"Relay", "relaysgd", {.alpha = .05}, {}, true}),
    [](const auto& row) { return std::string(row.param.what); });

TEST(Rest, OfDsgdIsBiasedByItsStep) {
  const Matrix w = on_ring();
  const Matrix x = rest("dsgd", w, {.alpha = .1});
  EXPECT_GT(distance(x, optimum()), 0.1);
  EXPECT_LT(distance(times(w, x) - .1 * gradient_at(x), x), 1e-12);
  const Matrix nearer = rest("dsgd", w, {.alpha = .01});
  EXPECT_LT(distance(nearer, optimum()), 0.2 * distance(x, optimum()));
  EXPECT_LT(move_of_atc(w, rest("dsgd-atc", w, {.alpha = .1}), .1), 1e-12);
}

TEST(Rest, OfQuantimedIsThatOfDsgdWhateverItsStep) {
  EXPECT_LT(
      distance(rest("quantimed-dsgd", on_ring(), {.alpha = .1, .epsilon = .4}), rest("dsgd", on_ring(), {.alpha = .1})),
      1e-12);
}

TEST(Rest, OfMomentumIsThatOfALargerStep) {
  const Matrix w = on_ring();
  for (const bool nesterov : {false, true}) {
    const Parameters p{.alpha = .02, .momentum = .8, .nesterov = nesterov};
    EXPECT_LT(move_of_atc(w, rest("dsgd-atc", w, p), .02 / (1 - .8)), 1e-12);
    EXPECT_LT(move_of_atc(w, rest("qg-dsgdm", w, p), nesterov ? .02 * (1 + .8) : .02), 1e-12);
  }
}

// W of a ring with this weight has λ_min = −0.6: below −1/3.
TEST(Rest, D2NeedsAnEigenvalueThatExactDiffusionDoesNot) {
  EXPECT_GT(distance(rest("d2", ring(kNodes, .4), {.alpha = .1}), optimum()), 1e3);
  EXPECT_LT(distance(rest("exact-diffusion", ring(kNodes, .4), {.alpha = .1}), optimum()), 1e-9);
}

TEST(Rest, OfContractionsIsThatOfTheMethodWithoutThem) {
  const Matrix w = on_ring();
  const Matrix choco = rest("choco-sgd", w, {.alpha = .1, .gamma = .3}, top(3));
  EXPECT_LT(move_of_atc(lazy(w, .3), choco, .1), 1e-9);
  EXPECT_LT(distance(rest("dcd-psgd", w, {.alpha = .1}, qsgd(8)), rest("dsgd", w, {.alpha = .1})), 1e-9);
}

// x = P(x − α g(x/ω)), and ω is P's own vector: here (1 + degree), scaled to the sum n.
TEST(Rest, OfPushSumOnAnIrregularGraph) {
  Edges edges = tree_edges();
  edges.emplace_back(2, 5);
  const Matrix w = weights(kNodes, edges, 0.15);
  Vector omega(kNodes, 1.0), degrees(kNodes, 1.0);
  for (const auto& [i, j] : edges) {
    ++degrees[i];
    ++degrees[j];
  }
  const double sum = std::accumulate(degrees.begin(), degrees.end(), 0.0);
  for (unsigned i = 0; i < kNodes; ++i) omega[i] = kNodes * degrees[i] / sum;
  const Matrix z = rest("sgp", w, {.alpha = .05});
  const Matrix h = omega * z - .05 * gradient_at(z);
  Matrix next = zeros(z);
  for (unsigned i = 0; i < kNodes; ++i)
    for (unsigned j = 0; j < kNodes; ++j)
      if (i == j || w[i][j] != 0)
        for (unsigned k = 0; k < kSize; ++k) next[i][k] += h[j][k] / degrees[j];
  EXPECT_LT(distance(next, omega * z), 1e-12);
  EXPECT_GT(distance(z, optimum()), 1e-3);
  EXPECT_LT(distance(rest("sgp", w, {.alpha = .005}), optimum()), 0.2 * distance(z, optimum()));
}

TEST(Rest, OfLocalStepsIsNotTheOptimumAndDilocosIsTheSame) {
  const Matrix local = rest("local-sgd", on_ring(), {.alpha = .1, .local_steps = 5});
  EXPECT_GT(distance(local, optimum()), 1e-3);
  EXPECT_LT(distance(rest("diloco", on_ring(), {.alpha = .1, .momentum = .5, .local_steps = 5}), local), 1e-12);
  const double one = distance(rest("local-dsgd", on_ring(), {.alpha = .1, .local_steps = 1}), optimum());
  EXPECT_GT(distance(rest("local-dsgd", on_ring(), {.alpha = .1, .local_steps = 4}), optimum()), one);
}

// Nodes of four times the speed count four times.
TEST(Rest, OfAmbIsTheOptimumWeightedBySpeed) {
  Setting s = exact_gradients(problem(), on_ring(), {.alpha = .1, .rounds = 150});
  s.batch = [](unsigned i, std::size_t, unsigned) { return i < kNodes / 2 ? 1.0 : 4.0; };
  const Matrix x = run("amb", s, from(), kLong / 10);
  EXPECT_LT(distance(x, optimum({1, 1, 1, 1, 4, 4, 4, 4})), 1e-9);
  EXPECT_GT(distance(x, optimum()), 1e-2);
}

TEST(Rest, OfAmbWithDelayedGradientsIsTheSame) {
  Setting s = exact_gradients(problem(), on_ring(), {.alpha = .05, .rounds = 150});
  s.batch = [](unsigned i, std::size_t, unsigned) { return i < kNodes / 2 ? 1.0 : 4.0; };
  const Matrix x = run("amb-dg", s, from(), kLong / 10);
  EXPECT_LT(distance(x, optimum({1, 1, 1, 1, 4, 4, 4, 4})), 1e-9);
}

// ---- one node, other forms ----------------------------------------------------------------------

// Heavy ball: x⁺ = x − αg + β(x − x₋). Nesterov: y⁺ = x − αg, x⁺ = y⁺ + β(y⁺ − y).
TEST(OneNode, MomentumIsHeavyBallOrNesterovs) {
  const double beta = .8, alpha = .05;
  const Matrix x0 = start(1, kSize);
  for (const bool nesterov : {false, true}) {
    const Setting s = noisy_gradients(problem(), {{1.0}}, {.alpha = alpha, .momentum = beta, .nesterov = nesterov});
    // τ = 1: diloco's outer step is along αg, and always Nesterov's.
    Setting outer = s;
    outer.parameters.outer_step = .7;
    outer.parameters.local_steps = 1;
    outer.parameters.alpha = alpha / .7;
    Matrix x = x0, x_before = x0, y = x0;
    for (std::size_t t = 0; t < 40; ++t) {
      const Matrix y_next = x - alpha * Matrix{s.gradient(0, t, 0, x[0])};
      const Matrix next = nesterov ? y_next + beta * (y_next - y) : y_next + beta * (x - x_before);
      y = y_next;
      x_before = x;
      x = next;
      EXPECT_LT(distance(run("dsgd-atc", s, x0, t + 1), x), 1e-12);
      EXPECT_LT(distance(run("relaysgd", s, x0, t + 1), x), 1e-12);
      if (nesterov) {
        EXPECT_LT(distance(run("diloco", outer, x0, t + 1), x), 1e-12);
      }
    }
  }
}

// Without neighbours x − x⁺ is the step itself: m⁺ = (2 − μ)μ m + (1 − μ)g for the heavy ball.
TEST(OneNode, QuasiGlobalMomentumIsAMeanOfSteps) {
  const double mu = .8, alpha = .05;
  const Matrix x0 = start(1, kSize);
  const Setting s = noisy_gradients(problem(), {{1.0}}, {.alpha = alpha, .momentum = mu});
  Matrix x = x0, m = zeros(x0);
  for (std::size_t t = 0; t < 40; ++t) {
    const Matrix g{s.gradient(0, t, 0, x[0])};
    x = x - alpha * (mu * m + g);
    m = (2 - mu) * mu * m + (1 - mu) * g;
    EXPECT_LT(distance(run("qg-dsgdm", s, x0, t + 1), x), 1e-12);
  }
}

TEST(OneNode, EveryLocalStepHasABatchOfItsOwn) {
  const Matrix x0 = start(1, kSize);
  const Setting s = noisy_gradients(problem(), {{1.0}}, {.alpha = .1, .local_steps = 3});
  Vector x = x0[0];
  for (std::size_t t = 0; t < 5; ++t)
    for (unsigned kth = 0; kth < 3; ++kth) {
      const Vector g = s.gradient(0, t, kth, x);
      for (unsigned k = 0; k < kSize; ++k) x[k] -= .1 * g[k];
    }
  for (const char* name : {"local-sgd", "local-dsgd"}) EXPECT_LT(distance(run(name, s, x0, 5), {x}), 1e-12) << name;
}

// ---- what is conserved --------------------------------------------------------------------------

struct Conserving {
  const char* what;
  const char* name;
  Parameters p;
  Codec send = {};
};

void PrintTo(const Conserving& c, std::ostream* out) { *out << c.what; }

// How far x̄⁺ is from x̄ − α ḡ in iteration t.
double drift_of_mean(const char* name, const Setting& s, std::size_t t) {
  const Matrix x = run(name, s, from(), t);
  Matrix g;
  for (unsigned i = 0; i < kNodes; ++i) g.push_back(s.gradient(i, t, 0, x[i]));
  return distance(mean(run(name, s, from(), t + 1)), mean(x - s.parameters.alpha * g));
}

class Mean : public testing::TestWithParam<Conserving> {};

// It moves by the mean gradient alone, so the states that are added to models sum to zero, whatever the codec loses.
TEST_P(Mean, MovesByTheMeanGradientAlone) {
  const Conserving& c = GetParam();
  Setting s = noisy_gradients(problem(), on_ring(), c.p);
  s.send = c.send;
  for (const std::size_t t : {0u, 1u, 2u, 50u}) EXPECT_LT(drift_of_mean(c.name, s, t), 1e-12) << "iteration " << t;
}

INSTANTIATE_TEST_SUITE_P(
    Twins, Mean,
    testing::Values(Conserving{"Dsgd", "dsgd", {.alpha = .1}}, Conserving{"Atc", "dsgd-atc", {.alpha = .1}},
                    Conserving{"Pga", "gossip-pga", {.alpha = .1, .period = 3}},
                    Conserving{"Sgp", "sgp", {.alpha = .1}},  // on a regular graph ω = 1
                    Conserving{"D2", "d2", {.alpha = .1}},
                    Conserving{"ExactDiffusion", "exact-diffusion", {.alpha = .1}},
                    Conserving{"Extra", "extra", {.alpha = .1}}, Conserving{"Dsgt", "dsgt", {.alpha = .03}},
                    Conserving{"DsgtAtc", "dsgt-atc", {.alpha = .05}}, Conserving{"AugDgm", "aug-dgm", {.alpha = .05}},
                    Conserving{"Choco", "choco-sgd", {.alpha = .05, .gamma = .3}, top(3)},
                    Conserving{"Deepsqueeze", "deepsqueeze", {.alpha = .05, .gamma = .3}, top(3)},
                    Conserving{"Moniqua", "moniqua", {.alpha = .05}, grid(.25)},
                    Conserving{"Lead", "lead", {.alpha = .05}, qsgd(4)},
                    Conserving{"Beer", "beer", {.alpha = .02, .gamma = .3}, top(3)}),
    [](const auto& row) { return std::string(row.param.what); });

TEST(Mean, MovesByMoreWhereTheOwnModelIsNotDecoded) {
  Setting s = noisy_gradients(problem(), on_ring(), {.alpha = .05});
  s.send = grid(.25);
  EXPECT_GT(drift_of_mean("q-dsgd", s, 50), 1e-4);
  EXPECT_LT(drift_of_mean("moniqua", s, 50), 1e-12);
}

// Σ_i ω_i z_i, with ω from its own recursion, whose sum stays n.
TEST(Mean, OfPushSumIsWeighted) {
  const Matrix w = on_tree();
  const Setting s = noisy_gradients(problem(), w, {.alpha = .1});
  Vector omega(kNodes, 1.0);
  for (std::size_t t = 0; t < 20; ++t) {
    Vector next(kNodes, 0.0);
    for (unsigned j = 0; j < kNodes; ++j) {
      double degree = 0;
      for (unsigned i = 0; i < kNodes; ++i) degree += i != j && w[i][j] != 0;
      for (unsigned i = 0; i < kNodes; ++i)
        if (i == j || w[i][j] != 0) next[i] += omega[j] / (1 + degree);
    }
    EXPECT_NEAR(std::accumulate(next.begin(), next.end(), 0.0), kNodes, 1e-12);
    const Matrix z = run("sgp", s, from(), t);
    Matrix g;
    for (unsigned i = 0; i < kNodes; ++i) g.push_back(s.gradient(i, t, 0, z[i]));
    EXPECT_LT(distance(mean(next * run("sgp", s, from(), t + 1)), mean(omega * z - .1 * g)), 1e-12);
    omega = next;
  }
}

TEST(Mean, OfAllIsWhatEveryNodeHasAfterAPeriod) {
  const Setting s = noisy_gradients(problem(), on_ring(), {.alpha = .1, .period = 5});
  for (std::size_t t = 1; t <= 15; ++t) {
    const Matrix x = run("gossip-pga", s, from(), t);
    if (t % 5 == 0) {
      EXPECT_LT(distance(x, mean(x)), 1e-15) << t;
    } else {
      EXPECT_GT(distance(x, mean(x)), 1e-3) << t;
    }
  }
}

// What the codec left over is in the next message: message − left over is h = x − αg, and x⁺ = h + γA(q).
TEST(Memory, OfDeepsqueezeIsWhatTheCodecLeftOver) {
  Setting s = noisy_gradients(problem(), on_ring(), {.alpha = .05, .gamma = .3});
  const Setting quiet = s;
  std::vector<Matrix> exact(20, Matrix(kNodes)), decoded = exact;
  s.send = [&, codec = top(3)](unsigned node, unsigned channel, std::size_t k, const Vector& v) {
    exact[k][node] = v;
    return decoded[k][node] = codec(node, channel, k, v);
  };
  const Matrix last = run("deepsqueeze", s, from(), exact.size());
  Matrix x = from(), left = zeros(x);
  for (std::size_t t = 0; t < exact.size(); ++t) {
    Matrix g;
    for (unsigned i = 0; i < kNodes; ++i) g.push_back(quiet.gradient(i, t, 0, x[i]));
    const Matrix h = x - .05 * g;
    EXPECT_LT(distance(exact[t] - left, h), 1e-12) << t;
    left = exact[t] - decoded[t];
    x = h + .3 * (times(quiet.w, decoded[t]) - decoded[t]);
  }
  EXPECT_LT(distance(last, x), 1e-12);
  EXPECT_GT(distance(left, zeros(left)), 1e-2);
}

}  // namespace
}  // namespace quantimed::twin
