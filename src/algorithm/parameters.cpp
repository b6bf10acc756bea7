// SPDX-License-Identifier: BSD-3-Clause
#include "algorithm/parameters.hpp"

#include "base/error.hpp"

#include <fmt/core.h>

#include <array>
#include <type_traits>

namespace quantimed {

namespace {

constexpr double kMostSteps = 10'000;

template <auto Member>
void set(Options& options, double value) {
  options.*Member = static_cast<std::remove_reference_t<decltype(options.*Member)>>(value);
}
template <auto Member>
double get(const Options& options) {
  return static_cast<double>(options.*Member);
}

constexpr std::array kTable = {
    ParameterRow{Parameter::gamma, "gamma", "step of the mixing of compressed messages, in (0, 1]", 0, 1, false, true,
                 false, set<&Options::gamma>, get<&Options::gamma>},
    ParameterRow{Parameter::momentum, "momentum", "weight of earlier gradients, in [0, 1)", 0, 1, true, false, false,
                 set<&Options::momentum>, get<&Options::momentum>},
    ParameterRow{Parameter::averaging, "averaging", "how fast LEAD's reference follows what is sent, in (0, 1]", 0, 1,
                 false, true, false, set<&Options::averaging>, get<&Options::averaging>},
    ParameterRow{Parameter::outer_step, "outer-step", "step of the outer update, in (0, 2]", 0, 2, false, true, false,
                 set<&Options::outer_step>, get<&Options::outer_step>},
    ParameterRow{Parameter::local_steps, "local-steps", "gradient steps between two exchanges", 1, kMostSteps, true,
                 true, true, set<&Options::local_steps>, get<&Options::local_steps>},
    ParameterRow{Parameter::rounds, "rounds", "exchanges in each iteration", 1, kMostSteps, true, true, true,
                 set<&Options::rounds>, get<&Options::rounds>},
    ParameterRow{Parameter::period, "period",
                 "iterations from one average (gossip-pga: of all nodes; swift: of neighbours) to the next", 1, 1e9,
                 true, true, true, set<&Options::period>, get<&Options::period>},
    ParameterRow{Parameter::nesterov, "nesterov", "1: momentum in Nesterov's form, 0: heavy-ball", 0, 1, true, true,
                 true, set<&Options::nesterov>, get<&Options::nesterov>},
    ParameterRow{Parameter::overlap, "overlap",
                 "1: CHOCO's message is complete before the gradient and travels meanwhile, 0: after it", 0, 1, true,
                 true, true, set<&Options::overlap>, get<&Options::overlap>},
    ParameterRow{Parameter::beta, "beta",
                 "K of the dual step 1/(K + sqrt(t)/alpha) of Anytime Minibatch, at least 0; const: it is alpha", 0,
                 1e9, true, true, false, set<&Options::beta>, get<&Options::beta>, "const", -1},
};

}  // namespace

std::span<const ParameterRow> parameter_table() { return kTable; }

std::string value_text(const ParameterRow& row, double value) {
  return row.word && value == row.word_is ? row.word : fmt::format("{}", value);
}

const ParameterRow& row_of(Parameter parameter) {
  const ParameterRow& row = kTable[static_cast<std::size_t>(parameter)];
  check(row.parameter == parameter, "the table of parameters is in the order of enum Parameter");
  return row;
}

}  // namespace quantimed
