// SPDX-License-Identifier: BSD-3-Clause
// The mailboxes beside what one would use instead, all against a bare flag (carriers.hpp, exchange.hpp).
//
//   latency/CARRIER/BYTES                          one way, between two cores
//   stream/CARRIER/BYTES/READERS                   from one core to others, a core each
//   stream_oversubscribed/CARRIER/BYTES/READERS    the same threads on two cores
// Counters: medians over passes, and the ratio of the times to the bare flag's: median, least, most (1: as fast).
// The bare flag against itself says how much of that is noise.
#include "bench/exchange.hpp"

#include <benchmark/benchmark.h>
#include <fmt/format.h>

#include <map>
#include <set>
#include <string>

namespace quantimed::bench {
namespace {

using Measure = Ratio (*)(const Setup&, std::size_t cores, int passes);

struct CarrierRow {
  const char* name;
  Measure measure;
};
constexpr CarrierRow kCarriers[] = {
    {"bare_flag", against_bare_flag<BareFlag>},
    {"round_mailbox", against_bare_flag<RoundCarrier>},
    {"newest_mailbox", against_bare_flag<NewestCarrier>},
    {"spsc_queue", against_bare_flag<SpscQueue>},
    {"mutex_condition", against_bare_flag<MutexAndCondition>},
    {"std_barrier", against_bare_flag<StdBarrier>},
    {"openmp_barrier", against_bare_flag<OpenMpBarrier>},
};

void measure(benchmark::State& state, Measure carrier, const Setup& setup, std::size_t cores, int passes) {
  Ratio ratio{};
  for (auto _ : state) {
    try {
      ratio = carrier(setup, cores, passes);
    } catch (const std::exception& error) {
      state.SkipWithError(error.what());
      return;
    }
    state.SetIterationTime(ratio.time);
  }
  state.counters["bare_us"] = ratio.limit * 1e6;
  state.counters["ratio"] = ratio.ratio;
  state.counters["least"] = ratio.least;
  state.counters["most"] = ratio.most;
  if (!setup.acknowledged) return;
  state.counters["messages/s"] = setup.readers / ratio.time;  // of all readers
  state.counters["bytes/s"] = static_cast<double>(setup.readers * setup.bytes) / ratio.time;
}

void add(const std::string& group, const CarrierRow& carrier, const Setup& setup, std::size_t cores, int passes) {
  std::string name = fmt::format("{}/{}/{}", group, carrier.name, setup.bytes);
  if (setup.acknowledged) name += fmt::format("/{}", setup.readers);
  benchmark::RegisterBenchmark(name.c_str(),
                               [=, measure_carrier = carrier.measure](benchmark::State& state) {
                                 measure(state, measure_carrier, setup, cores, passes);
                               })
      ->UseManualTime()
      ->Iterations(1)
      ->Unit(benchmark::kMicrosecond);
}

void add_all() {
  const auto others = static_cast<std::uint32_t>(std::max<std::size_t>(usable_cores().size(), 2) - 1);
  for (const CarrierRow& carrier : kCarriers) add("latency", carrier, {64, 1, false, false}, 2, 201);
  for (const std::size_t bytes : {80'000, 160'000}) {
    for (const std::uint32_t readers : std::set<std::uint32_t>{1, 3, others})
      for (const CarrierRow& carrier : kCarriers)
        add("stream", carrier, {bytes, readers, true, false}, readers + std::size_t{1}, 101);
    for (const CarrierRow& carrier : kCarriers) add("stream_oversubscribed", carrier, {bytes, 3, true, true}, 2, 15);
  }
}

// As the console's, and at the end a table: a carrier a row, the ratio of each measure a column.
class TableReporter final : public benchmark::ConsoleReporter {
 public:
  void ReportRuns(const std::vector<Run>& runs) override {
    ConsoleReporter::ReportRuns(runs);
    for (const Run& run : runs) {
      const std::string name = run.benchmark_name();  // GROUP/CARRIER/MEASURE…/iterations:1/manual_time
      const std::size_t group = name.find('/'), carrier = name.find('/', group + 1), end = name.find("/iterations");
      const std::string column = name.substr(0, group) + name.substr(carrier, end - carrier);
      const auto ratio = run.counters.find("ratio");  // not there where the run failed
      if (ratio == run.counters.end() || group == std::string::npos) continue;
      if (std::ranges::find(columns_, column) == columns_.end()) columns_.push_back(column);
      ratios_[name.substr(group + 1, carrier - group - 1)][column] = ratio->second;
    }
  }
  void Finalize() override {
    ConsoleReporter::Finalize();
    fmt::print("\nTime over the bare flag's, median of alternating passes\n| {:<36} |", "");
    for (const CarrierRow& carrier : kCarriers) fmt::print(" {:>15} |", carrier.name);
    fmt::print("\n|{:-<38}|", "");
    for (std::size_t k = 0; k < std::size(kCarriers); ++k) fmt::print("{:->16}:|", "");
    for (const std::string& column : columns_) {
      fmt::print("\n| {:<36} |", column);
      for (const CarrierRow& carrier : kCarriers) {
        const auto found = ratios_[carrier.name].find(column);
        fmt::print(" {:>15} |", found == ratios_[carrier.name].end() ? "-" : fmt::format("{:.2f}", found->second));
      }
    }
    fmt::print("\n");
  }

 private:
  std::vector<std::string> columns_;                             // as they came
  std::map<std::string, std::map<std::string, double>> ratios_;  // carrier, column
};

}  // namespace
}  // namespace quantimed::bench

int main(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
  quantimed::bench::add_all();
  quantimed::bench::TableReporter reporter;
  benchmark::RunSpecifiedBenchmarks(&reporter);
  benchmark::Shutdown();
}
