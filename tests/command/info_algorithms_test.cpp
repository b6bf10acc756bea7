// SPDX-License-Identifier: BSD-3-Clause
// info --algorithms and info --json.
#include "algorithm/table.hpp"
#include "command/program.hpp"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace quantimed {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

TEST(Info, ListsTheTableOfAlgorithmsForPeopleAndPrograms) {
  const Folder folder;
  const Ran table = run_program(folder, "info --algorithms");
  ASSERT_EQ(table.status, 0) << table.err;
  for (const AlgorithmRow& row : algorithm_table())
    EXPECT_THAT(table.out, AllOf(HasSubstr(fmt::format("| {} ", row.name)), HasSubstr(row.paper)));
  const Ran one = run_program(folder, "info --algorithms q-dsgd");
  EXPECT_THAT(one.out, AllOf(HasSubstr("15*T^(-1/2)"), Not(HasSubstr("async-dsgd"))));

  const nlohmann::json short_one = nlohmann::json::parse(run_program(folder, "info --algorithms --json").out);
  const nlohmann::json all = nlohmann::json::parse(run_program(folder, "info --json").out);
  EXPECT_EQ(all["algorithms"], short_one["algorithms"]);
  EXPECT_FALSE(short_one.contains("machine"));
  EXPECT_TRUE(all["machine"].contains("cpu"));
  EXPECT_FALSE(all["machine"]["cpu_quota"].is_null());  // "inf" where there is none
  ASSERT_EQ(all["algorithms"].size(), algorithm_table().size());
  for (std::size_t k = 0; k < algorithm_table().size(); ++k) {
    const AlgorithmRow& row = algorithm_table()[k];
    const nlohmann::json& said = all["algorithms"][k];
    EXPECT_EQ(said["name"], row.name);
    EXPECT_EQ(said["delivery"], name_of(row.delivery));
    EXPECT_EQ(said["needs_tree"], row.graph.tree);
    EXPECT_EQ(said["minimises"] == "the mean of the nodes' losses", *row.minimises == 0);
    EXPECT_EQ(said["uses_deadline"], row.uses_deadline);
    EXPECT_EQ(said["is_compared"], row.is_compared);
    EXPECT_EQ(said["parameters"].size(), row.parameters.size());
    EXPECT_EQ(said["states"].size(), row.states.size());
    EXPECT_EQ(said["codec"].is_null(), !row.quantizes);
  }
  const auto codec_of = [&](std::string_view name) {
    for (const nlohmann::json& row : all["algorithms"])
      if (row["name"] == name) return row["codec"].get<std::string>();
    return std::string("no such row");
  };
  EXPECT_EQ(codec_of("choco-sgd"), "contraction");
  EXPECT_EQ(codec_of("dcd-psgd"), "small-error");
  EXPECT_EQ(codec_of("lead"), "unbiased");
  EXPECT_EQ(codec_of("q-dsgd"), "models");
  EXPECT_EQ(run_program(folder, "info --json --jitter").status, 2);
}

}  // namespace
}  // namespace quantimed
