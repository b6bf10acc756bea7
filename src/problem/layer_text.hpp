// SPDX-License-Identifier: BSD-3-Clause
// A network from a short text, --model layers:TEXT. Layers with commas between them, each of what the one before gives:
//
//   conv:CHANNELS:KERNEL[:STRIDE][:no-bias]   KERNEL odd; padded, so that STRIDE 1 keeps height and width
//   norm:GROUPS                               group norm; GROUPS divides the channels
//   relu
//   max:SIDE, average:SIDE                    pooling; average alone: over the whole image
//   linear:OUTPUTS                            of all that comes in; linear alone: what the loss takes
//   [LAYER,LAYER]                             residual block: what comes in is added to what its layers make of it
//
// gn-lenet is conv:32:5,norm:2,relu,max:2,conv:32:5,norm:2,relu,max:2,conv:64:5,norm:2,relu,max:2,linear.
#pragma once

#include <memory>
#include <string>

#include "problem/layer.hpp"

namespace quantimed {

// text: what follows "layers:". Throws InputError, which names the layer, its number and what comes in, where the text
// cannot be read, shapes do not fit, or the network does not give `outputs` numbers.
std::unique_ptr<Layer> layers_of(const std::string& text, const ImageShape& in, std::size_t outputs);

}  // namespace quantimed
