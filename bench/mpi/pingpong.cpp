// SPDX-License-Identifier: BSD-3-Clause
// One message there and back between two ranks: through mailbox, courier and ghost mailbox, and beside it by MPI_Send
// and MPI_Recv of the same library with nothing around them (what osu_latency does), in the same seconds by turns.
//
//   mpirun -n 2 build/bench/bench_mpi [--passes 201] [--threads]
//
// A rank's node and its courier are one thread here: what is measured is the work that they add to the library's own.
// With --threads the node has a thread of its own beside the courier, as in a run: the handing over from core to core
// is then in it, too, and four cores are needed; on fewer the threads take turns, and the figures are of the scheduler.
#include "base/error.hpp"
#include "bench/timing.hpp"
#include "command/experiment.hpp"
#include "command/setup.hpp"
#include "engine/spread/exchange_end.hpp"
#include "machine/placement.hpp"
#include "mpi/mpi_transport.hpp"

#include <fmt/format.h>
#include <sched.h>

#include <cstdlib>
#include <cstring>
#include <optional>
#include <thread>

namespace quantimed::bench {

namespace {

constexpr int kBareTag = 7;

struct Options {
  int passes = 201;
  bool has_threads = false;
};

std::vector<int> cores_here() {
  cpu_set_t mask;
  sched_getaffinity(0, sizeof mask, &mask);
  std::vector<int> cores;
  for (int k = 0; k < CPU_SETSIZE; ++k)
    if (CPU_ISSET(k, &mask)) cores.push_back(k);
  return cores;
}

void stay_on(int core) {
  cpu_set_t one;
  CPU_ZERO(&one);
  CPU_SET(core, &one);
  if (sched_setaffinity(0, sizeof one, &one) != 0) throw InternalError("a thread cannot be pinned");
}

// Of a model that a message of so many bytes has room in.
Config config_of(const char* algorithm, std::size_t bytes) {
  Config config;
  config.engine = "mpi";
  config.algorithm = algorithm;
  config.dataset = bytes < 1000 ? "gaussian-linear:16,64" : "digits:100";
  config.model = bytes < 1000 ? "least-squares" : fmt::format("mlp:{}", bytes / (4 * 795) + 1);
  config.graph = "complete";
  config.nodes = 2;
  config.samples_per_node = config.batch = 4;
  config.oversubscribe = true;
  return resolve(config);
}

// What an ExchangeEnd needs, of a run of its own.
class End {
 public:
  End(MpiTransport& transport, const char* algorithm, std::size_t bytes)
      : fleet_(transport),
        config_(config_of(algorithm, bytes)),
        data_(load_data(config_)),
        setup_(config_, data_),
        run_(setup_.run()),
        end_(fleet_, run_),
        bytes_(bytes) {}
  ~End() { end_.close(); }

  bool is_round() const { return end_.is_round(); }
  template <class Turn>
  void exchange(int times, Turn turn) {
    end_.exchange(static_cast<unsigned>(times), bytes_, turn);
  }
  void step() { end_.step(); }
  void drain() {
    do end_.step();
    while (!end_.has_all_left());
  }

