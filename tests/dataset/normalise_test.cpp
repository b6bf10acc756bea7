// SPDX-License-Identifier: BSD-3-Clause
#include <cmath>

#include "dataset/files.hpp"

using namespace quantimed;
using testing::HasSubstr;

namespace {

std::vector<float> used(const Dataset& data) {
  std::vector<SampleId> rows;
  for (SampleId k = 0; k < data.samples; ++k) rows.push_back(k);
  std::vector<float> out(std::size_t{data.samples} * data.features);
  data.gather(rows, out.data());
  return out;
}

// Of features first, first + step, … of every row.
std::pair<double, double> moments(const Dataset& data, std::size_t first, std::size_t count) {
  const std::vector<float> all = used(data);
  double sum = 0, squares = 0, n = 0;
  for (std::size_t row = 0; row < data.samples; ++row)
    for (std::size_t k = first; k < first + count; ++k, ++n) {
      const double value = static_cast<double>(all[row * data.features + k]);
      sum += value;
      squares += value * value;
    }
  return {sum / n, std::sqrt(squares / n - sum / n * sum / n)};
}

}  // namespace

TEST(Normalise, EachColourOfAnImageHasMean0AndDeviation1) {
  const TemporaryFolder folder;
  std::string records;
  for (int k = 0; k < 20; ++k) {
    records += static_cast<char>(k % 2);
    for (int i = 0; i < 3072; ++i)
      records += static_cast<char>((i * 7 + k * 13) % (i < 1024 ? 50 : i < 2048 ? 120 : 250));
  }
  write_file(folder / "data_batch_1.bin", records);
  write_file(folder / "test_batch.bin", records.substr(0, 3073 * 4));
  const DatasetRequest request{.name = folder.path().string(), .normalise = true};
  const DataSplit split = load_dataset(request);
  ASSERT_EQ(split.train.scale.size(), 3u);
  for (std::size_t c = 0; c < 3; ++c) {
    const auto [mean, deviation] = moments(split.train, c * 1024, 1024);
    EXPECT_NEAR(mean, 0, 1e-5);
    EXPECT_NEAR(deviation, 1, 1e-5);
  }
  EXPECT_EQ(split.test->scale, split.train.scale) << "by training's figures";
  EXPECT_EQ(used(*split.test)[5], used(split.train)[5]);
  EXPECT_THAT(describe(split), HasSubstr("3,072 features (3x32x32), normalised, 2 classes"));
  EXPECT_NE(fingerprint(split), fingerprint(load_dataset({.name = folder.path().string()})));
}

TEST(Normalise, EachColumnOfATableAndOneThatNeverChangesIs0) {
  const TemporaryFolder folder;
  write_file(folder / "t", "0.5 1:1e6 2:3 3:0\n1.5 1:1000001 2:3 3:4\n2.5 1:1000002 2:3 3:8\n");
  const DataSplit split = load_dataset({.name = (folder / "t").string(), .normalise = true});
  const std::vector<float> rows = used(split.train);
  const float edge = std::sqrt(1.5f);
  for (const auto& [at, value] :
       {std::pair{0, -edge}, {3, 0.0f}, {6, edge}, {1, 0.0f}, {4, 0.0f}, {7, 0.0f}, {2, -edge}, {5, 0.0f}, {8, edge}})
    EXPECT_NEAR(rows[static_cast<std::size_t>(at)], value, at % 3 == 0 ? 0.1 : 1e-5) << at;
}

TEST(Normalise, SparseRowsAreRefused) {
  try {
    load_dataset({.name = "sparse-logistic:20,0.1,20", .normalise = true});
    FAIL() << "accepted";
  } catch (const InputError& error) {
    EXPECT_THAT(error.what(), testing::StartsWith("--normalise: the rows of sparse-logistic"));
  }
}
