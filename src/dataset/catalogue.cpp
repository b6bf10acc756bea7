// SPDX-License-Identifier: BSD-3-Clause
// The known data sets: one table, one row each. Help, errors and the search iterate it.
#include "dataset/catalogue.hpp"

#include "dataset/digits.hpp"
#include "dataset/gaussian.hpp"

#include <algorithm>

namespace quantimed {

const std::vector<CatalogueRow>& catalogue() {
  static const std::vector<CatalogueRow> rows = {
      {{"digits", "generated handwriting-like digits, 28x28, 10 classes, 10,000 + 2,000", "nothing to get: generated"},
       "",
       10,
       [](const DatasetRequest& request) { return generate_digits(request.seed); }},
      {{"gaussian-linear:D", "generated regression: D normal features, y = a.w + noise, 10,000 + 2,000",
        "nothing to get: generated"},
       "",
       0,
       generate_gaussian},
      {{"gaussian-logistic:D", "generated: D normal features, 2 classes that overlap, 10,000 + 2,000",
        "nothing to get: generated"},
       "",
       2,
       generate_gaussian},
      {{"mnist", "handwritten digits, 28x28, 10 classes, 60,000 + 10,000",
        "put the four IDX files of MNIST (.gz or unpacked) into a folder mnist"},
       "mnist",
       10},
      {{"fashion-mnist", "clothes, 28x28, 10 classes, 60,000 + 10,000", "apt-get install dataset-fashion-mnist"},
       "fashion-mnist",
       10},
      {{"cifar10", "photographs, 32x32 colour, 10 classes, 50,000 + 10,000",
        "put data_batch_1.bin ... data_batch_5.bin and test_batch.bin of CIFAR-10's binary version into a folder "
        "cifar10"},
       "cifar10",
       10},
      {{"cifar10-two-class", "CIFAR-10's airplanes and automobiles, 10,000 + 2,000",
        "with all of CIFAR-10 use --dataset cifar10 --classes 0,1 instead"},
       "cifar10-two-class",
       2},
      {{"church-truck", "ImageNet's churches and garbage trucks, 32x32 grey, 1,902 + 798",
        "put train-images-gray32-idx3-ubyte, train-labels-idx1-ubyte and the same of val into a folder "
        "imagenet/church-truck"},
       "imagenet/church-truck",
       2},
  };
  return rows;
}

const CatalogueRow* find_in_catalogue(const std::string& name) {
  // What a row's name has after the colon stands for a value.
  const auto kind = [](const std::string& text) { return text.substr(0, text.find(':') + 1); };
  const auto& rows = catalogue();
  const auto row = std::find_if(rows.begin(), rows.end(), [&](const CatalogueRow& r) {
    return r.known.name.find(':') == std::string::npos ? r.known.name == name : kind(r.known.name) == kind(name);
  });
  return row == rows.end() ? nullptr : &*row;
}

bool is_generated(const std::string& name) {
  const CatalogueRow* row = find_in_catalogue(name);
  return row && row->generate;
}

const std::vector<KnownDataset>& known_datasets() {
  static const std::vector<KnownDataset> known = [] {
    std::vector<KnownDataset> list;
    for (const CatalogueRow& row : catalogue()) list.push_back(row.known);
    return list;
  }();
  return known;
}

}  // namespace quantimed
