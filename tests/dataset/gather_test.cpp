// SPDX-License-Identifier: BSD-3-Clause
#include "base/random.hpp"
#include "dataset/files.hpp"

using namespace quantimed;

namespace {

Dataset random_set(std::uint32_t samples, std::uint32_t features, bool bytes) {
  Dataset d{.name = "random", .samples = samples, .features = features, .classes = 2};
  Stream random({.seed = 5});
  for (std::size_t i = 0; i < std::size_t{samples} * features; ++i)
    if (bytes)
      d.bytes.push_back(static_cast<std::uint8_t>(random()));
    else
      d.values.push_back(static_cast<float>(random.uniform(-3, 3)));
  d.targets.assign(samples, 0);
  return d;
}

}  // namespace

// The naive twin: element by element, from the definition.
TEST(Gather, EqualsTheNaiveTwin) {
  for (const bool bytes : {true, false})
    for (const std::uint32_t p : {1u, 15u, 16u, 17u, 63u, 64u, 65u, 784u, 3072u}) {
      const Dataset d = random_set(9, p, bytes);
      const std::vector<SampleId> rows = {8, 0, 3, 3, 7};
      std::vector<float> out(rows.size() * p + 1, -7.0f);
      d.gather(rows, out.data());
      for (std::size_t k = 0; k < rows.size(); ++k)
        for (std::size_t j = 0; j < p; ++j) {
          const std::size_t at = rows[k] * p + j;
          const float expected = bytes ? static_cast<float>(d.bytes[at]) * (1.0f / 255.0f) : d.values[at];
          ASSERT_EQ(out[k * p + j], expected) << "features " << p << ", row " << k << ", column " << j;
        }
      EXPECT_EQ(out.back(), -7.0f) << "wrote beyond the end";
    }
}

TEST(Gather, WhiteIsExactlyOne) {
  Dataset d{.name = "white", .samples = 1, .features = 2, .classes = 2, .bytes = {255, 0}};
  float out[2];
  d.gather(std::vector<SampleId>{0}, out);
  EXPECT_EQ(out[0], 1.0f);
  EXPECT_EQ(out[1], 0.0f);
}

TEST(Gather, NoRowsIsNothingAndAWildRowIsAnError) {
  const Dataset d = random_set(4, 3, true);
  d.gather({}, nullptr);
  float out[3];
  EXPECT_THROW(d.gather(std::vector<SampleId>{4}, out), InternalError);
}
