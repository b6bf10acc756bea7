// The models of all nodes in one piece of memory, each on its own cache lines.
#pragma once

#include "base/types.hpp"

#include <span>

namespace quantimed {

class ModelArena {
 public:
  // Throws InputError (naming --nodes) where the machine's memory cannot hold `bytes_per_node_in_all` for each node.
  ModelArena(std::uint32_t nodes, std::size_t dimension, std::size_t bytes_per_node_in_all);
  ~ModelArena();
  ModelArena(const ModelArena&) = delete;
  ModelArena& operator=(const ModelArena&) = delete;

  std::span<float> model(NodeId i) { return {floats_ + i * stride_, dimension_}; }

 private:
  std::size_t dimension_, stride_, bytes_;
  float* floats_ = nullptr;
};

}  // namespace quantimed
