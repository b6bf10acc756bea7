// SPDX-License-Identifier: BSD-3-Clause
#include <algorithm>
#include <boost/program_options.hpp>
#include <set>

#include "base/error.hpp"
#include "config/algorithm_options.hpp"
#include "config/citation.hpp"
#include "config/completion.hpp"
#include "config/config.hpp"
#include "config/contradictions.hpp"
#include "config/help.hpp"
#include "config/ini.hpp"
#include "config/option_table.hpp"

namespace quantimed {

namespace {

namespace po = boost::program_options;

using Arguments = std::vector<std::string>;

po::options_description describe_options() {
  po::options_description description;
  for (const OptionRow& row : option_table()) description.add_options()(row.name, po::value<std::string>(), row.help);
  return description;
}

// "--grey" is short for "--grey=true", "info --algorithms" for "info --algorithms=all". Boost's implicit values would
// take the path that follows for the value.
Arguments with_explicit_values(Arguments arguments, const CommandRow& command) {
  for (std::size_t k = 0; k < arguments.size(); ++k) {
    std::string& argument = arguments[k];
    if (argument == "--") break;
    const OptionRow* row = argument.starts_with("--") ? find_option(argument.substr(2)) : nullptr;
    if (!row) continue;
    const bool is_bare = k + 1 == arguments.size() || arguments[k + 1].starts_with("--");
    if (is_switch(*row))
      argument += "=true";
    else if (is_bare && (row->may_be_bare & command.bit))
      argument += std::string("=") + row->every;
  }
  return arguments;
}

// No abbreviations: --iter is an error today, so that it means nothing else tomorrow. No short options.
constexpr int kStyle = po::command_line_style::allow_long | po::command_line_style::long_allow_adjacent |
                       po::command_line_style::long_allow_next;

[[noreturn]] void refuse_missing_value(const std::string& name) {
  const OptionRow* row = find_option(name);
  throw InputError("--{}: the value is missing; give {}", name, row ? value_syntax(*row) : "one");
}

// Words of the line are quoted in errors, which are one line whatever the words hold.
std::string on_one_line(std::string text) {
  std::ranges::replace_if(
      text, [](unsigned char c) { return c < 0x20 || c == 0x7f; }, '?');
  return text;
}

// Boost takes words off the front of a vector: 100,000 of them would keep it busy for minutes.
constexpr int kMostWords = 10'000;

std::string without_dashes(const std::string& name) {
  return name.substr(std::min(name.find_first_not_of('-'), name.size()));
}

// Boost's failures, in our words.
std::vector<po::option> split(const Arguments& arguments, const CommandRow& command) {
  const po::options_description description = describe_options();
  try {
    return po::command_line_parser(with_explicit_values(arguments, command))
        .options(description)
        .style(kStyle)
        .run()
        .options;
  } catch (const po::unknown_option& error) {
    throw unknown_option(without_dashes(error.get_option_name()));
  } catch (const po::invalid_command_line_syntax& error) {
    refuse_missing_value(without_dashes(error.get_option_name()));
  }
}

[[noreturn]] void refuse_for_command(const OptionRow& row, const CommandRow& command) {
  std::string takers;
  for (const CommandRow& other : command_table())
    if (row.commands & other.bit) takers += (takers.empty() ? "" : ", ") + std::string(other.name);
  const bool has_instead = row.instead && (find_option(row.instead + 2)->commands & command.bit);
  throw InputError("--{}: not an option of {}; {}{}", row.name, command.name, has_instead ? "use " : "it belongs to ",
                   has_instead ? row.instead : takers);
}

void refuse_arguments(const CommandRow& command, const Arguments& arguments) {
  if (command.bit == kVerify) {
    if (arguments.empty()) throw InputError("verify: no files; give the traces to check");
  } else if (command.bit == kReplay) {
    if (arguments.size() != 1) throw InputError("replay: {} files; give one trace", arguments.size());
  } else if (command.bit == kJudge) {
    if (arguments.size() > 1)
      throw InputError("judge: \"{}\" is one file too many; give one document, or - for standard input", arguments[1]);
  } else if (!arguments.empty()) {
    throw InputError("{}: \"{}\" is neither an option nor the value of one; options start with --", command.name,
                     arguments.front());
  }
}

bool is_path(const po::option& option) { return option.string_key.empty(); }

// What Boost accepts and we do not.
void refuse_slips(const std::vector<po::option>& options, const CommandRow& command, bool has_terminator) {
  std::set<std::string> seen;
  for (const po::option& option : options) {
    if (is_path(option)) {
      // "-n" is a path only after a "--".
      const std::string& path = option.value.front();
      if (path.starts_with('-') && path != "-" && !has_terminator) throw unknown_option(without_dashes(path));
      continue;
    }
    // A file called "--quiet", in "--output --quiet". Who wants that writes --output=--quiet.
    if (option.original_tokens.size() > 1 && option.original_tokens[1].starts_with("--"))
      refuse_missing_value(option.string_key);
    const OptionRow& row = *find_option(option.string_key);
    if (!(row.commands & command.bit)) refuse_for_command(row, command);
    if (option.string_key != "config" && !seen.insert(option.string_key).second)
      throw InputError("--{}: given twice; give it once", option.string_key);
  }
}

// `algorithm = dsgd` in the .ini of a run would be ignored by a command that takes --algorithms, and its steps taken
// for every algorithm.
void read_config_file(const std::string& path, const CommandRow& command, Config& config) {
  const std::set<std::string> names = read_ini(path, config);
  const bool takes_several = find_option("algorithms")->commands & command.bit;
  if (takes_several && names.contains("algorithm") && config.algorithms != std::vector{config.algorithm})
    throw InputError(
        "--config {}: algorithm = {} is for quantimed run, and {} takes several; take the line out, or say algorithms "
        "= {}",
        path, config.algorithm, command.name, config.algorithm);
}

Request parse_options(const CommandRow& command, const Arguments& arguments) {
  const std::vector<po::option> options = split(arguments, command);
  refuse_slips(options, command, std::ranges::find(arguments, "--") != arguments.end());
  Request request{.command = command.name, .config = default_config(command.name), .arguments = {}, .help = {}};
  for (const po::option& option : options) {
    if (is_path(option)) request.arguments.push_back(option.value.front());
    if (option.string_key == "config") read_config_file(option.value.front(), command, request.config);
  }
  refuse_arguments(command, request.arguments);
  for (const po::option& option : options) {
    if (is_path(option)) continue;
    request.given.emplace_back(option.string_key, option.value.front());
    if (option.string_key != "config")
      set_option(*find_option(option.string_key), request.config, option.value.front());
  }
  return request;
}

Request help_request(std::string text) {
  return {.command = "help", .config = {}, .arguments = {}, .help = std::move(text)};
}

// What the commands print that only look into the tables.
std::string text_about(const CommandRow& command, const Arguments& arguments) {
  for (const std::string& argument : arguments)
    if (argument.starts_with("-")) {
      const std::string name = without_dashes(argument);
      if (find_option(name)) throw InputError("--{}: not an option of {}; leave it out", name, command.name);
      throw unknown_option(name);
    }
  if (command.bit == kCite) return citations(arguments);
  if (arguments.size() != 1) throw InputError("completion: give one of bash, zsh, fish, man");
  return completion_for(arguments.front());
}

const CommandRow& command_of(const std::string& name) {
  if (const CommandRow* row = find_command(name)) return *row;
  if (name.starts_with("-")) throw InputError("{}: give the command first, as in quantimed run {}", name, name);
  throw unknown_command(name);
}

bool asks_for_help(const std::string& argument) { return argument == "--help" || argument == "-h"; }

}  // namespace

Request parse_command_line(int argc, const char* const* argv) try {
  if (argc < 2) return help_request(short_help());
  if (argc > kMostWords) throw InputError("a command line of {} words is too long; give at most {}", argc, kMostWords);
  const Arguments arguments(argv + 2, argv + argc);
  const std::string first = argv[1];
  if (asks_for_help(first)) return help_request(full_help());
  const std::string named = first == "--version" || first == "--cite" ? first.substr(2) : first;
  const CommandRow& command = command_of(named);
  if (command.bit == kHelp) {
    if (arguments.empty() || asks_for_help(arguments.front())) return help_request(full_help());
    return help_request(command_help(command_of(arguments.front()).name));
  }
  if (command.bit == kReport) return {.command = command.name, .config = {}, .arguments = arguments, .help = {}};
  // Asking for help wins over everything else that is wrong with a line.
  if (std::ranges::any_of(arguments, asks_for_help)) return help_request(command_help(command.name));
  if (command.bit & (kCite | kCompletion)) return help_request(text_about(command, arguments));
  Request request = parse_options(command, arguments);
  if (!request.config.resume.empty()) return request;  // that brings its own configuration
  if (runs_something(request.command)) leave_out_what_needs_a_tree(request);
  validate(request.config, request.command);
  refuse_other_clocks(request);
  if (runs_something(request.command)) refuse_idle_parameters(request);
  return request;
} catch (const InputError& error) {
  throw InputError("{}", on_one_line(error.what()));
}

}  // namespace quantimed
