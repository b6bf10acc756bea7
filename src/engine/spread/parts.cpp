// SPDX-License-Identifier: BSD-3-Clause
#include "engine/spread/parts.hpp"

#include <tuple>

namespace quantimed {

namespace {

// Of each node one after the other. What messages in virtual time add (message_…, payload) is none of a run in real
// time, and comes last.
constexpr auto kColumns = std::tuple{
    &Checkpoint::models,      &Checkpoint::states,      &Checkpoint::wide_states, &Checkpoint::scalars,
    &Checkpoint::messages,    &Checkpoint::iteration,   &Checkpoint::start_time,  &Checkpoint::speed,
    &Checkpoint::seen_speeds, &Checkpoint::seen_counts, &Checkpoint::next_unseen, &Checkpoint::start_time_other_bits};
constexpr auto kParts = std::tuple{&Recording::log,        &Recording::log_bytes,       &Recording::iterations,
                                   &Recording::model_node, &Recording::model_iteration, &Recording::model_fingerprint};

template <class Columns, class Function>
void for_each(const Columns& columns, Function&& function) {
  std::apply([&](auto... column) { (function(column), ...); }, columns);
}

void put(Parcel& parcel, const Attributes& attributes) {
  parcel.put(std::uint64_t{attributes.size()});
  for (const auto& [name, value] : attributes) {
    parcel.put_text(name).put(std::uint8_t(value.index()));
    std::visit(
        [&](const auto& v) {
          if constexpr (std::is_same_v<std::decay_t<decltype(v)>, std::string>)
            parcel.put_text(v);
          else
            parcel.put(v);
        },
        value);
  }
}

Attribute take_attribute(Parcel& parcel) {
  switch (parcel.take<std::uint8_t>()) {
    case 0:
      return parcel.take<bool>();
    case 1:
      return parcel.take<std::int64_t>();
    case 2:
      return parcel.take<double>();
    default:
      return parcel.take_text();
  }
}

}  // namespace

void put(Parcel& parcel, const Checkpoint& checkpoint) {
  for_each(kColumns, [&](auto column) { parcel.put_all(checkpoint.*column); });
  put(parcel, checkpoint.state);
}

Checkpoint take_checkpoint(Parcel& parcel) {
  Checkpoint checkpoint;
  for_each(kColumns, [&](auto column) {
    using Value = typename std::decay_t<decltype(checkpoint.*column)>::value_type;
    checkpoint.*column = parcel.take_all<Value>();
  });
  for (auto count = parcel.take<std::uint64_t>(); count > 0; --count) {
    std::string name = parcel.take_text();
    checkpoint.state.emplace_back(std::move(name), take_attribute(parcel));
  }
  return checkpoint;
}

void append(Checkpoint& to, const Checkpoint& of_later_nodes) {
  for_each(kColumns, [&](auto column) {
    const auto& more = of_later_nodes.*column;
    (to.*column).insert((to.*column).end(), more.begin(), more.end());
  });
}

void put(Parcel& parcel, const Recording& recording) {
  for_each(kParts, [&](auto part) { parcel.put_all(recording.*part); });
}

Recording take_recording(Parcel& parcel) {
  Recording recording;
  for_each(kParts, [&](auto part) {
    using Value = typename std::decay_t<decltype(recording.*part)>::value_type;
    recording.*part = parcel.take_all<Value>();
  });
  return recording;
}

}  // namespace quantimed
