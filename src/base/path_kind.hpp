// SPDX-License-Identifier: BSD-3-Clause
// What is at a path that a user named, without an exception that says neither option nor path.
#pragma once

#include <string>

namespace quantimed {

enum class PathKind { nothing, file, folder, other };

// Behind links; a link to nothing is nothing, and so is what would lie in a file. Throws InputError "OPTION PATH:
// REASON; FIX" where the system refuses to say: a link that leads to itself, a name that is too long, a folder that
// may not be searched. `given`: what the user named, where that is not the path itself.
PathKind kind_of_path(const std::string& option, const std::string& path, const std::string& given = "");

// The same for whatever the system refused with this value of errno: "File name too long; choose a shorter name".
std::string path_failure(int code);

// What helps against it where the system's limits stand in the way, or the name itself.
const char* path_fix(int code);

// Makes the folder and those above it where they are not there. Throws InputError that names option, folder and reason.
void make_folder(const std::string& option, const std::string& folder);

}  // namespace quantimed
