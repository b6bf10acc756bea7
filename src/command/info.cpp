// SPDX-License-Identifier: BSD-3-Clause
#include "algorithm/table.hpp"
#include "base/error.hpp"
#include "blas/blas.hpp"
#include "command/commands.hpp"
#include "command/experiment.hpp"
#include "command/info_text.hpp"
#include "command/jitter_text.hpp"
#include "command/outputs.hpp"
#include "command/progress_line.hpp"
#include "config/algorithm_options.hpp"
#include "dataset/dataset.hpp"
#include "machine/counters.hpp"
#include "machine/energy.hpp"
#include "machine/machine.hpp"
#include "machine/placement.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

namespace quantimed {

namespace {

void print_jitter(const Machine& machine, bool quiet) {
  ProgressLine line(1, quiet);
  std::function<void(double)> progress;  // none where nobody sees it: telling is jitter too
  if (line.active()) progress = [&](double done) { line.show(0, "jitter", done); };
  const std::vector<CoreJitter> cores = measure_jitter(usable_cores(), progress);
  line.clear();
  fmt::print("\n{}", jitter_text(cores, machine.clock_cost_ns));
}

// What a run would read: /data of its trace.
int print_contents(const Config& config) {
  const DataSplit data = load_data(config);
  fmt::print("{}", to_text(data_attributes(data, fingerprints_of(config, data))));
  return kDone;
}

// Options of a run tell info nothing else.
void refuse_without_contents(const Request& request) {
  for (const auto& [name, value] : request.given)
    if (name != "quiet" && name != "jitter" && name != "dependencies" && name != "algorithms" && name != "json")
      throw InputError("--{}: tells info what to read; add --contents, or leave it out", name);
}

bool is_given(const Request& request, const std::string& option) {
  return std::ranges::any_of(request.given, [&](const auto& one) { return one.first == option; });
}

// One question at a time: the others would have no answer.
void refuse_two_questions(const Request& request) {
  std::vector<const char*> asked;
  for (const char* question : {"contents", "dependencies", "jitter", "algorithms"})
    if (is_given(request, question)) asked.push_back(question);
  if (asked.size() > 1) throw InputError("--{} --{}: two questions; ask one at a time", asked[0], asked[1]);
  if (request.config.contents && request.config.json)
    throw InputError("--json: --contents is text; leave one of them out");
}

std::vector<std::string> every_algorithm() {
  std::vector<std::string> names;
  for (const AlgorithmRow& row : algorithm_table()) names.emplace_back(row.name);
  return names;
}

// For programs: everything, or with --algorithms these alone.
int print_json(const Request& request) {
  for (const char* other : {"jitter", "dependencies"})
    if (is_given(request, other)) throw InputError("--{}: is not part of --json; leave one of them out", other);
  if (is_given(request, "algorithms")) {
    fmt::print("{}", info_json(nullptr, chosen_algorithms("info", request.config)));
    return kDone;
  }
  blas::use_one_thread();
  blas::admit(1);
  const Machine machine = inspect_machine();
  fmt::print("{}", info_json(&machine, every_algorithm()));
  return kDone;
}

}  // namespace

int info_command(const Request& request) {
  refuse_two_questions(request);
  if (request.config.contents) return print_contents(request.config);
  refuse_without_contents(request);
  if (request.config.json) return print_json(request);
  if (is_given(request, "algorithms")) {
    fmt::print("{}", algorithms_text(chosen_algorithms("info", request.config)));
    return kDone;
  }
  if (request.config.dependencies) {
    fmt::print("{}", dependencies_text());
    return kDone;
  }
  blas::use_one_thread();
  blas::admit(1);
  const Machine machine = inspect_machine();
  fmt::print("machine\n{}", to_text(environment(machine, blas::description(), blas::configuration())));
  fmt::print("\none core multiplies large matrices at {:.1f} GFLOP/s\n", blas::measured_sgemm_rate() / 1e9);
  const std::vector<std::string> problems = concerns(machine, blas::slow_kernels());
  fmt::print("\nwhat is wrong with this machine for timing: {}\n",
             problems.empty() ? "nothing that was looked for" : "");
  for (const std::string& problem : problems) fmt::print("  - {}\n", problem);
  fmt::print("\nwhat --counters has here: {}\nenergy: {}\n", counters_here(kernel_perf()), energy_here(kernel_perf()));
  if (!machine.ignored.empty())
    fmt::print(
        "\nset in the environment, and ignored: {}\n  (--threads, --nodes and --placement say what they would)\n",
        fmt::join(machine.ignored, " "));
  fmt::print("\nalgorithms (--algorithms: more of them)\n");
  for (const AlgorithmRow& row : algorithm_table()) fmt::print("  {:<16}{}\n", row.name, row.help);
  fmt::print("\ndata sets\n");
  for (const KnownDataset& known : known_datasets())
    fmt::print("  {:<29}{}; {}\n", known.name, known.description, known.how_to_get);
  if (request.config.jitter) print_jitter(machine, request.config.quiet);
  return kDone;
}

}  // namespace quantimed
