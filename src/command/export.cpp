#include "base/error.hpp"
#include "command/commands.hpp"
#include "command/experiment.hpp"

#include <fmt/format.h>

#include <filesystem>

namespace quantimed {

// A data set, as loaded (classes chosen, grey), in the HDF5 layout of datasets/README.md.
int export_command(const Request& request) {
  const Config& config = request.config;
  if (config.output.empty())
    throw InputError("--output: export needs the name of a file, for instance --output digits.h5");
  require_writable_folder(std::filesystem::path(config.output).parent_path().string(), "--output", config.output);
  const DataSplit data = load_data(config);
  export_dataset(config.output, data);
  fmt::print("{}: {} training samples, {} test samples of {} features in {}\n", data.train.name, data.train.samples,
             data.test ? data.test->samples : 0, data.train.features, config.output);
  return kDone;
}

}  // namespace quantimed
