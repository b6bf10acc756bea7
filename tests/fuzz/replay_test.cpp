// SPDX-License-Identifier: BSD-3-Clause
// Every reader on the corpus, on deterministic mutations of it and on files made to be costly. What must hold: nothing
// but InputError, of one line; at most 10 times the input and 64 MiB of memory; at most a second for each MiB.
#include "fuzz/targets.hpp"

#include "base/random.hpp"
#include "dataset/files.hpp"
#include "here.hpp"

#include <gtest/gtest.h>
#include <malloc.h>
#include <time.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdlib>
#include <new>

namespace {

std::atomic<std::int64_t> held{0}, most_held{0};

void note(std::int64_t change) {
  const std::int64_t now = held += change;
  for (std::int64_t most = most_held; now > most && !most_held.compare_exchange_weak(most, now);) {
  }
}

}  // namespace

// The program's own, to see how much is held at once. What HDF5 takes is the child's, which the kernel limits.
void* operator new(std::size_t size) {
  void* memory = std::malloc(size);
  if (memory == nullptr) throw std::bad_alloc();
  note(static_cast<std::int64_t>(malloc_usable_size(memory)));
  return memory;
}
void* operator new(std::size_t size, const std::nothrow_t&) noexcept {
  try {
    return operator new(size);
  } catch (const std::bad_alloc&) {
    return nullptr;
  }
}
void operator delete(void* memory) noexcept {
  if (memory != nullptr) note(-static_cast<std::int64_t>(malloc_usable_size(memory)));
  std::free(memory);
}
void operator delete(void* memory, std::size_t) noexcept { operator delete(memory); }
void operator delete(void* memory, const std::nothrow_t&) noexcept { operator delete(memory); }

