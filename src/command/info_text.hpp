// Parts of what `quantimed info` prints.
#pragma once

#include <string>

namespace quantimed {

// "NAME VERSION" a line: every library in use, the compiler and the C library.
std::string dependencies_text();

}  // namespace quantimed
