// SPDX-License-Identifier: BSD-3-Clause
// An HDF5 file from elsewhere, which may be built to deceive: only hard links, no external storage, only filters whose
// best compression is known, and sizes held against what is stored before memory is taken.
#pragma once

#include <hdf5.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "dataset/byte_source.hpp"
#include "dataset/hdf5_handle.hpp"

namespace quantimed {

inline constexpr std::string_view kFixLayout = "see the layout in datasets/README.md";

// All throw InputError. A data set's name is its path in the file.
class Hdf5File {
 public:
  Hdf5File(const std::filesystem::path& path, std::uint64_t bytes);

  const std::filesystem::path& path() const { return path_; }
  hid_t id() const { return file_.get(); }
  [[noreturn]] void reject(std::string_view what, std::string_view fix = kFixLayout) const {
    reject_data(path_, what, fix);
  }

  std::string contents() const;  // "x, y": the names at the root, few and short
  bool has_link(const std::string& name) const;
  bool is_group(const std::string& name) const;

  // Of the root.
  std::optional<std::string> attribute_text(const char* name) const;
  std::int64_t attribute_number(const char* name) const;

  Hdf5Handle open(const std::string& name) const;
  std::vector<hsize_t> shape(const Hdf5Handle& dataset) const;
  template <class T>
  std::vector<T> read_all(const Hdf5Handle& dataset, const std::string& name, std::uint64_t elements, hid_t memory);
  // Before memory is taken for anything else.
  void take(std::uint64_t bytes) { budget_.take(path_, bytes); }

 private:
  std::uint64_t best_compression(const Hdf5Handle& properties, const std::string& name) const;
  void check_stored(const Hdf5Handle& dataset, const std::string& name, std::uint64_t elements) const;

  std::filesystem::path path_;
  MemoryBudget budget_;
  Hdf5Handle access_;  // as long as the file: closing it forgets why opening failed
  Hdf5Handle file_;
};

template <class T>
std::vector<T> Hdf5File::read_all(const Hdf5Handle& dataset, const std::string& name, std::uint64_t elements,
                                  hid_t memory) {
  check_stored(dataset, name, elements);
  take(elements * sizeof(T));
  std::vector<T> out(elements);
  if (H5Dread(dataset.get(), memory, H5S_ALL, H5S_ALL, H5P_DEFAULT, out.data()) < 0)
    reject(fmt::format("{} cannot be read: corrupt or truncated", name), kFixFetchAgain);
  if constexpr (std::is_same_v<T, float>)
    if (!std::all_of(out.begin(), out.end(), [](float v) { return std::isfinite(v); }))
      reject(fmt::format("{} holds a value that is not finite", name), "clean the data");
  return out;
}

}  // namespace quantimed
