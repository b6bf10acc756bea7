// SPDX-License-Identifier: BSD-3-Clause
// HDF5 file → Trace. The file is not trusted: every size is held against the file's own before memory is taken,
// links must stay inside the file, and only the filters that the writer uses are run.
#include "base/error.hpp"
#include "base/isolated.hpp"
#include "dataset/hdf5_locking.hpp"
#include "topology/schedule.hpp"
#include "trace/columns.hpp"
#include "trace/hdf5.hpp"
#include "trace/image.hpp"
#include "trace/shapes.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <sys/mman.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <limits>
#include <new>
#include <string_view>
#include <system_error>
#include <type_traits>

namespace quantimed {

using namespace hdf5;

namespace {

constexpr std::uint64_t kMostBytes = std::uint64_t{64} << 30;  // of all data sets together, in memory
constexpr std::uint64_t kMostChunkBytes = std::uint64_t{256} << 20;
constexpr std::uint64_t kForHdf5 = std::uint64_t{16} << 20;  // the library's own, beside the values
constexpr std::uint64_t kDeflateRatio = 1032;                // zlib's best possible
constexpr hsize_t kMostAttributes = 10'000;
constexpr std::size_t kMostTextBytes = std::size_t{1} << 26;

struct Input {
  hid_t file;
  std::uint64_t bytes;      // of the file
  std::uint64_t most;       // of memory
  std::uint64_t taken = 0;  // of memory
  std::int64_t version = kTraceSchemaVersion;
};

// ---- objects and attributes ---------------------------------------------------------------------

// Only hard links: a soft or external one may lead out of the file.
Object open_object(hid_t parent, const char* name, H5I_type_t kind, const std::string& shown) {
  if (need(H5Lexists(parent, name, H5P_DEFAULT), shown) == 0) throw Fault("has no " + shown);
  H5L_info_t link{};
  need(H5Lget_info(parent, name, &link, H5P_DEFAULT), shown);
  if (link.type != H5L_TYPE_HARD) throw Fault(shown + " is a link");
  Object object(H5Oopen(parent, name, H5P_DEFAULT), shown);
  if (H5Iget_type(object) != kind) throw Fault(shown + (kind == H5I_GROUP ? " is not a group" : " is not a data set"));
  return object;
}

Object open_group(hid_t file, const char* name) { return open_object(file, name, H5I_GROUP, fmt::format("/{}", name)); }

// `read(type, buffer)` is H5Aread or H5Dread. A scalar text of fixed or of any length.
template <class Read>
std::string read_text(hid_t type, const std::string& shown, Read&& read) {
  if (need(H5Tis_variable_str(type), shown) > 0) {
    char* characters = nullptr;
    need(read(text_type(H5Tget_cset(type)), &characters), shown);
    std::string value = characters == nullptr ? "" : characters;
    H5free_memory(characters);
    return value;
  }
  const std::size_t size = H5Tget_size(type);
  if (size > kMostTextBytes) throw Fault(fmt::format("{} is a text of {} bytes", shown, size));
  std::string value(size, '\0');
  need(read(type, value.data()), shown);
  value.resize(std::min(value.find('\0'), size));
  return value;
}

void need_scalar(hid_t space, const std::string& shown) {
  if (H5Sget_simple_extent_type(space) != H5S_SCALAR) throw Fault(shown + " is not a single value");
}

Attribute read_attribute(hid_t attribute, const std::string& shown) {
  const Type type(H5Aget_type(attribute), shown);
  need_scalar(Space(H5Aget_space(attribute), shown), shown);
  std::int64_t integer = 0;
  double real = 0;
  std::int8_t truth = 0;
  switch (H5Tget_class(type)) {
    case H5T_STRING:
      return read_text(type, shown, [&](hid_t as, void* to) { return H5Aread(attribute, as, to); });
    case H5T_INTEGER:
      need(H5Aread(attribute, H5T_NATIVE_INT64, &integer), shown);
      return integer;
    case H5T_FLOAT:
      need(H5Aread(attribute, H5T_NATIVE_DOUBLE, &real), shown);
      return real;
    case H5T_ENUM:
      need(H5Aread(attribute, bool_type(), &truth), shown);
      return truth != 0;
    default:
      throw Fault(shown + " is neither number, text nor Boolean");
  }
}

template <class T>
T read_named(hid_t object, const char* name, const std::string& owner) {
  const std::string shown = fmt::format("attribute {} of {}", name, owner);
  if (need(H5Aexists(object, name), shown) == 0) throw Fault("has no " + shown);
  const Attribute attribute = read_attribute(AttributeHandle(H5Aopen(object, name, H5P_DEFAULT), shown), shown);
  if (const T* value = std::get_if<T>(&attribute)) return *value;
  throw Fault(shown + " is of the wrong type");
}

// The one call of ours that HDF5 1.12 took away. Each version is asked in its own words, whatever API it offers.
hsize_t attribute_count(hid_t object, const std::string& owner) {
#if H5_VERSION_GE(1, 12, 0)
  H5O_info2_t info{};
  need(H5Oget_info3(object, &info, H5O_INFO_NUM_ATTRS), owner);
#else
  H5O_info_t info{};
  need(H5Oget_info2(object, &info, H5O_INFO_NUM_ATTRS), owner);
#endif
  return info.num_attrs;
}

Attributes read_attributes(hid_t group, const std::string& owner) {
  const hsize_t count = attribute_count(group, owner);
  if (count > kMostAttributes) throw Fault(fmt::format("{} has {} attributes", owner, count));
  unsigned order = 0;
  const PropertyList creation(H5Gget_create_plist(group), owner);
  need(H5Pget_attr_creation_order(creation, &order), owner);
  // Other programs may not track the order; then it is the alphabet's.
  const H5_index_t index = (order & H5P_CRT_ORDER_TRACKED) != 0 ? H5_INDEX_CRT_ORDER : H5_INDEX_NAME;
  Attributes attributes;
  for (hsize_t k = 0; k < count; ++k) {
    const std::string number = fmt::format("attribute {} of {}", k, owner);
    const AttributeHandle handle(H5Aopen_by_idx(group, ".", index, H5_ITER_INC, k, H5P_DEFAULT, H5P_DEFAULT), number);
    std::array<char, 256> name{};
    need(H5Aget_name(handle, name.size(), name.data()), number);
    attributes.emplace_back(name.data(), read_attribute(handle, fmt::format("attribute {} of {}", name.data(), owner)));
  }
  return attributes;
}

// ---- data sets -----------------------------------------------------------------------------------

// Stored in the file itself, by filters that we know: a foreign one would load a plug-in.
void need_plain_storage(hid_t dataset, const std::string& shown) {
  const PropertyList creation(H5Dget_create_plist(dataset), shown);
  const H5D_layout_t layout = H5Pget_layout(creation);
  if (layout == H5D_VIRTUAL || H5Pget_external_count(creation) != 0) throw Fault(shown + " is kept in another file");
  for (int k = 0; k < H5Pget_nfilters(creation); ++k) {
    unsigned flags = 0, config = 0;
    std::size_t values = 0;
    const H5Z_filter_t filter =
        H5Pget_filter2(creation, static_cast<unsigned>(k), &flags, &values, nullptr, 0, nullptr, &config);
    if (filter != H5Z_FILTER_SHUFFLE && filter != H5Z_FILTER_DEFLATE && filter != H5Z_FILTER_FLETCHER32)
      throw Fault(fmt::format("{} uses filter {}", shown, filter));
  }
  if (layout != H5D_CHUNKED) return;
  std::array<hsize_t, H5S_MAX_RANK> chunk{};
  const int rank = H5Pget_chunk(creation, static_cast<int>(chunk.size()), chunk.data());
  std::uint64_t bytes = 8;  // no type of ours is larger
  for (int k = 0; k < rank; ++k) {
    bytes *= std::min<hsize_t>(chunk[static_cast<std::size_t>(k)], kMostChunkBytes + 1);  // no wrapping around
    if (bytes > 8 * kMostChunkBytes) throw Fault(shown + " has oversized chunks");
  }
}

// How many values, once it is plausible that the file holds as many.
template <class T>
std::size_t plausible_count(Input& input, hid_t dataset, std::span<const hsize_t> shape, const std::string& shown) {
  std::uint64_t bytes = sizeof(T);
  for (const hsize_t extent : shape)
    if (__builtin_mul_overflow(bytes, extent, &bytes)) bytes = kMostBytes + 1;
  const std::uint64_t stored = std::min<std::uint64_t>(H5Dget_storage_size(dataset), input.bytes);
  if (bytes > kMostBytes || bytes / kDeflateRatio > stored || (bytes > 0 && stored == 0))
    throw Fault(fmt::format("{} claims [{}] values, but holds {} bytes", shown, fmt::join(shape, ", "), stored));
  if (bytes > input.most - input.taken)
    throw Fault(fmt::format("unpacks to over {} MiB and has no checksum of ours; unpack it (h5repack -f NONE)",
                            input.most >> 20));
  input.taken += bytes;
  return bytes / sizeof(T);
}

// HDF5 fails or crashes where malloc gives it nothing, and that must not be taken for a fault of the file.
void require_room_for_hdf5() {
  void* room = ::mmap(nullptr, kForHdf5, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (room == MAP_FAILED) throw std::bad_alloc();
  ::munmap(room, kForHdf5);
}

template <class T>
struct Values {
  std::vector<hsize_t> shape;
  std::vector<T> values;
};

// `may_be_narrow`: float32 in the file will do for double.
template <class T>
Values<T> read_values(Input& input, hid_t group, const char* group_name, const char* name, const std::string& unit,
                      std::size_t rank, bool may_be_narrow = false) {
  const std::string shown = fmt::format("/{}/{}", group_name, name);
  const Object dataset = open_object(group, name, H5I_DATASET, shown);
  const Type stored(H5Dget_type(dataset), shown);
  const bool is_narrow = may_be_narrow && need(H5Tequal(stored, stored_type<float>()), shown) > 0;
  if (!is_narrow && need(H5Tequal(stored, stored_type<T>()), shown) == 0)
    throw Fault(fmt::format("{} is not of {}-byte {}", shown, sizeof(T),
                            std::is_floating_point_v<T> ? "floating-point numbers" : "unsigned integers"));
  const Space space(H5Dget_space(dataset), shown);
  Values<T> result{std::vector<hsize_t>(rank), {}};
  if (H5Sget_simple_extent_type(space) != H5S_SIMPLE || H5Sget_simple_extent_ndims(space) != static_cast<int>(rank))
    throw Fault(fmt::format("{} does not have {} dimension{}", shown, rank, rank == 1 ? "" : "s"));
  need(H5Sget_simple_extent_dims(space, result.shape.data(), nullptr), shown);
  need_plain_storage(dataset, shown);
  result.values.resize(plausible_count<T>(input, dataset, result.shape, shown));
  require_room_for_hdf5();
  if (!result.values.empty())
    need(H5Dread(dataset, memory_type<T>(), H5S_ALL, H5S_ALL, H5P_DEFAULT, result.values.data()), shown);
  if (const auto found = read_named<std::string>(dataset, "unit", shown); found != unit)
    throw Fault(fmt::format("{} is in {}, {} expected", shown, found, unit));
  return result;
}

template <class Column>
bool is_left_out(hid_t group, const Column& column) {
  return column.is_optional && need(H5Lexists(group, column.name, H5P_DEFAULT), column.name) == 0;
}

// Fills all columns of a table and returns the first one's shape; shape_finding() compares the others.
template <class Table, class Record>
std::vector<hsize_t> read_columns(Input& input, const char* group_name, const Table& table, Record& record,
                                  std::size_t rank) {
  const Object group = open_group(input.file, group_name);
  std::vector<hsize_t> shape;
  columns::for_each(table, [&]<class T>(const columns::Column<Record, T>& column) {
    if (is_left_out(group, column)) return;
    Values<T> read =
        read_values<T>(input, group, group_name, column.name, column.unit, rank, input.version < column.wide_since);
    if (shape.empty()) shape = read.shape;
    if (read.shape != shape)
      throw Fault(fmt::format("/{}/{} is [{}], [{}] expected", group_name, column.name, fmt::join(read.shape, ", "),
                              fmt::join(shape, ", ")));
    record.*column.values = std::move(read.values);
  });
  return shape;
}

// ---- the parts of a trace ------------------------------------------------------------------------

void read_root(Input& input, Trace& trace) {
  if (need(H5Aexists(input.file, "schema"), "schema") == 0 ||
      read_named<std::string>(input.file, "schema", "/") != kTraceSchema)
    throw Fault("is an HDF5 file, but no trace");
  const auto version = read_named<std::int64_t>(input.file, "schema_version", "/");
  if (version > kTraceSchemaVersion)
    throw Fault(fmt::format("is of schema version {}, and this program knows {}; use a newer quantimed", version,
                            kTraceSchemaVersion));
  if (version >= 1 && version < kOldestSchemaVersion)
    throw Fault(
        fmt::format("is of schema version {}, of an older quantimed; repeat the run with its /config/ini", version));
  if (version < 1) throw Fault(fmt::format("is of schema version {}", version));
  input.version = trace.schema_version = version;
  const auto word = read_named<std::string>(input.file, "status", "/");
  const auto* status = std::find_if(std::begin(columns::kStatuses), std::end(columns::kStatuses),
                                    [&](RunStatus known) { return word == to_string(known); });
  if (status == std::end(columns::kStatuses)) throw Fault("has the unknown status " + word);
  trace.status = *status;
  trace.verdict = read_named<std::string>(input.file, "verdict", "/");
  for (const auto& [name, member] : columns::kRootTexts) trace.*member = read_named<std::string>(input.file, name, "/");
}

void read_attribute_groups(const Input& input, Trace& trace) {
  for (const auto& [name, member, is_optional] : columns::kAttributeGroups)
    if (!is_optional || need(H5Lexists(input.file, name, H5P_DEFAULT), name) > 0)
      trace.*member = read_attributes(open_group(input.file, name), fmt::format("/{}", name));
  const Object ini = open_object(open_group(input.file, "config"), "ini", H5I_DATASET, "/config/ini");
  const Type type(H5Dget_type(ini), "/config/ini");
  if (H5Tget_class(type) != H5T_STRING) throw Fault("/config/ini is not a text");
  need_scalar(Space(H5Dget_space(ini), "/config/ini"), "/config/ini");
  need_plain_storage(ini, "/config/ini");
  trace.ini = read_text(type, "/config/ini",
                        [&](hid_t as, void* to) { return H5Dread(ini, as, H5S_ALL, H5S_ALL, H5P_DEFAULT, to); });
}

// Traces before version 3 have none.
void read_warnings(Trace& trace) {
  const std::string lines = text(trace.summary, "warnings", "");
  std::erase_if(trace.summary, [](const auto& entry) { return entry.first == "warnings"; });
  for (std::size_t first = 0; first < lines.size();) {
    const std::size_t end = std::min(lines.find('\n', first), lines.size());
    trace.warnings.push_back(lines.substr(first, end - first));
    first = end + 1;
  }
}

void read_arcs(Input& input, hid_t group, Network& network) {
  const auto ends = read_values<NodeId>(input, group, "network", "arcs", "node", 2);
  const auto weights = read_values<double>(input, group, "network", "arc_weights", "1", 1).values;
  if (ends.shape[1] != 2) throw Fault(fmt::format("/network/arcs has rows of {}, not of 2", ends.shape[1]));
  if (weights.size() != ends.shape[0])
    throw Fault(fmt::format("/network has {} arcs and {} weights of them", ends.shape[0], weights.size()));
  for (std::size_t a = 0; a < weights.size(); ++a) {
    const Arc arc{ends.values[2 * a], ends.values[2 * a + 1], weights[a]};
    const auto place = [](const Arc& at) { return std::pair{at.to, at.from}; };
    if (arc.from >= network.nodes || arc.to >= network.nodes || arc.from == arc.to ||
        (a > 0 && !(place(network.arcs.back()) < place(arc))))
      throw Fault(fmt::format("/network/arcs: ({}, {}) cannot stand in row {}", arc.from, arc.to, a));
    network.arcs.push_back(arc);
  }
}

void read_network(Input& input, Network& network) {
  const Object group = open_group(input.file, "network");
  const auto edges = read_values<NodeId>(input, group, "network", "edges", "node", 2);
  if (edges.shape[1] != 2) throw Fault(fmt::format("/network/edges has rows of {}, not of 2", edges.shape[1]));
  for (std::size_t e = 0; e < edges.shape[0]; ++e)
    network.edges.emplace_back(edges.values[2 * e], edges.values[2 * e + 1]);
  network.weights = read_values<double>(input, group, "network", "weights", "1", 1).values;
  network.self_weights = read_values<double>(input, group, "network", "self_weights", "1", 1).values;
  if (network.self_weights.size() > std::numeric_limits<NodeId>::max()) throw Fault("/network has too many nodes");
  network.nodes = static_cast<std::uint32_t>(network.self_weights.size());
  network.beta = read_named<double>(group, "beta", "/network");
  network.spectral_gap = read_named<double>(group, "spectral_gap", "/network");
  network.redraws = static_cast<std::uint32_t>(read_named<std::int64_t>(group, "redraws", "/network"));
  if (H5Aexists(group, "schedule") > 0) {
    const auto name = read_named<std::string>(group, "schedule", "/network");
    network.schedule = {.kind = topology::schedule_named(name),
                        .seed = static_cast<std::uint64_t>(read_named<std::int64_t>(group, "seed", "/network"))};
    if (!network.is_scheduled()) throw Fault(fmt::format("/network: schedule {} is not known", name));
    if (network.schedule.is_listed()) read_arcs(input, group, network);
  }
}

void read_classes(Input& input, Trace& trace) {
  read_columns(input, "classes", columns::kClasses, trace.classes, 1);
  const Object group = open_group(input.file, "classes");
  trace.classes.set = read_named<std::string>(group, "set", "/classes");
  auto accuracy = read_values<double>(input, group, "classes", "accuracy", "1", 2);
  if (accuracy.shape[1] != trace.classes.label.size())
    throw Fault(
        fmt::format("/classes/accuracy has rows of {}, not of {}", accuracy.shape[1], trace.classes.label.size()));
  trace.progress.class_accuracy = std::move(accuracy.values);
}

Checkpoint read_checkpoint(Input& input) {
  Checkpoint checkpoint;
  const Object group = open_group(input.file, "checkpoint");
  columns::for_each(columns::kCheckpoint, [&]<class T>(const columns::Column<Checkpoint, T>& column) {
    if (is_left_out(group, column)) return;
    const std::size_t rank = column.name == std::string_view("models") ? 2 : 1;
    checkpoint.*column.values = read_values<T>(input, group, "checkpoint", column.name, column.unit, rank).values;
  });
  checkpoint.state = read_attributes(group, "/checkpoint");
  return checkpoint;
}

Recording read_recording(Input& input) {
  Recording recording;
  read_columns(input, "replay", columns::kRecordedNodes, recording, 1);
  read_columns(input, "replay", columns::kRecordedModels, recording, 1);
  read_columns(input, "replay", columns::kRecordedTurns, recording, 1);
  read_columns(input, "replay", columns::kRecordedLogs, recording, 1);
  return recording;
}

enum class Parts { all, summary };

Trace read_parts(Input input, Parts parts) {
  Trace trace;
  read_root(input, trace);
  read_attribute_groups(input, trace);
  read_warnings(trace);
  read_network(input, trace.network);
  read_columns(input, "progress", columns::kProgress, trace.progress, 1);
  if (const Object group = open_group(input.file, "progress"); need(H5Aexists(group, "drawn_by"), "/progress") > 0)
    trace.progress.drawn_by = read_named<std::string>(group, "drawn_by", "/progress");
  trace.mean_model = read_values<float>(input, open_group(input.file, "model"), "model", "mean", "1", 1).values;
  if (need(H5Lexists(input.file, "classes", H5P_DEFAULT), "/classes") > 0) read_classes(input, trace);
  if (parts == Parts::summary) return trace;
  const auto shape = read_columns(input, "rounds", columns::kRounds, trace.rounds, 2);
  trace.rounds.iterations = shape[0];
  trace.rounds.nodes = shape[1];
  if (need(H5Lexists(input.file, "timeline", H5P_DEFAULT), "/timeline") > 0)
    read_columns(input, "timeline", columns::kTimeline, trace.timeline, 1);
  if (need(H5Lexists(input.file, "checkpoint", H5P_DEFAULT), "/checkpoint") > 0)
    trace.checkpoint = read_checkpoint(input);
  if (need(H5Lexists(input.file, "replay", H5P_DEFAULT), "/replay") > 0) trace.recording = read_recording(input);
  return trace;
}

PropertyList reading_access() {
  PropertyList access(H5Pcreate(H5P_FILE_ACCESS), "access");
  need(H5Pset_fclose_degree(access, H5F_CLOSE_STRONG), "access");
  disable_locking(access);
  return access;
}

File open_file(const std::string& path) {
  const PropertyList access = reading_access();
  const hid_t id = H5Fopen(path.c_str(), H5F_ACC_RDONLY, access);
  if (id < 0 && lock_was_refused()) throw InputError("{}: {}; {}", path, kLockRefused, kMendLock);
  return File(id, "is not an HDF5 file, or is truncated");
}

Trace read_file(const std::string& path, const InputFile& file, Parts parts) {
  require_room_for_hdf5();
  const Silence silence;
  const File opened = open_file(path);
  const std::uint64_t foreign = foreign_file_limits(file.bytes).memory_bytes - kForHdf5;
  return read_parts({opened, file.bytes, file.is_sealed ? kMostBytes : foreign}, parts);
}

[[noreturn]] void reject(const std::string& path, const std::string& what) {
  throw InputError("{}: {}; name a trace that `quantimed run` wrote", path, what);
}

[[noreturn]] void refuse_memory(const std::string& path) {
  throw MachineRefused("{}: does not fit into the memory that is free; read it where more is granted", path);
}

// In the child. What it throws is an InputError, or MachineRefused.
Trace read_values_of(const std::string& path, const InputFile& file, Parts parts) {
  try {
    return read_file(path, file, parts);
  } catch (const Fault& fault) {
    reject(path, fault.what());
  } catch (const std::bad_alloc&) {
    refuse_memory(path);
  } catch (const std::length_error&) {
    refuse_memory(path);
  }
}

// Our own traces may compress by 1,000 to 1, and HDF5 unpacks over 100 MB/s.
IsolationLimits limits_for(const InputFile& file) {
  IsolationLimits limits = foreign_file_limits(file.bytes);
  if (!file.is_sealed) return limits;
  limits.memory_bytes += std::min(kMostBytes, kDeflateRatio * file.bytes);
  limits.cpu_s = 5 + 10 * (file.bytes >> 20);
  return limits;
}

}  // namespace

// ---- what comes back from the child --------------------------------------------------------------

template <class Pipe, class Table, class Record>
void transfer_columns(Pipe& pipe, const Table& table, Record& record) {
  columns::for_each(table, [&](const auto& column) { transfer(pipe, record.*column.values); });
}

template <class Pipe>
void transfer(Pipe& pipe, Network& network) {
  transfer(pipe, network.nodes);
  transfer(pipe, network.edges);
  transfer(pipe, network.weights);
  transfer(pipe, network.self_weights);
  transfer(pipe, network.beta);
  transfer(pipe, network.spectral_gap);
  transfer(pipe, network.redraws);
  transfer(pipe, network.schedule);
  transfer(pipe, network.arcs);
}

template <class Pipe>
void transfer(Pipe& pipe, Checkpoint& checkpoint) {
  transfer_columns(pipe, columns::kCheckpoint, checkpoint);
  transfer(pipe, checkpoint.state);
}

template <class Pipe>
void transfer(Pipe& pipe, Recording& recording) {
  transfer_columns(pipe, columns::kRecordedNodes, recording);
  transfer_columns(pipe, columns::kRecordedModels, recording);
  transfer_columns(pipe, columns::kRecordedTurns, recording);
  transfer_columns(pipe, columns::kRecordedLogs, recording);
}

template <class Pipe>
void transfer(Pipe& pipe, Trace& trace) {
  transfer(pipe, trace.status);
  transfer(pipe, trace.schema_version);
  std::string verdict = trace.verdict.text();
  transfer(pipe, verdict);
  if (Pipe::kReceives) trace.verdict = verdict;
  transfer(pipe, trace.warnings);
  for (const auto& [name, member] : columns::kRootTexts) transfer(pipe, trace.*member);
  for (const auto& group : columns::kAttributeGroups) transfer(pipe, trace.*group.attributes);
  transfer(pipe, trace.ini);
  transfer(pipe, trace.network);
  transfer_columns(pipe, columns::kProgress, trace.progress);
  transfer(pipe, trace.progress.class_accuracy);
  transfer(pipe, trace.classes.set);
  transfer_columns(pipe, columns::kClasses, trace.classes);
  transfer(pipe, trace.progress.drawn_by);
  transfer(pipe, trace.rounds.iterations);
  transfer(pipe, trace.rounds.nodes);
  transfer_columns(pipe, columns::kRounds, trace.rounds);
  transfer(pipe, trace.mean_model);
  transfer_columns(pipe, columns::kTimeline, trace.timeline);
  bool has_checkpoint = trace.checkpoint.has_value();
  transfer(pipe, has_checkpoint);
  if (Pipe::kReceives && has_checkpoint) trace.checkpoint.emplace();
  if (has_checkpoint) transfer(pipe, *trace.checkpoint);
  bool has_recording = trace.recording.has_value();
  transfer(pipe, has_recording);
  if (Pipe::kReceives && has_recording) trace.recording.emplace();
  if (has_recording) transfer(pipe, *trace.recording);
}

namespace {

Trace read_isolated(const std::string& path, Parts parts) {
  const InputFile file = checked_file(path);
  try {
    auto trace = isolated<Trace>(limits_for(file), [&] { return read_values_of(path, file, parts); });
    trace.is_sealed = file.is_sealed;
    // Here, so that nothing a child sends is believed unchecked.
    if (const std::string contradiction = shape_finding(trace); !contradiction.empty()) reject(path, contradiction);
    index_neighbours(trace.network);
    if (trace.network.schedule.is_listed()) trace.network.list_arcs();
    return trace;
  } catch (const IsolatedFailure& failure) {
    reject(path, failure.what());
  } catch (const std::bad_alloc&) {
    refuse_memory(path);
  }
}

}  // namespace

Trace read_trace(const std::string& path) { return read_isolated(path, Parts::all); }

Trace read_trace_summary(const std::string& path) { return read_isolated(path, Parts::summary); }

bool claims_to_be_a_trace(const std::string& path) try {
  const InputFile file = checked_file(path);
  return file.is_sealed || isolated<bool>(limits_for(file), [&] {
           const Silence silence;
           try {
             const File opened = open_file(path);
             return read_named<std::string>(opened, "schema", "/") == kTraceSchema;
           } catch (const Fault&) {
             return false;
           }
         });
} catch (const DamagedTrace&) {
  return true;
} catch (const InputError&) {
  return false;
} catch (const IsolatedFailure&) {
  return false;
}

// HDF5 opens no such file, so its first bytes have to tell: the signature, the version of the head, where HDF5's own
// end is, and the text of /schema, which is written first.
std::optional<CutShort> cut_short(const std::string& path) {
  constexpr std::string_view kSignature("\x89HDF\r\n\x1a\n\x02", 9);
  constexpr std::size_t kEndAt = 28, kHead = 1 << 16;
  std::string head(kHead, '\0');
  std::ifstream file(path, std::ios::binary);
  file.read(head.data(), static_cast<std::streamsize>(head.size()));
  head.resize(static_cast<std::size_t>(std::max<std::streamsize>(0, file.gcount())));
  std::error_code error;
  CutShort found{.bytes = std::filesystem::file_size(path, error)};
  if (error || !head.starts_with(kSignature) || head.size() < kEndAt + sizeof(std::uint64_t) ||
      head.find(kTraceSchema) == std::string::npos)
    return {};
  for (std::size_t k = 0; k < sizeof(std::uint64_t); ++k)
    found.at_least |= std::uint64_t{static_cast<unsigned char>(head[kEndAt + k])} << (8 * k);
  if (found.bytes >= found.at_least) return {};
  return found;
}

}  // namespace quantimed
