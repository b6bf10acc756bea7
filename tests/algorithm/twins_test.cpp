// SPDX-License-Identifier: BSD-3-Clause
// The twins against the published forms, and against each other where one is a special case of the other.
#include "algorithm/twins.hpp"

#include <gtest/gtest.h>

#include <map>
#include <ostream>
#include <string>

#include "algorithm/quadratics.hpp"

namespace quantimed::twin {
namespace {

constexpr unsigned kNodes = 8, kSize = 6;
constexpr std::size_t kIterations = 100;

const Quadratics& problem() {
  static const Quadratics all(kNodes, kSize);
  return all;
}

// An irregular graph, so that no weight equals another by chance.
Matrix irregular() {
  Edges edges = tree_edges();
  edges.emplace_back(0, 7);
  edges.emplace_back(1, 6);
  Matrix w = weights(kNodes, edges, 0.2);
  w[2][3] = w[3][2] = 0.3;
  w[2][2] -= 0.1;
  w[3][3] -= 0.1;
  return w;
}

std::string gtest_name(std::string_view text) {
  std::string out(text);
  std::replace(out.begin(), out.end(), '-', '_');
  return out;
}

// ---- published forms ----------------------------------------------------------------------------

// How far the two forms are from each other at the worst of some iterations.
double between_forms(std::string_view name, const Setting& s, std::size_t last) {
  double most = 0;
  const Matrix x0 = start(kNodes, kSize);
  for (const std::size_t t : {std::size_t{1}, std::size_t{2}, std::size_t{3}, last})
    most = std::max(most, distance(run(name, s, x0, t), run_published(name, s, x0, t)));
  return most;
}

const auto kNameOf = [](const auto& row) { return gtest_name(row.param); };

class Published : public testing::TestWithParam<std::string_view> {};

TEST_P(Published, IsTheSameWithoutACodec) {
  const Parameters p{.alpha = 0.05, .gamma = 0.7, .momentum = 0.4, .averaging = 0.3};
  EXPECT_LT(between_forms(GetParam(), noisy_gradients(problem(), irregular(), p), kIterations), 1e-12);
}

INSTANTIATE_TEST_SUITE_P(Twins, Published, testing::ValuesIn(published()), kNameOf);

class Compressed : public testing::TestWithParam<std::string_view> {};

// Codecs that lose much: what is decoded, by whom, and what of it is kept counts now. Not for long: with a randomized
// codec lead is chaotic (a difference of 1e-16 grows by some percent an iteration), so its two forms part in the end.
TEST_P(Compressed, IsThePublishedOneWhateverTheCodecLoses) {
  const std::string_view name = GetParam();
  const Parameters p{.alpha = 0.02, .gamma = 0.3, .momentum = 0.4, .averaging = 0.3};
  const Setting exact = noisy_gradients(problem(), irregular(), p);
  Setting s = exact;
  // The two forms of beer number their messages differently, so its codec must not look at the number.
  s.send = name == "beer" || name == "motef" ? top(3) : qsgd(8);
  EXPECT_LT(between_forms(name, s, 40), 1e-12);
  const Matrix x0 = start(kNodes, kSize);
  EXPECT_GT(distance(run(name, s, x0, 40), run(name, exact, x0, 40)), 1e-4) << "the codec lost nothing";
}

INSTANTIATE_TEST_SUITE_P(Twins, Compressed,
                         testing::Values("choco-sgd", "dcd-psgd", "ecd-psgd", "lead", "beer", "motef"), kNameOf);

// Both orders; the code must not look at numbers of messages, as the twin's first holds nothing and is not published.
TEST(Compressed, OverlappedChocoIsThePublishedOne) {
  const Parameters p{.alpha = 0.02, .gamma = 0.3, .overlap = true};
  Setting s = noisy_gradients(problem(), irregular(), p);
  s.send = top(3);
  EXPECT_LT(between_forms("choco-sgd", s, 40), 1e-12);
  Setting other = s;
  other.parameters.overlap = false;
  const Matrix x0 = start(kNodes, kSize);
  EXPECT_GT(distance(run("choco-sgd", s, x0, 40), run("choco-sgd", other, x0, 40)), 1e-4);
}

// ---- special cases ------------------------------------------------------------------------------

struct Case {
  const char* what;
  const char* left;
  const char* right;
  Parameters with;  // for the left
  Matrix w = irregular();
  Matrix right_w = {};     // where it is not w
  double right_alpha = 0;  // where it is not the left's
  double tolerance = 1e-12;
};

void PrintTo(const Case& c, std::ostream* out) { *out << c.what; }

std::vector<Case> special_cases() {
  const double bits = 0;  // the same operations: the same bits
  const Matrix w = irregular();
  return {
      {"AtcWithoutMomentumIsTheSameWithNesterov",
       "dsgd-atc",
       "dsgd-atc",
       {.alpha = .1, .nesterov = true},
       w,
       {},
       0,
       bits},
      {"QgWithoutMomentumIsAtc", "qg-dsgdm", "dsgd-atc", {.alpha = .1}, w, {}, 0, bits},
      {"QgWithoutMomentumIsAtcWithNesterov", "qg-dsgdm", "dsgd-atc", {.alpha = .1, .nesterov = true}, w, {}, 0, bits},
      {"OneLocalStepIsAtc", "local-dsgd", "dsgd-atc", {.alpha = .1, .local_steps = 1}, w, {}, 0, bits},
      {"PgaAlwaysIsAllreduce", "gossip-pga", "allreduce-sgd", {.alpha = .1, .period = 1}, w, {}, 0, bits},
      {"PgaNeverIsAtc", "gossip-pga", "dsgd-atc", {.alpha = .1, .period = kIterations + 1}, w, {}, 0, bits},
      {"CompleteAtcIsAllreduce", "dsgd-atc", "allreduce-sgd", {.alpha = .1}, complete(kNodes)},
      {"QdsgdOfStepOneIsDsgd", "q-dsgd", "dsgd", {.alpha = .1}},
      {"QuantimedIsDsgdOfLazyWeights", "quantimed-dsgd", "dsgd", {.alpha = .1, .epsilon = .4}, w, lazy(w, .4), .04},
      {"SgpOfARegularGraphIsAtc", "sgp", "dsgd-atc", {.alpha = .1}, ring(kNodes, 1.0 / 3)},
      {"OneLocalStepAndMeanIsAllreduce", "local-sgd", "allreduce-sgd", {.alpha = .1, .local_steps = 1}, w, {}, 0, bits},
      {"DilocoOfStepOneIsLocalSgd", "diloco", "local-sgd", {.alpha = .1, .outer_step = 1}},
      {"DilocoOfOneLocalStepIsAllreduce", "diloco", "allreduce-sgd", {.alpha = .1, .outer_step = 1, .local_steps = 1}},
      {"ExactDiffusionIsD2OfLazyWeights", "exact-diffusion", "d2", {.alpha = .1}, w, lazy(w, .5)},
      {"ChocoIsAtc", "choco-sgd", "dsgd-atc", {.alpha = .1}},
      {"ChocoIsAtcOfLazyWeights", "choco-sgd", "dsgd-atc", {.alpha = .1, .gamma = .3}, w, lazy(w, .3)},
      {"OverlappedChocoIsDsgd", "choco-sgd", "dsgd", {.alpha = .1, .overlap = true}},
      {"OverlappedChocoIsDsgdOfLazyWeights",
       "choco-sgd",
       "dsgd",
       {.alpha = .1, .gamma = .3, .overlap = true},
       w,
       lazy(w, .3)},
      {"DcdIsDsgd", "dcd-psgd", "dsgd", {.alpha = .1}},
      {"EcdIsDsgd", "ecd-psgd", "dsgd", {.alpha = .1}},
      {"DeepsqueezeIsAtc", "deepsqueeze", "dsgd-atc", {.alpha = .1}},
      {"DeepsqueezeIsAtcOfLazyWeights", "deepsqueeze", "dsgd-atc", {.alpha = .1, .gamma = .3}, w, lazy(w, .3)},
      {"MoniquaIsDsgdOfLazyWeights", "moniqua", "dsgd", {.alpha = .1, .gamma = .3}, w, lazy(w, .3)},
      {"LeadIsExactDiffusion", "lead", "exact-diffusion", {.alpha = .1}},
      {"LeadIsExactDiffusionWithAnyAveraging", "lead", "exact-diffusion", {.alpha = .1, .averaging = .1}},
      {"LeadIsExactDiffusionOfLazyWeights", "lead", "exact-diffusion", {.alpha = .1, .gamma = .3}, w, lazy(w, .3)},
      {"BeerIsDsgt", "beer", "dsgt", {.alpha = .03}},
      {"BeerIsDsgtOfLazyWeights", "beer", "dsgt", {.alpha = .03, .gamma = .3}, w, lazy(w, .3)},
      {"MotefWithoutMomentumIsBeer", "motef", "beer", {.alpha = .03, .gamma = .3}, w, {}, 0, bits},
      {"AmbOfEqualBatchesAndOneRoundIsAtc", "amb", "dsgd-atc", {.alpha = .1, .rounds = 1}},
      {"RelayOfTwoIsAllreduce", "relaysgd", "allreduce-sgd", {.alpha = .1}, complete(2)},
  };
}

class SpecialCase : public testing::TestWithParam<Case> {};

TEST_P(SpecialCase, HoldsWithNoisyGradients) {
  const Case& c = GetParam();
  Setting left = noisy_gradients(problem(), c.w, c.with);
  left.batch = [](unsigned, std::size_t, unsigned) { return 7.0; };
  Setting right = left;
  if (!c.right_w.empty()) right.w = c.right_w;
  if (c.right_alpha > 0) right.parameters.alpha = c.right_alpha;
  right.parameters.epsilon = right.parameters.gamma = 1;
  if (std::string_view(c.left) == "motef") right.parameters.gamma = left.parameters.gamma;
  if (c.left == std::string_view(c.right)) right.parameters.nesterov = false;
  const Matrix x0 = start(c.w.size(), kSize);
  for (const std::size_t t : {std::size_t{1}, std::size_t{2}, kIterations}) {
    const Matrix x = run(c.left, left, x0, t);
    EXPECT_LE(distance(x, run(c.right, right, x0, t)), c.tolerance) << "after " << t;
    EXPECT_GT(distance(x, x0), 1e-3);
  }
}

INSTANTIATE_TEST_SUITE_P(Twins, SpecialCase, testing::ValuesIn(special_cases()),
                         [](const auto& row) { return std::string(row.param.what); });

TEST(SpecialCase, EveryAlgorithmOfOneNodeIsSgd) {
  const Matrix x0 = start(1, kSize);
  Setting s = noisy_gradients(problem(), {{1.0}}, {.alpha = .1, .outer_step = 1, .local_steps = 1});
  const Matrix sgd = run("allreduce-sgd", s, x0, kIterations);
  for (const std::string_view name : names()) {
    if (name == "amb-dg") continue;  // whose gradients are late
    EXPECT_LT(distance(run(name, s, x0, kIterations), sgd), 1e-12) << name;
  }
}

// Its gradients are one iteration old: x ← x − α g(x of before).
TEST(SpecialCase, AmbWithDelayedGradientsOfOneNodeIsSgdWithADelayOfOne) {
  const Setting s = noisy_gradients(problem(), {{1.0}}, {.alpha = .1, .rounds = 1});
  const Matrix x0 = start(1, kSize);
  Matrix x = x0, late = x0;
  for (std::size_t t = 0; t < kIterations; ++t) {
    const Matrix before = x;
    if (t > 0) {
      const Vector g = s.gradient(0, t - 1, 0, late[0]);
      for (unsigned k = 0; k < kSize; ++k) x[0][k] -= .1 * g[k];
    }
    late = before;
  }
  EXPECT_LT(distance(run("amb-dg", s, x0, kIterations), x), 1e-12);
}

// x ← x_0 − Σ g / β(t + 1) with β(t) = K + √t/α, t from 1.
TEST(SpecialCase, AmbOfOneNodeIsDualAveraging) {
  const double alpha = .4, k = 3;
  const Setting s = noisy_gradients(problem(), {{1.0}}, {.alpha = alpha, .beta = k});
  const Matrix x0 = start(1, kSize);
  Matrix x = x0;
  Vector sum(kSize, 0.0);
  for (std::size_t t = 1; t <= kIterations; ++t) {
    const Vector g = s.gradient(0, t - 1, 0, x[0]);
    for (unsigned e = 0; e < kSize; ++e) {
      sum[e] += g[e];
      x[0][e] = x0[0][e] - sum[e] / (k + std::sqrt(static_cast<double>(t + 1)) / alpha);
    }
  }
  EXPECT_LT(distance(run("amb", s, x0, kIterations), x), 1e-12);
}

TEST(SpecialCase, AmbOfManyRoundsIsTheMinibatchOfAllSamples) {
  Setting s = noisy_gradients(problem(), irregular(), {.alpha = .1, .rounds = 500});
  s.batch = [](unsigned i, std::size_t t, unsigned) {
    return static_cast<double>((3 * i + 5 * t) % 4);  // none, sometimes
  };
  s.gradient = [&s, noisy = s.gradient](unsigned i, std::size_t t, unsigned kth, const Vector& at) {
    EXPECT_GT(s.batch(i, t, 0), 0) << "a gradient of no samples";
    return noisy(i, t, kth, at);
  };
  const Matrix x0 = start(kNodes, kSize);
  Vector x = x0[0];
  for (std::size_t t = 0; t < kIterations; ++t) {
    Vector sum(kSize, 0.0);
    double samples = 0;
    for (unsigned i = 0; i < kNodes; ++i) {
      if (s.batch(i, t, 0) == 0) continue;
      const Vector g = s.gradient(i, t, 0, x);
      samples += s.batch(i, t, 0);
      for (unsigned k = 0; k < kSize; ++k) sum[k] += s.batch(i, t, 0) * g[k];
    }
    for (unsigned k = 0; k < kSize; ++k) x[k] -= .1 * sum[k] / samples;
  }
  EXPECT_LT(distance(run("amb", s, x0, kIterations), Matrix(kNodes, x)), 1e-12);
}

TEST(SpecialCase, AmbStandsStillWhereNobodyNearHasFinishedASample) {
  Setting s = noisy_gradients(problem(), weights(kNodes, tree_edges(), 0.25), {.alpha = .1, .rounds = 2});
  s.batch = [](unsigned i, std::size_t t, unsigned) {
    return t == 2 && i > 0 ? 0.0 : 1.0;
  };  // then node 0 alone has one
  const Matrix before = run("amb", s, start(kNodes, kSize), 2), after = run("amb", s, start(kNodes, kSize), 3);
  for (unsigned i = 0; i < kNodes; ++i) {
    const double moved = distance({before[i]}, {after[i]});
    if (i <= 2) {
      EXPECT_GT(moved, 1e-3) << i;  // within two hops of node 0
    } else {
      EXPECT_EQ(moved, 0) << i;
    }
  }
}

// x_i(t+1) = Σ_j h_j(t − max(dist − 1, 0)) over the nodes whose message has come, divided by how many they are.
TEST(SpecialCase, RelayIsTheMeanOfModelsAsOldAsTheirWay) {
  Matrix hops(kNodes, Vector(kNodes, kNodes));
  for (unsigned i = 0; i < kNodes; ++i) hops[i][i] = 0;
  for (const auto& [i, j] : tree_edges()) hops[i][j] = hops[j][i] = 1;
  for (unsigned k = 0; k < kNodes; ++k)
    for (unsigned i = 0; i < kNodes; ++i)
      for (unsigned j = 0; j < kNodes; ++j) hops[i][j] = std::min(hops[i][j], hops[i][k] + hops[k][j]);
  const Setting s = noisy_gradients(problem(), weights(kNodes, tree_edges(), 0.25), {.alpha = .1});
  const Matrix x0 = start(kNodes, kSize);
  std::vector<Matrix> h;  // by iteration
  Matrix x = x0;
  for (std::size_t t = 0; t < 30; ++t) {
    h.push_back(x);
    for (unsigned i = 0; i < kNodes; ++i) {
      const Vector g = s.gradient(i, t, 0, x[i]);
      for (unsigned k = 0; k < kSize; ++k) h.back()[i][k] -= .1 * g[k];
    }
    for (unsigned i = 0; i < kNodes; ++i) {
      Vector sum(kSize, 0.0);
      double count = 0;
      for (unsigned j = 0; j < kNodes; ++j) {
        const std::size_t age = hops[i][j] > 1 ? static_cast<std::size_t>(hops[i][j]) - 1 : 0;
        if (age > t) continue;
        ++count;
        for (unsigned k = 0; k < kSize; ++k) sum[k] += h[t - age][j][k];
      }
      for (unsigned k = 0; k < kSize; ++k) x[i][k] = sum[k] / count;
    }
    EXPECT_LT(distance(run("relaysgd", s, x0, t + 1), x), 1e-12) << "after " << t + 1;
  }
}

// ---- messages and refusals ----------------------------------------------------------------------

// Each node sends each number once, one after the other.
TEST(Messages, AreNumberedByChannel) {
  const std::map<std::string_view, std::pair<unsigned, unsigned>> of_three_iterations = {
      {"gossip-pga", {2, 0}}, {"relaysgd", {0, 0}}, {"allreduce-sgd", {0, 0}}, {"local-sgd", {0, 0}},
      {"diloco", {0, 0}},     {"dsgt", {3, 3}},     {"dsgt-atc", {3, 3}},      {"aug-dgm", {3, 3}},
      {"beer", {3, 3}},       {"motef", {3, 3}},    {"amb", {6, 0}},           {"amb-dg", {6, 0}},
  };
  for (const std::string_view name : names()) {
    Setting s =
        exact_gradients(problem(), weights(kNodes, tree_edges(), 0.25), {.alpha = .01, .rounds = 2, .period = 3});
    std::map<std::pair<unsigned, unsigned>, std::size_t> next;  // [node, channel]
    s.send = [&](unsigned node, unsigned channel, std::size_t k, const Vector& exact) {
      const std::size_t expected = next[{node, channel}]++;
      EXPECT_EQ(k, expected) << name;
      return exact;
    };
    run(name, s, start(kNodes, kSize), 3);
    const auto row = of_three_iterations.find(name);
    const auto [models, trackers] = row == of_three_iterations.end() ? std::pair{3u, 0u} : row->second;
    for (unsigned i = 0; i < kNodes; ++i) {
      const std::size_t on_models = next[{i, 0}], on_trackers = next[{i, 1}];
      EXPECT_EQ(on_models, models) << name;
      EXPECT_EQ(on_trackers, trackers) << name;
    }
  }
}

TEST(Refusals, OfNamesShapesStartsAndRings) {
  const Setting s = exact_gradients(problem(), ring(kNodes, .3), {.alpha = .1});
  const Matrix x0 = start(kNodes, kSize);
  EXPECT_THROW(run("dsgd-ctc", s, x0, 1), std::invalid_argument);
  EXPECT_THROW(run_published("dsgd", s, x0, 1), std::invalid_argument);
  EXPECT_THROW(run("dsgd", s, start(kNodes - 1, kSize), 1), std::invalid_argument);
  Matrix uneven = x0;
  uneven[3][0] += 1;
  EXPECT_THROW(run("dsgd", s, uneven, 1), std::invalid_argument);
  EXPECT_THROW(run("relaysgd", s, x0, 1), std::invalid_argument);
  Setting apart = s;
  apart.w = weights(kNodes, {{0, 1}, {1, 2}, {2, 0}, {3, 4}, {4, 5}, {5, 6}, {6, 7}}, .25);  // n − 1 edges, no tree
  EXPECT_THROW(run("relaysgd", apart, x0, 1), std::invalid_argument);
}

}  // namespace
}  // namespace quantimed::twin
