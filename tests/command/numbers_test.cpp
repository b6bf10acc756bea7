// SPDX-License-Identifier: BSD-3-Clause
// Steps, penalties, deadlines, speeds and links at 0, negative and huge: each ends as it is said to end, and what it
// leaves behind verifies.
#include "command/program.hpp"
#include "trace/trace.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace quantimed {
namespace {

using testing::AllOf;
using testing::HasSubstr;

const std::string kTiny =
    "--dataset digits:600 --nodes 4 --samples-per-node 50 --model mlp:4 --iterations 6 --evaluations 3 --quiet "
    "--threads 1 --output t.h5 ";

struct Extreme {
  const char* name;
  const char* arguments;
  int status;
  const char* says;  // in the verdict, or in the refusal
};
void PrintTo(const Extreme& extreme, std::ostream* out) { *out << extreme.name; }

constexpr int kDone = 0, kRefused = 2, kDiverged = 3;

constexpr Extreme kExtremes[] = {
    // A step or a penalty that rounds to nothing changes nothing; one that is too large diverges, and says so.
    {"AlphaNearZero", "--algorithm dsgd --alpha 1e-300", kDone, "VALID"},
    {"AlphaHuge", "--algorithm dsgd --alpha 1e30", kDiverged, "VALID"},
    {"AlphaBeyondFloat", "--algorithm dsgd --alpha 1e300", kDiverged, "VALID"},
    {"AlphaZero", "--algorithm dsgd --alpha 0", kRefused, "--alpha 0: "},
    {"AlphaNegative", "--algorithm dsgd --alpha=-1", kRefused, "--alpha -1: "},
    {"AlphaNaN", "--algorithm dsgd --alpha nan", kRefused, "--alpha nan: "},
    {"AlphaInfinite", "--algorithm dsgd --alpha 1e999", kRefused, "--alpha 1e999: "},
    {"EpsilonNearZero", "--algorithm q-dsgd --epsilon 1e-300", kDone, "VALID"},
    {"EpsilonHuge", "--algorithm q-dsgd --epsilon 1e30 --allow-large-epsilon", kDiverged, "did not fit the code"},
    // Above 1 a round no longer averages. The published one is for long horizons, and there taken as 1.
    {"EpsilonAboveOne", "--algorithm q-dsgd --epsilon 1.01", kRefused, "--epsilon 1.01: is 1.01 at T = 6, and above 1"},
    {"EpsilonAboveOneByItsHorizon", "--epsilon '15*T^(-1/2)'", kRefused, "--epsilon 15*T^(-1/2): is 6.12 at T = 6"},
    {"EpsilonAboveOneAllowed", "--algorithm q-dsgd --epsilon 1.01 --allow-large-epsilon", kDone, "VALID"},
    {"EpsilonAboveOneWhereThereIsNone", "--algorithm dsgd --epsilon 1.01", kDone, "VALID"},
    {"EpsilonPublishedForAShortRun", "--algorithm quantimed-dsgd", kDone, "VALID"},
    {"EpsilonZero", "--algorithm q-dsgd --epsilon 0", kRefused, "--epsilon 0: "},
    {"EpsilonNegative", "--algorithm q-dsgd --epsilon=-0.5", kRefused, "--epsilon -0.5: "},
    {"LambdaZero", "--algorithm dsgd --l2 0", kDone, "VALID"},
    {"LambdaHuge", "--algorithm dsgd --l2 1e30", kDiverged, "VALID"},
    {"LambdaBeyondFloat", "--algorithm dsgd --l2 1e308", kDiverged, "VALID"},
    {"LambdaNegative", "--algorithm dsgd --l2=-1", kRefused, "--l2 -1: "},
    // A deadline too short for a sample: every batch is empty, nodes only mix, and the verdict says it.
    {"DeadlineTooShort", "--deadline 1e-12", kDone, "INVALID: every batch was empty"},
    {"DeadlineTooShortForAMean", "--deadline auto:1e-9", kDone, "INVALID: every batch was empty"},
    {"DeadlineNearZero", "--deadline 1e-300", kRefused, "--deadline 1e-300: "},
    {"DeadlineZero", "--deadline 0", kRefused, "--deadline 0: "},
    {"DeadlineNegative", "--deadline=-1", kRefused, "--deadline -1: "},
    {"DeadlineHuge", "--deadline 1e9", kRefused, "--deadline 1e9: mean batches"},
    {"DeadlineBeyondAll", "--deadline 1e300", kRefused, "--deadline 1e300: "},
    {"DeadlineForAHugeMean", "--deadline auto:1e300", kRefused, "--deadline auto:1e300: "},
    {"DeadlineAtAHugeSpeed", "--deadline 1 --speed constant:1e12", kRefused, "--deadline 1: mean batches"},
    {"BatchHuge", "--algorithm dsgd --batch 4294967295", kRefused, "--batch 4294967295: "},
    {"SpeedSlow", "--algorithm dsgd --speed constant:1e-12", kDone, "VALID"},
    {"SpeedFast", "--algorithm dsgd --speed constant:1e12", kDone, "VALID"},
    {"SpeedOfBothKinds", "--algorithm async-dsgd --speed uniform:1e-12,1e12", kDone, "VALID"},
    {"SpeedNearZero", "--algorithm dsgd --speed constant:1e-300", kRefused, "--speed constant:1e-300: "},
    {"SpeedBeyondAll", "--algorithm dsgd --speed constant:1e300", kRefused, "--speed constant:1e300: "},
    {"LinkSlow", "--algorithm dsgd --link paper:1e12", kDone, "VALID"},
    {"LinkBeyondAll", "--algorithm dsgd --link paper:1e300", kRefused, "--link paper:1e300: "},
    {"CodeTooNarrow", "--algorithm q-dsgd --codec modulo:1e-9,2", kRefused, "--codec modulo:1e-09,2: "},
    {"CodeBiased", "--algorithm q-dsgd --codec top-k:0.1", kRefused, "--codec top-k:0.1: it is biased"},
    {"CodeOfFewCoordinates", "--algorithm q-dsgd --codec random-k-unbiased:0.001 --epsilon 1e-6", kDone, "VALID"},
    {"MaxTimeNearZero", "--algorithm dsgd --max-time 1e-300", kDone, "VALID"},
};

class Extremes : public testing::TestWithParam<Extreme> {};

TEST_P(Extremes, EndsAsDefined) {
  const Extreme& extreme = GetParam();
  const Folder folder;
  const Ran run = run_program(folder, "run " + kTiny + extreme.arguments);
  ASSERT_EQ(run.status, extreme.status) << run.err;
  if (run.status == kRefused) {
    EXPECT_THAT(run.err, AllOf(HasSubstr(extreme.says), testing::EndsWith("\n")));
    EXPECT_EQ(std::count(run.err.begin(), run.err.end(), '\n'), 1) << run.err;
    return;
  }
  const Trace trace = read_trace(folder / "t.h5");
  EXPECT_EQ(trace.status, run.status == kDiverged ? RunStatus::diverged : RunStatus::complete);
  EXPECT_THAT(trace.verdict.text(), HasSubstr(extreme.says));
  EXPECT_THAT(verify_trace(trace), testing::IsEmpty());
}

INSTANTIATE_TEST_SUITE_P(Numbers, Extremes, testing::ValuesIn(kExtremes),
                         [](const auto& test) { return test.param.name; });

TEST(Numbers, ANodeWithoutNeighboursInAFileIsNamed) {
  const Folder folder;
  std::ofstream(folder / "edges") << "0 1\n1 2\n";
  const Ran run = run_program(folder, "run " + kTiny + "--graph file:edges");
  EXPECT_EQ(run.status, kRefused);
  EXPECT_THAT(run.err, AllOf(HasSubstr("--graph file:edges"), HasSubstr("3")));
}

}  // namespace
}  // namespace quantimed
