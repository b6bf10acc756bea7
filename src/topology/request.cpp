// SPDX-License-Identifier: BSD-3-Clause
// What the user may write after --graph and --mixing.
#include <charconv>
#include <cmath>
#include <optional>
#include <string_view>

#include "base/error.hpp"
#include "topology/graph.hpp"
#include "topology/network.hpp"

namespace quantimed {

namespace {

// "name" or "name:value"; a missing colon is not the same as an empty value.
struct Parts {
  std::string_view name;
  std::optional<std::string_view> value;
};
Parts split(std::string_view text) {
  const std::size_t colon = text.find(':');
  if (colon == std::string_view::npos) return {text, std::nullopt};
  return {text.substr(0, colon), text.substr(colon + 1)};
}

std::string all_graphs() {
  std::string text;
  for (const GraphKind& graph : kGraphKinds) text += (text.empty() ? "" : ", ") + std::string(graph.syntax);
  return text;
}

bool is_file(GraphRequest::Kind kind) {
  return kind == GraphRequest::Kind::file || kind == GraphRequest::Kind::directed_file;
}

// Does not depend on the locale, and leaves no tail unread.
std::optional<double> number(std::string_view text) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

}  // namespace

GraphRequest parse_graph(const std::string& text) {
  const auto [name, value] = split(text);
  for (const GraphKind& graph : kGraphKinds) {
    const auto [known, wanted] = split(graph.syntax);
    if (known != name) continue;
    if (!wanted && value) throw InputError("--graph {}: {} takes no value; write --graph {}", text, name, name);
    if (wanted && (!value || value->empty()))
      throw InputError("--graph {}: {} is missing; write --graph {}", text, *wanted, graph.syntax);
    GraphRequest request{.kind = graph.kind, .path = {}};
    if (is_file(graph.kind)) request.path = *value;
    if (graph.kind == GraphRequest::Kind::erdos_renyi) {
      const auto p = number(*value);
      if (!p || !(*p > 0 && *p <= 1))
        throw InputError("--graph {}: P is the probability of an edge; give a number in (0, 1], e.g. erdos-renyi:0.4",
                         text);
      request.probability = *p;
    }
    if (graph.kind == GraphRequest::Kind::k_regular) {
      const auto k = number(*value);
      if (!k || !(*k >= 1 && *k <= 1e9) || *k != std::floor(*k))
        throw InputError(
            "--graph {}: K is each node's number of neighbours; give a whole number from 1, e.g. k-regular:4", text);
      request.degree = static_cast<std::uint32_t>(*k);
    }
    return request;
  }
  throw InputError("--graph {}: no such graph; choose from {}", text, all_graphs());
}

MixingRequest parse_mixing(const std::string& text) {
  const auto [name, value] = split(text);
  if (name == "metropolis") {
    if (value) throw InputError("--mixing {}: metropolis takes no value; write --mixing metropolis", text);
    return {.kind = MixingRequest::Kind::metropolis};
  }
  if (name != "laplacian")
    throw InputError("--mixing {}: no such mixing; choose from laplacian, laplacian:KAPPA, metropolis", text);
  if (!value) return {};
  const auto kappa = number(*value);
  if (!kappa || !(*kappa > 0 && *kappa < std::numeric_limits<double>::infinity()))
    throw InputError(
        "--mixing {}: KAPPA is a positive number, at least the largest degree; leave it out for degree + 2", text);
  return {.kind = MixingRequest::Kind::laplacian, .kappa = *kappa};
}

std::string_view topology::name_of(GraphRequest::Kind kind) {
  for (const GraphKind& graph : kGraphKinds)
    if (graph.kind == kind) return split(graph.syntax).name;
  throw InternalError("a kind of graph without a name");
}

std::string topology::describe(const GraphRequest& graph) {
  const std::string_view name = name_of(graph.kind);
  if (graph.kind == GraphRequest::Kind::erdos_renyi) return fmt::format("{}:{}", name, graph.probability);
  if (graph.kind == GraphRequest::Kind::k_regular) return fmt::format("{}:{}", name, graph.degree);
  if (is_file(graph.kind)) return fmt::format("{}:{}", name, graph.path);
  return std::string(name);
}

}  // namespace quantimed
