// SPDX-License-Identifier: BSD-3-Clause
// What the command line says of an algorithm beside its steps: resolved, checked before any work, and kept in the
// trace.
#include "config/algorithm_options.hpp"
#include "base/error.hpp"
#include "command/experiment.hpp"
#include "command/program.hpp"
#include "command/setup.hpp"
#include "trace/checks.hpp"
#include "trace/trace.hpp"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <sstream>

namespace quantimed {
namespace {

using testing::AllOf;
using testing::HasSubstr;

const std::string kOptionsRun =
    " --dataset digits:600 --nodes 4 --graph ring --samples-per-node 50 --model mlp:8 --batch 10 --iterations 6 "
    "--evaluations 2 --alpha 0.2 --epsilon 0.5 ";

Config small(const std::string& algorithm) {
  Config c;
  c.algorithm = algorithm;
  c.dataset = "gaussian-logistic:3";
  c.model = "logistic";
  c.nodes = 4;
  c.graph = "ring";
  c.iterations = 5;
  return c;
}

TEST(Resolved, GradientsOfARunAreThoseOfTheOptionOrTheAlgorithm) {
  const auto run_of = [](const Config& given) {
    const Config c = resolve(given);
    const DataSplit data = load_data(c);
    return std::pair{c, quantimed::Setup(c, data).run().gradient_until_deadline};
  };
  Config given = small("q-dsgd");
  given.quiet = true;
  EXPECT_EQ(run_of(given).first.gradient, "batch");
  EXPECT_FALSE(run_of(given).second);
  EXPECT_EQ(run_of(given).first.deadline, "");
  given.gradient = "q-dsgd=deadline";
  EXPECT_EQ(run_of(given).first.gradient, "deadline");
  EXPECT_TRUE(run_of(given).second);
  EXPECT_EQ(std::stod(run_of(given).first.deadline), std::stod(run_of(small("quantimed-dsgd")).first.deadline));
  EXPECT_EQ(run_of(small("quantimed-dsgd")).first.gradient, "deadline");
  EXPECT_TRUE(run_of(small("quantimed-dsgd")).second);
  EXPECT_EQ(resolve(run_of(given).first), run_of(given).first);
}

// A trace keeps the resolved options, which a run that is resumed, replayed or repeated resolves once more.
TEST(Resolved, OptionsStayAsTheyAreWhenTheyAreResolvedAgain) {
  for (const AlgorithmRow& row : algorithm_table()) {
    SCOPED_TRACE(row.name);
    Config given = small(row.name);
    if (row.graph.tree) given.graph = "chain";
    const Config once = resolve(given);
    EXPECT_EQ(resolve(once), once);
  }
}

TEST(Resolved, ParametersOfTheAlgorithmAreFilledInAndReachItsText) {
  for (const AlgorithmRow& row : algorithm_table()) {
    Config given = small(row.name);
    given.quiet = true;
    given.graph = row.graph.tree ? "star" : "complete";
    const Config c = resolve(given);
    EXPECT_EQ(c.parameters.size(), row.parameters.size()) << row.name;
    const DataSplit data = load_data(c);
    const Options options = quantimed::Setup(c, data).run().options, usual = usual_options(row);
    for (const ParameterRow& parameter : parameter_table())
      EXPECT_EQ(parameter.get(options), parameter.get(usual)) << row.name << " " << parameter.option;
  }
}

TEST(Checked, TheLeastEigenvalueOfWIsAboveWhatTheAlgorithmNeeds) {
  AlgorithmRow needy = find_algorithm("dsgd");
  needy.name = "needy";
  needy.least_eigenvalue = -1.0 / 3;
  Config c = small("dsgd");
  EXPECT_NO_THROW(require_eigenvalues(c, needy));  // 0 with laplacian weights
  c.mixing = "metropolis";                         // exactly -1/3 on every even ring
  EXPECT_NO_THROW(require_eigenvalues(c, find_algorithm("dsgd")));
  try {
    require_eigenvalues(c, needy);
    ADD_FAILURE() << "not refused";
  } catch (const InputError& error) {
    EXPECT_THAT(error.what(), AllOf(HasSubstr("--graph ring"), HasSubstr("-0.3333"), HasSubstr("needy"),
                                    HasSubstr("exact-diffusion")));
  }
  c.nodes = 5;  // 1/3 + 2/3 cos(4π/5) = -0.206
  EXPECT_NO_THROW(require_eigenvalues(c, needy));
}

// What is refused of all classes of codes, at 10,000 coordinates.
std::string refused_codes(AlgorithmRow row, std::size_t p = 10'000) {
  std::string refused;
  // exact, two contractions, unbiased with omega 0.39 and 100, absolute, relative
  for (const char* codec : {"exact", "top-k:0.1", "sign", "qsgd:160", "qsgd:1", "low-precision:1e-3", "modulo:1e-3,8"})
    try {
      require_codec(codec, row, p);
    } catch (const InputError& error) {
      EXPECT_THAT(error.what(), AllOf(HasSubstr(fmt::format("--codec {}: ", codec)), HasSubstr(row.name)));
      refused += fmt::format("{} ", codec);
    }
  return refused;
}

TEST(Checked, TheCodeIsOneThatTheAlgorithmsMessagesCanTake) {
  AlgorithmRow row = find_algorithm("q-dsgd");
  row.sends_its_model = false;
  for (const CodecNeed need : {CodecNeed::contraction, CodecNeed::small_error}) {
    row.codec = need;
    EXPECT_EQ(refused_codes(row), "qsgd:1 modulo:1e-3,8 ");
    EXPECT_EQ(refused_codes(row, 0), "modulo:1e-3,8 ");  // without the data the variance is not known
  }
  row.codec = CodecNeed::unbiased;
  EXPECT_EQ(refused_codes(row), "top-k:0.1 sign modulo:1e-3,8 ");
  row.codec = CodecNeed::models;
  EXPECT_EQ(refused_codes(row), "top-k:0.1 sign ");
  for (const char* name : {"quantimed-dsgd", "q-dsgd", "moniqua"})
    EXPECT_EQ(refused_codes(find_algorithm(name)), "top-k:0.1 sign ") << name;
  row.codec = CodecNeed::unbiased;
  row.quantizes = false;
  EXPECT_EQ(refused_codes(row), "");
}

// LEAD's reference follows an unbiased code of variance ω only as fast as 1/(1 + ω).
TEST(Checked, ACodeThatIsTooNoisyForItsAveragingIsRefused) {
  const Folder folder;
  const std::string line = "run --algorithm lead --codec qsgd:1" + kOptionsRun;
  const Ran refused = run_program(folder, line + "--output made.h5");
  EXPECT_EQ(refused.status, 2);
  EXPECT_THAT(refused.err, AllOf(HasSubstr("--averaging 0.5"), HasSubstr("give --averaging")));
  EXPECT_FALSE(std::filesystem::exists(folder / "made.h5"));
  EXPECT_EQ(run_program(folder, line + "--averaging 0.001 --gamma 0.001 --output made.h5").status, 0);
}

TEST(Gradients, ThatCannotBeAreRefusedByTheProgramBeforeItDoesAnything) {
  const Folder folder;
  const auto refused = [&](const std::string& line) {
    const Ran ran = run_program(folder, line + kOptionsRun + "--output made");
    EXPECT_EQ(ran.status, 2) << line;
    EXPECT_FALSE(std::filesystem::exists(folder / "made")) << line;
    return ran.err;
  };
  EXPECT_THAT(refused("run --algorithm quantimed-dsgd --gradient batch"), HasSubstr("q-dsgd is the same over a fixed"));
  EXPECT_THAT(refused("run --algorithm async-dsgd --gradient deadline"), HasSubstr("newest messages"));
  EXPECT_THAT(refused("compare --seeds 1 --gradient deadline"), HasSubstr("async-dsgd takes the newest"));
  EXPECT_THAT(refused("run --algorithm dsgd --gamma 0.2"), HasSubstr("--gamma 0.2: dsgd has no gamma"));
  EXPECT_THAT(refused("compare --algorithms dsgd,q-dsgd --gradient async=deadline"),
              HasSubstr("no algorithm is called"));
}

TEST(Gradients, AreInTheResolvedOptionsAndTheTrace) {
  const Folder folder;
  const Ran dry = run_program(folder, "compare --dry-run --seeds 1 --gradient q-dsgd=deadline" + kOptionsRun);
  ASSERT_EQ(dry.status, 0) << dry.err;
  std::map<std::string, std::string> said;
  std::string algorithm;
  std::istringstream lines(dry.out);
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("algorithm = ")) algorithm = line.substr(12);
    if (line.starts_with("gradient = ")) said[algorithm] = line.substr(11);
  }
  EXPECT_EQ(said,
            (std::map<std::string, std::string>{
                {"quantimed-dsgd", "deadline"}, {"dsgd", "batch"}, {"async-dsgd", "batch"}, {"q-dsgd", "deadline"}}));
  for (const auto& [name, gradient] : {std::pair{"quantimed-dsgd", "deadline"}, std::pair{"dsgd", "batch"}}) {
    const std::string output = std::string(name) + ".h5";
    ASSERT_EQ(run_program(folder, fmt::format("run --algorithm {} --output {}{}", name, output, kOptionsRun)).status,
              0);
    const Trace trace = read_trace(folder / output);
    EXPECT_EQ(text(trace.config, "gradient", ""), gradient);
    for (const ParameterRow& row : parameter_table()) EXPECT_EQ(find(trace.config, row.option), nullptr) << row.option;
    EXPECT_EQ(run_program(folder, "verify " + output).status, 0);
  }
}

