// What a node computes, and never when: its model and samples, its gradient, its message, its update, what it has heard
// and what it records of an iteration. No clock, no thread and no queue is in here: every engine calls these in its own
// time, and hands in what its clock shows.
#pragma once

#include "engine/deadline_rule.hpp"
#include "engine/engine.hpp"
#include "node/local_gradient.hpp"
#include "node/mix.hpp"

#include <span>
#include <vector>

namespace quantimed {

// Memory to work in: a node's own, or of the worker that runs it now.
struct Scratch {
  Workspace work;
  std::vector<SampleId> batch;
  std::vector<MixTerm> terms;  // of the update to come
};

// A neighbour's message, as it is heard.
struct HeardMessage {
  std::span<const std::byte> payload;
  Round round = 0;           // the sender's iteration
  Seconds published_at = 0;  // on the run's clock
  float speed = 0;           // the sender's, samples per second; 0: not known
};

// An update with all that it needs but its messages: mix() carries it out, whole or a range of coordinates at a time.
struct Update {
  Coefficients coefficients;
  GradientSum gradient;
};

class NodeCore {
 public:
  NodeCore(const Run& run, NodeId id);

  // Where the model lives: x_i of a resumed run, else its start. x: [p], the engine's memory.
  void place(std::span<float> x);
  std::span<float> x() const { return x_; }
  NodeId id() const { return id_; }
  std::span<const Neighbour> neighbours() const { return run_.network.neighbours(id_); }

  // ---- an iteration ----
  void begin(Round t, Seconds start);
  Round round() const { return round_; }
  RoundRecord record;  // of this iteration

  // T_d of this iteration; `given`: the run's.
  Seconds deadline(Seconds given) { return run_.deadline.adapts ? deadline_.next(given) : given; }

  // ---- the gradient, over samples of (seed, node, t) in their order ----
  void begin_samples(Round t) { samples_.begin(t); }
  // sum [p] ← its sum over the next `count` ≥ 1 samples, added to what these have so far.
  void add_samples(std::size_t count, std::span<float> sum, Scratch& scratch) {
    samples_.add(x_, count, sum, scratch.batch, scratch.work);
  }
  std::size_t drawn() const { return samples_.drawn(); }  // samples, since begin_samples()
  void set_speed(double samples_per_second) { speed_ = static_cast<float>(samples_per_second); }
  float speed() const { return speed_; }  // of the newest gradient; 0: none yet

  // ---- its own message ----
  // Q(x) as the message of `iteration`, which fixes its random choices. Returns its bytes in memory.
  std::size_t encode(Round iteration, std::span<std::byte> message);
  // The same of coordinates first … last − 1 alone, with a code that is sliceable. Returns their overflows.
  std::uint64_t encode_slice(Round iteration, std::size_t first, std::size_t last, std::span<std::byte> message) const;
  double wire_bytes(std::span<const std::byte> message) const {
    return static_cast<double>(run_.codec.wire_bytes(message, x_.size()));
  }
  // The node has left the run before the iteration that it has encoded its message of: that does not exist.
  void take_back_message() { overflows_ -= last_overflows_; }

  // ---- what it hears: listen, then each neighbour in the network's order, then heard ----
  void listen(Seconds now);
  void hear(const Neighbour& from, const HeardMessage& message, std::vector<MixTerm>& terms) {
    deadline_.observe(static_cast<double>(message.speed));
    behind_ += static_cast<double>(round_) - static_cast<double>(message.round);
    age_ += listening_since_ - message.published_at;
    ++heard_;
    terms.push_back({message.payload, from.weight});
  }
  // A neighbour has left the run: its weight goes to this node's own model, so that rows of W still sum to 1.
  void miss(const Neighbour& lost) { lost_weights_.push_back(lost.weight); }
  // Fills the record's age and staleness, means over the messages heard.
  void heard(Seconds now);
  // `newest` delivery: the k-th neighbour's message number `serial` (from 0) was read; those in between never will be.
  void pass_over(std::size_t k, std::uint64_t serial);

  // ---- the update ----
  // sum [p]: over `batch` samples; left alone where there are none.
  Update update_of(const Coefficients& c, std::size_t batch, std::span<const float> sum) const;
  // out [p] ← the update, with these messages; the model is there from then on.
  void carry_out(const Update& update, std::span<const MixTerm> terms, std::span<float> out);
  // The same in place, of coordinates first … last − 1 alone. Returns blocks that were decoded wrongly.
  std::uint64_t carry_out_slice(const Update& update, std::span<const MixTerm> terms, std::size_t first,
                                std::size_t last) const {
    return mix(x_, x_, first, last, update.coefficients, terms, run_.codec, update.gradient, penalised_);
  }

  std::uint64_t overflows() const { return overflows_; }
  std::uint64_t violations() const { return violations_; }
  void forget_counts() { overflows_ = last_overflows_ = violations_ = 0; }

  // ---- for a run that is stopped: as it was when the iteration began, whatever has been done of it since ----
  void save(Checkpoint& checkpoint) const;
  void restore(const Checkpoint& saved, std::span<const double>& seen_speeds);  // takes its own off their front
  void save_unseen(Checkpoint& checkpoint) const;
  void restore_unseen(std::span<const std::uint32_t>& next_unseen);

 private:
  StreamKey stream_of(Round iteration) const {
    return {.seed = run_.seed, .node = id_, .iteration = iteration, .purpose = Purpose::quantizer};
  }

  const Run& run_;
  NodeId id_;
  Round round_;
  std::span<float> x_;  // [p]
  LocalGradient samples_;
  AdaptiveDeadline deadline_;
  std::vector<CoordinateRange> penalised_;
  float speed_ = 0, speed_at_begin_ = 0;
  Seconds listening_since_ = 0, age_ = 0;  // of all messages heard, up to then
  double behind_ = 0;                      // iterations, of all messages heard
  std::size_t heard_ = 0;
  std::vector<float> lost_weights_;
  std::vector<std::uint32_t> next_unseen_;  // [neighbours]: the first message of each that has not been passed
  std::uint64_t overflows_ = 0;             // coordinates that did not fit their code
  std::uint64_t last_overflows_ = 0;        // of those, of the newest message
  std::uint64_t violations_ = 0;            // blocks of messages that were decoded wrongly
};

}  // namespace quantimed
