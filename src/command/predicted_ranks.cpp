// SPDX-License-Identifier: BSD-3-Clause
#include "command/predicted_ranks.hpp"

#include "base/error.hpp"

#include <fmt/format.h>

namespace quantimed {

void require_predictable_ranks(const Config& config, const AlgorithmRow& row) {
  if (config.ranks == 0) {
    if (config.hosts != Config{}.hosts)
      throw InputError("--hosts {}: are those of predicted ranks; give --ranks, too", config.hosts);
    return;
  }
  const auto refuse = [&](const std::string& why) { return InputError("--ranks {}: {}", config.ranks, why); };
  if (config.engine != "virtual" || config.machine.empty())
    throw refuse(
        "is for a run over MPI that virtual time predicts; give --engine virtual and the --machine FILE of mpirun -n 2 "
        "quantimed-mpi calibrate, or run it: mpirun quantimed-mpi run --engine mpi");
  if (config.ranks > config.nodes)
    throw refuse(fmt::format("each needs a node, and there are {}; give fewer, or more --nodes", config.nodes));
  if (config.hosts > config.ranks)
    throw InputError("--hosts {}: each needs a rank, and there are {}; give fewer, or more --ranks", config.hosts,
                     config.ranks);
  if (row.delivery != Delivery::round)
    throw refuse(
        fmt::format("{} sends the newest of its messages only, each when the one before has been taken, which is not "
                    "predicted over "
                    "ranks; give a synchronous algorithm, or leave it out",
                    row.name));
  if (config.link != "none")
    throw refuse(
        fmt::format("messages between ranks take what was measured, and --link {} another time; give one of the "
                    "two",
                    config.link));
  if (!config.fault.empty()) throw refuse("a run over several ranks has no --fault; leave one of the two out");
}

void require_ranks_of_predict(const Config& given, const std::string& machine) {
  if (given.ranks == 0 && given.hosts != Config{}.hosts)
    throw InputError("--hosts {}: are those of predicted ranks; give --ranks, too", given.hosts);
  if (given.ranks == 0) return;
  if (machine.empty())
    throw InputError(
        "--ranks {}: messages between ranks are not measured by predict; give the --machine FILE of mpirun -n 2 "
        "quantimed-mpi calibrate",
        given.ranks);
  if (given.cores.empty())
    throw InputError("--ranks {}: how many nodes they have in all is --cores; give it, too", given.ranks);
}

std::optional<PredictedRanks> predicted_ranks(const Config& c, const std::optional<MachineFile>& machine) {
  if (c.ranks == 0 || !machine) return {};
  const auto refuse = [&](const char* where, const char* how) {
    return InputError(
        "--ranks {}: {} has no link between ranks on {}; measure it over {}: mpirun quantimed-mpi calibrate", c.ranks,
        c.machine, where, how);
  };
  const RankLinks& links = machine->links;
  if (c.ranks > c.hosts && !links.one_host) throw refuse("one host", "two ranks of one");
  if (c.hosts > 1 && !links.two_hosts) throw refuse("two hosts", "ranks on two");
  return PredictedRanks{.ranks = c.ranks,
                        .hosts = c.hosts,
                        .one_host = links.one_host ? &*links.one_host : nullptr,
                        .two_hosts = links.two_hosts ? &*links.two_hosts : nullptr};
}

}  // namespace quantimed
