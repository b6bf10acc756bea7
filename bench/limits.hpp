// SPDX-License-Identifier: BSD-3-Clause
// What the rows of `make bench` share.
#pragma once

#include "bench/timing.hpp"
#include "engine/engine.hpp"

#include <memory>
#include <string>

namespace quantimed::bench {

inline constexpr std::uint32_t kBatch = 50;

Dataset synthetic_images(std::uint32_t samples);

// Evaluates nothing.
class Blind final : public Watcher {
 public:
  bool observe(const Cut&) override { return true; }
  bool wants_to_stop() override { return false; }
  void progress(double) override {}
  void checkpoint(const RoundsSource&, std::optional<Checkpoint>) override {}
  bool checkpoint_due() override { return false; }
};

// One row. `as_share`: limit / time, at least `wanted`; else time / limit, at most `wanted`.
void print(const std::string& kernel, const Ratio& ratio, const char* unit, double scale, double wanted, bool as_share);

// real_time.cpp: what the threads engine does beside what its cores could.
void real_time_rows(const Dataset& data, const Problem& problem);
// virtual_time.cpp: what the virtual engines cost beside arithmetic.
void virtual_time_rows();

}  // namespace quantimed::bench
