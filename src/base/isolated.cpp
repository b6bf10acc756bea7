// SPDX-License-Identifier: BSD-3-Clause
#include "base/isolated.hpp"

#include "base/error.hpp"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <fstream>
#include <new>

// Writes the counters of a build for line coverage, which _exit would lose; null in every other build.
extern "C" [[gnu::weak]] void __gcov_dump();  // NOLINT(bugprone-reserved-identifier): the compiler's own name

// Of the sanitizers; null in every other build. A fuzzer would keep each of the child's deaths as a finding.
extern "C" [[gnu::weak]] void __sanitizer_set_death_callback(void (*)());  // NOLINT(bugprone-reserved-identifier)

namespace quantimed {

namespace {

enum class Outcome : std::uint8_t { value, input_error, machine_refused };

// Bytes of private memory that the process has, as RLIMIT_DATA counts them.
std::uint64_t data_bytes() {
  std::ifstream status("/proc/self/status");
  for (std::string word; status >> word;)
    if (word == "VmData:") {
      std::uint64_t kib = 0;
      status >> kib;
      return kib << 10;
    }
  return 0;
}

void set_limit(__rlimit_resource kind, std::uint64_t value) {
  rlimit limit{};
  if (::getrlimit(kind, &limit) != 0) return;
  limit.rlim_cur = std::min<rlim_t>(value, limit.rlim_cur);  // a lower one that there is stays
  limit.rlim_max = limit.rlim_cur;
  static_cast<void>(::setrlimit(kind, &limit));
}

// The child's surroundings: it dies with its parent, of its own faults alone, and quietly.
void confine(const IsolationLimits& limits, pid_t parent) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != parent) ::_exit(1);
  if (__sanitizer_set_death_callback) __sanitizer_set_death_callback(nullptr);
  for (const int number : {SIGSEGV, SIGBUS, SIGABRT, SIGFPE, SIGILL, SIGXCPU, SIGPIPE}) std::signal(number, SIG_DFL);
  if (const int nowhere = ::open("/dev/null", O_WRONLY | O_CLOEXEC); nowhere >= 0) ::dup2(nowhere, STDERR_FILENO);
  if (limits.memory_bytes != kUnlimited)
    if (const std::uint64_t have = data_bytes(); have > 0) set_limit(RLIMIT_DATA, have + limits.memory_bytes);
  if (limits.cpu_s != kUnlimited) set_limit(RLIMIT_CPU, limits.cpu_s);
  set_limit(RLIMIT_CORE, 0);
}

[[noreturn]] void run_child(int pipe, const std::function<void(ChildOutput&)>& produce) {
  int status = 1;
  try {
    ChildOutput out(pipe);
    Outcome outcome = Outcome::value;
    const auto send_instead = [&](Outcome kind, std::string text) {  // values are sent once all are read: none was yet
      ChildOutput instead(pipe);
      transfer(instead, kind);
      transfer(instead, text);
      instead.flush();
    };
    try {
      transfer(out, outcome);
      produce(out);
      out.flush();
    } catch (const InputError& error) {
      send_instead(Outcome::input_error, error.what());
    } catch (const MachineRefused& refusal) {
      send_instead(Outcome::machine_refused, refusal.what());
    }
    status = 0;
  } catch (...) {  // whatever it was, the parent sees no result
    status = 1;
  }
  if (__gcov_dump) __gcov_dump();
  ::_exit(status);
}

std::string how_it_ended(int status, const IsolationLimits& limits) {
  if (limits.memory_bytes == kUnlimited)
    return WIFSIGNALED(status) ? fmt::format("ends the HDF5 library ({})", ::strsignal(WTERMSIG(status)))
                               : "leaves the HDF5 library without a result";
  if (WIFSIGNALED(status) && (WTERMSIG(status) == SIGXCPU || WTERMSIG(status) == SIGKILL))
    return fmt::format("keeps the HDF5 library busy for more than {} s", limits.cpu_s);
  if (WIFSIGNALED(status)) return fmt::format("crashes the HDF5 library ({})", ::strsignal(WTERMSIG(status)));
  return fmt::format("cannot be read within {} MiB", limits.memory_bytes >> 20);
}

