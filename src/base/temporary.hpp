// SPDX-License-Identifier: BSD-3-Clause
// A new, empty file beside the one it will be renamed to.
#pragma once

#include <filesystem>

namespace quantimed {

// TARGET.XXXXXX.partial: a name that nobody can guess, so that no link planted there is followed; with the permissions
// that the user's umask gives any file. Empty where it cannot be made (errno says why).
std::filesystem::path make_temporary_beside(const std::filesystem::path& target);

}  // namespace quantimed
