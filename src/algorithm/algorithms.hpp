// The algorithms' texts; table.cpp lists them.
#pragma once

#include "algorithm/options.hpp"
#include "node/node.hpp"

namespace quantimed {

Task quantimed_dsgd(Node& node, const Options& options);
Task dsgd(Node& node, const Options& options);
Task async_dsgd(Node& node, const Options& options);
Task q_dsgd(Node& node, const Options& options);

}  // namespace quantimed
