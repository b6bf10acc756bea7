// SPDX-License-Identifier: BSD-3-Clause
// The known data sets: one table, one row each. Help, errors and the search iterate it.
#include "dataset/catalogue.hpp"

#include "dataset/digits.hpp"
#include "dataset/gaussian.hpp"
#include "dataset/sparse_logistic.hpp"

#include <algorithm>
#include <iterator>

namespace quantimed {

namespace {

// Made here, of any size.
std::vector<CatalogueRow> generated() {
  return {
      {{"digits", "generated handwriting-like digits, 28x28, 10 classes, 10,000 + 2,000", "nothing to get: generated"},
       "",
       10,
       generate_digits},
      {{"digits:N", "the same, N + N/5", "nothing to get: generated"}, "", 10, generate_digits},
      {{"gaussian-linear:D[,N]", "generated regression: D normal features, y = a.w + noise, N (or 10,000) + N/5",
        "nothing to get: generated"},
       "",
       0,
       generate_gaussian},
      {{"gaussian-logistic:D[,N]", "generated: D normal features, 2 classes that overlap, N (or 10,000) + N/5",
        "nothing to get: generated"},
       "",
       2,
       generate_gaussian},
      {{"sparse-logistic:D,DENSITY,N",
        "generated: sparse rows of D features, DENSITY of them not 0, 2 classes that overlap, N + N/5",
        "nothing to get: generated"},
       "",
       2,
       generate_sparse_logistic},
  };
}

// In folders of their own.
std::vector<CatalogueRow> images() {
  return {
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
}

// LIBSVM text.
std::vector<CatalogueRow> libsvm_texts() {
  return {
      {{"a9a", "census: 123 features, is an income above 50,000, 32,561 + 16,281", "datasets/fetch a9a"},
       "a9a",
       2,
       nullptr,
       "a9a"},
      {{"w8a", "web pages: 300 features, 2 classes, 49,749 + 14,951", "datasets/fetch w8a"}, "w8a", 2, nullptr, "w8a"},
      {{"rcv1", "news: sparse rows of 47,236 features, 2 classes, 20,242", "datasets/fetch rcv1"},
       "rcv1",
       2,
       nullptr,
       "rcv1_train.binary"},
      {{"epsilon", "2,000 dense features, 2 classes, 400,000 + 100,000", "datasets/fetch epsilon"},
       "epsilon",
       2,
       nullptr,
       "epsilon_normalized"},
      {{"news20", "news: sparse rows of 1,355,191 features, 2 classes, 19,996", "datasets/fetch news20"},
       "news20",
       2,
       nullptr,
       "news20.binary"},
  };
}

}  // namespace

const std::vector<CatalogueRow>& catalogue() {
  static const std::vector<CatalogueRow> rows = [] {
    std::vector<CatalogueRow> all = generated();
    for (auto* more : {images, libsvm_texts}) std::ranges::move(more(), std::back_inserter(all));
    return all;
  }();
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
