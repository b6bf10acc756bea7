// SPDX-License-Identifier: BSD-3-Clause
// What was read, as people see it, and its fingerprint.
#include <cmath>
#include <filesystem>

#include <fmt/format.h>

#include "base/fingerprint.hpp"
#include "dataset/dataset.hpp"

namespace quantimed {

namespace {

// 60,000
std::string grouped(std::uint64_t number) {
  return number < 1000 ? std::to_string(number) : fmt::format("{},{:03}", grouped(number / 1000), number % 1000);
}

std::string joined(const std::vector<std::string>& words, std::string_view between) {
  std::string text;
  for (const std::string& word : words) text += fmt::format("{}{}", text.empty() ? "" : between, word);
  return text;
}

std::string shape_text(const DataSplit& split) {
  if (split.source.shape.size() < 2) return "";
  std::vector<std::string> sizes;
  for (const std::uint32_t size : split.source.shape) sizes.push_back(std::to_string(size));
  return fmt::format(" ({})", joined(sizes, "x"));
}

// How large a share of its cells a sparse set holds, and why it is one; whether features are normalised.
std::string storage_text(const DataSplit& split) {
  if (!split.train.is_sparse()) return split.train.scale.empty() ? "" : ", normalised";
  return fmt::format(", sparse rows ({:.3g} % of the cells hold a number: {})", 100 * split.train.density(),
                     split.source.storage_rule);
}

std::string targets_text(const DataSplit& split) {
  if (split.train.classes == 0) return "values to regress on";
  const std::string labels = describe_labels(split.source.labels);
  return fmt::format("{} classes{}", grouped(split.train.classes),
                     labels.empty() ? "" : fmt::format(" (labels {})", labels));
}

std::string test_text(const DataSplit& split) {
  const DataSource& source = split.source;
  if (split.test) {
    const std::string file = std::filesystem::path(source.test).filename().string();
    return fmt::format("{} test{}", grouped(split.test->samples), file == "none" ? "" : fmt::format(" ({})", file));
  }
  if (source.looked_for.empty()) return "no test set";
  return fmt::format("no test set (looked for {})", joined(source.looked_for, ", "));
}

}  // namespace

std::string describe_labels(const std::vector<double>& labels) {
  constexpr std::size_t kMostRuns = 12;
  std::vector<std::string> runs;
  for (std::size_t first = 0, last = 0; first < labels.size(); first = last + 1) {
    for (last = first; last + 1 < labels.size() && labels[last + 1] == labels[last] + 1;) ++last;
    if (last - first == 1) --last;  // two are no run
    if (runs.size() == kMostRuns) return joined(runs, ", ") + fmt::format(", … {}", labels.back());
    // -1-3 would be hard to read
    const char* dash = labels[first] < 0 ? " to " : "-";
    runs.push_back(first == last ? fmt::format("{}", labels[first])
                                 : fmt::format("{}{}{}", labels[first], dash, labels[last]));
  }
  return joined(runs, ", ");
}

std::string describe(const DataSplit& split) {
  return fmt::format("{} feature{}{}{}, {}, {} training, {}", grouped(split.train.features),
                     split.train.features == 1 ? "" : "s", shape_text(split), storage_text(split), targets_text(split),
                     grouped(split.train.samples), test_text(split));
}

const char* storage_of(const Dataset& data) {
  if (data.is_sparse()) return "sparse rows";
  return data.bytes.empty() ? "float32" : "bytes";
}

std::string fingerprint(const Dataset& data) {
  Fingerprint all;
  all.add(data.samples);
  all.add(data.features);
  all.add(data.classes);
  all.add(data.bytes);
  all.add(data.values);
  all.add(data.targets);
  if (!data.scale.empty()) {
    all.add(data.scale);
    all.add(data.shift);
  }
  if (data.is_sparse()) {
    all.add(data.sparse.starts);
    all.add(data.sparse.columns);
    all.add(data.sparse.values);
  }
  return all.hex();
}

std::string fingerprint(const DataSplit& split) {
  Fingerprint all;
  all.add(fingerprint(split.train));
  all.add(split.test ? fingerprint(*split.test) : "none");
  return all.hex();
}

}  // namespace quantimed
