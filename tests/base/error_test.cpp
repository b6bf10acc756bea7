// SPDX-License-Identifier: BSD-3-Clause
#include "base/error.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <type_traits>

namespace quantimed {
namespace {

using testing::AllOf;
using testing::HasSubstr;

TEST(InputError, FormatsWhatWasWrongInOneLine) {
  const InputError error("--nodes {}: at least {} is needed", 0, 1);
  EXPECT_STREQ(error.what(), "--nodes 0: at least 1 is needed");
}

TEST(InputError, LeavesBracesOfValuesAlone) {
  const std::string value = "{}{0}%s";
  EXPECT_STREQ(InputError("--graph {}: no such graph", value).what(), "--graph {}{0}%s: no such graph");
}

// main tells exit statuses 2, 4 and 1 by these types.
TEST(Errors, AreDistinctKinds) {
  EXPECT_THROW(throw InputError("input"), std::runtime_error);
  EXPECT_THROW(throw MachineRefused("memory"), std::runtime_error);
  EXPECT_THROW(throw InternalError("invariant"), std::logic_error);
  static_assert(!std::is_base_of_v<InputError, MachineRefused> && !std::is_base_of_v<MachineRefused, InputError>);
  static_assert(!std::is_base_of_v<std::logic_error, InputError>);
  static_assert(!std::is_base_of_v<std::runtime_error, InternalError>);
}

TEST(Errors, AShortageIsNotAWrongName) {
  for (const int shortage : {ENOSPC, EFBIG, ENOMEM, EAGAIN, EMFILE}) EXPECT_TRUE(is_shortage(shortage)) << shortage;
  for (const int other : {0, ENOENT, EACCES, ENOTDIR, EROFS, EINVAL}) EXPECT_FALSE(is_shortage(other)) << other;
}

TEST(Check, IsSilentWhenTrue) { EXPECT_NO_THROW(check(true, "true is true")); }

TEST(Check, NamesThePlaceAndTheInvariantAlsoInReleaseBuilds) {
  const int line = __LINE__ + 2;
  try {
    check(false, "weights sum to 1");
    FAIL() << "check(false) returned";
  } catch (const InternalError& error) {
    EXPECT_THAT(error.what(),
                AllOf(HasSubstr("error_test.cpp:" + std::to_string(line)), HasSubstr("weights sum to 1")));
  }
}

}  // namespace
}  // namespace quantimed
