// SPDX-License-Identifier: BSD-3-Clause
// The algorithms, one file a paper: the text, and the row that declares what it needs. table.cpp has their order.
#pragma once

#include "algorithm/table.hpp"

namespace quantimed {

extern const AlgorithmRow kQuantimedDsgd, kDsgd, kAsyncDsgd, kQDsgd, kDsgdAtc, kQgDsgdm, kLocalDsgd, kGossipPga, kSgp,
    kAllreduceSgd, kLocalSgd, kDiloco, kD2, kExactDiffusion, kExtra, kDsgt, kDsgtAtc, kAugDgm, kChocoSgd, kDcdPsgd,
    kEcdPsgd, kDeepsqueeze, kMoniqua, kLead, kBeer, kMotef, kAmb, kAmbDg, kSwift, kRFast, kAdPsgd, kSwarmSgd,
    kQSwarmSgd, kRelaySgd;

// What is minimised where nodes do as many iterations as their speeds allow.
inline constexpr const char* kBySpeed = "the nodes' losses weighted by their speeds, where these differ for long";

// 1/β of amb and amb-dg in iteration t, from 0: the paper counts from 1, and takes that of the iteration to come.
Real dual_step(const Options& options, Round t);

}  // namespace quantimed
