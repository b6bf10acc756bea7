// SPDX-License-Identifier: BSD-3-Clause
// Where it runs: who talks with whom, and what time does to the nodes and their messages.
#include "config/option_rows.hpp"

#include "timing/faults.hpp"
#include "timing/link_model.hpp"
#include "timing/speed_model.hpp"
#include "topology/network.hpp"

namespace quantimed {

namespace {

using C = Config;
constexpr double kMostRanks = 100'000;
Listing graph_listing() { return syntax_listing(kGraphKinds); }
Listing speed_listing() { return syntax_listing(kSpeedKinds); }
Listing link_listing() { return syntax_listing(kLinkKinds); }
Listing fault_listing() { return syntax_listing(kFaultKinds); }
void check_graph(const std::string& text) { parse_graph(text); }
void check_mixing(const std::string& text) { parse_mixing(text); }
void check_fault(const std::string& text) { parse_faults(text, ~std::uint32_t{0}); }

}  // namespace

// clang-format off
std::vector<OptionRow> network_rows() {
  return {
    {.name = "graph", .topic = Topic::network, .commands = kRuns | kInfo,
     .value = "GRAPH",
     .help = "who talks with whom", .field = &C::graph, .check = check_graph, .listing = graph_listing},
    {.name = "mixing", .topic = Topic::network, .value = "laplacian|laplacian:KAPPA|metropolis",
     .help = "the weights W: I - L/KAPPA with KAPPA = largest degree + 2 unless given, or 1/(1 + larger degree)",
     .field = &C::mixing, .check = check_mixing},
    {.name = "graphs", .topic = Topic::network, .commands = kTheory, .value = "GRAPH,GRAPH",
     .help = "the graph is varied instead of the horizon, and with it the spectral gap; none: --graph holds",
     .field = &C::graphs, .usual = "none", .check = check_graph},
  };
}

std::vector<OptionRow> time_rows() {
  return {
    {.name = "machine", .topic = Topic::time_model, .commands = kRun | kCompare | kPredict | kInfo, .value = "FILE",
     .help = "virtual time predicts real time on the machine that this file of `quantimed calibrate` describes; "
             "predict: none measures this machine first",
     .field = &C::machine, .usual = "none"},
    {.name = "ranks", .topic = Topic::time_model, .commands = kRun | kCompare | kPredict, .value = "N",
     .help = "with a --machine that mpirun quantimed-mpi calibrate has measured: predict a run over MPI, the nodes in "
             "blocks over so many ranks; predict: on --cores",
     .field = &C::ranks, .usual = "none", .most = kMostRanks},
    {.name = "hosts", .topic = Topic::time_model, .commands = kRun | kCompare | kPredict, .value = "N",
     .help = "of --ranks: the hosts that they are on, in blocks", .field = &C::hosts, .least = 1, .most = kMostRanks},
    {.name = "speed", .topic = Topic::time_model, .commands = kRuns | kInfo, .value = "KIND",
     .help = "samples per second of each node; auto: uniform:10,90 in virtual time, none on threads",
     .field = &C::speed, .usual = "auto", .listing = speed_listing},
    {.name = "interference", .topic = Topic::time_model, .commands = kTimedRuns, .value = "COUNT,SHARE,PERIOD",
     .help = "on threads, compete for the cores of nodes 0 to COUNT-1: each meets a thread that is busy for SHARE of "
             "every PERIOD seconds",
     .field = &C::interference, .usual = "none", .clocks = kRealTime, .units = "--s"},
    {.name = "link", .topic = Topic::time_model, .value = "KIND",
     .help = "what a message costs; auto: paper:3 in virtual time, none on threads", .field = &C::link,
     .usual = "auto", .listing = link_listing, .units = "sb"},
    {.name = "fault", .topic = Topic::time_model, .commands = kRun, .value = "KIND",
     .help = "nodes that die or fall silent, several separated by ;  algorithms that can continue without them do, "
             "the others wait and end (info --algorithms)",
     .field = &C::fault, .usual = "none", .check = check_fault, .listing = fault_listing, .units = "-s"},
    {.name = "patience", .topic = Topic::time_model, .commands = kTimedRuns, .value = "SECONDS",
     .help = "how long a node waits for a message before its sender counts as lost, and how long a run on threads may "
             "make no progress; auto: 60, and no less than 100 rounds where no --fault was asked for",
     .field = &C::patience, .usual = "auto", .is_above_least = true, .units = "s"},
    {.name = "bits", .topic = Topic::time_model, .help = "what the link of virtual time charges: the bits that are sent, headers included and padding not (T_C is for 16 "
             "bits, so exact float32 models cost 2 T_C), or the paper's count; synchronous runs record both clocks, "
             "and compare makes other ones for each",
     .field = &C::bits, .choices = {"wire", "paper"}, .clocks = kModelledTime},
    {.name = "sync", .topic = Topic::time_model,
     .help = "a virtual round lasts as long as the slowest node, or as the slowest neighbour", .field = &C::sync,
     .choices = {"barrier", "neighbourhood"}, .clocks = kModelledTime},
  };
}
// clang-format on

}  // namespace quantimed
