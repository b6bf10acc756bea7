// SPDX-License-Identifier: BSD-3-Clause
#include "engine/threads/calibrate.hpp"

#include "base/error.hpp"
#include "channel/round_mailbox.hpp"
#include "channel/wait.hpp"
#include "machine/hardware.hpp"
#include "node/local_gradient.hpp"
#include "node/mix.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <barrier>
#include <chrono>
#include <cmath>
#include <system_error>
#include <thread>

namespace quantimed {

namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t kFewSamples = 4;

Seconds seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

double quantile(std::vector<double> values, double q) {
  check(!values.empty(), "a calibration without a measurement");
  const auto at = values.begin() + static_cast<std::ptrdiff_t>(q * static_cast<double>(values.size() - 1));
  std::nth_element(values.begin(), at, values.end());
  return *at;
}
double median(std::vector<double> values) { return quantile(std::move(values), 0.5); }

// Of a phase over all nodes and rounds, the first tenth left out.
double phase_quantile(const Rounds& rounds, std::vector<float> Rounds::*phase, double q) {
  std::vector<double> values;
  for (std::size_t at = rounds.iterations / 10 * rounds.nodes; at < (rounds.*phase).size(); ++at)
    if (const auto value = static_cast<double>((rounds.*phase)[at]); !std::isnan(value)) values.push_back(value);
  return quantile(std::move(values), q);
}

// Runs end quickly and nobody looks at their models.
class Silent final : public Watcher {
 public:
  explicit Silent(const std::function<bool()>& goes_on) : goes_on_(goes_on) {}
  bool observe(const Cut&) override { return true; }
  bool wants_to_stop() override { return !goes_on_(); }
  void progress(double) override {}
  void checkpoint(const RoundsSource&, std::optional<Checkpoint>) override {}
  bool checkpoint_due() override { return false; }

