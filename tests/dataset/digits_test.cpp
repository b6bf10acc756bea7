// SPDX-License-Identifier: BSD-3-Clause
#include "dataset/digits.hpp"

#include <omp.h>

#include <algorithm>

#include "dataset/files.hpp"

using namespace quantimed;

TEST(Digits, HasTheStatedShapeAndBalancedMixedLabels) {
  const DataSplit split = load_dataset({.name = "digits"});
  ASSERT_TRUE(split.test);
  EXPECT_EQ(split.train.name, "digits");
  for (const auto& [data, samples] : {std::pair{&split.train, kDigitsTrain}, std::pair{&*split.test, kDigitsTest}}) {
    EXPECT_EQ(data->samples, samples);
    EXPECT_EQ(data->features, 784u);
    EXPECT_EQ(data->classes, 10u);
    EXPECT_EQ(data->bytes.size(), samples * 784u);
    for (int digit = 0; digit < 10; ++digit)
      EXPECT_EQ(std::count(data->targets.begin(), data->targets.end(), static_cast<float>(digit)), samples / 10);
  }
  // 50 shards of 200: every one holds every digit.
  for (std::uint32_t shard = 0; shard < 50; ++shard)
    for (int digit = 0; digit < 10; ++digit) {
      const auto begin = split.train.targets.begin() + shard * 200;
      EXPECT_GT(std::count(begin, begin + 200, static_cast<float>(digit)), 0) << "shard " << shard;
    }
}

TEST(Digits, TheSeedAloneFixesEveryByte) {
  const int threads = omp_get_max_threads();
  omp_set_num_threads(1);
  const DataSplit one = generate_digits(7);
  omp_set_num_threads(2);
  const DataSplit two = generate_digits(7), other = generate_digits(8);
  omp_set_num_threads(threads);
  EXPECT_EQ(one.train.bytes, two.train.bytes);
  EXPECT_EQ(one.train.targets, two.train.targets);
  EXPECT_EQ(one.test->bytes, two.test->bytes);
  EXPECT_NE(one.train.bytes, other.train.bytes);
  EXPECT_NE(one.train.targets, other.train.targets);
}

TEST(Digits, NoImageIsBlankAndNoneIsRepeated) {
  const Dataset d = generate_digits(1).train;
  std::vector<std::string> images;
  for (std::uint32_t i = 0; i < d.samples; ++i) {
    const auto begin = d.bytes.begin() + i * 784;
    EXPECT_GT(std::count_if(begin, begin + 784, [](std::uint8_t v) { return v > 90; }), 8) << "image " << i;
    images.emplace_back(begin, begin + 784);
  }
  std::sort(images.begin(), images.end());
  EXPECT_EQ(std::adjacent_find(images.begin(), images.end()), images.end());
}

// The nearest class mean is a linear rule: far better than chance, and visibly imperfect.
TEST(Digits, AreLearnableButNotEasily) {
  const DataSplit split = generate_digits(1);
  std::vector<double> mean(10 * 784);
  for (std::uint32_t i = 0; i < split.train.samples; ++i)
    for (std::size_t j = 0; j < 784; ++j)
      mean[static_cast<std::size_t>(split.train.targets[i]) * 784 + j] += split.train.bytes[i * 784 + j] / 1000.0;
  int right = 0;
  for (std::uint32_t i = 0; i < split.test->samples; ++i) {
    std::vector<double> distance(10);
    for (std::size_t c = 0; c < 10; ++c)
      for (std::size_t j = 0; j < 784; ++j) {
        const double d = split.test->bytes[i * 784 + j] - mean[c * 784 + j];
        distance[c] += d * d;
      }
    const auto best = std::min_element(distance.begin(), distance.end()) - distance.begin();
    right += static_cast<float>(best) == split.test->targets[i];
  }
  EXPECT_GT(right, 1000);
  EXPECT_LT(right, 1800);
}
