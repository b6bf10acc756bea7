// SPDX-License-Identifier: BSD-3-Clause
#include "config/nearest.hpp"
#include "config/option_table.hpp"
#include "config/synonyms.hpp"

namespace quantimed {

namespace {

constexpr CommandRow kCommandTable[] = {
    {kRun, "run", "[OPTIONS]", "one run: one HDF5 trace"},
    {kCompare, "compare", "[OPTIONS]", "algorithms x seeds, paired: a folder of traces, and a table"},
    {kCalibrate, "calibrate", "[OPTIONS]", "measures what a node's steps cost on this machine, into a file"},
    {kPredict, "predict", "[OPTIONS]", "virtual time against real time on this machine, phase by phase"},
    {kTune, "tune", "[OPTIONS]", "step sizes, the same budget for each algorithm, into an .ini to compare"},
    {kTheory, "theory", "[OPTIONS]", "the theorems' rates by experiment, compared with the bounds"},
    {kScale, "scale", "[OPTIONS]", "strong and weak scaling over cores, in real time: traces and tables"},
    {kReport, "report", "FOLDER...", "a page, figures and tables of the traces in a folder"},
    {kJudge, "judge", "[FILE|-]", "medians, targets, winners of a JSON document (analysis/README.md)"},
    {kVerify, "verify", "[OPTIONS] FILE...", "checks traces: schema, invariants, verdict"},
    {kReplay, "replay", "[OPTIONS] FILE", "recomputes a run in real time from its trace, and compares every bit"},
    {kInfo, "info", "[OPTIONS]", "cores, caches, clock, BLAS, limits; what is wrong with this machine"},
    {kExport, "export", "[OPTIONS]", "writes a data set as HDF5"},
    {kCite, "cite", "[ALGORITHM...]", "what to cite, as BibTeX; all: the papers of all algorithms"},
    {kCompletion, "completion", "SHELL", "what bash, zsh or fish offer after a TAB; man: the manual page"},
    {kHelp, "help", "[COMMAND]", "this text, or a command's"},
    {kVersion, "version", "", "the version"},
};

}  // namespace

std::span<const CommandRow> command_table() { return kCommandTable; }

const CommandRow* find_command(const std::string& name) {
  for (const CommandRow& row : kCommandTable)
    if (name == row.name) return &row;
  return name == "plot" ? find_command("report") : nullptr;
}

InputError unknown_command(const std::string& name) {
  std::vector<std::string> known;
  for (const CommandRow& row : kCommandTable) known.emplace_back(row.name);
  std::string meant = command_meant_by(name);
  if (meant.empty()) meant = nearest(name, known);
  return InputError("{}: not a command; {}", name,
                    meant.empty() ? "quantimed help lists them" : fmt::format("did you mean {}?", meant));
}

}  // namespace quantimed
