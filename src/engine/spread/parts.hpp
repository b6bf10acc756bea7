// SPDX-License-Identifier: BSD-3-Clause
// Checkpoints and recordings as parcels, and those of some nodes behind those of the nodes before them.
#pragma once

#include "engine/spread/parcel.hpp"
#include "trace/checkpoint.hpp"
#include "trace/recording.hpp"

namespace quantimed {

void put(Parcel& parcel, const Checkpoint& checkpoint);
Checkpoint take_checkpoint(Parcel& parcel);
// Without their states: the first's is kept.
void append(Checkpoint& to, const Checkpoint& of_later_nodes);

void put(Parcel& parcel, const Recording& recording);
Recording take_recording(Parcel& parcel);

}  // namespace quantimed
