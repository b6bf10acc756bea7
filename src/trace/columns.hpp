// SPDX-License-Identifier: BSD-3-Clause
// The one table of what a trace's groups hold: name and unit in the file, and the vector in memory. Writer, reader
// and verifier iterate it, so a new column is one row here and one member in trace.hpp.
#pragma once

#include "trace/trace.hpp"

#include <string>
#include <tuple>
#include <vector>

namespace quantimed::columns {

template <class Record, class T>
struct Column {
  const char* name;
  const char* unit;
  std::vector<T> Record::*values;
  bool is_optional = false;   // not in the file where there are no values
  int wide_since = 0;         // schema version from which on it is float64; float32 before
  bool is_of_models = false;  // in the precision of the run: float32, float64 with --precision double
};
template <class Record, class T, class... Rest>  // stated for clang, which does not yet deduce aggregates
Column(const char*, const char*, std::vector<T> Record::*, Rest...)->Column<Record, T>;

// /progress, [K] each
inline constexpr std::tuple kProgress{
    Column{"iteration", "iterations", &Progress::iteration},
    Column{"time", "s", &Progress::time},
    Column{"time_paper_bits", "s", &Progress::time_paper_bits, true},
    Column{"time_wire_bits", "s", &Progress::time_wire_bits, true},
    Column{"energy_j", "J", &Progress::energy_j, true},
    Column{"loss", "1", &Progress::loss},
    Column{"accuracy", "1", &Progress::accuracy},
    Column{"test_loss", "1", &Progress::test_loss},
    Column{"test_accuracy", "1", &Progress::test_accuracy},
    Column{"consensus_error", "1", &Progress::consensus_error},
    Column{"gradient_norm_squared", "1", &Progress::gradient_norm_squared},
    Column{"distance_to_optimum", "1", &Progress::distance_to_optimum, true},
    Column{"sum_error", "1", &Progress::sum_error, true},
};

// /classes, [classes] each; beside them `accuracy`, [K, classes]
inline constexpr std::tuple kClasses{
    Column{"label", "1", &Classes::label},
    Column{"samples", "samples", &Classes::samples},
};

// /rounds, [iterations, n] each
inline constexpr std::tuple kRounds{
    Column{"compute_time", "s", &Rounds::compute_time},
    Column{"encode_time", "s", &Rounds::encode_time},
    Column{"publish_time", "s", &Rounds::publish_time},
    Column{"wait_time", "s", &Rounds::wait_time},
    Column{"exchange_time", "s", &Rounds::exchange_time},
    Column{"mix_time", "s", &Rounds::mix_time},
    Column{"record_time", "s", &Rounds::record_time},
    Column{"batch", "samples", &Rounds::batch},
    Column{"deadline", "s", &Rounds::deadline},
    Column{"overshoot", "s", &Rounds::overshoot},
    Column{"speed_asked", "samples/s", &Rounds::speed_asked},
    Column{"staleness", "iterations", &Rounds::staleness},
    Column{"message_age", "s", &Rounds::message_age},
    Column{"overwritten", "messages", &Rounds::overwritten},
    Column{"bytes_sent", "bytes", &Rounds::bytes_sent, false, 3},
    Column{"start_time", "s", &Rounds::start_time},
};

// /counters, [n] each
inline constexpr std::tuple kCounters{
    Column{"cycles", "cycles", &Counters::cycles, true},
    Column{"instructions", "instructions", &Counters::instructions, true},
    Column{"cache_misses", "misses", &Counters::cache_misses, true},
    Column{"stalled_cycles", "cycles", &Counters::stalled_cycles, true},
    Column{"counted_share", "1", &Counters::counted_share, true},
};

// /timeline, [events] each
inline constexpr std::tuple kTimeline{
    Column{"node", "node", &Timeline::node},
    Column{"iteration", "iterations", &Timeline::iteration},
    Column{"phase", "index into names", &Timeline::phase},
    Column{"start", "s", &Timeline::start},
    Column{"end", "s", &Timeline::end},
};

// /checkpoint: lengths as checkpoint.hpp says; `models` is stored as [n, p]
inline constexpr std::tuple kCheckpoint{
    Column{"models", "1", &Checkpoint::models, false, 0, true},
    Column{"states", "1", &Checkpoint::states, true, 0, true},
    Column{"wide_states", "1", &Checkpoint::wide_states, true},
    Column{"scalars", "1", &Checkpoint::scalars, true, 0, true},
    Column{"messages", "messages", &Checkpoint::messages, true},
    Column{"iteration", "iterations", &Checkpoint::iteration},
    Column{"start_time", "s", &Checkpoint::start_time},
    Column{"start_time_other_bits", "s", &Checkpoint::start_time_other_bits, true},
    Column{"speed", "samples/s", &Checkpoint::speed},
    Column{"seen_speeds", "samples/s", &Checkpoint::seen_speeds},
    Column{"seen_counts", "speeds", &Checkpoint::seen_counts},
    Column{"event_time", "s", &Checkpoint::event_time},
    Column{"exchanging", "1", &Checkpoint::exchanging},
    Column{"awaits", "1", &Checkpoint::awaits, true},
    Column{"next_unseen", "iterations", &Checkpoint::next_unseen},
    Column{"message_node", "node", &Checkpoint::message_node},
    Column{"message_iteration", "iterations", &Checkpoint::message_iteration},
    Column{"message_published", "s", &Checkpoint::message_published},
    Column{"message_visible", "s", &Checkpoint::message_visible},
    Column{"message_bytes", "bytes", &Checkpoint::message_bytes},
    Column{"payload", "bytes", &Checkpoint::payload},
};

// /replay: [n], [models] and the logs themselves
inline constexpr std::tuple kRecordedNodes{
    Column{"log_bytes", "bytes", &Recording::log_bytes},
    Column{"iterations", "iterations", &Recording::iterations},
};
inline constexpr std::tuple kRecordedModels{
    Column{"model_node", "node", &Recording::model_node},
    Column{"model_iteration", "iterations", &Recording::model_iteration},
    Column{"model_fingerprint", "XXH3-64", &Recording::model_fingerprint},
};
inline constexpr std::tuple kRecordedTurns{Column{"model_turn", "turns", &Recording::model_turn, true}};
inline constexpr std::tuple kRecordedLogs{Column{"log", "bytes", &Recording::log}};

template <class Table, class Function>
void for_each(const Table& table, Function&& function) {
  std::apply([&](const auto&... column) { (function(column), ...); }, table);
}

// /config, /environment, /data and /summary: attributes only (and /config/ini)
struct AttributeGroup {
  const char* name;
  Attributes Trace::*attributes;
  bool is_optional = false;  // absent where there are none: traces of earlier versions
};
inline constexpr AttributeGroup kAttributeGroups[] = {{"config", &Trace::config},
                                                      {"environment", &Trace::environment},
                                                      {"data", &Trace::data, true},
                                                      {"summary", &Trace::summary}};

// The root's texts, beside schema, status and verdict.
struct RootText {
  const char* name;
  std::string Trace::*text;
};
inline constexpr RootText kRootTexts[] = {
    {"software_version", &Trace::software_version}, {"commit", &Trace::commit}, {"created", &Trace::created}};

inline constexpr RunStatus kStatuses[] = {RunStatus::running, RunStatus::complete, RunStatus::interrupted,
                                          RunStatus::diverged};

}  // namespace quantimed::columns
