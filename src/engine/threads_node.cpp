#include "engine/threads_node.hpp"

#include "base/error.hpp"

#include <cmath>

namespace quantimed {

// ---- what both deliveries share ------------------------------------------------------------------

ThreadNode::ThreadNode(ThreadedRun& shared, NodeId id, std::uint64_t snapshot_stride)
    : Node(static_cast<float>(shared.run.network.self_weights[id])),
      shared_(shared),
      id_(id),
      x_(shared.run.problem.dimension()),
      snapshots_(shared.run.evaluations, x_.size(), snapshot_stride),
      local_(shared.run.problem, shared.run.shards.of(id), id, shared.run.seed),
      sum_(x_.size()),
      work_(shared.run.problem.make_workspace()),
      penalised_(shared.run.problem.penalised()),
      log_(shared.run.iterations) {
  shared.run.problem.initialise(x_, shared.run.seed);
  batch_.reserve(std::max<std::size_t>(shared.run.options.batch, ChunkCosts::kLargest));
  terms_.reserve(shared.run.network.neighbours(id).size());
}

void ThreadNode::warm_up() {
  constexpr int kRepeats = 20;
  local_.begin(0);
  for (int repeat = 0; repeat < kRepeats; ++repeat)
    for (std::size_t chunk = 1; chunk <= ChunkCosts::kLargest; chunk *= 2) {
      const Seconds start = shared_.now();
      local_.add(x_, chunk, sum_, batch_, work_);
      costs_.warm_up(chunk, shared_.now() - start);
    }
  AlignedVector<std::byte> message(shared_.run.codec.capacity(x_.size()));
  AlignedVector<float> scratch(x_);
  for (int repeat = 0; repeat < kRepeats; ++repeat) {
    const Encoded encoded = shared_.run.codec.encode(x_, {.purpose = Purpose::check}, message);
    const MixTerm self{std::span<const std::byte>(message).first(encoded.bytes), 0.5f};
    mix(scratch, 0, scratch.size(), {.self = 0.5f, .neighbours = 1, .gradient = 0}, {&self, 1}, shared_.run.codec,
        {.sum = sum_, .batch = 1, .l2 = 0}, penalised_);
  }
}

void ThreadNode::begin_record(Round t) {
  if (recording_) end_record();
  round_ = t;
  record_ = {.start = shared_.now()};
  recording_ = true;
}

void ThreadNode::end_record() {
  log_.append(record_);
  finished_.store(round_ + 1, std::memory_order_release);
  recording_ = false;
}

bool ThreadNode::start(const GradientRequest& request) {
  const Seconds start = shared_.now();
  local_.begin(round_);
  if (request.deadline > 0)
    until_deadline(request.deadline, start);
  else
    fixed_batch(request.batch, start);
  const Seconds took = shared_.now() - start;
  record_.batch = static_cast<float>(local_.drawn());
  record_.overshoot = request.deadline > 0 ? static_cast<float>(took - request.deadline) : 0;
  record_.compute = static_cast<float>(took);
  return true;
}

// A straggler: the time that its speed asks for, busy to the end, so that the core is truly lost.
void ThreadNode::fixed_batch(std::size_t batch, Seconds start) {
  local_.add(x_, batch, sum_, batch_, work_);
  if (!shared_.run.speed) return;
  const Seconds end = start + static_cast<double>(batch) / shared_.run.speed->speed(id_, round_);
  if (shared_.now() > end) ++too_slow_;
  spin_until(end);
}

// Chunks until the deadline; a chunk starts only if it is expected to end in time. What is left then, less than a
// sample takes, is spent as the unfinished sample would have spent it.
void ThreadNode::until_deadline(Seconds deadline, Seconds start) {
  const double speed = shared_.run.speed ? shared_.run.speed->speed(id_, round_) : 0;
  const auto allowed = speed > 0 ? samples_within(speed, deadline) : ~std::size_t{0};
  const Seconds end = start + deadline;
  for (Seconds now = start; local_.drawn() < allowed;) {
    const std::size_t chunk = std::min(costs_.fitting(end - now), std::bit_floor(allowed - local_.drawn()));
    if (chunk == 0) {
      if (speed > 0) ++too_slow_;
      if (local_.drawn() == 0) costs_.doubt();
      break;
    }
    local_.add(x_, chunk, sum_, batch_, work_);
    const Seconds after = shared_.now();
    costs_.learn(chunk, after - now);
    now = after;
  }
  spin_until(end);
}

void ThreadNode::spin_until(Seconds time) const {
  while (shared_.now() < time && !shared_.abort.load(std::memory_order_relaxed)) cpu_pause();
}

// A message is there but still under way on a delayed link.
void ThreadNode::wait_until_visible(Seconds visible_at) {
  const Seconds start = shared_.now();
  if (start >= visible_at) return;
  spin_until(visible_at);
  record_.exchange += static_cast<float>(shared_.now() - start);
}

Encoded ThreadNode::encode(Round iteration, std::span<std::byte> message) {
  const Seconds start = shared_.now();
  const StreamKey key{.seed = shared_.run.seed, .node = id_, .iteration = iteration, .purpose = Purpose::quantizer};
  const Encoded encoded = shared_.run.codec.encode(x_, key, message);
  overflows_ += encoded.overflows;
  record_.bytes = static_cast<float>(encoded.bytes);
  record_.encode = static_cast<float>(shared_.now() - start);
  return encoded;
}

void ThreadNode::update(const Coefficients& c, const Messages&, const Gradient& g) {
  const Seconds start = shared_.now();
  before_update(start);
  const GradientSum gradient{.sum = sum_,
                             .batch = g.batch,
                             .l2 = l2_coefficient(shared_.run.penalty, g.batch, shared_.run.shards.rows.size())};
  mix(x_, 0, x_.size(), c, terms_, shared_.run.codec, gradient, penalised_);
  record_.mix = static_cast<float>(shared_.now() - start);
}

// Copies the model, and ends the run where it is no longer finite.
void ThreadNode::capture(std::uint64_t position) {
  snapshots_.take(position, round_, x_);
  float sum = 0;
#pragma omp simd reduction(+ : sum)
  for (std::size_t k = 0; k < x_.size(); ++k) sum += x_[k] * 0.0f;  // NaN if any coordinate is not finite
  if (!(sum == 0)) shared_.stop.store(true, std::memory_order_release);
}

// ---- round delivery --------------------------------------------------------------------------------

RoundThreadNode::RoundThreadNode(ThreadedRun& shared, NodeId id, std::uint64_t snapshot_stride)
    : ThreadNode(shared, id, snapshot_stride),
      mailbox_(shared.run.codec.capacity(shared.run.problem.dimension())),
      furthest_(shared.run.network.eccentricity(id)) {
  mailbox_.first_touch();
}

// When time is up, all nodes must end with the same round. A node in round t knows that nobody is beyond
// t + its distance, since each round waits for the neighbours' messages; so all can still reach t + `furthest_` and
// nobody has passed it. Who gets that far has received, over the messages' release / acquire pairs, what this node
// wrote before publishing its round t.
bool RoundThreadNode::begins(Round t) {
  begin_record(t);
  const bool time_is_up = record_.start >= shared_.run.max_time || shared_.stop.load(std::memory_order_acquire) ||
                          t + furthest_ + 1 >= RecordLog::capacity();
  Round last = shared_.last_round.load(std::memory_order_acquire);
  if (time_is_up)
    while (last > t + furthest_ && !shared_.last_round.compare_exchange_weak(last, t + furthest_)) {
    }
  if (t % snapshots_.stride() == 0) capture(t);
  return t < shared_.last_round.load(std::memory_order_acquire);
}

void RoundThreadNode::publish() {
  const Encoded encoded = encode(round_, mailbox_.begin_write(round_));
  const Seconds now = shared_.now();
  mailbox_.publish(round_, encoded.bytes,
                   {.published_at = now, .visible_at = now + shared_.run.link.delay(encoded.bytes)});
}

bool RoundThreadNode::start(const MessagesRequest& request) {
  check(request.round == round_, "round delivery: messages are asked for in their own round");
  const Seconds start = shared_.now();
  terms_.clear();
  for (const Neighbour& j : shared_.run.network.neighbours(id_)) {
    const RoundMailbox& mailbox = mailbox_of(j.id);
    if (!wait_until([&] { return mailbox.has(round_); }, shared_.abort, shared_.policy)) throw RunAborted{};
    const Message message = mailbox.read(round_);
    if (message.header.visible_at > message.header.published_at) wait_until_visible(message.header.visible_at);
    terms_.push_back({message.payload, j.weight});
  }
  record_.wait = static_cast<float>(shared_.now() - start) - record_.exchange;
  return true;
}

// ---- newest delivery -------------------------------------------------------------------------------

namespace {

// Messages that can be under way at once. A sender that outruns its link beyond this drops, and the run says so.
std::uint32_t in_flight(const Run& run) { return run.link.delays() ? 64 : 0; }

}  // namespace

NewestThreadNode::NewestThreadNode(ThreadedRun& shared, NodeId id)
    : ThreadNode(shared, id, 1),
      mailbox_(shared.run.codec.capacity(shared.run.problem.dimension()),
               static_cast<std::uint32_t>(shared.run.network.neighbours(id).size()), in_flight(shared.run)) {
  mailbox_.first_touch();
  for (const Neighbour& j : shared.run.network.neighbours(id)) {
    const auto theirs = shared.run.network.neighbours(j.id);
    const auto me = std::find_if(theirs.begin(), theirs.end(), [&](const Neighbour& k) { return k.id == id; });
    reader_.push_back(static_cast<std::uint32_t>(me - theirs.begin()));
  }
}

// The run ends after T · n updates in all. The others' counts are read now and then: once in n iterations where that
// is at most a 64th of the run.
bool NewestThreadNode::begins(Round t) {
  const auto n = static_cast<Round>(shared_.nodes.size());
  begin_record(t);
  if (t % std::max<Round>(1, std::min(n, shared_.run.iterations / 64)) == 0) {
    std::uint64_t updates = 0;
    for (const auto& node : shared_.nodes) updates += node->finished();
    if (updates >= std::uint64_t{shared_.run.iterations} * n) shared_.stop.store(true, std::memory_order_release);
  }
  if (record_.start >= shared_.run.max_time || t + 1 >= RecordLog::capacity())
    shared_.stop.store(true, std::memory_order_release);
  return !shared_.stop.load(std::memory_order_acquire) && !shared_.abort.load(std::memory_order_acquire);
}

void NewestThreadNode::before_update(Seconds now) {
  const auto position = static_cast<std::uint64_t>(now / kGrid_s);
  if (position >= snapshots_.next()) capture(position);
}

void NewestThreadNode::publish() {
  const bool first = !has_published_;
  const Round iteration = first ? 0 : round_ + 1;  // the message carries what the next iteration starts from
  has_published_ = true;
  const Encoded encoded = encode(iteration, mailbox_.begin_write());
  const Seconds now = shared_.now();
  mailbox_.publish(iteration, encoded.bytes,
                   {.published_at = now, .visible_at = first ? now : now + shared_.run.link.delay(encoded.bytes)});
}

bool NewestThreadNode::start(const MessagesRequest& request) {
  check(request.round == MessagesRequest::kNewest, "newest delivery: there are no rounds to wait for");
  const Seconds start = shared_.now();
  terms_.clear();
  const auto neighbours = shared_.run.network.neighbours(id_);
  double age = 0;
  for (std::size_t k = 0; k < neighbours.size(); ++k) {
    NewestMailbox& mailbox = mailbox_of(neighbours[k].id);
    // Only before the very first message is there nothing to read.
    if (!wait_until([&] { return mailbox.newest() > 0; }, shared_.abort, shared_.policy)) throw RunAborted{};
    const auto message = mailbox.acquire(reader_[k], start);
    check(message.has_value(), "a published message is not there");
    age += static_cast<double>(round_) - static_cast<double>(message->header.round);
    terms_.push_back({message->payload, neighbours[k].weight});
  }
  record_.staleness = neighbours.empty() ? 0 : static_cast<float>(age / static_cast<double>(neighbours.size()));
  record_.wait = static_cast<float>(shared_.now() - start);
  return true;
}

}  // namespace quantimed
