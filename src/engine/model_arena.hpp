// SPDX-License-Identifier: BSD-3-Clause
// The models of all nodes in one piece of memory, each on its own cache lines.
#pragma once

#include "base/types.hpp"

#include <span>

namespace quantimed {

class ModelArena {
 public:
  // Throws MachineRefused (naming --nodes) where the machine refuses so much; memory_plan.hpp asks before.
  ModelArena(std::uint32_t nodes, std::size_t dimension);
  ~ModelArena();
  ModelArena(const ModelArena&) = delete;
  ModelArena& operator=(const ModelArena&) = delete;

  static std::size_t bytes_of(std::uint32_t nodes, std::size_t dimension) {
    return nodes * stride_of(dimension) * sizeof(Real);
  }
  std::span<Real> model(NodeId i) { return {floats_ + i * stride_, dimension_}; }

 private:
  static std::size_t stride_of(std::size_t dimension) {  // floats
    return (dimension * sizeof(Real) + kSeparation - 1) / kSeparation * kSeparation / sizeof(Real);
  }

  std::size_t dimension_, stride_, bytes_;
  Real* floats_ = nullptr;
};

}  // namespace quantimed
