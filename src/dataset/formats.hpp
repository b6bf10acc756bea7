// The module's own readers, one a file format. All throw InputError; none trusts a number that a file states
// before it has been held against the file's size.
#pragma once

#include <filesystem>
#include <optional>
#include <vector>

#include "dataset/dataset.hpp"

namespace quantimed {

// Guards 32-bit row ids and BLAS's int dimensions. Throws InputError.
void check_dimensions(const std::filesystem::path& path, std::uint64_t samples, std::uint64_t features);

// True for a readable regular file, or a link to one.
bool is_file(const std::filesystem::path& path);

// ---- IDX (LeCun's format of MNIST; idx.cpp) -------------------------------------------------------------
struct IdxFiles {
  std::filesystem::path train_images, train_labels;
  std::filesystem::path test_images = {}, test_labels = {};  // empty where there are none
  std::vector<std::string> looked_for = {};                  // test images
};
// The images file of a folder that holds an IDX training set by a usual name, if any.
std::optional<std::filesystem::path> find_idx_images(const std::filesystem::path& folder);
// The files that belong to an images file, by the usual names beside it. Throws InputError: no labels.
IdxFiles idx_files_beside(const std::filesystem::path& images);
// classes = 0: the largest label + 1. Otherwise a label beyond is an error.
DataSplit read_idx(const IdxFiles& files, std::uint32_t classes);

// ---- CIFAR-10 binary (cifar.cpp) ------------------------------------------------------------------------
struct CifarFiles {
  std::vector<std::filesystem::path> train;  // in order
  std::filesystem::path test;                // empty where there is none
};
// data_batch_1.bin … data_batch_5.bin, those present, and test_batch.bin; nothing without a training batch.
std::optional<CifarFiles> find_cifar_files(const std::filesystem::path& folder);
// classes = 0: the largest label + 1.
DataSplit read_cifar(const CifarFiles& files, bool grey, std::uint32_t classes);

// ---- LIBSVM text (libsvm.cpp) ---------------------------------------------------------------------------
// PATH, and PATH.t beside it as the test set where there is one.
DataSplit read_libsvm(const std::filesystem::path& path);

// ---- HDF5 (hdf5_format.cpp) -----------------------------------------------------------------------------
bool has_hdf5_signature(const std::filesystem::path& path);
DataSplit read_hdf5(const std::filesystem::path& path);

}  // namespace quantimed
