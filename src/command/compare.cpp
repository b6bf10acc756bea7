// Algorithms × seeds, paired: a run of each algorithm with each seed sees the same graph, start, samples and speeds.
#include "algorithm/table.hpp"
#include "base/error.hpp"
#include "command/commands.hpp"
#include "command/comparison.hpp"
#include "command/experiment.hpp"
#include "command/progress_line.hpp"
#include "command/signals.hpp"
#include "command/table_text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

namespace quantimed {

namespace {

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

  std::vector<ComparedRun> results;
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
      results.push_back(compared_run(std::move(trace), "", repeat));
    }
  }
  const std::string text =
      setting(runs.front(), given) + "\n" +
      comparison_text(algorithms, results, given.target_loss.empty() ? 0 : given.target_loss.front());
  write_text(folder + "/table.md", text);
  if (interrupted) fmt::print("Stopped by a signal in run {} of {}.\n\n", results.size(), runs.size());
  fmt::print("{}Traces and this table: {}/\n", text, folder);
  const bool diverged =
      std::any_of(results.begin(), results.end(), [](const ComparedRun& r) { return r.status == RunStatus::diverged; });
  return interrupted ? kInterrupted : diverged ? kDiverged : kDone;
}

}  // namespace quantimed
