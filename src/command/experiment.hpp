// SPDX-License-Identifier: BSD-3-Clause
// From a Config to a Trace: everything between the command line and the engines.
#pragma once

#include "algorithm/table.hpp"
#include "config/config.hpp"
#include "dataset/dataset.hpp"
#include "engine/engine.hpp"
#include "measure/evaluate.hpp"
#include "trace/trace.hpp"

#include <functional>
#include <stdexcept>
#include <string>

namespace quantimed {

// Fills in what depends on other options and on the machine: nodes, threads, speed, link, step sizes, output.
// Throws InputError for contradictions.
Config resolve(Config config);

// What an algorithm's proof asks of W, on the graph of this resolved Config. Throws InputError.
void require_eigenvalues(const Config& resolved, const AlgorithmRow& row);

// A line that says where the published epsilon is above 1 and was taken as 1; "" where it was not.
std::string epsilon_notice(const Config& given, const Config& resolved);

// A run broke off: somebody was missing, or failed (exit status 1). Its trace has been written and says so.
class RunFailure : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// A signal came where there is nothing to write yet (exit status 75).
class Stopped : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// What runs with the same data options share. Loaded once.
DataSplit load_data(const Config& config);
// The same of generated data; what there is to note of them has been told.
DataSplit load_data_of_another_seed(Config config);
// All that load_data() depends on: where it is the same the data are.
std::string data_key(const Config& config);

// Told how far a run is, 0 … 1.
using ProgressReport = std::function<void(double)>;

struct Resumption;  // resumption.hpp

// One run of a resolved Config, evaluated and summarised; written to config.output as it goes (PATH.partial) and at
// the end. Validates before it times: gradient, codec, network. Locks its output, so that nobody else writes it.
// Throws RunFailure for a run that broke off. What comes back is without its rounds, which may be more than memory
// holds: they are in the file. `resumption`: the run goes on from there; null: from the start.
Trace run_experiment(const Config& config, const DataSplit& data, const ProgressReport& progress,
                     Resumption* resumption = nullptr);

// Seconds until the loss has fallen to the target and stays there (statistics/arrival.hpp); ∞ when missed.
double time_to_target(const Progress& progress, double target);

// On standard error, once a process: why the figures of a machine file were not to be trusted; "": nothing was wrong.
void tell_of_doubts(const std::string& machine, const std::string& doubts);

// Of the curve, its next.
void add_point(Progress& curve, const Cut& cut, const Evaluation& point);

bool is_same_graph(const Network& a, const Network& b);

// Throws InputError unless a file can be made in this folder. `option` and `value` are for the message.
void require_writable_folder(const std::string& folder, const std::string& option, const std::string& value);

}  // namespace quantimed
