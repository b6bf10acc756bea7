// SPDX-License-Identifier: BSD-3-Clause
#include "base/error.hpp"
#include "base/path_kind.hpp"
#include "command/commands.hpp"
#include "command/experiment.hpp"
#include "command/outputs.hpp"

#include <fmt/format.h>

#include <filesystem>

namespace quantimed {

namespace {

// What is there may be replaced only where it is a data set of the layout that we write.
void require_exported(const std::string& path) {
  if (kind_of_path("--output", path) == PathKind::nothing) return;
  constexpr std::string_view kHdf5 = "\x89HDF\r\n\x1a\n";
  require_own_text(path, kHdf5);
  try {
    (void)load_dataset({.name = path});
  } catch (const InputError&) {
    throw InputError("--output {}: is not a data set that quantimed wrote, and is not replaced; name another file",
                     path);
  }
}

}  // namespace

// A data set, as loaded (classes chosen, grey), in the HDF5 layout of datasets/README.md.
int export_command(const Request& request) {
  const Config& config = request.config;
  if (config.output.empty())
    throw InputError("--output: export needs the name of a file, for instance --output digits.h5");
  require_writable_folder(std::filesystem::path(config.output).parent_path().string(), "--output", config.output);
  require_exported(config.output);
  Config as_it_is = config;  // an .ini may ask for normalised features: those are no data of their own
  as_it_is.normalise = false;
  const DataSplit data = load_data(as_it_is);
  for (const std::string& file : data.source.files) require_not_input(config.output, "--dataset", file);
  if (kind_of_path("--output", config.output) != PathKind::nothing && !config.overwrite) {
    if (fingerprint(load_dataset({.name = config.output})) != fingerprint(data))
      throw InputError("--output {}: holds another data set; name another file, or replace it with --overwrite",
                       config.output);
    fmt::print("kept: {} holds this data set already\n", config.output);
    return kDone;
  }
  export_dataset(config.output, data);
  fmt::print("{}: {} training samples, {} test samples of {} features in {}\n", data.train.name, data.train.samples,
             data.test ? data.test->samples : 0, data.train.features, config.output);
  return kDone;
}

}  // namespace quantimed
