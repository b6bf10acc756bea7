// SPDX-License-Identifier: BSD-3-Clause
#include "dataset/files.hpp"

using namespace quantimed;
using testing::ElementsAre;
using testing::HasSubstr;

namespace {

DataSplit parse(const std::string& text) {
  const TemporaryFolder folder;
  write_file(folder / "data.txt", text);
  return load(folder / "data.txt");
}

std::string error_in(const std::string& text) {
  const TemporaryFolder folder;
  write_file(folder / "data.txt", text);
  return error_of(folder / "data.txt");
}

}  // namespace

TEST(Libsvm, ReadsDenseRowsWithSignsCommentsAndBlankLines) {
  const Dataset d = parse("+1 1:0.5 3:-2e1 # first\r\n\n# nothing\n-1 2:+4\n+1\n").train;
  EXPECT_EQ(d.samples, 3u);
  EXPECT_EQ(d.features, 3u);
  EXPECT_EQ(d.classes, 2u);
  EXPECT_THAT(d.values, ElementsAre(0.5f, 0, -20, 0, 4, 0, 0, 0, 0));
  EXPECT_THAT(d.targets, ElementsAre(1, 0, 1));
  EXPECT_TRUE(d.bytes.empty());
}

TEST(Libsvm, RenumbersIntegerLabels) {
  const Dataset d = parse("7 1:1\n3 1:1\n5 1:1\n3 1:1").train;
  EXPECT_EQ(d.classes, 3u);
  EXPECT_THAT(d.targets, ElementsAre(2, 0, 1, 0));
}

TEST(Libsvm, OtherLabelsAreValues) {
  const Dataset d = parse("0.5 1:1\n3 1:1").train;
  EXPECT_EQ(d.classes, 0u);
  EXPECT_THAT(d.targets, ElementsAre(0.5f, 3));
}

TEST(Libsvm, ManyIntegerLabelsAreValues) {
  std::string text;
  for (int i = 0; i < 1001; ++i) text += std::to_string(i) + " 1:1\n";
  EXPECT_EQ(parse(text).train.classes, 0u);
}

TEST(Libsvm, AcceptsIndicesFromZero) {
  const Dataset d = parse("1 0:5 1:6\n2 1:7\n").train;
  EXPECT_THAT(d.values, ElementsAre(5, 6, 0, 7));
}

TEST(Libsvm, ReadsTheTestFileBesideIt) {
  const TemporaryFolder folder;
  write_file(folder / "a9a", "-1 1:1\n+1 2:1\n");
  write_file(folder / "a9a.t", "+1 1:1 3:1\n");
  const DataSplit split = load(folder / "a9a");
  ASSERT_TRUE(split.test);
  EXPECT_EQ(split.train.features, 2u);
  EXPECT_EQ(split.test->features, 2u);
  EXPECT_THAT(split.test->targets, ElementsAre(1));
}

TEST(Libsvm, ReadsGzip) {
  const TemporaryFolder folder;
  write_gzip(folder / "data.gz", "1 1:1\n2 1:2\n");
  EXPECT_EQ(load(folder / "data.gz").train.samples, 2u);
}

TEST(Libsvm, RejectsWhatIsNotItsFormat) {
  EXPECT_THAT(error_in("1 1:1\nhello 1:1\n"), HasSubstr("line 2: label \"hello\" is not a number"));
  EXPECT_THAT(error_in("1 one:1\n"), HasSubstr("\"one:1\" is not INDEX:VALUE"));
  EXPECT_THAT(error_in("1 -1:1\n"), HasSubstr("is not INDEX:VALUE"));
  EXPECT_THAT(error_in("1 1\n"), HasSubstr("is not INDEX:VALUE"));
  EXPECT_THAT(error_in("1 1:\n"), HasSubstr("is not a number"));
  EXPECT_THAT(error_in("1 1:2x\n"), HasSubstr("is not a number"));
  EXPECT_THAT(error_in("1 99999999999:1\n"), HasSubstr("is not INDEX:VALUE"));
  EXPECT_THAT(error_in("1 2:1 2:1\n"), HasSubstr("does not ascend"));
  EXPECT_THAT(error_in("1 2:1 1:1\n"), HasSubstr("does not ascend"));
  EXPECT_THAT(error_in("ELF\x02\x01\x7f 1:1"), HasSubstr("line 1 has the byte 0x02, which is no text"));
  EXPECT_THAT(error_in("\x89PNG"), HasSubstr("is one picture"));
  EXPECT_THAT(error_in("\x89\x90"), HasSubstr("format is not recognised"));
}

