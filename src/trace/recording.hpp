// SPDX-License-Identifier: BSD-3-Clause
// What the clock decided in a real-time run, as plain data: /replay of a trace. src/record/replay_log.hpp has the
// format of the logs, and why they fix every bit of the run.
#pragma once

#include <cstdint>
#include <vector>

namespace quantimed {

struct Recording {
  std::vector<std::uint8_t> log;          // [sum of log_bytes], node after node
  std::vector<std::int64_t> log_bytes;    // [n]
  std::vector<std::uint32_t> iterations;  // [n], that have ended; what a log holds beyond them is of one that has not
  // Fingerprints of whole models, at the points of the curve and at the end. [models] each.
  std::vector<std::uint32_t> model_node;
  std::vector<std::uint32_t> model_iteration;  // as the model was when the node began it …
  std::vector<std::int64_t>
      model_turn;  // … with `pairwise` delivery, before this turn at it (replay_log.hpp); else empty
  std::vector<std::int64_t> model_fingerprint;

  bool operator==(const Recording&) const = default;
};

}  // namespace quantimed
