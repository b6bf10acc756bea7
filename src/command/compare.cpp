// Algorithms × seeds, paired: a run of each algorithm with each seed sees the same graph, start, samples and speeds.
#include "algorithm/table.hpp"
#include "base/error.hpp"
#include "command/commands.hpp"
#include "command/experiment.hpp"
#include "command/progress_line.hpp"
#include "command/signals.hpp"
#include "command/table_text.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <cmath>
#include <filesystem>

namespace quantimed {

namespace {

constexpr const char* kBaseline = "dsgd";

// What the table needs of a run; the trace itself is on disk.
struct RunResult {
  std::string algorithm;
  std::uint64_t seed;
  std::uint32_t repeat;
  RunStatus status;
  std::string verdict;
  Progress curve;
  Attributes summary;
  bool counts() const { return status == RunStatus::complete && verdict == "VALID"; }
};

// One line of the table.
struct Row {
  std::string algorithm;
  Spread time, speed_up, final_loss, accuracy;
  double paper_bits, wire_bits, wait_share;
  std::size_t missed, runs, left_out;
};

std::vector<double> collect(const std::vector<const RunResult*>& runs, auto figure) {
  std::vector<double> values;
  for (const RunResult* run : runs)
    if (run->counts()) values.push_back(figure(*run));
  return values;
}

std::vector<const RunResult*> runs_of(const std::vector<RunResult>& results, const std::string& algorithm) {
  std::vector<const RunResult*> runs;
  for (const RunResult& run : results)
    if (run.algorithm == algorithm) runs.push_back(&run);
  return runs;
}

// The lowest loss that every run that counts has reached, so that none is left without a time; or the one given.
// NaN where there is none: no run counts, or one starts at the target already.
double choose_target(const std::vector<RunResult>& results, double given) {
  double target = given > 0 ? given : -kForever, start = kForever;
  for (const RunResult& run : results) {
    if (!run.counts()) continue;
    start = std::min(start, run.curve.loss.front());
    if (!(given > 0)) target = std::max(target, *std::min_element(run.curve.loss.begin(), run.curve.loss.end()));
  }
  return std::isfinite(start) && target < start ? target : std::nan("");
}

// Time of the baseline over time of this algorithm, for each seed and repeat that has both. 0 where only the baseline
// reached the target, ∞ where only this algorithm did.
std::vector<double> paired_speed_ups(const std::vector<const RunResult*>& runs,
                                     const std::vector<const RunResult*>& baseline, double target) {
  std::vector<double> ratios;
  for (const RunResult* run : runs)
    for (const RunResult* other : baseline)
      if (run->seed == other->seed && run->repeat == other->repeat && run->counts() && other->counts()) {
        const double mine = time_to_target(run->curve, target), theirs = time_to_target(other->curve, target);
        if (std::isfinite(mine) || std::isfinite(theirs)) ratios.push_back(theirs / mine);  // ∞ / x, x / ∞ = 0
      }
  return ratios;
}

Row make_row(const std::vector<RunResult>& results, const std::string& algorithm, double target) {
  const auto runs = runs_of(results, algorithm);
  const auto times = collect(runs, [&](const RunResult& r) { return time_to_target(r.curve, target); });
  const auto median_of = [&](const char* name) {
    return spread(collect(runs, [&](const RunResult& r) { return number(r.summary, name, std::nan("")); })).median;
  };
  return {.algorithm = algorithm,
          .time = spread(times),
          .speed_up = spread(paired_speed_ups(runs, runs_of(results, kBaseline), target)),
          .final_loss = spread(collect(runs, [](const RunResult& r) { return r.curve.loss.back(); })),
          .accuracy = spread(collect(runs, [](const RunResult& r) { return r.curve.test_accuracy.back(); })),
          .paper_bits = median_of("paper_bits_per_coordinate"),
          .wire_bits = median_of("wire_bits_per_coordinate"),
          .wait_share = median_of("wait_share"),
          .missed = static_cast<std::size_t>(
              std::count_if(times.begin(), times.end(), [](double t) { return std::isinf(t); })),
          .runs = runs.size(),
          .left_out = runs.size() - times.size()};
}

std::string format_table(const std::vector<Row>& rows, const std::vector<std::string>& header) {
  std::vector<std::vector<std::string>> cells = {header};
  for (const Row& row : rows)
    cells.push_back({row.algorithm, spread_text(row.time, " s"), spread_text(row.speed_up, "×", "∞"),
                     spread_text(row.final_loss),
                     std::isnan(row.accuracy.median) ? "—" : fmt::format("{:.1f} %", 100 * row.accuracy.median),
                     std::isnan(row.wire_bits) ? "—" : fmt::format("{:.4g} / {:.2f}", row.paper_bits, row.wire_bits),
                     std::isnan(row.wait_share) ? "—" : fmt::format("{:.1f} %", 100 * row.wait_share),
                     fmt::format("{} of {}", row.runs - row.missed - row.left_out, row.runs)});
  return table_text(cells);
}

// What the table says, in a sentence, and what keeps it from saying so.
std::string verdict(const std::vector<RunResult>& results, const std::vector<Row>& rows, double target) {
  std::string text;
  std::vector<std::string> invalid;
  for (const RunResult& run : results)
    if (run.verdict != "VALID") invalid.push_back(run.verdict);
  for (const auto& [why, runs] : tally(invalid)) text += fmt::format("{} ({} of {} runs)\n", why, runs, results.size());
  for (const Row& row : rows)
    if (row.left_out > 0)
      text += fmt::format("{}: {} of {} runs diverged, were stopped or are INVALID, and are not in the table\n",
                          row.algorithm, row.left_out, row.runs);
  if (std::isnan(target))
    return text + "There is no target to compare times to: no run counts, or one starts below the target.\n";
  const auto fastest = std::min_element(rows.begin(), rows.end(), [](const Row& a, const Row& b) {
    return std::isnan(b.time.median) || a.time.median < b.time.median;
  });
  if (fastest == rows.end() || !std::isfinite(fastest->time.median)) return text + "No algorithm reached the target.\n";
  text += fmt::format("Fastest to the target: {}", fastest->algorithm);
  for (const Row& row : rows) {
    if (&row == &*fastest || std::isnan(row.time.median)) continue;
    const Spread ratio =
        spread(paired_speed_ups(runs_of(results, fastest->algorithm), runs_of(results, row.algorithm), target));
    text += std::isinf(ratio.median) ? fmt::format("; {} missed it", row.algorithm)
                                     : fmt::format("; {:.2f}× [{:.2f}–{:.2f}] faster than {}", ratio.median, ratio.min,
                                                   ratio.max, row.algorithm);
  }
  return text + ".\n";
}

// `given`: before the published step sizes were filled in.
std::string setting(const Config& c, const Config& given) {
  const std::string clock = c.engine == "virtual" ? "virtual time" : "real time, one node a core";
  return fmt::format(
      "{}, {} nodes, {}, {}, batch {}, {} iterations, speed {}, link {}{}\nstep sizes: {}", clock, c.nodes, c.dataset,
      c.model, c.batch, c.iterations, c.speed, c.link, c.engine == "virtual" ? fmt::format(", {} bits", c.bits) : "",
      given.alpha.empty() && given.epsilon.empty() ? "the published ones for MNIST and 50 nodes, not tuned here"
                                                   : "as given");
}

std::vector<Config> plan(const Config& given, const std::vector<std::string>& algorithms, const std::string& folder) {
  if (given.engine == "virtual" && given.repeats > 1)
    throw InputError("--repeats {}: in virtual time repeats are the same to the bit; give more --seeds", given.repeats);
  std::vector<Config> runs;
  for (const std::uint64_t seed : given.seeds)
    for (std::uint32_t repeat = 0; repeat < given.repeats; ++repeat)
      for (const std::string& algorithm : algorithms) {  // in turn, so that drift of the machine meets all alike
        Config config = given;
        config.algorithm = algorithm;
        config.seed = seed;
        config.output = fmt::format("{}/{}-seed{}{}.h5", folder, algorithm, seed,
                                    given.repeats > 1 ? fmt::format("-repeat{}", repeat + 1) : "");
        config = resolve(config);
        config.repeats = 1;
        runs.push_back(config);
      }
  return runs;
}

}  // namespace

int compare_command(const Request& request) {
  const Config& given = request.config;
  std::vector<std::string> algorithms = given.algorithms;
  if (algorithms.empty())
    for (const AlgorithmRow& row : algorithm_table()) algorithms.emplace_back(row.name);
  const std::string folder = given.output.empty() ? "runs/compare-" + given.engine : given.output;
  const std::vector<Config> runs = plan(given, algorithms, folder);
  if (given.dry_run) {
    for (const Config& config : runs) fmt::print("# {}\n{}\n", config.output, to_ini(config));
    return kDone;
  }
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  require_writable_folder(folder, "--output", folder);
  DataSplit data = load_data(runs.front());
  std::uint64_t data_seed = runs.front().seed;
  catch_signals();

  std::vector<RunResult> results;
  bool interrupted = false;
  {
    ProgressLine line(runs.size(), given.quiet);
    for (std::size_t k = 0; k < runs.size() && !interrupted; ++k) {
      const std::string name = fmt::format("{} seed {}", runs[k].algorithm, runs[k].seed);
      if (is_generated(runs[k].dataset) && runs[k].seed != data_seed) {  // a run alone would see its own seed's data
        data = load_data(runs[k]);
        data_seed = runs[k].seed;
      }
      Trace trace = run_experiment(runs[k], data, [&](double done) { line.show(k, name, done); });
      interrupted = trace.status == RunStatus::interrupted;
      const std::uint32_t repeat = static_cast<std::uint32_t>(k / algorithms.size()) % given.repeats;
      results.push_back({runs[k].algorithm, runs[k].seed, repeat, trace.status, trace.verdict,
                         std::move(trace.progress), std::move(trace.summary)});
    }
  }
  const double target = choose_target(results, given.target_loss);
  std::vector<Row> rows;
  rows.reserve(algorithms.size());
  for (const std::string& algorithm : algorithms) rows.push_back(make_row(results, algorithm, target));
  const std::string text = fmt::format(
      "{}\n{} runs of each (seeds {}{}); median [min–max]; target {}\n\n{}\n{}", setting(runs.front(), given),
      given.seeds.size() * given.repeats, fmt::join(given.seeds, ", "),
      given.repeats > 1 ? fmt::format("; {} repeats", given.repeats) : "",
      given.target_loss > 0 ? "given" : "the lowest loss that every run reached",
      format_table(rows, {"algorithm", std::isnan(target) ? "no target" : fmt::format("time to loss {:.4g}", target),
                          fmt::format("speed-up over {}", kBaseline), "final loss", "test accuracy",
                          "bits: paper / wire", "waiting", "reached"}),
      verdict(results, rows, target));
  write_text(folder + "/table.md", text);
  if (interrupted) fmt::print("Stopped by a signal in run {} of {}.\n\n", results.size(), runs.size());
  fmt::print("{}Traces and this table: {}/\n", text, folder);
  const bool diverged =
      std::any_of(results.begin(), results.end(), [](const RunResult& r) { return r.status == RunStatus::diverged; });
  return interrupted ? kInterrupted : diverged ? kDiverged : kDone;
}

}  // namespace quantimed
