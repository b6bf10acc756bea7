// SPDX-License-Identifier: BSD-3-Clause
#include "dataset/huge_pages.hpp"

#include <gtest/gtest.h>

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

using namespace quantimed;

namespace {

// What the kernel notes of the mapping that holds this address: "rd wr mr mw me ac hg".
std::string flags_of(const void* address) {
  const auto at = reinterpret_cast<std::uintptr_t>(address);
  std::ifstream smaps("/proc/self/smaps");
  bool is_it = false;
  for (std::string line; std::getline(smaps, line);) {
    std::uintptr_t first = 0, last = 0;
    char dash = 0;
    if (std::istringstream(line) >> std::hex >> first >> dash >> last && dash == '-') is_it = first <= at && at < last;
    if (is_it && line.starts_with("VmFlags:")) return line;
  }
  return {};
}

std::vector<std::uint8_t> counted(std::size_t bytes) {
  std::vector<std::uint8_t> list(bytes);
  for (std::size_t k = 0; k < bytes; ++k) list[k] = static_cast<std::uint8_t>(k % 251);
  return list;
}

}  // namespace

TEST(HugePages, ChangeNoByte) {
  for (const std::size_t bytes : {std::size_t{0}, std::size_t{3}, std::size_t{(5u << 20) + 7}}) {
    Dataset data;
    data.bytes = counted(bytes);
    data.values.assign(bytes / 4, 0.5f);
    wish_huge_pages(data);
    EXPECT_EQ(data.bytes, counted(bytes));
    EXPECT_EQ(data.values, std::vector<float>(bytes / 4, 0.5f));
  }
}

TEST(HugePages, AreAskedForWhereSamplesLie) {
  if (!std::filesystem::exists("/sys/kernel/mm/transparent_hugepage/enabled")) GTEST_SKIP() << "the kernel has none";
  Dataset data;
  data.bytes = counted(8u << 20);
  const std::uint8_t* const middle = data.bytes.data() + data.bytes.size() / 2;
  ASSERT_NE(flags_of(middle), "");
  wish_huge_pages(data);
  EXPECT_NE((flags_of(middle) + " ").find(" hg "), std::string::npos) << flags_of(middle);
}

TEST(HugePages, AreAskedForWhenADataSetIsLoaded) {
  if (!std::filesystem::exists("/sys/kernel/mm/transparent_hugepage/enabled")) GTEST_SKIP() << "the kernel has none";
  const DataSplit split = load_dataset({.name = "digits"});
  ASSERT_GE(split.train.bytes.size(), 6u << 20);
  const std::string flags = flags_of(split.train.bytes.data() + split.train.bytes.size() / 2);
  EXPECT_NE((flags + " ").find(" hg "), std::string::npos) << flags;
}
