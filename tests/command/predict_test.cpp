// SPDX-License-Identifier: BSD-3-Clause
// `calibrate`, `run --machine` and `predict`, as a user would call them.
#include "command/program.hpp"
#include "machine/placement.hpp"
#include "timing/machine_file.hpp"
#include "trace/trace.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace quantimed {
namespace {

using testing::HasSubstr;

const std::string kPredictedRun = "--dataset digits:2500 --model mlp:6 --samples-per-node 50 --batch 10 --quiet ";

class Predict : public ::testing::Test {
 protected:
  void SetUp() override {
    if (usable_cores().size() < 2) GTEST_SKIP() << "messages need two cores";
  }
  Folder folder;
};

TEST_F(Predict, AMachineIsCalibratedAndItsRunsPredicted) {
  Ran ran = run_program(folder, "calibrate --nodes 2 --output m.ini " + kPredictedRun);
  ASSERT_EQ(ran.status, 0) << ran.err;
  const MachineFile machine = read_machine_file(folder / "m.ini");
  EXPECT_EQ(machine.cores, 2u);
  ASSERT_EQ(machine.codes.size(), 2u);
  EXPECT_EQ(machine.costs("exact").encode_s, 0);
  for (const auto& [code, costs] : machine.codes) {
    EXPECT_GT(costs.gradient_time(10), 0);
    EXPECT_GT(costs.mix_time(1), 0);
    EXPECT_GT(costs.latency_s, 0);
    EXPECT_GT(costs.deadline_sample_s, 0);
  }
  // Without stragglers and links a predicted round of DSGD is the sum of its steps, however many nodes there are.
  ran = run_program(
      folder,
      "run --algorithm dsgd --machine m.ini --nodes 20 --graph ring --iterations 30 --output p.h5 " + kPredictedRun);
  ASSERT_EQ(ran.status, 0) << ran.err;
  const Trace trace = read_trace(folder / "p.h5");
  EXPECT_THAT(verify_trace(trace), testing::IsEmpty());
  const MachineCosts& exact = machine.costs("exact");
  EXPECT_NEAR(trace.progress.time.back(),
              30 * (exact.publish_s + exact.gradient_time(10) + exact.receive_s + exact.mix_time(2) + exact.record_s),
              1e-3 * trace.progress.time.back() + 30 * exact.latency_s);
}

TEST_F(Predict, WhatWasNotToBeTrustedWhenItWasMeasuredIsNotWhenItIsUsed) {
  ASSERT_EQ(run_program(folder, "calibrate --nodes 2 --output m.ini " + kPredictedRun).status, 0);
  MachineFile machine = read_machine_file(folder / "m.ini");
  machine.invalid = "node 1 waited for its core";
  write_machine_file(folder / "m.ini", machine);
  const Ran ran =
      run_program(folder,
                  "compare --algorithms dsgd,q-dsgd --machine m.ini --nodes 3 --graph ring --dataset digits:2500 "
                  "--model mlp:6 --samples-per-node 50 --batch 10 --iterations 5 --seeds 1 --output c");
  ASSERT_EQ(ran.status, 0) << ran.err;
  EXPECT_THAT(ran.err, HasSubstr("do not trust what it predicts: when it was calibrated, node 1 waited for its core"));
  EXPECT_THAT(ran.out,
              HasSubstr("WARNING: The predicted times are not to be trusted: when m.ini was calibrated, node"));
  EXPECT_EQ(text(read_trace(folder / "c/dsgd-seed1.h5").config, "machine_doubts", ""), machine.invalid);
}

TEST_F(Predict, SetsPredictionBesideMeasurement) {
  const Ran ran =
      run_program(folder,
                  "predict --nodes 2 --graph complete --algorithms dsgd,async-dsgd --iterations 60 --repeats 2 "
                  "--cores 2,8 --speed uniform:2000,9000 --link alpha-beta:1e-4,1e9 --output p " +
                      kPredictedRun);
  ASSERT_EQ(ran.status, 0) << ran.err;
  for (const char* words :
       {"predicted", "measured", "dsgd", "async-dsgd", "2 measured runs", "| async-dsgd | 8 ", "p/machine.ini"})
    EXPECT_THAT(ran.out, HasSubstr(words));
  for (const char* file : {"p/measured-dsgd-repeat1.h5", "p/measured-dsgd-repeat2.h5", "p/predicted-dsgd-n2.h5"})
    EXPECT_THAT(verify_trace(read_trace(folder / file)), testing::IsEmpty()) << file;
}

TEST_F(Predict, GivenAgainItTakesItsOwnMeasurementAgain) {
  const std::string predict =
      "predict --nodes 2 --graph complete --algorithms dsgd --iterations 60 --repeats 1 --output p " + kPredictedRun;
  ASSERT_EQ(run_program(folder, predict).status, 0);
  const std::string machine = contents(folder / "p/machine.ini");
  const Ran again = run_program(folder, predict);
  EXPECT_EQ(again.status, 0) << again.err;
  EXPECT_EQ(contents(folder / "p/machine.ini"), machine);
  EXPECT_THAT(again.out, HasSubstr("2 runs were complete already and are kept"));
  EXPECT_THAT(again.out, HasSubstr("Machine file p/machine.ini, kept from "));
  // Of something else it is not taken, and the line says how it could be.
  const Ran other =
      run_program(folder,
                  "predict --nodes 2 --graph complete --algorithms dsgd --iterations 60 --repeats 1 --output p --quiet "
                  "--dataset gaussian-logistic:3 --model logistic --samples-per-node 50 --batch 10");
  EXPECT_EQ(other.status, 2);
  EXPECT_THAT(other.err, HasSubstr("p/machine.ini: was measured with another --dataset: digits:2500, not "));
  EXPECT_THAT(other.err, HasSubstr("--machine p/machine.ini"));
  EXPECT_EQ(contents(folder / "p/machine.ini"), machine);
  // Nor where no trace is left to say what the nodes were.
  for (const auto& trace : {"p/measured-dsgd-repeat1.h5", "p/predicted-dsgd-n2.h5"})
    std::filesystem::remove(folder / trace);
  const Ran elsewhere = run_program(folder, predict + "--placement spread");
  EXPECT_EQ(elsewhere.status, 2);
  EXPECT_THAT(elsewhere.err, HasSubstr("p/machine.ini: was measured with another --placement: compact, not spread"));
  EXPECT_EQ(run_program(folder, predict + "--overwrite").status, 0);
  EXPECT_NE(contents(folder / "p/machine.ini"), machine);
}

// Of a machine file whose links are known, what a message between hosts takes is what a round takes.
TEST_F(Predict, ARunOverRanksWaitsForItsLinks) {
  ASSERT_EQ(run_program(folder, "calibrate --nodes 2 --output plain.ini " + kPredictedRun).status, 0);
  MachineFile machine = read_machine_file(folder / "plain.ini");
  machine.links.library = "some MPI";
  machine.links.two_hosts = {
      .pairs = 1, .one_way = {{64, 2.0}}, .low = {{64, 2.0}}, .high = {{64, 2.0}}, .gap = {{64, 0.5}}};
  write_machine_file(folder / "m.ini", machine);
  const std::string run = "run --algorithm dsgd --nodes 4 --graph ring --iterations 10 " + kPredictedRun;
  Ran ran = run_program(folder, run + "--machine m.ini --ranks 2 --hosts 2 --output p.h5");
  ASSERT_EQ(ran.status, 0) << ran.err;
  const Trace trace = read_trace(folder / "p.h5");
  EXPECT_THAT(verify_trace(trace), testing::IsEmpty());
  // Two messages leave each rank, half a second after each other; nodes go on as they come.
  EXPECT_GT(trace.progress.time.back(), 10 * 2.0);
  EXPECT_LT(trace.progress.time.back(), 10 * 3.5);
  EXPECT_EQ(number(trace.summary, "messages_between_ranks", 0), 10 * 4);
  EXPECT_EQ(number(trace.summary, "messages_between_hosts", 0), 10 * 4);
  EXPECT_EQ(number(trace.summary, "messages_within_ranks", 0), 10 * 4);
  const std::string predict =
      "predict --algorithms dsgd --nodes 2 --graph ring --iterations 20 --repeats 1 --output p " + kPredictedRun;
  ran = run_program(folder, predict + "--machine m.ini --cores 4,6 --ranks 2 --hosts 2");
  ASSERT_EQ(ran.status, 0) << ran.err;
  for (const char* words : {"Over 2 ranks on 2 hosts", "some MPI", "between hosts", "Assumed: "})
    EXPECT_THAT(ran.out, HasSubstr(words));
  EXPECT_THAT(verify_trace(read_trace(folder / "p/predicted-dsgd-n6-ranks2-hosts2.h5")), testing::IsEmpty());
  const struct {
    std::string arguments, says;
  } cases[] = {
      {run + "--machine plain.ini --ranks 2", "plain.ini has no link between ranks on one host"},
      {run + "--machine m.ini --ranks 3 --hosts 2", "m.ini has no link between ranks on one host"},
      {run + "--machine m.ini --ranks 5", "--ranks 5: each needs a node"},
      {run + "--machine m.ini --ranks 2 --hosts 3", "--hosts 3: each needs a rank"},
      {run + "--machine m.ini --hosts 3", "--hosts 3: are those of predicted ranks"},
      {run + "--machine m.ini --ranks 2 --hosts 2 --link alpha-beta:1e-3,1e9", "--link alpha-beta:1e-3,1e9"},
      {run + "--machine m.ini --ranks 2 --hosts 2 --fault crash:1@0.1", "--fault"},
      {run + "--ranks 2", "--ranks 2: is for a run over MPI that virtual time predicts"},
      {"run --algorithm async-dsgd --machine m.ini --ranks 2 --hosts 2 --nodes 4 " + kPredictedRun,
       "async-dsgd sends the newest"},
      {predict + "--machine m.ini --ranks 2 --hosts 2", "--cores"},
      {predict + "--machine plain.ini --cores 4 --ranks 2 --hosts 2",
       "plain.ini has no link between ranks on two hosts"},
      {predict + "--cores 4 --ranks 2 --hosts 2", "--machine FILE"},
  };
  for (const auto& [arguments, says] : cases) {
    const Ran refused = run_program(folder, arguments);
    EXPECT_EQ(refused.status, 2) << arguments;
    EXPECT_THAT(refused.err, HasSubstr(says));
    EXPECT_EQ(std::count(refused.err.begin(), refused.err.end(), '\n'), 1) << refused.err;
  }
}

TEST_F(Predict, AMachineFileIsForItsOwnModel) {
  ASSERT_EQ(run_program(folder, "calibrate --nodes 2 --output m.ini " + kPredictedRun).status, 0);
  const struct {
    std::string arguments, says;
  } cases[] = {
      {"run --machine m.ini --dataset digits:2500 --samples-per-node 50 --model mlp:7",
       "--machine m.ini: measured for mlp:6"},
      {"run --machine m.ini --algorithm q-dsgd --codec rounding " + kPredictedRun, "code rounding"},
      {"run --machine m.ini --engine threads " + kPredictedRun, "--machine m.ini: on threads"},
      {"run --machine m.ini --link paper:3 " + kPredictedRun, "--link paper:3"},
      {"run --machine none.ini " + kPredictedRun, "--machine none.ini"},
      {"predict --machine none.ini " + kPredictedRun, "--machine none.ini"},
      {"calibrate --nodes 1 " + kPredictedRun, "--nodes 1"},
  };
  for (const auto& [arguments, says] : cases) {
    const Ran ran = run_program(folder, arguments);
    EXPECT_EQ(ran.status, 2) << arguments;
    EXPECT_THAT(ran.err, HasSubstr(says));
    EXPECT_EQ(std::count(ran.err.begin(), ran.err.end(), '\n'), 1) << ran.err;
  }
}

}  // namespace
}  // namespace quantimed
