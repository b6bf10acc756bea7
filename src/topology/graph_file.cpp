// SPDX-License-Identifier: BSD-3-Clause
// --graph file:PATH, one edge "i j" a line. The file may be anybody's: nothing in it is believed before it is checked.
// An edge may be listed again, also from its other end, as exports of adjacency matrices do; it counts once.
#include <algorithm>
#include <charconv>
#include <string_view>

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

NodeId parse_node(std::string_view word, const Place& place) {
  std::uint64_t id = 0;
  const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), id);
  if (end != word.data() + word.size() || error == std::errc::invalid_argument)
    place.refuse(fmt::format("\"{}\" is no node; write two node numbers, \"i j\"", excerpt(word)));
  if (error == std::errc::result_out_of_range || id >= place.nodes)
    place.refuse(fmt::format("there is no node {}, they are numbered 0 to {}; mend the line or raise --nodes",
                             excerpt(word), place.nodes - 1));
  return static_cast<NodeId>(id);
}

}  // namespace

Edges read_edges(const GraphRequest& graph, std::uint32_t nodes) {
  const std::string text =
      read_text_file("--graph " + describe(graph), graph.path, "a file of edges, \"i j\" a line", kMaxFileBytes);
  Edges edges;
  Place place{graph, nodes, 0};
  for (std::string_view rest = text; !rest.empty();) {
    std::string_view line = take_line(rest);
    ++place.line;
    line = line.substr(0, line.find('#'));
    const std::string_view first = take_word(line);
    if (first.empty()) continue;
    const std::string_view second = take_word(line);
    if (second.empty())
      place.refuse(fmt::format("\"{}\" stands alone; write two node numbers, \"i j\"", excerpt(first)));
    const NodeId i = parse_node(first, place), j = parse_node(second, place);
    if (const std::string_view third = take_word(line); !third.empty())
      place.refuse(fmt::format("\"{}\" is too much; write two node numbers, \"i j\", weights come from --mixing",
                               excerpt(third)));
    if (i == j) place.refuse(fmt::format("node {} is linked to itself; leave the line out, W adds its own weight", i));
    edges.emplace_back(i, j);
  }
  return edges;
}

}  // namespace quantimed::topology
