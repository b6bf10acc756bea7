// SPDX-License-Identifier: BSD-3-Clause
// The theorems by experiment: runs along one axis (horizons, deadlines or graphs) × seeds, in virtual time, one run a
// thread; exponents with their uncertainty, held against the promise.
#include "algorithm/table.hpp"
#include "base/build_info.hpp"
#include "base/error.hpp"
#include "base/path_kind.hpp"
#include "base/thread_supply.hpp"
#include "blas/blas.hpp"
#include "command/commands.hpp"
#include "command/experiment.hpp"
#include "command/graph_choice.hpp"
#include "command/outputs.hpp"
#include "command/preflight.hpp"
#include "command/progress_line.hpp"
#include "command/signals.hpp"
#include "command/summary.hpp"
#include "command/table_text.hpp"
#include "command/theory_report.hpp"
#include "config/algorithm_options.hpp"
#include "config/ini.hpp"
#include "timing/recorded_speed.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <fstream>
#include <mutex>
#include <numeric>
#include <thread>

namespace quantimed {

namespace {

constexpr double kMostRecords = 4e7;  // iterations × nodes of all runs at once: about 6 GB of records

// What a user can have got wrong is said before the first run.
void validate_theory(const Config& c) {
  if (const AlgorithmRow& row = find_algorithm(c.algorithm); row.delivery != Delivery::round || !row.sends_its_model)
    throw InputError("--algorithm {}: the theorems do not speak of it; give quantimed-dsgd, q-dsgd or dsgd",
                     c.algorithm);
  if (c.l2 > 0 && c.l2_per != "dataset")
    throw InputError("--l2-per {}: then the gradient is of no fixed function; give dataset", c.l2_per);
  if (!c.deadlines.empty() && !c.graphs.empty())
    throw InputError("--graphs {}: --deadlines is given too; vary one of them", fmt::join(c.graphs, ","));
  const bool is_sweep = !c.deadlines.empty() || !c.graphs.empty();
  if (is_sweep && c.horizons.size() != 1)
    throw InputError("--horizons {}: with --deadlines or --graphs the horizon is fixed; give one",
                     fmt::join(c.horizons, ","));
  const std::size_t points = std::max({c.deadlines.size(), c.graphs.size(), is_sweep ? 0 : c.horizons.size()});
  if (points < kLeastPoints)
    throw InputError("{}: {} points for a slope; give at least {}",
                     !c.deadlines.empty() ? "--deadlines"
                     : !c.graphs.empty()  ? "--graphs"
                                          : "--horizons",
                     points, kLeastPoints);
  if (!c.deadlines.empty() && !uses_deadline(c, find_algorithm(c.algorithm)))
    throw InputError("--deadlines {}: {} has none; give --algorithm quantimed-dsgd", fmt::join(c.deadlines, ","),
                     c.algorithm);
}

// The values of all the points' own options; the rest is common.
std::vector<TheoryPoint> plan_points(const Config& given) {
  const StepSchedule schedule = parse_schedule(given.schedule);
  std::vector<TheoryPoint> points;
  const auto add = [&](Config c, std::uint64_t horizon, const std::string& label) {
    const auto step = [&](double constant, double power) {
      return fmt::format("{}", constant * std::pow(static_cast<double>(horizon), -power));
    };
    c.engine = "virtual";
    c.iterations = static_cast<std::uint32_t>(horizon);
    c.evaluations = c.iterations;
    c.alpha = step(given.c1, powers(schedule).alpha);
    c.epsilon = step(given.c2, powers(schedule).epsilon);
    c.seed = given.seeds.front();  // of the data, the shards and the graph: f and W are the same for all seeds
    const double epsilon = std::stod(c.epsilon);
    if (find_algorithm(c.algorithm).uses_epsilon && epsilon > 1)
      throw InputError("--c2 {}: epsilon is {:.3g} at T = {}, and must not be above 1; give a smaller one", given.c2,
                       epsilon, horizon);
    require_static_graph(c);
    points.push_back({.label = label, .config = resolve(c)});
  };
  for (const std::string& graph : given.graphs) {
    Config c = given;
    c.graph = graph;
    add(c, given.horizons.front(), graph);
  }
  for (const double deadline : given.deadlines) {
    Config c = given;
    c.deadline = fmt::format("{}", deadline);
    add(c, given.horizons.front(), fmt::format("{} s", deadline));
  }
  if (points.empty())
    for (const std::uint64_t horizon : given.horizons) add(given, horizon, fmt::format("{}", horizon));
  return points;
}

// --- what holds for all runs of a point ------------------------------------------------------------

// Null where the solution cannot be computed.
std::shared_ptr<const ConvexProblem> convex_problem(const Setup& setup, const Dataset& data) {
  if (setup.config.model != "least-squares" && setup.config.model != "logistic") return {};
  if (setup.problem->dimension() != data.features)
    throw InputError(
        "--model {}: has several outputs for the {} classes of {}; keep two classes with logistic, or give "
        "data to regress on",
        setup.config.model, data.classes, data.name);
  const ConvexLoss loss = setup.config.model == "logistic" ? ConvexLoss::logistic : ConvexLoss::squared;
  return std::make_shared<ConvexProblem>(data, setup.shards, loss, setup.config.l2);
}

// How the files of a study begin.
constexpr std::pair<const char*, const char*> kOwnFiles[] = {{"measurements.csv", "point,x,seed,horizon,"},
                                                             {"curves.csv", "point,seed,iteration,time_s"},
                                                             {"fits.csv", "quantity,exponent,low,high,bound,finding,"},
                                                             {"constants.csv", "name,value,formula\n"}};

constexpr std::string_view kIniFirst = "# data ";

// What is to be written over is ours, and of these options unless --overwrite. The same options give the same again.
void require_own_files(const std::string& folder, const Config& given) {
  for (const auto& [name, start] : kOwnFiles) require_own_text(fmt::format("{}/{}", folder, name), start);
  require_own_text(folder + "/table.md", table_mark("theory"));
  const std::string ini = folder + "/theory.ini";
  require_own_text(ini, kIniFirst);
  if (given.overwrite || kind_of_path("--output", ini) == PathKind::nothing) return;
  Config earlier = default_config("theory");
  read_ini(ini, earlier);
  earlier.output = given.output;
  earlier.quiet = given.quiet;
  earlier.threads = given.threads;
  if (to_ini(earlier) != to_ini(given))
    throw InputError(
        "--output {}: holds the results of other options ({}); name another folder, or replace them with "
        "--overwrite",
        folder, ini);
}

// The first line of theory.ini.
std::string origin(const DataSplit& data) {
  return fmt::format("{}{}, quantimed {} {}\n", kIniFirst, fingerprint(data), build::kVersion, build::kCommit);
}

void require_same_origin(const std::string& folder, const Config& given, const DataSplit& data) {
  std::string line;
  if (given.overwrite || !std::getline(std::ifstream(folder + "/theory.ini"), line) || line + "\n" == origin(data))
    return;
  throw InputError(
      "--output {}: holds results of other data or of another version ({}); name another folder, or replace them with "
      "--overwrite",
      folder, line.substr(2));
}

class Theory {
 public:
  explicit Theory(const Request& request) : given_(request.config), points_(plan_points(request.config)) {}
  int operator()();

