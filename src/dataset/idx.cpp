// SPDX-License-Identifier: BSD-3-Clause
// IDX, the format of MNIST's four files (Y. LeCun, C. Cortes, C. Burges, "The MNIST database").
// Big-endian: two zero bytes, the element type (0x08: unsigned byte), the number of dimensions d, then d sizes of
// 32 bits, then the elements, last dimension fastest. Images [samples, rows, columns], labels [samples].
#include <algorithm>
#include <array>
#include <cctype>

#include "dataset/byte_source.hpp"
#include "dataset/formats.hpp"

namespace quantimed {

namespace fs = std::filesystem;

namespace {

constexpr std::uint8_t kUnsignedByte = 0x08;
constexpr std::array kTestWords = {"t10k", "test", "val"};

struct IdxArray {
  std::uint64_t samples = 0;
  std::uint64_t features = 1;        // product of the other dimensions
  std::vector<std::uint32_t> shape;  // the other dimensions
  std::vector<std::uint8_t> elements;
};

const char* type_name(std::uint8_t type) {
  switch (type) {
    case 0x09:
      return "signed bytes";
    case 0x0b:
      return "16-bit integers";
    case 0x0c:
      return "32-bit integers";
    case 0x0d:
      return "floats";
    case 0x0e:
      return "doubles";
    default:
      return "unknown";
  }
}

// Throws InputError when the magic number is wrong or has not `least` … `most` dimensions.
std::size_t read_magic(ByteSource& source, std::size_t least, std::size_t most, const char* what) {
  std::array<std::uint8_t, 4> magic{};
  source.read(magic);
  if (magic[0] != 0 || magic[1] != 0)
    reject_data(source.path(), "not an IDX file: wrong magic number", "name an IDX, CIFAR, LIBSVM or HDF5 file");
  if (magic[2] != kUnsignedByte)
    reject_data(source.path(), fmt::format("its IDX elements are of type {:#04x} ({})", magic[2], type_name(magic[2])),
                "store unsigned bytes (0x08), or HDF5 as in datasets/README.md");
  if (magic[3] < least || magic[3] > most)
    reject_data(source.path(), fmt::format("{} dimensions are not {}", magic[3], what),
                "check which file holds the images and which the labels");
  return magic[3];
}

// `each`: bytes of memory for an element, all uses together.
IdxArray read_array(const fs::path& path, std::size_t least, std::size_t most, const char* what, MemoryBudget& budget,
                    std::uint64_t each) {
  ByteSource source(path);
  IdxArray array;
  const std::size_t dimensions = read_magic(source, least, most, what);
  for (std::size_t d = 0; d < dimensions; ++d) {
    std::array<std::uint8_t, 4> b{};
    source.read(b);
    const std::uint64_t size = std::uint64_t{b[0]} << 24 | std::uint64_t{b[1]} << 16 | std::uint64_t{b[2]} << 8 | b[3];
    if (d == 0) {
      array.samples = size;
    } else {
      array.features *= size;
      array.shape.push_back(static_cast<std::uint32_t>(size));
      check_dimensions(path, 1, array.features);  // at each step, so that the product cannot overflow
    }
  }
  check_dimensions(path, array.samples, array.features);
  const std::uint64_t promised = array.samples * array.features;
  if (promised > source.most_bytes())
    reject_data(path,
                fmt::format("truncated or corrupt: its header promises {} bytes, more than it can hold", promised),
                kFixFetchAgain);
  budget.take(path, each * promised);
  array.elements.resize(promised);
  source.read(array.elements);
  source.expect_end();
  return array;
}

Dataset read_pair(const fs::path& images, const fs::path& labels, MemoryBudget& budget, DataSource& source) {
  IdxArray x = read_array(images, 2, 4, "a set of images", budget, 1);
  const IdxArray y = read_array(labels, 1, 1, "a list of labels", budget, 1 + sizeof(float));
  if (x.samples != y.samples)
    reject_data(labels, fmt::format("{} labels for {} images", y.samples, x.samples), "use files of the same set");
  source.files.insert(source.files.end(), {images, labels});
  source.shape = x.shape;
  Dataset data;
  data.samples = static_cast<std::uint32_t>(x.samples);
  data.features = static_cast<std::uint32_t>(x.features);
  data.bytes = std::move(x.elements);
  data.targets.assign(y.elements.begin(), y.elements.end());
  return data;
}

std::uint32_t largest_label(const Dataset& data) {
  return static_cast<std::uint32_t>(*std::max_element(data.targets.begin(), data.targets.end()));
}

void check_idx_labels(const Dataset& data, const fs::path& labels, std::uint32_t classes) {
  if (const auto worst = largest_label(data); worst >= classes)
    reject_data(labels, fmt::format("label {} is outside 0 … {}", worst, classes - 1), kFixFetchAgain);
}

// "emnist-letters-train-", "images-idx3-ubyte" of Emnist_letters-TRAIN-images.idx3-ubyte.gz: what is before "images",
// and from it on; both as written. Nothing where there is no "images".
struct ImagesName {
  std::string prefix, kind;
};
std::optional<ImagesName> parse_images_name(const fs::path& file) {
  const std::string name = without_packing(file.filename().string());
  std::string low = name;
  std::ranges::transform(low, low.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  const auto at = low.rfind("images");
  if (at == std::string::npos) return std::nullopt;
  return ImagesName{name.substr(0, at), name.substr(at)};
}

// Where the word "train" stands in a prefix.
std::optional<std::size_t> training_word(const std::string& prefix) {
  std::string low = prefix;
  std::ranges::transform(low, low.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  const auto at = low.rfind("train");
  return at == std::string::npos ? std::nullopt : std::optional(at);
}

fs::path find_labels(const fs::path& images, const std::string& prefix) {
  return find_companion(images.parent_path(), {prefix + "labels-idx1-ubyte", prefix + "labels.idx1-ubyte"}, true,
                        images);
}

}  // namespace

std::optional<fs::path> find_idx_images(const fs::path& folder) {
  for (const char* name : {"train-images-idx3-ubyte", "train-images-gray32-idx3-ubyte"})
    if (auto found = find_companion(folder, {name}, true); !found.empty()) return found;
  std::vector<fs::path> found;
  std::error_code ignored;
  for (fs::directory_iterator entry(folder, ignored), end; entry != end; entry.increment(ignored)) {
    const auto name = parse_images_name(entry->path());
    const bool is_hidden = entry->path().filename().string().starts_with('.');
    if (name && training_word(name->prefix) && !is_hidden && is_file(entry->path())) found.push_back(entry->path());
  }
  if (found.empty()) return std::nullopt;
  std::ranges::sort(found);
  if (found.size() > 1)
    reject_data(folder,
                fmt::format("the folder holds several training sets, {} and {}", found[0].filename().string(),
                            found[1].filename().string()),
                "name the images file of one of them");
  return found.front();
}

// PREFIX-images-KIND goes with PREFIX-labels-idx1-ubyte; beside "train", the same KIND of a test prefix.
IdxFiles idx_files_beside(const fs::path& images) {
  const fs::path folder = images.parent_path();
  const auto name = parse_images_name(images);
  if (!name) reject_data(images, "no labels file can be told from this name", "name it PREFIX-images-idx3-ubyte");
  const std::string& prefix = name->prefix;
  const auto require_labels = [&](const fs::path& of, const std::string& its_prefix) {
    fs::path found = find_labels(of, its_prefix);
    if (found.empty())
      reject_data(of, fmt::format("its labels are missing ({}labels-idx1-ubyte, plain, .gz, .bz2 or .xz)", its_prefix),
                  "put the file beside it");
    return found;
  };
  IdxFiles files{images, require_labels(images, prefix)};
  const auto at = training_word(prefix);
  if (!at) return files;
  for (const char* word : kTestWords) {
    const std::string test_prefix = prefix.substr(0, *at) + word + prefix.substr(*at + 5);
    files.looked_for.push_back(test_prefix + name->kind);
    const fs::path found = find_companion(folder, {test_prefix + name->kind}, true, images);
    if (found.empty()) continue;
    files.test_images = found;
    files.test_labels = require_labels(found, test_prefix);
    break;
  }
  return files;
}

Reading read_idx(const IdxFiles& files, std::uint32_t classes) {
  std::uint64_t bytes = 0;
  for (const fs::path& file : {files.train_images, files.train_labels, files.test_images, files.test_labels})
    if (!file.empty()) bytes += regular_file_size(file);
  MemoryBudget budget(bytes);
  DataSplit split;
  DataSource& source = split.source;
  source.format = "IDX";
  split.train = read_pair(files.train_images, files.train_labels, budget, source);
  if (files.test_images.empty()) {
    source.looked_for = files.looked_for;
  } else {
    source.test = files.test_images;
    const std::vector<std::uint32_t> shape = source.shape;
    split.test = read_pair(files.test_images, files.test_labels, budget, source);
    source.shape = shape;
    if (split.test->features != split.train.features)
      reject_data(files.test_images,
                  fmt::format("{} features, where training has {}", split.test->features, split.train.features),
                  "use files of the same set");
  }
  if (classes == 0) return {std::move(split), Targets::labels};
  check_idx_labels(split.train, files.train_labels, classes);
  split.train.classes = classes;
  if (split.test) check_idx_labels(*split.test, files.test_labels, classes);
  return {std::move(split), Targets::classes};
}

}  // namespace quantimed
