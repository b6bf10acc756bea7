// SPDX-License-Identifier: BSD-3-Clause
#include "engine/virtual/virtual_engines.hpp"

#include "base/error.hpp"
#include "engine/resumption.hpp"

namespace quantimed {

double plan_gradient(const Run& run, NodeId node, Round round, std::size_t batch, const EarlierParts& earlier,
                     Seconds deadline, RoundRecord& record) {
  const double asked = run.speed ? run.speed->speed(node, round) : 0;
  record.speed_asked = static_cast<float>(asked);
  const auto time_of = [&](std::size_t samples, Seconds on_the_machine) {
    return std::max(asked > 0 ? static_cast<double>(samples) / asked : 0.0, on_the_machine);
  };
  if (deadline == 0) {
    const Seconds duration = time_of(batch, run.machine ? run.machine->gradient_time(batch) : 0);
    record.batch = static_cast<float>(batch);
    record.compute = static_cast<float>(duration);
    return static_cast<double>(batch) / duration;
  }
  const Seconds sample = run.machine ? run.machine->deadline_sample_s : 0;
  std::size_t samples = ~std::size_t{0};
  if (asked > 0) samples = samples_within(asked, earlier, deadline);
  if (sample > 0) samples = std::min(samples, samples_within(1 / sample, earlier, deadline));
  const std::size_t all = earlier.samples + samples;
  const Seconds worked = time_of(all, static_cast<double>(all) * sample) - earlier.deadline;
  record.batch = static_cast<float>(samples);
  record.compute = record.deadline = static_cast<float>(deadline);
  record.overshoot = static_cast<float>(worked - deadline);
  return all > 0 ? 1 / time_of(1, sample) : 0.5 / deadline;  // as on threads: not one sample is half of one
}

Outcome run_virtual(const Run& run, Watcher& watcher) {
  if (run.resume) require_fit(run);
  if (run.machine && !run.algorithm.sends_its_model)
    throw InputError(
        "--algorithm {}: what it costs on a machine is not measured; give one that sends its model as it is "
        "(quantimed-dsgd, dsgd, async-dsgd, q-dsgd), or leave --machine out",
        run.algorithm.name);
  switch (run.algorithm.delivery) {
    case Delivery::round:
      return run_virtual_round(run, watcher);
    case Delivery::newest:
      return run_virtual_newest(run, watcher);
    case Delivery::pairwise:
      break;
  }
  return run_virtual_pair(run, watcher);
}

}  // namespace quantimed
