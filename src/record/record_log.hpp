// SPDX-License-Identifier: BSD-3-Clause
// One node's records on their way from its own thread to another that takes them.
#pragma once

#include "record/paged_log.hpp"
#include "record/record_file.hpp"

namespace quantimed {

using RecordLog = PagedLog<RoundRecord, 4096>;

}  // namespace quantimed
