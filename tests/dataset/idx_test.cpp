// SPDX-License-Identifier: BSD-3-Clause
#include "dataset/files.hpp"

using namespace quantimed;
using testing::ElementsAre;
using testing::HasSubstr;

namespace {

const std::string kImages = idx({3, 2, 2}, {0, 51, 102, '\xff', 1, 2, 3, 4, 5, 6, 7, 8});
const std::string kLabels = idx({3}, {0, 2, 1});

// Images and labels by their usual names; returns the images' path.
std::filesystem::path write_pair(const TemporaryFolder& folder, const std::string& images, const std::string& labels) {
  write_file(folder / "train-labels-idx1-ubyte", labels);
  write_file(folder / "train-images-idx3-ubyte", images);
  return folder / "train-images-idx3-ubyte";
}

std::string error_with(const std::string& images, const std::string& labels) {
  const TemporaryFolder folder;
  return error_of(write_pair(folder, images, labels));
}

}  // namespace

TEST(Idx, ReadsImagesAndLabels) {
  const TemporaryFolder folder;
  const DataSplit split = load(write_pair(folder, kImages, kLabels));
  EXPECT_EQ(split.train.samples, 3u);
  EXPECT_EQ(split.train.features, 4u);
  EXPECT_EQ(split.train.classes, 3u);
  EXPECT_EQ(split.train.bytes[3], 255);
  EXPECT_THAT(split.train.targets, ElementsAre(0, 2, 1));
  EXPECT_TRUE(split.train.values.empty());
  EXPECT_FALSE(split.test);
}

TEST(Idx, ReadsAFolderWithATestSetCompressedOrNot) {
  for (const std::string prefix : {"t10k", "val", "test"}) {
    const TemporaryFolder folder;
    write_pair(folder, kImages, kLabels);
    write_gzip(folder / (prefix + "-images-idx3-ubyte.gz"), idx({1, 2, 2}, {9, 9, 9, 9}));
    write_gzip(folder / (prefix + "-labels-idx1-ubyte.gz"), idx({1}, {2}));
    const DataSplit split = load(folder.path());
    ASSERT_TRUE(split.test);
    EXPECT_EQ(split.test->samples, 1u);
    EXPECT_EQ(split.test->classes, 3u);
    EXPECT_EQ(split.train.classes, 3u);
  }
}

TEST(Idx, TellsCompressionByContentNotByName) {
  const TemporaryFolder folder;
  write_gzip(folder / "train-images-idx3-ubyte", kImages);
  write_file(folder / "train-labels-idx1-ubyte.gz", kLabels);
  EXPECT_EQ(load(folder.path()).train.samples, 3u);
}

TEST(Idx, TakesTheLabelsThatArePackedAsTheImagesAre) {
  const TemporaryFolder folder;
  const std::filesystem::path plain = write_pair(folder, kImages, kLabels);
  write_gzip(folder / "train-images-idx3-ubyte.gz", kImages);
  write_gzip(folder / "train-labels-idx1-ubyte.gz", idx({3}, {2, 1, 0}));
  EXPECT_THAT(load(plain).train.targets, ElementsAre(0, 2, 1));
  EXPECT_THAT(load(folder / "train-images-idx3-ubyte.gz").train.targets, ElementsAre(2, 1, 0));
}

TEST(Idx, FindsTheLabelsOfAnotherResolution) {
  const TemporaryFolder folder;
  write_pair(folder, kImages, kLabels);
  write_file(folder / "train-images-gray64-idx3-ubyte", idx({3, 1, 2}, {1, 2, 3, 4, 5, 6}));
  write_file(folder / "val-images-gray64-idx3-ubyte", idx({1, 1, 2}, {1, 2}));
  write_file(folder / "val-labels-idx1-ubyte", idx({1}, {1}));
  const DataSplit split = load(folder / "train-images-gray64-idx3-ubyte");
  EXPECT_EQ(split.train.features, 2u);
  ASSERT_TRUE(split.test);
}

TEST(Idx, RejectsTruncationEverywhere) {
  for (std::size_t length = 1; length < kImages.size(); ++length)
    EXPECT_FALSE(error_with(kImages.substr(0, length), kLabels).empty());
  for (std::size_t length = 1; length < kLabels.size(); ++length)
    EXPECT_FALSE(error_with(kImages, kLabels.substr(0, length)).empty());
}

TEST(Idx, RejectsTruncatedAndCorruptGzip) {
  const TemporaryFolder folder;
  const auto images = folder / "train-images-idx3-ubyte.gz";
  write_file(folder / "train-labels-idx1-ubyte", kLabels);
  write_gzip(images, kImages);
  const std::string good = read_back(images);
  for (std::size_t length = 3; length < good.size(); ++length) {
    write_file(images, good.substr(0, length));
    EXPECT_FALSE(error_of(images).empty());
  }
  std::string bad = good;
  bad[bad.size() - 6] ^= 1;  // the checksum
  write_file(images, bad);
  EXPECT_THAT(error_of(images), HasSubstr("corrupt"));
}

