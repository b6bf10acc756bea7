// SPDX-License-Identifier: BSD-3-Clause
#include "config/algorithm_options.hpp"

#include <fmt/ranges.h>

#include <algorithm>

#include "base/error.hpp"
#include "config/option_table.hpp"
#include "config/steps.hpp"
#include "topology/network.hpp"

namespace quantimed {

namespace {

std::string parameter_text(const Config& config, const AlgorithmRow& row, const ParameterUse& use) {
  const auto given = config.parameters.find(use.parameter);
  if (given == config.parameters.end()) return value_text(row_of(use.parameter), use.usual);
  const std::string own = for_algorithm(given->second, row.name);
  if (own.empty()) return value_text(row_of(use.parameter), use.usual);
  return value_text(row_of(use.parameter), parameter_value(row_of(use.parameter), given->second, own));
}

}  // namespace

std::map<Parameter, std::string> own_parameters(const Config& config, const AlgorithmRow& row) {
  std::map<Parameter, std::string> values;
  for (const ParameterUse& use : row.parameters) values[use.parameter] = parameter_text(config, row, use);
  return values;
}

Options parameter_options(const Config& config, const AlgorithmRow& row) {
  Options options;
  for (const auto& [parameter, text] : own_parameters(config, row))
    row_of(parameter).set(options, parameter_value(row_of(parameter), text, text));
  return options;
}

std::string codec_for(const Config& config, const AlgorithmRow& row) {
  const std::string own = code_for_algorithm(config.codec, row.name);
  return own.empty() ? Config{}.codec : own;
}

bool uses_deadline(const Config& config, const AlgorithmRow& row) {
  return row.uses_deadline || for_algorithm(config.gradient, row.name) == "deadline";
}

void check_gradient_of(const Config& config, const AlgorithmRow& row) {
  const std::string asked = for_algorithm(config.gradient, row.name);
  if (row.uses_deadline && asked == "batch")
    throw InputError(
        "--gradient {}: {} computes until a deadline by its definition; q-dsgd is the same over a fixed batch",
        config.gradient, row.name);
  if (asked != "deadline" || row.uses_deadline) return;  // what was resolved says it of those, too
  if (row.delivery != Delivery::round)
    throw InputError(
        "--gradient {}: {} {} and has no rounds that a deadline could end; leave it out, or "
        "name the algorithms that it is for, dsgd=deadline",
        config.gradient, row.name,
        row.delivery == Delivery::newest ? "takes the newest messages" : "averages with one neighbour at a time");
  if (const std::size_t gradients = row.gradients(parameter_options(config, row)); gradients > 1)
    throw InputError(
        "--gradient {}: {} takes {} gradients an iteration, and a deadline ends one; give --local-steps 1, or batch "
        "for it",
        config.gradient, row.name, gradients);
}

void require_takers(const ParameterRow& parameter, const std::string& text, std::span<const std::string> chosen,
                    std::span<const std::string> having) {
  const bool is_taken = std::ranges::any_of(
      chosen, [&](const std::string& name) { return std::ranges::find(having, name) != having.end(); });
  if (is_taken) return;
  throw InputError(
      "--{} {}: {} {} no {}; leave it out{}", parameter.option, text, fmt::join(chosen, ", "),
      chosen.size() == 1 ? "has" : "have", parameter.option,
      having.empty() ? "" : fmt::format(", or choose an algorithm that has it: {}", fmt::join(having, ", ")));
}

namespace {

// Options that only some algorithms take. A step for the mixing is given to all that are run, whoever has one.
struct TakenBySome {
  const char* option;
  const char* what;
  bool (*is_taken)(const Config&, const AlgorithmRow&);
};
constexpr TakenBySome kTakenBySome[] = {
    {"codec", "code", [](const Config&, const AlgorithmRow& row) { return row.quantizes; }},
    {"deadline", "deadline", uses_deadline},
    {"deadline-adapt", "deadline", uses_deadline},
    {"deadline-slack", "deadline", uses_deadline},
    {"sync", "rounds", [](const Config&, const AlgorithmRow& row) { return row.delivery == Delivery::round; }},
};

// What is wrong with it; empty: nothing.
std::string why_untaken(const Config& config, std::span<const std::string> chosen, const std::string& name,
                        const std::string& text) {
  const auto option = std::ranges::find_if(kTakenBySome, [&](const TakenBySome& row) { return name == row.option; });
  if (option == std::end(kTakenBySome)) return "";
  const auto takes = [&](const std::string& algorithm) { return option->is_taken(config, find_algorithm(algorithm)); };
  if (std::ranges::any_of(chosen, takes)) return "";
  std::vector<std::string> having;
  for (const AlgorithmRow& row : algorithm_table())
    if (option->is_taken(config, row)) having.emplace_back(row.name);
  return fmt::format("--{} {}: {} {} no {}; leave it out, or choose an algorithm that has: {}", name, text,
                     fmt::join(chosen, ", "), chosen.size() == 1 ? "has" : "have", option->what,
                     fmt::join(having, ", "));
}

}  // namespace

std::vector<std::string> idle_notices(const Request& request) {
  const std::vector<std::string> chosen = chosen_algorithms(request.command, request.config);
  std::vector<std::string> notices;
  for (const auto& [name, text] : request.given) {
    const char* usual = find_option(name)->usual;
    std::string why;
    if ((!usual || text != usual) && text != "false") why = why_untaken(request.config, chosen, name, text);
    const bool has_entries = name == "alpha" || name == "epsilon" || name == "codec" || name == "gradient";
    if (why.empty() && has_entries && names_others_alone(text, chosen))
      why = fmt::format("--{} {}: is of other algorithms than {}; name those, or leave the names out", name, text,
                        fmt::join(chosen, ", "));
    if (!why.empty()) notices.push_back(std::move(why));
  }
  return notices;
}

void refuse_idle_parameters(const Request& request) {
  // One run of a study is given what all of its algorithms share: run says it, and goes on.
  if (request.command != "run")
    if (const std::vector<std::string> notices = idle_notices(request); !notices.empty())
      throw InputError("{}", notices.front());
  const std::vector<std::string> chosen = chosen_algorithms(request.command, request.config);
  for (const auto& [name, text] : request.given) {
    const OptionRow& row = *find_option(name);
    const Parameter* parameter = std::get_if<Parameter>(&row.field);
    if (parameter && text != row.usual) require_takers(row_of(*parameter), text, chosen, algorithms_with(*parameter));
  }
}

void leave_out_what_needs_a_tree(Request& request) {
  const bool is_all = std::ranges::any_of(
      request.given, [](const auto& given) { return given.first == "algorithms" && given.second == "all"; });
  if (!is_all) return;
  const GraphRequest::Kind kind = parse_graph(request.config.graph).kind;
  for (const auto may_be_tree : {GraphRequest::Kind::chain, GraphRequest::Kind::star, GraphRequest::Kind::file})
    if (kind == may_be_tree) return;
  std::erase_if(request.config.algorithms, [](const std::string& name) { return find_algorithm(name).graph.tree; });
}

std::vector<std::string> chosen_algorithms(const std::string& command, const Config& config) {
  if (command == "run" || command == "theory") return {config.algorithm};
  return config.algorithms.empty() ? compared_algorithms() : config.algorithms;
}

std::string own_options_text(const Config& config, std::span<const std::string> algorithms,
                             const std::function<bool(const std::string&, Parameter)>& is_looked_for) {
  std::string text;
  std::vector<std::string> until_deadline;
  const bool names_codes = config.codec.find('=') != std::string::npos;
  for (const std::string& name : algorithms) {
    const AlgorithmRow& row = find_algorithm(name);
    std::vector<std::string> values;
    for (const auto& [parameter, value] : own_parameters(config, row))
      if (!is_looked_for || !is_looked_for(name, parameter))
        values.push_back(fmt::format("{} {}", row_of(parameter).option, value));
    if (names_codes && row.quantizes) values.push_back("codec " + codec_for(config, row));
    if (!values.empty()) text += fmt::format("{}: {}\n", name, fmt::join(values, ", "));
    if (!row.uses_deadline && uses_deadline(config, row)) until_deadline.push_back(name);
  }
  if (!until_deadline.empty()) text += fmt::format("gradients until a deadline: {}\n", fmt::join(until_deadline, ", "));
  return text;
}

}  // namespace quantimed
