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
                 .epsilon = "15*T^(-1/2)"},
    AlgorithmRow{.name = "dsgd",
                 .help = "synchronous: fixed batch, exact models, waits for the slowest",
                 .run = dsgd,
                 .delivery = Delivery::round,
                 .quantizes = false,
                 .uses_epsilon = false,
                 .uses_deadline = false,
                 .goes_on_without = false,
                 .alpha = "0.2",
                 .epsilon = "1"},
    AlgorithmRow{.name = "async-dsgd",
                 .help = "asynchronous: fixed batch, newest exact models, waits for nobody",
                 .run = async_dsgd,
                 .delivery = Delivery::newest,
                 .quantizes = false,
                 .uses_epsilon = false,
                 .uses_deadline = false,
                 .goes_on_without = true,
                 .alpha = "0.2",
                 .epsilon = "1"},
    AlgorithmRow{.name = "q-dsgd",
                 .help = "quantized only: fixed batch, quantized models, waits for the slowest",
                 .run = q_dsgd,
                 .delivery = Delivery::round,
                 .quantizes = true,
                 .uses_epsilon = true,
                 .uses_deadline = false,
                 .goes_on_without = false,
                 .alpha = "0.3*T^(-1/6)",
                 .epsilon = "15*T^(-1/2)"},
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

}  // namespace quantimed