TEST(Idx, RejectsSizesThatTheFileCannotHold) {
  EXPECT_THAT(error_with(idx({0xffffffff, 0xffffffff, 0xffffffff}, "x"), kLabels), HasSubstr("too large"));
  EXPECT_THAT(error_with(idx({0x7fffffff, 28, 28}, "x"), kLabels), HasSubstr("promises"));
  EXPECT_THAT(error_with(kImages, idx({0x7ffffff0}, "x")), HasSubstr("promises"));
  const TemporaryFolder folder;
  write_file(folder / "train-labels-idx1-ubyte", kLabels);
  write_gzip(folder / "train-images-idx3-ubyte.gz", idx({1u << 30, 28, 28}, std::string(1 << 20, 'x')));
  EXPECT_THAT(error_of(folder / "train-images-idx3-ubyte.gz"), HasSubstr("promises"));
}

TEST(Idx, StopsUnpackingBeyondTheHeadersPromise) {
  const TemporaryFolder folder;
  write_file(folder / "train-labels-idx1-ubyte", kLabels);
  write_gzip(folder / "train-images-idx3-ubyte.gz", kImages + std::string(1 << 24, 'x'));
  EXPECT_THAT(error_of(folder / "train-images-idx3-ubyte.gz"), HasSubstr("longer than its header"));
}

TEST(Idx, RejectsWrongMagicTypesAndDimensions) {
  EXPECT_THAT(error_with(std::string("\1\1\x8\3", 4) + kImages.substr(4), kLabels),
              HasSubstr("format is not recognised"));
  EXPECT_THAT(error_with(idx({3, 2, 2}, "", 0x0d), kLabels), HasSubstr("type 0x0d (floats)"));
  EXPECT_THAT(error_with(kImages, idx({3}, "", 0x0c)), HasSubstr("type 0x0c (32-bit integers)"));
  EXPECT_THAT(error_with(kLabels, kLabels), HasSubstr("dimensions"));
  EXPECT_THAT(error_with(kImages, kImages), HasSubstr("dimensions"));
  EXPECT_THAT(error_with(idx({3, 1, 1, 1, 1}, "abc"), kLabels), HasSubstr("dimensions"));
}

TEST(Idx, RejectsEmptySetsFilesAndFolders) {
  EXPECT_THAT(error_with(idx({0, 2, 2}, ""), idx({0}, "")), HasSubstr("0 samples"));
  EXPECT_THAT(error_with(idx({3, 0, 2}, ""), kLabels), HasSubstr("0 features"));
  EXPECT_THAT(error_with("", kLabels), HasSubstr("empty"));
  EXPECT_THAT(error_with(kImages, ""), HasSubstr("empty"));
  const TemporaryFolder folder;
  EXPECT_THAT(error_of(folder.path()), HasSubstr("holds no data set"));
}

TEST(Idx, RejectsFilesThatDoNotBelongTogether) {
  EXPECT_THAT(error_with(kImages, idx({2}, {0, 1})), HasSubstr("2 labels for 3 images"));
  EXPECT_THAT(error_with(kImages + "x", kLabels), HasSubstr("longer"));
  const TemporaryFolder folder;
  const auto images = write_pair(folder, kImages, kLabels);
  write_file(folder / "t10k-images-idx3-ubyte", idx({1, 1, 2}, {1, 2}));
  EXPECT_THAT(error_of(images), HasSubstr("labels are missing"));
  write_file(folder / "t10k-labels-idx1-ubyte", idx({1}, {1}));
  EXPECT_THAT(error_of(images), HasSubstr("2 features, where training has 4"));
}

TEST(Idx, RejectsImagesWithoutLabelsOrWithAFolderInTheirPlace) {
  const TemporaryFolder folder;
  write_file(folder / "train-images-idx3-ubyte", kImages);
  EXPECT_THAT(error_of(folder / "train-images-idx3-ubyte"), HasSubstr("labels are missing"));
  std::filesystem::create_directory(folder / "train-labels-idx1-ubyte");
  EXPECT_THAT(error_of(folder / "train-images-idx3-ubyte"), HasSubstr("labels are missing"));
  write_file(folder / "pictures", kImages);
  EXPECT_THAT(error_of(folder / "pictures"), HasSubstr("no labels file can be told"));
}

TEST(Idx, RejectsASingleClass) { EXPECT_THAT(error_with(kImages, idx({3}, {0, 0, 0})), HasSubstr("the same")); }

TEST(Idx, RejectsLabelsBeyondAKnownSetsClasses) {
  const TemporaryFolder folder;
  write_file(folder / "mnist/train-images-idx3-ubyte", kImages);
  write_file(folder / "mnist/train-labels-idx1-ubyte", idx({3}, {0, 10, 1}));
  const Environment data("QUANTIMED_DATA", folder.path().string());
  EXPECT_THAT(error_of(DatasetRequest{.name = "mnist"}), HasSubstr("label 10 is outside 0 … 9"));
}
