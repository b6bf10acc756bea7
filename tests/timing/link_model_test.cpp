// SPDX-License-Identifier: BSD-3-Clause
#include "timing/link_model.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.hpp"

namespace quantimed {
namespace {

TEST(LinkModel, NoneCostsNothing) {
  const LinkModel link = parse_link("none");
  EXPECT_EQ(link.kind, LinkModel::Kind::none);
  EXPECT_EQ(link.exchange(16), 0);
  EXPECT_EQ(link.delay(1000), 0);
}

TEST(LinkModel, PaperChargesBitsOfSixteen) {
  const LinkModel link = parse_link("paper:3");
  EXPECT_EQ(link.kind, LinkModel::Kind::paper);
  EXPECT_DOUBLE_EQ(link.exchange(16), 3);
  EXPECT_DOUBLE_EQ(link.exchange(3), 3 * 3.0 / 16);
  EXPECT_EQ(link.delay(1000), 0);
}

TEST(LinkModel, AlphaBetaChargesLatencyAndBytes) {
  const LinkModel link = parse_link("alpha-beta:1e-4,1.25e9");
  EXPECT_EQ(link.kind, LinkModel::Kind::alpha_beta);
  EXPECT_DOUBLE_EQ(link.delay(0), 1e-4);
  EXPECT_DOUBLE_EQ(link.delay(1'250'000), 1e-4 + 1e-3);
  EXPECT_EQ(link.exchange(16), 0);
}

TEST(LinkModel, BadInputNamesTheOptionTheValueAndTheFix) {
  for (const char* text : {"", "paper", "paper:", "paper:-1", "paper:3,4", "paper:three", "paper:inf", "paper:nan",
                           "paper:3 ", "alpha-beta:1", "alpha-beta:-1,5", "alpha-beta:1,0", "alpha-beta:1,2,3",
                           "alpha-beta:,", "none:", "none:3", "ethernet"}) {
    try {
      parse_link(text);
      ADD_FAILURE() << "accepted: " << text;
    } catch (const InputError& error) {
      EXPECT_THAT(error.what(), testing::StartsWith(std::string("--link ") + text + ":"));
      EXPECT_THAT(error.what(), testing::Not(testing::HasSubstr("\n")));
    }
  }
}

}  // namespace
}  // namespace quantimed