 private:
  Fleet fleet_;
  Config config_;
  DataSplit data_;
  Setup setup_;
  Run run_;
  ExchangeEnd end_;
  std::size_t bytes_;
};

void bare(Rank me, std::vector<std::byte>& out, std::vector<std::byte>& in, int times) {
  const int other = me == 0 ? 1 : 0, bytes = static_cast<int>(out.size());
  for (int k = 0; k < times; ++k) {
    if (me == 0) MPI_Send(out.data(), bytes, MPI_BYTE, other, kBareTag, MPI_COMM_WORLD);
    MPI_Recv(in.data(), bytes, MPI_BYTE, other, kBareTag, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
    if (me == 1) MPI_Send(out.data(), bytes, MPI_BYTE, other, kBareTag, MPI_COMM_WORLD);
  }
}

// Seconds one way.
template <class Work>
double timed(int times, Work work) {
  MPI_Barrier(MPI_COMM_WORLD);
  const auto start = Clock::now();
  work();
  return std::chrono::duration<double>(Clock::now() - start).count() / (2.0 * times);
}

void measure(MpiTransport& transport, const Options& options, const std::vector<int>& cores, const char* algorithm,
             std::size_t bytes) {
  const Rank me = transport.rank();
  End end(transport, algorithm, bytes);
  std::vector<std::byte> out(bytes), in(bytes);
  const int times = bytes < 1000 ? 200 : 40;  // short, so that some passes are undisturbed on a machine that others use
  const auto ours = [&] {
    if (!options.has_threads) {
      end.exchange(times, [&] { end.step(); });
      end.drain();
      return;
    }
    std::atomic<bool> is_done = false;
    std::jthread node([&] {
      stay_on(cores[(me + 2) % cores.size()]);
      end.exchange(times, [] { cpu_pause(); });
      is_done.store(true, std::memory_order_release);
    });
    while (!is_done.load(std::memory_order_acquire)) end.step();
    end.drain();
  };
  std::vector<double> bares, owns, ratios;
  for (int pass = -1; pass < options.passes; ++pass) {
    const double limit = timed(times, [&] { bare(me, out, in, times); }), own = timed(times, ours);
    if (pass < 0) continue;
    bares.push_back(limit);
    owns.push_back(own);
    ratios.push_back(own / limit);
  }
  MPI_Barrier(MPI_COMM_WORLD);
  if (me != 0) return;
  const auto [least_bare, most_bare] = std::minmax_element(bares.begin(), bares.end());
  const auto [least_own, most_own] = std::minmax_element(owns.begin(), owns.end());
  std::vector<double> sorted = ratios;
  std::ranges::sort(sorted);
  const std::size_t n = sorted.size();
  fmt::print("{:<8}{:>8} B  {:>8.2f} [{:.2f}-{:.2f}]  {:>8.2f} [{:.2f}-{:.2f}]  {:>6.2f} [{:.2f}-{:.2f}] {:>6.2f}",
             end.is_round() ? "round" : "newest", bytes, 1e6 * median(bares), 1e6 * *least_bare, 1e6 * *most_bare,
             1e6 * median(owns), 1e6 * *least_own, 1e6 * *most_own, median(ratios), sorted[n / 4], sorted[3 * n / 4],
             *least_own / *least_bare);
  const auto rate = [&](double seconds) { return static_cast<double>(bytes) / seconds / 1e9; };
  if (bytes > 1000) fmt::print("  {:.2f} and {:.2f} GB/s", rate(median(bares)), rate(median(owns)));
  fmt::print("\n");
  std::fflush(stdout);
}

int run(int argc, char** argv) {
  MpiTransport transport(argc, argv);
  Options options;
  for (int k = 1; k < argc; ++k)
    if (std::strcmp(argv[k], "--threads") == 0)
      options.has_threads = true;
    else if (std::strcmp(argv[k], "--passes") == 0 && k + 1 < argc)
      options.passes = std::max(1, std::atoi(argv[++k]));
    else
      throw InputError("{}: bench_mpi takes --passes N and --threads", argv[k]);
  if (transport.ranks() != 2) throw InputError("bench_mpi: start two ranks, as mpirun -n 2 bench_mpi");
  const std::vector<int> cores = cores_here();
  stay_on(cores[transport.rank() % cores.size()]);
  if (transport.rank() == 0) {
    fmt::print("{}; {} core{} to be had by rank 0; node and courier of a rank {}\n", transport.library(), cores.size(),
               cores.size() == 1 ? "" : "s", options.has_threads ? "on a thread each" : "on one thread");
    if (options.has_threads && cores.size() < 4)
      fmt::print("fewer than four cores: these figures are the scheduler's\n");
    fmt::print(
        "one way, us, median [least-most] of {} passes; ours / bare: median [middle half], and of the least times\n",
        options.passes);
    fmt::print("{:<8}{:>10}  {:>24}  {:>24}  ours / bare\n", "delivery", "payload", "MPI_Send and MPI_Recv", "ours");
  }
  for (const char* algorithm : {"dsgd", "async-dsgd"})
    for (const std::size_t bytes : {std::size_t{64}, std::size_t{80'000}, std::size_t{160'000}})
      measure(transport, options, cores, algorithm, bytes);
  return 0;
}

}  // namespace

}  // namespace quantimed::bench

int main(int argc, char** argv) {
  try {
    return quantimed::bench::run(argc, argv);
  } catch (const std::exception& error) {
    fmt::print(stderr, "bench_mpi: {}\n", error.what());
    std::fflush(nullptr);
    std::_Exit(2);  // the launcher ends the other
  }
}
