// SPDX-License-Identifier: BSD-3-Clause
// Compressed sparse rows in an HDF5 file: a group of data, indices and indptr with the attribute shape, as AnnData and
// SciPy name them.
#pragma once

#include <array>
#include <cstdint>
#include <string>

#include "dataset/dataset.hpp"
#include "dataset/hdf5_file.hpp"

namespace quantimed {

// The attribute shape of a group: [samples, features]. Throws InputError.
std::array<std::uint64_t, 2> sparse_shape(const Hdf5File& file, const std::string& name);

// Samples and features are those of the attribute shape, in which all lists must agree. What is stored, but 0, is not
// held. Throws InputError.
SparseRows read_sparse(Hdf5File& file, const std::string& name, const std::array<std::uint64_t, 2>& shape);

}  // namespace quantimed
