// SPDX-License-Identifier: BSD-3-Clause
// A child that crashes, hangs, takes too much or says nonsense is an error here, and nothing else.
#include "base/isolated.hpp"

#include "base/error.hpp"

#include <gmock/gmock.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <memory>

namespace quantimed {
namespace {

using testing::HasSubstr;
using testing::ThrowsMessage;

constexpr IsolationLimits kLimits{.memory_bytes = std::uint64_t{64} << 20, .cpu_s = 5};
using Parts = std::vector<std::pair<std::string, std::variant<bool, std::int64_t, double, std::string>>>;

template <class Read>
void expect_failure(const std::string& what, Read&& read, IsolationLimits limits = kLimits) {
  EXPECT_THAT([&] { isolated<Parts>(limits, read); }, ThrowsMessage<IsolatedFailure>(HasSubstr(what)));
  EXPECT_EQ(::waitpid(-1, nullptr, WNOHANG), -1) << "a child is left";
  EXPECT_EQ(errno, ECHILD);
}

TEST(Isolated, HandsValuesBack) {
  const Parts parts = {{"a", true}, {"b", std::int64_t{-3}}, {"", 0.5}, {"d", std::string(200'000, 'x')}};
  EXPECT_EQ(isolated<Parts>(kLimits, [&] { return parts; }), parts);
  const std::vector<float> many(3'000'000, 1.5f);
  EXPECT_EQ(isolated<std::vector<float>>(kLimits, [&] { return many; }), many);
  EXPECT_TRUE(isolated<std::vector<double>>(kLimits, [] { return std::vector<double>(); }).empty());
}

TEST(Isolated, AnInputErrorComesThrough) {
  EXPECT_THAT([] { isolated<Parts>(kLimits, []() -> Parts { throw InputError("file {}: {{bad}}", 7); }); },
              ThrowsMessage<InputError>("file 7: {bad}"));
}

TEST(Isolated, ARefusalOfTheMachineComesThroughAsOne) {
  EXPECT_THAT([] { isolated<Parts>(kLimits, []() -> Parts { throw MachineRefused("file {}", 7); }); },
              ThrowsMessage<MachineRefused>("file 7"));
}

TEST(Isolated, WithoutLimitsAnEndSaysNothingOfThem) {
  expect_failure("ends the HDF5 library (Killed)",
                 []() -> Parts {
                   static_cast<void>(::raise(SIGKILL));
                   return {};
                 },
                 {.memory_bytes = kUnlimited, .cpu_s = kUnlimited});
}

TEST(Isolated, ACrashIsAnError) {
  expect_failure("crashes the HDF5 library (Segmentation fault)", []() -> Parts {
    std::raise(SIGSEGV);
    return {};
  });
  expect_failure("crashes the HDF5 library (Aborted)", []() -> Parts { std::abort(); });
}

TEST(Isolated, AHangIsAnError) {
  const auto hang = []() -> Parts {
    for (std::uint64_t turns = 0;; ++turns) asm volatile("" : : "r"(turns));
  };
  expect_failure("busy for more than 1 s", hang, {.memory_bytes = kLimits.memory_bytes, .cpu_s = 1});
}

TEST(Isolated, TooMuchMemoryIsAnError) {
#ifdef __SANITIZE_ADDRESS__
  GTEST_SKIP() << "AddressSanitizer waits for itself for ever when its own report gets no memory";
#endif
  expect_failure("cannot be read within 64 MiB", [] {
    std::vector<std::string> taken;
    while (taken.size() < 10'000) taken.emplace_back(1 << 20, 'x');
    return Parts{{taken.back(), 1.0}};
  });
}

TEST(Isolated, ASizeBeyondTheLimitIsNotBelieved) {
  std::string text;
  EXPECT_THAT(
      [&] {
        isolate(
            kLimits,
            [](ChildOutput& pipe) {
              std::uint64_t size = std::uint64_t{1} << 60;
              transfer(pipe, size);
            },
            [&](ParentInput& pipe) { transfer(pipe, text); });
      },
      ThrowsMessage<IsolatedFailure>(HasSubstr("nonsense")));
}

}  // namespace
}  // namespace quantimed
