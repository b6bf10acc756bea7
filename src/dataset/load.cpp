// SPDX-License-Identifier: BSD-3-Clause
// From a name or a path to a reader, and from its result to the classes asked for.
#include <algorithm>
#include <array>
#include <cstdlib>
#include <new>

#include "base/text_file.hpp"
#include "dataset/byte_source.hpp"
#include "dataset/catalogue.hpp"
#include "dataset/formats.hpp"
#include "dataset/huge_pages.hpp"
#include "dataset/labels.hpp"
#include "dataset/normalise.hpp"

namespace quantimed {

namespace fs = std::filesystem;

bool is_file(const fs::path& path) {
  std::error_code ignored;
  return fs::is_regular_file(path, ignored);
}

void check_dimensions(const fs::path& path, std::uint64_t samples, std::uint64_t features) {
  constexpr std::uint64_t kMost = 0x7fffffff;
  if (samples == 0 || features == 0)
    reject_data(path, fmt::format("{} samples of {} features", samples, features), "name a data set that is not empty");
  if (samples > kMost || features > kMost)
    reject_data(path, fmt::format("{} samples of {} features: too large or corrupt", samples, features),
                "at most 2^31 - 1 of each");
}

void check_sparse_dimensions(const fs::path& path, std::uint64_t samples, std::uint64_t features,
                             std::uint64_t values) {
  constexpr std::uint64_t kFew = std::uint64_t{1} << 20, kShare = 100;
  check_dimensions(path, samples, features);
  if (features > kFew && features / kShare > values)
    reject_data(path, fmt::format("{} features, and {} values in all: too large or corrupt", features, values),
                "number the features without gaps, and look for a wrong index");
}

namespace {

std::vector<fs::path> search_roots() {
  std::vector<fs::path> roots;
  if (const char* root = std::getenv("QUANTIMED_DATA"); root && *root) roots.emplace_back(root);
  roots.emplace_back("datasets");
  roots.emplace_back("/usr/share/datasets");
  return roots;
}

std::string joined(const std::vector<fs::path>& paths) {
  std::string text;
  for (const fs::path& path : paths) text += (text.empty() ? "" : ", ") + path.string();
  return text;
}

// A folder is recognised by the files in it; nothing when it holds no data set.
std::optional<Reading> read_folder(const fs::path& folder, bool grey, std::uint32_t classes) {
  if (const auto images = find_idx_images(folder)) return read_idx(idx_files_beside(*images), classes);
  if (const auto files = find_cifar_files(folder)) return read_cifar(*files, grey, classes);
  return std::nullopt;
}

// What follows the two zeros of an IDX file: the type of its elements, and how many dimensions it has.
bool has_idx_type(std::string_view head) {
  return head.size() >= 4 && head[2] >= 0x08 && head[2] <= 0x0e && head[3] >= 1 && head[3] <= 4;
}

// A file is recognised by its first bytes; only CIFAR's batches, which have no header, by their name.
Reading read_file(const fs::path& path, bool grey) {
  if (has_hdf5_signature(path)) return read_hdf5(path);
  const std::string head = first_bytes(path);
  const bool is_cifar = path.extension() == ".bin";
  if (!is_cifar || regular_file_size(path) % kCifarRecord != 0) refuse_foreign(path, head);
  if (is_cifar) return read_cifar({{path}, {}}, grey, 0);
  if (head.empty()) reject_data(path, "nothing is in it once it is unpacked", kFixFetchAgain);
  // A record of CIFAR's may begin with two zeros, too: its label and its first pixel.
  const std::string name = path.filename().string(), unpacked = without_packing(name);
  const bool may_be_batch = unpacked != name && fs::path(unpacked).extension() == ".bin";
  const bool is_idx = head.starts_with(std::string_view("\0\0", 2));
  std::string text = head;
  const std::string wrong = make_plain(text);
  if (wrong.starts_with("is text")) {  // in UTF-16 or UTF-32: what is wrong; the fix
    const std::size_t fix = std::min(wrong.find("; "), wrong.size() - 2);
    reject_data(path, wrong.substr(0, fix), unpack_first(path) + wrong.substr(fix + 2));
  }
  if (is_idx && !(may_be_batch && !has_idx_type(head))) return read_idx(idx_files_beside(path), 0);
  const auto is_text = [](char c) { return (c >= ' ' && c <= '~') || (c >= '\t' && c <= '\r'); };
  if (may_be_batch && !std::ranges::all_of(text, is_text))
    reject_data(path, "not recognised packed; if it is a batch of CIFAR-10, its size is the only check",
                fmt::format("unpack it: {}", unpacking(path).command));
  if (!text.empty() && is_text(text[0]) && (text.size() == 1 || is_text(text[1]))) return read_libsvm(path);
  reject_data(path, "its format is not recognised (wrong magic number?)",
              "name an HDF5, IDX, LIBSVM or CIFAR-10 .bin file, or convert it: datasets/README.md");
}

Reading load_known(const CatalogueRow& row, const DatasetRequest& request) {
  if (row.generate) {
    DataSplit split = row.generate(request);
    const bool has_classes = split.train.classes > 0;
    return {std::move(split), has_classes ? Targets::classes : Targets::values};
  }
  std::vector<fs::path> looked;
  for (const fs::path& root : search_roots()) {
    const fs::path folder = root / row.folder;
    if (row.libsvm) {
      if (const fs::path file = find_companion(folder, {row.libsvm}, false); !file.empty()) return read_libsvm(file);
    } else if (auto reading = read_folder(folder, request.grey, row.classes)) {
      return std::move(*reading);
    }
    looked.push_back(folder);
  }
  throw InputError("--dataset {}: not found in {}; to get it: {}, and set QUANTIMED_DATA to the folder above if needed",
                   row.known.name, joined(looked), row.known.how_to_get);
}

Reading load_path(const DatasetRequest& request) {
  std::vector<fs::path> looked;
  std::vector<fs::path> candidates = {request.name};
  if (candidates.front().is_relative())
    for (const fs::path& root : search_roots()) candidates.push_back(root / request.name);
  for (const fs::path& path : candidates) {
    std::error_code ignored;
    if (fs::is_directory(path, ignored)) {
      if (auto reading = read_folder(path, request.grey, 0)) return std::move(*reading);
      reject_data(path, "the folder holds no data set that is known by its files",
                  "expected train-images-idx3-ubyte and its companions (.gz or not), or data_batch_1.bin ...");
    }
    std::error_code failure;
    if (fs::exists(path, failure)) {
      regular_file_size(path);  // a pipe is refused before anything waits for it
      return read_file(path, request.grey);
    }
    if (failure && looked.empty())  // the user's own path
      reject_data(path, failure.message(), "check the name, its links and its permissions");
    if (fs::is_symlink(path, ignored))
      reject_data(path, fmt::format("is a link to {}, which is not there", fs::read_symlink(path, ignored).string()),
                  "mount or fetch what it names");
    looked.push_back(path);
  }
  std::string names;
  for (const CatalogueRow& row : catalogue()) names += (names.empty() ? "" : ", ") + row.known.name;
  throw InputError("--dataset {}: no file or folder of this name (looked at {}), and not one of {}", request.name,
                   joined(looked), names);
}

// What the readers leave out where nothing is special.
void complete(DataSource& source, Dataset& train) {
  if (source.shape.empty()) source.shape = {train.features};
  train.shape = source.shape;
  if (source.labels.empty())
    for (std::uint32_t k = 0; k < train.classes; ++k) source.labels.push_back(k);
}

// Only the reader of CIFAR-10 makes grey of colours; of other data --grey must not stand in a trace as if it had.
void check_grey(const DatasetRequest& request, DataSource& source) {
  if (!request.grey || source.format == kCifarFormat) return;
  if (source.shape.size() == 3 && source.shape[0] > 1)
    throw InputError(
        "--dataset {}: holds colours, but --grey turns only the files of CIFAR-10 itself to grey; leave it out, or "
        "turn the data before",
        request.name);
  source.notices.emplace_back("--grey changes nothing: the data has no colours");
}

}  // namespace

std::string first_bytes(const fs::path& path) { return ByteSource(path).read_up_to(kHeadBytes); }

DataSplit load_dataset(const DatasetRequest& request) { return load_dataset(request, {}); }

DataSplit load_dataset(const DatasetRequest& request, const TargetWish& wish) try {
  if (request.name.empty()) throw InputError("--dataset: the name is empty; try --dataset digits");
  const CatalogueRow* row = find_in_catalogue(request.name);
  Reading reading = row ? load_known(*row, request) : load_path(request);
  Dataset& train = reading.split.train;
  if (train.name.empty()) train.name = row ? request.name : fs::path(request.name).stem().string();
  complete(reading.split.source, train);
  check_grey(request, reading.split.source);
  DataSplit split = decide_targets(std::move(reading), request, wish);
  if (split.test) split.test->name = split.train.name;
  if (split.test) split.test->shape = split.train.shape;
  if (request.normalise) normalise(split);
  wish_huge_pages(split.train);
  return split;
} catch (const std::bad_alloc&) {
  throw MachineRefused("--dataset {}: too large for this machine's memory; keep fewer samples or features",
                       request.name);
}

}  // namespace quantimed
