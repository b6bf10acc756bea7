// SPDX-License-Identifier: BSD-3-Clause
// --speed file:PATH: speeds that were recorded, by whatever or by a run of ours.
#pragma once

#include <memory>
#include <string>

#include "timing/speed_model.hpp"
#include "trace/trace.hpp"

namespace quantimed {

// Samples per second, a line an iteration and a column a node, with blanks or commas between; # begins a comment, and
// a first line of names is read over. Or a trace of ours, told by a name that ends in .h5. Past the last line it begins
// again. `option` ("--speed file:PATH") is for errors; nodes = 0: any number of columns. Throws InputError that names
// the line.
std::unique_ptr<SpeedModel> read_recorded_speed(const std::string& option, const std::string& path,
                                                std::uint32_t nodes);

// As make_speed_model(text, seed); a file of speeds must have a column for each of the nodes. 0: any number.
std::unique_ptr<SpeedModel> make_speed_model(const std::string& text, std::uint64_t seed, std::uint32_t nodes);

// The speeds of a run: batch / compute time of each gradient. Where a node computed nothing it keeps its speed of
// before, or begins with its median.
std::unique_ptr<SpeedModel> speed_of_run(const std::string& option, const Rounds& rounds);

}  // namespace quantimed
