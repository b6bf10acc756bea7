// SPDX-License-Identifier: BSD-3-Clause
#include "command/optimum_of.hpp"

#include "base/error.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace quantimed {

namespace {

ConvexLoss loss_of(const Config& config) {
  return config.model == "logistic" ? ConvexLoss::logistic : ConvexLoss::squared;
}

// Of how many samples each node has computed gradients. [n]
std::vector<double> samples_of(const RoundsSource& rounds) {
  std::vector<double> samples(rounds.nodes(), 0.0);
  rounds.for_each_block([&](const Rounds& block, std::size_t) {
    for (std::size_t at = 0; at < block.batch.size(); ++at)
      if (!std::isnan(block.batch[at])) samples[at % block.nodes] += static_cast<double>(block.batch[at]);
  });
  return samples;
}

// What a method ends at that counts a node by how much it has done: the least of Σ_i s_i f_i, and how far the mean
// model is above it. Nothing where a node was lost: the mean model is then of those who went on.
void add_gap_by_samples(Trace& trace, const Setup& setup, const Dataset& data, const Optimum& optimum,
                        const RoundsSource& rounds) {
  if (text(trace.summary, "lost_nodes", "none") != "none") return;
  const std::vector<double> samples = samples_of(rounds), x(trace.mean_model.begin(), trace.mean_model.end());
  const double all = std::accumulate(samples.begin(), samples.end(), 0.0);
  if (!(all > 0)) return;
  const auto [least, most] = std::ranges::minmax(samples);
  std::vector<double> shares = samples;
  for (double& share : shares) share /= all;
  const Config& config = setup.config;
  trace.summary.emplace_back("least_samples_of_a_node", least);
  trace.summary.emplace_back("most_samples_of_a_node", most);
  double best = optimum.value;
  if (least < most) try {
      best = find_optimum(data, setup.shards, loss_of(config), config.l2, shares).value;
    } catch (const InputError&) {
      return;  // those who have worked hold what has no minimiser, although all together do
    }
  trace.summary.emplace_back("optimal_loss_by_samples", best);
  trace.summary.emplace_back("final_gap_by_samples",
                             objective_value(data, setup.shards, loss_of(config), config.l2, shares, x) - best);
}

}  // namespace

std::optional<Optimum> optimum_of(const Setup& setup, const Dataset& data) {
  const Config& config = setup.config;
  if (!config.optimum) return {};
  // One output, so that x is a number for each feature.
  if (config.model.starts_with("mlp") || setup.problem->dimension() != data.features)
    throw InputError(
        "--optimum: f* of {} is not known; give --model least-squares with values to regress on, or --model logistic "
        "with two classes",
        setup.problem->description());
  return find_optimum(data, setup.shards, loss_of(config), config.l2);
}

void add_optimum(Trace& trace, const Setup& setup, const Dataset& data, const Optimum& optimum,
                 const RoundsSource& rounds) {
  const Config& config = setup.config;
  Attributes& s = trace.summary;
  s.emplace_back("optimal_loss", optimum.value);
  s.emplace_back("optimal_gradient_norm", optimum.gradient_norm);
  s.emplace_back("optimal_loss_error", optimum.error);
  s.emplace_back("final_gap", trace.progress.loss.back() - optimum.value);
  add_gap_by_samples(trace, setup, data, optimum, rounds);
  if (config.l2_per == "batch" && config.l2 > 0)
    trace.warnings.emplace_back(
        "--l2-per batch: the algorithm minimises another function than the loss that is shown, so its gap to f* has a "
        "floor");
}

}  // namespace quantimed
