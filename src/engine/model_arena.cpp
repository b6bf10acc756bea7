#include "engine/model_arena.hpp"

#include "base/error.hpp"
#include "engine/allocation.hpp"

#include <sys/mman.h>

namespace quantimed {

ModelArena::ModelArena(std::uint32_t nodes, std::size_t dimension, std::size_t bytes_per_node_in_all)
    : dimension_(dimension),
      stride_((dimension * sizeof(float) + kSeparation - 1) / kSeparation * kSeparation / sizeof(float)),
      bytes_(nodes * stride_ * sizeof(float)) {
  const double memory = usable_memory_bytes();
  const double needed = static_cast<double>(nodes) * static_cast<double>(bytes_per_node_in_all);
  if (needed > memory)
    throw MachineRefused(
        "--nodes {}: needs {:.1f} GiB, and {:.1f} GiB may be used; use fewer nodes or a smaller --model", nodes,
        needed / 0x1p30, memory / 0x1p30);
  void* const memory_map = ::mmap(nullptr, bytes_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory_map == MAP_FAILED)
    throw MachineRefused("--nodes {}: {:.1f} GiB were refused; use fewer nodes or a smaller --model", nodes,
                         needed / 0x1p30);
  ::madvise(memory_map, bytes_, MADV_HUGEPAGE);  // a wish: thousands of models overrun the TLB otherwise
  floats_ = static_cast<float*>(memory_map);
}

ModelArena::~ModelArena() { ::munmap(floats_, bytes_); }

}  // namespace quantimed
