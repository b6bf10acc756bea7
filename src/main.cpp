// SPDX-License-Identifier: BSD-3-Clause
#include "command/program.hpp"

int main(int argc, char** argv) { return quantimed::run_program(argc, argv); }
