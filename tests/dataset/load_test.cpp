// SPDX-License-Identifier: BSD-3-Clause
#include <sys/stat.h>

#include <algorithm>

#include "dataset/files.hpp"

using namespace quantimed;
using testing::ElementsAre;
using testing::HasSubstr;

namespace {

const char* data_folder() { return std::getenv("QUANTIMED_DATA"); }

bool has_real(const std::string& folder) {
  return data_folder() && std::filesystem::is_directory(std::filesystem::path(data_folder()) / folder);
}

double mean_byte(const Dataset& d) {
  double sum = 0;
  for (const std::uint8_t b : d.bytes) sum += b;
  return sum / static_cast<double>(d.bytes.size());
}

DatasetRequest tiny(const TemporaryFolder& folder, std::vector<int> classes) {
  write_file(folder / "set.txt", "10 1:1\n11 1:2\n12 1:3\n10 1:4\n");
  write_file(folder / "set.txt.t", "11 1:5\n");
  return {.name = (folder / "set.txt").string(), .classes = std::move(classes)};
}

}  // namespace

TEST(Load, KeepsClassesInTheOrderGiven) {
  const TemporaryFolder folder;
  const DataSplit split = load_dataset(tiny(folder, {11, 10}));
  EXPECT_EQ(split.train.classes, 2u);
  EXPECT_EQ(split.train.samples, 3u);
  EXPECT_THAT(split.train.targets, ElementsAre(1, 0, 1));
  EXPECT_THAT(split.train.values, ElementsAre(1, 2, 4));
  ASSERT_TRUE(split.test);
  EXPECT_THAT(split.test->targets, ElementsAre(0));
}

TEST(Load, DropsATestSetThatHasNoneOfTheClasses) {
  const TemporaryFolder folder;
  EXPECT_FALSE(load_dataset(tiny(folder, {10, 12})).test);
}

TEST(Load, FiltersImagesToo) {
  const DataSplit all = load_dataset({.name = "digits"}), two = load_dataset({.name = "digits", .classes = {3, 8}});
  EXPECT_EQ(two.train.samples, 2000u);
  EXPECT_EQ(two.test->samples, 400u);
  const auto first =
      std::find_if(all.train.targets.begin(), all.train.targets.end(), [](float y) { return y == 3 || y == 8; });
  const auto row = static_cast<std::size_t>(first - all.train.targets.begin());
  EXPECT_TRUE(std::equal(two.train.bytes.begin(), two.train.bytes.begin() + 784, all.train.bytes.begin() + row * 784));
  EXPECT_EQ(two.train.targets[0], *first == 3 ? 0 : 1);
}

TEST(Load, RejectsClassesThatAreNotThere) {
  const TemporaryFolder folder;
  EXPECT_THAT(error_of(tiny(folder, {10, 3})), HasSubstr("3 is not a class"));
  EXPECT_THAT(error_of(tiny(folder, {10, -1})), HasSubstr("its classes have the labels 10-12"));
  EXPECT_THAT(error_of(tiny(folder, {11, 11})), HasSubstr("named twice"));
  EXPECT_THAT(error_of(tiny(folder, {11})), HasSubstr("at least two"));
  write_file(folder / "values.txt", "0.5 1:1\n1.5 1:2\n");
  EXPECT_THAT(error_of(DatasetRequest{.name = (folder / "values.txt").string(), .classes = {0, 1}}),
              HasSubstr("values to regress on"));
}

TEST(Load, SaysWhereItLookedAndHowToGetIt) {
  const TemporaryFolder folder;
  const Environment data("QUANTIMED_DATA", folder.path().string());
  const std::string text = error_of(DatasetRequest{.name = "mnist"});
  EXPECT_THAT(text, HasSubstr((folder / "mnist").string()));
  EXPECT_THAT(text, HasSubstr("datasets/mnist"));
  EXPECT_THAT(text, HasSubstr("/usr/share/datasets/mnist"));
  EXPECT_THAT(text, HasSubstr("four IDX files"));
  const std::string unknown = error_of(DatasetRequest{.name = "mnits"});
  EXPECT_THAT(
      unknown,
      HasSubstr(
          "digits, digits:N, gaussian-linear:D[,N], gaussian-logistic:D[,N], sparse-logistic:D,DENSITY,N, mnist"));
  EXPECT_THAT(error_of(DatasetRequest{.name = ""}), HasSubstr("empty"));
  EXPECT_THAT(error_of(DatasetRequest{.name = "/dev/null"}), HasSubstr("not a regular file"));
}

