// SPDX-License-Identifier: BSD-3-Clause
// The module's own readers, one a file format. All throw InputError; none trusts a number that a file states
// before it has been held against the file's size.
#pragma once

#include <cmath>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "dataset/dataset.hpp"

namespace quantimed {

// What the numbers that stand as targets are.
enum class Targets {
  values,   // to regress on
  classes,  // 0 … classes − 1, by the source itself
  labels,   // of classes, any numbers
  open      // labels or values
};

// What a reader found. Targets stand as the source has them, `train.classes` is 0 unless they are `classes`.
struct Reading {
  DataSplit split = {};
  Targets targets = Targets::open;
  // A target that is a whole number and that float32 rounds, as it stands in the file: "line 3: 16777217"; "": none.
  std::string rounded = {};
};

// A whole number that float32 does not hold: beyond 2^24 neighbours become one.
inline bool is_rounded(double target) { return target == std::floor(target) && target != static_cast<float>(target); }

// Guards 32-bit row ids and BLAS's int dimensions. Throws InputError.
void check_dimensions(const std::filesystem::path& path, std::uint64_t samples, std::uint64_t features);

// The same of rows that are held as sparse ones. A wild index must not take the machine's memory: a model has a number
// for every feature, so features that hardly any value speaks of are refused.
void check_sparse_dimensions(const std::filesystem::path& path, std::uint64_t samples, std::uint64_t features,
                             std::uint64_t values);

// True for a readable regular file, or a link to one.
bool is_file(const std::filesystem::path& path);

// Throws InputError where these first bytes (unpacked) are of a known format that is not read; says how to turn it into
// one that is.
void refuse_foreign(const std::filesystem::path& path, std::string_view head);
// A name as a shell takes it.
std::string shell_word(const std::string& name);
// How the user unpacks a file that readers unpack themselves: the command, and the name that it makes. Both are empty
// where the file is not packed.
struct Unpacking {
  std::string command = {};         // "gunzip -k a.csv.gz"
  std::filesystem::path made = {};  // a.csv
};
Unpacking unpacking(const std::filesystem::path& path);
// "unpack it first: gunzip -k a.csv.gz; then ", or "" where it is not packed: before a fix whose command reads the
// file.
std::string unpack_first(const std::filesystem::path& path);
// The first bytes of a file, unpacked: enough for refuse_foreign.
inline constexpr std::size_t kHeadBytes = std::size_t{1} << 16;
std::string first_bytes(const std::filesystem::path& path);

// ---- files that belong together (companions.cpp) ---------------------------------------------------------
// The first file in `folder` of one of these names, plain or compressed (.gz, .bz2, .xz), in the order of the names;
// where there is none, one that differs in capitals, and with `any_separator` in - . and _, alone. Where it is there
// both plain and compressed, the one that is as the file `like` is: who names the packed images means the packed
// labels. Empty: none.
std::filesystem::path find_companion(const std::filesystem::path& folder, const std::vector<std::string>& names,
                                     bool any_separator, const std::filesystem::path& like = {});
// Without .gz, .bz2 or .xz.
std::string without_packing(std::string name);
// Names that the test set of a training file may have: a9a → a9a.t; rcv1_train.binary → rcv1_test.binary, ….
std::vector<std::string> test_names(const std::string& training);

// ---- IDX (LeCun's format of MNIST; idx.cpp) -------------------------------------------------------------
struct IdxFiles {
  std::filesystem::path train_images, train_labels;
  std::filesystem::path test_images = {}, test_labels = {};  // empty where there are none
  std::vector<std::string> looked_for = {};                  // test images
};
// The images file of a folder that holds an IDX training set by a usual name, if any. Throws InputError: several.
std::optional<std::filesystem::path> find_idx_images(const std::filesystem::path& folder);
// The files that belong to an images file, by the usual names beside it. Throws InputError: no labels.
IdxFiles idx_files_beside(const std::filesystem::path& images);
// classes = 0: not known. Otherwise a label beyond is an error.
Reading read_idx(const IdxFiles& files, std::uint32_t classes);

// ---- CIFAR-10 binary (cifar.cpp) ------------------------------------------------------------------------
inline constexpr std::uint64_t kCifarRecord = 1 + 3 * 32 * 32;  // bytes
struct CifarFiles {
  std::vector<std::filesystem::path> train;  // in order
  std::filesystem::path test;                // empty where there is none
};
// data_batch_1.bin … data_batch_5.bin, those present, and test_batch.bin; nothing without a training batch.
std::optional<CifarFiles> find_cifar_files(const std::filesystem::path& folder);
inline constexpr const char* kCifarFormat = "CIFAR-10 binary";
// classes = 0: not known.
Reading read_cifar(const CifarFiles& files, bool grey, std::uint32_t classes);

// ---- LIBSVM text (libsvm.cpp) ---------------------------------------------------------------------------
// PATH, and the test set beside it where there is one.
Reading read_libsvm(const std::filesystem::path& path);

// ---- HDF5 (hdf5_format.cpp) -----------------------------------------------------------------------------
bool has_hdf5_signature(const std::filesystem::path& path);
Reading read_hdf5(const std::filesystem::path& path);

}  // namespace quantimed
