// Trace → HDF5 image → ImageFile. HDF5 never sees a full disk, after which it could no longer close its file: the image
// is memory to it, and ImageFile tells of the disk.
#include "base/error.hpp"
#include "trace/columns.hpp"
#include "trace/hdf5.hpp"
#include "trace/image.hpp"
#include "trace/shapes.hpp"

#include <fmt/ranges.h>
#include <sys/mman.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <cstring>
#include <iterator>
#include <new>
#include <span>
#include <string_view>

namespace quantimed {

using namespace hdf5;

namespace {

constexpr std::size_t kCompactBytes = 4096;    // up to this a data set lives in its header: no chunk, no index
constexpr std::size_t kChunkBytes = 1u << 20;  // fits HDF5's default chunk cache
constexpr std::size_t kHdf5Bytes = 64u << 20;  // chunk caches, buffers, and a block of rounds: about 40 MiB
static_assert(RoundsSource::kBlockValues * sizeof(float) == kChunkBytes);
constexpr unsigned kDeflateLevel = 1;  // the higher ones gain a few per cent and cost several times as much

Space scalar() { return Space(H5Screate(H5S_SCALAR), "scalar"); }

Space simple(std::span<const hsize_t> shape) {
  return Space(H5Screate_simple(static_cast<int>(shape.size()), shape.data(), nullptr), "space");
}

void write_attribute(hid_t object, const std::string& name, hid_t stored, hid_t memory, hid_t space,
                     const void* value) {
  const PropertyList utf8(H5Pcreate(H5P_ATTRIBUTE_CREATE), "attribute " + name);
  need(H5Pset_char_encoding(utf8, H5T_CSET_UTF8), "attribute " + name);
  const AttributeHandle attribute(H5Acreate2(object, name.c_str(), stored, space, utf8, H5P_DEFAULT),
                                  "attribute " + name);
  need(H5Awrite(attribute, memory, value), "attribute " + name);
}

void put(hid_t object, const std::string& name, const std::string& value) {
  check(value.find('\0') == std::string::npos, "a text in a trace has no zero byte");
  const char* characters = value.c_str();
  const Type type = text_type();
  write_attribute(object, name, type, type, scalar(), &characters);
}
void put(hid_t object, const std::string& name, const char* value) { put(object, name, std::string(value)); }
void put(hid_t object, const std::string& name, bool value) {
  const auto byte = static_cast<std::int8_t>(value);
  const Type type = bool_type();
  write_attribute(object, name, type, type, scalar(), &byte);
}
template <class Number>  // int64 or double
void put(hid_t object, const std::string& name, Number value) {
  write_attribute(object, name, stored_type<Number>(), memory_type<Number>(), scalar(), &value);
}
void put(hid_t object, const Attributes& attributes) {
  for (const auto& [name, attribute] : attributes)
    std::visit([&, &key = name](const auto& value) { put(object, key, value); }, attribute);
}

void put_phase_names(hid_t dataset) {
  const hsize_t count = std::size(kPhaseNames);
  const Type type = text_type();
  write_attribute(dataset, "names", type, type, simple({&count, 1}), kPhaseNames);
}

enum class Packing { deflated, plain };

// Layout: in the header when small, else chunks of whole rows, shuffled (equal exponent bytes meet) and deflated; or
// plain, for numbers that do not shrink and must be on disk soon.
PropertyList layout(std::span<const hsize_t> shape, std::size_t value_bytes, Packing packing) {
  PropertyList list(H5Pcreate(H5P_DATASET_CREATE), "layout");
  hsize_t values = 1;
  for (const hsize_t extent : shape) values *= extent;
  if (values * value_bytes <= kCompactBytes) {
    need(H5Pset_layout(list, H5D_COMPACT), "layout");
    return list;
  }
  if (packing == Packing::plain) return list;
  std::array<hsize_t, 2> chunk{};
  hsize_t room = kChunkBytes / value_bytes;
  for (std::size_t k = shape.size(); k-- > 0;) {
    chunk[k] = std::clamp<hsize_t>(room, 1, shape[k]);
    room /= chunk[k];
  }
  need(H5Pset_chunk(list, static_cast<int>(shape.size()), chunk.data()), "layout");
  need(H5Pset_shuffle(list), "layout");
  need(H5Pset_deflate(list, kDeflateLevel), "layout");
  return list;
}

template <class T>
Object make_dataset(hid_t group, const char* name, const char* unit, std::span<const hsize_t> shape,
                    Packing packing = Packing::deflated) {
  const PropertyList creation = layout(shape, sizeof(T), packing);
  Object dataset(H5Dcreate2(group, name, stored_type<T>(), simple(shape), H5P_DEFAULT, creation, H5P_DEFAULT), name);
  put(dataset, "unit", unit);
  return dataset;
}

template <class T>
Object put_values(hid_t group, const char* name, const char* unit, std::span<const hsize_t> shape, const T* values,
                  Packing packing = Packing::deflated) {
  Object dataset = make_dataset<T>(group, name, unit, shape, packing);
  need(H5Dwrite(dataset, memory_type<T>(), H5S_ALL, H5S_ALL, H5P_DEFAULT, values), name);
  return dataset;
}

// Rows from `first` on.
template <class T>
void put_rows(hid_t dataset, const char* name, hsize_t first, std::array<hsize_t, 2> shape, const T* values) {
  const Space stored(H5Dget_space(dataset), name);
  need(H5Sselect_hyperslab(stored, H5S_SELECT_SET, std::array<hsize_t, 2>{first, 0}.data(), nullptr, shape.data(),
                           nullptr),
       name);
  need(H5Dwrite(dataset, memory_type<T>(), simple(shape), stored, H5P_DEFAULT, values), name);
}

// Attributes come back in the order in which they were written.
Object make_group(hid_t file, const char* name) {
  const PropertyList ordered(H5Pcreate(H5P_GROUP_CREATE), name);
  need(H5Pset_attr_creation_order(ordered, H5P_CRT_ORDER_TRACKED | H5P_CRT_ORDER_INDEXED), name);
  return Object(H5Gcreate2(file, name, H5P_DEFAULT, ordered, H5P_DEFAULT), name);
}

template <class Table, class Record>
void put_columns(hid_t group, const Table& table, const Record& record, std::span<const hsize_t> shape) {
  columns::for_each(table, [&](const auto& column) {
    if (column.is_optional && (record.*column.values).empty()) return;
    const Object dataset = put_values(group, column.name, column.unit, shape, (record.*column.values).data());
    if (column.name == std::string_view("phase")) put_phase_names(dataset);
  });
}

void put_root(hid_t file, const Trace& trace) {
  put(file, "schema", kTraceSchema);
  put(file, "schema_version", std::int64_t{kTraceSchemaVersion});
  put(file, "status", to_string(trace.status));
  put(file, "verdict", trace.verdict.text());
  for (const auto& [name, member] : columns::kRootTexts) put(file, name, trace.*member);
}

void put_attribute_groups(hid_t file, const Trace& trace) {
  for (const auto& [name, member] : columns::kAttributeGroups) put(make_group(file, name), trace.*member);
  const Object config(H5Oopen(file, "config", H5P_DEFAULT), "config");
  const Type type = text_type();
  const Object ini(H5Dcreate2(config, "ini", type, scalar(), H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT), "ini");
  const char* characters = trace.ini.c_str();
  need(H5Dwrite(ini, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, &characters), "ini");
  put(ini, "unit", "text");
}

// One text of lines, empty where there are none.
void put_warnings(hid_t file, const std::vector<std::string>& warnings) {
  const Object summary(H5Oopen(file, "summary", H5P_DEFAULT), "summary");
  put(summary, "warnings", fmt::format("{}", fmt::join(warnings, "\n")));
}

void put_network(hid_t file, const Network& network) {
  static_assert(sizeof(network.edges[0]) == 2 * sizeof(NodeId));  // written as rows of two
  const Object group = make_group(file, "network");
  const hsize_t edges = network.edges.size(), nodes = network.nodes;
  put_values(group, "edges", "node", std::array{edges, hsize_t{2}},
             reinterpret_cast<const NodeId*>(network.edges.data()));
  put_values(group, "weights", "1", {&edges, 1}, network.weights.data());
  put_values(group, "self_weights", "1", {&nodes, 1}, network.self_weights.data());
  put(group, "beta", network.beta);
  put(group, "spectral_gap", network.spectral_gap);
  put(group, "redraws", std::int64_t{network.redraws});
}

void put_run(hid_t file, const Trace& trace) {
  const hsize_t points = trace.progress.iteration.size(), parameters = trace.mean_model.size(),
                events = trace.timeline.node.size();
  put_columns(make_group(file, "progress"), columns::kProgress, trace.progress, {&points, 1});
  put_values(make_group(file, "model"), "mean", "1", {&parameters, 1}, trace.mean_model.data());
  if (events > 0) put_columns(make_group(file, "timeline"), columns::kTimeline, trace.timeline, {&events, 1});
}

// Block by block: a column's chunk is then complete at once.
void put_rounds(hid_t file, const RoundsSource& rounds) {
  const Object group = make_group(file, "rounds");
  const std::array<hsize_t, 2> shape = {rounds.iterations(), rounds.nodes()};
  std::vector<Object> datasets;
  columns::for_each(columns::kRounds, [&]<class T>(const columns::Column<Rounds, T>& column) {
    datasets.push_back(make_dataset<T>(group, column.name, column.unit, shape));
  });
  rounds.for_each_block([&](const Rounds& block, std::size_t first) {
    auto dataset = datasets.begin();
    columns::for_each(columns::kRounds, [&](const auto& column) {
      put_rows(*dataset++, column.name, first, {block.iterations, block.nodes}, (block.*column.values).data());
    });
  });
}

void put_checkpoint(hid_t file, const Checkpoint& checkpoint) {
  const Object group = make_group(file, "checkpoint");
  const hsize_t nodes = checkpoint.iteration.size();
  columns::for_each(columns::kCheckpoint, [&](const auto& column) {
    const auto& values = checkpoint.*column.values;
    if (column.is_optional && values.empty()) return;
    std::vector<hsize_t> shape = {values.size()};
    if (column.name == std::string_view("models")) shape = {nodes, nodes > 0 ? values.size() / nodes : 0};
    put_values(group, column.name, column.unit, shape, values.data(), Packing::plain);
  });
  put(group, checkpoint.state);
}

// Writes into the image, which HDF5 takes for its memory. Complete once the file is closed: only then are its marks and
// checksums those of a finished one (H5Fget_file_image of HDF5 1.10 leaves a wrong checksum behind).
H5FD_file_image_callbacks_t writes_into(ImageFile& image) {
  using Op = H5FD_file_image_op_t;
  return {
      .image_malloc = [](std::size_t n, Op, void* file) -> void* { return static_cast<ImageFile*>(file)->resize(n); },
      .image_memcpy = [](void* to, const void* from, std::size_t n, Op, void*) { return std::memcpy(to, from, n); },
      .image_realloc = [](void*, std::size_t n, Op, void* file) -> void* {
        return static_cast<ImageFile*>(file)->resize(n);
      },
      .image_free = [](void*, Op, void*) -> herr_t { return 0; },
      .udata_copy = [](void* file) { return file; },
      .udata_free = [](void*) -> herr_t { return 0; },
      .udata = &image};
}

// In the format of HDF5 1.8: every later program reads it (MATLAB's older ones too), and headers carry checksums.
File make_file(ImageFile& image) {
  H5FD_file_image_callbacks_t callbacks = writes_into(image);
  const PropertyList access(H5Pcreate(H5P_FILE_ACCESS), "file");
  need(H5Pset_fapl_core(access, kChunkBytes, false), "file");
  need(H5Pset_file_image_callbacks(access, &callbacks), "file");
  need(H5Pset_libver_bounds(access, H5F_LIBVER_V18, H5F_LIBVER_V18), "file");
  const PropertyList creation(H5Pcreate(H5P_FILE_CREATE), "file");
  need(H5Pset_attr_creation_order(creation, H5P_CRT_ORDER_TRACKED | H5P_CRT_ORDER_INDEXED), "file");
  return File(H5Fcreate("quantimed-trace in memory", H5F_ACC_TRUNC, creation, access), "file");
}

// Returns the file's size in bytes.
std::size_t fill(ImageFile& image, const Trace& trace, const RoundsSource& rounds) {
  File file = make_file(image);
  put_root(file, trace);
  put_attribute_groups(file, trace);
  put_warnings(file, trace.warnings);
  put_network(file, trace.network);
  put_run(file, trace);
  put_rounds(file, rounds);
  if (trace.checkpoint) put_checkpoint(file, *trace.checkpoint);
  need(H5Fflush(file, H5F_SCOPE_LOCAL), "flush");
  const auto bytes = static_cast<std::size_t>(need(H5Fget_file_image(file, nullptr, 0), "size"));  // copies nothing
  file.close("close");
  return bytes;
}

// The rounds of a trace that has them in memory.
class Whole final : public RoundsSource {
 public:
  explicit Whole(const Rounds& rounds) : rounds_(rounds) {}
  std::size_t nodes() const override { return rounds_.nodes; }
  std::size_t iterations() const override { return rounds_.iterations; }
  Rounds block(std::size_t first, std::size_t last) const override {
    Rounds some;
    some.nodes = rounds_.nodes;
    some.iterations = last - first;
    columns::for_each(columns::kRounds, [&](const auto& column) {
      const auto begin = (rounds_.*column.values).begin();
      (some.*column.values)
          .assign(begin + static_cast<std::ptrdiff_t>(first * some.nodes),
                  begin + static_cast<std::ptrdiff_t>(last * some.nodes));
    });
    return some;
  }

 private:
  const Rounds& rounds_;
};

// HDF5 1.10 crashes where malloc gives it nothing, so it is called only where it will get what it needs.
void require_memory_for_hdf5() {
  void* room = ::mmap(nullptr, kHdf5Bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (room == MAP_FAILED) throw std::bad_alloc();
  ::munmap(room, kHdf5Bytes);
}

}  // namespace

void write_trace(const std::string& path, const Trace& trace) { write_trace(path, trace, Whole(trace.rounds)); }

void write_trace(const std::string& path, const Trace& trace, const RoundsSource& rounds) {
  const std::string contradiction = shape_finding(trace);
  check(contradiction.empty(), contradiction.c_str());
  check(rounds.nodes() == trace.network.nodes || rounds.iterations() == 0, "a trace has rounds of all its nodes");
  ImageFile image(path);
  require_memory_for_hdf5();
  std::size_t bytes = 0;
  try {
    const Silence silence;
    bytes = fill(image, trace, rounds);
  } catch (const Fault& fault) {
    if (image.is_out_of_memory()) throw std::bad_alloc();
    throw InternalError(fmt::format("{}: cannot be made: {}", path, fault.what()));
  }
  image.publish(bytes);
}

}  // namespace quantimed
