// SPDX-License-Identifier: BSD-3-Clause
// --counters: the energy that the machine's processor packages take, all of them and all that runs on them, as their
// own meters count it. Sources: perf's PMU "power" (event energy-pkg), else the powercap zones intel-rapl:N of the
// kernel (which AMD's processors fill, too). A meter steps about every millisecond.
#pragma once

#include "base/types.hpp"
#include "machine/counters.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace quantimed {

// Whom --counters asks.
struct Metering {
  PerfCalls* perf = &kernel_perf();
  std::string root = "";  // stands before /proc and /sys
};

class EnergyMeter {
 public:
  // Finds the meters. `root` stands before /sys.
  explicit EnergyMeter(PerfCalls& perf, const std::string& root = "");
  ~EnergyMeter();
  EnergyMeter(const EnergyMeter&) = delete;
  EnergyMeter& operator=(const EnergyMeter&) = delete;

  // J, of all packages since the first time; nothing, for good, once a meter cannot be read.
  std::optional<double> joules();

  bool is_there() const { return missing_.empty(); }
  const std::string& source() const { return source_; }    // "perf power/energy-pkg/ of 2 packages"
  const std::string& missing() const { return missing_; }  // why there is no energy; "": there is

 private:
  struct Package {
    int file;
    std::uint64_t last;   // as the meter counts
    std::uint64_t range;  // it starts again at 0 above this; 0: never, or not known
    double unit;          // J
    double used = 0;      // J
  };
  std::string find_perf(const std::string& root);
  std::string find_powercap(const std::string& root);
  std::string add_zone(const std::string& folder);
  std::string read(Package& package);
  void close_all();

  PerfCalls& perf_;
  bool is_perf_ = false, is_first_ = true;
  std::vector<Package> packages_;
  std::string source_, missing_;
};

// For people who ask whose meters a run would read here, or why none: "none: why".
std::string energy_here(PerfCalls& perf, const std::string& root = "");

// What was read at which time of a run; between two readings energy is taken to flow evenly. Keeps a few thousand.
class EnergyCurve {
 public:
  static constexpr std::size_t kMost = 4096;

  bool empty() const { return time_.empty(); }
  std::size_t size() const { return time_.size(); }
  void add(Seconds time, double joules);  // neither falls
  void end(Seconds time, double joules);  // is kept in any case
  double at(Seconds time) const;          // J; that of the first or last reading beyond them, NaN where there is none
  void append(const EnergyCurve& later);  // whose joules start at 0 again

 private:
  std::vector<double> time_, joules_;
  std::size_t stride_ = 1, seen_ = 0;
};

}  // namespace quantimed
