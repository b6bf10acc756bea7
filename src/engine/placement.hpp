// Which cores the nodes of a real-time run live on.
#pragma once

#include <string>
#include <vector>

namespace quantimed {

// One processing unit for each core that this process may use (its affinity mask: a SLURM job sees only its own), in
// the machine's order. Simultaneous-multithreading siblings count as one core.  Operating-system numbers.
std::vector<int> usable_cores();

// Binds the calling thread to one processing unit, and checks that it runs there. Throws InputError if refused.
void pin_this_thread(int processing_unit);

// "0-3,8"
std::string to_list(const std::vector<int>& numbers);

}  // namespace quantimed
