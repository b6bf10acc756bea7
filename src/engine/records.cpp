#include "engine/records.hpp"

#include <algorithm>
#include <limits>

namespace quantimed {

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
  column(rounds.start_time, &RoundRecord::start);
  column(rounds.compute_time, &RoundRecord::compute);
  column(rounds.encode_time, &RoundRecord::encode);
  column(rounds.publish_time, &RoundRecord::publish);
  column(rounds.wait_time, &RoundRecord::wait);
  column(rounds.exchange_time, &RoundRecord::exchange);
  column(rounds.mix_time, &RoundRecord::mix);
  column(rounds.record_time, &RoundRecord::record);
  column(rounds.batch, &RoundRecord::batch);
  column(rounds.deadline, &RoundRecord::deadline);
  column(rounds.overshoot, &RoundRecord::overshoot);
  column(rounds.speed_asked, &RoundRecord::speed_asked);
  column(rounds.staleness, &RoundRecord::staleness);
  column(rounds.message_age, &RoundRecord::age);
  column(rounds.overwritten, &RoundRecord::overwritten);
  column(rounds.bytes_sent, &RoundRecord::bytes);
  return rounds;
}

}  // namespace quantimed
