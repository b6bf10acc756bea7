// SPDX-License-Identifier: BSD-3-Clause
// What shells offer after a TAB, and the manual page; from the tables alone.
#pragma once

#include <string>

namespace quantimed {

// For bash, zsh or fish; "man": the manual page. Throws InputError for another word.
std::string completion_for(const std::string& shell);

std::string manual_page();  // manual.cpp; troff

}  // namespace quantimed
