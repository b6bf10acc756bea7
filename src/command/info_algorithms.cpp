// SPDX-License-Identifier: BSD-3-Clause
// The table of algorithms, for people and for programs.
#include "algorithm/table.hpp"
#include "base/build_info.hpp"
#include "blas/blas.hpp"
#include "command/info_text.hpp"
#include "command/table_text.hpp"
#include "dataset/dataset.hpp"
#include "machine/counters.hpp"
#include "machine/energy.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>

namespace quantimed {

namespace {

using Json = nlohmann::ordered_json;

constexpr const char* kInfoFormat = "quantimed-info";
constexpr int kInfoVersion = 1;

const char* word(CodecNeed need) {
  switch (need) {
    case CodecNeed::contraction:
      return "contraction";
    case CodecNeed::small_error:
      return "small-error";
    case CodecNeed::unbiased:
      return "unbiased";
    case CodecNeed::models:
      return "models";
  }
  return "";
}
const char* word(StateRow::Start start) { return start == StateRow::Start::zero ? "zero" : "model"; }
const char* word(StateRow::Kind kind) {
  constexpr const char* kWords[] = {"lasting", "wide", "scratch"};
  return kWords[static_cast<std::size_t>(kind)];
}

// One kind of iteration, and how many of the first `of` are of it.
struct IterationKind {
  Exchanges exchanges;
  std::uint32_t count;
};
bool is_same(const Exchanges& a, const Exchanges& b) {
  return a.count == b.count && a.vectors == b.vectors && a.is_collective == b.is_collective;
}

// At the usual parameters. An iteration's kind repeats with the period, where there is one.
std::uint32_t period_of(const AlgorithmRow& row) {
  const bool has_period =
      std::ranges::any_of(row.parameters, [](const ParameterUse& use) { return use.parameter == Parameter::period; });
  return has_period ? usual_options(row).period : 1;
}
std::vector<IterationKind> kinds_of(const AlgorithmRow& row) {
  std::vector<IterationKind> kinds;
  for (Round t = 0; t < period_of(row); ++t) {
    const Exchanges here = row.exchanges(usual_options(row), t);
    const auto same =
        std::ranges::find_if(kinds, [&](const IterationKind& kind) { return is_same(kind.exchanges, here); });
    if (same == kinds.end())
      kinds.push_back({here, 1});
    else
      ++same->count;
  }
  return kinds;
}

// "1"; "2, one after the other"; "1 (7 of 8 iterations), 1 all-reduce (1 of 8)"
std::string messages_text(const AlgorithmRow& row) {
  const std::vector<IterationKind> kinds = kinds_of(row);
  std::vector<std::string> parts;
  for (const IterationKind& kind : kinds) {
    const Exchanges& e = kind.exchanges;
    std::string text = fmt::format("{}{}", e.count * e.vectors, e.is_collective ? " all-reduce" : "");
    if (e.count > 1) text += fmt::format(", in {} exchanges", e.count);
    if (kinds.size() > 1) text += fmt::format(" (in {} of {} iterations)", kind.count, period_of(row));
    parts.push_back(text);
  }
  return fmt::format("{}", fmt::join(parts, "; "));
}

std::string states_text(const AlgorithmRow& row) {
  std::vector<std::string> parts;
  for (const StateRow& state : row.states)
    parts.push_back(fmt::format("{}{}", state.name,
                                state.kind == StateRow::Kind::wide      ? " (float64)"
                                : state.kind == StateRow::Kind::scratch ? " (within an iteration)"
                                                                        : ""));
  return parts.empty() ? "none" : fmt::format("{}", fmt::join(parts, ", "));
}

const char* codec_text(CodecNeed need) {
  switch (need) {
    case CodecNeed::contraction:
      return "a contraction, or unbiased with a variance below the message's square";
    case CodecNeed::small_error:
      return "a small error";
    case CodecNeed::unbiased:
      return "an unbiased code";
    default:
      return "";
  }
}

std::string needs_text(const AlgorithmRow& row) {
  std::vector<std::string> parts;
  if (row.uses_deadline) parts.emplace_back("a deadline");
  if (row.quantizes) parts.emplace_back(*codec_text(row.codec) ? codec_text(row.codec) : "a code");
  if (row.weights == Weights::push) parts.emplace_back("weights of which columns sum to 1");
  if (row.graph.tree) parts.emplace_back("a tree");
  const bool has_w = row.delivery == Delivery::round && !row.graph.tree;
  if (has_w && row.graph.symmetric) parts.emplace_back("a symmetric W");
  if (has_w && row.graph.fixed) parts.emplace_back("one W for all messages");
  if (row.least_eigenvalue > -1) parts.push_back(fmt::format("eigenvalues of W above {:.4g}", row.least_eigenvalue));
  if (!row.goes_on_without) parts.emplace_back("every neighbour's message");
  return parts.empty() ? "nothing more" : fmt::format("{}", fmt::join(parts, ", "));
}

std::string parameters_text(const AlgorithmRow& row) {
  std::vector<std::string> parts;
  for (const ParameterUse& use : row.parameters)
    parts.push_back(fmt::format("{} {}", row_of(use.parameter).option, value_text(row_of(use.parameter), use.usual)));
  return parts.empty() ? "none" : fmt::format("{}", fmt::join(parts, ", "));
}

std::string steps_text(const AlgorithmRow& row) {
  return row.uses_epsilon ? fmt::format("{}; {}", row.alpha, row.epsilon) : row.alpha;
}

Json json_of(const AlgorithmRow& row) {
  Json states = Json::array(), parameters = Json::array(), messages = Json::array();
  for (const StateRow& state : row.states)
    states.push_back({{"name", state.name}, {"start", word(state.start)}, {"kind", word(state.kind)}});
  for (const ParameterUse& use : row.parameters) {
    const ParameterRow& parameter = row_of(use.parameter);
    parameters.push_back(
        {{"name", parameter.option},
         {"usual", parameter.word && use.usual == parameter.word_is ? Json(parameter.word) : Json(use.usual)},
         {"least", parameter.least},
         {"most", parameter.most},
         {"least_is_allowed", parameter.has_least},
         {"most_is_allowed", parameter.has_most},
         {"whole", parameter.is_whole},
         {"word", parameter.word ? Json(parameter.word) : Json()}});
  }
  for (const IterationKind& kind : kinds_of(row))
    messages.push_back({{"exchanges", kind.exchanges.count},
                        {"vectors", kind.exchanges.vectors},
                        {"all_reduce", kind.exchanges.is_collective},
                        {"iterations", kind.count},
                        {"of", period_of(row)}});
  return {{"name", row.name},
          {"help", row.help},
          {"paper", row.paper},
          {"delivery", name_of(row.delivery)},
          {"quantizes", row.quantizes},
          {"codec", row.quantizes ? Json(word(row.codec)) : Json()},
          {"uses_epsilon", row.uses_epsilon},
          {"uses_deadline", row.uses_deadline},
          {"continues_without_a_lost_neighbour", row.goes_on_without},
          {"alpha", row.alpha},
          {"epsilon", row.uses_epsilon ? Json(row.epsilon) : Json()},
          {"parameters", parameters},
          {"states", states},
          {"messages", messages},
          {"message_scalars", row.message_scalars},
          {"channels", row.channels},
          {"gradients", row.gradients(usual_options(row))},
          {"weights", name_of(row.weights)},
          {"needs_symmetric_graph", row.graph.symmetric},
          {"needs_fixed_graph", row.graph.fixed},
          {"needs_tree", row.graph.tree},
          {"minimises", *row.minimises ? row.minimises : "the mean of the nodes' losses"},
          {"least_eigenvalue", row.least_eigenvalue > -1 ? Json(row.least_eigenvalue) : Json()},
          {"is_compared", row.is_compared}};
}

Json json_of(const Attributes& attributes) {
  Json object = Json::object();
  for (const auto& [name, value] : attributes) {
    const double* figure = std::get_if<double>(&value);
    if (figure && std::isinf(*figure))
      object[name] = "inf";  // JSON has none; float() reads it
    else
      std::visit([&](const auto& own) { object[name] = own; }, value);
  }
  return object;
}

}  // namespace

std::string algorithms_text(std::span<const std::string> names) {
  std::vector<std::vector<std::string>> lines = {{"algorithm", "what it does", "delivery", "messages an iteration",
                                                  "vectors beside the model", "needs", "parameters, usual",
                                                  "alpha; epsilon to begin with", "paper"}};
  for (const std::string& name : names) {
    const AlgorithmRow& row = find_algorithm(name);
    lines.push_back({row.name, row.help, name_of(row.delivery), messages_text(row), states_text(row), needs_text(row),
                     parameters_text(row), steps_text(row), row.paper});
  }
  return table_text(lines);
}

std::string info_json(const Machine* machine, std::span<const std::string> algorithms) {
  Json document = {{"format", kInfoFormat},
                   {"version", kInfoVersion},
                   {"software_version", build::kVersion},
                   {"commit", build::kCommit}};
  if (machine) {
    document["machine"] = json_of(environment(*machine, blas::description(), blas::configuration()));
    document["sgemm_gflops"] = blas::measured_sgemm_rate() / 1e9;
    document["concerns"] = concerns(*machine, blas::slow_kernels());
    document["counters"] = counters_here(kernel_perf());
    document["energy"] = energy_here(kernel_perf());
    document["datasets"] = Json::array();
    for (const KnownDataset& known : known_datasets())
      document["datasets"].push_back(
          {{"name", known.name}, {"description", known.description}, {"how_to_get", known.how_to_get}});
  }
  document["algorithms"] = Json::array();
  for (const std::string& name : algorithms) document["algorithms"].push_back(json_of(find_algorithm(name)));
  return document.dump(2) + "\n";
}

}  // namespace quantimed
