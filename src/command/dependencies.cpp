// SPDX-License-Identifier: BSD-3-Clause
// The libraries that are in use here, as each states its own version.
#include "base/build_info.hpp"
#include "blas/blas.hpp"
#include "command/info_text.hpp"

#include <fmt/format.h>
#include <gnu/libc-version.h>
#include <hdf5.h>
#include <hwloc.h>
#include <zlib.h>
#include <boost/version.hpp>

#include <string>

namespace quantimed {

namespace {

std::string hdf5_version() {
  unsigned major = 0, minor = 0, release = 0;
  H5get_libversion(&major, &minor, &release);
  return fmt::format("{}.{}.{}", major, minor, release);
}

std::string boost_version() {
  return fmt::format("{}.{}.{}", BOOST_VERSION / 100000, BOOST_VERSION / 100 % 1000, BOOST_VERSION % 100);
}

std::string fmt_version() {
  return fmt::format("{}.{}.{}", FMT_VERSION / 10000, FMT_VERSION / 100 % 100, FMT_VERSION % 100);
}

}  // namespace

std::string dependencies_text() {
  const auto line = [](const char* name, const std::string& version) {
    return fmt::format("{:<12}{}\n", name, version);
  };
  return line(blas::has_buffers() ? "OpenBLAS" : "BLAS", blas::description()) + line("HDF5", hdf5_version()) +
         line("Boost", boost_version()) +
         line("hwloc", fmt::format("{} (interface {:#x})", HWLOC_VERSION, hwloc_get_api_version())) +
         line("zlib", zlibVersion()) + line("fmt", fmt_version()) +
         line("Random123", "headers, which state no version") + line("compiler", build::kCompiler) +
         line("libstdc++", fmt::format("{}", __GLIBCXX__)) +
         line("libc", fmt::format("glibc {}", gnu_get_libc_version()));
}

}  // namespace quantimed
