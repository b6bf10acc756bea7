// SPDX-License-Identifier: BSD-3-Clause
// CIFAR-10, binary version (A. Krizhevsky, "Learning multiple layers of features from tiny images", 2009).
// A file is a row of records: one label byte (0 … 9), then the red, green and blue planes of 32×32 bytes each.
// There is no header, so the size is the only sign of truncation.
#include <algorithm>

#include "dataset/byte_source.hpp"
#include "dataset/formats.hpp"

namespace quantimed {

namespace fs = std::filesystem;

namespace {

constexpr std::size_t kPlane = 32 * 32;
constexpr std::uint32_t kClasses = 10;

// MATLAB's rgb2gray as it is documented, 0.2989 R + 0.5870 G + 0.1140 B, rounded to nearest; in integers.
std::uint8_t grey_of(unsigned r, unsigned g, unsigned b) {
  return static_cast<std::uint8_t>((2989 * r + 5870 * g + 1140 * b + 5000) / 10000);
}

std::uint64_t record_count(const fs::path& path) {
  const std::uint64_t size = regular_file_size(path);
  if (size == 0) reject_data(path, "the file is empty", kFixFetchAgain);
  if (size % kCifarRecord != 0 && size % (kCifarRecord + 1) == 0)
    reject_data(path, fmt::format("{} bytes are records of CIFAR-100, with two labels each", size),
                "take CIFAR-10's binary version: datasets/fetch cifar10");
  if (size % kCifarRecord != 0)
    reject_data(path, fmt::format("{} bytes are no whole number of CIFAR-10 records of {} bytes", size, kCifarRecord),
                kFixFetchAgain);
  return size / kCifarRecord;
}

void append_records(const fs::path& path, bool grey, Dataset& data) {
  ByteSource source(path);
  const std::uint64_t records = record_count(path);
  std::vector<std::uint8_t> record(kCifarRecord);
  for (std::uint64_t i = 0; i < records; ++i) {
    source.read(record);
    if (record[0] >= kClasses)
      reject_data(path, fmt::format("label {} of record {} is outside 0 … 9", record[0], i),
                  "is it CIFAR-10's binary version? Fetch it again");
    data.targets.push_back(record[0]);
    const std::uint8_t* red = record.data() + 1;
    if (!grey) {
      data.bytes.insert(data.bytes.end(), red, red + 3 * kPlane);
      continue;
    }
    for (std::size_t k = 0; k < kPlane; ++k)
      data.bytes.push_back(grey_of(red[k], red[k + kPlane], red[k + 2 * kPlane]));
  }
}

Dataset read_files(const std::vector<fs::path>& files, bool grey) {
  std::uint64_t records = 0;
  for (const fs::path& file : files) records += record_count(file);
  check_dimensions(files.front(), records, 3 * kPlane);
  Dataset data;
  data.samples = static_cast<std::uint32_t>(records);
  data.features = grey ? kPlane : 3 * kPlane;
  data.bytes.reserve(records * data.features);
  data.targets.reserve(records);
  for (const fs::path& file : files) append_records(file, grey, data);
  return data;
}

void check_cifar_labels(const Dataset& data, const fs::path& path, std::uint32_t classes) {
  for (const float label : data.targets)
    if (label >= static_cast<float>(classes))
      reject_data(path, fmt::format("label {} is outside 0 … {}", label, classes - 1), kFixFetchAgain);
}

}  // namespace

std::optional<CifarFiles> find_cifar_files(const fs::path& folder) {
  CifarFiles files;
  for (int batch = 1; batch <= 5; ++batch)
    if (const fs::path file = folder / fmt::format("data_batch_{}.bin", batch); is_file(file))
      files.train.push_back(file);
  if (files.train.empty()) return std::nullopt;
  if (const fs::path file = folder / "test_batch.bin"; is_file(file)) files.test = file;
  return files;
}

Reading read_cifar(const CifarFiles& files, bool grey, std::uint32_t classes) {
  DataSplit split{.train = read_files(files.train, grey), .source = {.format = kCifarFormat}};
  DataSource& source = split.source;
  for (const fs::path& file : files.train) source.files.push_back(file);
  source.shape = grey ? std::vector<std::uint32_t>{32, 32} : std::vector<std::uint32_t>{3, 32, 32};
  if (files.test.empty())
    source.looked_for = {"test_batch.bin"};
  else
    source.files.push_back(source.test = files.test);
  if (!files.test.empty()) split.test = read_files({files.test}, grey);
  if (classes == 0) return {std::move(split), Targets::labels};
  check_cifar_labels(split.train, files.train.front(), classes);
  if (split.test) check_cifar_labels(*split.test, files.test, classes);
  split.train.classes = classes;
  return {std::move(split), Targets::classes};
}

}  // namespace quantimed
