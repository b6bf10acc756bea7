// SPDX-License-Identifier: BSD-3-Clause
// The options that follow from others, or from the machine.
#include "algorithm/table.hpp"
#include "base/error.hpp"
#include "base/path_kind.hpp"
#include "base/streams.hpp"
#include "base/thread_supply.hpp"
#include "command/experiment.hpp"
#include "command/graph_choice.hpp"
#include "command/outputs.hpp"
#include "command/predicted_ranks.hpp"
#include "command/preflight.hpp"
#include "command/setup.hpp"
#include "config/algorithm_options.hpp"
#include "dataset/target.hpp"
#include "machine/allocation.hpp"
#include "machine/hardware.hpp"
#include "machine/interference.hpp"
#include "machine/machine.hpp"
#include "machine/placement.hpp"
#include "timing/deadline_rule.hpp"
#include "timing/faults.hpp"
#include "timing/link_model.hpp"
#include "timing/recorded_speed.hpp"
#include "topology/spectrum.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <omp.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <system_error>
#include <vector>

namespace quantimed {

namespace {

constexpr std::uint32_t kPaperNodes = 50;

std::string or_else(const std::string& text, const std::string& otherwise) { return text.empty() ? otherwise : text; }

// A control group may grant less time than its cores could use.
std::uint32_t cores_with_time(std::uint32_t cores) {
  const auto quota = inspect_machine().cpu_quota;
  return quota ? std::clamp<std::uint32_t>(static_cast<std::uint32_t>(*quota), 1, cores) : cores;
}

// ε, at most 1 unless the user allows more: above it a round no longer averages, and models that agree drift apart.
std::string averaging_step(const Config& c, const AlgorithmRow& row) {
  const std::string given = for_algorithm(c.epsilon, c.algorithm), step = or_else(given, row.epsilon);
  const double value = step_size("--epsilon", step, step_horizon(c));
  if (!row.uses_epsilon || c.allow_large_epsilon || value <= 1) return step;
  if (given.empty()) return "1";  // the published one is for long horizons
  throw InputError(
      "--epsilon {}: is {:.3g} at T = {}, and above 1 a round no longer averages; give at most 1{}, or "
      "--allow-large-epsilon",
      step, value, step_horizon(c), step.find('T') == std::string::npos ? "" : ", a longer horizon");
}

// --threads auto
std::uint32_t threads_for(const Hardware& hardware) {
  return cores_with_time(static_cast<std::uint32_t>(place(hardware, {}).size()));
}

}  // namespace

std::string epsilon_notice(const Config& given, const Config& resolved) {
  const AlgorithmRow& row = find_algorithm(resolved.algorithm);
  if (!row.uses_epsilon || resolved.allow_large_epsilon || !for_algorithm(given.epsilon, resolved.algorithm).empty())
    return "";
  const double published = step_size("--epsilon", row.epsilon, step_horizon(resolved));
  if (published <= 1) return "";
  return fmt::format("{}: epsilon is 1; the published {} would be {:.3g} at T = {}", resolved.algorithm, row.epsilon,
                     published, step_horizon(resolved));
}

void require_eigenvalues(const Config& c, const AlgorithmRow& row) {
  constexpr double kNoMore = -1, kRounding = 1e-9;  // every W has its eigenvalues above -1
  if (!(row.least_eigenvalue > kNoMore)) return;
  const double least =
      topology::least_eigenvalue(make_network(parse_graph(c.graph), parse_mixing(c.mixing), c.nodes, c.seed));
  if (least > row.least_eigenvalue + kRounding) return;
  throw InputError(
      "--graph {}: with --mixing {} and {} nodes the least eigenvalue of W is {:.7g}, and {} converges only where it "
      "is above {:.4g}; take exact-diffusion, which does for every W, or another --mixing",
      c.graph, c.mixing, c.nodes, least, row.name, row.least_eigenvalue);
}

namespace {

// How many nodes and workers, where "auto" left it to the machine.
void resolve_cores(Config& c) {
  const Hardware hardware = load_hardware();
  if (c.threads > hardware.granted)
    throw InputError("--threads {}: SLURM grants this task {} (SLURM_CPUS_PER_TASK); give at most as many, or auto",
                     c.threads, hardware.granted);
  if (c.threads == 0) c.threads = granted_workers(threads_for(hardware), c.quiet), c.threads_auto = {true};
  if (c.engine == "virtual") {
    if (c.nodes == 0) c.nodes = kPaperNodes;
  } else if (c.engine == "mpi") {  // whose ranks look for cores themselves
    if (c.nodes == 0)
      throw InputError("--nodes auto: with --engine mpi give how many there are, over all ranks: --nodes 8");
  } else {
    const Placement placement = parse_placement(c.placement, c.smt);
    const std::size_t units = place(hardware, placement).size();
    if (c.nodes == 0) c.nodes = cores_with_time(static_cast<std::uint32_t>(units));
    if (!c.oversubscribe) require_units(placement, units, c.nodes, hardware.rule.text);
  }
}

// T_d, where the speeds are modelled ones.
void resolve_deadline(Config& c, const AlgorithmRow& row) {
  if (c.deadline_adapt && parse_deadline(c.deadline, c.batch).fixed_s > 0)
    throw InputError("--deadline-adapt: --deadline {} is fixed; give auto, auto:B or auto:quantile:Q", c.deadline);
  if (!uses_deadline(c, row)) return;
  const auto speed = make_speed_model(c.speed, c.seed, c.nodes);
  if (!speed) return;
  const Seconds deadline = modelled_deadline(parse_deadline(c.deadline, c.batch), *speed, c.nodes);
  if (deadline * speed->mean() > kMostSamples)
    throw InputError("--deadline {}: mean batches of over {} samples at --speed {}; give a shorter one", c.deadline,
                     kMostSamples, c.speed);
  if (!c.deadline_adapt) c.deadline = fmt::format("{}", deadline);
}

}  // namespace

Config resolve(Config c) {
  const AlgorithmRow& row = find_algorithm(c.algorithm);
  resolve_cores(c);
  const bool has_own_speed = c.engine != "virtual" || !c.machine.empty();
  c.speed = or_else(c.speed, has_own_speed ? "none" : "uniform:10,90");
  c.link = or_else(c.link, has_own_speed ? "none" : "paper:3");
  (void)make_speed_model(c.speed, c.seed, c.nodes);
  (void)parse_link(c.link);
  require_predictable_ranks(c, row);
  (void)parse_interference(c.interference, c.nodes);
  (void)parse_faults(c.fault, c.nodes);
  c.alpha = or_else(for_algorithm(c.alpha, c.algorithm), row.alpha);
  c.epsilon = averaging_step(c, row);
  (void)alpha_schedule("--alpha", c.alpha, step_horizon(c));
  if (counts_epochs(c.alpha) && uses_deadline(c, row))
    throw InputError(
        "--alpha {}: epochs are of a fixed batch, and {} computes until a deadline; give shares (50%) or iterations",
        c.alpha, row.name);
  if (c.optimum && c.evaluate_samples > 0)
    throw InputError("--optimum: a gap is of all samples; leave --evaluate-samples out");
  check_gradient_of(c, row);
  c.parameters = own_parameters(c, row);
  c.codec = codec_for(c, row);
  require_graph(c, row);
  c.gradient = uses_deadline(c, row) ? "deadline" : "batch";
  resolve_deadline(c, row);
  require_eigenvalues(c, row);
  require_tree(c, row);
  if (row.weights != Weights::mixing && c.mixing != Config{}.mixing)
    throw InputError("--mixing {}: {} {}; leave it out", c.mixing, row.name,
                     row.weights == Weights::push
                         ? "has weights of its own, 1 / (1 + neighbours of the sender), and no W"
                     : row.weights == Weights::ones ? "adds up what it hears, and has no W"
                                                    : "averages two models at a time, and has no W");
  const std::size_t gradients = row.gradients(parameter_options(c, row));
  if (const double samples = static_cast<double>(c.batch) * static_cast<double>(gradients); samples > kMostSamples)
    throw InputError("--local-steps: {} gradients of --batch {} are {} samples an iteration, and traces count up to {}",
                     gradients, c.batch, samples, kMostSamples);
  require_codec(c.codec, row, 0);
  if (c.output.empty()) c.output = fmt::format("runs/{}-{}-seed{}-{}.h5", c.algorithm, c.engine, c.seed, run_hash(c));
  return c;
}

std::string data_key(const Config& c) {
  return fmt::format("{}\n{}\n{}\n{}\n{}\n{}\n{}", c.dataset, fmt::join(c.classes, ","), c.target, c.grey, c.normalise,
                     c.model, is_generated(c.dataset) ? c.seed : 0);
}

DataSplit load_data(const Config& c) {
  const std::uint32_t threads = c.threads > 0 ? c.threads : threads_for(load_hardware());  // export resolves nothing
  require_threads(threads - 1);
  ::omp_set_num_threads(static_cast<int>(threads));  // who generates data
  TargetWish wish;
  if (c.target == "classes") wish.asked = Target::classes;
  if (c.target == "regression") wish.asked = Target::regression;
  if (c.model == "least-squares") wish.leaning = Target::regression;
  if (c.model == "logistic") wish.leaning = Target::classes;
  DataSplit data = load_dataset({.name = c.dataset,
                                 .classes = c.classes,
                                 .grey = c.grey,
                                 .seed = c.seed,
                                 .normalise = c.normalise,
                                 .most_bytes = usable_memory_bytes() - resident_memory_bytes()},
                                wish);
  if (!c.quiet)
    for (const std::string& notice : data.source.notices)
      tell("quantimed: note: --dataset {}: {}\n", c.dataset, notice);
  if (c.quiet || c.samples_per_node != kAutoSamples || c.nodes == 0) return data;
  const std::uint32_t each = samples_of_each(c.samples_per_node, data.train.samples, c.nodes);
  if (each > 0 && each < kMostUsualSamples)
    tell("quantimed: note: --samples-per-node auto: {}, since {} has {} training samples for {} nodes (usual: {})\n",
         each, c.dataset, data.train.samples, c.nodes, kMostUsualSamples);
  return data;
}

DataSplit load_data_of_another_seed(Config config) {
  config.quiet = true;
  return load_data(config);
}

void require_writable_folder(const std::string& folder, const std::string& option, const std::string& value) {
  const std::string where = folder.empty() ? "." : folder;
  if (const PathKind kind = kind_of_path(option, where, value); kind == PathKind::nothing)
    throw InputError("{} {}: there is no folder {}; make it first, or write elsewhere", option, value, where);
  else if (kind != PathKind::folder)
    throw InputError("{} {}: {} is no folder; write elsewhere", option, value, where);
  std::string probe = where + "/.quantimed-XXXXXX";
  const int file = ::mkstemp(probe.data());
  if (file < 0)
    throw InputError("{} {}: folder {} is not writable: {}; write elsewhere", option, value, where,
                     std::generic_category().message(errno));
  ::close(file);
  ::unlink(probe.c_str());
}

}  // namespace quantimed
