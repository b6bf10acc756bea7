#include "algorithm/table.hpp"

#include "algorithm/algorithms.hpp"
#include "base/error.hpp"

#include <array>
#include <string>

namespace quantimed {

namespace {
constexpr std::array kTable = {
    AlgorithmRow{.name = "quantimed-dsgd",
                 .help = "computes until a deadline, sends quantized models",
                 .run = quantimed_dsgd,
                 .delivery = Delivery::round,
                 .quantizes = true,
                 .uses_epsilon = true,
                 .uses_deadline = true,
                 .goes_on_without = true,
                 .alpha = "0.3*T^(-1/6)",
                 .epsilon = "15*T^(-1/2)",
                 .paper = "Reisizadeh, Taheri, Mokhtari, Hassani, Pedarsani: Robust and communication-efficient "
                          "collaborative learning, NeurIPS 2019",
                 .sends_its_model = true,
                 .is_compared = true},
    AlgorithmRow{
        .name = "dsgd",
        .help = "synchronous: fixed batch, exact models, waits for the slowest",
        .run = dsgd,
        .delivery = Delivery::round,
        .quantizes = false,
        .uses_epsilon = false,
        .uses_deadline = false,
        .goes_on_without = false,
        .alpha = "0.2",
        .epsilon = "1",
        .paper = "Nedić, Ozdaglar: Distributed subgradient methods for multi-agent optimization, IEEE TAC 2009",
        .sends_its_model = true,
        .is_compared = true},
    AlgorithmRow{
        .name = "async-dsgd",
        .help = "asynchronous: fixed batch, newest exact models, waits for nobody",
        .run = async_dsgd,
        .delivery = Delivery::newest,
        .quantizes = false,
        .uses_epsilon = false,
        .uses_deadline = false,
        .goes_on_without = true,
        .alpha = "0.2",
        .epsilon = "1",
        .paper = "Lian, Zhang, Zhang, Liu: Asynchronous decentralized parallel stochastic gradient descent, ICML 2018",
        .sends_its_model = true,
        .is_compared = true},
    AlgorithmRow{.name = "q-dsgd",
                 .help = "quantized only: fixed batch, quantized models, waits for the slowest",
                 .run = q_dsgd,
                 .delivery = Delivery::round,
                 .quantizes = true,
                 .uses_epsilon = true,
                 .uses_deadline = false,
                 .goes_on_without = false,
                 .alpha = "0.3*T^(-1/6)",
                 .epsilon = "15*T^(-1/2)",
                 .paper = "Reisizadeh, Mokhtari, Hassani, Pedarsani: An exact quantized decentralized gradient descent "
                          "algorithm, IEEE TSP 2019",
                 .sends_its_model = true,
                 .is_compared = true},
};
}  // namespace

std::span<const AlgorithmRow> algorithm_table() { return kTable; }

const AlgorithmRow& find_algorithm(std::string_view name) {
  std::string known;
  for (const AlgorithmRow& row : kTable) {
    if (name == row.name) return row;
    known += known.empty() ? row.name : std::string(", ") + row.name;
  }
  throw InputError("--algorithm {}: not known; use one of {}", name, known);
}

std::vector<std::string> compared_algorithms() {
  std::vector<std::string> names;
  for (const AlgorithmRow& row : kTable)
    if (row.is_compared) names.emplace_back(row.name);
  return names;
}

Options usual_options(const AlgorithmRow& row) {
  Options options;
  for (const ParameterUse& use : row.parameters) row_of(use.parameter).set(options, use.usual);
  return options;
}

}  // namespace quantimed
