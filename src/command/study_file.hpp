// SPDX-License-Identifier: BSD-3-Clause
// FOLDER/study.ini: which study the traces and tables of a folder are of, so that no other one's are written over them.
//
// It holds the options as `--config` reads them, the version, and fingerprints of what is read. A study that is given
// again continues. It may be given again with more of what its runs are counted by: compare takes more --seeds,
// --algorithms and --repeats and other targets, scale more --algorithms, --cores and --repeats, or both studies; runs
// that are there are kept, and the tables become those of all. Whatever else differs is refused unless --overwrite.
#pragma once

#include "command/outputs.hpp"
#include "config/config.hpp"
#include "dataset/dataset.hpp"

#include <optional>
#include <string>
#include <vector>

namespace quantimed {

class StudyFile {
 public:
  // `command`: "compare", "tune" or "scale". `config`: the study's, as compared: what is `auto` worked out where all
  // runs have one value. Throws InputError where this file or the folder's table.md is there and not ours.
  StudyFile(std::string command, std::string folder, Config config);

  // Throws InputError that names what differs with both values, unless --overwrite.
  void require_same(const DataSplit& data);
  // The time of each run of the study that is there, where --max-time does not say it; after require_same().
  std::optional<Seconds> kept_time() const { return kept_time_; }
  // Before the first run. `time`: of each run; infinite where iterations end them.
  void write(Seconds time = kForever) const;

 private:
  std::string contents_line() const;

  std::string command_, folder_, path_;
  Config config_;
  Fingerprints contents_;
  std::optional<Seconds> kept_time_;
};

// `config` as an .ini of a study: without --algorithm, which compare and tune do not take.
std::string study_ini(const Config& config);

// `given` with all algorithms named, and --nodes, --speed and --link as they were worked out for `resolved`.
Config study_config(Config given, const std::vector<std::string>& algorithms, const Config& resolved);

}  // namespace quantimed
