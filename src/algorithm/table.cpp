// SPDX-License-Identifier: BSD-3-Clause
#include "algorithm/table.hpp"

#include "algorithm/algorithms.hpp"
#include "algorithm/own.hpp"
#include "base/error.hpp"

#include <cstdio>
#include <cstdlib>
#include <string>

namespace quantimed {

namespace {

// The order of help, sweeps and tables.
constexpr const AlgorithmRow* kOrder[] = {
    &kQuantimedDsgd, &kDsgd,    &kAsyncDsgd,    &kQDsgd,    &kDsgdAtc,   &kQgDsgdm,  &kLocalDsgd,
    &kGossipPga,     &kSgp,     &kAllreduceSgd, &kLocalSgd, &kDiloco,    &kD2,       &kExactDiffusion,
    &kExtra,         &kDsgt,    &kDsgtAtc,      &kAugDgm,   &kChocoSgd,  &kDcdPsgd,  &kEcdPsgd,
    &kDeepsqueeze,   &kMoniqua, &kLead,         &kBeer,     &kMotef,     &kAmb,      &kAmbDg,
    &kSwift,         &kRFast,   &kAdPsgd,       &kSwarmSgd, &kQSwarmSgd, &kRelaySgd,
};

// Those in that order, and then those of a program that links the library: complete before main().
std::vector<AlgorithmRow>& all_rows() {
  static std::vector<AlgorithmRow> rows = [] {
    std::vector<AlgorithmRow> listed;
    for (const AlgorithmRow* row : kOrder) listed.push_back(*row);
    return listed;
  }();
  return rows;
}

}  // namespace

std::span<const AlgorithmRow> algorithm_table() { return all_rows(); }
std::span<const AlgorithmRow> own_algorithms() { return algorithm_table().subspan(std::size(kOrder)); }

OwnAlgorithm::OwnAlgorithm(const AlgorithmRow& row) {
  for (const AlgorithmRow& other : all_rows())
    if (std::string_view(row.name) == other.name) {  // nobody could catch an exception before main()
      std::fprintf(stderr, "quantimed: two algorithms are called %s; give one of them another name\n", row.name);
      std::_Exit(2);
    }
  all_rows().push_back(row);
}

const AlgorithmRow& find_algorithm(std::string_view name) {
  std::string known;
  for (const AlgorithmRow& row : algorithm_table()) {
    if (name == row.name) return row;
    known += known.empty() ? row.name : std::string(", ") + row.name;
  }
  throw InputError("--algorithm {}: not known; use one of {}", name, known);
}

std::vector<std::string> compared_algorithms() {
  std::vector<std::string> names;
  for (const AlgorithmRow& row : algorithm_table())
    if (row.is_compared) names.emplace_back(row.name);
  return names;
}

Options usual_options(const AlgorithmRow& row) {
  Options options;
  for (const ParameterUse& use : row.parameters) row_of(use.parameter).set(options, use.usual);
  return options;
}

}  // namespace quantimed
