// SPDX-License-Identifier: BSD-3-Clause
// A kernel's performance events that count what a test says, or refuse; and small files as /proc and /sys have them.
#pragma once

#include "machine/counters.hpp"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace quantimed {

// Any number of threads at once, as the kernel.
class FakePerf final : public PerfCalls {
 public:
  // What the events count between start and stop, or −errno; those that are not named are refused with ENOENT.
  std::map<std::pair<std::uint32_t, std::uint64_t>, std::int64_t> events;
  std::uint64_t enabled_ns = 1000, counted_ns = 1000;
  int start_error = 0, stop_error = 0, read_error = 0;
  std::ptrdiff_t missing_bytes = 0;  // of a group's reading
  std::vector<std::int64_t>
      per_unit;  // what the meters of units show, reading after reading; −errno; the last for ever

  std::size_t opened() const { return open_.size(); }  // and not closed
  std::set<int> units;                                 // that were opened

  int open_of_thread(const PerfEvent& event, int group) override {
    const std::scoped_lock lock(mutex_);
    const auto found = events.find({event.type, event.config});
    if (found == events.end()) return -ENOENT;
    if (found->second < 0) return static_cast<int>(found->second);
    const int file = next_++;
    open_.insert(file);
    groups_[group < 0 ? file : group].push_back(static_cast<std::uint64_t>(found->second));
    return file;
  }
  int open_of_unit(const PerfEvent& event, int unit) override {
    const std::scoped_lock lock(mutex_);
    const auto found = events.find({event.type, event.config});
    if (found == events.end()) return -ENOENT;
    if (found->second < 0) return static_cast<int>(found->second);
    units.insert(unit);
    open_.insert(next_);
    readings_[next_] = 0;
    return next_++;
  }
  int start(int) override { return start_error; }
  int stop(int) override { return stop_error; }
  std::ptrdiff_t read(int file, std::span<std::uint64_t> into) override {
    const std::scoped_lock lock(mutex_);
    if (read_error < 0) return read_error;
    if (const auto meter = readings_.find(file); meter != readings_.end()) {
      const std::int64_t shown = per_unit[std::min(meter->second++, per_unit.size() - 1)];
      if (shown < 0) return shown;
      into[0] = static_cast<std::uint64_t>(shown);
      return sizeof into[0];
    }
    const std::vector<std::uint64_t>& values = groups_.at(file);
    into[0] = values.size();
    into[1] = enabled_ns;
    into[2] = counted_ns;
    std::ranges::copy(values, into.begin() + 3);
    return static_cast<std::ptrdiff_t>((3 + values.size()) * sizeof into[0]) - missing_bytes;
  }
  void close(int file) override {
    const std::scoped_lock lock(mutex_);
    if (open_.erase(file) != 1) std::abort();  // not a file of ours
  }

 private:
  std::mutex mutex_;
  int next_ = 100;
  std::set<int> open_;
  std::map<int, std::vector<std::uint64_t>> groups_;
  std::map<int, std::size_t> readings_;  // of each meter so far
};

// A root for /proc and /sys, gone after the test.
class FakeSystem {
 public:
  FakeSystem() {
    std::string name = (std::filesystem::temp_directory_path() / "quantimed-system-XXXXXX").string();
    path_ = ::mkdtemp(name.data());
  }
  ~FakeSystem() { std::filesystem::remove_all(path_); }
  FakeSystem(const FakeSystem&) = delete;
  FakeSystem& operator=(const FakeSystem&) = delete;

  std::string root() const { return path_.string(); }
  std::string at(const std::string& file) const { return path_.string() + file; }
  void put(const std::string& file, const std::string& text) const {
    std::filesystem::create_directories(std::filesystem::path(at(file)).parent_path());
    std::ofstream(at(file), std::ios::trunc) << text;
  }

  // The PMU "power" as Intel's processors have it, of two packages.
  void put_power() const {
    put("/sys/bus/event_source/devices/power/type", "21\n");
    put("/sys/bus/event_source/devices/power/cpumask", "0,18\n");
    put("/sys/bus/event_source/devices/power/events/energy-pkg", "event=0x02\n");
    put("/sys/bus/event_source/devices/power/events/energy-pkg.scale", "2.3283064365386962890625e-10\n");
  }
  void put_zone(const std::string& zone, const std::string& name, const std::string& energy_uj,
                const std::string& range_uj = "262143328850\n") const {
    const std::string folder = "/sys/class/powercap/" + zone;
    put(folder + "/name", name);
    put(folder + "/energy_uj", energy_uj);
    if (!range_uj.empty()) put(folder + "/max_energy_range_uj", range_uj);
  }

 private:
  std::filesystem::path path_;
};

}  // namespace quantimed
