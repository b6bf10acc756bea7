// SPDX-License-Identifier: BSD-3-Clause
// The paths of a portable build: whichever it takes, messages are the same, and AVX2 and AVX-512 compute the same bits,
// which are a native build's, too.
#include <gtest/gtest.h>

#include <bit>
#include <vector>

#include "base/instructions.hpp"
#include "codec/golden.hpp"
#include "problem/activation.hpp"

namespace quantimed {
namespace {

// Those that fuse products with their addition.
std::vector<Instructions> fused() {
  std::vector<Instructions> found;
  for (const Instructions each : possible_instructions())
    if (each != Instructions::compiled) found.push_back(each);
  return found;
}

class Portable : public testing::Test {
 protected:
  ~Portable() override { use_instructions(possible_instructions().back()); }
};

TEST_F(Portable, EveryPathSendsTheSameMessages) {
  for (const Instructions each : possible_instructions()) {
    use_instructions(each);
    ASSERT_EQ(instructions_in_use(), each);
    for (const auto& [text, hash] : kGoldenMessages) EXPECT_EQ(message_hash(text), hash) << text << to_string(each);
  }
}

TEST_F(Portable, Avx2AndAvx512SumAsANativeBuildDoes) {
  if (fused().empty()) GTEST_SKIP() << "this processor or this build has the baseline alone";
  for (const Instructions each : fused()) {
    use_instructions(each);
    for (const auto& [text, hash] : kGoldenSums) EXPECT_EQ(sum_hash(text), hash) << text << to_string(each);
  }
}

std::vector<std::uint32_t> bits_of_activations() {
  std::vector<std::uint32_t> bits;
  for (const Activation activation : {Activation::sigmoid, Activation::tanh, Activation::relu}) {
    auto a = random_vector(1000, 9), delta = random_vector(1000, 1, 2);
    activate(activation, a.size(), a.data());
    back_activate(activation, a.size(), a.data(), delta.data());
    for (const auto& values : {a, delta})
      for (const float value : values) bits.push_back(std::bit_cast<std::uint32_t>(value));
  }
  return bits;
}

TEST_F(Portable, Avx2AndAvx512ActivateAlike) {
  if (fused().size() < 2) GTEST_SKIP() << "this processor does not have both";
  use_instructions(Instructions::v3);
  const auto narrow = bits_of_activations();
  use_instructions(Instructions::v4);
  EXPECT_EQ(bits_of_activations(), narrow);
}

}  // namespace
}  // namespace quantimed
