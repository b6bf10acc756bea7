// SPDX-License-Identifier: BSD-3-Clause
// What a judgement says, in sentences that stand alone.
#pragma once

#include "statistics/judgement.hpp"
#include "statistics/text.hpp"

#include <string>
#include <vector>

namespace quantimed {

// "fastest down to loss 2.1: A, 1.4× [1.2–1.6] as fast as the next (B) at least; at 1.9: too close to call (A, B); …"
std::string headline(const Inquiry& inquiry, const Judgement& judgement, std::size_t clock);

// Who did not arrive in all runs: "Missed: loss 1.8 by all runs of A and 2 of 5 of B.". Empty where nobody missed
// any.
std::string misses_text(const Inquiry& inquiry, const Judgement& judgement, std::size_t clock);

// Where two clocks name different winners, or only one of them names one. Empty where they agree, or there is one.
std::string turns_round(const Inquiry& inquiry, const Judgement& judgement);

}  // namespace quantimed
