// SPDX-License-Identifier: BSD-3-Clause
#include <cmath>
#include <set>

#include "dataset/files.hpp"

using namespace quantimed;
using testing::ElementsAre;
using testing::EndsWith;
using testing::HasSubstr;

TEST(Description, OfAGeneratedSet) {
  const DataSplit split = load_dataset({.name = "digits"});
  EXPECT_EQ(split.source.format, "generated");
  EXPECT_TRUE(split.source.files.empty());
  EXPECT_EQ(describe(split), "784 features (28x28), 10 classes (labels 0-9), 10,000 training, 2,000 test (generated)");
  EXPECT_EQ(describe(load_dataset({.name = "gaussian-linear:1"})),
            "1 feature, values to regress on, 10,000 training, 2,000 test (generated)");
  EXPECT_THAT(describe(load_dataset({.name = "digits", .classes = {8, 3}})), HasSubstr("2 classes (labels 8, 3)"));
}

TEST(Description, OfIdxFiles) {
  const TemporaryFolder folder;
  write_file(folder / "train-images-idx3-ubyte", idx({2, 1, 2}, "abcd"));
  write_file(folder / "train-labels-idx1-ubyte", idx({2}, {0, 1}));
  DataSplit split = load(folder.path());
  EXPECT_EQ(split.source.format, "IDX");
  EXPECT_THAT(split.source.shape, ElementsAre(1, 2));
  EXPECT_THAT(split.source.files, ElementsAre(folder / "train-images-idx3-ubyte", folder / "train-labels-idx1-ubyte"));
  EXPECT_EQ(split.source.test, "none");
  EXPECT_THAT(describe(split), HasSubstr("2 training, no test set (looked for t10k-images-idx3-ubyte"));
  write_gzip(folder / "val-images-idx3-ubyte.gz", idx({1, 1, 2}, "ab"));
  write_gzip(folder / "val-labels-idx1-ubyte.gz", idx({1}, {0}));
  split = load(folder.path());
  EXPECT_EQ(split.source.test, folder / "val-images-idx3-ubyte.gz");
  EXPECT_EQ(split.source.files.size(), 4u);
  EXPECT_THAT(describe(split), EndsWith("2 training, 1 test (val-images-idx3-ubyte.gz)"));
}

TEST(Description, OfLibsvmTextSaysTheLabelsOfTheClasses) {
  const TemporaryFolder folder;
  write_file(folder / "a9a", "-1 1:1\n+1 2:1\n");
  const DataSplit split = load(folder / "a9a");
  EXPECT_EQ(split.source.format, "LIBSVM text");
  EXPECT_THAT(split.source.labels, ElementsAre(-1, 1));
  EXPECT_EQ(describe(split), "2 features, 2 classes (labels -1, 1), 2 training, no test set (looked for a9a.t)");
}

TEST(Description, OfHdf5AndCifar) {
  const TemporaryFolder folder;
  export_dataset(folder / "d.h5", {.train = load_dataset({.name = "digits"}).train});
  const DataSplit hdf5 = load(folder / "d.h5");
  EXPECT_EQ(hdf5.source.format, "HDF5");
  EXPECT_THAT(describe(hdf5), HasSubstr("no test set (looked for /test in d.h5)"));
  write_file(folder / "data_batch_1.bin", std::string(3073, '\0') + '\1' + std::string(3072, 'x'));
  const DataSplit cifar = load_dataset({.name = folder.path(), .grey = true});
  EXPECT_THAT(cifar.source.shape, ElementsAre(32, 32));
  EXPECT_EQ(describe(cifar),
            "1,024 features (32x32), 2 classes (labels 0, 1), 2 training, no test set (looked for "
            "test_batch.bin)");
}

TEST(Grey, IsMadeOfCifarAlone) {
  const TemporaryFolder folder;
  write_file(folder / "data_batch_1.bin", std::string(3073, '\0') + '\1' + std::string(3072, 'x'));
  const DataSplit colours = load(folder.path());
  export_dataset(folder / "colours.h5", colours);
  const DataSplit again = load(folder / "colours.h5");
  EXPECT_THAT(again.source.shape, ElementsAre(3, 32, 32));
  EXPECT_EQ(fingerprint(again), fingerprint(colours));
  const std::string name = (folder / "colours.h5").string();
  EXPECT_THAT(error_of({.name = name, .grey = true}), HasSubstr("holds colours, but --grey "));
  EXPECT_THAT(load_dataset({.name = "digits", .grey = true}).source.notices,
              testing::Contains("--grey changes nothing: the data has no colours"));
  EXPECT_THAT(load_dataset({.name = "digits"}).source.notices, testing::IsEmpty());
}

TEST(Description, LabelsAreJoinedWhereTheyRun) {
  EXPECT_EQ(describe_labels({}), "");
  EXPECT_EQ(describe_labels({0, 1}), "0, 1");
  EXPECT_EQ(describe_labels({1, 2, 3, 7, 9, 10}), "1-3, 7, 9, 10");
  EXPECT_EQ(describe_labels({-2, -1, 0, 1}), "-2 to 1");
  EXPECT_EQ(describe_labels({8, 3}), "8, 3");
  std::vector<double> odd;
  for (int k = 0; k < 100; ++k) odd.push_back(2 * k + 1);
  EXPECT_THAT(describe_labels(odd), EndsWith("21, 23, … 199"));
}

// ---- fingerprints -------------------------------------------------------------------------------------

TEST(DataFingerprint, IsOfContentsNotOfNames) {
  const TemporaryFolder folder;
  write_file(folder / "a", "-1 1:1\n+1 2:2\n");
  write_gzip(folder / "b.gz", "+3 1:1.0 # a\n5 2:2e0\n");
  EXPECT_EQ(fingerprint(load(folder / "a")), fingerprint(load(folder / "b.gz")));
  EXPECT_EQ(fingerprint(load(folder / "a")).size(), 32u);
}

TEST(DataFingerprint, EveryPartOfWhatIsUsedCounts) {
  const Dataset data{.name = "d", .samples = 2, .features = 2, .classes = 2, .values = {1, 2, 3, 4}, .targets = {0, 1}};
  std::set<std::string> seen;
  const auto note = [&](const DataSplit& split) { EXPECT_TRUE(seen.insert(fingerprint(split)).second); };
  note({.train = data});
  note({.train = data, .test = data});
  Dataset other = data;
  other.values[3] = std::nextafter(4.0f, 5.0f);
  note({.train = other});
  note({.train = data, .test = other});
  note({.train = other, .test = data});
  other = data;
  other.targets = {1, 0};
  note({.train = other});
  other.classes = 0;
  note({.train = other});
  other = data;
  other.samples = 4, other.features = 1;
  note({.train = other});
  other = data;
  other.values.clear(), other.bytes = {1, 2, 3, 4};
  note({.train = other});
}

TEST(DataFingerprint, OptionsThatChangeTheDataChangeIt) {
  EXPECT_NE(fingerprint(load_dataset({.name = "digits"})), fingerprint(load_dataset({.name = "digits", .seed = 2})));
  EXPECT_NE(fingerprint(load_dataset({.name = "digits", .classes = {3, 8}})),
            fingerprint(load_dataset({.name = "digits", .classes = {8, 3}})));
}
