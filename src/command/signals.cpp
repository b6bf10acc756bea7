// SPDX-License-Identifier: BSD-3-Clause
#include "command/signals.hpp"

#include <atomic>
#include <csignal>
#include <initializer_list>

namespace quantimed {

namespace {
std::atomic<bool> came = false;  // written by the handler alone
static_assert(std::atomic<bool>::is_always_lock_free, "a signal handler may store it");
}  // namespace

void catch_signals() {
  struct sigaction action {};
  action.sa_handler = [](int) { came.store(true, std::memory_order_relaxed); };
  action.sa_flags = SA_RESTART;
  for (const int signal : {SIGTERM, SIGUSR1, SIGXCPU}) ::sigaction(signal, &action, nullptr);
  action.sa_flags = static_cast<int>(SA_RESETHAND | SA_RESTART);
  ::sigaction(SIGINT, &action, nullptr);
  ::signal(SIGXFSZ, SIG_IGN);  // a limit on file sizes is then an error like any other, with a message
}

bool signal_came() { return came.load(std::memory_order_relaxed); }

}  // namespace quantimed
