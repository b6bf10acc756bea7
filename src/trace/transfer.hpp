// SPDX-License-Identifier: BSD-3-Clause
// A Trace through a pipe, member by member: what the child that read it sends, and this process receives.
#pragma once

#include "base/isolated.hpp"
#include "trace/columns.hpp"
#include "trace/trace.hpp"

#include <string>

namespace quantimed {

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
void transfer(Pipe& pipe, Counters& counters) {
  transfer_columns(pipe, columns::kCounters, counters);
  transfer(pipe, counters.account);
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
  transfer(pipe, trace.counters);
  transfer(pipe, trace.rounds.iterations);
  transfer(pipe, trace.rounds.nodes);
  transfer_columns(pipe, columns::kRounds, trace.rounds);
  transfer(pipe, trace.mean_model);
  transfer_columns(pipe, columns::kTimeline, trace.timeline);
  transfer(pipe, trace.checkpoint);
  transfer(pipe, trace.recording);
}

}  // namespace quantimed
