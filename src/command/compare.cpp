// SPDX-License-Identifier: BSD-3-Clause
// Algorithms × seeds, paired: a run of each algorithm with each seed sees the same graph, start, samples and speeds.
#include "algorithm/table.hpp"
#include "base/error.hpp"
#include "base/path_kind.hpp"
#include "command/budget.hpp"
#include "command/certificate.hpp"
#include "command/commands.hpp"
#include "command/compared_steps.hpp"
#include "command/comparison.hpp"
#include "command/experiment.hpp"
#include "command/outputs.hpp"
#include "command/progress_line.hpp"
#include "command/resumption.hpp"
#include "command/setup.hpp"
#include "command/signals.hpp"
#include "command/study_file.hpp"
#include "command/table_text.hpp"
#include "config/algorithm_options.hpp"
#include "timing/faults.hpp"
#include "timing/link_model.hpp"
#include "timing/speed_model.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <set>

namespace quantimed {

namespace {

// `runs`: of which those of one algorithm have the same options but for their steps and seed.
std::string steps_text(const std::vector<Config>& runs, const Config& given, const DataSplit& data) {
  if (given.alpha.empty() && given.epsilon.empty()) {
    const bool are_published =
        std::ranges::all_of(runs, [](const Config& run) { return find_algorithm(run.algorithm).is_compared; });
    return are_published ? "the published ones for MNIST and 50 nodes, not tuned here"
                         : "where tuning may begin, published for the paper's four alone; not tuned here";
  }
  if (given.tuned_by.empty()) return "as given; nothing says that they were tuned with equal budgets";
  std::string tuning;
  std::set<std::string> asked;
  for (const Config& run : runs) {
    if (!asked.insert(run.algorithm).second) continue;
    Config all = run;  // resolved, but with everybody's steps
    all.alpha = given.alpha;
    all.epsilon = given.epsilon;
    all.deadline = given.deadline;
    tuning = tuning_of(all, given.seeds, certified_data(run, data));
    if (!is_tuned_fairly(tuning)) return "WARNING: they were tuned for " + tuning;
  }
  return "tuned with " + tuning;
}

// `given`: before the published step sizes were filled in.
std::string setting(const std::vector<Config>& runs, const Config& given, const std::vector<std::string>& algorithms,
                    const Budget& budget, const DataSplit& data) {
  const Config& c = runs.front();
  const std::string clock = c.engine == "virtual" ? "virtual time" : "real time, one node a core";
  const std::string share = std::isfinite(budget.time) ? fmt::format("{:g} s for every algorithm", budget.time)
                                                       : fmt::format("{} iterations of every algorithm", c.iterations);
  return fmt::format("{}, {} nodes, {}, {}, batch {}, {}, speed {}, link {}{}\n{}step sizes: {}", clock, c.nodes,
                     c.dataset, c.model, c.batch, share, speed_in_words(c.speed), in_words(parse_link(c.link)),
                     c.engine != "virtual" ? ""
                     : c.bits == "wire"    ? ", bits on the wire"
                                           : ", paper's bits",
                     own_options_text(given, algorithms), steps_text(runs, given, data));
}

// Where messages are used as they come, or a node is lost at a moment, values depend on the clock, and a run has that
// one alone.
bool has_one_clock(const Config& resolved) {
  if (resolved.engine != "virtual" || !resolved.machine.empty()) return false;
  if (parse_link(resolved.link).kind == LinkModel::Kind::none) return false;  // both charge nothing
  const Seconds patience = resolved.patience > 0 ? resolved.patience : kUsualPatience_s;
  const std::vector<Fault> faults = parse_faults(resolved.fault, resolved.nodes);
  return find_algorithm(resolved.algorithm).delivery != Delivery::round ||
         std::ranges::any_of(faults, [&](const Fault& fault) { return is_loss(fault, patience); });
}

std::string other_bits(const Config& config) { return config.bits == "wire" ? "paper" : "wire"; }

// The budget of those runs that are made once more for the other count of bits: the same time, and the iterations that
// the algorithm is expected to do in it by that count.
Budget by_other_clock(Budget budget, const std::vector<Config>& algorithms, const DataSplit& data, Paces& paces) {
  for (std::size_t k = 0; k < budget.paces.size(); ++k) {
    if (!has_one_clock(algorithms[k])) continue;
    Config other = algorithms[k];
    other.bits = other_bits(other);
    if (const Pace pace = paces.of(other, data); pace.clock > 0) budget.paces[k] = pace;
  }
  return budget;
}

// What a run is compared as.
struct Part {
  std::size_t steps = 0;  // of all that are compared
  std::uint32_t repeat = 0;
  bool is_second = false;  // the other clock of the run before
};

struct Plan {
  std::vector<Config> runs;
  std::vector<Part> parts;  // [runs]
};

Plan plan(const Config& given, const std::vector<ComparedSteps>& steps, const Budget& budget,
          const Budget& of_other_clock, const std::string& folder) {
  Plan made;
  for (const std::uint64_t seed : given.seeds)
    for (std::uint32_t repeat = 0; repeat < given.repeats; ++repeat)
      for (std::size_t k = 0; k < steps.size(); ++k) {  // in turn, so that drift of the machine meets all alike
        if (signal_came()) return made;
        const ComparedSteps& own = steps[k];
        const std::string name = fmt::format("{}/{}{}-seed{}{}", folder, own.algorithm,
                                             own.number > 0 ? fmt::format("-steps{}", own.number + 1) : "", seed,
                                             given.repeats > 1 ? fmt::format("-repeat{}", repeat + 1) : "");
        Config config = with_steps(given, own);
        config.seed = seed;
        const auto add = [&](const Budget& share, const std::string& output, bool is_second) {
          Config run = with_budget(config, share, own.algorithm_index);
          run.output = output + ".h5";
          run = resolve(run);
          run.repeats = 1;
          made.runs.push_back(run);
          made.parts.push_back({k, repeat, is_second});
        };
        add(budget, name, false);
        if (!has_one_clock(made.runs.back())) continue;
        config.bits = other_bits(config);
        add(of_other_clock, fmt::format("{}-{}", name, config.bits), true);
      }
  return made;
}

// A run by both clocks counts where both do.
void add_clock(ComparedRun& run, ComparedRun&& other) {
  if (run.status == RunStatus::complete && run.verdict == "VALID") {
    run.status = other.status;
    run.verdict = other.verdict;
  }
  std::ranges::move(other.curves, std::back_inserter(run.curves));
  std::ranges::sort(run.curves, {}, &ClockedCurve::clock);
}

// Where the published epsilon is not what runs: of the first run of all step sizes.
std::string notices(const Config& given, const Plan& made) {
  std::string text;
  for (std::size_t k = 0, steps = 0; k < made.runs.size(); ++k) {
    if (made.parts[k].steps != steps || made.parts[k].is_second) continue;
    ++steps;
    if (const std::string notice = epsilon_notice(given, made.runs[k]); !notice.empty()) text += "\n" + notice;
  }
  return text;
}

// What the runs have come to, or those before a signal.
struct Ran {
  std::vector<ComparedRun> results;
  Continued continued = {};
  std::size_t done = 0;
  bool interrupted = false;
};

// `data` are those of `key` (data_key()).
Ran run_all(const Plan& planned, const std::vector<ComparedSteps>& steps, DataSplit& data, std::string key,
            bool is_quiet) {
  Ran ran;
  ComparedRun first;  // may wait for its second clock
  const std::vector<Config>& runs = planned.runs;
  ProgressLine line(runs.size(), is_quiet);
  for (std::size_t k = 0; k < runs.size() && !ran.interrupted; ++k) {
    const std::string name = fmt::format("{} seed {}", runs[k].algorithm, runs[k].seed);
    if (std::string own = data_key(runs[k]); own != key) {  // a run alone would see its own seed's data
      data = load_data_of_another_seed(runs[k]);
      key = std::move(own);
    }
    Trace trace = run_or_continue(runs[k], data, line, k, name, ran.continued);
    ran.interrupted = trace.status == RunStatus::interrupted;
    ran.done += !ran.interrupted;
    const Part& part = planned.parts[k];
    ComparedRun run = compared_run(std::move(trace), "", part.repeat);
    if (part.is_second)
      add_clock(first, std::move(run));
    else
      first = std::move(run);
    if (!ran.interrupted && k + 1 < runs.size() && planned.parts[k + 1].is_second) continue;
    for (const StepsUse& use : steps[part.steps].uses) {
      ran.results.push_back(first);
      ran.results.back().setting = use.setting;
      ran.results.back().for_target = use.for_target;
    }
  }
  return ran;
}

}  // namespace

int compare_command(const Request& request) {
  const Config given = with_one_budget(request);
  const std::vector<std::string> algorithms = chosen_algorithms("compare", given);
  const std::string folder = given.output.empty() ? "runs/compare-" + given.engine : given.output;
  refuse_equal_repeats(given);
  const std::vector<ComparedSteps> steps = plan_steps(given, algorithms);
  std::vector<Config> algorithms_own;  // resolved, with the first seed
  for (const std::string& algorithm : algorithms) {
    Config config = given;
    config.algorithm = algorithm;
    config.seed = given.seeds.front();
    algorithms_own.push_back(resolve(config));
  }
  if (!given.dry_run) {
    make_folder("--output", folder);
    require_writable_folder(folder, "--output", folder);
  }
  StudyFile study("compare", folder, study_config(given, algorithms, algorithms_own.front()));
  DataSplit data = load_data(algorithms_own.front());
  require_codecs(algorithms_own, data);
  study.require_same(data);
  catch_signals();
  Paces paces(folder, given.overwrite);
  const Budget budget = plan_budget(given, algorithms_own, data, paces, study.kept_time());
  if (signal_came()) return kInterrupted;
  const Plan planned = plan(given, steps, budget, by_other_clock(budget, algorithms_own, data, paces), folder);
  if (signal_came()) return kInterrupted;
  const std::vector<Config>& runs = planned.runs;
  if (given.dry_run) {
    for (const Config& config : runs) fmt::print("# {}\n{}\n", config.output, to_ini(config));
    return kDone;
  }
  require_replaceable(runs, true);
  require_own_text(folder + "/comparison.json", comparison_json_mark());
  paces.keep();
  study.write(budget.time);

  const Ran ran = run_all(planned, steps, data, data_key(algorithms_own.front()), given.quiet);
  const std::vector<Comparison> judged = judge_runs(algorithms, ran.results, given.target_loss);
  const std::string text =
      setting(runs, given, algorithms, budget, data) + notices(given, planned) + "\n" + comparison_text(judged);
  const std::string json = comparison_json(judged);
  write_text(folder + "/table.md", table_mark("compare") + text);
  write_text(folder + "/comparison.json", json);
  if (given.json) {
    fmt::print("{}", json);
  } else {
    if (const std::string lines = continued_text(ran.continued); !lines.empty()) fmt::print("{}\n", lines);
    if (ran.interrupted)
      fmt::print("Stopped by a signal after {} of {} runs; {}.\n\n", ran.done, runs.size(), continuing_text(given));
    fmt::print("{}\nTraces, this table and comparison.json: {}/\n", text, folder);
  }
  const bool diverged =
      std::ranges::any_of(ran.results, [](const ComparedRun& r) { return r.status == RunStatus::diverged; });
  const bool is_invalid = !ran.results.empty() && std::ranges::all_of(ran.results, [](const ComparedRun& r) {
    return r.status == RunStatus::complete && r.verdict != "VALID";
  });
  return ran.interrupted ? kInterrupted : diverged ? kDiverged : is_invalid ? kInvalid : kDone;
}

}  // namespace quantimed
