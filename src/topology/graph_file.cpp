// --graph file:PATH, one edge "i j" a line. The file may be anybody's: nothing in it is believed before it is checked.
// An edge may be listed again, also from its other end, as exports of adjacency matrices do; it counts once.
#include <algorithm>
#include <charconv>
#include <filesystem>
#include <fstream>
#include <string_view>

#include "base/error.hpp"
#include "topology/graph.hpp"

namespace quantimed::topology {

namespace {

[[noreturn]] void refuse_length(const GraphRequest& graph) {
  throw InputError("--graph {}: is longer than {} MiB; give a smaller graph", describe(graph), kMaxFileBytes >> 20);
}

// Reads no more than the limit, whatever the path turns out to be: pipes and devices do not know their size.
std::string read_bounded(const GraphRequest& graph) {
  std::error_code error;
  if (std::filesystem::is_directory(graph.path, error))
    throw InputError("--graph {}: is a directory; give a file of edges, \"i j\" a line", describe(graph));
  if (const auto size = std::filesystem::file_size(graph.path, error); !error && size > kMaxFileBytes)
    refuse_length(graph);
  std::ifstream file(graph.path, std::ios::binary);
  if (!file) throw InputError("--graph {}: cannot be opened; check the path and its permissions", describe(graph));
  std::string text;
  for (constexpr std::size_t kPiece = 1 << 20; file;) {
    const std::size_t have = text.size();
    text.resize(have + kPiece);
    file.read(text.data() + have, kPiece);
    text.resize(have + static_cast<std::size_t>(file.gcount()));
    if (text.size() > kMaxFileBytes) refuse_length(graph);
  }
  if (file.bad()) throw InputError("--graph {}: cannot be read to its end; check the disk", describe(graph));
  return text;
}

// A piece of the file, fit for a terminal.
std::string shown(std::string_view text) {
  constexpr std::size_t kLongest = 40;
  std::string result(text.substr(0, kLongest));
  std::replace_if(
      result.begin(), result.end(), [](unsigned char c) { return c < 0x20 || c > 0x7e; }, '?');
  return text.size() > kLongest ? result + "…" : result;
}

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
    place.refuse(fmt::format("\"{}\" is no node; write two node numbers, \"i j\"", shown(word)));
  if (error == std::errc::result_out_of_range || id >= place.nodes)
    place.refuse(fmt::format("there is no node {}, they are numbered 0 to {}; mend the line or raise --nodes",
                             shown(word), place.nodes - 1));
  return static_cast<NodeId>(id);
}

}  // namespace

Edges read_edges(const GraphRequest& graph, std::uint32_t nodes) {
  const std::string text = read_bounded(graph);
  Edges edges;
  Place place{graph, nodes, 0};
  for (std::string_view rest = text; !rest.empty();) {
    std::string_view line = rest.substr(0, rest.find('\n'));
    rest.remove_prefix(std::min(line.size() + 1, rest.size()));
    ++place.line;
    line = line.substr(0, line.find('#'));
    const std::string_view first = take_word(line);
    if (first.empty()) continue;
    const std::string_view second = take_word(line);
    if (second.empty()) place.refuse(fmt::format("\"{}\" stands alone; write two node numbers, \"i j\"", shown(first)));
    const NodeId i = parse_node(first, place), j = parse_node(second, place);
    if (const std::string_view third = take_word(line); !third.empty())
      place.refuse(
          fmt::format("\"{}\" is too much; write two node numbers, \"i j\", weights come from --mixing", shown(third)));
    if (i == j) place.refuse(fmt::format("node {} is linked to itself; leave the line out, W adds its own weight", i));
    edges.emplace_back(i, j);
  }
  return edges;
}

}  // namespace quantimed::topology
