// SPDX-License-Identifier: BSD-3-Clause
// Open HDF5 file → Trace. read.cpp calls it in a child.
#pragma once

#include "trace/hdf5_read.hpp"
#include "trace/trace.hpp"

namespace quantimed {

enum class Parts { all, summary };

// What it returns is still to be held against itself (shapes.hpp). Throws hdf5::Fault, std::bad_alloc.
Trace read_parts(hdf5::Input input, Parts parts);

}  // namespace quantimed
