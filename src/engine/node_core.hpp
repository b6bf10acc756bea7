// SPDX-License-Identifier: BSD-3-Clause
// What a node computes, and never when: its model and samples, its gradient, its message, its update, what it has heard
// and what it records of an iteration. No clock, no thread and no queue is in here: every engine calls these in its own
// time, and hands in what its clock shows.
#pragma once

#include "engine/engine.hpp"
#include "node/local_gradient.hpp"
#include "node/mix.hpp"
#include "node/mix_together.hpp"
#include "node/sweep.hpp"
#include "timing/deadline_rule.hpp"

#include <optional>
#include <span>
#include <vector>

namespace quantimed {

// Memory to work in: a node's own, or of the worker that runs it now.
struct Scratch {
  Workspace work;
  std::vector<SampleId> batch;
  std::vector<MixTerm> terms;  // of the update to come
  AlignedVector<Real> form;    // [p], what is encoded next; empty where models are sent as they are
};

// A neighbour's message, as it is heard.
struct HeardMessage {
  std::span<const std::byte> payload;
  Round round = 0;           // the sender's iteration
  Seconds published_at = 0;  // on the run's clock
  float speed = 0;           // the sender's, samples per second; 0: not known
  Real scalar = 0;           // that travels with it
};

// What the newest gradient was taken of.
struct GradientTaken {
  std::size_t batch = 0;
  std::span<const Real> sum;  // [p]
  std::size_t at = 0;         // the vector
};

// An update with all that it needs but its messages: mix() carries it out, whole or a range of coordinates at a time.
struct Update {
  Coefficients coefficients;
  GradientSum gradient;
};

// Bytes that a node's message on a channel takes in memory: one for all, or one after the other for each neighbour.
std::size_t message_capacity(const Run& run, NodeId id);

// `newest` delivery: of all that a node sends at a time. What is no model is a part for each channel.
std::size_t parcel_capacity(const Run& run);

// What the row's text must keep to.
Protocol protocol_of(const AlgorithmRow& row);
Weight own_weight(const Network& network, NodeId id);

class NodeCore {
 public:
  NodeCore(const Run& run, NodeId id);

  // Where the model lives: x_i of a resumed run, else its start. x: [p], the engine's memory.
  void place(std::span<Real> x);
  std::span<Real> x() const { return x_; }
  NodeId id() const { return id_; }
  // `newest` delivery on a directed graph: those it only sends to have a weight of 0, and are passed by.
  std::span<const Neighbour> neighbours() const {
    return heard_weights_.empty() ? run_.network.neighbours(id_) : std::span<const Neighbour>(heard_weights_);
  }
  // Of message k: whom this node hears, and who hears it. Until the next call.
  std::span<const Neighbour> sources(Round k) { return run_.network.sources(id_, k, peers_); }
  std::span<const Neighbour> readers(Round k) { return run_.network.readers(id_, k, peers_); }

  // What the text reads: the run's options, with the step of this iteration.
  const Options& options() const { return options_; }

  // ---- an iteration ----
  void begin(Round t, Seconds start);
  Round round() const { return round_; }
  RoundRecord record;  // of this iteration

  // T_d of this iteration; `given`: the run's.
  Seconds deadline(Seconds given) { return run_.deadline.adapts ? deadline_.next(given) : given; }

  // ---- the gradient, over samples of (seed, node, t, k) in their order ----
  void begin_samples(Round t, std::uint32_t k = 0, std::size_t at = 0) {
    samples_.begin(t, k);
    gradient_.at = at;
  }
  std::uint32_t next_gradient() { return gradients_++; }  // its number within the iteration
  std::uint32_t this_gradient() const { return gradients_ - 1; }
  // sum [p] ← its sum over the next `count` ≥ 1 samples, added to what these have so far.
  void add_samples(std::size_t count, std::span<Real> sum, Scratch& scratch) {
    samples_.add(vectors_[gradient_.at].single, count, sum, scratch.batch, scratch.work);
  }
  std::size_t drawn() const { return samples_.drawn(); }  // samples, since begin_samples()
  void set_speed(double samples_per_second) { speed_ = static_cast<float>(samples_per_second); }
  float speed() const { return speed_; }  // of the newest gradient; 0: none yet
  void took_gradient(std::size_t batch, std::span<const Real> sum) {
    gradient_.batch = batch;
    gradient_.sum = sum;
  }

