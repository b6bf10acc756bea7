// SPDX-License-Identifier: BSD-3-Clause
#include "command/graph_choice.hpp"

#include "base/error.hpp"
#include "codec/codec.hpp"
#include "topology/graph.hpp"
#include "topology/network.hpp"
#include "topology/schedule.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

namespace quantimed {

namespace {

bool suits(const AlgorithmRow& row, const Schedule& schedule) {
  if (row.delivery == Delivery::pairwise || (row.delivery == Delivery::newest && schedule.changes())) return false;
  return !(row.graph.symmetric && schedule.is_directed()) && !(row.graph.fixed && schedule.changes());
}

std::string algorithms_for(const Schedule& schedule) {
  std::vector<std::string> names;
  for (const AlgorithmRow& row : algorithm_table())
    if (suits(row, schedule) && row.collective_period(usual_options(row)) != 1) names.emplace_back(row.name);
  return fmt::format("{}", fmt::join(names, ", "));
}

// Weights in the file are those of W.
void require_use_of_weights(const Config& c, const AlgorithmRow& row, const GraphRequest& graph) {
  if (row.weights == Weights::mixing) return;
  const bool is_weighted =
      graph.kind == GraphRequest::Kind::file
          ? !topology::read_edges(graph, c.nodes).weights.empty()
          : graph.kind == GraphRequest::Kind::directed_file &&
                std::ranges::any_of(topology::read_arcs(graph, c.nodes), [](const Arc& arc) { return arc.weight > 0; });
  if (is_weighted)
    throw InputError(
        "--graph {}: its weights are for algorithms that mix with W, and {} does not; leave them out of the "
        "file, or {} out of the comparison",
        c.graph, row.name, row.name);
}

// Push-sum and r-fast do with a W of which the columns alone sum to 1.
void require_rows(const Config& c, const AlgorithmRow& row, const GraphRequest& graph) {
  const Network network = make_network(graph, parse_mixing(c.mixing), c.nodes, c.seed);
  if (network.rows_sum_to_one || row.weights == Weights::push || row.delivery == Delivery::newest) return;
  std::vector<double> sums(network.self_weights);
  for (const Arc& arc : network.arcs) sums[arc.to] += arc.weight;
  const auto worst = std::ranges::max_element(sums, {}, [](double sum) { return std::abs(sum - 1); });
  throw InputError(
      "--graph {}: the rows of W do not sum to 1 (that of node {} to {:.6g}), as {} needs; let each node hear as many "
      "as hear it, or with the same weights, or take sgp or r-fast",
      c.graph, worst - sums.begin(), *worst, row.name);
}

}  // namespace

void require_graph(const Config& c, const AlgorithmRow& row) {
  const GraphRequest graph = parse_graph(c.graph);
  const Schedule schedule{.kind = topology::schedule_of(graph.kind), .seed = c.seed};
  require_use_of_weights(c, row, graph);
  if (schedule.kind == Schedule::Kind::none) return;
  if (!suits(row, schedule)) {
    const bool is_newest = row.delivery == Delivery::newest;
    const char* const why = is_newest && schedule.changes()      ? "reads the newest messages of fixed neighbours"
                            : row.delivery == Delivery::pairwise ? "draws its partners from fixed neighbours"
                            : row.graph.tree                     ? "passes sums on along a tree"
                            : row.graph.symmetric && schedule.is_directed()
                                ? "needs a symmetric W, and this graph's links have a direction"
                                : "adds up what one fixed W mixes, and this graph changes with every message";
    throw InputError("--graph {}: {} {}; take a static graph (--graph exponential), or one of {}", c.graph, row.name,
                     why, algorithms_for(schedule));
  }
  const auto refuse = [&](const std::string& option, const char* why, const char* instead) {
    throw InputError("{}: --graph {} {}; {}", option, c.graph, why, instead);
  };
  if (c.engine == "mpi" && row.delivery == Delivery::newest)
    throw InputError(
        "--engine mpi: {} on --graph {} works in one process; take --engine threads, or a graph without directions",
        row.name, c.graph);
  if (!c.fault.empty())
    refuse(fmt::format("--fault {}", c.fault), "has other neighbours for a message than those that would notice",
           "leave --fault out, or take a static graph (--graph exponential)");
  if (!c.machine.empty())
    refuse(fmt::format("--machine {}", c.machine), "has waits that predictions do not know",
           "leave --machine out, or take a static graph (--graph exponential)");
  if (c.deadline_adapt)
    refuse("--deadline-adapt", "does not hear the same neighbours every time",
           "leave --deadline-adapt out, or take a static graph (--graph exponential)");
  if (row.quantizes && make_codec(c.codec)->kind() == CodecClass::relative)
    refuse(fmt::format("--codec {}", c.codec), "may keep two nodes apart for long, beyond the range of a relative code",
           "take another --codec, or a static graph (--graph exponential)");
  if (graph.kind == GraphRequest::Kind::directed_file)
    require_rows(c, row, graph);
  else
    (void)make_network(graph, parse_mixing(c.mixing), 1, c.seed);  // weights of its own
}

void require_tree(const Config& c, const AlgorithmRow& row) {
  if (!row.graph.tree) return;
  const Network network = make_network(parse_graph(c.graph), parse_mixing(c.mixing), c.nodes, c.seed);
  if (network.edges.size() + 1 == c.nodes && topology::is_connected(network.edges, c.nodes)) return;
  throw InputError(
      "--graph {}: has {} links between {} nodes, and {} needs a tree, which has {}: on any other graph a model comes "
      "back on another way and counts twice; take chain, star, or a tree of your own (file:PATH)",
      c.graph, network.edges.size(), c.nodes, row.name, c.nodes - 1);
}

void require_static_graph(const Config& c) {
  if (topology::schedule_of(parse_graph(c.graph).kind) == Schedule::Kind::none) return;
  throw InputError("--graph {}: the theorems speak of one symmetric W; take a static graph, as --graph exponential",
                   c.graph);
}

}  // namespace quantimed