TEST(Load, FindsAFileBelowTheDataFolder) {
  const TemporaryFolder folder;
  const Environment data("QUANTIMED_DATA", folder.path().string());
  write_file(folder / "mine/set.txt", "1 1:1\n2 1:2\n");
  const DataSplit split = load_dataset({.name = "mine/set.txt"});
  EXPECT_EQ(split.train.name, "set");
  EXPECT_EQ(split.train.samples, 2u);
}

TEST(Load, EveryKnownSetIsDescribed) {
  EXPECT_GE(known_datasets().size(), 6u);
  for (const KnownDataset& known : known_datasets()) {
    EXPECT_FALSE(known.name.empty());
    EXPECT_FALSE(known.description.empty());
    EXPECT_FALSE(known.how_to_get.empty());
    EXPECT_EQ((known.description + known.how_to_get).find('\n'), std::string::npos);
  }
}

// ---- real data: known counts and means ----------------------------------------------------------------

TEST(Load, APipeIsRefusedAndNotWaitedFor) {
  const TemporaryFolder folder;
  ASSERT_EQ(::mkfifo((folder / "pipe").c_str(), 0600), 0);
  EXPECT_THAT(error_of(folder / "pipe"), HasSubstr("is not a regular file"));
}

TEST(RealData, Mnist) {
  if (!has_real("mnist")) GTEST_SKIP() << "real data is absent: set QUANTIMED_DATA to a folder that holds mnist";
  const DataSplit split = load_dataset({.name = "mnist"});
  EXPECT_EQ(split.train.samples, 60000u);
  EXPECT_EQ(split.test->samples, 10000u);
  EXPECT_EQ(split.train.features, 784u);
  EXPECT_NEAR(mean_byte(split.train) / 255, 0.1307, 5e-5);  // the well-known mean
  EXPECT_THAT(std::vector<float>(split.train.targets.begin(), split.train.targets.begin() + 5),
              ElementsAre(5, 0, 4, 1, 9));
}

TEST(RealData, FashionMnist) {
  if (!std::filesystem::is_directory("/usr/share/datasets/fashion-mnist") && !has_real("fashion-mnist"))
    GTEST_SKIP() << "Fashion-MNIST is absent: apt-get install dataset-fashion-mnist";
  const DataSplit split = load_dataset({.name = "fashion-mnist"});
  EXPECT_EQ(split.train.samples, 60000u);
  EXPECT_EQ(split.test->samples, 10000u);
  EXPECT_NEAR(mean_byte(split.train) / 255, 0.2860, 5e-5);
}

TEST(RealData, Cifar10) {
  if (!has_real("cifar10")) GTEST_SKIP() << "real data is absent: set QUANTIMED_DATA to a folder that holds cifar10";
  const DataSplit split = load_dataset({.name = "cifar10", .classes = {0, 1}, .grey = true});
  EXPECT_EQ(split.train.classes, 2u);
  EXPECT_EQ(split.train.features, 1024u);
  EXPECT_TRUE(split.train.samples == 1979 || split.train.samples == 10000) << "the first batch alone, or all five";
}

TEST(RealData, Cifar10TwoClass) {
  if (!has_real("cifar10-two-class"))
    GTEST_SKIP() << "real data is absent: set QUANTIMED_DATA to a folder that holds cifar10-two-class";
  const DataSplit split = load_dataset({.name = "cifar10-two-class"});
  EXPECT_EQ(split.train.samples, 10000u);
  EXPECT_EQ(split.test->samples, 2000u);
  EXPECT_EQ(split.train.features, 3072u);
  EXPECT_EQ(std::count(split.train.targets.begin(), split.train.targets.end(), 1.0f), 5000);
}

TEST(RealData, ChurchTruck) {
  if (!has_real("imagenet/church-truck"))
    GTEST_SKIP() << "real data is absent: set QUANTIMED_DATA to a folder that holds imagenet/church-truck";
  const DataSplit split = load_dataset({.name = "church-truck"});
  EXPECT_EQ(split.train.samples, 1902u);
  EXPECT_EQ(split.test->samples, 798u);
  EXPECT_EQ(split.train.features, 1024u);
  EXPECT_EQ(split.train.classes, 2u);
  EXPECT_EQ(load_dataset({.name = "imagenet/church-truck/train-images-gray64-idx3-ubyte"}).test->features, 4096u);
}
