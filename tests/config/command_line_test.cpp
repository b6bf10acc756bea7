// SPDX-License-Identifier: BSD-3-Clause
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>

#include "config/config.hpp"
#include "config/option_table.hpp"
#include "config/parse.hpp"
#include "config/steps.hpp"

namespace quantimed {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

// A value of each option that is not its default, as get_option prints it.
const std::map<std::string, std::string> kOther = {{"algorithm", "dsgd"},
                                                   {"algorithms", "dsgd,q-dsgd"},
                                                   {"engine", "threads"},
                                                   {"nodes", "7"},
                                                   {"threads", "3"},
                                                   {"oversubscribe", "true"},
                                                   {"placement", "list:8,0-3"},
                                                   {"smt", "true"},
                                                   {"iterations", "11"},
                                                   {"max-time", "2.5"},
                                                   {"horizon", "77"},
                                                   {"budget", "iterations"},
                                                   {"allow-large-epsilon", "true"},
                                                   {"one-setting", "true"},
                                                   {"tuned-by", "trials=24; seeds=101-103"},
                                                   {"cores", "1,3"},
                                                   {"study", "weak"},
                                                   {"warm-up", "0"},
                                                   {"seed", "18446744073709551615"},
                                                   {"seeds", "4,9"},
                                                   {"repeats", "2"},
                                                   {"dry-run", "true"},
                                                   {"resume", "a folder/t.h5"},
                                                   {"dataset", "digits"},
                                                   {"classes", "1,0"},
                                                   {"target", "regression"},
                                                   {"grey", "true"},
                                                   {"samples-per-node", "20"},
                                                   {"partition", "iid"},
                                                   {"precision", "double"},
                                                   {"model", "logistic"},
                                                   {"activation", "relu"},
                                                   {"loss", "squared"},
                                                   {"initial", "0.5,0.5,1"},
                                                   {"l2", "0"},
                                                   {"l2-per", "batch"},
                                                   {"batch", "20"},
                                                   {"deadline", "0.4"},
                                                   {"deadline-adapt", "true"},
                                                   {"machine", "m.ini"},
                                                   {"ranks", "4"},
                                                   {"hosts", "2"},
                                                   {"trials", "7"},
                                                   {"search", "momentum=0.5:0.99"},
                                                   {"alpha-range", "0.1,2"},
                                                   {"epsilon-range", "0.2,1"},
                                                   {"deadline-slack", "0.001"},
                                                   {"alpha", "0.2"},
                                                   {"epsilon", "15/T^(1/2)"},
                                                   {"codec", "exact"},
                                                   {"gradient", "deadline"},
                                                   {"gamma", "0.2"},
                                                   {"momentum", "0.9"},
                                                   {"averaging", "0.25"},
                                                   {"outer-step", "0.5"},
                                                   {"local-steps", "8"},
                                                   {"rounds", "3"},
                                                   {"period", "16"},
                                                   {"nesterov", "1"},
                                                   {"overlap", "1"},
                                                   {"beta", "2.5"},
                                                   {"graph", "ring"},
                                                   {"mixing", "metropolis"},
                                                   {"speed", "constant:3"},
                                                   {"interference", "2,0.5,0.01"},
                                                   {"link", "none"},
                                                   {"fault", "crash:3@10;stall:1@0.5,2"},
                                                   {"patience", "2.5"},
                                                   {"bits", "paper"},
                                                   {"sync", "neighbourhood"},
                                                   {"evaluations", "5"},
                                                   {"curve", "replay"},
                                                   {"normalise", "true"},
                                                   {"augment", "crop:4,flip"},
                                                   {"evaluate-samples", "500"},
                                                   {"optimum", "true"},
                                                   {"target-loss", "0.25,0.1"},
                                                   {"schedule", "convex:0.4"},
                                                   {"c1", "0.5"},
                                                   {"c2", "2.5"},
                                                   {"horizons", "50,70"},
                                                   {"deadlines", "0.1,0.2"},
                                                   {"graphs", "ring,erdos-renyi:0.5"},
                                                   {"quantities", "bias,gap"},
                                                   {"output", "a folder/x.h5"},
                                                   {"timeline", "true"},
                                                   {"no-record", "true"},
                                                   {"counters", "true"},
                                                   {"replay", "true"},
                                                   {"quiet", "true"},
                                                   {"json", "true"},
                                                   {"jitter", "true"},
                                                   {"overwrite", "true"},
                                                   {"contents", "true"},
                                                   {"dependencies", "true"}};

bool has_field(const OptionRow& row) { return !std::holds_alternative<std::monostate>(row.field); }

// What an option needs beside it so as not to contradict the rest.
std::vector<std::string> company(const OptionRow& row) {
  if (row.clocks == kRealTime) return {"--engine", "threads"};
  return {};
}

TEST(CommandLine, EveryOptionCanBeSetOnTheCommandLine) {
  for (const OptionRow& row : option_table()) {
    if (!has_field(row)) continue;
    SCOPED_TRACE(row.name);
    ASSERT_TRUE(kOther.contains(row.name));
    const std::string& value = kOther.at(row.name);
    ASSERT_NE(get_option(row, Config{}), value);
    std::vector<std::string> words = company(row);
    if (row.commands == kVerify) words = {"a.h5"};
    if (const Parameter* parameter = std::get_if<Parameter>(&row.field)) {
      const std::vector<std::string> having = algorithms_with(*parameter);
      if (having.empty()) {
        EXPECT_THAT(error_of({"run", std::string("--") + row.name, value}), HasSubstr("has no"));
        continue;
      }
      words = {"--algorithm", having.front()};
    }
    const bool is_a_list = std::string(row.name) == "target-loss";  // run takes one
    const auto taker = std::ranges::find_if(
        command_table(), [&](const CommandRow& c) { return c.bit & row.commands & (is_a_list ? ~kRun : ~0u); });
    words.insert(words.begin(), taker->name);
    words.push_back(std::string("--") + row.name);
    if (!is_switch(row)) words.push_back(value);
    EXPECT_EQ(get_option(row, parse(words).config), value);
    if (is_switch(row))
      words.back() += "=true";
    else
      words.pop_back(), words.back() += fmt::format("={}", value);
    EXPECT_EQ(get_option(row, parse(words).config), value);
  }
}

TEST(CommandLine, EveryOptionCanBeSetFromAnIni) {
  for (const OptionRow& row : option_table()) {
    if (!has_field(row)) continue;
    SCOPED_TRACE(row.name);
    std::vector<std::string> words = company(row);
    const TemporaryFile ini(std::string(row.name) + " = " + kOther.at(row.name) + "\n");
    words.insert(words.begin(), {std::string(row.name) == "target-loss" ? "compare" : "run", "--config", ini.path()});
    EXPECT_EQ(get_option(row, parse(words).config), kOther.at(row.name));
  }
}

TEST(CommandLine, EveryFieldHasItsOwnOption) {
  Config all;
  for (const OptionRow& row : option_table())
    if (has_field(row)) set_option(row, all, kOther.at(row.name));
  for (const OptionRow& row : option_table()) {
    if (has_field(row)) {
      EXPECT_EQ(get_option(row, all), kOther.at(row.name)) << row.name;
    }
  }
}

TEST(CommandLine, DefaultsAreAccepted) {
  EXPECT_EQ(parse({"run"}).config, Config{});
  EXPECT_EQ(parse({"compare"}).config, Config{});
  EXPECT_EQ(parse({"export"}).command, "export");
  EXPECT_EQ(parse({"info"}).command, "info");
  for (const OptionRow& row : option_table()) {
    if (!has_field(row)) continue;
    Config config;
    set_option(row, config, get_option(row, config));
    EXPECT_EQ(config, Config{}) << row.name;
  }
}

TEST(CommandLine, ScaleHasDefaultsOfItsOwn) {
  EXPECT_EQ(parse({"scale"}).config, default_config("scale"));
  EXPECT_EQ(parse({"scale"}).config.engine, "threads");
  EXPECT_EQ(parse({"scale", "--batch", "50"}).config.batch, 50u);
  const TemporaryFile ini("batch = 50\nengine = virtual\n");
  EXPECT_EQ(parse({"scale", "--config", ini.path(), "--engine", "threads"}).config.batch, Config{}.batch);
  EXPECT_THAT(error_of({"scale", "--config", ini.path()}), StartsWith("--engine virtual: "));
  EXPECT_THAT(parse({"help", "scale"}).help, HasSubstr("[threads]"));
}

TEST(CommandLine, CommandsAndTheirArguments) {
  EXPECT_EQ(parse({"version"}).command, "version");
  EXPECT_EQ(parse({"--version"}).command, "version");
  const Request verify = parse({"verify", "a.h5", "--quiet", "b.h5", "--", "--c.h5"});
  EXPECT_THAT(verify.arguments, ElementsAre("a.h5", "b.h5", "--c.h5"));
  EXPECT_TRUE(verify.config.quiet);
  EXPECT_EQ(error_of({"verify"}), "verify: no files; give the traces to check");
  EXPECT_THAT(error_of({"run", "x.h5"}), HasSubstr("\"x.h5\" is neither an option nor the value of one"));
  EXPECT_THAT(error_of({"run", "--grey", "x.h5"}), HasSubstr("\"x.h5\""));
  EXPECT_EQ(error_of({"rnu"}), "rnu: not a command; did you mean run?");
  EXPECT_EQ(error_of({"--nodes", "5"}), "--nodes: give the command first, as in quantimed run --nodes");
  EXPECT_THAT(error_of({""}), HasSubstr("not a command"));
}

TEST(CommandLine, SeveralAlgorithmsTakeNoIniOfOne) {
  const TemporaryFile one("algorithm = dsgd\nalpha = 0.931\n"), agreed("algorithm = dsgd\nalgorithms = dsgd\n");
  for (const char* command : {"compare", "tune", "predict", "scale"}) {
    EXPECT_THAT(error_of({command, "--config", one.path()}),
                AllOf(StartsWith("--config " + one.path()), HasSubstr("algorithm = dsgd"), Not(HasSubstr("\n"))));
    EXPECT_EQ(error_of({command, "--config", agreed.path()}), "");
  }
  EXPECT_EQ(parse({"run", "--config", one.path()}).config.algorithm, "dsgd");
}

TEST(CommandLine, TuningSeedsAreNotThoseThatJudge) {
  const auto tuned = parse({"tune"}).config.seeds, judged = parse({"compare"}).config.seeds;
  EXPECT_THAT(tuned, ElementsAre(101, 102, 103));
  EXPECT_EQ(judged.size(), 10u);
  for (const std::uint64_t seed : tuned) EXPECT_EQ(std::ranges::count(judged, seed), 0);
}

TEST(CommandLine, ThreadsAreNotNodes) {
  EXPECT_THAT(error_of({"run", "--engine", "threads", "--threads", "8"}),
              AllOf(StartsWith("--threads 8: "), HasSubstr("--nodes 8")));
  EXPECT_EQ(error_of({"run", "--engine", "threads", "--threads", "2", "--nodes", "2"}), "");
  EXPECT_EQ(error_of({"run", "--threads", "8"}), "");
  EXPECT_EQ(error_of({"scale", "--threads", "2"}), "");
}

TEST(CommandLine, ReportTakesWhatItTakes) {
  const Request request = parse({"report", "runs/a", "--only", "curves-time", "--help"});
  EXPECT_EQ(request.command, "report");
  EXPECT_THAT(request.arguments, ElementsAre("runs/a", "--only", "curves-time", "--help"));
  EXPECT_EQ(parse({"plot", "x"}).command, "report");
}

TEST(CommandLine, SwitchesTakeAValueAfterEqualsAlone) {
  EXPECT_FALSE(parse({"run", "--grey=false"}).config.grey);
  EXPECT_EQ(error_of({"run", "--grey=maybe"}), "--grey maybe: neither true nor false; give true or false");
}

TEST(CommandLine, UnknownOptionsNameTheNearest) {
  EXPECT_EQ(error_of({"run", "--node", "5"}), "--node: not an option; did you mean --nodes?");
  EXPECT_EQ(error_of({"run", "--iteratoins", "5"}), "--iteratoins: not an option; did you mean --iterations?");
  EXPECT_EQ(error_of({"run", "--Nodes", "5"}), "--Nodes: not an option; did you mean --nodes?");
  EXPECT_THAT(error_of({"run", "-n", "5"}), HasSubstr("not an option"));
  EXPECT_THAT(error_of({"run", "--iter=5"}), HasSubstr("not an option"));
  EXPECT_THAT(error_of({"run", "---nodes", "5"}), HasSubstr("did you mean --nodes?"));
}

TEST(CommandLine, WordsOfTheFieldNameTheOption) {
  const std::pair<const char*, const char*> words[] = {
      {"lr", "alpha"},       {"learning-rate", "alpha"}, {"step-size", "alpha"},  {"stepsize", "alpha"},
      {"topology", "graph"}, {"compressor", "codec"},    {"quantizer", "codec"},  {"workers", "nodes"},
      {"agents", "nodes"},   {"epochs", "iterations"},   {"batch_size", "batch"}, {"Time-Limit", "max-time"}};
  for (const auto& [word, option] : words) {
    EXPECT_EQ(error_of({"run", fmt::format("--{}", word), "5"}),
              fmt::format("--{}: not an option; did you mean --{}?", word, option));
    EXPECT_NE(find_option(option), nullptr) << option;
  }
}

TEST(CommandLine, NothingFarIsSuggested) {
  for (const char* word : {"--csv", "--quux", "--shell", "--colour"})
    EXPECT_EQ(error_of({"run", word, "5"}), fmt::format("{}: not an option; quantimed help COMMAND lists them", word));
  EXPECT_EQ(error_of({"foo"}), "foo: not a command; quantimed help lists them");
  EXPECT_EQ(error_of({"train"}), "train: not a command; did you mean run?");
  EXPECT_THAT(error_of({"run", "--algorithm", "momentum"}), Not(HasSubstr("did you mean")));
  EXPECT_THAT(error_of({"compare", "--alpha", "momentum=0.2"}), Not(HasSubstr("did you mean")));
}

TEST(CommandLine, UnitsAreUnderstood) {
  EXPECT_EQ(parse({"run", "--max-time", "5ms"}).config.max_time, 0.005);
  EXPECT_EQ(parse({"run", "--max-time", "2min"}).config.max_time, 120);
  EXPECT_EQ(parse({"run", "--max-time", "1.5h"}).config.max_time, 5400);
  EXPECT_EQ(parse({"run", "--max-time", "7us"}).config.max_time, 7e-6);
  EXPECT_EQ(parse({"run", "--patience", "3s"}).config.patience, 3);
  EXPECT_EQ(parse({"run", "--deadline", "5ms"}).config.deadline, "0.005");
  EXPECT_EQ(parse({"run", "--deadline", "auto:50"}).config.deadline, "auto:50");
  EXPECT_EQ(parse({"theory", "--deadlines", "100ms,2s"}).config.deadlines, (std::vector{0.1, 2.0}));
  EXPECT_EQ(parse({"run", "--link", "alpha-beta:1ms,1GB"}).config.link, "alpha-beta:0.001,1000000000");
  EXPECT_EQ(parse({"run", "--link", "alpha-beta:2us,100MB/s"}).config.link, "alpha-beta:2e-06,100000000");
  EXPECT_EQ(parse({"run", "--link", "alpha-beta:2e-3,1e8"}).config.link, "alpha-beta:2e-3,1e8");
  EXPECT_EQ(parse({"run", "--link", "paper:500ms"}).config.link, "paper:0.5");
  EXPECT_EQ(parse({"run", "--fault", "stall:3@2min,500ms;crash:12@90s"}).config.fault, "stall:3@120,0.5;crash:12@90");
  EXPECT_EQ(parse({"run", "--engine", "threads", "--interference", "2,0.5,10ms"}).config.interference, "2,0.5,0.01");
  EXPECT_EQ(parse({"run", "--iterations", "1e3"}).config.iterations, 1000u);
  EXPECT_EQ(parse({"compare", "--seeds", "1-3,1e2"}).config.seeds, (std::vector<std::uint64_t>{1, 2, 3, 100}));
  const std::vector<std::vector<std::string>> bad = {{"--max-time", "5parsec"},
                                                     {"--max-time", "5MB"},
                                                     {"--max-time", "5 ms"},
                                                     {"--link", "alpha-beta:1GB,1ms"},
                                                     {"--link", "alpha-beta:1ms,5m"},
                                                     {"--deadline", "5foo"},
                                                     {"--fault", "crash:3ms@10"},
                                                     {"--iterations", "1.5e0"},
                                                     {"--iterations", "5ms"},
                                                     {"--deadline-slack", "1%"},
                                                     {"--patience", "5m"}};
  for (const auto& words : bad)
    EXPECT_THAT(error_of({"run", words[0], words[1], "--engine", "threads"}),
                AllOf(StartsWith(fmt::format("{} {}: ", words[0], words[1])), Not(HasSubstr("\n"))));
  EXPECT_EQ(error_of({"run", "--max-time", "5parsec"}),
            "--max-time 5parsec: \"parsec\" is not a unit of time; give ns, us, ms, s, min, h or d");
}

TEST(CommandLine, NothingIsAbbreviatedOrRepeated) {
  EXPECT_THAT(error_of({"run", "--iteration", "5"}), HasSubstr("did you mean --iterations?"));
  EXPECT_EQ(error_of({"run", "--nodes", "5", "--nodes", "5"}), "--nodes: given twice; give it once");
}

TEST(CommandLine, MissingValues) {
  EXPECT_EQ(error_of({"run", "--nodes"}), "--nodes: the value is missing; give N");
  EXPECT_EQ(error_of({"run", "--nodes", "--grey"}), "--nodes: the value is missing; give N");
  EXPECT_EQ(error_of({"run", "--output", "--quiet"}), "--output: the value is missing; give PATH");
  EXPECT_EQ(parse({"run", "--output=--quiet"}).config.output, "--quiet");
  EXPECT_EQ(error_of({"run", "--engine="}), "--engine: the value is missing; give virtual|threads|mpi");
  EXPECT_THAT(error_of({"run", "--engine", ""}), HasSubstr("empty"));
}

TEST(CommandLine, OptionsThatACommandWouldIgnoreAreErrors) {
  EXPECT_EQ(error_of({"run", "--seeds", "1,2"}), "--seeds: not an option of run; use --seed");
  EXPECT_EQ(error_of({"compare", "--algorithm", "dsgd"}), "--algorithm: not an option of compare; use --algorithms");
  EXPECT_EQ(error_of({"verify", "a.h5", "--nodes", "3"}),
            "--nodes: not an option of verify; it belongs to run, compare, calibrate, predict, tune, theory");
  EXPECT_THAT(error_of({"run", "--algorithm", "dsgd,q-dsgd"}), HasSubstr("quantimed compare --algorithms dsgd,q-dsgd"));
}

TEST(CommandLine, Contradictions) {
  EXPECT_THAT(error_of({"run", "--oversubscribe"}), StartsWith("--oversubscribe: "));
  EXPECT_EQ(error_of({"run", "--oversubscribe", "--engine", "threads"}), "");
  EXPECT_THAT(error_of({"run", "--interference", "1,1,0.1"}), StartsWith("--interference 1,1,0.1: "));
  EXPECT_EQ(error_of({"run", "--interference", "1,1,0.1", "--engine", "threads"}), "");
  EXPECT_THAT(error_of({"run", "--speed", "none"}), StartsWith("--speed none: "));
  EXPECT_EQ(error_of({"run", "--speed", "none", "--engine", "threads"}), "");
  EXPECT_THAT(error_of({"compare", "--engine", "threads", "--link", "paper:3"}), StartsWith("--link paper:3: "));
}

// Whatever the command: what it runs has one clock, and an option that says how another one goes is an error.
TEST(CommandLine, OneCheckOfTheClockForAllCommands) {
  const std::vector<std::string> modelled = {"run", "compare", "tune", "theory"};  // as they are by default
  const std::vector<std::vector<std::string>> real = {{"run", "--engine", "threads"},
                                                      {"compare", "--engine", "threads"},
                                                      {"tune", "--engine", "threads"},
                                                      {"scale"},
                                                      {"predict"}};
  const auto refused = [](std::vector<std::string> words, std::vector<std::string> more, const std::string& start) {
    words.insert(words.end(), more.begin(), more.end());
    EXPECT_THAT(error_of(words), AllOf(StartsWith(start), HasSubstr("; "))) << testing::PrintToString(words);
  };
  for (const std::string& command : modelled) {
    refused({command}, {"--speed", "none"}, "--speed none: ");  // gradients would be free
    EXPECT_EQ(error_of({command, "--link", "paper:3", "--bits", "paper", "--sync", "neighbourhood"}), "") << command;
  }
  for (const std::vector<std::string>& words : real) {
    refused(words, {"--link", "paper:3"}, "--link paper:3: ");
    for (const char* value : {"paper", "wire"})
      refused(words, {"--bits", value}, fmt::format("--bits {}: means nothing in real time", value));
    for (const char* value : {"barrier", "neighbourhood"})
      refused(words, {"--sync", value}, fmt::format("--sync {}: means nothing in real time", value));
    EXPECT_EQ(error_of(words), "");
  }
  for (const char* command : {"run", "compare", "tune"}) {
    refused({command}, {"--placement", "spread"}, "--placement spread: means nothing in virtual time");
    refused({command}, {"--smt"}, "--smt: means nothing in virtual time");
    refused({command}, {"--deadline-slack", "1e-3"}, "--deadline-slack 1e-3: means nothing in virtual time");
    refused({command}, {"--interference", "1,1,0.1"}, "--interference 1,1,0.1: ");
    refused({command}, {"--oversubscribe"}, "--oversubscribe: ");
  }
  refused({"run", "--machine", "m.ini"}, {"--bits", "paper"}, "--bits paper: means nothing with --machine");
  refused({"compare", "--machine", "m.ini"}, {"--sync", "neighbourhood"}, "--sync neighbourhood: means nothing with");
  EXPECT_EQ(error_of({"predict", "--placement", "spread", "--link", "alpha-beta:1,1e6"}), "");
}

// An .ini holds all options, so that one file serves every command and both engines.
TEST(CommandLine, AnIniMayHoldOptionsOfAnotherClockButNoContradiction) {
  const TemporaryFile all(to_ini(Config{}));
  EXPECT_EQ(error_of({"run", "--config", all.path(), "--engine", "threads"}), "");
  for (const char* text : {"speed = none", "link = paper:3\nengine = threads", "sync = neighbourhood\nengine = threads",
                           "oversubscribe = true", "machine = m.ini\nlink = paper:3"}) {
    const TemporaryFile ini(std::string(text) + "\n");
    for (const char* command : {"run", "compare", "tune"}) {
      EXPECT_THAT(error_of({command, "--config", ini.path()}), StartsWith("--")) << command << ": " << text;
    }
  }
  const TemporaryFile speed("speed = none\n"), machine("machine = m.ini\n"), link("link = paper:3\n");
  EXPECT_THAT(error_of({"theory", "--config", speed.path()}), StartsWith("--speed none: "));
  EXPECT_THAT(error_of({"theory", "--config", machine.path()}), StartsWith("--machine m.ini: "));
  EXPECT_THAT(error_of({"predict", "--config", link.path()}), StartsWith("--link paper:3: "));
}

TEST(CommandLine, NumbersAreStrict) {
  EXPECT_EQ(error_of({"run", "--nodes", "abc"}), "--nodes abc: not a whole number; give 1 to 1000000, or auto");
  EXPECT_EQ(error_of({"run", "--nodes", "-3"}), "--nodes -3: out of range; give 1 to 1000000, or auto");
  EXPECT_EQ(error_of({"run", "--l2", "nan"}), "--l2 nan: not a number; give 0 or more");
  EXPECT_EQ(error_of({"run", "--max-time", "0"}), "--max-time 0: out of range; give a number above 0, or none");
  const std::vector<std::pair<std::string, std::vector<std::string>>> bad = {
      {"nodes",
       {"0", "1000001", "4294967297", "99999999999999999999", "5x", " 5", "5 ", "+5", "1e-3", "1e9", "0x10", "5.0", "-",
        ""}},
      {"batch", {"0", "-1", "4294967296"}},
      {"iterations", {"0", "4294967296"}},
      {"evaluations", {"0"}},
      {"repeats", {"0"}},
      {"seed", {"-1", "18446744073709551616", "1.5"}},
      {"l2", {"-0.1", "inf", "nan", "1e999", "0x1p3", "1,5", "."}},
      {"max-time", {"-1", "inf", "nan"}},
      {"target-loss", {"-1", "0", "inf", "2,", "2,x"}},
      {"initial", {"", "0.5,", "-1", "0.5,inf", "0.5;1"}},
      {"target", {"", "class", "values"}},
      {"classes", {"", "16777217", "0,0", "1,", "1.5", "2147483648", "none"}},
      {"deadline", {"0", "-1", "inf", "nan", "1x", "all", "auto:0", "auto:quantile:1"}},
      {"deadline-slack", {"0", "-1", "nan", "1x"}},
      {"samples-per-node", {"-1", "none", "4294967295"}}};
  for (const auto& [option, values] : bad)
    for (const std::string& value : values)
      EXPECT_THAT(error_of({"run", fmt::format("--{}", option), value}),
                  AllOf(StartsWith(fmt::format("--{} {}: ", option, value)), Not(HasSubstr("\n"))));
}

TEST(CommandLine, ListsOfSeeds) {
  using Seeds = std::vector<std::uint64_t>;
  EXPECT_EQ(parse({"compare", "--seeds", "1-5"}).config.seeds, (Seeds{1, 2, 3, 4, 5}));
  EXPECT_EQ(parse({"compare", "--seeds", "7,1-3"}).config.seeds, (Seeds{7, 1, 2, 3}));
  EXPECT_EQ(parse({"compare", "--seeds", "18446744073709551614-18446744073709551615"}).config.seeds.size(), 2u);
  for (const char* text : {"5-1", "1-", "-5", "1--5", "1-4000000000", "0-18446744073709551615", "1-6000,7000-12000",
                           "1,1", "1-3,2", "", "1,,2", "1-2-3", "a-b"})
    EXPECT_THAT(error_of({"compare", "--seeds", text}), StartsWith(fmt::format("--seeds {}: ", text)));
}

TEST(CommandLine, NamesComeFromTheTables) {
  EXPECT_THAT(error_of({"run", "--algorithm", "sdgd"}),
              AllOf(HasSubstr("did you mean dsgd?"), HasSubstr("async-dsgd")));
  EXPECT_THAT(error_of({"compare", "--algorithms", "dsgd,asgd"}), HasSubstr("\"asgd\" is not known"));
  EXPECT_THAT(error_of({"compare", "--algorithms", "dsgd,dsgd"}), HasSubstr("twice"));
  EXPECT_THAT(error_of({"compare", "--algorithms", "dsgd,asgd"}), HasSubstr("all, or paper"));
  for (const char* option : {"codec", "graph", "mixing", "partition", "activation", "bits", "sync", "l2-per", "loss"})
    EXPECT_THAT(error_of({"run", std::string("--") + option, "nonsense"}),
                StartsWith(fmt::format("--{} nonsense", option)));
}

TEST(CommandLine, ControlCharactersAreRefused) {
  EXPECT_THAT(error_of({"run", "--output", "a\nb"}), AllOf(StartsWith("--output: "), Not(HasSubstr("\n"))));
}

}  // namespace
}  // namespace quantimed
