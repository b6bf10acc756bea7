// SPDX-License-Identifier: BSD-3-Clause
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <regex>
#include <set>
#include <sstream>

#include "algorithm/table.hpp"
#include "base/build_info.hpp"
#include "config/parse.hpp"
#include "here.hpp"

namespace quantimed {
namespace {

using testing::HasSubstr;
using testing::Not;

std::string cited(std::vector<std::string> words) {
  words.insert(words.begin(), "cite");
  return parse(words).help;
}

TEST(Cite, ThePapersOfTheAlgorithmsThatAreNamed) {
  const std::string two = cited({"choco-sgd", "dsgt-atc"});
  EXPECT_THAT(two, HasSubstr("\n% choco-sgd\n"
                             "@inproceedings{koloskova2019decentralized,\n"
                             "  author = {{Koloskova} and {Stich} and {Jaggi}},\n"
                             "  title = {{Decentralized stochastic optimization and gossip algorithms with compressed "
                             "communication}},\n"
                             "  booktitle = {ICML},\n"
                             "  year = {2019}\n}\n"));
  EXPECT_THAT(two, HasSubstr("\n% dsgt-atc\n@article{dilorenzo2016next,\n  author = {{Di Lorenzo} and {Scutari}},\n"
                             "  title = {{NEXT: in-network nonconvex optimization}},\n  journal = {IEEE TSIPN},\n"));
  EXPECT_THAT(two, Not(HasSubstr("reisizadeh")));
  EXPECT_THAT(cited({"diloco"}), HasSubstr("@misc{douillard2023diloco,\n  author = {{Douillard} and others},"));
  EXPECT_THAT(cited({"ecd-psgd", "dcd-psgd"}),
              HasSubstr("\n% ecd-psgd, dcd-psgd\n@inproceedings{tang2018communication,"));
  EXPECT_THAT(cited({"allreduce-sgd"}), HasSubstr("% allreduce-sgd: no paper of its own"));
}

TEST(Cite, EveryAlgorithmHasAnEntryWithAKeyOfItsOwn) {
  const std::string all = cited({"all"});
  const std::regex lines("\n% ([^\n:]*)"), keys("@[a-z]+\\{([a-z]+[0-9]{4}[a-z0-9]+),");
  std::set<std::string> algorithms, papers;
  for (std::sregex_iterator line(all.begin(), all.end(), lines), end; line != end; ++line) {
    std::istringstream names((*line)[1]);
    for (std::string name; std::getline(names >> std::ws, name, ',');) algorithms.insert(name);
  }
  EXPECT_EQ(algorithms.size(), algorithm_table().size());
  std::set<std::string> known;
  for (const AlgorithmRow& row : algorithm_table())
    if (std::string(row.paper).find("yardstick") == std::string::npos) known.insert(row.paper);
  std::size_t count = 0;
  for (std::sregex_iterator key(all.begin(), all.end(), keys), end; key != end; ++key, ++count)
    papers.insert((*key)[1]);
  EXPECT_EQ(papers.size(), known.size());
  EXPECT_EQ(count, known.size());
}

TEST(Cite, WithoutANameTheFourThatAreCompared) {
  EXPECT_EQ(cited({}), parse({"--cite"}).help);
  EXPECT_EQ(cited({}), cited({"quantimed-dsgd", "dsgd", "async-dsgd", "q-dsgd"}));
  EXPECT_EQ(parse({"--cite", "lead"}).help, cited({"lead"}));
}

TEST(Cite, TheProgramAsItsCitationFileSays) {
  std::ifstream file(QUANTIMED_TESTS_DIR "/../CITATION.cff");
  std::string text((std::istreambuf_iterator<char>(file)), {});
  const std::string entry = cited({}).substr(0, cited({}).find("\n%"));
  EXPECT_THAT(entry, HasSubstr(build::kCommit));
  for (const char* field : {"title", "version", "license", "name"}) {
    std::smatch found;
    ASSERT_TRUE(std::regex_search(text, found, std::regex(std::string("\n[ -]*") + field + ": \"?([^\"\n]*)")));
    EXPECT_THAT(entry, HasSubstr(found[1].str()));
  }
}

TEST(Cite, WhatIsNoAlgorithmIsOneLine) {
  EXPECT_EQ(error_of({"cite", "choco"}), "cite choco: not an algorithm; quantimed info --algorithms lists them");
  EXPECT_EQ(error_of({"cite", "choco-sdg"}), "cite choco-sdg: not an algorithm; did you mean choco-sgd?");
  EXPECT_THAT(error_of({"cite", "--nodes", "4"}), HasSubstr("--nodes"));
}

}  // namespace
}  // namespace quantimed
