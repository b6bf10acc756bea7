// SPDX-License-Identifier: BSD-3-Clause
// Seeds in binary formats, made by the writers themselves: a few hundred bytes each, HDF5 a few thousand.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace quantimed::fuzz {

std::vector<std::string> idx_seeds();
std::vector<std::string> gzip_seeds();
std::vector<std::string> cifar_seeds();
std::vector<std::string> hdf5_seeds();
std::vector<std::string> trace_seeds();  // one with our seal, one without

std::vector<std::string> replay_log_seeds();  // of runs in real time, other ones each time
void read_replay_log(std::span<const std::uint8_t> bytes);

}  // namespace quantimed::fuzz
