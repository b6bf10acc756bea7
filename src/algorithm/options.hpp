// The numbers that an algorithm's text needs, resolved.
#pragma once

#include "base/types.hpp"

#include <cstdint>

namespace quantimed {

struct Options {
  float alpha = 0;          // weight of the gradient
  float epsilon = 1;        // step of the mixing
  std::uint32_t batch = 0;  // b, samples
};

}  // namespace quantimed
