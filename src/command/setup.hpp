// The objects of one run, from a resolved Config.
#pragma once

#include "algorithm/table.hpp"
#include "codec/codec.hpp"
#include "config/config.hpp"
#include "dataset/dataset.hpp"
#include "dataset/shards.hpp"
#include "engine/engine.hpp"
#include "engine/machine_file.hpp"
#include "problem/problem.hpp"
#include "topology/network.hpp"

#include <memory>
#include <optional>

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
  std::optional<MachineFile> machine;  // --machine
};

}  // namespace quantimed
