// SPDX-License-Identifier: BSD-3-Clause
// --help, from the tables alone.
#pragma once

#include <string>
#include <utility>

namespace quantimed {

inline constexpr std::pair<const char*, const char*> kExitStatuses[] = {
    {"0", "done"},
    {"1", "a node failed or is missing, or an internal error"},
    {"2", "bad usage or input"},
    {"3", "the run diverged"},
    {"4", "the machine refused memory, threads or room on a disk: the same command can succeed later"},
    {"5", "verify: a trace that is INVALID or was changed; replay: it gives other bits; compare: every run is INVALID"},
    {"75", "stopped by a signal, and can be resumed"},
};

std::string short_help();                              // where no command is given
std::string full_help();                               // every command, every option
std::string command_help(const std::string& command);  // one command and what it takes

}  // namespace quantimed
