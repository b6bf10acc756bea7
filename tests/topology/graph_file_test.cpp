// SPDX-License-Identifier: BSD-3-Clause
// --graph file:PATH with files good and hostile.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

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
  expect_refusal("0 1 0.5\n", AllOf(HasSubstr("line 1"), HasSubstr("--mixing")));
  expect_refusal("0,1 2\n", AllOf(HasSubstr("line 1"), HasSubstr("\"0,1\" is no node")));
  expect_refusal("0 -1\n", HasSubstr("no node"));
  expect_refusal("0 1.0\n", HasSubstr("no node"));
  expect_refusal("0 0x1\n", HasSubstr("no node"));
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
