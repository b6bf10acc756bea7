// The check of --alpha and --epsilon as they are read.
#pragma once

#include <string>

namespace quantimed {

// Every step can be evaluated, and every name is an algorithm's, once. Throws InputError.
void check_steps(const std::string& option, const std::string& text);

}  // namespace quantimed
