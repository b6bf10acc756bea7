// The table behind known_datasets().
#pragma once

#include "dataset/dataset.hpp"

namespace quantimed {

struct CatalogueRow {
  KnownDataset known;
  std::string folder;     // below a search root; empty: generated
  std::uint32_t classes;  // a label beyond is an error
};
const std::vector<CatalogueRow>& catalogue();

}  // namespace quantimed
