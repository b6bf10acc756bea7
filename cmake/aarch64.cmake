# SPDX-License-Identifier: BSD-3-Clause
# AArch64 on another machine: Debian's cross compiler and its libraries of that architecture, programs run by QEMU's user
# mode. cmake -S . -B build/aarch64 --toolchain cmake/aarch64.cmake -DQUANTIMED_NATIVE=OFF (.ci/aarch64 does all of it)
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR aarch64)
set(CMAKE_C_COMPILER aarch64-linux-gnu-gcc)
set(CMAKE_CXX_COMPILER aarch64-linux-gnu-g++)
find_program(QUANTIMED_QEMU NAMES qemu-aarch64-static qemu-aarch64)
if(NOT QUANTIMED_QEMU)
  message(FATAL_ERROR "needs QEMU's user mode to run what it builds; apt-get install qemu-user-static")
endif()
set(CMAKE_CROSSCOMPILING_EMULATOR ${QUANTIMED_QEMU})
set(ENV{PKG_CONFIG_LIBDIR} /usr/lib/aarch64-linux-gnu/pkgconfig:/usr/share/pkgconfig)
