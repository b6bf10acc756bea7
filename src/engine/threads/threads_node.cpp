// SPDX-License-Identifier: BSD-3-Clause
#include "engine/threads/threads_node.hpp"

#include "base/error.hpp"
#include "engine/replay/log_reader.hpp"
#include "engine/resumption.hpp"

#include <cmath>

namespace quantimed {

namespace {

constexpr Round kLastIteration = ~Round{0} - 1;  // an asynchronous node may go beyond T

std::span<Real> as_floats(std::span<std::byte> bytes, std::size_t count) {
  check(bytes.size() >= count * sizeof(Real), "a model is larger than its message");
  return {reinterpret_cast<Real*>(bytes.data()), count};  // cache-line aligned, and std::byte may hold any type
}

}  // namespace

ThreadNode::ThreadNode(ThreadedRun& shared, NodeId id, std::uint64_t snapshot_stride)
    : Node(protocol_of(shared.run.algorithm), own_weight(shared.run.network, id),
           quantimed::first_round(shared.run, id)),
      shared_(shared),
      core_(shared.run, id),
      scratch_{.work = shared.run.problem.make_workspace(), .batch = {}, .terms = {}, .form = {}},
      charged_until_(resumed(shared.run, "clock")),
      snapshots_(shared.run.copies_models
                     ? Snapshots(shared.run.evaluations, shared.run.problem.dimension(), snapshot_stride)
                     : Snapshots()),
      own_(lives_in_outbox() ? 0 : shared.run.problem.dimension()),
      sum_(shared.run.problem.dimension()),
      faults_(shared.run.faults, [&](const Fault& fault) { return fault.node == id; }),
      finished_(first_round()) {
  if (keeps_log(shared.run)) replay_log_.emplace(last_reads(shared.run, id));
  scratch_.batch.reserve(std::max<std::size_t>(shared.run.options.batch, ChunkCosts::kLargest));
  scratch_.terms.reserve(core_.neighbours().size());
  if (!shared.run.algorithm.sends_its_model) scratch_.form.resize(sum_.size(), 0);
}

void ThreadNode::place_model(std::span<std::byte> first_message) {
  core_.place(lives_in_outbox() ? as_floats(first_message, sum_.size()) : std::span<Real>(own_));
}

std::optional<Waits> ThreadNode::waits() const {
  const std::uint64_t waits = waits_.load(std::memory_order_relaxed);
  if (waits == kNobody) return {};
  return Waits{static_cast<NodeId>(waits >> 32), static_cast<Round>(waits)};
}

std::optional<Round> ThreadNode::lost_in() const {
  const std::uint64_t round = left_.load(std::memory_order_relaxed);
  if (round == kNever) return {};
  return static_cast<Round>(round);
}

Seconds ThreadNode::expected_round() const {
  const Run& run = shared_.run;
  const Exchanges exchanges = run.algorithm.exchanges(run.options, first_round());
  const auto bytes = static_cast<double>(run.codec.capacity(run.problem.dimension())) * exchanges.vectors;
  const bool has_all = run.algorithm.collective_period(run.options) > 0;
  const Seconds link = has_all ? run.link.all_reduce(bytes, run.network.nodes) : run.link.delay(bytes);
  const Seconds links = exchanges.count * link;
  if (shared_.deadline_s > 0) return shared_.deadline_s + links;
  const auto samples =
      static_cast<double>(run.options.batch) * static_cast<double>(run.algorithm.gradients(run.options));
  const Seconds sample = costs_.expected(ChunkCosts::kLargest) / static_cast<double>(ChunkCosts::kLargest);
  return links + samples * std::max(sample, run.speed ? 1 / run.speed->speed(core_.id(), first_round()) : 0);
}

bool ThreadNode::survives(Round t) {
  constexpr Seconds kNap_s = 1e-3;
  const std::optional<Fault> due = faults_.next(core_.id(), core_.record.start);
  if (!due) return true;
  const auto must_wake = [&] {
    return is_given_up() || shared_.abort.load(std::memory_order_acquire) ||
           shared_.stop.load(std::memory_order_acquire);
  };
  const Seconds end = due->lasts < kForever ? shared_.now() + due->lasts : 0;
  while (shared_.now() < end && !must_wake()) sleep_for(kNap_s);
  if (shared_.abort.load(std::memory_order_acquire)) throw RunAborted{};
  charge(&RoundRecord::record);
  if (due->lasts < kForever && !is_given_up()) return true;
  leave(t);
  return false;
}

void ThreadNode::warm_up() {
  constexpr int kRepeats = 20;
  constexpr Seconds kLongest = 0.5;  // a large model would take minutes for all of them
  const Seconds first = shared_.now();
  const auto is_over = [&] { return shared_.now() - first > kLongest; };
  core_.begin_samples(0);
  for (int repeat = 0; repeat < kRepeats && (repeat == 0 || !is_over()); ++repeat)
    for (std::size_t chunk = 1; chunk <= ChunkCosts::kLargest; chunk *= 2) {
      const Seconds start = shared_.now();
      if (chunk > 1 && is_over()) {  // no sample is dearer in a larger chunk
        if (repeat == 0) costs_.warm_up(chunk, 2 * costs_.expected(chunk / 2));
        continue;
      }
      core_.add_samples(chunk, sum_, scratch_);
      costs_.warm_up(chunk, shared_.now() - start);
    }
  constexpr int kReads = 1000;
  const Seconds first_read = shared_.now();
  for (int read = 1; read < kReads; ++read) (void)shared_.now();
  costs_.warmed_up((shared_.now() - first_read) / kReads);
  const Codec& codec = shared_.run.codec;
  const std::span<const Real> x = core_.x();
  const std::vector<CoordinateRange> penalised = shared_.run.problem.penalised();
  AlignedVector<std::byte> message(codec.capacity(x.size()));
  AlignedVector<Real> scratch(x.begin(), x.end());
  const Seconds second = shared_.now();
  for (int repeat = 0; repeat < kRepeats && (repeat < 2 || shared_.now() - second <= kLongest); ++repeat) {
    const Encoded encoded = codec.encode(x, {.purpose = Purpose::check}, message);
    const MixTerm self{std::span<const std::byte>(message).first(encoded.bytes), 0.5f};
    mix(scratch, scratch, 0, scratch.size(), {.self = 0.5f, .neighbours = 1, .gradient = 0}, {&self, 1}, codec,
        {.sum = sum_, .batch = 1, .l2 = 0}, penalised);
  }
}

namespace {

// At least three times; then until there are enough, or it has taken long enough.
template <class Measure>
std::vector<double> repeatedly(const ThreadedRun& shared, Measure&& measure) {
  constexpr std::size_t kLeast = 3, kEnough = 25;
  constexpr Seconds kLongest = 0.5;
  std::vector<double> values;
  const Seconds start = shared.now();
  while (values.size() < kLeast || (values.size() < kEnough && shared.now() - start < kLongest))
    values.push_back(measure());
  return values;
}

}  // namespace

std::vector<double> ThreadNode::speeds_of(std::size_t batch) {
  return repeatedly(shared_, [&] {
    const Seconds start = shared_.now();
    core_.begin_samples(trial_++);
    core_.add_samples(batch, sum_, scratch_);
    return static_cast<double>(batch) / (shared_.now() - start);
  });
}

std::vector<double> ThreadNode::speeds_until(Seconds deadline) {
  return repeatedly(shared_, [&] {
    const Seconds start = shared_.now();
    core_.begin_samples(trial_++);
    const Seconds worked_until = until_deadline(deadline, start);
    return speed_of(worked_until - start, deadline);
  });
}

// Samples per second of a gradient that has just ended. With a deadline at the machine's own speed the rest of it, too
// short for another chunk, counts: it is lost in each iteration. What was not even one sample is taken for half of one.
double ThreadNode::speed_of(Seconds worked, Seconds deadline) const {
  const auto samples = static_cast<double>(core_.drawn());
  if (samples == 0) return 0.5 / std::max(worked, deadline);
  return samples / (asked_ > 0 ? worked : std::max(worked, deadline));
}

void ThreadNode::begin_record(Round t) {
  if (recording_ && replay_log_) log_end_of_iteration();
  const Seconds start = shared_.now();
  if (recording_) {
    charge(&RoundRecord::record, start);
    log_.append(core_.record);
    finished_.store(round() + 1, std::memory_order_release);
  }
  core_.begin(t, start);
  charged_until_ = start;
  recording_ = true;
}

void ThreadNode::charge(float RoundRecord::*phase) { charge(phase, shared_.now()); }

void ThreadNode::charge(float RoundRecord::*phase, Seconds now) {
  core_.record.*phase += static_cast<float>(now - charged_until_);
  charged_until_ = now;
}

bool ThreadNode::start(const GradientRequest& request) {
  const Seconds start = charged_until_;
  const Seconds until = request.deadline == 0 && shared_.run.gradient_until_deadline ? deadline() : request.deadline;
  RoundRecord& record = core_.record;
  const std::uint32_t kth = core_.next_gradient();
  if (kth == 0) earlier_ = {};
  core_.begin_samples(round(), kth, request.at.index);
  asked_ = shared_.run.speed ? shared_.run.speed->speed(core_.id(), round()) : 0;
  record.speed_asked = static_cast<float>(asked_);
  Seconds worked_until = 0;
  if (until > 0) {
    worked_until = until_deadline(until, start);
    if (replay_log_) replay_log_->gradient_ends();
    record.deadline += static_cast<float>(until);
    record.overshoot += static_cast<float>(worked_until - start - until);
    spin_until(start + until);
  } else {
    fixed_batch(request.batch, start);
  }
  charge(&RoundRecord::compute);
  if (until == 0) worked_until = charged_until_;
  record.batch += static_cast<float>(core_.drawn());
  core_.set_speed(speed_of(worked_until - start, until));
  earlier_.deadline += until;
  earlier_.samples += core_.drawn();
  core_.took_gradient(core_.drawn(), sum_);
  return true;
}

// A straggler: the time that its speed asks for, busy to the end, so that the core is truly lost.
void ThreadNode::fixed_batch(std::size_t batch, Seconds start) {
  core_.add_samples(batch, sum_, scratch_);
  if (!shared_.run.speed) return;
  const Seconds lasts = static_cast<double>(batch) / asked_;
  const bool is_late = shared_.now() > start + lasts;
  spin_until(start + lasts);
  too_slow_ += is_late || shared_.now() > start + (1 + kUsualSlack) * lasts;
}

// Chunks until the deadline; a chunk starts only if it is expected to end in time. Returns when the last sample was
// finished: for a straggler, when it would have been at the speed asked for. The caller waits for the deadline: what is
// left, less than a sample takes, is spent as the unfinished sample would have spent it.
Seconds ThreadNode::until_deadline(Seconds deadline, Seconds start) {
  const auto allowed = asked_ > 0 ? samples_within(asked_, earlier_, deadline) : ~std::size_t{0};
  const Seconds slack = shared_.run.deadline.slack_s > 0 ? shared_.run.deadline.slack_s : kUsualSlack * deadline;
  const Seconds end = start + deadline;
  Seconds now = start;
  while (core_.drawn() < allowed) {
    const std::size_t chunk = std::min(costs_.fitting(end - now, slack), std::bit_floor(allowed - core_.drawn()));
    if (chunk == 0) {
      if (asked_ > 0) ++too_slow_;
      if (core_.drawn() == 0) costs_.doubt();
      break;
    }
    core_.add_samples(chunk, sum_, scratch_);
    if (recording_ && replay_log_) replay_log_->chunk(chunk);
    const Seconds after = shared_.now();
    costs_.learn(chunk, after - now);
    now = after;
  }
  if (core_.drawn() < allowed || asked_ == 0) return now;
  const auto all = static_cast<double>(earlier_.samples + core_.drawn());
  return std::max(now, start + all / asked_ - earlier_.deadline);
}

void ThreadNode::spin_until(Seconds time) const {
  while (shared_.now() < time && !shared_.abort.load(std::memory_order_relaxed)) cpu_pause();
}

// A message is there but still under way on a delayed link.
void ThreadNode::wait_until_visible(Seconds visible_at) {
  charge(&RoundRecord::wait);
  if (charged_until_ >= visible_at) return;
  spin_until(visible_at);
  charge(&RoundRecord::exchange);
}

std::size_t ThreadNode::write_message(Round iteration, Channel c, std::span<std::byte> message) {
  std::size_t bytes = core_.x().size_bytes();
  if (!lives_in_outbox()) {
    bytes = core_.encode(iteration, message);
    charge(&RoundRecord::encode);
  }
  core_.published_in_place(c, message.first(std::min(bytes, message.size())));
  count_bytes(message);
  return bytes;
}

std::size_t ThreadNode::write_message(Channel c, const Linear& what, Real scalar, std::span<std::byte> message) {
  const std::size_t bytes = core_.publish(c, what, scalar, message, scratch_);
  charge(&RoundRecord::encode);
  count_bytes(message);
  return bytes;
}

void ThreadNode::count_bytes(std::span<const std::byte> message) {
  const double bytes = core_.wire_bytes(message);
  core_.record.bytes += bytes;
  exchange_bytes_ += bytes;
}

// Of all that has been sent in this exchange.
Seconds ThreadNode::link_delay() const {
  const Run& run = shared_.run;
  const bool is_collective = run.algorithm.exchanges(run.options, round()).is_collective;
  return is_collective ? run.link.all_reduce(exchange_bytes_, run.network.nodes) : run.link.delay(exchange_bytes_);
}

MessageNote ThreadNode::note(bool delayed) const {
  return {.published_at = charged_until_,
          .visible_at = charged_until_ + (delayed ? link_delay() : 0),
          .speed = core_.speed()};
}

void ThreadNode::apply(std::span<const Statement> statements) {
  before_update();
  if (!shared_.run.algorithm.sends_its_model) {
    core_.carry_out(statements);
    return charge(&RoundRecord::mix);
  }
  const auto coefficients = core_.as_coefficients(statements);
  check(coefficients.has_value(), "a text updates by a formula of its own, and its row does not say so");
  const std::span<Real> next = lives_in_outbox() ? as_floats(next_message(), sum_.size()) : core_.x();
  core_.carry_out(core_.update_of(*coefficients, core_.drawn(), sum_), scratch_.terms, next);
  charge(&RoundRecord::mix);
}

// The run ends after T · n updates in all. The others' counts are read now and then: once in n iterations where that
// is at most a 64th of the run.
bool ThreadNode::wants_until_all_have_done(Round t) {
  const Round n = shared_.layout.nodes;
  begin_record(t);
  if (t % std::max<Round>(1, std::min(n, shared_.run.iterations / 64)) == 0) {
    std::uint64_t updates = shared_.finished_elsewhere.load(std::memory_order_relaxed);
    for (const auto& node : shared_.here()) updates += node->finished();
    if (updates >= std::uint64_t{shared_.run.iterations} * n) shared_.stop.store(true, std::memory_order_release);
  }
  if (core_.record.start >= shared_.run.max_time || t >= kLastIteration)
    shared_.stop.store(true, std::memory_order_release);
  if (!survives(t)) return false;
  return !shared_.stop.load(std::memory_order_acquire) && !shared_.abort.load(std::memory_order_acquire);
}

void ThreadNode::capture(std::uint64_t position) {
  keep_copy(position, round());
  charge(&RoundRecord::record);
}

// Copies the model, and ends the run where it is no longer finite.
void ThreadNode::keep_copy(std::uint64_t position, Round iteration, std::uint64_t turn) {
  const std::span<const Real> x = core_.x();
  snapshots_.take(position, iteration, x, turn);
  Real sum = 0;
#pragma omp simd reduction(+ : sum)
  for (std::size_t k = 0; k < x.size(); ++k) sum += x[k] * 0.0f;  // NaN if any coordinate is not finite
  if (!(sum == 0)) shared_.stop.store(true, std::memory_order_release);
}

}  // namespace quantimed
