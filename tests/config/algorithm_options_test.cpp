// SPDX-License-Identifier: BSD-3-Clause
// --gamma and its like and --gradient: what they are read as, and what they come to for an algorithm.
#include "config/algorithm_options.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "config/option_table.hpp"
#include "config/parse.hpp"
#include "config/steps.hpp"

namespace quantimed {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Pair;
using testing::UnorderedElementsAre;

constexpr ParameterUse kUses[] = {{Parameter::gamma, 0.5}, {Parameter::local_steps, 4}};

AlgorithmRow mine() {
  AlgorithmRow row = find_algorithm("dsgd");
  row.name = "mine";
  row.parameters = kUses;
  return row;
}

std::string refusal(auto what) {
  try {
    what();
  } catch (const InputError& error) {
    return error.what();
  }
  return "";
}

TEST(Parameters, ThereIsAnOptionForEachRowOfTheirTable) {
  for (const ParameterRow& row : parameter_table()) {
    const OptionRow* option = find_option(row.option);
    ASSERT_NE(option, nullptr) << row.option;
    EXPECT_EQ(std::get<Parameter>(option->field), row.parameter);
    EXPECT_EQ(option->commands & kRuns, kRuns);
    EXPECT_THAT(option->help, HasSubstr(row.help));
  }
}

TEST(Parameters, AValueOutOfItsRangeIsRefusedWithTheRange) {
  const auto error = [](const std::string& option, const std::string& value) {
    return error_of({"run", "--" + option, value});
  };
  EXPECT_EQ(error("gamma", "1.5"), "--gamma 1.5: out of range; give a number above 0 and at most 1");
  EXPECT_THAT(error("gamma", "0"), HasSubstr("out of range"));
  EXPECT_THAT(error("gamma", "nan"), HasSubstr("not a number"));
  EXPECT_THAT(error("gamma", "1e999"), HasSubstr("out of range"));
  EXPECT_THAT(error("gamma", "0.2x"), HasSubstr("not a number; give a number above 0"));
  EXPECT_EQ(error("momentum", "1"), "--momentum 1: out of range; give a number of at least 0 and below 1");
  EXPECT_EQ(error("local-steps", "2.5"), "--local-steps 2.5: not a whole number; give a whole number from 1 to 10000");
  EXPECT_THAT(error("period", "0"), AllOf(HasSubstr("--period 0: out of range"), HasSubstr("from 1 to 1000000000")));
  EXPECT_THAT(error("gamma", ""), HasSubstr("empty"));
  EXPECT_EQ(error("nesterov", "2"), "--nesterov 2: out of range; give a whole number from 0 to 1");
  EXPECT_THAT(error("overlap", "yes"), HasSubstr("not a number; give a whole number from 0 to 1"));
  EXPECT_THAT(error("beta", "-1"), HasSubstr("out of range; give const, or a number of at least 0"));
  EXPECT_THAT(error("beta", "constant"), HasSubstr("not a number; give const, or"));
  EXPECT_THAT(error("gamma", "const"), HasSubstr("not a number"));
  // Both are in the range as double, and not as the float that they become.
  EXPECT_THAT(error("momentum", "0.999999999999"), HasSubstr("single precision"));
  EXPECT_THAT(error("gamma", "1e-60"), HasSubstr("single precision"));
}

TEST(Parameters, RangesToLookForAreCheckedWhenTheyAreRead) {
  const auto error = [](const std::string& value) { return error_of({"tune", "--search", value}); };
  EXPECT_EQ(error("momentum=0.5:0.99,local-steps=2:32"), "");
  EXPECT_THAT(error("momentum=0.5"), HasSubstr("give NAME=LEAST:MOST"));
  EXPECT_THAT(error("momenta=0.5:0.9"), HasSubstr("give NAME=LEAST:MOST"));
  EXPECT_THAT(error("momentum=0.5:1"), HasSubstr("\"1\" is out of range; give a number of at least 0 and below 1"));
  EXPECT_THAT(error("momentum=0.9:0.5"), HasSubstr("momentum has no values between 0.9:0.5"));
  EXPECT_THAT(error("momentum=0.5:0.9,momentum=0:0.5"), HasSubstr("two ranges of momentum"));
  EXPECT_THAT(error("local-steps=1.5:3"), HasSubstr("not a whole number"));
  EXPECT_THAT(error("gamma=0.1:1"), HasSubstr("looked for anyway"));
  EXPECT_THAT(error("beta=const:3"), HasSubstr("no end of a range"));
  const auto ranges = searched_ranges("momentum=0.5:0.99,local-steps=2:32");
  ASSERT_EQ(ranges.size(), 2u);
  EXPECT_EQ(ranges[1].parameter, Parameter::local_steps);
  EXPECT_EQ(ranges[1].most, 32);
}

TEST(Parameters, NamesAreThoseOfAlgorithmsThatHaveThem) {
  EXPECT_THAT(error_of({"compare", "--gamma", "dsgd=0.2"}), HasSubstr("--gamma dsgd=0.2: dsgd has no gamma; "));
  EXPECT_THAT(error_of({"compare", "--gamma", "asgd=0.2"}), HasSubstr("no algorithm is called \"asgd\""));
  EXPECT_EQ(error_of({"compare", "--gamma", "0.2,0.3"}), "--gamma 0.2,0.3: two values for all; give one");
}

TEST(OptionsOfSome, ThatNoChosenAlgorithmTakesAreRefused) {
  EXPECT_THAT(
      error_of({"compare", "--algorithms", "dsgd,async-dsgd", "--deadline", "0.3"}),
      HasSubstr("--deadline 0.3: dsgd, async-dsgd have no deadline; leave it out, or choose an algorithm that has: "
                "quantimed-dsgd"));
  for (const std::vector<std::string>& words : std::vector<std::vector<std::string>>{
           {"--codec", "qsgd:4"}, {"--deadline-adapt"}, {"--sync", "neighbourhood"}}) {
    std::vector<std::string> line = {"compare", "--algorithms", "async-dsgd"};
    line.insert(line.end(), words.begin(), words.end());
    EXPECT_THAT(error_of(line), HasSubstr("async-dsgd has no ")) << words[0];
  }
  for (const char* option : {"--alpha", "--codec"})
    EXPECT_THAT(error_of({"compare", "--algorithms", "dsgd,q-dsgd", option,
                          std::string(option) == "--alpha" ? "choco-sgd=0.1" : "choco-sgd=qsgd:4"}),
                HasSubstr("is of other algorithms than dsgd, q-dsgd"))
        << option;
  EXPECT_EQ(error_of({"compare", "--algorithms", "dsgd,q-dsgd", "--codec", "qsgd:4", "--alpha", "dsgd=0.1"}), "");
  EXPECT_EQ(error_of({"compare", "--algorithms", "dsgd,async-dsgd", "--alpha", "q-dsgd=0.1, dsgd=0.2"}), "");
  EXPECT_EQ(error_of({"compare", "--algorithms", "dsgd", "--gradient", "deadline", "--deadline", "0.3"}), "");
}

TEST(OptionsOfSome, OfOneRunAreSaid) {
  const auto notices = [](const std::vector<std::string>& words) { return idle_notices(parse(words)); };
  EXPECT_THAT(notices({"run", "--algorithm", "dsgd", "--codec", "qsgd:4", "--deadline", "0.3"}),
              ElementsAre(HasSubstr("--codec qsgd:4: dsgd has no code; "), HasSubstr("dsgd has no deadline; ")));
  EXPECT_THAT(notices({"run", "--algorithm", "dsgd", "--epsilon", "0.5", "--alpha", "0.1"}), IsEmpty());
}

TEST(Parameters, OneThatNoChosenAlgorithmHasIsRefusedOnTheCommandLineAlone) {
  EXPECT_THAT(error_of({"run", "--algorithm", "dsgd", "--gamma", "0.2"}),
              HasSubstr("--gamma 0.2: dsgd has no gamma; leave it out"));
  EXPECT_THAT(error_of({"compare", "--algorithms", "dsgd,q-dsgd", "--rounds", "3"}),
              HasSubstr("--rounds 3: dsgd, q-dsgd have no rounds; leave it out"));
  EXPECT_EQ(error_of({"run", "--algorithm", "dsgd", "--gamma", "auto"}), "");
  const TemporaryFile ini("gamma = 0.2\n");  // may serve other algorithms, too
  EXPECT_EQ(error_of({"run", "--algorithm", "dsgd", "--config", ini.path()}), "");
  const std::vector<std::string> chosen = {"dsgd", "mine"}, having = {"mine"}, other = {"theirs"};
  EXPECT_NO_THROW(require_takers(row_of(Parameter::gamma), "0.2", chosen, having));
  EXPECT_EQ(refusal([&] { require_takers(row_of(Parameter::gamma), "0.2", chosen, other); }),
            "--gamma 0.2: dsgd, mine have no gamma; leave it out, or choose an algorithm that has it: theirs");
}

TEST(Parameters, EachAlgorithmHasItsOwnOrThatOfAllOrTheUsual) {
  Config c;
  EXPECT_THAT(own_parameters(c, mine()),
              UnorderedElementsAre(Pair(Parameter::gamma, "0.5"), Pair(Parameter::local_steps, "4")));
  EXPECT_TRUE(own_parameters(c, find_algorithm("dsgd")).empty());
  c.parameters[Parameter::gamma] = "0.25,mine=0.125,theirs=0.75";
  c.parameters[Parameter::local_steps] = "theirs=9";
  c.parameters[Parameter::momentum] = "0.9";  // it has none
  EXPECT_THAT(own_parameters(c, mine()),
              UnorderedElementsAre(Pair(Parameter::gamma, "0.125"), Pair(Parameter::local_steps, "4")));
  c.parameters[Parameter::gamma] = "0.25,theirs=0.75";
  c.parameters[Parameter::local_steps] = "8e0";
  const Options options = parameter_options(c, mine());
  EXPECT_EQ(options.gamma, 0.25f);
  EXPECT_EQ(options.local_steps, 8u);
  EXPECT_EQ(options.momentum, 0.0f);
  // What was resolved is resolved to the same again.
  Config resolved = c;
  resolved.parameters = own_parameters(c, mine());
  EXPECT_EQ(resolved.parameters.at(Parameter::local_steps), "8");
  EXPECT_EQ(own_parameters(resolved, mine()), resolved.parameters);
}

TEST(Parameters, OfTheTableCanBeGivenAndStayAsTheyAre) {
  for (const AlgorithmRow& row : algorithm_table())
    for (const ParameterUse& use : row.parameters) {
      const std::string option = row_of(use.parameter).option, value = value_text(row_of(use.parameter), use.usual);
      const Config c = parse({"run", "--algorithm", row.name, "--" + option, value}).config;
      EXPECT_EQ(own_parameters(c, row).at(use.parameter), value) << row.name << " " << option;
      EXPECT_EQ(error_of({"compare", "--algorithms", std::string("dsgd,") + row.name, "--" + option, value}), "");
      EXPECT_THAT(error_of({"compare", "--algorithms", std::string("dsgd,") + row.name, "--" + option,
                            fmt::format("{}@2={}", row.name, value)}),
                  HasSubstr("only --alpha and --epsilon have values for one target"));
    }
}

TEST(Gradient, IsOverABatchUnlessTheAlgorithmOrTheOptionSaysOtherwise) {
  Config c;
  EXPECT_TRUE(uses_deadline(c, find_algorithm("quantimed-dsgd")));
  EXPECT_FALSE(uses_deadline(c, find_algorithm("q-dsgd")));
  c.gradient = "q-dsgd=deadline";
  EXPECT_TRUE(uses_deadline(c, find_algorithm("q-dsgd")));
  EXPECT_FALSE(uses_deadline(c, find_algorithm("dsgd")));
  c.gradient = "deadline,q-dsgd=batch";
  EXPECT_FALSE(uses_deadline(c, find_algorithm("q-dsgd")));
  EXPECT_TRUE(uses_deadline(c, find_algorithm("dsgd")));
  EXPECT_NO_THROW(check_gradient_of(c, find_algorithm("q-dsgd")));
  EXPECT_NO_THROW(check_gradient_of(c, find_algorithm("quantimed-dsgd")));
}

TEST(Gradient, OfAnotherKindOrForNobodyIsRefused) {
  EXPECT_EQ(error_of({"run", "--gradient", "minibatch"}),
            "--gradient minibatch: not known; give batch, deadline, or one for each algorithm, dsgd=deadline");
  EXPECT_THAT(error_of({"compare", "--gradient", "asgd=deadline"}), HasSubstr("no algorithm is called \"asgd\""));
  EXPECT_THAT(error_of({"compare", "--gradient", "dsgd@2=deadline"}), HasSubstr("one target"));
  EXPECT_EQ(parse({"compare", "--gradient", "q-dsgd=deadline"}).config.gradient, "q-dsgd=deadline");
}

TEST(Gradient, ThatCannotBeIsRefusedWithTheReason) {
  const auto refused = [](const std::string& gradient, const AlgorithmRow& row, const std::string& steps = "4") {
    Config c;
    c.gradient = gradient;
    c.parameters[Parameter::local_steps] = steps;
    return refusal([&] { check_gradient_of(c, row); });
  };
  EXPECT_THAT(refused("batch", find_algorithm("quantimed-dsgd")),
              AllOf(HasSubstr("--gradient batch"), HasSubstr("q-dsgd")));
  EXPECT_THAT(refused("deadline", find_algorithm("async-dsgd")),
              AllOf(HasSubstr("--gradient deadline: async-dsgd"), HasSubstr("newest messages")));
  EXPECT_EQ(refused("dsgd=deadline", find_algorithm("async-dsgd")), "");
  EXPECT_THAT(refused("deadline", mine()), HasSubstr("mine takes 4 gradients an iteration"));
  EXPECT_EQ(refused("deadline", mine(), "1"), "");
}

TEST(OwnOptions, AreToldOfEveryAlgorithmThatHasSome) {
  const std::vector<std::string> four = compared_algorithms();
  EXPECT_EQ(own_options_text(Config{}, four), "");
  Config c;
  c.gradient = "dsgd=deadline";
  EXPECT_EQ(own_options_text(c, four), "gradients until a deadline: dsgd\n");
}

TEST(ChosenAlgorithms, AreThePapersFourUnlessOthersAreNamed) {
  EXPECT_EQ(chosen_algorithms("compare", parse({"compare"}).config),
            (std::vector<std::string>{"quantimed-dsgd", "dsgd", "async-dsgd", "q-dsgd"}));
  EXPECT_EQ(parse({"compare", "--algorithms", "paper"}).config, Config{});
  std::vector<std::string> all;
  std::vector<std::string> without_trees;
  for (const AlgorithmRow& row : algorithm_table()) {
    all.emplace_back(row.name);
    if (!row.graph.tree) without_trees.emplace_back(row.name);
  }
  EXPECT_LT(without_trees.size(), all.size());
  EXPECT_EQ(chosen_algorithms("scale", parse({"scale", "--algorithms", "all"}).config), without_trees);
  EXPECT_EQ(chosen_algorithms("scale", parse({"scale", "--algorithms", "all", "--graph", "chain"}).config), all);
  EXPECT_EQ(chosen_algorithms("run", parse({"run", "--algorithm", "dsgd"}).config), std::vector<std::string>{"dsgd"});
  EXPECT_EQ(parse({"info", "--algorithms"}).config.algorithms, all);
  EXPECT_EQ(parse({"info", "--algorithms", "--json"}).config.algorithms, all);
  EXPECT_EQ(parse({"info", "--algorithms", "dsgd"}).config.algorithms, std::vector<std::string>{"dsgd"});
  EXPECT_THAT(error_of({"compare", "--algorithms"}), HasSubstr("the value is missing"));
}

TEST(Codes, AreOneForAllOrOneForEachAlgorithm) {
  Config config;
  const auto of = [&](const std::string& text, const char* algorithm) {
    check_codes(text);
    config.codec = text;
    return codec_for(config, find_algorithm(algorithm));
  };
  EXPECT_EQ(of("modulo:1e-3,8", "q-dsgd"), "modulo:1e-3,8");
  const std::string each = "choco-sgd=top-k:0.1, q-dsgd=modulo:1e-3,8,beer=sign";
  EXPECT_EQ(of(each, "choco-sgd"), "top-k:0.1");
  EXPECT_EQ(of(each, "q-dsgd"), "modulo:1e-3,8");
  EXPECT_EQ(of(each, "beer"), "sign");
  EXPECT_EQ(of(each, "quantimed-dsgd"), "low-precision:1e-3") << "the usual one";
  EXPECT_EQ(of("qsgd:16,beer=sign", "lead"), "qsgd:16");
  const std::pair<const char*, const char*> wrong[] = {{"", "no such code"},
                                                       {"choco-sgd=", "no such code"},
                                                       {"choco=sign", "no algorithm is called \"choco\""},
                                                       {"dsgd=sign", "dsgd sends exact vectors"},
                                                       {"beer=sign,beer=qsgd:4", "two codes for beer"},
                                                       {"sign,qsgd:4", "no such code"}};
  for (const auto& [text, says] : wrong) {
    try {
      check_codes(text);
      ADD_FAILURE() << text;
    } catch (const InputError& error) {
      EXPECT_THAT(error.what(), testing::HasSubstr(says)) << text;
    }
  }
}

}  // namespace
}  // namespace quantimed
