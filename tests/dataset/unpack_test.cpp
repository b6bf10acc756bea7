// SPDX-License-Identifier: BSD-3-Clause
#include "dataset/byte_source.hpp"
#include "dataset/files.hpp"

using namespace quantimed;
using testing::HasSubstr;

namespace {

struct Packing {
  const char* ending;
  std::string (*pack)(const std::string&);
};
void PrintTo(const Packing& packing, std::ostream* out) { *out << packing.ending; }

class Unpack : public testing::TestWithParam<Packing> {
 protected:
  std::string pack(const std::string& text) const { return GetParam().pack(text); }
  std::string unpacked(const std::string& bytes) const {
    write_file(folder_ / "data", bytes);
    return ByteSource(folder_ / "data").read_text(std::uint64_t{1} << 30);
  }
  std::string error(const std::string& bytes) const {
    try {
      unpacked(bytes);
    } catch (const InputError& failure) {
      return failure.what();
    }
    return "";
  }
  TemporaryFolder folder_;
};

std::string noise(std::size_t size) {
  std::string text;
  std::uint32_t state = 1;
  for (std::size_t k = 0; k < size; ++k) text += static_cast<char>((state = state * 1664525u + 1013904223u) >> 24);
  return text;
}

}  // namespace

TEST_P(Unpack, GivesBackWhatWasPacked) {
  for (const std::string& text : {std::string(), std::string("1 1:1\n"), noise(1'000'000), std::string(3'000'000, 'x')})
    EXPECT_TRUE(unpacked(pack(text)) == text) << text.size();
}

TEST_P(Unpack, PartsThatFollowEachOtherAreOneText) {
  EXPECT_EQ(unpacked(pack("1 1:1\n") + pack("") + pack("2 1:2\n")), "1 1:1\n2 1:2\n");
}

TEST_P(Unpack, PaddingIsReadOverAndOtherBytesAreNot) {
  EXPECT_EQ(unpacked(pack("text") + std::string(512, '\0')), "text");
  for (const std::string& tail : {std::string("x"), std::string("garbage garbage"), noise(300'000)})
    EXPECT_NE(error(pack("text") + tail), "") << "what follows would be lost in silence";
}

TEST_P(Unpack, TruncationAnywhereIsRefused) {
  const std::string good = pack("1 1:1\n2 1:2\n");
  for (std::size_t length = 6; length < good.size(); ++length) EXPECT_NE(error(good.substr(0, length)), "") << length;
}

TEST_P(Unpack, ADamagedSecondPartIsRefused) {
  std::string two = pack("1 1:1\n");
  const std::size_t cut = two.size();
  two += pack("2 1:2\n");
  for (std::size_t at = cut; at < cut + 2; ++at) {
    std::string bad = two;
    bad[at] = static_cast<char>(bad[at] ^ 0x55);
    EXPECT_NE(error(bad), "") << at - cut;
  }
}

TEST_P(Unpack, IsToldByContentNotByName) {
  for (const char* name : {"a", "a.txt", "a.gz", "a.bz2", "a.xz"}) {
    write_file(folder_ / name, pack("-1 1:1\n+1 1:2\n"));
    EXPECT_EQ(load(folder_ / name).train.samples, 2u) << name;
  }
}

TEST_P(Unpack, WithoutEndStopsAtTheBudget) {
  write_file(folder_ / "bomb", pack("1 1:1\n" + std::string(32'000'000, '\n')));
  EXPECT_THAT(error_of(folder_ / "bomb"), HasSubstr("unpacks to more than"));
}

INSTANTIATE_TEST_SUITE_P(Packings, Unpack,
                         testing::Values(Packing{"gzip", gzip}, Packing{"bzip2", bzip2},
                                         Packing{"xz", [](const std::string& text) { return xz(text); }}),
                         [](const auto& test) { return test.param.ending; });

TEST(Xz, OfTheLargestPresetIsRead) {
  const TemporaryFolder folder;
  write_file(folder / "a.xz", xz("-1 1:1\n+1 1:2\n", 9));
  EXPECT_EQ(load(folder / "a.xz").train.samples, 2u);
}
