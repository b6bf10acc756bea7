// SPDX-License-Identifier: BSD-3-Clause
// Compiled into programs that link the library: where `report` finds the files that were installed with it.
extern "C" const char* quantimed_installed_files() { return QUANTIMED_INSTALLED_FILES; }
