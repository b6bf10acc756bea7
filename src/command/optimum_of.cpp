// SPDX-License-Identifier: BSD-3-Clause
#include "command/optimum_of.hpp"

#include "base/error.hpp"

namespace quantimed {

std::optional<Optimum> optimum_of(const Setup& setup, const Dataset& data) {
  const Config& config = setup.config;
  if (!config.optimum) return {};
  // One output, so that x is a number for each feature.
  if (config.model.starts_with("mlp") || setup.problem->dimension() != data.features)
    throw InputError(
        "--optimum: f* of {} is not known; give --model least-squares with values to regress on, or --model logistic "
        "with two classes",
        setup.problem->description());
  const ConvexLoss loss = config.model == "logistic" ? ConvexLoss::logistic : ConvexLoss::squared;
  return find_optimum(data, setup.shards, loss, config.l2);
}

void add_optimum(Trace& trace, const Config& config, const Optimum& optimum) {
  Attributes& s = trace.summary;
  s.emplace_back("optimal_loss", optimum.value);
  s.emplace_back("optimal_gradient_norm", optimum.gradient_norm);
  s.emplace_back("optimal_loss_error", optimum.error);
  s.emplace_back("final_gap", trace.progress.loss.back() - optimum.value);
  if (config.l2_per == "batch" && config.l2 > 0)
    trace.warnings.emplace_back(
        "--l2-per batch: the algorithm minimises another function than the loss that is shown, so its gap to f* has a "
        "floor");
}

}  // namespace quantimed
