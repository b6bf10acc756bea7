// SPDX-License-Identifier: BSD-3-Clause
// Which test set belongs to which training set.
#include "dataset/files.hpp"
#include "dataset/formats.hpp"

using namespace quantimed;
using testing::ElementsAre;
using testing::HasSubstr;

namespace {

const std::string kTrain = "-1 1:1\n+1 1:2\n-1 2:3\n", kTest = "+1 1:1\n";

std::string packed(const std::string& text, const std::string& ending) {
  return ending == ".gz" ? gzip(text) : ending == ".bz2" ? bzip2(text) : ending == ".xz" ? xz(text) : text;
}

// The test file that is taken, by its name; "none".
std::string taken(const std::string& train, const std::string& test) {
  const TemporaryFolder folder;
  write_file(folder / train, kTrain);
  write_file(folder / test, kTest);
  const DataSplit split = load(folder / train);
  EXPECT_EQ(split.test.has_value(), split.source.test != "none");
  return std::filesystem::path(split.source.test).filename();
}

}  // namespace

TEST(LibsvmTestSet, IsFoundPackedOrNotInEveryCombination) {
  for (const std::string train : {"", ".gz", ".bz2", ".xz"})
    for (const std::string test : {"", ".gz", ".bz2", ".xz"}) {
      const TemporaryFolder folder;
      write_file(folder / ("a9a" + train), packed(kTrain, train));
      write_file(folder / ("a9a.t" + test), packed(kTest, test));
      const DataSplit split = load(folder / ("a9a" + train));
      ASSERT_TRUE(split.test) << train << test;
      EXPECT_EQ(split.test->samples, 1u);
      EXPECT_EQ(split.source.test, folder / ("a9a.t" + test));
    }
}

TEST(LibsvmTestSet, GoesByItsUsualNames) {
  for (const auto& [train, test] :
       std::vector<std::pair<std::string, std::string>>{{"a9a.gz", "a9a.gz.t"},
                                                        {"name.train", "name.test"},
                                                        {"train.txt", "test.txt"},
                                                        {"my data.train.libsvm", "my data.test.libsvm"},
                                                        {"rcv1_train.binary", "rcv1_test.binary"},
                                                        {"E2006.train", "E2006.test"},
                                                        {"letter.scale.tr", "letter.scale.t"},
                                                        {"avazu-app.tr", "avazu-app.te"},
                                                        {"Train.svm", "Test.svm"},
                                                        {"TRAIN.SVM", "TEST.SVM"},
                                                        {"digits_training", "digits_testing"},
                                                        {"training.data", "test.data"},
                                                        {"Données-train-é", "Données-test-é"},
                                                        {"A9A", "A9A.T"}})
    EXPECT_EQ(taken(train, test), test) << train;
}

TEST(LibsvmTestSet, IsNotGuessedFromPartsOfWords) {
  EXPECT_EQ(taken("constraint.txt", "contest.txt"), "none");
  EXPECT_EQ(taken("strain", "stest"), "none");
  EXPECT_EQ(taken("a9a", "a9a.test"), "none");
}

TEST(LibsvmTestSet, WhereThereIsNoneItSaysWhichNamesItLookedFor) {
  const TemporaryFolder folder;
  write_file(folder / "name.train.gz", kTrain);
  EXPECT_THAT(load(folder / "name.train.gz").source.looked_for,
              ElementsAre("name.train.t", "name.train.gz.t", "name.test"));
}

TEST(LibsvmTestSet, OfAnotherFormatIsNamed) {
  const TemporaryFolder folder;
  write_file(folder / "a", kTrain);
  write_file(folder / "a.t", "<html>403</html>");
  const std::string error = error_of(folder / "a");
  EXPECT_THAT(error, HasSubstr((folder / "a.t").string()));
  EXPECT_THAT(error, HasSubstr("web page"));
}

