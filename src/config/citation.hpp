// SPDX-License-Identifier: BSD-3-Clause
// What to cite, from the rows of the algorithms.
#pragma once

#include <span>
#include <string>

namespace quantimed {

// BibTeX: this program, and once each paper of these algorithms ("all": of every one; none given: of those that are
// compared). Throws InputError for a name that is not known.
std::string citations(std::span<const std::string> algorithms);

}  // namespace quantimed
