// SPDX-License-Identifier: BSD-3-Clause
#include "algorithm/table.hpp"
#include "base/error.hpp"
#include "base/path_kind.hpp"
#include "base/streams.hpp"
#include "command/budget.hpp"
#include "command/commands.hpp"
#include "command/counts.hpp"
#include "command/experiment.hpp"
#include "command/fom.hpp"
#include "command/outputs.hpp"
#include "command/progress_line.hpp"
#include "command/resumption.hpp"
#include "command/signals.hpp"

#include <fmt/format.h>

#include <cmath>
#include <cstdio>
#include <filesystem>
#include <optional>
#include <span>

namespace quantimed {

namespace {

int exit_status(const Trace& trace) {
  switch (trace.status) {
    case RunStatus::diverged:
      return kDiverged;
    case RunStatus::interrupted:
      return kInterrupted;
    default:
      return kDone;
  }
}

// The output's folder: made where it is ours (runs/), required where the user named it.
void prepare_output(const Config& given, const Config& resolved) {
  const std::string folder = std::filesystem::path(resolved.output).parent_path().string();
  if (given.output.empty()) make_folder("--output", folder);
  if (kind_of_path("--output", resolved.output) == PathKind::folder)
    throw InputError("--output {}: is a folder; give the name of a file", resolved.output);
  require_writable_folder(folder, "--output", resolved.output);
}

// 20,000; the mean of nodes that are at several iterations is told to a tenth.
std::string grouped(double number) {
  const std::string text = fmt::format("{:.10g}", std::round(10 * number) / 10);
  const std::size_t whole = std::min(text.find('.'), text.size());
  std::string result = text.substr(whole);
  for (std::size_t end = whole; end > 0; end -= std::min<std::size_t>(end, 3)) {
    const std::size_t begin = end - std::min<std::size_t>(end, 3);
    result = text.substr(begin, end - begin) + (end == whole ? "" : ",") + result;
  }
  return result;
}

// Of a run that was interrupted the last point lies before the place where it stopped.
std::string loss_text(const Trace& trace) {
  const Progress& curve = trace.progress;
  const std::string start = fmt::format("{:.4g} at the start", curve.loss.front());
  if (trace.status != RunStatus::interrupted) return fmt::format("{}, {:.4g} at the end", start, curve.loss.back());
  if (curve.loss.size() == 1) return start + "; it was not evaluated again yet";
  return fmt::format("{}, {:.4g} when it was last evaluated, at iteration {}", start, curve.loss.back(),
                     grouped(curve.iteration.back()));
}

// The extremes at the curve's last point, where there are few enough to look at.
std::string classes_text(const Trace& trace) {
  constexpr std::size_t kMostClasses = 20;
  const Classes& classes = trace.classes;
  const std::size_t count = classes.label.size();
  if (count == 0 || count > kMostClasses || trace.progress.class_accuracy.size() < count) return {};
  const auto last = std::span(trace.progress.class_accuracy).last(count);
  std::optional<std::size_t> worst, best;  // of equals the first
  double samples = 0;
  for (std::size_t c = 0; c < count; ++c) {
    samples += classes.samples[c];
    if (std::isnan(last[c])) continue;
    if (!worst || last[c] < last[*worst]) worst = c;
    if (!best || last[c] > last[*best]) best = c;
  }
  if (!worst) return {};
  const auto one = [&](std::size_t c) { return fmt::format("{:.1f} % of class {}", 100 * last[c], classes.label[c]); };
  return fmt::format("worst {}, best {}, among {} {} samples", one(*worst), one(*best), grouped(samples), classes.set);
}

// On the run's clock, and on both where it has two.
void print_times(const Trace& trace, const Config& config) {
  const auto figure = [&](const char* name) { return number(trace.summary, name, std::nan("")); };
  fmt::print("  time        {:.6g} s on the run's clock ({:.2f} s wall, {:.2f} s of it evaluation)\n",
             figure("end_time_s"), figure("wall_time_s"), figure("evaluation_time_s"));
  if (!std::isnan(figure("end_time_paper_bits_s")) && !std::isnan(figure("end_time_wire_bits_s")))
    fmt::print("              {:.6g} s by the bits on the wire, {:.6g} s by the paper's count\n",
               figure("end_time_wire_bits_s"), figure("end_time_paper_bits_s"));
  for (const double target : config.target_loss) {
    const double time = time_to_target(trace.progress, target);
    const double energy = energy_at(trace.progress, time);
    fmt::print("  to loss {:<4g}{}{}\n", target, std::isinf(time) ? " missed" : fmt::format(" {:.6g} s", time),
               std::isfinite(energy) ? fmt::format(", {:.4g} J", energy) : "");
  }
}

void print_result(const Trace& trace, const Config& config, const DataSplit& data) {
  const auto figure = [&](const char* name) { return number(trace.summary, name, std::nan("")); };
  const bool is_valid = trace.verdict.is_valid();  // an invalid time is never printed as a result
  fmt::print("{} on {}, {} nodes, {}: {}{}\n", config.algorithm, config.dataset, config.nodes,
             config.engine == "virtual" ? "virtual time" : "real time", to_string(trace.status),
             is_valid ? "" : ", INVALID");
  fmt::print("  data        {}\n", describe(data));
  fmt::print("  loss        {}\n", loss_text(trace));
  if (!std::isnan(figure("optimal_loss")))
    fmt::print("  gap         {:.4g} above f* = {:.10g} (known to {:.1g}) at the last point\n", figure("final_gap"),
               figure("optimal_loss"), figure("optimal_loss_error"));
  if (!std::isnan(figure("final_gap_by_samples")) && *find_algorithm(config.algorithm).minimises)
    fmt::print(
        "  weighted    {:.4g} above the least of the nodes' losses weighted by the samples that they computed, {:g} to "
        "{:g} a node\n",
        figure("final_gap_by_samples"), figure("least_samples_of_a_node"), figure("most_samples_of_a_node"));
  if (!std::isnan(figure("final_accuracy")))
    fmt::print("  accuracy    {:.1f} % training{}\n", 100 * figure("final_accuracy"),
               std::isnan(figure("final_test_accuracy"))
                   ? ""
                   : fmt::format(", {:.1f} % test", 100 * figure("final_test_accuracy")));
  if (const std::string classes = classes_text(trace); !classes.empty()) fmt::print("  classes     {}\n", classes);
  if (is_valid) print_times(trace, config);
  fmt::print("  batch       {:.1f} samples a node and iteration, {:.4g} iterations\n", figure("mean_batch"),
             figure("iterations"));
  fmt::print("  bits        {:.4g} a coordinate on the paper's clock, {:.2f} on the wire\n",
             figure("paper_bits_per_coordinate"), figure("wire_bits_per_coordinate"));
  if (is_valid)
    fmt::print(
        "  time spent  {:.1f} % computing, {:.1f} % waiting, {:.1f} % exchanging, {:.1f} % encoding, {:.1f} % mixing, "
        "{:.1f} % publishing and recording\n",
        100 * figure("compute_share"), 100 * figure("wait_share"), 100 * figure("exchange_share"),
        100 * figure("encode_share"), 100 * figure("mix_share"),
        100 * (figure("publish_share") + figure("record_share")));
  fmt::print("{}", counts_text(trace));
  if (const std::string rule = text(trace.environment, "cores_rule", "all"); !rule.starts_with("all"))
    fmt::print("  cores       {}\n", rule);
  if (trace.network.redraws > 0)
    fmt::print("  graph       redrawn {} times until it was connected\n", trace.network.redraws);
  if (const std::string lost = text(trace.summary, "lost_nodes", "none"); lost != "none")
    fmt::print("  lost nodes  {}\n", lost);
  for (const std::string& warning : trace.warnings) fmt::print("  WARNING     {}\n", warning);
  if (const std::string resumed = text(trace.summary, "resumed_at_iteration", ""); !resumed.empty())
    fmt::print("  resumed     at iteration {}\n", resumed);
  fmt::print("  verdict     {}\n", trace.verdict);
  if (!is_valid)
    fmt::print(
        "              its times are not shown; do not compare or publish its figures. What to do for each reason:\n"
        "              results/README.md, \"Why is my run INVALID?\"\n");
  fmt::print("  trace       {}\n", config.output);
  if (trace.status == RunStatus::interrupted)
    fmt::print(
        "Interrupted at iteration {} of {}. {}\n", grouped(figure("iterations")), grouped(config.iterations),
        trace.checkpoint ? fmt::format("Resume: quantimed run --resume {}", config.output) : "It cannot be resumed.");
}

// One for each repeat.
std::vector<Config> runs_of(const Config& config) {
  if (config.repeats == 1) return {config};
  std::vector<Config> runs;
  for (std::uint32_t repeat = 0; repeat < config.repeats; ++repeat) {
    const std::filesystem::path path(config.output);
    const std::string name = fmt::format("{}-repeat{}{}", path.stem().string(), repeat + 1, path.extension().string());
    runs.push_back(config);
    runs.back().output = (path.parent_path() / name).string();
  }
  return runs;
}

bool wants_fom(const Request& request) {
  for (const auto& [name, value] : request.given) {
    if (name != "fom") continue;
    if (value != "true" && value != "false")
      throw InputError("--fom {}: neither true nor false; give --fom alone", value);
    return value == "true";
  }
  return false;
}

int resume_command(const Request& request) {
  const bool fom = wants_fom(request);
  Resumption resumption = prepare_resumption(request);
  const Config config = resumption.config;
  if (config.dry_run) {
    fmt::print("{}", to_ini(config));
    return kDone;
  }
  const DataSplit data = load_data(config);
  ProgressLine line(1, config.quiet);
  const Trace trace = run_experiment(
      config, data, [&](double done) { line.show(0, config.algorithm, done); }, &resumption);
  line.clear();
  if (!config.quiet) print_result(trace, config, data);
  if (fom) fmt::print("{}", fom_lines(trace));
  return exit_status(trace);
}

}  // namespace

int run_command(const Request& request) {
  catch_signals();  // before anything that takes long
  if (!request.config.resume.empty()) return resume_command(request);
  const bool fom = wants_fom(request);
  refuse_equal_repeats(request.config);
  const Config config = resolve(request.config);
  if (config.dry_run) {
    fmt::print("{}", to_ini(config));
    return kDone;
  }
  if (!config.quiet)
    for (const std::string& notice : idle_notices(request)) tell("quantimed: {}\n", notice);
  prepare_output(request.config, config);
  const std::vector<Config> runs = runs_of(config);
  require_replaceable(runs, false);
  const DataSplit data = load_data(config);
  const Fingerprints contents = fingerprints_of(config, data);
  ProgressLine line(runs.size(), config.quiet);
  int status = kDone;
  for (std::size_t k = 0; k < runs.size() && status != kInterrupted; ++k) {
    const Config& one = runs[k];
    std::optional<Trace> trace = finished_run(one, contents);
    if (trace && !config.quiet) fmt::print("kept: {} is complete already; --overwrite runs it again\n", one.output);
    if (const std::string notice = epsilon_notice(request.config, one); !trace && !notice.empty() && !one.quiet)
      tell("quantimed: {}\n", notice);
    if (!trace) trace = run_experiment(one, data, [&](double done) { line.show(k, one.algorithm, done); });
    line.clear();
    if (!config.quiet) print_result(*trace, one, data);
    if (fom) fmt::print("{}", fom_lines(*trace));
    status = std::max(status, exit_status(*trace));
  }
  return status;
}

}  // namespace quantimed