TEST(Libsvm, ReadsWhatEditorsAndOtherSystemsWrite) {
  for (const char* text : {"\xef\xbb\xbf-1 1:1 2:5\n+1 2:2\n", "-1 1:1 2:5\r\n+1 2:2\r\n", "-1 1:1 2:5\r+1 2:2\r",
                           "-1\t1:1\t2:5  \t\n\n  +1   2:2", "# note\n-1 1:1.0e0 2:5#x\n1.0 2:2 \n\n"}) {
    const Dataset d = parse(text).train;
    EXPECT_THAT(d.values, ElementsAre(1, 5, 0, 2)) << text;
    EXPECT_THAT(d.targets, ElementsAre(0, 1)) << text;
  }
}

TEST(Libsvm, NamesWhatIsAlmostItsFormat) {
  EXPECT_THAT(error_in("1 1:0,5 2:1,5\n"), HasSubstr("value \"0,5\" is not a number, which has a decimal point"));
  EXPECT_THAT(error_in("0,5 1:2\n"), HasSubstr("label \"0,5\" is not a number"));
  EXPECT_THAT(error_in("1,3 1:2\n"), HasSubstr("label \"1,3\" is not a number"));
  EXPECT_THAT(error_in("3 qid:1 1:0.5\n"), HasSubstr("sed 's/ qid:[0-9]*//'"));
  EXPECT_THAT(error_in("1 1:0x1p3\n"), HasSubstr("is not a number"));
  EXPECT_THAT(error_in("1 1:1'000\n"), HasSubstr("is not a number"));
  EXPECT_THAT(error_in("\"1\" \"1\":1\n"), HasSubstr("is not a number"));
  EXPECT_THAT(error_in("1;1:2\n"), HasSubstr("no label"));
  EXPECT_THAT(error_in(std::string("1 1:1\n1 \0 1\n", 12)), HasSubstr("line 2 has a zero byte"));
  EXPECT_THAT(error_in(std::string("\xff\xfe"
                                   "1\0 \0",
                                   6)),
              HasSubstr("UTF-16"));
  EXPECT_THAT(error_in(std::string("1\0 \0"
                                   "1\0:\0",
                                   8)),
              HasSubstr("UTF-16"));
}

TEST(Libsvm, TakesNumbersTooSmallForAFloatAsZero) {
  EXPECT_THAT(parse("1 1:1e-400 2:1\n2 1:-1e-60\n").train.values, ElementsAre(0, 1, 0, 0));
}

TEST(Libsvm, RejectsValuesThatAreNotFinite) {
  for (const char* bad : {"nan", "inf", "-inf", "1e39", "1e999"}) {
    EXPECT_FALSE(error_in(std::string("1 1:") + bad).empty());
    EXPECT_FALSE(error_in(std::string(bad) + " 1:1").empty());
  }
}

TEST(Libsvm, RejectsEmptyFilesAndNoFeatures) {
  EXPECT_THAT(error_in(""), HasSubstr("empty"));
  EXPECT_THAT(error_in("\n# nothing\n"), HasSubstr("no samples"));
  EXPECT_THAT(error_in("1\n2\n"), HasSubstr("0 features"));
}

TEST(Libsvm, RejectsAWildIndexBeforeTakingMemory) {
  EXPECT_THAT(error_in("1 1:1\n2 2000000000:1\n"), HasSubstr("too large or corrupt"));
  EXPECT_THAT(error_in("1 1:1\n2 4294967295:1\n"), HasSubstr("too large"));
}

TEST(Libsvm, RejectsATextThatUnpacksWithoutEnd) {
  const TemporaryFolder folder;
  write_gzip(folder / "bomb.gz", std::string(1 << 26, '\n'));
  EXPECT_THAT(error_of(folder / "bomb.gz"), HasSubstr("unpacks to more than"));
}
