// SPDX-License-Identifier: BSD-3-Clause
// Trace → HDF5 image → ImageFile. HDF5 never sees a full disk, after which it could no longer close its file: the image
// is memory to it, and ImageFile tells of the disk.
#include "base/error.hpp"
#include "base/isolated.hpp"
#include "topology/schedule.hpp"
#include "trace/chunk_packer.hpp"
#include "trace/columns.hpp"
#include "trace/hdf5.hpp"
#include "trace/image.hpp"
#include "trace/shapes.hpp"

#include <fmt/ranges.h>

#include <malloc.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstdlib>
#include <cstring>
#include <iterator>
#include <limits>
#include <memory>
#include <new>
#include <span>
#include <string_view>
#include <utility>

namespace quantimed {

using namespace hdf5;

namespace {

constexpr std::size_t kCompactBytes = 4096;       // up to this a data set lives in its header: no chunk, no index
constexpr std::size_t kChunkBytes = 1u << 20;     // fits HDF5's default chunk cache
constexpr std::size_t kReserveBytes = 32u << 20;  // a block of rounds, a chunk in the packing, and HDF5: about 25 MiB
static_assert(RoundsSource::kBlockValues * sizeof(float) == kChunkBytes);
constexpr unsigned kStatedLevel = 1;  // what the file says of its chunks

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

// Plain: for numbers that do not shrink and must be on disk soon.
enum class Packing { deflated, plain };

// Layout: in the header when small, else chunks of whole rows, packed; or plain. 0: not in chunks.
hsize_t chunk_rows(std::span<const hsize_t> shape, std::size_t value_bytes, Packing packing) {
  hsize_t row_bytes = value_bytes;
  for (const hsize_t extent : shape.subspan(1)) row_bytes *= extent;
  if (packing == Packing::plain || shape[0] * row_bytes <= kCompactBytes) return 0;
  return std::clamp<hsize_t>(kChunkBytes / std::max<hsize_t>(row_bytes, 1), 1, shape[0]);
}

PropertyList layout(std::span<const hsize_t> shape, std::size_t value_bytes, hsize_t rows) {
  PropertyList list(H5Pcreate(H5P_DATASET_CREATE), "layout");
  hsize_t bytes = value_bytes;
  for (const hsize_t extent : shape) bytes *= extent;
  if (rows == 0) {
    if (bytes <= kCompactBytes) need(H5Pset_layout(list, H5D_COMPACT), "layout");
    return list;
  }
  std::array<hsize_t, 2> chunk{};
  std::copy(shape.begin(), shape.end(), chunk.begin());
  chunk[0] = rows;
  need(H5Pset_chunk(list, static_cast<int>(shape.size()), chunk.data()), "layout");
  need(H5Pset_shuffle(list), "layout");
  need(H5Pset_deflate(list, kStatedLevel), "layout");
  return list;
}

template <class T>
Object make_dataset(hid_t group, const char* name, const char* unit, std::span<const hsize_t> shape, hsize_t rows) {
  const PropertyList creation = layout(shape, sizeof(T), rows);
  Object dataset(H5Dcreate2(group, name, stored_type<T>(), simple(shape), H5P_DEFAULT, creation, H5P_DEFAULT), name);
  put(dataset, "unit", unit);
  return dataset;
}

// Rows from `first` on, which are one chunk or a part of the last.
template <class T>
void put_chunk(hid_t dataset, const char* name, ChunkPacker& packer, hsize_t first, std::span<const T> values,
               std::size_t chunk_values) {
  static_assert(std::endian::native == std::endian::little, "a chunk's values are stored as they lie in memory");
  const std::span<const std::byte> packed = packer.pack(std::as_bytes(values), sizeof(T), chunk_values * sizeof(T));
  need(H5Dwrite_chunk(dataset, H5P_DEFAULT, 0, std::array<hsize_t, 2>{first, 0}.data(), packed.size(), packed.data()),
       name);
}

template <class T>
Object put_values(hid_t group, ChunkPacker& packer, const char* name, const char* unit, std::span<const hsize_t> shape,
                  const T* values, Packing packing = Packing::deflated) {
  const hsize_t rows = chunk_rows(shape, sizeof(T), packing);
  Object dataset = make_dataset<T>(group, name, unit, shape, rows);
  if (rows == 0) {
    need(H5Dwrite(dataset, memory_type<T>(), H5S_ALL, H5S_ALL, H5P_DEFAULT, values), name);
    return dataset;
  }
  const std::size_t columns = shape.size() > 1 ? shape[1] : 1;
  for (hsize_t first = 0; first < shape[0]; first += rows)
    put_chunk<T>(dataset, name, packer, first,
                 {values + first * columns, std::min<hsize_t>(rows, shape[0] - first) * columns}, rows * columns);
  return dataset;
}

// Attributes come back in the order in which they were written.
Object make_group(hid_t file, const char* name) {
  const PropertyList ordered(H5Pcreate(H5P_GROUP_CREATE), name);
  need(H5Pset_attr_creation_order(ordered, H5P_CRT_ORDER_TRACKED | H5P_CRT_ORDER_INDEXED), name);
  return Object(H5Gcreate2(file, name, H5P_DEFAULT, ordered, H5P_DEFAULT), name);
}

template <class Table, class Record>
void put_columns(hid_t group, ChunkPacker& packer, const Table& table, const Record& record,
                 std::span<const hsize_t> shape) {
  columns::for_each(table, [&](const auto& column) {
    if (column.is_optional && (record.*column.values).empty()) return;
    const Object dataset = put_values(group, packer, column.name, column.unit, shape, (record.*column.values).data());
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
  for (const auto& [name, member, is_optional] : columns::kAttributeGroups)
    if (!is_optional || !(trace.*member).empty()) put(make_group(file, name), trace.*member);
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

void put_network(hid_t file, ChunkPacker& packer, const Network& network) {
  static_assert(sizeof(network.edges[0]) == 2 * sizeof(NodeId));  // written as rows of two
  const Object group = make_group(file, "network");
  const hsize_t edges = network.edges.size(), nodes = network.nodes;
  put_values(group, packer, "edges", "node", std::array{edges, hsize_t{2}},
             reinterpret_cast<const NodeId*>(network.edges.data()));
  put_values(group, packer, "weights", "1", {&edges, 1}, network.weights.data());
  put_values(group, packer, "self_weights", "1", {&nodes, 1}, network.self_weights.data());
  put(group, "beta", network.beta);
  put(group, "spectral_gap", network.spectral_gap);
  put(group, "redraws", std::int64_t{network.redraws});
  if (!network.is_scheduled()) return;
  put(group, "schedule", std::string(topology::name_of(network.schedule.kind)));
  put(group, "seed", static_cast<std::int64_t>(network.schedule.seed));
  put(group, "nodes", std::int64_t{network.nodes});
  if (!network.schedule.is_listed()) return;
  std::vector<NodeId> ends;
  std::vector<double> weights;
  for (const Arc& arc : network.arcs) {
    ends.insert(ends.end(), {arc.from, arc.to});
    weights.push_back(arc.weight);
  }
  const hsize_t arcs = network.arcs.size();
  put_values(group, packer, "arcs", "node", std::array{arcs, hsize_t{2}}, ends.data());
  put_values(group, packer, "arc_weights", "1", {&arcs, 1}, weights.data());
}

void put_run(hid_t file, ChunkPacker& packer, const Trace& trace) {
  const hsize_t points = trace.progress.iteration.size(), parameters = trace.mean_model.size(),
                events = trace.timeline.node.size();
  const Object progress = make_group(file, "progress");
  put_columns(progress, packer, columns::kProgress, trace.progress, {&points, 1});
  if (!trace.progress.drawn_by.empty()) put(progress, "drawn_by", trace.progress.drawn_by);
  put_values(make_group(file, "model"), packer, "mean", "1", {&parameters, 1}, trace.mean_model.data());
  if (events > 0) put_columns(make_group(file, "timeline"), packer, columns::kTimeline, trace.timeline, {&events, 1});
}

void put_classes(hid_t file, ChunkPacker& packer, const Trace& trace) {
  const Object group = make_group(file, "classes");
  const hsize_t classes = trace.classes.label.size(), points = trace.progress.iteration.size();
  put_columns(group, packer, columns::kClasses, trace.classes, {&classes, 1});
  put_values(group, packer, "accuracy", "1", std::array{points, classes}, trace.progress.class_accuracy.data());
  put(group, "set", trace.classes.set);
}

// Block by block, and each is a chunk.
void put_rounds(hid_t file, ChunkPacker& packer, const RoundsSource& rounds) {
  const Object group = make_group(file, "rounds");
  const std::array<hsize_t, 2> shape = {rounds.iterations(), rounds.nodes()};
  const auto rows_of = [&](std::size_t value_bytes) -> hsize_t {
    return chunk_rows(shape, value_bytes, Packing::deflated) == 0 ? 0
                                                                  : std::min<hsize_t>(rounds.block_rows(), shape[0]);
  };
  std::vector<Object> datasets;
  columns::for_each(columns::kRounds, [&]<class T>(const columns::Column<Rounds, T>& column) {
    datasets.push_back(make_dataset<T>(group, column.name, column.unit, shape, rows_of(sizeof(T))));
  });
  rounds.for_each_block([&](const Rounds& block, std::size_t first) {
    auto dataset = datasets.begin();
    columns::for_each(columns::kRounds, [&]<class T>(const columns::Column<Rounds, T>& column) {
      const std::span<const T> values = block.*column.values;
      if (const hsize_t rows = rows_of(sizeof(T)); rows > 0)
        put_chunk(*dataset++, column.name, packer, first, values, rows * shape[1]);
      else  // all of it is one block
        need(H5Dwrite(*dataset++, memory_type<T>(), H5S_ALL, H5S_ALL, H5P_DEFAULT, values.data()), column.name);
    });
  });
}

void put_checkpoint(hid_t file, ChunkPacker& packer, const Checkpoint& checkpoint) {
  const Object group = make_group(file, "checkpoint");
  const hsize_t nodes = checkpoint.iteration.size();
  columns::for_each(columns::kCheckpoint, [&](const auto& column) {
    const auto& values = checkpoint.*column.values;
    if (column.is_optional && values.empty()) return;
    std::vector<hsize_t> shape = {values.size()};
    if (column.name == std::string_view("models")) shape = {nodes, nodes > 0 ? values.size() / nodes : 0};
    put_values(group, packer, column.name, column.unit, shape, values.data(), Packing::plain);
  });
  put(group, checkpoint.state);
}

void put_recording(hid_t file, ChunkPacker& packer, const Recording& recording) {
  const Object group = make_group(file, "replay");
  const hsize_t nodes = recording.log_bytes.size(), models = recording.model_node.size(), bytes = recording.log.size();
  put_columns(group, packer, columns::kRecordedNodes, recording, {&nodes, 1});
  put_columns(group, packer, columns::kRecordedModels, recording, {&models, 1});
  put_columns(group, packer, columns::kRecordedTurns, recording, {&models, 1});
  put_columns(group, packer, columns::kRecordedLogs, recording, {&bytes, 1});
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
  need(H5Pset_fclose_degree(access, H5F_CLOSE_STRONG), "file");  // nothing outlives the image
  need(H5Pset_sieve_buf_size(access, 0), "file");                // nothing is kept back until the end
  need(H5Pset_libver_bounds(access, H5F_LIBVER_V18, H5F_LIBVER_V18), "file");
  const PropertyList creation(H5Pcreate(H5P_FILE_CREATE), "file");
  need(H5Pset_attr_creation_order(creation, H5P_CRT_ORDER_TRACKED | H5P_CRT_ORDER_INDEXED), "file");
  return File(H5Fcreate("quantimed-trace in memory", H5F_ACC_TRUNC, creation, access), "file");
}

// Returns the file's size in bytes.
std::size_t fill(ImageFile& image, const Trace& trace, const RoundsSource& rounds) {
  ChunkPacker packer;
  File file = make_file(image);
  put_root(file, trace);
  put_attribute_groups(file, trace);
  put_warnings(file, trace.warnings);
  put_network(file, packer, trace.network);
  put_run(file, packer, trace);
  if (!trace.classes.label.empty()) put_classes(file, packer, trace);
  put_rounds(file, packer, rounds);
  if (trace.checkpoint) put_checkpoint(file, packer, *trace.checkpoint);
  if (trace.recording) put_recording(file, packer, *trace.recording);
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

// ---- where HDF5 is called ----------------------------------------------------------------------------

// HDF5 1.10 crashes wherever malloc gives it nothing (tests/trace/memory_test.cpp), and what crashes should not be the
// run. So it writes in a forked child, into the file that both have open. And so that a trace can be written where the
// system grants no more memory, as much as that takes is held from the start and freed in the child.
class Reserve {
 public:
  Reserve() {
    for (void*& block : blocks_)
      if ((block = std::malloc(kBlockBytes)) == nullptr) throw std::bad_alloc();
  }
  ~Reserve() { free_blocks(); }
  Reserve(const Reserve&) = delete;
  Reserve& operator=(const Reserve&) = delete;
  // To those who call malloc next: free memory at the heap's end would else go back to the system, for good.
  void free_blocks() {
    ::mallopt(M_TRIM_THRESHOLD, std::numeric_limits<int>::max());
    for (void*& block : blocks_) std::free(std::exchange(block, nullptr));
  }

 private:
  static constexpr std::size_t kBlockBytes = 64u << 10;  // small ones come from the heap itself, side by side
  std::array<void*, kReserveBytes / kBlockBytes> blocks_{};
};

std::unique_ptr<Reserve>& reserve() {
  static std::unique_ptr<Reserve> held;
  return held;
}

// What came of filling an image. Plain, for it comes from another process.
struct Filled {
  enum class Kind : std::uint8_t { whole, out_of_memory, fault, internal_error } kind = Kind::whole;
  std::uint64_t bytes = 0;
  int refusal = 0;  // errno of the disk
  std::array<char, 300> why{};
};

Filled try_to_fill(ImageFile& image, const Trace& trace, const RoundsSource& rounds) {
  Filled filled;
  const auto failed = [&](Filled::Kind kind, const char* why) {
    filled.kind = image.is_out_of_memory() ? Filled::Kind::out_of_memory : kind;
    std::strncpy(filled.why.data(), why, filled.why.size() - 1);
  };
  try {
    const Silence silence;
    filled.bytes = fill(image, trace, rounds);
  } catch (const std::bad_alloc&) {
    failed(Filled::Kind::out_of_memory, "");
  } catch (const Fault& fault) {
    failed(Filled::Kind::fault, fault.what());
  } catch (const InternalError& error) {
    failed(Filled::Kind::internal_error, error.what());
  }
  filled.refusal = image.refusal();
  return filled;
}

// Here, where there can be no child: rather a crash than no trace.
Filled fill_here(ImageFile& image, const Trace& trace, const RoundsSource& rounds) {
  reserve().reset();
  const Filled filled = try_to_fill(image, trace, rounds);
  try {
    hold_memory_for_traces();
  } catch (const std::bad_alloc&) {  // the next trace asks again; this one is there
  }
  return filled;
}

Filled fill_in_child(ImageFile& image, const Trace& trace, const RoundsSource& rounds) {
  return isolated<Filled>({.memory_bytes = kUnlimited, .cpu_s = kUnlimited}, [&] {
    reserve()->free_blocks();
    return try_to_fill(image, trace, rounds);
  });
}

[[noreturn]] void refuse(const std::string& path, const std::string& why) {
  throw MachineRefused("{}: cannot be written: it {}; memory may be short: use fewer --nodes or a smaller --model",
                       path, why);
}

}  // namespace

void hold_memory_for_traces() {
  if (!reserve()) reserve() = std::make_unique<Reserve>();
}

void write_trace(const std::string& path, const Trace& trace) { write_trace(path, trace, Whole(trace.rounds)); }

void write_trace(const std::string& path, const Trace& trace, const RoundsSource& rounds) {
  const std::string contradiction = shape_finding(trace);
  check(contradiction.empty(), contradiction.c_str());
  check(rounds.nodes() == trace.network.nodes || rounds.iterations() == 0, "a trace has rounds of all its nodes");
  hold_memory_for_traces();
  ImageFile image(path);
  Filled filled;
  try {
    filled = fill_in_child(image, trace, rounds);
  } catch (const NoChild&) {
    filled = fill_here(image, trace, rounds);
  } catch (const IsolatedFailure& failure) {
    refuse(path, failure.what());
  }
  switch (filled.kind) {
    case Filled::Kind::out_of_memory:
      throw std::bad_alloc();
    case Filled::Kind::fault:
      refuse(path, fmt::format("makes the HDF5 library fail ({})", filled.why.data()));
    case Filled::Kind::internal_error:
      throw InternalError(filled.why.data());
    case Filled::Kind::whole:
      break;
  }
  image.publish(filled.bytes, filled.refusal);
}

}  // namespace quantimed
