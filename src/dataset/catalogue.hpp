// SPDX-License-Identifier: BSD-3-Clause
// The table behind known_datasets().
#pragma once

#include "dataset/dataset.hpp"

namespace quantimed {

struct CatalogueRow {
  KnownDataset known;
  std::string folder;     // below a search root; empty: generated
  std::uint32_t classes;  // a label beyond is an error
  DataSplit (*generate)(const DatasetRequest& request) = nullptr;
  const char* libsvm = nullptr;  // the training file's name in the folder, packed or not
};
const std::vector<CatalogueRow>& catalogue();
// By name; "gaussian-linear:8" is the row "gaussian-linear:D". Null: not known.
const CatalogueRow* find_in_catalogue(const std::string& name);

}  // namespace quantimed
