// SPDX-License-Identifier: BSD-3-Clause
// The one table of options. The parser, the .ini reader and writer, --help and the tests iterate it.
#pragma once

#include <limits>
#include <span>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "base/error.hpp"
#include "config/config.hpp"

namespace quantimed {

// ---- commands (command_table.cpp) ----------------------------------------------------------------------------------
enum CommandBit : unsigned {
  kRun = 1,
  kCompare = 2,
  kVerify = 4,
  kInfo = 8,
  kExport = 16,
  kHelp = 32,
  kVersion = 64,
  kCite = 1u << 16,
  kCompletion = 1u << 17,
  kCalibrate = 128,
  kPredict = 256,
  kScale = 512,
  kTune = 1024,
  kTheory = 2048,
  kReport = 4096,
  kJudge = 8192,
  kReplay = 16384
};
// Take what describes a run.
inline constexpr unsigned kRuns = kRun | kCompare | kPredict | kScale | kTune | kTheory;
inline constexpr unsigned kTimedRuns = kRuns & ~kTheory;  // … and what describes real time and the trace

struct CommandRow {
  unsigned bit;
  const char* name;
  const char* arguments;  // as in the usage line; "": takes none
  const char* help;       // one line
};
std::span<const CommandRow> command_table();
const CommandRow* find_command(const std::string& name);  // null: not known
InputError unknown_command(const std::string& name);  // to be thrown: names the one that is meant, where it can be told

// ---- options -----------------------------------------------------------------------------------
// What a run's clock may be. An option that says how one of them goes means nothing on the others.
enum ClockBit : unsigned { kModelledTime = 1, kPredictedTime = 2, kRealTime = 4 };  // predicted: with a --machine
// The order of the help and of the .ini.
inline constexpr const char* kTopics[] = {"run",     "data",       "model",      "algorithm",
                                          "network", "time model", "evaluation", "output"};
enum class Topic { run, data, model, algorithm, network, time_model, evaluation, output };

// Where an option's value lives. monostate: not in Config, about the command line itself. Parameter: in the map of
// them.
using Field =
    std::variant<std::monostate, bool Config::*, std::uint32_t Config::*, std::uint64_t Config::*, double Config::*,
                 std::string Config::*, std::vector<int> Config::*, std::vector<double> Config::*,
                 std::vector<std::uint64_t> Config::*, std::vector<std::string> Config::*, Parameter>;

using Listing = std::vector<std::pair<std::string, std::string>>;  // what can be given, and one line on each

struct OptionRow {
  const char* name;  // without the dashes
  Topic topic = Topic::run;
  unsigned commands = kRuns;  // which commands take it on the command line
  const char* value = "";     // as in the help; "" for switches and where there are choices
  const char* help = "";
  Field field = {};
  const char* usual = nullptr;  // the word ("auto", "all", "none") for an empty text or list, or for …
  double usual_number = 0;      // … this number
  double least = 0;             // numbers, and each of a list
  double most = std::numeric_limits<double>::max();
  bool is_above_least = false;                       // least itself is not allowed
  std::vector<std::string> choices = {};             // texts: nothing else is allowed
  void (*check)(const std::string& text) = nullptr;  // texts: throws InputError
  Listing (*listing)() = nullptr;                    // shown under the option's help
  const char* instead = nullptr;                     // what to use in a command that does not take it
  const char* every = nullptr;                       // lists: the word for all choices; numbers: for 0
  unsigned may_be_bare = 0;  // commands in which it may stand without a value, and then means `every`
  bool in_ini = true;
  unsigned clocks = ~0u;   // on which clocks it means something; refused on the command line beside another one
  const char* units = "";  // of the numbers in the value, see without_units()
};
const std::vector<OptionRow>& option_table();
const OptionRow* find_option(const std::string& name);  // null: not known
InputError unknown_option(const std::string& name);     // to be thrown, likewise

inline bool is_switch(const OptionRow& row) {
  return std::holds_alternative<bool Config::*>(row.field) ||
         (std::holds_alternative<std::monostate>(row.field) && row.value[0] == '\0');
}
std::string value_syntax(const OptionRow& row);  // "N", "virtual|threads", "" for a switch

// ---- text ↔ field (value.cpp) --------------------------------------------------------------------
// Strict: the whole text is the value, within the row's limits. Throws InputError "--nodes abc: …; give …".
void set_option(const OptionRow& row, Config& config, const std::string& text);
// The text that set_option reads back to the same value; doubles as the shortest that do so.
std::string get_option(const OptionRow& row, const Config& config);

}  // namespace quantimed
