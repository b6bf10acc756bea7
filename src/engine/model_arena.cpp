// SPDX-License-Identifier: BSD-3-Clause
#include "engine/model_arena.hpp"

#include "base/error.hpp"
#include "machine/allocation.hpp"

#include <sys/mman.h>

namespace quantimed {

ModelArena::ModelArena(std::uint32_t nodes, std::size_t dimension)
    : dimension_(dimension), stride_(stride_of(dimension)), bytes_(bytes_of(nodes, dimension)) {
  void* const memory_map = ::mmap(nullptr, bytes_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory_map == MAP_FAILED)
    throw MachineRefused("--nodes {}: {} were refused; use fewer nodes or a smaller --model", nodes,
                         size_text(static_cast<double>(bytes_)));
  ::madvise(memory_map, bytes_, MADV_HUGEPAGE);  // a wish: thousands of models overrun the TLB otherwise
  floats_ = static_cast<Real*>(memory_map);
}

ModelArena::~ModelArena() { ::munmap(floats_, bytes_); }

}  // namespace quantimed