TEST(Gradients, ThatAreOverABatchAreVerifiedAsSuch) {
  const Folder folder;
  ASSERT_EQ(run_program(folder, "run --algorithm quantimed-dsgd --output t.h5" + kOptionsRun).status, 0);
  Trace trace = read_trace(folder / "t.h5");  // batches differ
  EXPECT_EQ(checks::fixed_batches(trace), "");
  for (auto& [name, value] : trace.config)
    if (name == "gradient") value = std::string("batch");
  EXPECT_THAT(checks::fixed_batches(trace), HasSubstr("has a batch of"));
  std::erase_if(trace.config, [](const auto& entry) { return entry.first == "gradient"; });  // of an older version
  EXPECT_EQ(checks::fixed_batches(trace), "");
}

TEST(ComparedByDefault, AreThePapersFour) {
  const Folder folder;
  for (const char* command : {"compare --seeds 1", "tune --trials 1 --seeds 101"}) {
    const Ran ran =
        run_program(folder, std::string(command) + " --dry-run" + kOptionsRun.substr(0, kOptionsRun.find("--alpha")));
    ASSERT_EQ(ran.status, 0) << ran.err;
    for (const AlgorithmRow& row : algorithm_table()) {
      const std::string own = fmt::format(
          "\n{}", command[0] == 'c' ? fmt::format("algorithm = {}\n", row.name) : fmt::format("{}: alpha ", row.name));
      EXPECT_EQ(ran.out.find(own) != std::string::npos, row.is_compared) << command << " " << row.name;
    }
  }
}

}  // namespace
}  // namespace quantimed
