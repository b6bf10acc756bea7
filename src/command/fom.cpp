// SPDX-License-Identifier: BSD-3-Clause
#include "command/fom.hpp"

#include "trace/trace.hpp"

#include <fmt/format.h>

#include <cmath>
#include <string_view>

namespace quantimed {

namespace {

struct Ending {
  std::string_view name;
  const char* unit;
};
constexpr Ending kUnits[] = {{"_s", "s"},
                             {"bytes", "bytes"},
                             {"_samples", "samples"},
                             {"mean_batch", "samples"},
                             {"iterations", "iterations"},
                             {"_messages", "messages"},
                             {"_j", "J"},
                             {"cycles", "cycles"},
                             {"instructions", "instructions"},
                             {"_misses", "misses"},
                             {"bits_per_coordinate", "bits"},
                             {"bits_of_a_vector", "bits"}};

const char* unit_of(std::string_view name) {
  for (const Ending& ending : kUnits)
    if (name.ends_with(ending.name)) return ending.unit;
  return "1";
}

std::string line(std::string_view name, double value, const char* unit) {
  return fmt::format("FOM {}: {} {}\n", name, value, unit);
}

// As tables have them.
std::string_view shown(std::string_view name) {
  if (name == "total_bytes") return "bytes_sent";
  return name == "final_test_accuracy" ? "test_accuracy" : name;
}

}  // namespace

std::string fom_lines(const Trace& trace) {
  std::string out = fmt::format("FOM status: {}\nFOM verdict: {}\n", to_string(trace.status),
                                trace.verdict.is_valid() ? "VALID" : "INVALID");
  if (trace.status != RunStatus::complete || !trace.verdict.is_valid()) return out;
  for (const auto& [name, value] : trace.summary)
    if (const double figure = number(trace.summary, name, std::nan("")); !std::isnan(figure))
      out += line(shown(name), figure, unit_of(name));
  const double time = number(trace.summary, "end_time_s", 0);
  if (time > 0) {  // on the run's own clock
    out += line("samples_per_second", number(trace.summary, "total_samples", 0) / time, "samples/s");
    out += line("iterations_per_second", number(trace.summary, "iterations", 0) / time, "iterations/s");
  }
  return out;
}

}  // namespace quantimed
