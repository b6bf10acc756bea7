// SPDX-License-Identifier: BSD-3-Clause
// --help, from the tables alone.
#pragma once

#include <string>

namespace quantimed {

std::string short_help();                              // where no command is given
std::string full_help();                               // every command, every option
std::string command_help(const std::string& command);  // one command and what it takes

}  // namespace quantimed
