// SPDX-License-Identifier: BSD-3-Clause
#include "machine/counters.hpp"

#include "machine/small_file.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <linux/perf_event.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cmath>
#include <cstring>
#include <limits>
#include <map>

namespace quantimed {

namespace {

class KernelPerf final : public PerfCalls {
 public:
  int open_of_thread(const PerfEvent& event, int group) override {
    perf_event_attr wanted = attributes(event);
    wanted.exclude_kernel = 1;
    wanted.exclude_hv = 1;
    wanted.disabled = group < 0;
    wanted.read_format = PERF_FORMAT_GROUP | PERF_FORMAT_TOTAL_TIME_ENABLED | PERF_FORMAT_TOTAL_TIME_RUNNING;
    return open(wanted, 0, -1, group);
  }
  int open_of_unit(const PerfEvent& event, int unit) override {
    perf_event_attr wanted = attributes(event);
    return open(wanted, -1, unit, -1);
  }
  int start(int group) override {
    const int reset = control(group, PERF_EVENT_IOC_RESET);
    return reset < 0 ? reset : control(group, PERF_EVENT_IOC_ENABLE);
  }
  int stop(int group) override { return control(group, PERF_EVENT_IOC_DISABLE); }
  std::ptrdiff_t read(int file, std::span<std::uint64_t> into) override {
    const ssize_t bytes = ::read(file, into.data(), into.size_bytes());
    return bytes < 0 ? -errno : bytes;
  }
  void close(int file) override { ::close(file); }

 private:
  static perf_event_attr attributes(const PerfEvent& event) {
    perf_event_attr wanted;
    std::memset(&wanted, 0, sizeof wanted);
    wanted.size = sizeof wanted;
    wanted.type = event.type;
    wanted.config = event.config;
    return wanted;
  }
  static int open(perf_event_attr& wanted, pid_t thread, int unit, int group) {
    const long file = ::syscall(SYS_perf_event_open, &wanted, thread, unit, group, PERF_FLAG_FD_CLOEXEC);
    return file < 0 ? -errno : static_cast<int>(file);
  }
  static int control(int group, unsigned long what) {
    return ::ioctl(group, what, PERF_IOC_FLAG_GROUP) < 0 ? -errno : 0;
  }
};

constexpr CountedEvent kEvents[kCountedEvents] = {
    {"cycles", {PERF_TYPE_HARDWARE, PERF_COUNT_HW_CPU_CYCLES}},
    {"instructions", {PERF_TYPE_HARDWARE, PERF_COUNT_HW_INSTRUCTIONS}},
    {"cache_misses", {PERF_TYPE_HARDWARE, PERF_COUNT_HW_CACHE_MISSES}},
    {"stalled_cycles", {PERF_TYPE_HARDWARE, PERF_COUNT_HW_STALLED_CYCLES_BACKEND}}};

std::string not_allowed(const std::string& root) {
  const std::string file = "/proc/sys/kernel/perf_event_paranoid";
  const auto level = number_of(small_file(root + file));
  if (!level) return "not allowed";
  if (*level > 2) return fmt::format("not allowed: {} is {}; 2 or less allows it", file, *level);
  return fmt::format("not allowed, though {} is {}: a container's or a security module's rule", file, *level);
}

}  // namespace

PerfCalls& kernel_perf() {
  static KernelPerf kernel;
  return kernel;
}

std::span<const CountedEvent, kCountedEvents> counted_events() { return kEvents; }

std::string why_not_counted(int refused, const std::string& root) {
  switch (refused) {
    case ThreadCounts::kNoTurn:
      return "others held the core's counters all the time (another profiler, the kernel's watchdog)";
    case ENOENT:
    case ENODEV:
    case ENXIO:
    case EOPNOTSUPP:
      return "this machine (a virtual one?) has no such counter";
    case EACCES:
    case EPERM:
      return not_allowed(root);
    case ENOSYS:
      return "the kernel has no performance events";
    case EINVAL:
      return "no counter is left beside the others, or the kernel does not know it";
    case EBUSY:
      return "another program holds the counters";
    case EMFILE:
    case ENFILE:
      return "too many files are open (ulimit -n)";
    default:
      return std::strerror(refused);
  }
}

ThreadCounters::ThreadCounters(PerfCalls& perf, std::span<const CountedEvent, kCountedEvents> events) : perf_(perf) {
  files_.fill(-1);
  for (std::size_t e = 0; e < kCountedEvents; ++e) {
    const int file = perf_.open_of_thread(events[e].event, group_);
    if (file < 0) {
      refused_[e] = -file;
      continue;
    }
    files_[e] = file;
    if (group_ < 0) group_ = file;
  }
}

ThreadCounters::~ThreadCounters() {
  for (const int file : files_)  // the group's first is the first of them, and the others then count for themselves
    if (file >= 0) perf_.close(file);
}

void ThreadCounters::refuse_all(int error) {
  for (std::size_t e = 0; e < kCountedEvents; ++e)
    if (files_[e] >= 0 && refused_[e] == 0) refused_[e] = error;
}

void ThreadCounters::start() {
  if (group_ < 0) return;
  if (const int error = perf_.start(group_); error < 0) refuse_all(-error);
}

ThreadCounts ThreadCounters::stop() {
  constexpr double kNone = std::numeric_limits<double>::quiet_NaN();
  ThreadCounts result;
  result.counts.fill(kNone);
  std::array<std::uint64_t, 3 + kCountedEvents> values{};
  std::size_t opened = 0;
  for (const int file : files_) opened += file >= 0;
  if (group_ >= 0) {
    const int stopped = perf_.stop(group_);
    const std::ptrdiff_t bytes = perf_.read(group_, values);
    if (stopped < 0) {
      refuse_all(-stopped);
    } else if (bytes < 0) {
      refuse_all(static_cast<int>(-bytes));
    } else if (bytes != static_cast<std::ptrdiff_t>((3 + opened) * sizeof values[0]) || values[0] != opened) {
      refuse_all(EIO);
    } else if (values[2] == 0) {
      refuse_all(ThreadCounts::kNoTurn);
    }
  }
  const auto [enabled, counted] = std::pair{static_cast<double>(values[1]), static_cast<double>(values[2])};
  if (counted > 0 && counted < enabled) result.share = counted / enabled;
  for (std::size_t e = 0, at = 3; e < kCountedEvents; ++e) {
    if (files_[e] < 0) continue;
    const auto value = static_cast<double>(values[at++]);
    if (refused_[e] == 0) result.counts[e] = result.share < 1 ? std::round(value / result.share) : value;
  }
  result.refused = refused_;
  return result;
}

std::string counters_here(PerfCalls& perf, const std::string& root) {
  ThreadCounters counters(perf, counted_events());
  counters.start();
  for (int k = 0; k < 10'000; ++k) asm volatile("" ::"r"(k));  // for something to count
  const ThreadCounts here = counters.stop();
  std::vector<std::string> counted;
  std::map<std::string, std::vector<std::string>> missing;  // by the reason
  for (std::size_t e = 0; e < kCountedEvents; ++e)
    if (here.refused[e] == 0)
      counted.emplace_back(counted_events()[e].name);
    else
      missing[why_not_counted(here.refused[e], root)].emplace_back(counted_events()[e].name);
  std::string text = counted.empty() ? "none" : fmt::format("{}", fmt::join(counted, ", "));
  for (const auto& [why, names] : missing) text += fmt::format("; not {}: {}", fmt::join(names, ", "), why);
  return text;
}

}  // namespace quantimed
