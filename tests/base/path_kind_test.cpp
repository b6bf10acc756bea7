// SPDX-License-Identifier: BSD-3-Clause
#include "base/path_kind.hpp"

#include <gmock/gmock.h>

#include <cerrno>

namespace quantimed {
namespace {

using testing::HasSubstr;

TEST(PathFailure, NamesWhatHelps) {
  EXPECT_THAT(path_failure(EFBIG), HasSubstr("ulimit -f"));
  EXPECT_THAT(path_failure(EMFILE), HasSubstr("ulimit -n"));
  EXPECT_THAT(path_failure(ENOSPC), HasSubstr("free some space"));
  EXPECT_THAT(path_failure(EACCES), HasSubstr("permissions"));
}

}  // namespace
}  // namespace quantimed
