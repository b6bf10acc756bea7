#include "engine/node_core.hpp"

#include "engine/resumption.hpp"

#include <algorithm>

namespace quantimed {

NodeCore::NodeCore(const Run& run, NodeId id)
    : run_(run),
      id_(id),
      round_(first_round(run, id)),
      samples_(run.problem, run.shards.of(id), id, run.seed),
      deadline_(run.deadline, run.network.neighbours(id).size()),
      penalised_(run.problem.penalised()),
      next_unseen_(run.network.neighbours(id).size()) {
  lost_weights_.reserve(next_unseen_.size());
}

void NodeCore::place(std::span<float> x) {
  x_ = x;
  set_model(run_, id_, x);
}

void NodeCore::begin(Round t, Seconds start) {
  round_ = t;
  record = {.start = start};
  speed_at_begin_ = speed_;
}

std::size_t NodeCore::encode(Round iteration, std::span<std::byte> message) {
  const Encoded encoded = run_.codec.encode(x_, stream_of(iteration), message);
  last_overflows_ = encoded.overflows;
  overflows_ += encoded.overflows;
  return encoded.bytes;
}

std::uint64_t NodeCore::encode_slice(Round iteration, std::size_t first, std::size_t last,
                                     std::span<std::byte> message) const {
  return run_.codec.encode_slice(x_.subspan(first, last - first), stream_of(iteration), first, message).overflows;
}

void NodeCore::listen(Seconds now) {
  deadline_.observe(static_cast<double>(speed_));
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

void NodeCore::pass_over(std::size_t k, std::uint64_t serial) {
  if (serial > next_unseen_[k]) record.overwritten += static_cast<float>(serial - next_unseen_[k]);
  next_unseen_[k] = static_cast<std::uint32_t>(serial + 1);
}

Update NodeCore::update_of(const Coefficients& c, std::size_t batch, std::span<const float> sum) const {
  Update update{.coefficients = c, .gradient = {.sum = sum, .batch = batch, .l2 = 0}};
  update.gradient.l2 = l2_coefficient(run_.penalty, batch, run_.shards.rows.size());
  for (const float weight : lost_weights_) update.coefficients.self += c.neighbours * weight;
  return update;
}

void NodeCore::carry_out(const Update& update, std::span<const MixTerm> terms, std::span<float> out) {
  violations_ += mix(x_, out, 0, x_.size(), update.coefficients, terms, run_.codec, update.gradient, penalised_);
  x_ = out;
}

void NodeCore::save(Checkpoint& checkpoint) const {
  checkpoint.iteration.push_back(round_);
  checkpoint.speed.push_back(speed_at_begin_);
  deadline_.save(checkpoint.seen_speeds, checkpoint.seen_counts);
}

void NodeCore::restore(const Checkpoint& saved, std::span<const double>& seen_speeds) {
  speed_ = saved.speed[id_];
  if (!deadline_.restore(seen_speeds, saved.seen_counts[id_])) reject_checkpoint(run_, "its checkpoint lacks speeds");
}

void NodeCore::save_unseen(Checkpoint& checkpoint) const {
  checkpoint.next_unseen.insert(checkpoint.next_unseen.end(), next_unseen_.begin(), next_unseen_.end());
}

void NodeCore::restore_unseen(std::span<const std::uint32_t>& next_unseen) {
  std::copy_n(next_unseen.begin(), next_unseen_.size(), next_unseen_.begin());
  next_unseen = next_unseen.subspan(next_unseen_.size());
}

}  // namespace quantimed
