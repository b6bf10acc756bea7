// SPDX-License-Identifier: BSD-3-Clause
// Trace → HDF5 image. write.cpp calls it in a child. HDF5 never sees a full disk, after which it could no longer close
// its file: the image is memory to it, and ImageFile tells of the disk.
#pragma once

#include "trace/image.hpp"
#include "trace/trace.hpp"

#include <cstddef>

namespace quantimed {

// Returns the file's size in bytes. Throws hdf5::Fault, std::bad_alloc.
std::size_t write_parts(ImageFile& image, const Trace& trace, const RoundsSource& rounds);

}  // namespace quantimed