namespace {

const std::string kImagesFile = idx({3, 1, 2}, "abcdef"), kLabelsFile = idx({3}, {0, 1, 1});
const std::string kTestImages = idx({1, 1, 2}, "xy"), kTestLabels = idx({1}, {1});

}  // namespace

TEST(IdxTestSet, IsFoundWithDashesDotsPackingsAndCapitals) {
  struct Names {
    std::string images, labels, test_images, test_labels;
  };
  const std::vector<Names> cases = {
      {"train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images.idx3-ubyte", "t10k-labels.idx1-ubyte"},
      {"train-images.idx3-ubyte", "train-labels.idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"},
      {"train-images.idx3-ubyte", "train-labels-idx1-ubyte", "test-images.idx3-ubyte.gz", "test-labels-idx1-ubyte.xz"},
      {"emnist-letters-train-images-idx3-ubyte.gz", "emnist-letters-train-labels-idx1-ubyte.gz",
       "emnist-letters-test-images-idx3-ubyte", "emnist-letters-test-labels-idx1-ubyte.bz2"},
      {"emnist-mnist-train-images.idx3-ubyte", "emnist-mnist-train-labels-idx1-ubyte",
       "emnist-mnist-test-images-idx3-ubyte", "emnist-mnist-test-labels-idx1-ubyte"},
      {"TRAIN-IMAGES-IDX3-UBYTE", "TRAIN-LABELS-IDX1-UBYTE", "T10K-IMAGES-IDX3-UBYTE", "T10K-LABELS-IDX1-UBYTE"},
      {"train_images_idx3_ubyte", "train_labels_idx1_ubyte", "t10k_images_idx3_ubyte", "t10k_labels_idx1_ubyte"},
  };
  for (const Names& names : cases) {
    const TemporaryFolder folder;
    const auto write = [&](const std::string& name, const std::string& bytes) {
      write_file(folder / name, packed(bytes, std::filesystem::path(name).extension()));
    };
    write(names.images, kImagesFile);
    write(names.labels, kLabelsFile);
    write(names.test_images, kTestImages);
    write(names.test_labels, kTestLabels);
    write_file(folder / ("._" + names.images), std::string("\0\5\x16\7", 4));  // macOS leaves these
    for (const std::filesystem::path& path : {folder.path(), folder / names.images}) {
      const DataSplit split = load(path);
      EXPECT_EQ(split.train.samples, 3u) << names.images;
      EXPECT_EQ(split.source.test, folder / names.test_images) << names.images;
    }
  }
}

TEST(IdxTestSet, OfAnotherSetInTheFolderIsNotTaken) {
  const TemporaryFolder folder;
  write_file(folder / "emnist-letters-train-images-idx3-ubyte", kImagesFile);
  write_file(folder / "emnist-letters-train-labels-idx1-ubyte", kLabelsFile);
  write_file(folder / "emnist-digits-test-images-idx3-ubyte", kTestImages);
  write_file(folder / "emnist-digits-test-labels-idx1-ubyte", kTestLabels);
  const DataSplit split = load(folder.path());
  EXPECT_FALSE(split.test);
  EXPECT_THAT(split.source.looked_for,
              ElementsAre("emnist-letters-t10k-images-idx3-ubyte", "emnist-letters-test-images-idx3-ubyte",
                          "emnist-letters-val-images-idx3-ubyte"));
}

TEST(IdxTestSet, AFolderOfSeveralSetsIsNotGuessedAt) {
  const TemporaryFolder folder;
  for (const std::string set : {"emnist-letters", "emnist-digits"}) {
    write_file(folder / (set + "-train-images-idx3-ubyte"), kImagesFile);
    write_file(folder / (set + "-train-labels-idx1-ubyte"), kLabelsFile);
  }
  EXPECT_THAT(error_of(folder.path()), HasSubstr("several training sets, emnist-digits-train-images-idx3-ubyte and "
                                                 "emnist-letters-train-images-idx3-ubyte; name the images file"));
  EXPECT_EQ(load(folder / "emnist-letters-train-images-idx3-ubyte").train.samples, 3u);
}
