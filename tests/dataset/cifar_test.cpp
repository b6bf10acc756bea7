// SPDX-License-Identifier: BSD-3-Clause
#include "dataset/files.hpp"

using namespace quantimed;
using testing::ElementsAre;
using testing::HasSubstr;

namespace {

// One record whose three planes are each of one colour.
std::string record(char label, char red, char green, char blue) {
  return label + std::string(1024, red) + std::string(1024, green) + std::string(1024, blue);
}

}  // namespace

TEST(Cifar, ReadsPresentBatchesInOrderAndTheTestBatch) {
  const TemporaryFolder folder;
  write_file(folder / "data_batch_4.bin", record(4, 1, 2, 3));
  write_file(folder / "data_batch_2.bin", record(2, 1, 2, 3) + record(3, 4, 5, 6));
  write_file(folder / "test_batch.bin", record(4, 7, 8, 9));
  const DataSplit split = load(folder.path());
  EXPECT_THAT(split.train.targets, ElementsAre(0, 1, 2));
  EXPECT_THAT(split.source.labels, ElementsAre(2, 3, 4));
  EXPECT_EQ(split.train.features, 3072u);
  EXPECT_EQ(split.train.classes, 3u);
  EXPECT_EQ(split.train.bytes[3072 + 1024], 5);
  ASSERT_TRUE(split.test);
  EXPECT_EQ(split.test->bytes[3071], 9);
}

TEST(Cifar, ReadsOneBatchFile) {
  const TemporaryFolder folder;
  write_file(folder / "some.bin", record(0, 1, 2, 3) + record(1, 1, 2, 3));
  EXPECT_EQ(load(folder / "some.bin").train.samples, 2u);
}

TEST(Cifar, APackedBatchIsToldToBeUnpacked) {
  const TemporaryFolder folder;
  for (const char label : {'\0', '\1'}) {  // two zeros are what an IDX file begins with
    write_gzip(folder / "data_batch_1.bin.gz", record(label, 0, 2, 3));
    EXPECT_THAT(error_of(folder / "data_batch_1.bin.gz"), HasSubstr("gunzip -k"));
  }
  write_gzip(folder / "text.bin.gz", "0 1:1\n1 1:2\n");  // whatever its name is, it is LIBSVM text
  EXPECT_EQ(load(folder / "text.bin.gz").train.samples, 2u);
}

TEST(Cifar, GreyRoundsLikeMatlab) {
  const TemporaryFolder folder;
  write_file(folder / "some.bin", record(0, '\xff', '\xff', '\xff') + record(1, 100, 0, 0) + record(1, 0, 100, 0) +
                                      record(1, 0, 0, 100) + record(1, 10, 200 - 256, 30));
  const auto& train = load_dataset({.name = (folder / "some.bin").string(), .grey = true}).train;
  EXPECT_EQ(train.features, 1024u);
  std::vector<int> first;
  for (std::uint32_t i = 0; i < train.samples; ++i) first.push_back(train.bytes[i * 1024]);
  EXPECT_THAT(first, ElementsAre(255, 30, 59, 11, 124));  // 254.97…, 29.89, 58.7, 11.4, 123.81
}

TEST(Cifar, RejectsTruncatedEmptyAndMislabelledFiles) {
  const TemporaryFolder folder;
  write_file(folder / "cut.bin", record(0, 1, 2, 3).substr(1));
  EXPECT_THAT(error_of(folder / "cut.bin"), HasSubstr("no whole number"));
  write_file(folder / "none.bin", "");
  EXPECT_THAT(error_of(folder / "none.bin"), HasSubstr("empty"));
  write_file(folder / "label.bin", record(0, 1, 2, 3) + record(10, 1, 2, 3));
  EXPECT_THAT(error_of(folder / "label.bin"), HasSubstr("label 10 of record 1"));
  write_file(folder / "hundred.bin", std::string(3074, '\1') + std::string(3074, '\2'));
  EXPECT_THAT(error_of(folder / "hundred.bin"), HasSubstr("records of CIFAR-100"));
}

TEST(Cifar, ATestBatchAloneIsNoDataSet) {
  const TemporaryFolder folder;
  write_file(folder / "test_batch.bin", record(9, 7, 8, 9));
  std::filesystem::create_directory(folder / "data_batch_1.bin");
  EXPECT_THAT(error_of(folder.path()), HasSubstr("holds no data set"));
}

TEST(Cifar, TwoClassSetRejectsAThirdLabel) {
  const TemporaryFolder folder;
  write_file(folder / "cifar10-two-class/data_batch_1.bin", record(0, 1, 2, 3) + record(2, 1, 2, 3));
  const Environment data("QUANTIMED_DATA", folder.path().string());
  EXPECT_THAT(error_of(DatasetRequest{.name = "cifar10-two-class"}), HasSubstr("label 2 is outside 0 … 1"));
}
