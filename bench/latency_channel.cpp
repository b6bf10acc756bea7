// The mailboxes against a bare flag (mailbox_latency.hpp says how), for several sizes.
#include "bench/mailbox_latency.hpp"

#include <benchmark/benchmark.h>

namespace quantimed::bench {
namespace {

// Counters: half a round trip, memcpy and sum included, and the median ratio to the bare flag of the same pass.
void report(benchmark::State& state, Ratio MailboxRatios::*delivery) {
  MailboxRatios ratios;
  for (auto _ : state) {
    ratios = mailbox_ratios(static_cast<std::size_t>(state.range(0)));
    state.SetIterationTime((ratios.*delivery).time);
  }
  if (!ratios.measured) return state.SkipWithError("needs two cores that threads can be pinned to");
  state.counters["one_way_ns"] = (ratios.*delivery).time * 1e9;
  state.counters["bare_ns"] = (ratios.*delivery).limit * 1e9;
  state.counters["ratio"] = (ratios.*delivery).ratio;
}

void round_delivery(benchmark::State& state) { report(state, &MailboxRatios::round); }
void newest_delivery(benchmark::State& state) { report(state, &MailboxRatios::newest); }

BENCHMARK(round_delivery)->Name("latency/round")->Arg(64)->Arg(4096)->Arg(80'000)->UseManualTime()->Iterations(1);
BENCHMARK(newest_delivery)->Name("latency/newest")->Arg(64)->Arg(4096)->Arg(80'000)->UseManualTime()->Iterations(1);

}  // namespace
}  // namespace quantimed::bench
