// From a name or a path to a reader, and from its result to the classes asked for.
#include <algorithm>
#include <array>
#include <cstdlib>
#include <new>

#include "dataset/byte_source.hpp"
#include "dataset/catalogue.hpp"
#include "dataset/formats.hpp"

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
std::optional<DataSplit> read_folder(const fs::path& folder, bool grey, std::uint32_t classes) {
  if (const auto images = find_idx_images(folder)) return read_idx(idx_files_beside(*images), classes);
  if (const auto files = find_cifar_files(folder)) return read_cifar(*files, grey, classes);
  return std::nullopt;
}

// A file is recognised by its first bytes; only CIFAR's batches, which have no header, by their name.
DataSplit read_file(const fs::path& path, bool grey) {
  if (has_hdf5_signature(path)) return read_hdf5(path);
  if (path.extension() == ".bin") return read_cifar({{path}, {}}, grey, 0);
  std::array<std::uint8_t, 2> start{};
  ByteSource source(path);
  source.read(start);
  const auto is_text = [](std::uint8_t c) { return (c >= ' ' && c <= '~') || (c >= '\t' && c <= '\r'); };
  if (is_text(start[0]) && is_text(start[1])) return read_libsvm(path);
  if (start[0] != 0 || start[1] != 0)
    reject_data(path, "its format is not recognised (wrong magic number?)",
                "name an HDF5, IDX, LIBSVM or CIFAR-10 .bin file");
  return read_idx(idx_files_beside(path), 0);
}

DataSplit load_known(const CatalogueRow& row, const DatasetRequest& request) {
  if (row.generate) return row.generate(request);
  std::vector<fs::path> looked;
  for (const fs::path& root : search_roots()) {
    const fs::path folder = root / row.folder;
    if (auto split = read_folder(folder, request.grey, row.classes)) return std::move(*split);
    looked.push_back(folder);
  }
  throw InputError("--dataset {}: not found in {}; to get it: {}, and set QUANTIMED_DATA to the folder above if needed",
                   row.known.name, joined(looked), row.known.how_to_get);
}

DataSplit load_path(const DatasetRequest& request) {
  std::vector<fs::path> looked;
  std::vector<fs::path> candidates = {request.name};
  if (candidates.front().is_relative())
    for (const fs::path& root : search_roots()) candidates.push_back(root / request.name);
  for (const fs::path& path : candidates) {
    std::error_code ignored;
    if (fs::is_directory(path, ignored)) {
      if (auto split = read_folder(path, request.grey, 0)) return std::move(*split);
      reject_data(path, "the folder holds no data set that is known by its files",
                  "expected train-images-idx3-ubyte and its companions (.gz or not), or data_batch_1.bin ...");
    }
    if (fs::exists(path, ignored)) return read_file(path, request.grey);
    looked.push_back(path);
  }
  std::string names;
  for (const CatalogueRow& row : catalogue()) names += (names.empty() ? "" : ", ") + row.known.name;
  throw InputError("--dataset {}: no file or folder of this name (looked at {}), and not one of {}", request.name,
                   joined(looked), names);
}

// Keeps the rows of the chosen classes, in their order.
void keep_classes(Dataset& data, const std::vector<int>& classes) {
  const std::size_t p = data.features;
  std::uint32_t kept = 0;
  for (std::uint32_t i = 0; i < data.samples; ++i) {
    const auto at = std::find(classes.begin(), classes.end(), static_cast<int>(data.targets[i]));
    if (at == classes.end()) continue;
    data.targets[kept] = static_cast<float>(at - classes.begin());
    if (!data.bytes.empty()) std::copy_n(&data.bytes[i * p], p, &data.bytes[kept * p]);
    if (!data.values.empty()) std::copy_n(&data.values[i * p], p, &data.values[kept * p]);
    ++kept;
  }
  data.samples = kept;
  data.classes = static_cast<std::uint32_t>(classes.size());
  data.targets.resize(kept);
  if (!data.bytes.empty()) data.bytes.resize(kept * p);
  if (!data.values.empty()) data.values.resize(kept * p);
  data.bytes.shrink_to_fit();
  data.values.shrink_to_fit();
}

void filter_classes(DataSplit& split, const DatasetRequest& request) {
  std::vector<int> seen;
  if (request.classes.empty()) return;
  const auto classes = split.train.classes;
  if (classes == 0)
    throw InputError("--classes: data set {} has values to regress on, not classes; leave the option out",
                     request.name);
  if (request.classes.size() < 2) throw InputError("--classes {}: name at least two classes", request.classes[0]);
  for (const int c : request.classes) {
    if (c < 0 || static_cast<std::uint32_t>(c) >= classes)
      throw InputError("--classes: {} is not a class of {}; its classes are 0 to {}", c, request.name, classes - 1);
    if (std::find(seen.begin(), seen.end(), c) != seen.end())
      throw InputError("--classes: {} is named twice; name each class once", c);
    seen.push_back(c);
    const auto& y = split.train.targets;
    if (std::find(y.begin(), y.end(), static_cast<float>(c)) == y.end())
      throw InputError("--classes: class {} of {} has no training sample; leave it out", c, request.name);
  }
  std::vector<double> labels;
  for (const int c : request.classes) labels.push_back(split.source.labels[static_cast<std::size_t>(c)]);
  split.source.labels = std::move(labels);
  keep_classes(split.train, request.classes);
  if (split.test) keep_classes(*split.test, request.classes);
  if (split.test && split.test->samples == 0) {
    split.test.reset();
    split.source.notices.push_back(fmt::format("the test set in {} has none of the chosen classes", split.source.test));
    split.source.test = "none";
  }
}

// What the readers leave out where nothing is special.
void complete(DataSource& source, const Dataset& train) {
  if (source.shape.empty()) source.shape = {train.features};
  if (source.labels.empty())
    for (std::uint32_t k = 0; k < train.classes; ++k) source.labels.push_back(k);
}

}  // namespace

DataSplit load_dataset(const DatasetRequest& request) try {
  if (request.name.empty()) throw InputError("--dataset: the name is empty; try --dataset digits");
  const CatalogueRow* row = find_in_catalogue(request.name);
  DataSplit split = row ? load_known(*row, request) : load_path(request);
  if (split.train.name.empty()) split.train.name = row ? request.name : fs::path(request.name).stem().string();
  if (split.train.classes == 1)
    throw InputError("--dataset {}: all labels are the same; at least two classes are needed", request.name);
  complete(split.source, split.train);
  filter_classes(split, request);
  if (split.test) split.test->name = split.train.name;
  return split;
} catch (const std::bad_alloc&) {
  throw MachineRefused("--dataset {}: too large for this machine's memory; keep fewer samples or features",
                       request.name);
}

}  // namespace quantimed
