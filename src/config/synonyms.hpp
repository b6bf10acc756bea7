// SPDX-License-Identifier: BSD-3-Clause
// Words of the field, and of other programs, for what is called otherwise here.
#pragma once

#include <string>

namespace quantimed {

// The option or command that is meant by a word that is neither; "" where it is not known.
std::string option_meant_by(const std::string& word);
std::string command_meant_by(const std::string& word);

}  // namespace quantimed
