// SPDX-License-Identifier: BSD-3-Clause
#include "command/precision.hpp"

#include "base/error.hpp"
#include "base/real.hpp"
#include "command/spread.hpp"
#include "trace/trace.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <optional>
#include <string>
#include <system_error>

namespace quantimed {

namespace {

// What asks for a precision, as the user wrote it, and which.
struct Wanted {
  std::string precision, by;
};

// Of a trace; nothing where it cannot be read, which the command itself says better.
std::optional<std::string> precision_of(const std::string& path) {
  try {
    return text(read_trace_summary(path).config, "precision", "single");
  } catch (const InputError&) {
    return {};
  }
}

std::optional<Wanted> wanted_by_traces(const Request& request) {
  std::optional<Wanted> wanted;
  for (const std::string& path : request.arguments) {
    const std::optional<std::string> precision = precision_of(path);
    if (!precision) continue;
    if (wanted && wanted->precision != *precision)
      throw InputError("{} {}: is of {} precision, and {} of {}; replay them apart", request.command, path, *precision,
                       wanted->by.substr(request.command.size() + 1), wanted->precision);
    if (!wanted) wanted = {*precision, fmt::format("{} {}", request.command, path)};
  }
  return wanted;
}

std::optional<Wanted> wanted_by(const Request& request) {
  const bool replays = request.command == "replay" || (request.command == "verify" && request.config.replay);
  if (replays) return wanted_by_traces(request);
  if (request.command == "run" && !request.config.resume.empty()) {
    const std::string& path = request.config.resume;
    std::optional<std::string> precision = precision_of(path);
    if (!precision) precision = precision_of(path + ".partial");
    if (!precision) return {};
    return Wanted{*precision, fmt::format("--resume {}", path)};
  }
  for (const char* command : {"run", "compare", "scale", "tune", "theory", "predict", "calibrate"})
    if (request.command == command)
      return Wanted{request.config.precision, fmt::format("--precision {}", request.config.precision)};
  return {};
}

}  // namespace

void become_sibling_for(const Request& request, char** argv) {
  const std::optional<Wanted> wanted = wanted_by(request);
  if (!wanted || wanted->precision == kPrecision) return;
  if (spread_engine())
    throw InputError("{}: quantimed-mpi computes in {} precision alone; use quantimed, without MPI", wanted->by,
                     kPrecision);
  std::error_code error;
  const std::filesystem::path self = std::filesystem::read_symlink("/proc/self/exe", error);
  if (error)
    throw InputError("{}: the system does not say where this program lies; start quantimed-double itself", wanted->by);
  const std::filesystem::path sibling =
      self.parent_path() / (wanted->precision == "double" ? "quantimed-double" : "quantimed");
  if (sibling == self)
    throw InputError("{}: {} computes in {} precision, whatever its name is; build it again (make all)", wanted->by,
                     self.string(), kPrecision);
  ::execv(sibling.c_str(), argv);
  throw InputError(
      "{}: is computed by {}, which cannot be started: {}; build it (make all, make install), or leave "
      "the option out",
      wanted->by, sibling.string(), std::generic_category().message(errno));
}

}  // namespace quantimed
