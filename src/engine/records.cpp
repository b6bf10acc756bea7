#include "engine/records.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

namespace quantimed {

namespace {

// Each column of the trace with its field of a record.
template <class AnyRounds, class Function>
void for_each_field(AnyRounds& rounds, Function&& function) {
  function(rounds.start_time, &RoundRecord::start);
  function(rounds.compute_time, &RoundRecord::compute);
  function(rounds.encode_time, &RoundRecord::encode);
  function(rounds.publish_time, &RoundRecord::publish);
  function(rounds.wait_time, &RoundRecord::wait);
  function(rounds.exchange_time, &RoundRecord::exchange);
  function(rounds.mix_time, &RoundRecord::mix);
  function(rounds.record_time, &RoundRecord::record);
  function(rounds.batch, &RoundRecord::batch);
  function(rounds.deadline, &RoundRecord::deadline);
  function(rounds.overshoot, &RoundRecord::overshoot);
  function(rounds.speed_asked, &RoundRecord::speed_asked);
  function(rounds.staleness, &RoundRecord::staleness);
  function(rounds.message_age, &RoundRecord::age);
  function(rounds.overwritten, &RoundRecord::overwritten);
  function(rounds.bytes_sent, &RoundRecord::bytes);
}

}  // namespace

Rounds to_rounds(std::span<const std::span<const RoundRecord>> records, std::size_t limit) {
  Rounds rounds;
  rounds.nodes = records.size();
  for (const auto& node : records) rounds.iterations = std::max(rounds.iterations, std::min(limit, node.size()));
  const auto column = [&](auto& out, auto field) {
    using Value = typename std::decay_t<decltype(out)>::value_type;
    out.assign(rounds.iterations * rounds.nodes, std::numeric_limits<Value>::quiet_NaN());
    for (std::size_t i = 0; i < rounds.nodes; ++i)
      for (std::size_t t = 0; t < std::min(rounds.iterations, records[i].size()); ++t)
        out[t * rounds.nodes + i] = records[i][t].*field;
  };
  for_each_field(rounds, column);
  return rounds;
}

std::vector<std::vector<RoundRecord>> from_rounds(const Rounds& rounds) {
  std::vector<std::vector<RoundRecord>> records(rounds.nodes);
  for (std::size_t i = 0; i < rounds.nodes; ++i) {
    std::size_t count = 0;
    while (count < rounds.iterations && !std::isnan(rounds.start_time[count * rounds.nodes + i])) ++count;
    records[i].resize(count);
  }
  for_each_field(rounds, [&](const auto& column, auto field) {
    for (std::size_t i = 0; i < rounds.nodes; ++i)
      for (std::size_t t = 0; t < records[i].size(); ++t) records[i][t].*field = column[t * rounds.nodes + i];
  });
  return records;
}

}  // namespace quantimed
