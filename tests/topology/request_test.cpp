// SPDX-License-Identifier: BSD-3-Clause
// What --graph and --mixing accept, and that refusals name the option, the value and the fix.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <ostream>

#include "base/error.hpp"
#include "topology/graph.hpp"
#include "topology/network.hpp"

namespace quantimed {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::ThrowsMessage;

struct Refusal {
  std::string text, fix;
};
void PrintTo(const Refusal& refusal, std::ostream* out) { *out << refusal.text; }

TEST(ParseGraph, KnowsEveryName) {
  using Kind = GraphRequest::Kind;
  EXPECT_EQ(parse_graph("ring").kind, Kind::ring);
  EXPECT_EQ(parse_graph("torus").kind, Kind::torus);
  EXPECT_EQ(parse_graph("complete").kind, Kind::complete);
  EXPECT_EQ(parse_graph("star").kind, Kind::star);
  EXPECT_EQ(parse_graph("exponential").kind, Kind::exponential);
  EXPECT_EQ(parse_graph("chain").kind, Kind::chain);
  EXPECT_EQ(parse_graph("hypercube").kind, Kind::hypercube);
  EXPECT_EQ(parse_graph("two-cliques").kind, Kind::two_cliques);
  EXPECT_EQ(parse_graph("k-regular:6").kind, Kind::k_regular);
  EXPECT_EQ(parse_graph("k-regular:6").degree, 6u);
  EXPECT_EQ(parse_graph("erdos-renyi:0.25").kind, Kind::erdos_renyi);
  EXPECT_EQ(parse_graph("erdos-renyi:0.25").probability, 0.25);
  EXPECT_EQ(parse_graph("file:C:/a b").kind, Kind::file);
  EXPECT_EQ(parse_graph("file:C:/a b").path, "C:/a b");
}

TEST(ParseGraph, IsUndoneByDescribe) {
  for (const std::string text : {"ring", "chain", "torus", "hypercube", "complete", "star", "two-cliques",
                                 "exponential", "k-regular:4", "erdos-renyi:0.4", "file:some/where"})
    EXPECT_EQ(topology::describe(parse_graph(text)), text);
}

class RefusedGraph : public testing::TestWithParam<Refusal> {};
TEST_P(RefusedGraph, NamesOptionValueAndFix) {
  const std::string text = GetParam().text, fix = GetParam().fix;
  EXPECT_THAT([&] { parse_graph(text); },
              ThrowsMessage<InputError>(AllOf(HasSubstr("--graph " + text + ":"), HasSubstr(fix))));
}
INSTANTIATE_TEST_SUITE_P(All, RefusedGraph,
                         testing::Values(Refusal{"", "choose from ring, chain, torus"},
                                         Refusal{"circle", "erdos-renyi:P"}, Refusal{"Ring", "choose from"},
                                         Refusal{"ring:5", "write --graph ring"},
                                         Refusal{"star:", "write --graph star"}, Refusal{"file", "file:PATH"},
                                         Refusal{"k-regular", "k-regular:K"}, Refusal{"k-regular:0", "from 1"},
                                         Refusal{"k-regular:2.5", "whole number"}, Refusal{"k-regular:-2", "from 1"},
                                         Refusal{"k-regular:nan", "whole number"},
                                         Refusal{"hypercube:3", "write --graph hypercube"},
                                         Refusal{"file:", "file:PATH"}, Refusal{"erdos-renyi", "erdos-renyi:P"},
                                         Refusal{"erdos-renyi:", "erdos-renyi:P"}, Refusal{"erdos-renyi:0", "(0, 1]"},
                                         Refusal{"erdos-renyi:-0.1", "(0, 1]"}, Refusal{"erdos-renyi:1.01", "(0, 1]"},
                                         Refusal{"erdos-renyi:nan", "(0, 1]"}, Refusal{"erdos-renyi:0,4", "(0, 1]"},
                                         Refusal{"erdos-renyi:0.4x", "(0, 1]"}, Refusal{"erdos-renyi: 0.4", "(0, 1]"}));

TEST(ParseMixing, KnowsEveryName) {
  using Kind = MixingRequest::Kind;
  EXPECT_EQ(parse_mixing("laplacian").kind, Kind::laplacian);
  EXPECT_EQ(parse_mixing("laplacian").kappa, 0);
  EXPECT_EQ(parse_mixing("laplacian:12.5").kappa, 12.5);
  EXPECT_EQ(parse_mixing("metropolis").kind, Kind::metropolis);
}

class RefusedMixing : public testing::TestWithParam<Refusal> {};
TEST_P(RefusedMixing, NamesOptionValueAndFix) {
  const std::string text = GetParam().text, fix = GetParam().fix;
  EXPECT_THAT([&] { parse_mixing(text); },
              ThrowsMessage<InputError>(AllOf(HasSubstr("--mixing " + text + ":"), HasSubstr(fix))));
}
INSTANTIATE_TEST_SUITE_P(All, RefusedMixing,
                         testing::Values(Refusal{"", "choose from laplacian"}, Refusal{"uniform", "metropolis"},
                                         Refusal{"metropolis:2", "write --mixing metropolis"},
                                         Refusal{"laplacian:", "positive"}, Refusal{"laplacian:0", "positive"},
                                         Refusal{"laplacian:-3", "positive"}, Refusal{"laplacian:inf", "positive"},
                                         Refusal{"laplacian:nan", "positive"}, Refusal{"laplacian:3k", "positive"}));

}  // namespace
}  // namespace quantimed
