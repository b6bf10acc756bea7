// SPDX-License-Identifier: BSD-3-Clause
#include "trace/write_parts.hpp"

#include "topology/schedule.hpp"
#include "trace/columns.hpp"
#include "trace/hdf5_write.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <iterator>
#include <span>
#include <string_view>
#include <vector>

namespace quantimed {

using namespace hdf5;

namespace {

static_assert(RoundsSource::kBlockValues * sizeof(float) == kChunkBytes);

void put_phase_names(hid_t dataset) {
  const hsize_t count = std::size(kPhaseNames);
  const Type type = text_type();
  write_attribute(dataset, "names", type, type, simple({&count, 1}), kPhaseNames);
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

void put_counters(hid_t file, ChunkPacker& packer, const Trace& trace) {
  const Object group = make_group(file, "counters");
  const hsize_t nodes = trace.network.nodes;
  put_columns(group, packer, columns::kCounters, *trace.counters, {&nodes, 1});
  put(group, trace.counters->account);
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

}  // namespace

std::size_t write_parts(ImageFile& image, const Trace& trace, const RoundsSource& rounds) {
  ChunkPacker packer;
  File file = make_file(image);
  put_root(file, trace);
  put_attribute_groups(file, trace);
  put_warnings(file, trace.warnings);
  put_network(file, packer, trace.network);
  put_run(file, packer, trace);
  if (!trace.classes.label.empty()) put_classes(file, packer, trace);
  if (trace.counters) put_counters(file, packer, trace);
  put_rounds(file, packer, rounds);
  if (trace.checkpoint) put_checkpoint(file, packer, *trace.checkpoint);
  if (trace.recording) put_recording(file, packer, *trace.recording);
  need(H5Fflush(file, H5F_SCOPE_LOCAL), "flush");
  const auto bytes = static_cast<std::size_t>(need(H5Fget_file_image(file, nullptr, 0), "size"));  // copies nothing
  file.close("close");
  return bytes;
}

}  // namespace quantimed
