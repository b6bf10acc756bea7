// SPDX-License-Identifier: BSD-3-Clause
#include "engine/threads/calibrate.hpp"

#include "base/build_info.hpp"
#include "base/error.hpp"
#include "base/path_kind.hpp"
#include "base/streams.hpp"
#include "blas/blas.hpp"
#include "command/calibration.hpp"
#include "command/commands.hpp"
#include "command/experiment.hpp"
#include "command/outputs.hpp"
#include "command/progress_line.hpp"
#include "command/setup.hpp"
#include "command/signals.hpp"
#include "machine/machine.hpp"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <cstdio>
#include <ctime>
#include <filesystem>

namespace quantimed {

namespace {

constexpr std::uint32_t kIterations = 2000, kDeadlineIterations = 300;

// The machine's own speed, on threads: what the user's speed and link models are not part of.
Config bare(Config c, const std::string& algorithm, std::uint32_t iterations) {
  c.engine = "threads";
  c.algorithm = algorithm;
  c.machine = c.speed = c.link = c.deadline = c.alpha = c.epsilon = c.interference = "";
  c.parameters.clear();
  c.gradient = "";
  c.oversubscribe = false;
  c.deadline_adapt = false;
  c.graph = "ring";  // the fewest neighbours that keep every core at work
  c.iterations = iterations;
  c.evaluations = 1;
  c.max_time = kForever;
  return resolve(c);
}

void print_costs(const std::string& code, const MachineCosts& costs, std::uint32_t batch) {
  fmt::print(
      "{}\n  gradient    {:.4g} us for {} samples, {:.4g} us for one; {:.4g} us a sample until a deadline\n"
      "  update      {:.4g} us with {} neighbour{}, {:.4g} us for each further one\n"
      "  message     {:.4g} us to encode, {:.3g} us to publish, {:.3g} us until it is seen, {:.3g} us to take\n"
      "  records     {:.3g} us an iteration\n",
      code, 1e6 * costs.gradient_time(batch), batch, 1e6 * costs.gradient_time(1), 1e6 * costs.deadline_sample_s,
      1e6 * costs.mix.front().second, costs.mix.front().first, costs.mix.front().first == 1 ? "" : "s",
      1e6 * (costs.mix.back().second - costs.mix.front().second), 1e6 * costs.encode_s, 1e6 * costs.publish_s,
      1e6 * costs.latency_s, 1e6 * costs.receive_s, 1e6 * costs.record_s);
}

}  // namespace

std::optional<MachineFile> calibrate_machine(const Config& config, const DataSplit& data,
                                             const std::function<bool(double)>& progress) {
  blas::use_one_thread();
  const Config resolved = bare(config, "dsgd", kIterations);
  if (resolved.nodes < 2)
    throw InputError("--nodes {}: messages can only be measured between two cores; give 2 or more", resolved.nodes);
  blas::admit(resolved.nodes);
  const Machine machine = inspect_machine();
  const Setup until_deadline(bare(config, "quantimed-dsgd", kDeadlineIterations), data);
  MachineFile file{.cpu = machine.cpu,
                   .created = fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", fmt::gmtime(std::time(nullptr))),
                   .software = fmt::format("{} {}", build::kVersion, build::kCommit),
                   .dataset = config.dataset,
                   .model = config.model,
                   .invalid = {},
                   .placement = config.placement,
                   .data = fingerprint(data),
                   .augment = config.augment.empty() ? "none" : config.augment,
                   .precision = config.precision,
                   .batch = config.batch,
                   .cores = resolved.nodes,
                   .dimension = until_deadline.problem->dimension(),
                   .flops_per_sample = until_deadline.problem->gradient_flops(),
                   .codes = {}};
  double before = 0;
  for (const char* algorithm : {"dsgd", "q-dsgd"}) {
    const Setup fixed(bare(config, algorithm, kIterations), data);
    const Calibration calibration =
        calibrate(fixed.run(), until_deadline.run(), [&](double done) { return progress(before + 0.5 * done); });
    before += 0.5;
    if (calibration.interrupted) return {};
    file.codes[fixed.codec->name()] = calibration.costs;
    if (file.invalid.empty()) file.invalid = calibration.invalid;
  }
  return file;
}

int calibrate_command(const Request& request) {
  Config config = request.config;
  const std::string path = config.output.empty() ? "machine.ini" : config.output;
  if (kind_of_path("--output", path) == PathKind::folder)
    throw InputError("--output {}: is a folder; give the name of a file", path);
  require_writable_folder(std::filesystem::path(path).parent_path().string(), "--output", path);
  require_replaceable_machine_file(path, config.overwrite);
  const DataSplit data = load_data(config);
  catch_signals();
  std::optional<MachineFile> machine;
  {
    ProgressLine line(1, config.quiet);
    machine = calibrate_machine(config, data, [&](double done) {
      line.show(0, "calibrating", done);
      return !signal_came();
    });
  }
  if (!machine) return kInterrupted;
  write_machine_file(path, *machine);
  if (!config.quiet) {
    fmt::print("{}, {} cores at work; {} on {}, {} coordinates\n", machine->cpu, machine->cores, machine->model,
               machine->dataset, machine->dimension);
    for (const auto& [code, costs] : machine->codes) print_costs(code, costs, config.batch);
    fmt::print("Written to {}; predict with: quantimed run --engine virtual --machine {}\n", path, path);
  }
  if (!machine->invalid.empty()) tell("quantimed: do not trust these figures: {}\n", machine->invalid);
  return kDone;
}

}  // namespace quantimed
