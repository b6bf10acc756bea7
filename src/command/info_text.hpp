// SPDX-License-Identifier: BSD-3-Clause
// Parts of what `quantimed info` prints.
#pragma once

#include "machine/machine.hpp"

#include <span>
#include <string>

namespace quantimed {

// "NAME VERSION" a line: every library in use, the compiler and the C library.
std::string dependencies_text();

// The rows of these algorithms as a table, and as README.md shows it.
std::string algorithms_text(std::span<const std::string> names);

// A JSON document: `algorithms`, an object for each of these rows, and beside it what is known of the machine, where
// one is given.
std::string info_json(const Machine* machine, std::span<const std::string> algorithms);

}  // namespace quantimed
