// SPDX-License-Identifier: BSD-3-Clause
#include "machine/energy.hpp"

#include "machine/small_file.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <limits>
#include <system_error>

namespace quantimed {

namespace {

namespace fs = std::filesystem;

constexpr double kMicrojoule = 1e-6;

// "event=0x02": the number, and nothing else.
std::optional<std::uint64_t> event_of(std::string_view text) {
  constexpr std::string_view kKey = "event=0x";
  if (!text.starts_with(kKey)) return {};
  return number_of<std::uint64_t>(text.substr(kKey.size()), 16);
}

// intel-rapl:0, not the zones below it (intel-rapl:0:1), nor the same packages once more (intel-rapl-mmio:0).
std::vector<fs::path> zones_in(const std::string& folder) {
  constexpr std::string_view kPrefix = "intel-rapl:";
  std::vector<fs::path> zones;
  std::error_code error;
  for (fs::directory_iterator each(folder, error), none; !error && each != none; each.increment(error)) {
    const std::string name = each->path().filename().string();
    if (name.starts_with(kPrefix) && number_of<int>(std::string_view(name).substr(kPrefix.size())))
      zones.push_back(each->path());
  }
  std::ranges::sort(zones);
  return zones;
}

// From the start of the file, as sysfs fills it anew.
std::optional<std::uint64_t> number_in(int file, int& error) {
  char text[64];
  const ssize_t bytes = ::pread(file, text, sizeof text, 0);
  error = bytes < 0 ? errno : 0;
  if (bytes <= 0) return {};
  std::string_view whole(text, static_cast<std::size_t>(bytes));
  return number_of<std::uint64_t>(whole.substr(0, whole.find('\n')));
}

std::string no_access(const std::string& file, int error) {
  return error == EACCES || error == EPERM ? fmt::format("{} is readable by root alone", file)
                                           : fmt::format("{}: {}", file, std::strerror(error));
}

}  // namespace

EnergyMeter::EnergyMeter(PerfCalls& perf, const std::string& root) : perf_(perf) {
  const std::string no_perf = find_perf(root);
  if (no_perf.empty()) return;
  close_all();
  const std::string no_powercap = find_powercap(root);
  if (no_powercap.empty()) return;
  close_all();
  source_.clear();
  missing_ = fmt::format("perf: {}; powercap: {}", no_perf, no_powercap);
}

EnergyMeter::~EnergyMeter() { close_all(); }

void EnergyMeter::close_all() {
  for (const Package& package : packages_)
    if (is_perf_)
      perf_.close(package.file);
    else
      ::close(package.file);
  packages_.clear();
}

std::string EnergyMeter::find_perf(const std::string& root) {
  const std::string folder = root + "/sys/bus/event_source/devices/power";
  const auto type = number_of<std::uint32_t>(small_file(folder + "/type"));
  if (!type) return "this machine (a virtual one?) has no power events";
  const auto event = event_of(small_file(folder + "/events/energy-pkg"));
  if (!event) return "no event energy-pkg";
  const auto unit = number_of<double>(small_file(folder + "/events/energy-pkg.scale"));
  if (!unit || !(*unit > 0) || !std::isfinite(*unit)) return "energy-pkg.scale is no number above 0";
  const auto units = unit_list(small_file(folder + "/cpumask"));
  if (!units) return "cpumask is no list of processing units";
  is_perf_ = true;
  for (const int one : *units) {
    const int file = perf_.open_of_unit({*type, *event}, one);
    if (file == -EACCES || file == -EPERM)
      return "energy-pkg is not allowed; /proc/sys/kernel/perf_event_paranoid 0 or less, or CAP_PERFMON, allows it";
    if (file < 0) return fmt::format("energy-pkg: {}", why_not_counted(-file, root));
    packages_.push_back({.file = file, .last = 0, .range = 0, .unit = *unit});
    if (std::string why = read(packages_.back()); !why.empty()) return why;
  }
  source_ = fmt::format("perf power/energy-pkg/ of {} package{}", units->size(), units->size() == 1 ? "" : "s");
  return {};
}

std::string EnergyMeter::find_powercap(const std::string& root) {
  is_perf_ = false;
  std::vector<std::string> names;
  for (const fs::path& zone : zones_in(root + "/sys/class/powercap")) {
    const std::string name = small_file((zone / "name").string());
    if (!name.starts_with("package-")) continue;  // psys has all of the machine, and packages with it
    if (std::string why = add_zone(zone.string()); !why.empty()) return why;
    names.push_back(name);
  }
  if (names.empty()) return "no zone intel-rapl:N of a package";
  source_ = fmt::format("powercap {}", fmt::join(names, ", "));
  return {};
}

std::string EnergyMeter::add_zone(const std::string& folder) {
  const std::string path = folder + "/energy_uj";
  const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0) return no_access(path, errno);
  const auto range = number_of<std::uint64_t>(small_file(folder + "/max_energy_range_uj"));
  packages_.push_back({.file = file, .last = 0, .range = range.value_or(0), .unit = kMicrojoule});
  if (const std::string why = read(packages_.back()); !why.empty()) return fmt::format("{}: {}", path, why);
  return {};
}

