// SPDX-License-Identifier: BSD-3-Clause
// quantimed-mpi: the same commands in several processes. Rank 0 carries them out and speaks; each run that is spread
// over the ranks is a job that it hands to the others, which wait for the next one until rank 0 lets them go.
#include "base/error.hpp"
#include "base/streams.hpp"
#include "command/commands.hpp"
#include "command/program.hpp"
#include "command/signals.hpp"
#include "command/spread.hpp"
#include "mpi/mpi_transport.hpp"

#include <fmt/format.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <string>
#include <thread>

namespace quantimed {

namespace {

enum class Call : std::uint8_t { run, measure_links, leave };

class MpiEngine final : public SpreadEngine {
 public:
  explicit MpiEngine(MpiTransport& transport) : transport_(transport), fleet_(transport) {}
  Rank ranks() const override { return fleet_.ranks(); }

  Outcome run(const Config& config, const DataSplit& data, const Run& run, Watcher& watcher) override {
    Parcel job;
    job.put(Call::run);
    put_job(job, config, data, run);
    (void)fleet_.broadcast(std::move(job));
    fleet_.agree(nullptr);
    Outcome outcome = run_spread(run, watcher, fleet_);
    outcome.placement.emplace_back("mpi", transport_.library());
    return outcome;
  }
  MeasuredLinks measure_links(const Config& config, const DataSplit& data, const Run& run,
                              const std::vector<std::size_t>& sizes,
                              const std::function<bool(double)>& goes_on) override {
    Parcel job;
    job.put(Call::measure_links);
    put_job(job, config, data, run);
    job.put_all(sizes);
    (void)fleet_.broadcast(std::move(job));
    fleet_.agree(nullptr);
    MeasuredLinks measured = quantimed::measure_links(fleet_, run, sizes, goes_on);
    measured.links.library = transport_.library();
    return measured;
  }
  void require_all() override { transport_.require_all(); }
  void let_go(int status) { (void)fleet_.broadcast(std::move(Parcel().put(Call::leave).put(status))); }

 private:
  MpiTransport& transport_;
  Fleet fleet_;
};

// Of a process other than rank 0, until it is let go. Its exit status is rank 0's.
int follow(MpiTransport& transport) {
  Fleet fleet(transport);
  Follower follower(fleet);
  catch_signals();
  for (;;) {
    Parcel job = fleet.broadcast({});
    switch (job.take<Call>()) {
      case Call::run:
        follower.run(job);
        break;
      case Call::measure_links:
        follower.measure_links(job);
        break;
      case Call::leave:
        return job.take<int>();
    }
  }
}

int lead(MpiTransport& transport, int argc, char** argv) {
  MpiEngine engine(transport);
  spread_engine() = &engine;
  const int status = run_program(argc, argv);
  spread_engine() = nullptr;
  engine.let_go(status);
  return status;
}

// MPI ends with its processes: without one of them nothing can be ended properly, and to wait would be for ever. One
// rank speaks of a lost one, and it has to see which it was: so those that are silent stay for a moment, and the one
// that has spoken until they have gone. Else whoever looks late would find several missing.
[[noreturn]] void end_at_once(const MpiTransport& transport, Rank lost, const char* why) {
  constexpr auto kUntilSeen = std::chrono::seconds(1), kUntilGone = std::chrono::seconds(8);
  const bool is_own = lost == transport.rank(), speaks = is_own || transport.speaks_of(lost);
  if (speaks)
    tell(
        "quantimed: {}; the run has ended. Where it had written OUTPUT.partial, resume it: quantimed-mpi run --resume "
        "OUTPUT\n",
        why);
  std::fflush(nullptr);
  if (!speaks) std::this_thread::sleep_for(kUntilSeen);
  const auto end = std::chrono::steady_clock::now() + kUntilGone;
  while (speaks && !is_own && transport.sees_others() && std::chrono::steady_clock::now() < end)
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  std::_Exit(kFailed);
}

}  // namespace

}  // namespace quantimed

int main(int argc, char** argv) {
  using namespace quantimed;
  std::optional<MpiTransport> transport;
  try {
    transport.emplace(argc, argv);
  } catch (const std::exception& error) {
    const char* rank = std::getenv("OMPI_COMM_WORLD_RANK");
    if (!rank) rank = std::getenv("PMI_RANK");
    if (!rank) rank = std::getenv("SLURM_PROCID");
    if (!rank || std::string(rank) == "0") tell("quantimed: {}\n", error.what());
    return kBadInput;
  }
  try {
    return transport->rank() == 0 ? lead(*transport, argc, argv) : follow(*transport);
  } catch (const RankLost& lost) {
    end_at_once(*transport, lost.rank, lost.what());
  } catch (const std::exception& error) {
    end_at_once(*transport, transport->rank(),
                fmt::format("rank {} failed: {}", transport->rank(), error.what()).c_str());
  }
}
