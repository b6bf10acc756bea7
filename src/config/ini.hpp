// SPDX-License-Identifier: BSD-3-Clause
// .ini files: "name = value" lines.
#pragma once

#include <set>
#include <string>

#include "config/config.hpp"

namespace quantimed {

// Sets what the file names. A '#' at the start of a line or after a space opens a comment; a value in double quotes
// keeps its spaces and '#' (\" and \\ inside). Returns the names of the options that it sets. Throws InputError,
// "FILE:LINE: --name value: …".
std::set<std::string> read_ini(const std::string& path, Config& config);

// The same for a text; `name` stands for FILE.
std::set<std::string> read_ini_text(const std::string& name, const std::string& text, Config& config);

}  // namespace quantimed
