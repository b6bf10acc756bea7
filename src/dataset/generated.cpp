// SPDX-License-Identifier: BSD-3-Clause
#include "dataset/generated.hpp"

#include <algorithm>
#include <charconv>

#include "base/error.hpp"

namespace quantimed {

namespace {

template <class Number>
bool reads(const std::string& text, Number& value) {
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), value);
  return failure == std::errc{} && end == text.data() + text.size();
}

}  // namespace

GeneratedName::GeneratedName(std::string name, std::string example)
    : name_(std::move(name)), example_(std::move(example)) {
  std::size_t at = name_.find(':');
  while (at != std::string::npos) {
    const std::size_t end = name_.find(',', at + 1);
    arguments_.push_back(name_.substr(at + 1, end == std::string::npos ? end : end - at - 1));
    at = end;
  }
}

void GeneratedName::require_count(std::size_t least, std::size_t most) const {
  if (count() < least || count() > most)
    throw InputError("--dataset {}: has {} numbers after the colon; give {}, as in {}", name_, count(),
                     least == most ? fmt::format("{}", least) : fmt::format("{} or {}", least, most), example_);
}

std::uint32_t GeneratedName::whole(std::size_t k, const char* what, std::uint32_t least, std::uint32_t most) const {
  std::uint32_t value = 0;
  if (!reads(arguments_[k], value) || value < least || value > most)
    throw InputError("--dataset {}: \"{}\" is no number of {}; give {} to {}, as in {}", name_, arguments_[k], what,
                     least, most, example_);
  return value;
}

double GeneratedName::share(std::size_t k, const char* what, double most) const {
  double value = 0;
  if (!reads(arguments_[k], value) || !(value > 0 && value <= most))
    throw InputError("--dataset {}: \"{}\" is no {}; give a number above 0 and at most {}, as in {}", name_,
                     arguments_[k], what, most, example_);
  return value;
}

void require_room(const DatasetRequest& request, double bytes) {
  constexpr double kMiB = 1 << 20;
  constexpr double kSmall = 64 * kMiB;  // what a run takes beside it is more, and is asked for with it
  if (bytes <= std::max(request.most_bytes, kSmall)) return;
  throw MachineRefused("--dataset {}: takes {:.0f} MiB of memory, and {:.0f} MiB are left; ask for fewer samples",
                       request.name, bytes / kMiB, std::max(request.most_bytes, 0.0) / kMiB);
}

}  // namespace quantimed
