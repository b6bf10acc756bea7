// IDX, the format of MNIST's four files (Y. LeCun, C. Cortes, C. Burges, "The MNIST database").
// Big-endian: two zero bytes, the element type (0x08: unsigned byte), the number of dimensions d, then d sizes of
// 32 bits, then the elements, last dimension fastest. Images [samples, rows, columns], labels [samples].
#include <algorithm>
#include <array>

#include "dataset/byte_source.hpp"
#include "dataset/formats.hpp"

namespace quantimed {

namespace fs = std::filesystem;

namespace {

constexpr std::uint8_t kUnsignedByte = 0x08;
constexpr std::array kImagesNames = {"train-images-idx3-ubyte", "train-images.idx3-ubyte",
                                     "train-images-gray32-idx3-ubyte"};
constexpr std::array kTestPrefixes = {"t10k", "test", "val"};
constexpr std::array kSuffixes = {"", ".gz"};

struct IdxArray {
  std::uint64_t samples = 0;
  std::uint64_t features = 1;        // product of the other dimensions
  std::vector<std::uint32_t> shape;  // the other dimensions
  std::vector<std::uint8_t> elements;
};

// Throws InputError when the magic number is wrong or has not `least` … `most` dimensions.
std::size_t read_magic(ByteSource& source, std::size_t least, std::size_t most, const char* what) {
  std::array<std::uint8_t, 4> magic{};
  source.read(magic);
  if (magic[0] != 0 || magic[1] != 0)
    reject_data(source.path(), "not an IDX file: wrong magic number", "name an IDX, CIFAR, LIBSVM or HDF5 file");
  if (magic[2] != kUnsignedByte)
    reject_data(source.path(), fmt::format("IDX element type {:#04x} is not supported", magic[2]),
                "convert it to unsigned bytes (0x08)");
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
                kMendFetchAgain);
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

void check_labels(const Dataset& data, const fs::path& labels, std::uint32_t classes) {
  if (const auto worst = largest_label(data); worst >= classes)
    reject_data(labels, fmt::format("label {} is outside 0 … {}", worst, classes - 1), kMendFetchAgain);
}

// `stem` or `stem`.gz in `folder`; empty when neither is there.
fs::path find_file(const fs::path& folder, const std::string& stem) {
  for (const char* suffix : kSuffixes)
    if (is_file(folder / (stem + suffix))) return folder / (stem + suffix);
  return {};
}

fs::path find_labels(const fs::path& folder, const std::string& prefix) {
  for (const char* ending : {"labels-idx1-ubyte", "labels.idx1-ubyte"})
    if (auto found = find_file(folder, prefix + ending); !found.empty()) return found;
  return {};
}

}  // namespace

std::optional<fs::path> find_idx_images(const fs::path& folder) {
  for (const char* name : kImagesNames)
    if (auto found = find_file(folder, name); !found.empty()) return found;
  return std::nullopt;
}

// PREFIX-images-KIND[.gz] goes with PREFIX-labels-idx1-ubyte[.gz]; beside "train", the same KIND of a test prefix.
IdxFiles idx_files_beside(const fs::path& images) {
  const fs::path folder = images.parent_path();
  std::string name = images.filename().string();
  if (name.ends_with(".gz")) name.resize(name.size() - 3);
  const auto at = name.find("images");
  if (at == std::string::npos)
    reject_data(images, "no labels file can be told from this name", "name it PREFIX-images-idx3-ubyte");
  const std::string prefix = name.substr(0, at), kind = name.substr(at);
  IdxFiles files{images, find_labels(folder, prefix)};
  if (files.train_labels.empty())
    reject_data(images, fmt::format("its labels are missing ({}labels-idx1-ubyte, or .gz)", prefix),
                "put the file beside it");
  if (!prefix.starts_with("train")) return files;
  for (const char* test : kTestPrefixes) {
    const std::string test_prefix = test + prefix.substr(5);
    const auto found = find_file(folder, test_prefix + kind);
    files.looked_for.push_back(test_prefix + kind);
    if (found.empty()) continue;
    files.test_images = found;
    files.test_labels = find_labels(folder, test_prefix);
    if (files.test_labels.empty())
      reject_data(found, fmt::format("its labels are missing ({}labels-idx1-ubyte, or .gz)", test_prefix),
                  "put the file beside it");
    break;
  }
  return files;
}

DataSplit read_idx(const IdxFiles& files, std::uint32_t classes) {
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
  if (classes == 0) classes = 1 + std::max(largest_label(split.train), split.test ? largest_label(*split.test) : 0u);
  check_labels(split.train, files.train_labels, classes);
  split.train.classes = classes;
  if (split.test) {
    check_labels(*split.test, files.test_labels, classes);
    split.test->classes = classes;
  }
  return split;
}

}  // namespace quantimed