// "" where it went well.
std::string EnergyMeter::read(Package& package) {
  std::optional<std::uint64_t> now;
  int error = 0;
  if (is_perf_) {
    std::uint64_t value = 0;
    const std::ptrdiff_t bytes = perf_.read(package.file, {&value, 1});
    if (bytes < 0) error = static_cast<int>(-bytes);
    if (bytes == sizeof value) now = value;
  } else {
    now = number_in(package.file, error);
  }
  if (error != 0) return std::strerror(error);
  if (!now) return "what a meter shows is no number";
  if (package.range > 0 && *now > package.range) return "a meter shows more than its max_energy_range_uj";
  if (*now < package.last && package.range == 0) return "a meter went back, and nothing says where it starts again";
  const std::uint64_t more = *now >= package.last ? *now - package.last : package.range - package.last + *now;
  package.used += package.unit * static_cast<double>(more);
  package.last = *now;
  return {};
}

std::optional<double> EnergyMeter::joules() {
  if (!is_there()) return {};
  double sum = 0;
  for (Package& package : packages_) {
    if (const std::string why = read(package); !why.empty()) {
      missing_ = fmt::format("{}: {}, in the middle of the run", source_, why);
      return {};
    }
    if (is_first_) package.used = 0;
    sum += package.used;
  }
  is_first_ = false;
  return sum;
}

std::string energy_here(PerfCalls& perf, const std::string& root) {
  EnergyMeter meter(perf, root);
  return meter.joules() ? meter.source() : "none: " + meter.missing();
}

void EnergyCurve::end(Seconds time, double joules) {
  time_.push_back(time);
  joules_.push_back(joules);
}

void EnergyCurve::add(Seconds time, double joules) {
  if (time_.empty())  // the last reading may be another thread's, where memory is short
    for (std::vector<double>* values : {&time_, &joules_}) values->reserve(kMost + 2);
  if (seen_++ % stride_ != 0) return;
  end(time, joules);
  if (time_.size() < kMost) return;
  for (std::vector<double>* values : {&time_, &joules_}) {
    for (std::size_t k = 0; 2 * k < values->size(); ++k) (*values)[k] = (*values)[2 * k];
    values->resize((values->size() + 1) / 2);
  }
  stride_ *= 2;
}

double EnergyCurve::at(Seconds time) const {
  if (empty() || std::isnan(time)) return std::numeric_limits<double>::quiet_NaN();
  const auto after = static_cast<std::size_t>(std::ranges::upper_bound(time_, time) - time_.begin());
  if (after == 0) return joules_.front();
  if (after == time_.size()) return joules_.back();
  const double share = (time - time_[after - 1]) / (time_[after] - time_[after - 1]);
  return joules_[after - 1] + share * (joules_[after] - joules_[after - 1]);
}

void EnergyCurve::append(const EnergyCurve& later) {
  const double before = empty() ? 0 : joules_.back();
  for (std::size_t k = 0; k < later.time_.size(); ++k)
    end(std::max(empty() ? later.time_[k] : time_.back(), later.time_[k]), before + later.joules_[k]);
}

}  // namespace quantimed
