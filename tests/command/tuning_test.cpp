// SPDX-License-Identifier: BSD-3-Clause
#include "command/tuning.hpp"

#include "base/error.hpp"
#include "command/program.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

namespace quantimed {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

constexpr double kAlpha[] = {0.01, 1}, kEpsilon[] = {0.1, 1};

TrialRun arrives(std::vector<double> times, double loss = 1) {
  return {.times = std::move(times), .final_loss = loss, .counts = true};
}
TrialRun diverges(std::size_t targets) { return {.times = std::vector<double>(targets, kForever)}; }

TEST(Tuning, EveryAlgorithmGetsTheSameNumberOfTrials) {
  for (const std::uint32_t trials : {1u, 2u, 5u, 7u, 24u, 60u})
    for (const AlgorithmRow& row : algorithm_table()) {
      auto plan = plan_grid(steps_of(row), trials - fine_trials(trials), kAlpha, kEpsilon);
      const std::size_t leaders[] = {plan.size() / 2, 0, plan.size() - 1};
      const std::size_t rest = fine_trials(trials) ? trials - plan.size() : 0;
      const auto finer = plan_around(steps_of(row), plan, leaders, rest, kAlpha, kEpsilon);
      EXPECT_EQ(finer.size(), rest) << row.name << " " << trials;
      plan.insert(plan.end(), finer.begin(), finer.end());
      std::set<std::pair<std::string, std::string>> different;
      for (const Trial& trial : plan) different.insert({trial.alpha, trial.mixing});
      EXPECT_EQ(different.size(), plan.size()) << row.name;
    }
}

// The step of the mixing is epsilon or gamma; a gamma that is given is not looked for.
TEST(Tuning, LooksForTheStepOfTheMixingToo) {
  const AlgorithmRow& choco = find_algorithm("choco-sgd");
  EXPECT_EQ(steps_of(choco).mixing, Steps::Mixing::gamma);
  EXPECT_EQ(steps_of(choco, true).mixing, Steps::Mixing::none);
  EXPECT_EQ(steps_of(find_algorithm("q-dsgd")).mixing, Steps::Mixing::epsilon);
  EXPECT_EQ(steps_of(find_algorithm("dsgt")).mixing, Steps::Mixing::none);
  EXPECT_EQ(plan_grid(steps_of(choco), 8, kAlpha, kEpsilon)[0].mixing, "0.1");
  EXPECT_EQ(plan_grid(steps_of(choco, true), 8, kAlpha, kEpsilon)[0].mixing, "1");
}

TEST(Tuning, TheGridIsLogarithmicAndHoldsItsEnds) {
  const auto trials = plan_grid(steps_of(find_algorithm("dsgd")), 3, kAlpha, kEpsilon);
  EXPECT_EQ(trials[0].alpha, "0.01");
  EXPECT_EQ(trials[1].alpha, "0.1");
  EXPECT_EQ(trials[2].alpha, "1");
  EXPECT_EQ(trials[0].mixing, "1");
  const auto both = plan_grid(steps_of(find_algorithm("quantimed-dsgd")), 8, kAlpha, kEpsilon);
  EXPECT_EQ(both[0].mixing, "0.1");
  EXPECT_EQ(both[1].mixing, "1");
  EXPECT_EQ(both[0].alpha, both[1].alpha);
  EXPECT_EQ(plan_grid(steps_of(find_algorithm("dsgd")), 1, kAlpha, kEpsilon)[0].alpha, "0.1");
}

TEST(Tuning, TheSecondPassLiesBetweenTheLeaderAndItsNeighbours) {
  const auto grid = plan_grid(steps_of(find_algorithm("dsgd")), 3, kAlpha, kEpsilon);
  const std::size_t leader[] = {1};
  const auto finer = plan_around(steps_of(find_algorithm("dsgd")), grid, leader, 4, kAlpha, kEpsilon);
  ASSERT_EQ(finer.size(), 4u);
  EXPECT_EQ(finer[0].alpha, "0.316");  // half a step of 10
  EXPECT_EQ(finer[1].alpha, "0.0316");
  EXPECT_EQ(finer[2].alpha, "0.178");  // a quarter
  EXPECT_EQ(finer[3].alpha, "0.0562");
  const auto both = plan_grid(steps_of(find_algorithm("q-dsgd")), 8, kAlpha, kEpsilon);
  for (const Trial& trial : plan_around(steps_of(find_algorithm("q-dsgd")), both, leader, 12, kAlpha, kEpsilon))
    EXPECT_LE(std::stod(trial.mixing), 1) << trial.alpha;
}

// Of a Sobol sequence: 15 points are in 15 different sixteenths of every range.
TEST(Tuning, MoreThanTwoAreLookedForAtPointsOfASobolSequence) {
  Steps steps = steps_of(find_algorithm("motef"));
  ASSERT_TRUE(steps.has_two());
  steps.searched = {{Parameter::momentum, 0.5, 0.995}};
  EXPECT_TRUE(steps.is_quasi_random());
  const auto plan = plan_quasi_random(steps, 15, kAlpha, kEpsilon);
  ASSERT_EQ(plan.size(), 15u);
  EXPECT_EQ(plan[0].alpha, "0.1");
  EXPECT_EQ(plan[0].mixing, "0.316");
  EXPECT_EQ(plan[0].others, std::vector<std::string>{"0.95"});  // 1 − β halfway between 0.5 and 0.005, as 0.05 is
  std::set<int> alphas, mixings, momenta;
  for (const Trial& trial : plan) {
    EXPECT_FALSE(trial.is_published);
    alphas.insert(static_cast<int>(std::floor(16 * std::log(std::stod(trial.alpha) / 0.01) / std::log(100) + 0.1)));
    mixings.insert(static_cast<int>(std::floor(16 * std::log(std::stod(trial.mixing) / 0.1) / std::log(10) + 0.1)));
    momenta.insert(
        static_cast<int>(std::floor(16 * std::log((1 - std::stod(trial.others[0])) / 0.5) / std::log(0.01) + 0.1)));
  }
  for (const auto& found : {alphas, mixings, momenta}) {
    EXPECT_EQ(found.size(), 15u);
    EXPECT_EQ(*found.rbegin(), 15);
  }
}

TEST(Tuning, WholeNumbersAreEachAsLikelyAsTheirShareOfTheLogarithmAndTrialsAreDifferent) {
  Steps steps = steps_of(find_algorithm("local-dsgd"));
  steps.searched = {{Parameter::local_steps, 2, 4}};
  std::map<std::string, int> count;
  for (const Trial& trial : plan_quasi_random(steps, 100, kAlpha, kEpsilon)) ++count[trial.others.at(0)];
  EXPECT_EQ(count.size(), 3u);
  EXPECT_NEAR(count["2"], 100 * std::log(2.5 / 1.5) / std::log(3), 3);
  EXPECT_NEAR(count["4"], 100 * std::log(4.5 / 3.5) / std::log(3), 3);
  const double one[] = {0.1, 0.1};
  EXPECT_EQ(plan_quasi_random(steps, 24, one, kEpsilon).size(), 3u);  // there are no more
  steps.searched = {{Parameter::nesterov, 0, 1}};
  EXPECT_EQ(plan_quasi_random(steps, 24, one, kEpsilon).size(), 2u);
}

TEST(Tuning, TargetsLieOnTheWayToTheBestAndNotAtItsEnd) {
  const auto targets = tuning_targets(10, 1);
  EXPECT_THAT(targets, ElementsAre(5.5, 3.25, 1.9, 1.45, 1.09));
  EXPECT_TRUE(tuning_targets(1, 1).empty());
  EXPECT_TRUE(tuning_targets(1, kForever).empty());
  EXPECT_TRUE(tuning_targets(kForever, kForever).empty());
}

TEST(Tuning, FewerMissesThenLessTimeThenALowerLossWin) {
  const std::vector<std::vector<TrialRun>> runs = {
      {arrives({1, kForever})}, {arrives({5, 9})}, {arrives({3, 9})}, {diverges(2)}, {arrives({3, 9}, 0.5)}};
  EXPECT_THAT(ranking(runs), ElementsAre(4, 2, 1, 0, 3));
  EXPECT_THAT(ranking(runs, 0), ElementsAre(0, 4, 2, 1, 3));
  EXPECT_EQ(score(runs[1], 1).log_time, std::log(9));
  EXPECT_TRUE(std::isinf(score(runs[3]).loss));
}

TEST(Tuning, ATimeWithinTheFirstPointsCountsAsThePointAfterIt) {
  Progress curve;
  curve.time = {0, 10, 20, 30, 40};
  curve.loss = {9, 5, 3, 2, 1};
  const std::vector<double> targets = {6, 1.5};
  const TrialRun run = trial_run(curve, true, targets);
  EXPECT_THAT(run.times, ElementsAre(10, 35));
  EXPECT_THAT(run.is_resolved, ElementsAre(false, true));
  const TrialRun late = {.times = {12, 40}, .is_resolved = {true, true}};
  const std::vector<TrialRun> runs = {late, run};
  EXPECT_FALSE(is_resolved(runs, 0)) << "that of the run whose time is the median";
  EXPECT_TRUE(is_resolved(runs, 1));
}

TEST(Tuning, MediansDecideAmongThoseThatRanWithAllSeeds) {
  const std::vector<std::vector<TrialRun>> runs = {{arrives({1})},
                                                   {arrives({3}), arrives({9}), arrives({4})},
                                                   {arrives({2}), arrives({kForever}), arrives({kForever})}};
  EXPECT_EQ(median_time(runs[1], 0), 4);
  EXPECT_THAT(ranking(runs), ElementsAre(1, 2));
  EXPECT_EQ(score(runs[2]).missed, 1);
}

TEST(Tuning, FinalistsAreTheBestForEachTargetInTurn) {
  const std::vector<std::vector<TrialRun>> runs = {
      {arrives({9, 9})}, {arrives({1, 8})}, {arrives({8, 1})}, {arrives({2, 2})}};
  EXPECT_THAT(leaders(runs, 2, 3), ElementsAre(3, 1, 2));
  EXPECT_THAT(leaders(runs, 2, 9), ElementsAre(3, 1, 2, 0));
  EXPECT_EQ(finalists(24), 8u);
  EXPECT_EQ(finalists(2), 2u);
}

TEST(Tuning, ThePlateauIsWhatCannotBeToldFromTheBest) {
  const std::vector<Trial> trials = {{"0.1", "1"}, {"0.2", "1"}, {"0.4", "1"}, {"0.8", "1"}, {"0.3", "0.5"}};
  const std::vector<std::vector<TrialRun>> runs = {
      {arrives({20})}, {arrives({10.4})}, {arrives({10})}, {arrives({10.6})}, {arrives({10})}};
  EXPECT_EQ(plateau(trials, runs, 2), "0.2–0.4");
  EXPECT_EQ(plateau(trials, runs, 4), "0.3 alone");
}

TEST(Tuning, SaysWhereTheBestLiesAtTheEdge) {
  const auto trials = plan_grid(steps_of(find_algorithm("quantimed-dsgd")), 24, kAlpha, kEpsilon);
  EXPECT_EQ(edge_of_grid({.alpha = "0.01", .mixing = "1"}, trials), "--alpha-range");
  EXPECT_EQ(edge_of_grid({.alpha = trials[6].alpha, .mixing = "0.1"}, trials), "--epsilon-range");
  EXPECT_EQ(edge_of_grid({.alpha = trials[6].alpha, .mixing = "1"}, trials), "");
}

TEST(Tuning, AQuasiRandomWinnerIsNearAnEndByItsRangesNotByTheOtherTrials) {
  Steps steps = steps_of(find_algorithm("dsgd-atc"));
  steps.searched = {{Parameter::momentum, 0.1, 0.9}};
  const std::vector<double> alphas = {0.01, 1}, mixings = {0.1, 1};
  const auto edge = [&](const char* alpha, const char* momentum) {
    return edge_of_search(steps, {.alpha = alpha, .mixing = "1", .others = {momentum}}, 9, alphas, mixings);
  };
  EXPECT_EQ(edge("0.1", "0.5"), "");
  EXPECT_EQ(edge("0.015", "0.5"), "--alpha-range");
  EXPECT_EQ(edge("0.9", "0.5"), "--alpha-range");
  EXPECT_EQ(edge("0.1", "0.11"), "--search momentum");
  EXPECT_EQ(edge("0.1", "0.89"), "--search momentum");
  steps.searched = {{Parameter::momentum, 0, 0.9}};  // there is no less than 0
  EXPECT_EQ(edge("0.1", "0.001"), "");
}

const std::string kTuningProblem =
    "--dataset digits:600 --nodes 4 --graph ring --model mlp:6 --samples-per-node 50 --batch 10 --iterations 20 "
    "--evaluations 8 --threads 1 ";

TEST(Tune, FindsStepsThatCompareTakesAsTheyAre) {
  const Folder folder;
  const Ran tune = run_program(
      folder, "tune --algorithms dsgd,q-dsgd --trials 8 --seeds 101-102 --output t --quiet " + kTuningProblem);
  ASSERT_EQ(tune.status, 0) << tune.err;
  EXPECT_EQ(without_progress(tune.err), "");
  EXPECT_THAT(tune.out, HasSubstr("quantimed compare --config t/tuned.ini"));
  EXPECT_THAT(tune.out, HasSubstr("best for each target"));
  // Each algorithm: 8 trials with one seed, 3 of them with the other one, and the published steps with both.
  const std::string csv = contents(folder / "t/trials.csv");
  std::map<std::string, int> lines;
  std::istringstream rows(csv);
  for (std::string row; std::getline(rows, row);) ++lines[row.substr(0, row.find(','))];
  EXPECT_EQ(lines["dsgd"], 8 + 3 + 2) << csv;
  EXPECT_EQ(lines["q-dsgd"], 8 + 3 + 2) << csv;
  const std::string ini = contents(folder / "t/tuned.ini");
  EXPECT_THAT(ini, Not(HasSubstr("\nalgorithm =")));
  EXPECT_THAT(ini, HasSubstr("\nalgorithms = dsgd,q-dsgd\n"));
  EXPECT_THAT(ini, testing::ContainsRegex("\nalpha = dsgd=[0-9.]+.*,q-dsgd=[0-9.]+"));

  const Ran compare = run_program(folder, "compare --config t/tuned.ini --seeds 1-2 --output c");
  ASSERT_EQ(compare.status, 0) << compare.err;
  EXPECT_THAT(compare.out, HasSubstr("tuned with equal budgets: 8 trials of each algorithm, seeds 101,102"));
  for (const auto& file : std::filesystem::directory_iterator(folder / "c"))
    if (file.path().extension() == ".h5") {
      EXPECT_THAT(text(read_trace(file.path()).config, "tuned_by", ""), HasSubstr("equal budgets"));
    }
  const Ran others = run_program(folder, "compare --config t/tuned.ini --seeds 1 --batch 20 --output d");
  EXPECT_THAT(others.out, HasSubstr("they were tuned for other options than these: batch (10)"));
  const Ran same = run_program(folder, "compare --config t/tuned.ini --seeds 101 --output e");
  EXPECT_THAT(same.out, HasSubstr("they were tuned for the seeds that judge: 101"));
}

TEST(Tune, LooksForMoreThanTwoWithTheSameBudget) {
  const Folder folder;
  const Ran tune = run_program(folder,
                               "tune --algorithms dsgd,dsgd-atc,diloco --search momentum=0:0.9,local-steps=1:3 "
                               "--trials 7 --seeds 101-102 --output t --quiet " +
                                   kTuningProblem);
  ASSERT_EQ(tune.status, 0) << tune.err;
  EXPECT_THAT(tune.out, HasSubstr("local-steps"));
  EXPECT_THAT(tune.out, Not(HasSubstr("dsgd-atc: momentum")));  // what is looked for is no option of all trials
  const std::string csv = contents(folder / "t/trials.csv");
  std::map<std::string, int> lines, quasi_random;
  std::istringstream rows(csv);
  std::string title;
  std::getline(rows, title);
  EXPECT_THAT(title, testing::EndsWith(",trace,gamma,momentum,local-steps"));
  for (std::string row; std::getline(rows, row);) {
    const std::string name = row.substr(0, row.find(','));
    ++lines[name];
    quasi_random[name] += row.find(",quasi-random,") != std::string::npos;
    EXPECT_EQ(std::count(row.begin(), row.end(), ','), std::count(title.begin(), title.end(), ',')) << row;
  }
  for (const char* name : {"dsgd", "dsgd-atc", "diloco"}) EXPECT_EQ(lines[name], 7 + 3 + 2) << name << csv;
  EXPECT_EQ(quasi_random["dsgd"], 0);
  EXPECT_EQ(quasi_random["dsgd-atc"], 7 + 3);
  const std::string ini = contents(folder / "t/tuned.ini");
  EXPECT_THAT(ini, testing::ContainsRegex("\nmomentum = dsgd-atc=[0-9.]+,diloco=[0-9.]+\n"));
  EXPECT_THAT(ini, testing::ContainsRegex("\nlocal-steps = diloco=[1-3]\n"));
  EXPECT_THAT(ini, HasSubstr("\nsearch = none\n"));
  const Ran compare = run_program(folder, "compare --config t/tuned.ini --seeds 1-2 --output c");
  ASSERT_EQ(compare.status, 0) << compare.err;
  EXPECT_THAT(compare.out, HasSubstr("tuned with equal budgets: 7 trials of each algorithm, seeds 101,102"));
  // Another search in the same folder is another study.
  const Ran other = run_program(folder,
                                "tune --algorithms dsgd,dsgd-atc,diloco --search momentum=0:0.8,local-steps=1:3 "
                                "--trials 7 --seeds 101-102 --output t --quiet " +
                                    kTuningProblem);
  EXPECT_EQ(other.status, 2);
  EXPECT_THAT(other.err, HasSubstr("search"));
}

// The times of an algorithm's row in the table under this title.
std::vector<std::string> times_under(const std::string& text, const std::string& title, const std::string& algorithm) {
  const std::size_t row = text.find("\n| " + algorithm + " ", text.find(title));
  std::istringstream words(text.substr(row, text.find('\n', row + 1) - row));
  std::vector<std::string> times;
  for (std::string word, before; words >> word; before = word)
    if (word == "s") times.push_back(before);
  return times;
}

TEST(Tune, TellsTheTimesOnTheOtherClockThatRunsOnItTake) {
  const Folder folder;
  const std::string words =
      "tune --algorithms dsgd,q-dsgd,async-dsgd --trials 1 --alpha-range 0.5,0.5 --epsilon-range 1,1 --seeds 101-103 "
      "--target-loss "
      "4.6,4.2 --budget iterations --quiet " +
      kTuningProblem;
  const Ran paper = run_program(folder, words + "--bits paper --output p"),
            wire = run_program(folder, words + "--bits wire --output w");
  ASSERT_EQ(paper.status, 0) << paper.err;
  ASSERT_EQ(wire.status, 0) << wire.err;
  const std::string wire_title = "the clock charging bits on the wire",
                    paper_title = "the clock charging the paper's bits";
  for (const char* name : {"dsgd", "q-dsgd"}) {
    const auto on_wire = times_under(paper.out, wire_title, name), of_paper = times_under(wire.out, paper_title, name);
    ASSERT_EQ(on_wire.size(), 2u) << paper.out;
    const auto wire_all = times_under(wire.out, "algorithm", name),
               paper_all = times_under(paper.out, "algorithm", name);
    ASSERT_GE(wire_all.size(), 2u) << wire.out;
    ASSERT_GE(paper_all.size(), 2u) << paper.out;
    for (std::size_t k = 0; k < 2; ++k) {
      EXPECT_EQ(on_wire[k], wire_all[k]) << paper.out << wire.out;
      EXPECT_EQ(of_paper[k], paper_all[k]) << paper.out << wire.out;
    }
    EXPECT_NE(on_wire, of_paper) << "the clocks are the same here";
  }
  EXPECT_THAT(paper.out, testing::ContainsRegex("async-dsgd +[|] another run"));
}

TEST(Tune, RefusesInOneLine) {
  const Folder folder;
  for (const char* bad : {"--alpha-range 1", "--alpha-range 2,1", "--epsilon-range 0,1", "--trials 0", "--alpha 0.2",
                          "--iterations 20 --max-time 5", "--search momentum=0.5:0.9", "--search momentum",
                          "--algorithms dsgd-atc --momentum 0.5 --search momentum=0.5:0.9"}) {
    const Ran ran = run_program(folder, std::string("tune --dataset digits ") + bad);
    EXPECT_EQ(ran.status, 2) << bad;
    EXPECT_EQ(std::count(ran.err.begin(), ran.err.end(), '\n'), 1) << ran.err;
  }
}

TEST(Tune, ADryRunSaysWhatItWouldCost) {
  const Folder folder;
  const Ran ran = run_program(folder, "tune --algorithms dsgd --trials 8 --dry-run " + kTuningProblem);
  EXPECT_EQ(ran.status, 0) << ran.err;
  EXPECT_THAT(ran.out, HasSubstr("# 17 runs, "));  // 8 + 3 with two more seeds + the published with 3
  EXPECT_FALSE(std::filesystem::exists(folder / "runs"));
}

}  // namespace
}  // namespace quantimed
