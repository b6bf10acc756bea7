// SPDX-License-Identifier: BSD-3-Clause
// The objects of one run, from a resolved Config.
#pragma once

#include "algorithm/table.hpp"
#include "codec/codec.hpp"
#include "config/config.hpp"
#include "dataset/dataset.hpp"
#include "dataset/shards.hpp"
#include "engine/engine.hpp"
#include "problem/problem.hpp"
#include "timing/machine_file.hpp"
#include "topology/network.hpp"

#include <memory>
#include <optional>
#include <span>
#include <string>

namespace quantimed {

// In the order in which they need each other. Throws InputError. `data` outlives it.
struct Setup {
  Setup(const Config& resolved, const DataSplit& data);
  Run run() const;  // refers to this object

  Config config;
  const AlgorithmRow& row;
  std::unique_ptr<Problem> problem;
  Network network;
  Shards shards;
  std::unique_ptr<Codec> codec;
  std::unique_ptr<SpeedModel> speed;
  Penalty penalty;
  Augmentation augmentation;
  std::optional<MachineFile> machine;  // --machine
};

// --curve replay: in real time alone, since one Config also serves what virtual time predicts of a run.
bool is_drawn_by_replay(const Config& resolved);

// A code that the algorithm's messages cannot take, as far as that can be told without the data: p = 0, or for models
// of p coordinates. Throws InputError.
void require_codec(const std::string& text, const AlgorithmRow& row, std::size_t p);
// For these runs, on these data, before the first of them.
void require_codecs(std::span<const Config> resolved, const DataSplit& data);

}  // namespace quantimed
