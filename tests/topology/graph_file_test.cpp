// SPDX-License-Identifier: BSD-3-Clause
// --graph file:PATH with files good and hostile.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <fstream>

#include "base/error.hpp"
#include "topology/graph.hpp"

namespace quantimed::topology {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;
using testing::Pair;
using testing::ThrowsMessage;

class GraphFile : public testing::Test {
 protected:
  // Tests run side by side as processes of their own: each has its own file.
  const std::string path_ =
      testing::TempDir() + "quantimed_graph_" + testing::UnitTest::GetInstance()->current_test_info()->name() + ".txt";
  ~GraphFile() override { std::filesystem::remove(path_); }

  Edges read(const std::string& text, std::uint32_t nodes) {
    std::ofstream(path_, std::ios::binary) << text;
    std::uint32_t redraws = 0;
    return make_edges(parse_graph("file:" + path_), nodes, 1, redraws);
  }
  Network network(const std::string& text, std::uint32_t nodes,
                  const std::string& kind = "file:", const std::string& mixing = "laplacian") {
    std::ofstream(path_, std::ios::binary) << text;
    return make_network(parse_graph(kind + path_), parse_mixing(mixing), nodes, 1);
  }
  void expect_refusal(const std::string& text, const testing::Matcher<std::string>& message) {
    EXPECT_THAT([&] { read(text, 5); },
                ThrowsMessage<InputError>(AllOf(HasSubstr("--graph file:" + path_), message, Not(HasSubstr("\n")))));
  }
};

TEST_F(GraphFile, IsReadWithCommentsBlanksAndAnyLineEnd) {
  EXPECT_THAT(read("# a triangle\r\n0 1\r\n\r\n \t1   2 # side\n2\t0", 3),
              ElementsAre(Pair(0, 1), Pair(0, 2), Pair(1, 2)));
}

TEST_F(GraphFile, MayBeginWithAByteOrderMark) {
  EXPECT_THAT(read("\xef\xbb\xbf"
                   "0 1\r1 2\r",
                   3),
              ElementsAre(Pair(0, 1), Pair(1, 2)));
}

TEST_F(GraphFile, CountsAnEdgeOnce) { EXPECT_THAT(read("0 1\n1 0\n0 1\n", 2), ElementsAre(Pair(0, 1))); }

TEST_F(GraphFile, MayBeEmptyForASingleNode) { EXPECT_TRUE(read("", 1).empty()); }

TEST_F(GraphFile, RefusalsNameTheLine) {
  expect_refusal("0 1\n\n1 5\n", AllOf(HasSubstr("line 3"), HasSubstr("node 5"), HasSubstr("0 to 4")));
  expect_refusal("0 1\n2 2", AllOf(HasSubstr("line 2"), HasSubstr("itself")));
  expect_refusal("3\n", AllOf(HasSubstr("line 1"), HasSubstr("stands alone")));
  expect_refusal("0 1 0.5 7\n", AllOf(HasSubstr("line 1"), HasSubstr("\"7\" is too much")));
  expect_refusal("0 -> 1\n", AllOf(HasSubstr("line 1"), HasSubstr("directed-file:PATH")));
  expect_refusal("0,1 2\n", AllOf(HasSubstr("line 1"), HasSubstr("\"0,1\" is no node")));
  expect_refusal("0 -1\n", HasSubstr("no node"));
  expect_refusal("0 1.0\n", HasSubstr("no node"));
  expect_refusal("0 0x1\n", HasSubstr("no node"));
}

TEST_F(GraphFile, WeightsAreThoseOfW) {
  const Network w = network("0 1 0.25\n2 1 5e-1\n1 0 0.25\n", 3);
  EXPECT_THAT(w.edges, ElementsAre(Pair(0, 1), Pair(1, 2)));
  EXPECT_THAT(w.weights, ElementsAre(0.25, 0.5));
  EXPECT_THAT(w.self_weights, ElementsAre(0.75, 0.25, 0.5));
  EXPECT_EQ(w.neighbours(1)[1].weight, 0.5f);
  // Of [[3 1 0] [1 1 2] [0 2 2]] / 4, whose eigenvalues are 1, (1 + √3)/4 and (1 − √3)/4.
  EXPECT_NEAR(w.beta, (1 + std::sqrt(3.0)) / 4, 1e-12);
}

TEST_F(GraphFile, WeightsThatCannotBeAreRefused) {
  expect_refusal("0 1 0,5\n", AllOf(HasSubstr("line 1"), HasSubstr("\"0,5\" is no weight")));
  expect_refusal("0 1 nan\n", HasSubstr("a weight of nan cannot be"));
  for (const char* weight : {"0", "-0.1", "1.5", "inf", "1e-400", "1e400"})
    expect_refusal(std::string("0 1 ") + weight, AllOf(HasSubstr("line 1"), HasSubstr(weight)));
  expect_refusal("0 1 0.5\n1 2\n", AllOf(HasSubstr("line 2"), HasSubstr("no weight"), HasSubstr("line 1")));
  expect_refusal("0 1\n1 2 0.5\n", AllOf(HasSubstr("line 2"), HasSubstr("a weight"), HasSubstr("line 1")));
  expect_refusal("0 1 0.5\n# again\n1 0 0.4\n",
                 AllOf(HasSubstr("line 3"), HasSubstr("0.4"), HasSubstr("0.5 in line 1")));
  EXPECT_THAT([&] { network("0 1 0.5\n1 2 0.6\n", 3); },
              ThrowsMessage<InputError>(AllOf(HasSubstr("node 1's links sum to 1.1"))));
  EXPECT_THAT([&] { network("0 1 1\n", 2); }, ThrowsMessage<InputError>(HasSubstr("two colours")));
  EXPECT_THAT([&] { network("0 1 0.5\n", 2, "file:", "metropolis"); },
              ThrowsMessage<InputError>(HasSubstr("weights of its own")));
}

TEST_F(GraphFile, LinksMayHaveADirection) {
  const Network ring = network("0 -> 1\n1 2\n2 -> 0 # back\n", 3, "directed-file:");
  EXPECT_TRUE(ring.is_scheduled());
  EXPECT_TRUE(ring.rows_sum_to_one);
  std::vector<Neighbour> room;
  ASSERT_EQ(ring.sources(0, 7, room).size(), 1u);
  EXPECT_EQ(ring.sources(0, 7, room)[0].id, 2u);
  EXPECT_EQ(ring.readers(0, 7, room)[0].id, 1u);
  EXPECT_EQ(ring.sources(0, 7, room)[0].weight, 0.5f);
  EXPECT_EQ(ring.self_weight(0, 7), 0.5);
  EXPECT_EQ(ring.reader_count(1, 7), 1u);
  EXPECT_EQ(ring.messages_until_all_hear(0, 0, 1), 2u);
}

TEST_F(GraphFile, WhereNodesHearMoreThanHearThemColumnsAloneSumToOne) {
  const Network w = network("0 1\n1 2\n2 0\n0 2\n", 3, "directed-file:");
  EXPECT_FALSE(w.rows_sum_to_one);
  EXPECT_THAT(w.self_weights, ElementsAre(testing::DoubleEq(1 / 3.0), 0.5, 0.5));
  // W = [[1/3 0 1/2] [1/3 1/2 0] [1/3 1/2 1/2]]: its characteristic polynomial over (x − 1) is x² − x/3 + 1/12, so the
  // other two are a pair of modulus √(1/12).
  EXPECT_NEAR(w.beta, std::sqrt(1 / 12.0), 1e-12);
}

TEST_F(GraphFile, DirectedWeightsAreTheReaders) {
  const Network w = network("0 1 0.2\n1 0 0.3\n", 2, "directed-file:");
  std::vector<Neighbour> room;
  EXPECT_EQ(w.sources(1, 0, room)[0].weight, 0.2f);
  EXPECT_DOUBLE_EQ(w.self_weight(0, 0), 0.8);
  EXPECT_FALSE(w.rows_sum_to_one);
  const auto refuses = [&](const std::string& text, const std::string& why) {
    EXPECT_THAT([&] { network(text, 3, "directed-file:"); },
                ThrowsMessage<InputError>(AllOf(HasSubstr("--graph directed-file:"), HasSubstr(why))));
  };
  refuses("0 1\n1 2\n", "what node 1 sends reaches node 0 on no way");
  refuses("1 0\n2 0\n", "what node 0 sends reaches node 1 on no way, and 2 of 3 nodes are like that");
  refuses("0 1 1\n1 2 1\n2 0 1\n", "none keeps a part");
  refuses("0 1 0.6\n0 2 0.6\n1 0 0.1\n2 0 0.1\n", "node 0's outgoing links sum to 1.2");
  refuses("", "on no way");
}

TEST_F(GraphFile, SurvivesNonsense) {
  expect_refusal("0 4294967297\n", HasSubstr("no node 4294967297"));  // 1, were it cut to 32 bits
  expect_refusal("0 99999999999999999999999999\n", HasSubstr("no node 9999"));
  expect_refusal(std::string("0 \0001\n", 5), HasSubstr("line 1 has a zero byte"));
  expect_refusal("0 \0011\n", HasSubstr("\"?1\""));
  expect_refusal("0 \x1b[31m\n", HasSubstr("\"?[31m\""));
  expect_refusal(std::string("\xff\xfe"
                             "0\0 \0",
                             6),
                 HasSubstr("UTF-16"));
  expect_refusal("0 " + std::string(1 << 20, 'x'), AllOf(HasSubstr("xxx…"), testing::SizeIs(testing::Lt(400u))));
}

TEST_F(GraphFile, MustExistAndBeAFile) {
  std::uint32_t redraws = 0;
  const auto open = [&](const std::string& path) { make_edges(parse_graph("file:" + path), 2, 1, redraws); };
  EXPECT_THAT([&] { open(path_ + ".missing"); }, ThrowsMessage<InputError>(HasSubstr("cannot be opened")));
  EXPECT_THAT([&] { open(testing::TempDir()); }, ThrowsMessage<InputError>(HasSubstr("is a folder")));
}

TEST_F(GraphFile, HasABoundedSize) {
  std::ofstream(path_) << "0 1\n";
  std::filesystem::resize_file(path_, kMaxFileBytes + 1);  // sparse: takes no room on the disk
  std::uint32_t redraws = 0;
  EXPECT_THAT([&] { make_edges(parse_graph("file:" + path_), 2, 1, redraws); },
              ThrowsMessage<InputError>(HasSubstr("longer than 256 MiB")));
}

}  // namespace
}  // namespace quantimed::topology
