// SPDX-License-Identifier: BSD-3-Clause
#include "config/completion.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "algorithm/table.hpp"
#include "config/option_table.hpp"

namespace quantimed {

namespace {

// What may stand in one place.
struct Offer {
  std::vector<std::string> words;
  bool files = false;
  bool is_list = false;  // separated by commas
};

bool is_word(const std::string& text) {
  return std::ranges::all_of(text, [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-'; });
}

// Words alone: "k-regular:K" is to be thought about.
Offer offer_of(const OptionRow& row) {
  const std::string syntax = value_syntax(row);
  Offer offer;
  for (const char* path : {"PATH", "FILE", "TRACE", "FOLDER"})
    if (syntax.find(path) != std::string::npos) offer.files = true;
  offer.is_list = syntax.find(',') != std::string::npos;
  const auto add = [&](const std::string& word) {
    if (!word.empty() && is_word(word) && std::ranges::find(offer.words, word) == offer.words.end())
      offer.words.push_back(word);
  };
  for (const char* word : {row.usual, row.every})
    if (word) add(word);
  for (const std::string& word : row.choices) add(word);
  if (row.listing)
    for (const auto& [word, meaning] : row.listing()) add(word);
  return offer;
}

// What a command takes that is no option.
Offer offer_of(const CommandRow& command) {
  Offer offer;
  const std::string arguments = command.arguments;
  offer.files = arguments.find("FILE") != std::string::npos || arguments.find("FOLDER") != std::string::npos;
  if (command.bit == kHelp)
    for (const CommandRow& row : command_table()) offer.words.emplace_back(row.name);
  if (command.bit == kCite) {
    offer.words = {"all"};
    for (const AlgorithmRow& row : algorithm_table()) offer.words.emplace_back(row.name);
  }
  if (command.bit == kCompletion) offer.words = {"bash", "zsh", "fish", "man"};
  return offer;
}

std::vector<const OptionRow*> options_of(const CommandRow& command) {
  std::vector<const OptionRow*> rows;
  for (const OptionRow& row : option_table())
    if (row.commands & command.bit) rows.push_back(&row);
  return rows;
}

// The first clause, of a line's length.
std::string in_short(std::string text) {
  text.resize(std::min(text.find(';'), text.size()));
  constexpr std::size_t kMost = 72;
  if (text.size() > kMost) text.replace(text.rfind(' ', kMost), std::string::npos, " ...");
  return text;
}

std::string escaped(const std::string& text, const std::string& special) {  // inside of single quotes
  std::string out;
  for (char c : text)
    if (c == '\'')
      out += "'\\''";
    else
      out += (special.find(c) != std::string::npos ? "\\" : "") + std::string(1, c);
  return out;
}

// ---- bash ----------------------------------------------------------------------------------------
constexpr const char* kBash = R"(# Completion of quantimed for bash, made by `quantimed completion bash`.
_quantimed() {{
  local current=${{COMP_WORDS[COMP_CWORD]}} option=${{COMP_WORDS[COMP_CWORD - 1]}} words='' files='' list='' head=''
  COMPREPLY=()
  if [ "$COMP_CWORD" = 1 ]; then
    mapfile -t COMPREPLY < <(compgen -W '{commands} --help --version' -- "$current")
    return
  fi
  if [ "$current" = = ]; then current=''; elif [ "$option" = = ]; then option=${{COMP_WORDS[COMP_CWORD - 2]}}; fi
  case $option in
{values}    *)
      case ${{COMP_WORDS[1]}} in
{options}      esac ;;
  esac
  if [ -n "$list" ] && [[ $current == *,* ]]; then head=${{current%,*}},; fi
  mapfile -t COMPREPLY < <(compgen -P "$head" -W "$words" -- "${{current#"$head"}}")
  if [ -n "$files" ]; then
    compopt -o filenames
    mapfile -t -O "${{#COMPREPLY[@]}}" COMPREPLY < <(compgen -f -- "$current")
  fi
}}
complete -F _quantimed quantimed
)";

std::string bash_line(const std::string& pattern, const Offer& offer) {
  return fmt::format("{}) words='{}'{}{} ;;\n", pattern, fmt::join(offer.words, " "), offer.files ? " files=yes" : "",
                     offer.is_list ? " list=yes" : "");
}

std::string for_bash() {
  std::string values, options;
  std::vector<std::string> commands;
  for (const OptionRow& row : option_table())
    if (!is_switch(row)) values += "    " + bash_line(fmt::format("--{}", row.name), offer_of(row));
  for (const CommandRow& command : command_table()) {
    commands.emplace_back(command.name);
    Offer offer = offer_of(command);
    for (const OptionRow* row : options_of(command)) offer.words.push_back(fmt::format("--{}", row->name));
    options += "        " + bash_line(command.name, offer);
  }
  return fmt::format(kBash, fmt::arg("commands", fmt::join(commands, " ")), fmt::arg("values", values),
                     fmt::arg("options", options));
}

// ---- zsh -----------------------------------------------------------------------------------------
constexpr const char* kZsh = R"(#compdef quantimed
# Completion of quantimed for zsh, made by `quantimed completion zsh`.
_quantimed() {{
  local -a commands
  commands=(
{commands}  )
  if (( CURRENT == 2 )); then
    _describe -t commands command commands
    return
  fi
  local command=$words[2]
  shift words
  (( CURRENT-- ))
  case $command in
{options}  esac
}}
if [ "$funcstack[1]" = _quantimed ]; then _quantimed "$@"; else compdef _quantimed quantimed; fi
)";

std::string zsh_action(const Offer& offer) {
  const std::string words = fmt::format("{}", fmt::join(offer.words, " "));
  if (offer.words.empty()) return offer.files ? "_files" : " ";
  if (offer.files) return fmt::format("{{_alternative \"words:word:({})\" \"files:file:_files\"}}", words);
  return offer.is_list ? fmt::format("_values -s , value {}", words) : fmt::format("({})", words);
}

std::string for_zsh() {
  std::string commands, options;
  for (const CommandRow& command : command_table()) {
    commands += fmt::format("    '{}:{}'\n", command.name, escaped(command.help, "\\:"));
    options += fmt::format("    {}) _arguments", command.name);
    for (const OptionRow* row : options_of(command)) {
      options += fmt::format(" \\\n      '--{}[{}]", row->name, escaped(in_short(row->help), "\\:[]"));
      if (!is_switch(*row))
        options += fmt::format(":{}:{}", escaped(value_syntax(*row), "\\:"), zsh_action(offer_of(*row)));
      options += "'";
    }
    const Offer offer = offer_of(command);
    if (offer.files || !offer.words.empty()) options += fmt::format(" \\\n      '*:argument:{}'", zsh_action(offer));
    options += " ;;\n";
  }
  return fmt::format(kZsh, fmt::arg("commands", commands), fmt::arg("options", options));
}

// ---- fish ----------------------------------------------------------------------------------------
std::string fish_words(const Offer& offer) {
  return offer.words.empty() ? "" : fmt::format(" -a '{}'", fmt::join(offer.words, " "));
}

// fish's own single quotes know \' and \\.
std::string fish_text(const std::string& text) {
  std::string out;
  for (char c : text) out += (c == '\'' || c == '\\' ? "\\" : "") + std::string(1, c);
  return out;
}

std::string for_fish() {
  std::string out =
      "# Completion of quantimed for fish, made by `quantimed completion fish`.\n"
      "complete -c quantimed -f\n";
  for (const CommandRow& command : command_table()) {
    out += fmt::format("complete -c quantimed -n __fish_use_subcommand -a {} -d '{}'\n", command.name,
                       fish_text(in_short(command.help)));
    const std::string here = fmt::format("complete -c quantimed -n '__fish_seen_subcommand_from {}'", command.name);
    const Offer offer = offer_of(command);
    if (offer.files || !offer.words.empty())
      out += fmt::format("{}{}{}\n", here, offer.files ? " -F" : "", fish_words(offer));
    for (const OptionRow* row : options_of(command)) {
      const Offer values = offer_of(*row);
      out += fmt::format("{} -l {}{}{} -d '{}'\n", here, row->name,
                         is_switch(*row) ? ""
                         : values.files  ? " -r -F"
                                         : " -x",
                         is_switch(*row) ? "" : fish_words(values), fish_text(in_short(row->help)));
    }
  }
  return out;
}

}  // namespace

std::string completion_for(const std::string& shell) {
  if (shell == "bash") return for_bash();
  if (shell == "zsh") return for_zsh();
  if (shell == "fish") return for_fish();
  if (shell == "man") return manual_page();
  throw InputError("completion {}: not a shell that is known; give bash, zsh, fish, or man for the manual page", shell);
}

}  // namespace quantimed
