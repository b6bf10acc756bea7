// SPDX-License-Identifier: BSD-3-Clause
// What the steps of a node cost on a machine, measured once: from this the virtual engine predicts a threads run.
#pragma once

#include "base/types.hpp"

#include <cstddef>
#include <utility>
#include <vector>

namespace quantimed {

// One model, one code, one machine. All in seconds, medians, measured with every core at work.
struct MachineCosts {
  std::vector<std::pair<std::size_t, Seconds>> gradient;  // (batch, time), batches ascending, at least one
  Seconds deadline_sample_s = 0;                     // a sample of a gradient that is cut into chunks by a deadline
  Seconds encode_s = 0;                              // 0 for exact models, which are sent from where they lie
  Seconds publish_s = 0;                             // making a message visible
  Seconds latency_s = 0;                             // from there until a waiting neighbour has seen it
  Seconds receive_s = 0;                             // taking messages that are there already
  std::vector<std::pair<std::size_t, Seconds>> mix;  // (neighbours, time), ascending, at least one: the update, and
                                                     // pulling their messages out of other cores' caches
  Seconds record_s = 0;                              // the instrument's own, an iteration

  // Linear between measured points and beyond them; gradients smaller than any measured one in proportion.
  Seconds gradient_time(std::size_t batch) const;
  Seconds mix_time(std::size_t neighbours) const;
};

}  // namespace quantimed