 private:
  void prepare();
  void prepare_axis(TheoryPoint& point) const;
  [[noreturn]] void refuse_twins(const TheoryPoint& one, const TheoryPoint& other) const;
  TheoryRun run(const TheoryPoint& point, std::uint64_t seed, const std::function<void(double)>& report) const;
  void run_all();

  Config given_;
  std::vector<TheoryPoint> points_;
  DataSplit data_;
  TheoryResults results_;
};

// Where the point lies on the axis.
void Theory::prepare_axis(TheoryPoint& point) const {
  const Setup& setup = *point.setup;
  point.seconds_a_sample = mean_seconds_a_sample(*setup.speed, setup.config.nodes);
  const double deadline = setup.run().deadline.fixed_s;
  point.noise_share = deadline > 0 ? std::max(point.seconds_a_sample / deadline, 1.0 / setup.shards.per_node)
                                   : 1.0 / std::min<double>(setup.config.batch, setup.shards.per_node);
  point.x = results_.axis == Axis::deadline ? point.noise_share
            : results_.axis == Axis::graph  ? setup.network.spectral_gap
                                            : static_cast<double>(setup.config.iterations);
}

// Two points at one place are no slope.
void Theory::refuse_twins(const TheoryPoint& one, const TheoryPoint& other) const {
  if (results_.axis == Axis::deadline)
    throw InputError(
        "--deadlines {}: from T_d = {:.3g} s on the theorem counts 1/m = {:.3g} alone; give shorter ones, or "
        "more --samples-per-node",
        fmt::join(given_.deadlines, ","), one.seconds_a_sample * one.setup->shards.per_node, one.x);
  throw InputError("--graphs {}: its spectral gap is that of {}, {:.6g}; leave one out", other.label, one.label, one.x);
}

void Theory::prepare() {
  results_.axis = !given_.deadlines.empty() ? Axis::deadline : !given_.graphs.empty() ? Axis::graph : Axis::horizon;
  results_.schedule = parse_schedule(given_.schedule);
  data_ = load_data(points_.front().config);
  std::shared_ptr<const ConvexProblem> problem;
  std::shared_ptr<const Minimum> minimum;
  for (TheoryPoint& point : points_) {
    point.setup = std::make_shared<Setup>(point.config, data_);
    if (!point.setup->speed)
      throw InputError("--speed {}: virtual time needs one; give uniform:10,90 or another kind", point.config.speed);
    prepare_axis(point);
    if (!problem && (problem = convex_problem(*point.setup, data_.train))) {
      minimum = std::make_shared<Minimum>(minimise(*problem));
      results_.smoothness = smoothness(*problem);
    }
    point.reference = {.problem = problem, .minimum = minimum, .penalty = {}};
    const double alpha = static_cast<double>(point.setup->run().options.alpha);
    if (problem && results_.smoothness.mu > 0)
      point.reference.penalty =
          minimise_penalty(*problem, point.setup->network, alpha, results_.smoothness.mu, minimum->x);
  }
  (void)theory_quantities(given_, results_, problem != nullptr);
  // Towards the limit: T grows, the others fall.
  std::ranges::stable_sort(points_, [&](const TheoryPoint& a, const TheoryPoint& b) {
    return results_.axis == Axis::horizon ? a.x < b.x : a.x > b.x;
  });
  for (std::size_t k = 1; k < points_.size(); ++k)
    if (points_[k].x == points_[k - 1].x) refuse_twins(points_[k - 1], points_[k]);
  const Setup& first = *points_.front().setup;
  check_gradient(*first.problem, first.shards, given_.seeds.front());
  check_codec(*first.codec, *first.problem, given_.seeds.front());
}

TheoryRun Theory::run(const TheoryPoint& point, std::uint64_t seed, const std::function<void(double)>& report) const {
  Run run = point.setup->run();
  const std::unique_ptr<SpeedModel> speed = make_speed_model(point.config.speed, seed, point.config.nodes);
  run.speed = speed.get();
  run.seed = seed;
  run.threads = 1;
  Measurement measurement(run, point.reference, report, signal_came);
  const Outcome outcome = run_virtual(run, measurement);
  TheoryRun result{.seed = seed, .curve = measurement.curve()};
  const Totals totals = add_up(outcome.rounds, run);
  result.mean_batch = totals.samples / totals.gradients;
  result.end_time_s = outcome.end_time;
  if (measurement.has_diverged())
    result.invalid = "diverged; give smaller --c1 or --c2";
  else if (outcome.overflows > 0)
    result.invalid = fmt::format("{} coordinates did not fit the code", outcome.overflows);
  else if (outcome.violations > 0)
    result.invalid = fmt::format("{} blocks were decoded wrongly", outcome.violations);
  else if (result.mean_batch == 0)
    result.invalid = "every batch was empty; give a longer deadline";
  return result;
}

// One run a thread, the longest first.
void Theory::run_all() {
  struct Job {
    std::size_t point, seed;
  };
  std::vector<Job> jobs;
  for (std::size_t k = 0; k < points_.size(); ++k)
    for (std::size_t s = 0; s < given_.seeds.size(); ++s) jobs.push_back({k, s});
  const auto cost = [&](const Job& job) { return static_cast<double>(points_[job.point].config.iterations); };
  std::ranges::stable_sort(jobs, [&](const Job& a, const Job& b) { return cost(a) > cost(b); });
  const double total =
      std::accumulate(jobs.begin(), jobs.end(), 0.0, [&](double sum, const Job& job) { return sum + cost(job); });
  results_.runs.assign(points_.size(), std::vector<TheoryRun>(given_.seeds.size()));

  ProgressLine line(1, given_.quiet);
  std::atomic<std::size_t> next = 0;
  std::mutex mutex;  // of what follows
  double finished = 0;
  std::exception_ptr failure;
  const auto work = [&] {
    for (std::size_t k = next++; k < jobs.size() && !signal_came(); k = next++) try {
        const Job& job = jobs[k];
        const auto report = [&](double done) {
          const std::scoped_lock lock(mutex);
          line.show(0, fmt::format("T = {}", points_[job.point].config.iterations),
                    (finished + done * cost(job)) / total);
        };
        TheoryRun result = run(points_[job.point], given_.seeds[job.seed], report);
        const std::scoped_lock lock(mutex);
        results_.runs[job.point][job.seed] = std::move(result);
        finished += cost(job);
      } catch (...) {
        const std::scoped_lock lock(mutex);
        failure = std::current_exception();
        next = jobs.size();
      }
  };
  {
    std::vector<std::jthread> workers;
    for (std::uint32_t k = 1; k < points_.front().config.threads; ++k) workers.emplace_back(work);
    work();
  }
  if (failure) std::rethrow_exception(failure);
}

int Theory::operator()() {
  blas::use_one_thread();
  Config& first = points_.front().config;
  admit_workers(first);
  require_threads(first.threads - 1);
  const std::string folder = given_.output.empty() ? "runs/theory" : given_.output;
  const double longest = static_cast<double>(std::ranges::max(given_.horizons));
  if (longest * first.nodes * first.threads > kMostRecords)
    throw InputError(
        "--horizons {}: {} nodes on {} threads at once are too many records for memory; give shorter ones, "
        "or fewer --threads",
        longest, first.nodes, first.threads);
  if (given_.dry_run) {
    Config plain = given_;
    fmt::print("{}", to_ini(plain));
    return kDone;
  }
  make_folder("--output", folder);
  require_writable_folder(folder, "--output", folder);
  require_own_files(folder, given_);
  prepare();
  require_same_origin(folder, given_, data_);
  catch_signals();
  run_all();
  results_.is_complete = !signal_came();
  results_.constants = theory_constants(points_, given_.seeds.front(), results_.smoothness);
  write_text(folder + "/theory.ini", origin(data_) + to_ini(given_));
  const std::string text = write_theory(folder, given_, points_, results_);
  if (!results_.is_complete) fmt::print("Stopped by a signal: what was measured is in {}/\n", folder);
  fmt::print("{}", text);
  return results_.is_complete ? kDone : kInterrupted;
}

}  // namespace

int theory_command(const Request& request) {
  validate_theory(request.config);
  return Theory(request)();
}

}  // namespace quantimed
