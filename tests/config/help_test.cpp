// SPDX-License-Identifier: BSD-3-Clause
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sstream>

#include "algorithm/table.hpp"
#include "codec/codec.hpp"
#include "config/option_table.hpp"
#include "config/parse.hpp"
#include "dataset/dataset.hpp"
#include "machine/placement.hpp"
#include "timing/faults.hpp"
#include "timing/link_model.hpp"
#include "timing/speed_model.hpp"

namespace quantimed {
namespace {

using testing::HasSubstr;
using testing::Not;

std::string option_line(const OptionRow& row) { return fmt::format("\n  --{} {}", row.name, value_syntax(row)); }

TEST(Help, NamesEveryOptionWithItsDefaultUnderItsTopic) {
  const Request request = parse({"--help"});
  EXPECT_EQ(request.command, "help");
  std::size_t at = 0;
  for (const OptionRow& row : option_table()) {
    const std::string line = option_line(row);
    const std::size_t found = request.help.find(line);
    ASSERT_NE(found, std::string::npos) << row.name;
    EXPECT_GT(found, at) << row.name << " is not in the table's order";
    at = found;
  }
  for (const char* title :
       {"Run:", "Data:", "Model:", "Algorithm:", "Network:", "Time model:", "Evaluation:", "Output:"})
    EXPECT_THAT(request.help, HasSubstr(std::string("\n") + title + "\n"));
  EXPECT_THAT(request.help, HasSubstr("[erdos-renyi:0.4]"));
}

TEST(Help, ListsWhatOtherTablesOffer) {
  const std::string help = parse({"run", "--help"}).help;
  for (const AlgorithmRow& row : algorithm_table()) EXPECT_THAT(help, HasSubstr(std::string("      ") + row.name));
  for (const CodecRow& row : codec_table()) EXPECT_THAT(help, HasSubstr(std::string("      ") + row.syntax));
  for (const KnownDataset& row : known_datasets()) EXPECT_THAT(help, HasSubstr(fmt::format("      {}", row.name)));
  for (const SpeedKind& row : kSpeedKinds) EXPECT_THAT(help, HasSubstr(std::string("      ") + row.syntax));
  for (const LinkKind& row : kLinkKinds) EXPECT_THAT(help, HasSubstr(std::string("      ") + row.syntax));
  for (const FaultKind& row : kFaultKinds) EXPECT_THAT(help, HasSubstr(std::string("      ") + row.syntax));
  for (const PlacementKind& row : kPlacementKinds) EXPECT_THAT(help, HasSubstr(std::string("      ") + row.syntax));
}

TEST(Help, OfACommandShowsWhatItTakes) {
  for (const CommandRow& command : command_table()) {
    const std::string help = parse({"help", command.name}).help;
    EXPECT_THAT(help, HasSubstr(std::string("Usage: quantimed ") + command.name));
    for (const OptionRow& row : option_table()) {
      const std::string line = option_line(row);
      if (row.commands & command.bit)
        EXPECT_THAT(help, HasSubstr(line));
      else
        EXPECT_THAT(help, Not(HasSubstr(line)));
    }
  }
}

TEST(Help, CanBeAskedForInAnyWay) {
  EXPECT_EQ(parse({"run", "--help"}).help, parse({"help", "run"}).help);
  EXPECT_EQ(parse({"run", "--nodes", "-h"}).help, parse({"help", "run"}).help);
  EXPECT_EQ(parse({"run", "--nonsense", "--help"}).command, "help");
  EXPECT_EQ(parse({"help"}).help, parse({"-h"}).help);
  EXPECT_THAT(error_of({"help", "rnu"}), HasSubstr("did you mean run?"));
}

TEST(Help, IsShortWithoutArguments) {
  const Request request = parse({});
  EXPECT_EQ(request.command, "help");
  EXPECT_LT(std::count(request.help.begin(), request.help.end(), '\n'), 26);  // a small terminal and its prompt
  for (const CommandRow& row : command_table()) EXPECT_THAT(request.help, HasSubstr(std::string("\n  ") + row.name));
}

TEST(Help, FitsItsWidth) {
  std::istringstream lines(parse({"--help"}).help);
  for (std::string line; std::getline(lines, line);) {
    EXPECT_LE(line.size(), 100u) << line;
    EXPECT_TRUE(line.empty() || line.back() != ' ') << line;
  }
}

TEST(OptionTable, IsSound) {
  for (const OptionRow& row : option_table()) {
    EXPECT_EQ(find_option(row.name), &row) << row.name << " is there twice";
    EXPECT_STRNE(row.help, "") << row.name;
    if (row.instead) {
      EXPECT_NE(find_option(row.instead + 2), nullptr) << row.name;
    }
  }
}

}  // namespace
}  // namespace quantimed