  // ---- its own message ----
  // C(what) as message number `sent(c)` of the channel, which fixes its random choices. Returns its bytes in memory.
  std::size_t publish(Channel c, const Linear& what, Real scalar, std::span<std::byte> message, Scratch& scratch);
  Round sent(Channel c) const { return channels_[c.index].sent; }  // messages
  // The same of a model that lies in its message already.
  void published_in_place(Channel c, std::span<const std::byte> message);
  // Q(x) as the message of `iteration`.
  std::size_t encode(Round iteration, std::span<std::byte> message);
  // The same of coordinates first … last − 1 alone, with a code that is sliceable. Returns their overflows.
  std::uint64_t encode_slice(Round iteration, std::size_t first, std::size_t last, std::span<std::byte> message) const;
  // On the wire, with the number that travels with it; of a collective: what a ring all-reduce sends of it.
  double wire_bytes(std::span<const std::byte> message) const;
  // The node has left the run before the iteration that it has encoded messages of: they do not exist.
  void take_back_messages() { overflows_ = overflows_at_begin_; }

  // ---- what it hears: listen, then each neighbour in the network's order, then heard ----
  void listen(Seconds now);
  void hear(const Neighbour& from, const HeardMessage& message, std::vector<MixTerm>& terms) {
    if (exchanges_ == 1) deadline_.observe(static_cast<double>(message.speed));
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

  // The same of a general exchange: its messages stay with the channel, for formulas, until the next publication there.
  void listen(Channel c, Seconds now);
  void hear(Channel c, const Neighbour& from, const HeardMessage& message) {
    if (run_.algorithm.sends_each_its_own) return add(c, from, part_for_this_node(from, message));
    add(c, from, message);
  }
  Messages heard(Channel c, Seconds now);
  // `newest` delivery: where a channel's part of a message lies, and that part of what a neighbour has sent.
  std::span<std::byte> part_of(Channel c, std::span<std::byte> parcel) const;
  HeardMessage part_of(Channel c, HeardMessage parcel) const;
  double parcel_wire_bytes(std::span<std::byte> parcel) const;
  // `newest` delivery, forms: what this node had sent last when the run was stopped, once more. False: there is none.
  bool publish_again(Channel c, std::span<std::byte> message);
  // A collective: the messages of all nodes in ascending order, this one's among them.
  void hear_of_all(Channel c, NodeId from, const HeardMessage& message);

  // ---- the update ----
  // The statements as the coefficients of mix(), where that is all that they are.
  std::optional<Coefficients> as_coefficients(std::span<const Statement> statements) const;
  // sum [p]: over `batch` samples; left alone where there are none.
  Update update_of(const Coefficients& c, std::size_t batch, std::span<const Real> sum) const;
  // out [p] ← the update, with these messages; the model is there from then on.
  void carry_out(const Update& update, std::span<const MixTerm> terms, std::span<Real> out);
  // The same in place, of coordinates first … last − 1 alone. Returns blocks that were decoded wrongly.
  std::uint64_t carry_out_slice(const Update& update, std::span<const MixTerm> terms, std::size_t first,
                                std::size_t last) const {
    return mix(x_, x_, first, last, update.coefficients, terms, run_.codec, update.gradient, penalised_);
  }
  // The same as one of several nodes' updates.
  MixJob job_of(const Update& update, std::span<const MixTerm> terms) const {
    return {x_, update.coefficients, update.gradient, terms, penalised_};
  }
  // Any statements, in place.
  void carry_out(std::span<const Statement> statements);

  // Asks for the lists that an iteration touches.
  void prefetch_lists() const;

  Real& scalar() { return scalar_; }
  // Of the model and all lasting vectors, as the iteration leaves them (replay_log.hpp).
  std::uint16_t state_check() const;
  const VectorView& vector(std::size_t k) const { return vectors_[k]; }

  std::uint64_t overflows() const { return overflows_; }
  std::uint64_t violations() const { return violations_; }
  void count_overflows(std::uint64_t coordinates) { overflows_ += coordinates; }
  void count_violations(std::uint64_t blocks) { violations_ += blocks; }
  void forget_counts() { overflows_ = overflows_at_begin_ = violations_ = 0; }

  // ---- for a run that is stopped: as it was when the iteration began, whatever has been done of it since ----
  void save(Checkpoint& checkpoint) const;
  void restore(const Checkpoint& saved, std::span<const double>& seen_speeds);  // takes its own off their front
  void save_unseen(Checkpoint& checkpoint) const;
  void restore_unseen(std::span<const std::uint32_t>& next_unseen);

 private:
  // What a channel has sent and brought.
  struct Exchanged {
    Round sent = 0, sent_at_begin = 0;  // messages; before this iteration
    std::span<const std::byte> own;     // the newest
    bool is_model = false;              // which is x as it is
    Real own_scalar = 0, scalar = 0;
    Real share = 1;  // of all weights, so that those of models sum to 1 where columns of W alone do
    Real own_weight = 0;
    std::vector<MixTerm> terms;
    std::vector<Real> scalars;  // of the terms, where neighbours get messages of their own
  };

  StreamKey stream_of(Round message, std::uint32_t channel = 0) const {
    return {.seed = run_.seed, .node = id_, .iteration = message, .purpose = Purpose::quantizer, .draw = channel};
  }
  void add(Channel c, const Neighbour& from, const HeardMessage& message) {
    Exchanged& channel = channels_[c.index];
    const Real weight = channel.share * weight_from(from, channel.sent - 1);
    if (weight == 0 && !heard_weights_.empty()) return;
    hear(from, message, channel.terms);
    channel.scalar += weight * message.scalar;
    channel.terms.back().weight = weight;
    if (run_.algorithm.sends_each_its_own) channel.scalars.push_back(message.scalar);
  }
  // Of a checkpoint, for each channel: the message that others may still read. It is no function of what the iteration
  // leaves; a model would be.
  std::size_t floats_of_sent() const;
  HeardMessage part_for_this_node(const Neighbour& from, HeardMessage message) const;
  std::size_t publish_each(Channel c, const Linear& what, Real scalar, std::span<std::byte> message, Scratch& scratch);
  void restore_messages(std::span<const Real> saved);
  Real weight_from(const Neighbour& j, Round message) const;
  Real self_weight(Round message) const;
  void add_vectors();
  SweepInput sweep_input(std::span<Received> received) const;

  const Run& run_;
  Options options_;
  NodeId id_;
  Round round_;
  std::span<Real> x_;                           // [p]
  std::vector<VectorView> vectors_;             // the model, then the row's states
  std::vector<AlignedVector<Real>> floats_;     // [p] each: lasting states, then scratch
  std::vector<AlignedVector<double>> doubles_;  // [p] each: wide states
  std::size_t lasting_ = 0;                     // of floats_
  std::vector<Exchanged> channels_;
  std::vector<Real> sent_before_;                  // [channels · floats_of_sent()]: of a run that was resumed
  std::vector<AlignedVector<Real>> heard_before_;  // [channels · neighbours] of [p]: of a run that was resumed
  Real scalar_ = 1;
  GradientTaken gradient_;
  std::uint32_t gradients_ = 0, exchanges_ = 0;  // of this iteration
  LocalGradient samples_;
  AdaptiveDeadline deadline_;
  std::vector<CoordinateRange> penalised_;
  float speed_ = 0, speed_at_begin_ = 0;
  Seconds listening_since_ = 0, age_ = 0;  // of all messages heard, up to then
  double behind_ = 0;                      // iterations, of all messages heard
  std::size_t heard_ = 0;
  std::vector<Real> lost_weights_;
  std::vector<Neighbour> heard_weights_;    // [neighbours], w_ij: `newest` delivery on a directed graph
  std::vector<Neighbour> peers_;            // of a schedule's message
  std::vector<std::uint32_t> next_unseen_;  // [neighbours]: the first message of each that has not been passed
  std::uint64_t overflows_ = 0;             // coordinates that did not fit their code
  std::uint64_t overflows_at_begin_ = 0;    // of those, before this iteration
  std::uint64_t violations_ = 0;            // blocks of messages that were decoded wrongly
};

}  // namespace quantimed