namespace quantimed::fuzz {
namespace {

constexpr int kMutations = 60;  // of each seed
constexpr std::size_t kMebi = 1 << 20;

double processor_seconds() {
  timespec now{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

void expect_within_limits(const Target& target, const std::string& input) {
  const std::int64_t before = held;
  most_held = before;
  const double start_s = processor_seconds();
  run_once(target, {reinterpret_cast<const std::uint8_t*>(input.data()), input.size()});
  const auto taken = static_cast<std::uint64_t>(most_held - before);
  EXPECT_LE(taken, 10 * input.size() + 64 * kMebi) << target.name << ", " << input.size() << " bytes";
  const double limit_s = 1 + static_cast<double>(input.size()) / kMebi;
  EXPECT_LE(processor_seconds() - start_s, limit_s) << target.name << ", " << input.size() << " bytes";
}

std::string mutated(std::string bytes, const std::string& other, Stream& random) {
  constexpr std::array<std::string_view, 12> kTokens = {"\xff\xff\xff\xff",
                                                        "\x7f\xff\xff\xff",
                                                        "\0\0\0\0",
                                                        "nan",
                                                        "inf",
                                                        "-1",
                                                        "1e999",
                                                        "18446744073709551616",
                                                        ":",
                                                        "\n",
                                                        "=",
                                                        "\""};
  const auto below = [&](std::size_t n) {
    return random.index(static_cast<std::uint32_t>(std::max<std::size_t>(n, 1)));
  };
  for (std::uint32_t changes = 1 + below(4); changes > 0; --changes) {
    const std::size_t at = below(bytes.size()), length = std::min<std::size_t>(1 + below(16), bytes.size() - at);
    switch (below(7)) {
      case 0:
        if (!bytes.empty()) bytes[at] ^= static_cast<char>(1u << below(8));
        break;
      case 1:
        if (!bytes.empty()) bytes[at] = static_cast<char>(below(256));
        break;
      case 2:
        bytes.erase(at, length);
        break;
      case 3:
        bytes.insert(at, bytes.substr(at, length));
        break;
      case 4:
        bytes.resize(at);
        break;
      case 5:
        bytes.replace(at, length, kTokens[below(kTokens.size())]);
        break;
      default:
        bytes = bytes.substr(0, at) + other.substr(below(other.size()));
    }
  }
  return bytes;
}

class Replay : public ::testing::TestWithParam<Target> {};

TEST_P(Replay, CorpusAndItsMutations) {
  const Target& target = GetParam();
  const std::vector<std::string> seeds = all_seeds(target, QUANTIMED_TESTS_DIR "/fuzz/corpus");
  ASSERT_GE(seeds.size(), 2u);
  Stream random({.seed = 1});
  for (const std::string& seed : seeds) {
    expect_within_limits(target, seed);
    for (int k = 0; k < kMutations; ++k)
      expect_within_limits(target,
                           mutated(seed, seeds[random.index(static_cast<std::uint32_t>(seeds.size()))], random));
  }
}

// A MiB of one pattern; behind a good beginning, too.
TEST_P(Replay, AMebibyteOfNothing) {
  const Target& target = GetParam();
  const std::string seed = all_seeds(target, QUANTIMED_TESTS_DIR "/fuzz/corpus").front();
  for (const std::string_view pattern : {std::string_view("\0", 1),
                                         {"\xff"},
                                         {"\n"},
                                         {"a"},
                                         {"0"},
                                         {"["},
                                         {"0 1\n"},
                                         {"1 1:1\n"},
                                         {"1:"},
                                         {"1,"},
                                         {"a=1\n"},
                                         {"--quiet\n"}}) {
    std::string input;
    while (input.size() < kMebi) input += pattern;
    expect_within_limits(target, input);
    expect_within_limits(target, seed + input);
  }
}

INSTANTIATE_TEST_SUITE_P(Fuzz, Replay, ::testing::ValuesIn(targets().begin(), targets().end()),
                         [](const auto& test) { return test.param.name; });

// ---- decompression bombs -------------------------------------------------------------------------

std::string compressed(const std::string& head, std::size_t zeros, char fill) {
  const TemporaryFolder folder;
  gzFile file = gzopen((folder / "b").c_str(), "wb1");
  gzwrite(file, head.data(), static_cast<unsigned>(head.size()));
  const std::string block(kMebi, fill);
  for (std::size_t done = 0; done < zeros; done += kMebi) gzwrite(file, block.data(), static_cast<unsigned>(kMebi));
  gzclose(file);
  return read_back(folder / "b");
}

TEST(Bomb, GzipIsNotUnpackedBeyondTheBudget) {
  expect_within_limits(find_target("gzip"), compressed("", 96 * kMebi, '\0'));
  expect_within_limits(find_target("gzip"), compressed("1 1:1\n", 96 * kMebi, '\n'));
}

TEST(Bomb, AnIdxHeaderThatItsGzipCouldHoldIsRefused) {
  const TemporaryFolder folder;
  const std::uint32_t images = 96;  // of 1 MiB each: deflate could hold them in 96 KiB
  write_file(folder / "x-images-idx3-ubyte", compressed(idx({images, 1024, 1024}, ""), 96 * kMebi, '\0'));
  write_file(folder / "x-labels-idx1-ubyte", idx({images}, std::string(images, '\1')));
  EXPECT_THAT(error_of(folder / "x-images-idx3-ubyte"), testing::HasSubstr("unpacks to far more than its size"));
}

TEST(Bomb, Hdf5ChunksOfZerosAreRefused) {
  const TemporaryFolder folder;
  Dataset data{.name = "zeros", .samples = 128, .features = 1 << 20, .classes = 2};
  data.bytes.assign(std::size_t{128} << 20, 0);
  data.targets.assign(128, 0);
  data.targets[0] = 1;
  export_dataset(folder / "plain.h5", {data, std::nullopt});
  EXPECT_EQ(load(folder / "plain.h5").train.samples, 128u);  // as large as it says: read
  const std::string repack = fmt::format("h5repack -f GZIP=1 -l CHUNK=8x1048576 '{}' '{}' > /dev/null 2>&1",
                                         (folder / "plain.h5").string(), (folder / "bomb.h5").string());
  if (std::system(repack.c_str()) != 0) GTEST_SKIP() << "h5repack is not installed";
  EXPECT_THAT(error_of(folder / "bomb.h5"), testing::HasSubstr("unpacks to far more than its size"));
}

}  // namespace
}  // namespace quantimed::fuzz
