// SPDX-License-Identifier: BSD-3-Clause
// --graph file:PATH and directed-file:PATH, one link "i j" or "i j weight" a line. The file may be anybody's: nothing
// in it is believed before it is checked. A link may be listed again, one without direction also from its other end, as
// exports of adjacency matrices do; it counts once.
#include <algorithm>
#include <charconv>
#include <cmath>
#include <optional>
#include <string_view>
#include <tuple>
#include <utility>

#include "base/error.hpp"
#include "base/text_file.hpp"
#include "topology/graph.hpp"

namespace quantimed::topology {

namespace {

// Takes the next word off the front of `line`.
std::string_view take_word(std::string_view& line) {
  constexpr std::string_view kBlank = " \t\r";  // \r: files from Windows
  line.remove_prefix(std::min(line.find_first_not_of(kBlank), line.size()));
  const std::string_view word = line.substr(0, line.find_first_of(kBlank));
  line.remove_prefix(word.size());
  return word;
}

struct Place {
  const GraphRequest& graph;
  std::uint32_t nodes;
  std::size_t line;

  [[noreturn]] void refuse(const std::string& why) const {
    throw InputError("--graph {}: line {}: {}", describe(graph), line, why);
  }
};

struct Link {  // files may have millions
  NodeId i, j;
  std::uint32_t line;  // of at most 2^28 bytes
  double weight;       // 0: none

  bool is_weighted() const { return weight > 0; }
};

constexpr const char* kWanted = "write two node numbers, \"i j\", or also the link's weight in W, \"i j 0.25\"";

NodeId parse_node(std::string_view word, const Place& place) {
  std::uint64_t id = 0;
  const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), id);
  if (end != word.data() + word.size() || error == std::errc::invalid_argument)
    place.refuse(fmt::format("\"{}\" is no node; {}", excerpt(word), kWanted));
  if (error == std::errc::result_out_of_range || id >= place.nodes)
    place.refuse(fmt::format("there is no node {}, they are numbered 0 to {}; correct the line or raise --nodes",
                             excerpt(word), place.nodes - 1));
  return static_cast<NodeId>(id);
}

double parse_weight(std::string_view word, const Place& place) {
  double weight = 0;
  const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), weight);
  if (error != std::errc{} || end != word.data() + word.size())
    place.refuse(fmt::format("\"{}\" is no weight; {}", excerpt(word), kWanted));
  if (!(static_cast<float>(weight) > 0 && weight <= 1))
    place.refuse(
        fmt::format("a weight of {} cannot be; weights in W lie above 0 and are 1 at most, a link of weight 0 "
                    "is left out",
                    excerpt(word)));
  return weight;
}

std::optional<Link> parse_line(std::string_view line, const Place& place) {
  line = line.substr(0, line.find('#'));
  const std::string_view first = take_word(line);
  if (first.empty()) return std::nullopt;
  std::string_view second = take_word(line);
  if (second == "->") {
    if (place.graph.kind == GraphRequest::Kind::file)
      place.refuse("\"->\" is a direction, and here links have none; take --graph directed-file:PATH");
    second = take_word(line);
  }
  if (second.empty()) place.refuse(fmt::format("\"{}\" stands alone; {}", excerpt(first), kWanted));
  Link link{parse_node(first, place), parse_node(second, place), static_cast<std::uint32_t>(place.line), 0};
  if (const std::string_view third = take_word(line); !third.empty()) link.weight = parse_weight(third, place);
  if (const std::string_view fourth = take_word(line); !fourth.empty())
    place.refuse(fmt::format("\"{}\" is too much; {}", excerpt(fourth), kWanted));
  if (link.i == link.j)
    place.refuse(fmt::format("node {} is linked to itself; leave the line out, W adds its own weight", link.i));
  return link;
}

// Sorted by (i, j), each once.
std::vector<Link> read_links(const GraphRequest& graph, std::uint32_t nodes) {
  const std::string text =
      read_text_file("--graph " + describe(graph), graph.path, "a file of links, \"i j\" a line", kMaxFileBytes);
  std::vector<Link> links;
  Place place{graph, nodes, 0};
  for (std::string_view rest = text; !rest.empty();) {
    const std::string_view line = take_line(rest);
    ++place.line;
    std::optional<Link> link = parse_line(line, place);
    if (!link) continue;
    if (!links.empty() && link->is_weighted() != links.front().is_weighted())
      place.refuse(fmt::format("this link has {}, that of line {} has {}; give all of them weights, or none",
                               link->is_weighted() ? "a weight" : "no weight", links.front().line,
                               link->is_weighted() ? "none" : "one"));
    if (graph.kind == GraphRequest::Kind::file && link->i > link->j) std::swap(link->i, link->j);
    links.push_back(*link);
  }
  std::ranges::sort(links, {}, [](const Link& a) { return std::tuple{a.i, a.j, a.line}; });
  for (std::size_t at = 1; at < links.size(); ++at)
    if (const Link& a = links[at - 1], &b = links[at]; a.i == b.i && a.j == b.j && a.weight != b.weight) {
      place.line = b.line;
      place.refuse(fmt::format("the link {} {} has the weight {}, and {} in line {}; one link has one weight", b.i, b.j,
                               b.weight, a.weight, a.line));
    }
  const auto again = std::ranges::unique(links, {}, [](const Link& a) { return std::pair{a.i, a.j}; });
  links.erase(again.begin(), again.end());
  return links;
}

}  // namespace

WeightedEdges read_edges(const GraphRequest& graph, std::uint32_t nodes) {
  WeightedEdges read;
  for (const Link& link : read_links(graph, nodes)) {
    read.edges.emplace_back(link.i, link.j);
    if (link.is_weighted()) read.weights.push_back(link.weight);
  }
  return read;
}

std::vector<Arc> read_arcs(const GraphRequest& graph, std::uint32_t nodes) {
  std::vector<Arc> arcs;
  for (const Link& link : read_links(graph, nodes)) arcs.push_back({link.i, link.j, link.weight});
  std::ranges::sort(arcs, {}, [](const Arc& a) { return std::pair{a.to, a.from}; });
  return arcs;
}

}  // namespace quantimed::topology
