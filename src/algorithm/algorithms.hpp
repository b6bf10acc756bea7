// SPDX-License-Identifier: BSD-3-Clause
// The algorithms' texts, one file a paper; table.cpp lists them.
#pragma once

#include "algorithm/table.hpp"

namespace quantimed {

Task quantimed_dsgd(Node& node, const Options& options);
Task dsgd(Node& node, const Options& options);
Task async_dsgd(Node& node, const Options& options);
Task q_dsgd(Node& node, const Options& options);

Task dsgd_atc(Node& node, const Options& options);
Task qg_dsgdm(Node& node, const Options& options);
Task local_dsgd(Node& node, const Options& options);
Task gossip_pga(Node& node, const Options& options);
Task sgp(Node& node, const Options& options);
Task allreduce_sgd(Node& node, const Options& options);
Task local_sgd(Node& node, const Options& options);
Task diloco(Node& node, const Options& options);
Task d2(Node& node, const Options& options);
Task exact_diffusion(Node& node, const Options& options);
Task extra(Node& node, const Options& options);
Task dsgt(Node& node, const Options& options);
Task dsgt_atc(Node& node, const Options& options);
Task aug_dgm(Node& node, const Options& options);
Task choco_sgd(Node& node, const Options& options);
Task dcd_psgd(Node& node, const Options& options);
Task ecd_psgd(Node& node, const Options& options);
Task deepsqueeze(Node& node, const Options& options);
Task moniqua(Node& node, const Options& options);
Task lead(Node& node, const Options& options);
Task beer(Node& node, const Options& options);
Task motef(Node& node, const Options& options);
Task amb(Node& node, const Options& options);
Task amb_dg(Node& node, const Options& options);
Task swift(Node& node, const Options& options);
Task ad_psgd(Node& node, const Options& options);
Task swarm_sgd(Node& node, const Options& options);
Task r_fast(Node& node, const Options& options);
Task relay_sgd(Node& node, const Options& options);

// What travels in an iteration of those that do not send one message to their neighbours.
Exchanges gossip_pga_exchanges(const Options& options, Round t);
Exchanges amb_exchanges(const Options& options, Round t);
Exchanges amb_dg_exchanges(const Options& options, Round t);
Exchanges collective(const Options& options, Round t);
Exchanges two_vectors(const Options& options, Round t);
Exchanges two_exchanges(const Options& options, Round t);
Exchanges there_and_back(const Options& options, Round t);

}  // namespace quantimed
