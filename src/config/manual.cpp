// SPDX-License-Identifier: BSD-3-Clause
// The manual page, in troff's man macros.
#include "base/build_info.hpp"
#include "config/completion.hpp"

#include "config/help.hpp"
#include "config/option_table.hpp"

#include <fmt/format.h>

namespace quantimed {

namespace {

constexpr std::pair<const char*, const char*> kVariables[] = {
    {"QUANTIMED_DATA", "folder of data sets; then datasets/ here and /usr/share/datasets are looked into"},
    {"QUANTIMED_HOME", "folder that holds analysis/, for quantimed report, where that is not beside the program"},
    {"QUANTIMED_SITE", "site file of the SLURM scripts"},
};

std::string plain(const std::string& text) {
  std::string out;
  for (char c : text) {
    if (c == '\\')
      out += "\\e";
    else if (c == '-')
      out += "\\-";
    else if (c == '\'')
      out += "\\(aq";
    else if (c == '^')
      out += "\\(ha";
    else if (c == '~')
      out += "\\(ti";
    else if (c == '`')
      out += "\\(ga";
    else
      out += c;
  }
  return out.starts_with('.') ? "\\&" + out : out;
}

std::string item(const std::string& bold, const std::string& italic, const std::string& text) {
  return fmt::format(".TP\n\\fB{}\\fR{}\n{}\n", plain(bold), italic.empty() ? "" : " \\fI" + plain(italic) + "\\fR",
                     plain(text));
}

std::string takers(const OptionRow& row) {
  if (row.commands == ~0u) return "";
  std::string names;
  for (const CommandRow& command : command_table())
    if (row.commands & command.bit) names += (names.empty() ? "" : ", ") + std::string(command.name);
  return fmt::format(" ({})", names);
}

std::string option_text(const OptionRow& row) {
  std::string text = row.help;
  if (!is_switch(row) && !std::holds_alternative<std::monostate>(row.field))
    text += fmt::format(" [{}]", get_option(row, Config{}));
  std::string out = item(fmt::format("--{}", row.name), value_syntax(row), text + takers(row));
  if (!row.listing) return out;
  out += ".RS\n";
  for (const auto& [value, meaning] : row.listing()) out += item(value, "", meaning);
  return out + ".RE\n";
}

}  // namespace

std::string manual_page() {
  std::string out = fmt::format(
      ".TH QUANTIMED 1 \"\" \"quantimed {}\" \"User commands\"\n"
      ".SH NAME\nquantimed \\- decentralized SGD under stragglers and narrow links, measured\n"
      ".SH SYNOPSIS\n\\fBquantimed\\fR \\fICOMMAND\\fR [\\fIOPTIONS\\fR]\n"
      ".SH DESCRIPTION\nquantimed runs algorithms of decentralized stochastic gradient descent on the same data, "
      "graph, "
      "start, seeds and stragglers, in deterministic virtual time or in real time on the cores of this machine. Every "
      "run leaves an HDF5 trace, which can be verified, repeated, resumed and plotted.\n.SH COMMANDS\n",
      plain(build::kVersion));
  for (const CommandRow& row : command_table()) out += item(row.name, row.arguments, row.help);
  out +=
      ".SH OPTIONS\nWhat is in brackets is what holds without the option; scale and theory have some of their own, "
      "see quantimed help COMMAND. The commands in parentheses take it.\n";
  for (std::size_t topic = 0; topic < std::size(kTopics); ++topic) {
    out += fmt::format(".SS {}\n", kTopics[topic]);
    for (const OptionRow& row : option_table())
      if (static_cast<std::size_t>(row.topic) == topic) out += option_text(row);
  }
  out += ".SH EXIT STATUS\n";
  for (const auto& [status, meaning] : kExitStatuses) out += item(status, "", meaning);
  out += ".SH ENVIRONMENT\n";
  for (const auto& [name, meaning] : kVariables) out += item(name, "", meaning);
  return out +
         ".SH EXAMPLES\n.nf\nquantimed run \\-\\-dataset digits\nquantimed compare \\-\\-dataset digits \\-\\-output "
         "runs/mine\nquantimed report runs/mine\n.fi\n";
}

}  // namespace quantimed