struct Pipe {
  Pipe() {
    if (::pipe2(ends, O_CLOEXEC) != 0)
      throw NoChild("a file cannot be read: no pipe is left; raise the limit on open files (ulimit -n)");
    static_cast<void>(::fcntl(ends[1], F_SETPIPE_SZ, 1 << 20));
  }
  ~Pipe() {
    close(0);
    close(1);
  }
  Pipe(const Pipe&) = delete;
  Pipe& operator=(const Pipe&) = delete;
  void close(int end) {
    if (ends[end] >= 0) ::close(ends[end]);
    ends[end] = -1;
  }
  int ends[2] = {-1, -1};
};

// Killed where nobody has waited for it.
class Child {
 public:
  explicit Child(pid_t id) : id_(id) {}
  ~Child() {
    if (id_ <= 0) return;
    ::kill(id_, SIGKILL);
    static_cast<void>(wait());
  }
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;
  int wait() {
    int status = 0;
    while (::waitpid(id_, &status, 0) < 0 && errno == EINTR) {
    }
    id_ = 0;
    return status;
  }

 private:
  pid_t id_;
};

class EndOfPipe {};  // thrown by ParentInput; isolate() says why

}  // namespace

void ChildOutput::bytes(const void* from, std::size_t size) {
  const auto* rest = static_cast<const std::byte*>(from);
  while (size > 0) {
    const std::size_t now = std::min(size, buffer_.size() - used_);
    std::memcpy(buffer_.data() + used_, rest, now);
    used_ += now;
    rest += now;
    size -= now;
    if (used_ == buffer_.size()) flush();
  }
}

void ChildOutput::flush() {
  for (std::size_t done = 0; done < used_;) {
    const ssize_t got = ::write(pipe_, buffer_.data() + done, used_ - done);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) ::_exit(1);
    done += static_cast<std::size_t>(got);
  }
  used_ = 0;
}

void ParentInput::expect(std::uint64_t count, std::size_t each) {
  if (count > left_ / each) throw IsolatedFailure("makes the HDF5 library return nonsense");
  left_ -= count * each;
}

void ParentInput::bytes(void* to, std::size_t size) {
  auto* rest = static_cast<std::byte*>(to);
  while (size > 0) {
    if (at_ == filled_) {
      const ssize_t got = ::read(pipe_, buffer_.data(), buffer_.size());
      if (got < 0 && errno == EINTR) continue;
      if (got <= 0) throw EndOfPipe();
      at_ = 0;
      filled_ = static_cast<std::size_t>(got);
    }
    const std::size_t now = std::min(size, filled_ - at_);
    std::memcpy(rest, buffer_.data() + at_, now);
    at_ += now;
    rest += now;
    size -= now;
  }
}

IsolationLimits foreign_file_limits(std::uint64_t file_bytes) {
  return {.memory_bytes = 10 * file_bytes + (std::uint64_t{64} << 20), .cpu_s = 1 + (file_bytes >> 20)};
}

void isolate(const IsolationLimits& limits, const std::function<void(ChildOutput&)>& produce,
             const std::function<void(ParentInput&)>& consume) {
  Pipe pipe;
  const pid_t parent = ::getpid(), id = ::fork();
  if (id < 0) throw NoChild("a file cannot be read: no further process is allowed; raise the limit (ulimit -u)");
  if (id == 0) {
    confine(limits, parent);
    pipe.close(0);
    run_child(pipe.ends[1], produce);
  }
  Child child(id);
  pipe.close(1);
  try {
    ParentInput in(pipe.ends[0], limits.memory_bytes);
    Outcome outcome{};
    transfer(in, outcome);
    if (outcome != Outcome::value) {
      std::string text;
      transfer(in, text);
      if (outcome == Outcome::machine_refused) throw MachineRefused("{}", text);
      throw InputError("{}", text);
    }
    consume(in);
  } catch (const EndOfPipe&) {
    throw IsolatedFailure(how_it_ended(child.wait(), limits));
  }
  static_cast<void>(child.wait());
}

}  // namespace quantimed
