// .ini files: "name = value" lines.
#pragma once

#include <string>

#include "config/config.hpp"

namespace quantimed {

// Sets what the file names. A '#' at the start of a line or after a space opens a comment; a value in double quotes
// keeps its spaces and '#' (\" and \\ inside). Throws InputError, "FILE:LINE: --name value: …".
void read_ini(const std::string& path, Config& config);

// The same for a text; `name` stands for FILE.
void read_ini_text(const std::string& name, const std::string& text, Config& config);

}  // namespace quantimed
