// SPDX-License-Identifier: BSD-3-Clause
// What an algorithm minimises, where that is not what its loss is measured by.
#pragma once

#include <string>
#include <string_view>

namespace quantimed {

// One sentence; empty where the algorithm minimises Σ f_i, the nodes' speeds differ from one iteration to the next
// alone, or their shards are alike. Resolved options.
std::string objective_note(std::string_view algorithm, std::string_view engine, std::string_view speed,
                           std::string_view partition);

// One sentence; empty where no node was lost, or those who went on did so without a bias. `lost`: of a trace's summary.
std::string loss_note(std::string_view algorithm, std::string_view lost);

}  // namespace quantimed
