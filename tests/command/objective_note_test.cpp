// SPDX-License-Identifier: BSD-3-Clause
// Who minimises something else is said where it matters, and only there.
#include "command/objective_note.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace quantimed {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::IsEmpty;

TEST(ObjectiveNote, IsForNodesThatStaySlowAndHaveDataOfTheirOwn) {
  for (const char* algorithm : {"amb", "ad-psgd", "swarmsgd"}) {
    EXPECT_THAT(objective_note(algorithm, "virtual", "slow-nodes:1,10,50", "by-label"),
                AllOf(HasSubstr(algorithm), HasSubstr("weighted by their speeds"), HasSubstr("--partition by-label")));
    EXPECT_THAT(objective_note(algorithm, "threads", "none", "contiguous"), HasSubstr(algorithm));
    EXPECT_THAT(objective_note(algorithm, "virtual", "slow-nodes:1,10,50", "iid"), IsEmpty());
    EXPECT_THAT(objective_note(algorithm, "virtual", "uniform:10,90", "by-label"), IsEmpty());
  }
  for (const char* algorithm : {"dsgd", "async-dsgd", "swift", "quantimed-dsgd", "nobody-knows"})
    EXPECT_THAT(objective_note(algorithm, "virtual", "slow-nodes:1,10,50", "by-label"), IsEmpty());
}

TEST(LossNote, IsForWhoseStatesASilentNodeTakesAway) {
  EXPECT_THAT(loss_note("r-fast", "1@round 5"), AllOf(HasSubstr("r-fast"), HasSubstr("tracked gradients")));
  EXPECT_THAT(loss_note("r-fast", "none"), IsEmpty());
  EXPECT_THAT(loss_note("r-fast", ""), IsEmpty()) << "of a trace that does not say";
  for (const char* algorithm : {"async-dsgd", "swift", "ad-psgd", "nobody-knows"})
    EXPECT_THAT(loss_note(algorithm, "1@round 5"), IsEmpty());
}

}  // namespace
}  // namespace quantimed
