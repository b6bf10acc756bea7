// SPDX-License-Identifier: BSD-3-Clause
// The whole program but its main(): parse → build → run → write. Returns the exit status; errors are told.
#pragma once

namespace quantimed {

int run_program(int argc, char** argv);

}  // namespace quantimed