 private:
  const std::function<bool()>& goes_on_;
};

// ---- gradients ---------------------------------------------------------------------------------------

// 1, 2, 3, 4, 6, 8, … and the run's own batch.
std::vector<std::size_t> batches_around(std::size_t own) {
  std::vector<std::size_t> batches = {1, own};
  for (std::size_t power = 2; power <= std::max<std::size_t>(1024, 2 * own); power *= 2)
    for (const std::size_t batch : {power, power * 3 / 2}) batches.push_back(batch);
  std::sort(batches.begin(), batches.end());
  batches.erase(std::unique(batches.begin(), batches.end()), batches.end());
  return batches;
}

// Of one batch, again and again.
std::vector<double> times_of(std::size_t batch, LocalGradient& gradient, std::span<const Real> x, std::span<Real> sum,
                             std::vector<SampleId>& rows, Workspace& work) {
  constexpr int kLeast = 15, kMost = 200;
  constexpr Seconds kEnough = 0.02;
  std::vector<double> times;
  const auto begin = Clock::now();
  for (int r = 0; r < kMost && (r < kLeast || seconds_since(begin) < kEnough); ++r) {
    gradient.begin(static_cast<Round>(r), 0);
    const auto start = Clock::now();
    gradient.add(x, batch, sum, rows, work);
    times.push_back(seconds_since(start));
  }
  return times;
}

// Every core computes at once: they share caches, memory and clock frequency.
std::vector<std::pair<std::size_t, Seconds>> gradient_times(const Run& run, const std::vector<int>& cores,
                                                            const std::function<bool(double)>& step) {
  const std::vector<std::size_t> batches = batches_around(run.options.batch);
  const std::size_t n = run.network.nodes;
  std::vector<std::vector<std::vector<double>>> times(n, std::vector<std::vector<double>>(batches.size()));
  std::vector<std::exception_ptr> failures(n);
  std::atomic<bool> goes_on = true;
  std::barrier<> in_step(static_cast<std::ptrdiff_t>(n) + 1);
  const auto measure_on = [&](NodeId i) {
    pin_this_thread(cores[i]);
    AlignedVector<Real> x(run.problem.dimension()), sum(run.problem.dimension());
    run.problem.initialise(x, run.seed);
    Workspace work = run.problem.make_workspace();
    std::vector<SampleId> rows;
    LocalGradient gradient(run.problem, run.shards.of(i), i, run.seed, run.augmentation);
    for (std::size_t k = 0; k < batches.size(); ++k) {
      in_step.arrive_and_wait();
      if (!goes_on) return;
      times[i][k] = times_of(batches[k], gradient, x, sum, rows, work);
      in_step.arrive_and_wait();
    }
  };
  std::vector<std::jthread> threads;
  const auto live = [&](NodeId i) {
    try {
      measure_on(i);
    } catch (...) {
      failures[i] = std::current_exception();
      goes_on = false;
    }
    in_step.arrive_and_drop();
  };
  try {
    for (NodeId i = 0; i < n; ++i) threads.emplace_back(live, i);
  } catch (const std::system_error&) {
    goes_on = false;
    for (std::size_t missing = threads.size(); missing < n + 1; ++missing) in_step.arrive_and_drop();  // this one too
    throw MachineRefused("--nodes {}: the system refuses more than {} threads; use fewer", n, threads.size());
  }
  for (std::size_t k = 0; k < batches.size() && goes_on; ++k) {
    in_step.arrive_and_wait();
    in_step.arrive_and_wait();
    if (!step(static_cast<double>(k + 1) / static_cast<double>(batches.size()))) goes_on = false;
  }
  in_step.arrive_and_drop();
  threads.clear();
  for (const std::exception_ptr& failure : failures)
    if (failure) std::rethrow_exception(failure);
  std::vector<std::pair<std::size_t, Seconds>> points;
  for (std::size_t k = 0; k < batches.size() && goes_on; ++k) {
    std::vector<double> all;
    for (const auto& node : times) all.insert(all.end(), node[k].begin(), node[k].end());
    points.emplace_back(batches[k], median(std::move(all)));
  }
  return points;
}

// ---- messages ----------------------------------------------------------------------------------------

// Two pinned threads in turn: `theirs` on the second core, then `ours` on the first, which is timed.
std::vector<double> in_turn(const std::vector<int>& cores, int repeats, const std::function<void()>& theirs,
                            const std::function<void()>& ours) {
  std::atomic<bool> stop = false;
  std::vector<double> times;
  RoundMailbox there(64), back(64);  // of the first core, of the second
  const auto answer = [&](Round t) {
    if (!wait_until([&] { return there.has(t); }, stop, WaitPolicy::dedicated())) return false;
    theirs();
    (void)back.begin_write(t);
    back.publish(t, 0, {});
    return true;
  };
  const auto ask = [&](Round t) {
    const auto start = Clock::now();
    (void)there.begin_write(t);
    there.publish(t, 0, {});
    if (!wait_until([&] { return back.has(t); }, stop, WaitPolicy::dedicated())) return false;
    const auto begin = ours ? Clock::now() : start;  // without `ours` the way there and back is what is timed
    if (ours) ours();
    times.push_back(seconds_since(begin));
    return true;
  };
  std::exception_ptr failures[2];
  const auto live = [&](std::size_t which, const auto& turn) {
    try {
      pin_this_thread(cores[which]);
      for (Round t = 0; t < static_cast<Round>(repeats) && turn(t);) ++t;
    } catch (...) {
      failures[which] = std::current_exception();
      stop = true;
    }
  };
  {
    std::jthread partner([&] { live(1, answer); });
    try {
      std::jthread([&] { live(0, ask); }).join();
    } catch (const std::system_error&) {
      stop = true;
      throw;
    }
  }
  for (const std::exception_ptr& failure : failures)
    if (failure) std::rethrow_exception(failure);
  return times;
}

Seconds one_way_latency(const std::vector<int>& cores) {
  return median(in_turn(
             cores, 5000, [] {}, nullptr)) /
         2;
}

// What one more neighbour adds to an update: a message that another core has just written.
Seconds mix_slope(const Run& run, const std::vector<int>& cores) {
  constexpr std::size_t kMany = 5;
  constexpr int kRepeats = 201;
  const std::size_t p = run.problem.dimension();
  AlignedVector<Real> x(p), theirs(p), sum(p);
  run.problem.initialise(x, run.seed);
  run.problem.initialise(theirs, run.seed);
  std::vector<AlignedVector<std::byte>> messages(kMany, AlignedVector<std::byte>(run.codec.capacity(p)));
  std::vector<MixTerm> terms;
  const auto write = [&] {
    terms.clear();
    for (auto& message : messages) {
      const Encoded encoded = run.codec.encode(theirs, {.purpose = Purpose::check}, message);
      terms.push_back({std::span<const std::byte>(message).first(encoded.bytes), 1.0f / kMany});
    }
  };
  const auto mix_of = [&](std::size_t neighbours) {
    return median(in_turn(cores, kRepeats, write, [&] {
      mix(x, x, 0, p, {.self = 0.5f, .neighbours = 0.5f, .gradient = 0}, std::span(terms).first(neighbours), run.codec,
          {.sum = sum, .batch = 1, .l2 = 0}, {});
    }));
  };
  return std::max(0.0, mix_of(kMany) - mix_of(1)) / (kMany - 1);
}

}  // namespace

