// SPDX-License-Identifier: BSD-3-Clause
// Every check of `verify` finds its own fault, and finds nothing in a trace that is right.
#include "sample.hpp"

#include <gmock/gmock.h>

#include <limits>
#include <set>

namespace quantimed {
namespace {

using ::testing::HasSubstr;

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr float kNanF = std::numeric_limits<float>::quiet_NaN();

struct Fault {
  const char* name;
  void (*seed)(Trace&);
  const char* check;  // whose finding it is
};
void PrintTo(const Fault& fault, std::ostream* out) { *out << fault.name; }

void set(Attributes& attributes, const std::string& name, Attribute value) {
  for (auto& [key, old] : attributes)
    if (key == name) old = std::move(value);
}

constexpr Fault kFaults[] = {
    {"ShortCurve", [](Trace& t) { t.progress.loss.pop_back(); }, "lengths"},
    {"ShortRounds", [](Trace& t) { t.rounds.mix_time.pop_back(); }, "lengths"},
    {"LongRounds", [](Trace& t) { t.rounds.iterations = std::size_t{1} << 62; }, "lengths"},
    {"RoundsOfOtherNodes", [](Trace& t) { t.rounds.nodes = 7, t.rounds.iterations = 5; }, "lengths"},
    {"ShortWeights", [](Trace& t) { t.network.weights.pop_back(); }, "lengths"},
    {"ShortSelfWeights", [](Trace& t) { t.network.self_weights.pop_back(); }, "lengths"},
    {"EdgeTwice", [](Trace& t) { t.network.edges[1] = t.network.edges[0]; }, "lengths"},
    {"EdgeBackwards",
     [](Trace& t) {
       t.network.edges[0] = {1, 0};
     },
     "lengths"},
    {"UnnamedPhase", [](Trace& t) { t.timeline.phase[3] = kPhases; }, "lengths"},
    {"ShortClasses", [](Trace& t) { t.classes.samples.pop_back(); }, "lengths"},
    {"ShortClassAccuracy", [](Trace& t) { t.progress.class_accuracy.resize(9); }, "lengths"},
    {"AccuracyOfNoClasses", [](Trace& t) { t.classes = {}; }, "lengths"},
    {"ClassesOfAnotherSet", [](Trace& t) { t.classes.set = "all"; }, "classes"},
    {"ClassAboveOne", [](Trace& t) { t.progress.class_accuracy[3] = 1.5; }, "classes"},
    {"ClassOfNoSamples", [](Trace& t) { t.progress.class_accuracy[4] = 0.5; }, "classes"},
    {"ClassesOfAnotherMean", [](Trace& t) { t.progress.class_accuracy[3] = 0.25; }, "classes"},
    {"OneClassUntold", [](Trace& t) { t.progress.class_accuracy[3] = kNan; }, "classes"},
    {"NoSeal", [](Trace& t) { t.is_sealed = false; }, "as it was written"},
    {"SeedOfAnotherType",
     [](Trace& t) {
       t.config.push_back({"seed", std::string("abc")});
     },
     "of their types"},
    {"SeedBelowZero",
     [](Trace& t) {
       t.config.push_back({"seed", std::int64_t{-1}});
     },
     "of their types"},
    {"AlgorithmOfAnotherType", [](Trace& t) { set(t.config, "algorithm", 7.0); }, "of their types"},
    {"UnknownStatus", [](Trace& t) { t.status = static_cast<RunStatus>(9); }, "known words"},
    {"UnknownVerdict", [](Trace& t) { t.verdict = "fine"; }, "known words"},
    {"InvalidWithoutReason", [](Trace& t) { t.verdict = "INVALID: "; }, "known words"},
    {"NoCreationTime", [](Trace& t) { t.created = "yesterday"; }, "created"},
    {"OtherNodes", [](Trace& t) { set(t.config, "nodes", std::int64_t{6}); }, "same nodes"},
    {"NoNodes",
     [](Trace& t) {
       t.config.clear();
       t.config.push_back({"algorithm", std::string("quantimed-dsgd")});
     },
     "same nodes"},
    {"OneSidedWeight", [](Trace& t) { t.network.neighbour_list[0].weight = 0.2f; }, "symmetric"},
    {"OtherNeighbour", [](Trace& t) { t.network.neighbour_list[0].id = 3; }, "symmetric"},
    {"NoNeighbours", [](Trace& t) { t.network.neighbour_list.clear(); }, "symmetric"},
    {"NegativeWeight", [](Trace& t) { t.network.weights[0] = -0.25; }, "not negative"},
    {"NanWeight", [](Trace& t) { t.network.self_weights[0] = kNan; }, "not negative"},
    {"RowSum", [](Trace& t) { t.network.self_weights[2] = 0.500002; }, "doubly stochastic"},
    {"TwoParts",
     [](Trace& t) {
       t.network.edges = {{0, 1}, {2, 3}, {3, 4}};
       t.network.weights.assign(3, 0.25);
     },
     "connected"},
    {"BetaAboveOne", [](Trace& t) { t.network.beta = 1.1, t.network.spectral_gap = -0.1; }, "beta is in"},
    {"BetaNan", [](Trace& t) { t.network.beta = kNan; }, "beta is in"},
    {"OtherGap", [](Trace& t) { t.network.spectral_gap = 0.5; }, "beta is in"},
    {"BetaTooLow", [](Trace& t) { t.network.beta -= 1e-3, t.network.spectral_gap += 1e-3; }, "power iteration"},
    {"TimeBackwards", [](Trace& t) { t.progress.time[2] = 1; }, "forward"},
    {"TimeInfinite", [](Trace& t) { t.progress.time[3] = kForever; }, "forward"},
    {"OtherClockBackwards", [](Trace& t) { t.progress.time_wire_bits[2] = 1; }, "forward"},
    {"ShortClock", [](Trace& t) { t.progress.time_wire_bits.pop_back(); }, "lengths"},
    {"ClockOfOtherBits", [](Trace& t) { set(t.config, "bits", std::string("wire")); }, "charges the bits"},
    {"NoClockOfItsBits", [](Trace& t) { t.progress.time_paper_bits.clear(); }, "charges the bits"},
    {"TimeNan", [](Trace& t) { t.progress.time[3] = kNan; }, "forward"},
    {"TimeNegative", [](Trace& t) { t.progress.time[0] = -1; }, "forward"},
    {"LossNegative", [](Trace& t) { t.progress.loss[2] = -5; }, "losses and errors"},
    {"TestLossNegative", [](Trace& t) { t.progress.test_loss[2] = -5; }, "losses and errors"},
    {"IterationBackwards", [](Trace& t) { t.progress.iteration[2] = 1; }, "forward"},
    {"LossNan", [](Trace& t) { t.progress.loss[1] = kNan; }, "losses are finite"},
    {"TestLossInfinite", [](Trace& t) { t.progress.test_loss[1] = kForever; }, "losses are finite"},
    {"Accuracy", [](Trace& t) { t.progress.accuracy[1] = 1.5; }, "accuracies"},
    {"NegativeConsensus", [](Trace& t) { t.progress.consensus_error[1] = -1; }, "accuracies"},
    {"NegativeDistance", [](Trace& t) { t.progress.distance_to_optimum[1] = -1; }, "accuracies"},
    {"NearerToTheOptimumThanToEachOther", [](Trace& t) { t.progress.distance_to_optimum[1] = 0.2; }, "accuracies"},
    {"ShortDistance", [](Trace& t) { t.progress.distance_to_optimum.pop_back(); }, "lengths"},
    {"SumOffAtTheLastPoint", [](Trace& t) { t.progress.sum_error.back() = 2e-3; }, "over the nodes"},
    {"SumErrorNegative", [](Trace& t) { t.progress.sum_error[2] = -1e-9; }, "over the nodes"},
    {"SumOffAtTheEnd",
     [](Trace& t) {
       t.summary.push_back({"sum_of_c", 2e-3});
     },
     "over the nodes"},
    {"SumUnknown",
     [](Trace& t) {
       t.summary.push_back({"sum_of_c", kNan});
     },
     "over the nodes"},
    {"PushSumWeightsOff",
     [](Trace& t) {
       t.summary.push_back({"push_sum_weights", 0.99});
     },
     "over the nodes"},
    {"Gap", [](Trace& t) { t.rounds.batch[5] = kNanF; }, "no gaps"},
    {"NegativeTime", [](Trace& t) { t.rounds.wait_time[5] = -1; }, "times >= 0"},
    {"InfiniteTime", [](Trace& t) { t.rounds.wait_time[34] = std::numeric_limits<float>::infinity(); }, "times >= 0"},
    {"HalfASample", [](Trace& t) { t.rounds.batch[5] = 2.5f; }, "times >= 0"},
    {"NegativeBatch", [](Trace& t) { t.rounds.batch[5] = -2; }, "times >= 0"},
    {"StartBackwards", [](Trace& t) { t.rounds.start_time[10] = 0.5; }, "start in order"},
    {"TooMuchWork", [](Trace& t) { t.rounds.compute_time[10] = 0.9f; }, "add up"},
    {"TimeUnaccountedFor", [](Trace& t) { t.rounds.record_time[10] = 0; }, "add up"},
    {"LeftBeforeTheDeadline", [](Trace& t) { t.rounds.deadline[10] = 0.7f; }, "deadlines are kept"},
    {"OvershootHidden", [](Trace& t) { t.rounds.overshoot[10] = 0.2f; }, "deadlines are kept"},
    {"OvershootWithoutDeadline", [](Trace& t) { t.rounds.deadline[10] = 0; }, "deadlines are kept"},
    {"HalfAMessageOverwritten", [](Trace& t) { t.rounds.overwritten[10] = 0.5f; }, "times >= 0"},
    {"VaryingBatch", [](Trace& t) { set(t.config, "algorithm", std::string("dsgd")); }, "batches are constant"},
    {"ModelNan", [](Trace& t) { t.mean_model[7] = kNanF; }, "final model"},
    {"EventBackwards", [](Trace& t) { t.timeline.end[4] = 0; }, "events end"},
    {"OtherFinalLoss", [](Trace& t) { set(t.summary, "final_loss", 0.1); }, "final_loss"},
    {"NoFinalLoss", [](Trace& t) { t.summary.pop_back(); }, "final_loss"},
    {"OtherInitialLoss",
     [](Trace& t) {
       t.summary.push_back({"initial_loss", 0.5});
     },
     "figures are the curve's"},
    {"TextForAFigure",
     [](Trace& t) {
       t.summary.push_back({"final_accuracy", std::string("high")});
     },
     "figures are the curve's"},
    {"ShortCounters", [](Trace& t) { t.counters->cycles.pop_back(); }, "lengths"},
    {"EnergyFalls", [](Trace& t) { t.progress.energy_j[2] = 1; }, "energy does not fall"},
    {"EnergyUnknown", [](Trace& t) { t.progress.energy_j[3] = kNan; }, "energy does not fall"},
    {"CyclesBelowZero", [](Trace& t) { t.counters->cycles[1] = -1; }, "energy does not fall"},
    {"OtherBytes", [](Trace& t) { set(t.summary, "total_bytes", 1e6); }, "total_bytes"},
    {"OneByteMore", [](Trace& t) { set(t.summary, "total_bytes", number(t.summary, "total_bytes", 0) + 1); },
     "total_bytes"},
};

class Verify : public ::testing::TestWithParam<Fault> {};

TEST_P(Verify, FindsTheFault) {
  Trace trace = sample_trace();
  GetParam().seed(trace);
  EXPECT_THAT(verify_trace(trace), testing::Contains(HasSubstr(GetParam().check)));
  for (const std::string& finding : verify_trace(trace)) EXPECT_EQ(finding.find('\n'), std::string::npos) << finding;
}

INSTANTIATE_TEST_SUITE_P(Faults, Verify, ::testing::ValuesIn(kFaults),
                         [](const auto& test) { return test.param.name; });

TEST(VerifyTrace, FindsNothingInATraceThatIsRight) {
  EXPECT_THAT(verify_trace(sample_trace()), testing::IsEmpty());
  EXPECT_THAT(verify_trace(sample_trace(300, 50, 50)), testing::IsEmpty());
  EXPECT_THAT(verify_trace(sample_trace(0, 3, 0)), testing::IsEmpty());
}

TEST(VerifyTrace, EveryCheckHasAFault) {
  std::set<std::string> covered;
  for (const TraceCheck& check : trace_checks())
    for (const Fault& fault : kFaults)
      if (std::string(check.name).find(fault.check) != std::string::npos) covered.insert(check.name);
  for (const TraceCheck& check : trace_checks()) EXPECT_TRUE(covered.contains(check.name)) << check.name;
}

TEST(VerifyTrace, BytesOfTheSchemaBeforeWereRounded) {
  Trace trace = sample_trace();
  set(trace.summary, "total_bytes", number(trace.summary, "total_bytes", 0) + 1);
  trace.schema_version = 2;
  EXPECT_THAT(verify_trace(trace), testing::IsEmpty());
}

// Of models that have met, what is left between them is what rounding their mean leaves; a run that diverged may be
// infinitely far apart.
TEST(VerifyTrace, NodesMayBeApartByWhatRoundingTheirMeanLeaves) {
  Trace trace = sample_trace();
  const std::size_t last = trace.progress.distance_to_optimum.size() - 1;
  ASSERT_FALSE(trace.mean_model.empty());
  trace.mean_model.assign(trace.mean_model.size(), 1);
  trace.progress.distance_to_optimum[last] = 5.98e-8;
  trace.progress.consensus_error[last] = 8.43e-8 * 8.43e-8;
  EXPECT_THAT(verify_trace(trace), testing::IsEmpty());
  trace.progress.consensus_error[last] = std::numeric_limits<double>::infinity();
  EXPECT_THAT(verify_trace(trace), testing::Not(testing::Contains(testing::HasSubstr("nodes are"))));
  trace.progress.consensus_error[last] = 1e-10;
  EXPECT_THAT(verify_trace(trace), testing::Contains(testing::HasSubstr("nodes are")));
}

// The run has said so itself.
TEST(VerifyTrace, SumsThatWereNotKeptAreNoSecondFindingOfAnInvalidRun) {
  Trace trace = sample_trace();
  trace.progress.sum_error.back() = 0.5;
  trace.summary.push_back({"sum_of_c", 0.5});
  EXPECT_FALSE(verify_trace(trace).empty());
  trace.verdict.reject("c sums to zero over the nodes in dsgt, and here to 0.5 of its size");
  EXPECT_TRUE(verify_trace(trace).empty());
}

TEST(VerifyTrace, DivergedRunsMayEndInNan) {
  Trace trace = sample_trace();
  trace.status = RunStatus::diverged;
  trace.progress.loss.back() = kNan;
  trace.mean_model[0] = kNanF;
  set(trace.summary, "final_loss", kNan);
  EXPECT_THAT(verify_trace(trace), testing::IsEmpty());
}

TEST(VerifyTrace, ConstantBatchesPassWithoutADeadline) {
  Trace trace = sample_trace();
  set(trace.config, "algorithm", std::string("dsgd"));
  for (float& batch : trace.rounds.batch)
    if (!std::isnan(batch)) batch = 20;
  EXPECT_THAT(verify_trace(trace), testing::IsEmpty());
}

}  // namespace
}  // namespace quantimed
