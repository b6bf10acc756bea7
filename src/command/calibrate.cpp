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
#include "command/spread.hpp"
#include "machine/machine.hpp"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <algorithm>
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
  c.ranks = 0;
  c.hosts = 1;
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

// Two nodes in two ranks, whichever they are. The largest message is an exact model.
Config between_ranks(const Config& config) {
  Config c = bare(config, "dsgd", 1);
  c.engine = "mpi";
  c.nodes = 2;
  c.graph = "complete";
  c.oversubscribe = true;  // nobody computes
  c.deadline = c.alpha = c.epsilon = "";
  return resolve(c);
}

void print_link(const char* pairs_of, const LinkCosts& link) {
  const auto print_point = [&](std::size_t k) {
    fmt::print("  {:>9} B {:>9.4g} us one way [{:.4g} - {:.4g}], {:.4g} us between one and the next",
               link.one_way[k].first, 1e6 * link.one_way[k].second, 1e6 * link.low[k].second, 1e6 * link.high[k].second,
               1e6 * link.gap[k].second);
    fmt::print(": {:.4g} MB/s\n", static_cast<double>(link.gap[k].first) / link.gap[k].second / 1e6);
  };
  fmt::print("messages between ranks {}, {} pair{}, one at a time: median [middle half]\n", pairs_of, link.pairs,
             link.pairs == 1 ? "" : "s");
  for (std::size_t k = 0; k < link.one_way.size(); ++k) print_point(k);
}

}  // namespace

std::optional<MachineFile> calibrate_machine(const Config& config, const DataSplit& data,
                                             const std::function<bool(double)>& progress) {
  blas::use_one_thread();
  const Config resolved = bare(config, "dsgd", kIterations);
  if (resolved.nodes < 2)
    throw InputError("--nodes {}: messages can only be measured between two cores; give 2 or more{}", resolved.nodes,
                     spread_engine() && spread_engine()->ranks() > 1 ? ", and mpirun --bind-to none" : "");
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

bool calibrate_links(const Config& config, const DataSplit& data, const std::function<bool(double)>& progress,
                     MachineFile& file) {
  constexpr std::size_t kShort = 64;
  const Config resolved = between_ranks(config);
  const Setup setup(resolved, data);
  const std::size_t largest = setup.codec->capacity(file.dimension);
  std::vector<std::size_t> sizes = {std::min(kShort, largest)};
  for (const auto& [code, costs] : file.codes)
    sizes.push_back(std::min(largest, make_codec(code)->capacity(file.dimension)));
  std::ranges::sort(sizes);
  sizes.erase(std::unique(sizes.begin(), sizes.end()), sizes.end());
  const MeasuredLinks measured = spread_engine()->measure_links(resolved, data, setup.run(), sizes, progress);
  file.links = measured.links;
  if (!measured.invalid.empty())
    file.invalid += (file.invalid.empty() ? "between ranks: " : "; between ranks: ") + measured.invalid;
  return !measured.is_interrupted;
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
  const bool has_links = spread_engine() && spread_engine()->ranks() > 1;
  if (has_links) (void)between_ranks(config);  // all that is wrong, first
  {
    ProgressLine line(has_links ? 2 : 1, config.quiet);
    machine = calibrate_machine(config, data, [&](double done) {
      line.show(0, "calibrating", done);
      if (has_links) spread_engine()->require_all();
      return !signal_came();
    });
    const auto between = [&](double done) {
      line.show(1, "between ranks", done);
      return !signal_came();
    };
    if (machine && has_links && !calibrate_links(config, data, between, *machine)) machine.reset();
  }
  if (!machine) return kInterrupted;
  write_machine_file(path, *machine);
  if (!config.quiet) {
    fmt::print("{}, {} cores at work; {} on {}, {} coordinates\n", machine->cpu, machine->cores, machine->model,
               machine->dataset, machine->dimension);
    for (const auto& [code, costs] : machine->codes) print_costs(code, costs, config.batch);
    if (machine->links.one_host) print_link("on one host", *machine->links.one_host);
    if (machine->links.two_hosts) print_link("on two hosts", *machine->links.two_hosts);
    fmt::print("Written to {}; predict with: quantimed run --engine virtual --machine {}\n", path, path);
  }
  if (!machine->invalid.empty()) tell("quantimed: do not trust these figures: {}\n", machine->invalid);
  return kDone;
}

}  // namespace quantimed
