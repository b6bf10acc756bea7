// SPDX-License-Identifier: BSD-3-Clause
#include "base/fingerprint.hpp"

#include "base/error.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <set>

namespace quantimed {
namespace {

std::string of_text(const std::string& text) {
  Fingerprint fingerprint;
  fingerprint.add_bytes(text.data(), text.size());
  return fingerprint.hex();
}

// The values of `xxhsum -H2`, xxHash's own program.
TEST(Fingerprint, IsXxh128) {
  EXPECT_EQ(of_text(""), "99aa06d3014798d86001c324468d497f");
  EXPECT_EQ(of_text("quantimed\n"), "42276acb757ce73c1e88085ee729f974");
}

TEST(Fingerprint, PiecesOfAnySizeGiveTheSame) {
  const std::string text(100'003, 'x');
  Fingerprint pieces;
  for (std::size_t at = 0; at < text.size(); at += 777)
    pieces.add_bytes(text.data() + at, std::min<std::size_t>(777, text.size() - at));
  EXPECT_EQ(pieces.hex(), of_text(text));
}

TEST(Fingerprint, NeighbouringArraysCannotTradeElements) {
  std::set<std::string> seen;
  for (std::size_t cut = 0; cut <= 4; ++cut) {
    Fingerprint fingerprint;
    const std::vector<float> all = {1, 2, 3, 4};
    fingerprint.add(std::vector<float>(all.begin(), all.begin() + static_cast<std::ptrdiff_t>(cut)));
    fingerprint.add(std::vector<float>(all.begin() + static_cast<std::ptrdiff_t>(cut), all.end()));
    seen.insert(fingerprint.hex());
  }
  EXPECT_EQ(seen.size(), 5u);
}

TEST(Fingerprint, OfAFileIsOfItsContents) {
  const std::string path = testing::TempDir() + "fingerprint." + std::to_string(::getpid());
  const auto write = [&](const std::string& text) { std::ofstream(path, std::ios::binary) << text; };
  const std::string text(3'000'001, 'q');
  write(text);
  EXPECT_EQ(file_fingerprint(path), of_text(text));
  write("0 1\n");
  EXPECT_EQ(file_fingerprint(path), of_text("0 1\n"));
  std::filesystem::remove(path);
  EXPECT_THROW(file_fingerprint(path), InputError);
  ASSERT_EQ(mkfifo(path.c_str(), 0600), 0);
  EXPECT_EQ(file_fingerprint(path), "") << "a pipe cannot be read twice";
  std::filesystem::remove(path);
  EXPECT_EQ(file_fingerprint("/"), "");
}

}  // namespace
}  // namespace quantimed
