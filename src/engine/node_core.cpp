// SPDX-License-Identifier: BSD-3-Clause
#include "engine/node_core.hpp"

#include "base/prefetch.hpp"
#include "engine/resumption.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>

namespace quantimed {

Protocol protocol_of(const AlgorithmRow& row) {
  std::uint32_t scratch = 0;
  for (std::size_t k = 0; k < row.states.size(); ++k)
    if (row.states[k].kind == StateRow::Kind::scratch) scratch |= 2u << k;
  return {row.delivery, row.channels, static_cast<std::uint32_t>(row.states.size()) + 1, scratch, row.sends_its_model};
}

Weight own_weight(const Network& network, NodeId id) {
  return {.of_self = static_cast<Real>(network.self_weights[id]), .excess = static_cast<Real>(network.row_sum(id) - 1)};
}

NodeCore::NodeCore(const Run& run, NodeId id)
    : run_(run),
      options_(run.options),
      id_(id),
      round_(first_round(run, id)),
      samples_(run.problem, run.shards.of(id), id, run.seed, run.augmentation),
      deadline_(run.deadline, run.network.neighbours(id).size()),
      penalised_(run.problem.penalised()),
      next_unseen_(run.network.neighbours(id).size()) {
  lost_weights_.reserve(next_unseen_.size());
  if (run.network.is_scheduled()) {
    const bool is_newest = run.algorithm.delivery == Delivery::newest && !run.network.schedule.changes();
    check((run.algorithm.delivery == Delivery::round || is_newest) && run.faults.empty() && !run.machine &&
              !run.deadline.adapts,
          "a schedule with options that know fixed neighbours alone");
    if (is_newest)
      for (const Neighbour& j : run.network.neighbours(id))
        heard_weights_.push_back({j.id, run.network.heard_weight(id, j.id)});
    peers_.reserve(Network::kMostPeers);
    for (const Round k : {0, 1}) (void)sources(k);  // this thread's first draws take memory
  }
  for (std::uint8_t c = 0; c < run.algorithm.channels; ++c) {
    Exchanged& channel = channels_.emplace_back();
    channel.sent = round_;
    if (run.algorithm.delivery == Delivery::newest && c == 0)
      channel.share = static_cast<Real>(1 / run.network.row_sum(id));
    const bool has_all = run.algorithm.collective_period(run.options) > 0;
    if (!run.algorithm.sends_its_model) channel.terms.reserve(has_all ? run.network.nodes : next_unseen_.size() + 1);
    if (run.algorithm.sends_each_its_own) channel.scalars.reserve(next_unseen_.size());
  }
  vectors_.resize(1);
}

void NodeCore::place(std::span<Real> x) {
  x_ = x;
  set_model(run_, id_, x);
  vectors_[0] = {.single = x, .wide = {}};
  add_vectors();
}

// The row's states in its order: as they start, or as they were where the run is resumed.
void NodeCore::add_vectors() {
  using Kind = StateRow::Kind;
  const std::size_t p = x_.size();
  const auto count = [&](Kind kind) { return std::ranges::count(run_.algorithm.states, kind, &StateRow::kind); };
  lasting_ = static_cast<std::size_t>(count(Kind::lasting));
  floats_.resize(lasting_ + static_cast<std::size_t>(count(Kind::scratch)));
  doubles_.resize(static_cast<std::size_t>(count(Kind::wide)));
  vectors_.resize(1);
  std::size_t lasting = 0, scratch = lasting_, wide = 0;
  for (const StateRow& state : run_.algorithm.states) {
    const bool is_model = state.start == StateRow::Start::model;
    if (state.kind == Kind::wide) {
      doubles_[wide].resize(p);
      std::transform(x_.begin(), x_.end(), doubles_[wide].begin(),
                     [&](Real value) { return is_model ? static_cast<double>(value) : 0; });
      vectors_.push_back({.single = {}, .wide = doubles_[wide++]});
      continue;
    }
    AlignedVector<Real>& values = floats_[state.kind == Kind::lasting ? lasting++ : scratch++];
    values.resize(p);
    std::transform(x_.begin(), x_.end(), values.begin(), [&](Real value) { return is_model ? value : 0; });
    vectors_.push_back({.single = values, .wide = {}});
  }
}

void NodeCore::prefetch_lists() const {
  prefetch(vectors_.data(), sizeof(VectorView));
  prefetch(channels_.data(), sizeof(Exchanged));
  prefetch(penalised_.data());
  prefetch(next_unseen_.data());
}

void NodeCore::begin(Round t, Seconds start) {
  round_ = t;
  options_.alpha = run_.steps.at(t, run_.options.alpha);
  record = {.start = start};
  speed_at_begin_ = speed_;
  overflows_at_begin_ = overflows_;
  gradients_ = exchanges_ = 0;
  for (std::size_t c = 0; c < channels_.size(); ++c) channels_[c].sent_at_begin = channels_[c].sent;
}

Real NodeCore::weight_from(const Neighbour& j, Round message) const {
  if (run_.algorithm.weights == Weights::mixing) return j.weight;
  if (run_.algorithm.weights == Weights::ones) return 1;
  return 1 / (1 + static_cast<Real>(run_.network.reader_count(j.id, message)));
}

Real NodeCore::self_weight(Round message) const {
  if (run_.algorithm.weights == Weights::mixing) return static_cast<Real>(run_.network.self_weight(id_, message));
  if (run_.algorithm.weights == Weights::ones) return 1;
  return 1 / (1 + static_cast<Real>(run_.network.reader_count(id_, message)));
}

double NodeCore::wire_bytes(std::span<const std::byte> message) const {
  const auto bytes = static_cast<double>(run_.codec.wire_bytes(message, x_.size()));
  if (run_.algorithm.sends_its_model) return bytes;
  if (!run_.algorithm.exchanges(run_.options, round_).is_collective)
    return bytes + run_.algorithm.message_scalars * sizeof(Real);
  const double n = run_.network.nodes;
  return std::ceil(2 * (n - 1) / n * static_cast<double>(x_.size_bytes()));
}

std::size_t NodeCore::encode(Round iteration, std::span<std::byte> message) {
  const Encoded encoded = run_.codec.encode(x_, stream_of(iteration), message);
  overflows_ += encoded.overflows;
  return encoded.bytes;
}

std::size_t NodeCore::publish(Channel c, const Linear& what, Real scalar, std::span<std::byte> message,
                              Scratch& scratch) {
  if (run_.algorithm.sends_each_its_own) return publish_each(c, what, scalar, message, scratch);
  Exchanged& channel = channels_[c.index];
  const auto evaluate_into = [&](std::span<Real> out) {
    std::array<Received, Protocol::kMostChannels> received;
    violations_ += evaluate(sweep_input(received), what, out);
    return out;
  };
  std::size_t bytes = x_.size_bytes();
  if (run_.codec.is_identity()) {
    evaluate_into({reinterpret_cast<Real*>(message.data()), x_.size()});
  } else {
    scratch.form.resize(x_.size());
    const std::span<const Real> values = what.is_model() ? x_ : evaluate_into(scratch.form);
    const Encoded encoded = run_.codec.encode(values, stream_of(channel.sent, c.index), message);
    overflows_ += encoded.overflows;
    bytes = encoded.bytes;
  }
  published_in_place(c, message.first(bytes));
  channel.is_model = what.is_model();
  channel.own_scalar = scalar;
  return bytes;
}

void NodeCore::published_in_place(Channel c, std::span<const std::byte> message) {
  Exchanged& channel = channels_[c.index];
  ++channel.sent;
  channel.own = message;
  channel.is_model = true;
}

SweepInput NodeCore::sweep_input(std::span<Received> received) const {
  for (std::size_t c = 0; c < channels_.size(); ++c)
    received[c] = {.codec = &run_.codec,
                   .own = channels_[c].own,
                   .own_weight = channels_[c].own_weight,
                   .terms = channels_[c].terms};
  return {.vectors = vectors_,
          .channels = received,
          .gradient = {.sum = gradient_.sum,
                       .batch = gradient_.batch,
                       .l2 = l2_coefficient(run_.penalty, gradient_.batch, run_.shards.rows.size())},
          .gradient_at = gradient_.at,
          .penalised = penalised_};
}

void NodeCore::carry_out(std::span<const Statement> statements) {
  std::array<Received, Protocol::kMostChannels> received;
  violations_ += sweep(sweep_input(received), statements);
}

std::optional<Coefficients> NodeCore::as_coefficients(std::span<const Statement> statements) const {
  if (statements.size() != 1 || statements[0].destination != formula::x) return {};
  Coefficients c;
  for (const auto& [factor, source] : statements[0].value) {
    if (source == formula::x) {
      c.self += factor;
    } else if (source == formula::g) {
      c.gradient += factor;
    } else if (source.kind == Source::Kind::others) {
      c.neighbours += factor;
    } else if (source.kind == Source::Kind::mixed && run_.codec.is_identity() && channels_[source.index].is_model) {
      c.neighbours += factor;
      c.self += factor * self_weight(channels_[source.index].sent - 1);
    } else {
      return {};
    }
  }
  return c;
}

std::uint64_t NodeCore::encode_slice(Round iteration, std::size_t first, std::size_t last,
                                     std::span<std::byte> message) const {
  return run_.codec.encode_slice(x_.subspan(first, last - first), stream_of(iteration), first, message).overflows;
}

void NodeCore::listen(Seconds now) {
  if (++exchanges_ == 1) deadline_.observe(static_cast<double>(speed_));
  listening_since_ = now;
  age_ = behind_ = 0;
  heard_ = 0;
  lost_weights_.clear();
}

void NodeCore::heard(Seconds now) {
  if (heard_ == 0) return;
  const auto messages = static_cast<double>(heard_);
  record.staleness = static_cast<float>(behind_ / messages);
  record.age = static_cast<float>(age_ / messages + (now - listening_since_));
}

void NodeCore::listen(Channel c, Seconds now) {
  listen(now);
  channels_[c.index].terms.clear();
  channels_[c.index].scalars.clear();
  channels_[c.index].scalar = 0;
}

Messages NodeCore::heard(Channel c, Seconds now) {
  heard(now);
  Exchanged& channel = channels_[c.index];
  channel.own_weight = channel.share * self_weight(channel.sent - 1);
  for (const Real weight : lost_weights_) channel.own_weight += weight;
  return {.scalar = channel.scalar + channel.own_weight * channel.own_scalar};
}

void NodeCore::hear_of_all(Channel c, NodeId from, const HeardMessage& message) {
  const Real share = 1 / static_cast<Real>(run_.network.nodes);
  if (from == id_)
    channels_[c.index].terms.push_back({message.payload, share});
  else
    hear({.id = from, .weight = share}, message, channels_[c.index].terms);
}

void NodeCore::pass_over(std::size_t k, std::uint64_t serial) {
  if (!heard_weights_.empty() && heard_weights_[k].weight == 0) return;  // not heard
  if (serial > next_unseen_[k]) record.overwritten += static_cast<float>(serial - next_unseen_[k]);
  next_unseen_[k] = static_cast<std::uint32_t>(serial + 1);
}

Update NodeCore::update_of(const Coefficients& c, std::size_t batch, std::span<const Real> sum) const {
  Update update{.coefficients = c, .gradient = {.sum = sum, .batch = batch, .l2 = 0}};
  update.gradient.l2 = l2_coefficient(run_.penalty, batch, run_.shards.rows.size());
  for (const Real weight : lost_weights_) update.coefficients.self += c.neighbours * weight;
  return update;
}

void NodeCore::carry_out(const Update& update, std::span<const MixTerm> terms, std::span<Real> out) {
  violations_ += mix(x_, out, 0, x_.size(), update.coefficients, terms, run_.codec, update.gradient, penalised_);
  x_ = vectors_[0].single = out;
}

}  // namespace quantimed
