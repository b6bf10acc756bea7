// SPDX-License-Identifier: BSD-3-Clause
// What a search says against itself.
#pragma once

#include "command/certificate.hpp"
#include "command/tune_report.hpp"

#include <cstddef>
#include <span>
#include <string>

namespace quantimed {

inline constexpr double kWorthARun = 1.05;  // steps so many times as fast are better: less may be the seeds'

// "12.3 s", "< 12.3 s" before the third point of a curve, "missed", "—" where nothing counts.
std::string time_text(std::span<const TrialRun> runs, std::size_t target);

SearchDoubts doubts_of(const TuneReport& report);

// The lines under tune's tables.
std::string tune_notes(const TuneReport& report);

}  // namespace quantimed
