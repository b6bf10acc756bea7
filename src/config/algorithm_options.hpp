// SPDX-License-Identifier: BSD-3-Clause
// What --gamma and its like and --gradient come to for one algorithm. Every function takes the algorithm's row, and a
// Config as given or resolved.
#pragma once

#include <functional>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "algorithm/table.hpp"
#include "config/config.hpp"

namespace quantimed {

// The row's parameters, as given for it or at their usual values, as text that sets them again.
std::map<Parameter, std::string> own_parameters(const Config& config, const AlgorithmRow& row);
// Those values; α, ε and b are not set.
Options parameter_options(const Config& config, const AlgorithmRow& row);

// --codec for it: its own, or that of all that are not named, or the usual one.
std::string codec_for(const Config& config, const AlgorithmRow& row);

// Whether its gradients take until T_d: by its definition, or by --gradient.
bool uses_deadline(const Config& config, const AlgorithmRow& row);
// What --gradient cannot be for it. Throws InputError.
void check_gradient_of(const Config& config, const AlgorithmRow& row);

// A parameter that was given and that none of the chosen algorithms has. Throws InputError.
void require_takers(const ParameterRow& parameter, const std::string& text, std::span<const std::string> chosen,
                    std::span<const std::string> having);
// The same for all that were given on a command line; an .ini may hold options of others.
void refuse_idle_parameters(const Request& request);
// Options given on the command line that none of the chosen algorithms takes (a code, a deadline, rounds), or
// that name others alone: a line for each. `run` prints them; the other commands are refused.
std::vector<std::string> idle_notices(const Request& request);

// --algorithms all: of those that need a tree none, where --graph has cycles for certain.
void leave_out_what_needs_a_tree(Request& request);

// Those that a command runs: --algorithm of run and theory, else --algorithms.
std::vector<std::string> chosen_algorithms(const std::string& command, const Config& config);

// How these algorithms differ from each other beside their steps, a line each: "choco-sgd: gamma 0.2",
// "gradients until a deadline: dsgd". Only --gradient's own doing is told.
// `is_looked_for`: which parameters of which algorithm are what a search is after, and not told.
std::string own_options_text(
    const Config& config, std::span<const std::string> algorithms,
    const std::function<bool(const std::string& algorithm, Parameter)>& is_looked_for = nullptr);

}  // namespace quantimed
