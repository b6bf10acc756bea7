// SPDX-License-Identifier: BSD-3-Clause
#include "command/spread.hpp"

#include "base/error.hpp"
#include "blas/blas.hpp"
#include "command/experiment.hpp"
#include "command/outputs.hpp"
#include "command/setup.hpp"
#include "command/signals.hpp"
#include "config/ini.hpp"
#include "engine/spread/parts.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <exception>

namespace quantimed {

SpreadEngine*& spread_engine() {
  static SpreadEngine* engine = nullptr;
  return engine;
}

namespace {

bool is_one_of(const std::string& text, std::initializer_list<const char*> names) {
  return std::ranges::any_of(names, [&](const char* name) { return text == name; });
}

}  // namespace

void require_for_ranks(const Request& request) {
  // What such a run's options come to can be asked without MPI, as slurm/submit does of run.
  if (is_one_of(request.command, {"run", "compare", "tune", "scale"}) && !request.config.dry_run)
    require_spread_engine(request.config);
  if (!spread_engine() || spread_engine()->ranks() == 1) return;
  if (is_one_of(request.command, {"theory", "predict", "report"}))
    throw InputError("{}: works in one process, and {} ranks were started; start it without mpirun", request.command,
                     spread_engine()->ranks());
  if (is_one_of(request.command, {"run", "compare", "tune", "scale"}) && request.config.resume.empty())
    if (const std::string& engine = request.config.engine; engine != "mpi")
      throw InputError(
          "--engine {}: works in one process, and {} ranks were started; give --engine mpi, or start it without mpirun",
          engine, spread_engine()->ranks());
}

void require_spread_engine(const Config& config) {
  if (config.engine != "mpi" || spread_engine()) return;
  throw InputError(
      "--engine mpi: this program has no MPI; start the one that has, as in mpirun -n 2 quantimed-mpi run --engine mpi "
      "--nodes 4 (make MPI=1 builds it), or give --engine threads");
}

Layout layout_of(const Config& config) {
  const bool is_spread = config.engine == "mpi" && spread_engine();
  return {.nodes = config.nodes, .ranks = is_spread ? std::min(spread_engine()->ranks(), config.nodes) : 1};
}

Outcome run_by_engine(const Config& config, const DataSplit& data, const Run& run, Watcher& watcher) {
  require_spread_engine(config);
  if (config.engine == "mpi") return spread_engine()->run(config, data, run, watcher);
  if (spread_engine() && spread_engine()->ranks() > 1)
    throw InputError("--engine {}: works in one process, and {} ranks were started; start it without mpirun",
                     config.engine, spread_engine()->ranks());
  return config.engine == "virtual" ? run_virtual(run, watcher) : run_threads(run, watcher);
}

// ---- jobs --------------------------------------------------------------------------------------------

void put_job(Parcel& job, const Config& config, const DataSplit& data, const Run& run) {
  const Fingerprints contents = fingerprints_of(config, data);
  job.put_text(to_ini(config));
  for (const std::string& text : {contents.data, contents.graph, contents.speed, contents.machine}) job.put_text(text);
  job.put(run.resume != nullptr);
  if (!run.resume) return;
  put(job, run.resume->checkpoint);
  job.put(run.resume->recording.has_value());
  if (run.resume->recording) put(job, *run.resume->recording);
}

struct Follower::Prepared {
  std::optional<Setup> setup;
  std::optional<Run> run;
  std::optional<Checkpoint> checkpoint;
  std::optional<Resume> resume;
};

// Agreed on by all; throws Abandoned where not all could, of which rank 0 tells.
std::unique_ptr<Follower::Prepared> Follower::prepare(Parcel& job) {
  auto prepared = std::make_unique<Prepared>();
  auto& [setup, run, checkpoint, resume] = *prepared;
  std::exception_ptr failure;
  try {
    Config config;
    (void)read_ini_text("the run of rank 0", job.take_text(), config);
    config.output.clear();
    config.quiet = true;
    config.threads = 0;  // as many as are here
    if (const std::string key = data_key(config); key != data_key_) {
      data_.reset();
      data_ = load_data(config);
      data_key_ = key;
    }
    Fingerprints of_first;
    for (std::string* text : {&of_first.data, &of_first.graph, &of_first.speed, &of_first.machine})
      *text = job.take_text();
    if (const std::string other = differing_contents(fingerprints_of(config, *data_), of_first); !other.empty())
      throw InputError("--dataset {}: {}: this is not what rank 0 has; give all ranks the same files", config.dataset,
                       other);
    config.threads = 1;
    blas::use_one_thread();
    blas::admit(layout_of(config).nodes / fleet_.ranks() + 1, config.oversubscribe);
    setup.emplace(config, *data_);
    run.emplace(setup->run());
    if (job.take<bool>()) {
      checkpoint = take_checkpoint(job);
      std::optional<Recording> recording;
      if (job.take<bool>()) recording = take_recording(job);
      resume.emplace(Resume{"of rank 0", *checkpoint, {}, std::move(recording)});
      run->resume = &*resume;
    }
  } catch (...) {
    failure = std::current_exception();
  }
  fleet_.agree(failure);
  return prepared;
}

void Follower::run(Parcel& job) try {
  const auto prepared = prepare(job);
  follow_spread(*prepared->run, fleet_, signal_came);
} catch (const Abandoned&) {  // rank 0 tells why
}

void Follower::measure_links(Parcel& job) try {
  const auto prepared = prepare(job);
  const std::vector<std::size_t> sizes = job.take_all<std::size_t>();
  (void)quantimed::measure_links(fleet_, *prepared->run, sizes, [](double) { return !signal_came(); });
} catch (const Abandoned&) {
}

}  // namespace quantimed