Calibration calibrate(const Run& fixed, const Run& until_deadline, const CalibrationProgress& progress) {
  check(fixed.network.nodes >= 2 && fixed.speed == nullptr && !fixed.link.delays(), "a run that cannot calibrate");
  const Hardware hardware = load_hardware();
  const std::vector<int> cores = place(hardware, fixed.placement);
  require_units(fixed.placement, cores.size(), fixed.network.nodes, hardware.rule.text);
  Calibration result;
  MachineCosts& costs = result.costs;
  double done = 0;
  const std::function<bool()> goes_on = [&] { return !result.interrupted && !(result.interrupted = !progress(done)); };
  costs.gradient = gradient_times(fixed, cores, [&](double share) {
    done = 0.4 * share;
    return goes_on();
  });
  Verdict verdict;
  const auto measure = [&](const Run& run, const std::string& what) {
    Silent silent(goes_on);
    Outcome outcome = run_threads(run, silent);
    for (const std::string& reason : outcome.verdict.reasons()) {
      const std::string doubt = what + ": " + reason;
      verdict.reject(doubt);
    }
    result.invalid = verdict.why();
    result.interrupted = result.interrupted || outcome.interrupted;
    return outcome.rounds.all();
  };
  if (!goes_on()) return result;
  const auto of_batch = [](std::size_t samples) { return fmt::format("with batch {}", samples); };
  const std::size_t batch = fixed.options.batch, other_batch = batch > kFewSamples ? kFewSamples : 8 * batch;
  const Rounds rounds = measure(fixed, of_batch(batch));
  done = 0.6;
  if (!goes_on()) return result;
  // In a run an update goes before each gradient, and leaves other data in the caches than a loop of gradients does:
  // what that costs is measured at two batches, and taken to be linear in the batch.
  const auto beyond_loop = [&](const Rounds& of, std::size_t samples) {
    return phase_quantile(of, &Rounds::compute_time, 0.5) - costs.gradient_time(samples);
  };
  Run other = fixed;
  other.options.batch = static_cast<std::uint32_t>(other_batch);
  const Seconds here = beyond_loop(rounds, batch),
                there = beyond_loop(measure(other, of_batch(other_batch)), other_batch);
  if (!goes_on()) return result;
  const double slope = (here - there) / (static_cast<double>(batch) - static_cast<double>(other_batch));
  for (auto& [samples, time] : costs.gradient)
    time = std::max(time / 2, time + here + slope * (static_cast<double>(samples) - static_cast<double>(batch)));
  costs.encode_s = phase_quantile(rounds, &Rounds::encode_time, 0.5);
  costs.publish_s = phase_quantile(rounds, &Rounds::publish_time, 0.5);
  costs.record_s = phase_quantile(rounds, &Rounds::record_time, 0.5);
  costs.receive_s = phase_quantile(rounds, &Rounds::wait_time, 0.05);  // the fastest: nothing to wait for
  costs.latency_s = one_way_latency(cores);
  const Seconds further = mix_slope(fixed, cores), mix_time = phase_quantile(rounds, &Rounds::mix_time, 0.5);
  const std::size_t degree = fixed.network.neighbours(0).size();
  costs.mix = {{degree, mix_time}, {degree + 1, mix_time + further}};
  done = 0.8;
  if (!goes_on()) return result;
  const Rounds timed = measure(until_deadline, "until a deadline");
  if (!goes_on()) return result;
  costs.deadline_sample_s =
      phase_quantile(timed, &Rounds::deadline, 0.5) / std::max(1.0, phase_quantile(timed, &Rounds::batch, 0.5));
  return result;
}

}  // namespace quantimed
