// SPDX-License-Identifier: BSD-3-Clause
#include "command/setup.hpp"

#include "base/error.hpp"
#include "command/predicted_ranks.hpp"
#include "config/algorithm_options.hpp"
#include "timing/recorded_speed.hpp"

#include <fmt/format.h>

#include <filesystem>

namespace quantimed {

namespace {

ModelRequest model_request(const Config& c) {
  return {.model = c.model, .activation = c.activation, .loss = c.loss, .initial_half_widths = c.initial};
}

std::optional<MachineFile> machine_for(const Config& c, const Problem& problem) {
  if (c.machine.empty()) return {};
  MachineFile machine = read_machine_file(c.machine);
  if (machine.dimension != problem.dimension() || machine.model != c.model)
    throw InputError(
        "--machine {}: measured for {} on {}, {} coordinates; this run has {} on {}, {}; calibrate with the "
        "same --model and --dataset",
        c.machine, machine.model, machine.dataset, machine.dimension, c.model, c.dataset, problem.dimension());
  if (machine.precision != c.precision)
    throw InputError("--machine {}: measured in {} precision, and this run has --precision {}; calibrate with it too",
                     c.machine, machine.precision, c.precision);
  return machine;
}

// Of a run that writes no file: none.
std::string folder_of(const std::string& output) {
  const std::string folder = std::filesystem::path(output).parent_path().string();
  return folder.empty() && !output.empty() ? "." : folder;
}

DeadlineRule deadline_rule(const Config& c, const SpeedModel* speed, const MachineCosts* machine) {
  DeadlineRule rule = parse_deadline(c.deadline, c.batch);
  if (speed)
    rule.fixed_s = modelled_deadline(rule, *speed, c.nodes);
  else if (machine && rule.fixed_s == 0)  // all nodes are alike, and always
    rule.fixed_s = rule.batch * machine->deadline_sample_s;
  rule.adapts = c.deadline_adapt;
  rule.slack_s = c.deadline_slack;
  return rule;
}

}  // namespace

void require_codec(const std::string& text, const AlgorithmRow& row, std::size_t p) {
  if (!row.quantizes) return;
  const auto codec = make_codec(text);
  const CodecClass kind = codec->kind();
  const auto refuse = [&](const std::string& why, const char* instead) {
    return InputError("--codec {}: {}, and {} needs {}", text, why, row.name, instead);
  };
  const bool is_small_need = row.codec == CodecNeed::contraction || row.codec == CodecNeed::small_error;
  if (kind == CodecClass::contraction && row.codec == CodecNeed::models)
    throw refuse("it is biased",
                 "an unbiased one, since it sends whole models, which others would pull towards 0; give qsgd:16, "
                 "low-precision:1e-3 or random-k-unbiased:0.5");
  // Models may be sent relative to the receiver's own; differences of models may not.
  if (kind == CodecClass::relative && row.codec != CodecNeed::models)
    throw refuse(
        "its codes are relative to the receiver's own model",
        "one that is decoded without that, since its messages are no models; give low-precision:1e-3 or exact");
  if (row.codec == CodecNeed::unbiased && kind == CodecClass::contraction)
    throw refuse("it is biased", "an unbiased one; give qsgd:16, low-precision:1e-3 or exact");
  if (is_small_need && kind == CodecClass::unbiased && p > 0 && !(codec->constant(p) < 1))
    throw refuse(fmt::format("its error may be {:.3g} times as large as the message, squared, at {} coordinates",
                             codec->constant(p), p),
                 "less than 1; give qsgd-rescaled in place of qsgd, top-k:0.1, low-precision:1e-3 or exact");
}

namespace {

// The reference of an unbiased code's differences must not follow its noise: a ≤ 1/(1 + ω) (LEAD).
void require_averaging(const Config& config, const AlgorithmRow& row, std::size_t p) {
  if (row.codec != CodecNeed::unbiased) return;
  const auto codec = make_codec(config.codec);
  if (codec->kind() != CodecClass::unbiased) return;
  const double most = 1 / (1 + codec->constant(p)), a = static_cast<double>(parameter_options(config, row).averaging);
  if (a <= most * (1 + 1e-6)) return;
  throw InputError(
      "--averaging {:g}: with --codec {}, whose squared error may be {:.3g} times the message's at {} coordinates, {} "
      "diverges; give --averaging {:.2g} or less and a smaller --gamma, or a finer code, for example "
      "low-precision:1e-3",
      a, config.codec, codec->constant(p), p, row.name, 0.99 * most);
}

}  // namespace

void require_codecs(std::span<const Config> resolved, const DataSplit& data) {
  for (const Config& config : resolved) {
    const AlgorithmRow& row = find_algorithm(config.algorithm);
    if (row.codec == CodecNeed::models) continue;  // else p matters
    const std::size_t p = make_problem(model_request(config), data.train)->dimension();
    require_codec(config.codec, row, p);
    require_averaging(config, row, p);
  }
}

Setup::Setup(const Config& resolved, const DataSplit& data)
    : config(resolved),
      row(find_algorithm(config.algorithm)),
      problem(make_problem(model_request(config), data.train)),
      network(make_network(parse_graph(config.graph), parse_mixing(config.mixing), config.nodes, config.seed)),
      shards(make_shards(data.train, parse_partition(config.partition), config.nodes, config.samples_per_node,
                         config.seed)),
      codec(make_codec(row.quantizes ? config.codec : "exact")),
      speed(make_speed_model(config.speed, config.seed, config.nodes)),
      penalty{.lambda = config.l2, .per = config.l2_per == "batch" ? Penalty::Per::batch : Penalty::Per::dataset},
      augmentation(parse_augmentation(config.augment)),
      machine(machine_for(config, *problem)) {
  require_codec(config.codec, row, problem->dimension());
  require_averaging(config, row, problem->dimension());
  require_images(augmentation, data.train);
  (void)predicted_ranks(config, machine);
}

bool is_drawn_by_replay(const Config& resolved) { return resolved.curve == "replay" && resolved.engine == "threads"; }

Run Setup::run() const {
  const MachineCosts* costs = machine ? &machine->costs(codec->name()) : nullptr;
  Options options = parameter_options(config, row);
  const double epoch = static_cast<double>(shards.per_node) / config.batch;
  AlphaSchedule steps = alpha_schedule("--alpha", config.alpha, step_horizon(config), epoch);
  options.alpha = steps.pieces.empty() ? static_cast<Real>(step_size("--alpha", config.alpha, step_horizon(config)))
                                       : steps.pieces.front().alpha;
  options.epsilon = static_cast<Real>(step_size("--epsilon", config.epsilon, step_horizon(config)));
  options.batch = config.batch;
  return {.algorithm = row,
          .options = options,
          .steps = std::move(steps),
          .problem = *problem,
          .network = network,
          .shards = shards,
          .codec = *codec,
          .penalty = penalty,
          .augmentation = augmentation,
          .deadline = deadline_rule(config, speed.get(), costs),
          .speed = speed.get(),
          .machine = costs,
          .ranks = predicted_ranks(config, machine),
          .link = parse_link(config.link),
          .charge_wire_bits = config.bits == "wire",
          .sync = config.sync == "barrier" ? Sync::barrier : Sync::neighbourhood,
          .iterations = config.iterations,
          .max_time = config.max_time,
          .evaluations = config.evaluations,
          .seed = config.seed,
          .threads = config.threads,
          .oversubscribe = config.oversubscribe,
          .placement = parse_placement(config.placement, config.smt),
          .interference = parse_interference(config.interference, config.nodes),
          .faults = parse_faults(config.fault, config.nodes),
          .patience_s = config.patience,
          .record_folder = folder_of(config.output),
          .keeps_log = !config.no_record,
          .copies_models = !is_drawn_by_replay(config),
          .counters = config.counters ? std::optional(Metering{}) : std::nullopt,
          .gradient_until_deadline = uses_deadline(config, row)};
}

}  // namespace quantimed
