// SPDX-License-Identifier: BSD-3-Clause
#include "trace/read_parts.hpp"

#include "topology/schedule.hpp"
#include "trace/columns.hpp"

#include <algorithm>
#include <iterator>
#include <limits>
#include <string_view>

namespace quantimed {

using namespace hdf5;

namespace {

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
  trace.ini = read_text_dataset(open_group(input.file, "config"), "ini", "/config/ini");
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

}  // namespace

Trace read_parts(Input input, Parts parts) {
  Trace trace;
  read_root(input, trace);
  read_attribute_groups(input, trace);
  read_warnings(trace);
  read_network(input, trace.network);
  read_columns(input, "progress", columns::kProgress, trace.progress, 1);
  if (const Object group = open_group(input.file, "progress"); need(H5Aexists(group, "drawn_by"), "/progress") > 0)
    trace.progress.drawn_by = read_named<std::string>(group, "drawn_by", "/progress");
  input.is_double = text(trace.config, "precision", "single") == "double";
  trace.mean_model =
      read_values<Real>(input, open_group(input.file, "model"), "model", "mean", "1", 1, Stored::by_precision).values;
  if (need(H5Lexists(input.file, "classes", H5P_DEFAULT), "/classes") > 0) read_classes(input, trace);
  if (need(H5Lexists(input.file, "counters", H5P_DEFAULT), "/counters") > 0) {
    trace.counters.emplace();
    read_columns(input, "counters", columns::kCounters, *trace.counters, 1);
    trace.counters->account = read_attributes(open_group(input.file, "counters"), "/counters");
  }
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

}  // namespace quantimed
