// SPDX-License-Identifier: BSD-3-Clause
// --tuned-by: what step sizes were tuned for, as one line of text that `quantimed tune` writes and everybody can read:
//   trials=24; seeds=101-103; budget=time; program=0.2.0 3f9a12bc; dataset=mnist; …; alpha=dsgd=0.9,…; check=5c1e0d2a
// A run recomputes what must be equal and says where it is not. The check at the end finds lines that were changed.
#pragma once

#include "config/config.hpp"
#include "dataset/dataset.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace quantimed {

// Algorithms whose best trial says little of what they can do.
struct SearchDoubts {
  std::vector<std::string> at_edge;       // of what was tried: a better one may lie beyond
  std::vector<std::string> usual_better;  // the published or usual steps would have won
};

// The certificate of these options: `tuned` as compare will read them, its steps and --max-time among them.
// `data`: a fingerprint of the data; "" where there is none.
std::string make_certificate(const Config& tuned, std::uint32_t trials, const std::vector<std::uint64_t>& seeds,
                             const std::string& data, const SearchDoubts& doubts = {});

// The fingerprint that a certificate holds; "" for data that each seed draws for itself.
std::string certified_data(const Config& config, const DataSplit& data);

// What `judged` (resolved, or as given to compare) makes of its --tuned-by:
//   "none"                                                      there is no certificate
//   "equal budgets: 24 trials of each algorithm, seeds 101-103"
//   "equal budgets: 2 trials of each algorithm, seeds 101-103; but the search was too small: …"
//   "other options than these: speed (uniform:10,90), batch (50)" in brackets: what they were tuned for
//   "the seeds that judge: 101", "a certificate that was changed", …
// `seeds`: that judge.
std::string tuning_of(const Config& judged, const std::vector<std::uint64_t>& seeds, const std::string& data);

// Whether that text is of the second kind.
bool is_tuned_fairly(const std::string& tuning);

// What such a text says against the search: "the search was too small: …"; "": nothing.
std::string search_doubts_of(const std::string& tuning);

}  // namespace quantimed
