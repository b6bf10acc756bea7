// SPDX-License-Identifier: BSD-3-Clause
#include "fuzz/seeds.hpp"

#include "dataset/files.hpp"
#include "trace/sample.hpp"

namespace quantimed::fuzz {

std::vector<std::string> idx_seeds() {
  const std::string images = idx({2, 2, 2}, "abcdefgh"), labels = idx({2}, std::string("\1\0", 2));
  return {'0' + images, '1' + images, '2' + labels, '3' + labels};
}

std::vector<std::string> gzip_seeds() {
  const TemporaryFolder folder;
  write_gzip(folder / "short.gz", "1 1:1\n");
  write_gzip(folder / "even.gz", std::string(100'000, 'a'));
  return {
      read_back(folder / "short.gz"), read_back(folder / "even.gz"), "not compressed", bzip2("1 1:1\n"), xz("1 1:1\n"),
      xz("1 1:1\n") + xz("2 1:1\n")};
}

std::vector<std::string> cifar_seeds() {
  const std::string record = '\3' + std::string(3072, 'x');
  return {'0' + record, '1' + record + record};
}

std::vector<std::string> hdf5_seeds() {
  const TemporaryFolder folder;
  const Dataset train{.name = "s", .samples = 2, .features = 2, .classes = 2, .bytes = {1, 2, 3, 4}, .targets = {0, 1}};
  Dataset values{.name = "v", .samples = 2, .features = 1, .classes = 0, .values = {1, 2}, .targets = {0.5f, 1}};
  export_dataset(folder / "bytes.h5", {train, train});
  export_dataset(folder / "values.h5", {values, std::nullopt});
  Dataset rows{.name = "r", .samples = 2, .features = 3, .classes = 2, .targets = {0, 1}};
  rows.sparse = {{0, 1, 3}, {2, 0, 1}, {1, 2, 3}};
  export_dataset(folder / "sparse.h5", {rows, rows});
  return {read_back(folder / "bytes.h5"), read_back(folder / "values.h5"), read_back(folder / "sparse.h5")};
}

std::vector<std::string> trace_seeds() {
  constexpr std::size_t kSealBytes = 32;
  const TemporaryFolder folder;
  write_trace(folder / "a.h5", sample_trace(3, 3, 2));
  const std::string sealed = read_back(folder / "a.h5");
  return {sealed, sealed.substr(0, sealed.size() - kSealBytes)};
}

}  // namespace quantimed::fuzz
