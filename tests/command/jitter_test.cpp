// SPDX-License-Identifier: BSD-3-Clause
// info --jitter: the tables on made-up figures, and the program itself.
#include "command/jitter_text.hpp"
#include "command/program.hpp"
#include "machine/placement.hpp"

#include <gmock/gmock.h>

namespace quantimed {
namespace {

using testing::AllOf;
using testing::ContainsRegex;
using testing::HasSubstr;
using testing::Not;

TEST(JitterText, HasARowForEachCoreAndAHistogramOfAll) {
  const CoreJitter cores[] = {{.unit = 3,
                               .detours = {.per_s = 250.5,
                                           .median_us = 2.5,
                                           .p99_us = 40,
                                           .longest_us = 1234.5,
                                           .lost_share = 0.0125,
                                           .decades = {900, 99, 0, 1}},
                               .quanta = {.median_ms = 1.0625, .p99_ms = 1.5, .worst_over_median = 3.25}},
                              {.unit = 12, .detours = {.decades = {99, 0, 0, 0}}, .quanta = {}}};
  const std::string text = jitter_text(cores, 20);
  EXPECT_THAT(text, ContainsRegex("\n +3 +250.5 +2.5 +40.0 +1234.5 +1.250 % +900 +99 +0 +1\n"));
  EXPECT_THAT(text, ContainsRegex("\n +12 +0.0 +0.0 +0.0 +0.0 +0.000 % +99 +0 +0 +0\n"));
  EXPECT_THAT(text, ContainsRegex("\n +3 +1.0625 +1.5000 +3.25\n"));
  EXPECT_THAT(text, HasSubstr("  1-10 us       999  " + std::string(24, '#') + "\n"));
  EXPECT_THAT(text, HasSubstr("10-100 us        99  " + std::string(16, '#') + "\n"));
  EXPECT_THAT(text, HasSubstr("0.1-1 ms         0\n"));
  EXPECT_THAT(text, HasSubstr("> 1 ms         1  ##\n"));
  EXPECT_THAT(text, Not(HasSubstr("reading the clock takes")));
}

TEST(JitterText, ExplainsEachFigure) {
  const std::string text = jitter_text({}, 0);
  for (const char* figure : {"detours/s", "median us", "99 % us", "longest us", "time lost", "median ms", "99 % ms",
                             "worst/median", "1-10 us ..."})
    EXPECT_THAT(text, HasSubstr(std::string("\n  ") + figure + "  ")) << figure;
}

TEST(JitterText, SaysWhereTheClockIsTooSlow) {
  EXPECT_THAT(jitter_text({}, 1500), HasSubstr("reading the clock takes 1500 ns"));
}

TEST(InfoJitter, MeasuresEachCore) {
  const Folder folder;
  const Ran ran = run_program(folder, "info --jitter");
  ASSERT_EQ(ran.status, 0) << ran.err;
  EXPECT_EQ(ran.err, "") << "progress is for terminals";
  EXPECT_THAT(ran.out, AllOf(HasSubstr("GFLOP/s"), HasSubstr("natural jitter of "), HasSubstr("worst/median")));
  for (const int core : usable_cores()) EXPECT_THAT(ran.out, ContainsRegex("\n +" + std::to_string(core) + " .* % "));
  EXPECT_THAT(run_program(folder, "info").out, Not(HasSubstr("jitter")));
  EXPECT_EQ(run_program(folder, "run --jitter").status, 2);
}

}  // namespace
}  // namespace quantimed
