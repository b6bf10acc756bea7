// SPDX-License-Identifier: BSD-3-Clause
// The names of generated sets, "gaussian-linear:8,50000": their numbers, and the memory that they ask for.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "dataset/dataset.hpp"

namespace quantimed {

// N training samples, and a fifth as many to test with.
inline constexpr std::uint32_t kUsualSamples = 10'000;
inline constexpr std::uint32_t kFewestSamples = 10, kMostGenerated = 1'000'000'000;
inline std::uint32_t test_samples_of(std::uint32_t training) { return training / 5; }

class GeneratedName {
 public:
  // `example`: a name that is right, for the messages.
  GeneratedName(std::string name, std::string example);
  std::size_t count() const { return arguments_.size(); }
  // Throw InputError: not such a number, or out of range.
  std::uint32_t whole(std::size_t k, const char* what, std::uint32_t least, std::uint32_t most) const;
  double share(std::size_t k, const char* what, double most) const;  // above 0, and at most `most`
  // Throws InputError unless there are as many numbers as that.
  void require_count(std::size_t least, std::size_t most) const;

 private:
  std::string name_, example_;
  std::vector<std::string> arguments_;
};

// Before memory is taken. Throws MachineRefused.
void require_room(const DatasetRequest& request, double bytes);

}  // namespace quantimed
