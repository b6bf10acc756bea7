// SPDX-License-Identifier: BSD-3-Clause
// All that a run leaves behind, as plain data.
//
//   trace.cpp    words and attributes             verdict.hpp  VALID, or all reasons against it
//                                                 columns.hpp  the one table of data sets: name, unit, member
//   write.cpp    trace → file, by a child         image.cpp    image → file, whole or not at all, with its checksum
//   read.cpp     hostile file → trace, likewise   shapes.cpp   what reader, writer and verifier ask of lengths
//   write_parts.cpp, read_parts.cpp  what the child does: group after group of the file, in hdf5_write.hpp's and
//                hdf5_read.hpp's words            transfer.hpp what a reading child sends back
//   verify.cpp   the invariants, one function each (verify_network.cpp, verify_run.cpp)
//
// Those with hdf5 or parts in their names, write.cpp and read.cpp are the only users of HDF5 here. The library is the
// serial one, so one thread at a time writes or reads.
#pragma once

#include "base/error.hpp"
#include "base/types.hpp"
#include "topology/network.hpp"
#include "trace/checkpoint.hpp"
#include "trace/recording.hpp"
#include "trace/verdict.hpp"

#include <algorithm>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace quantimed {

inline constexpr const char* kTraceSchema = "quantimed-trace";
inline constexpr int kTraceSchemaVersion = 3;
inline constexpr int kOldestSchemaVersion = 2;  // that is still read

enum class RunStatus { running, complete, interrupted, diverged };
const char* to_string(RunStatus status);

// The curve, at the mean model x̄ over all nodes. [K] each; NaN where a figure does not apply (accuracy in regression).
struct Progress {
  std::vector<double> iteration;  // of one node; in asynchronous runs the mean over nodes
  std::vector<double> time;       // s, on the run's clock, when the last node has its model
  // The same where the link charges the paper's count of bits, or the bits on the wire. In virtual time one of them is
  // `time`; the other is there where the values depend on no clock. Empty where there is none.
  std::vector<double> time_paper_bits, time_wire_bits;  // s
  std::vector<double> energy_j;                         // see Counters; empty where it is not known
  std::vector<double> loss;                             // over all nodes' training samples, ℓ2 term included
  std::vector<double> accuracy;                         // share of hits, 0 … 1
  std::vector<double> test_loss;                        // without the ℓ2 term
  std::vector<double> test_accuracy;
  std::vector<double> consensus_error;        // (1/n) Σ_i ‖x_i − x̄‖²
  std::vector<double> gradient_norm_squared;  // ‖∇f(x̄)‖², per-dataset ℓ2 term included
  std::vector<double> distance_to_optimum;    // √((1/n) Σ_i ‖x_i − x*‖²); empty where x* is not known
  // Of what the algorithm keeps over the nodes: the largest ‖Σ_i s_i‖ / √(Σ_i ‖s_i‖² + Σ_i ‖x_i‖² / 10⁴) of states s
  // that sum to zero, and |Σ_i ω_i / n − 1| of push-sum weights ω. Empty where it keeps nothing, and in real time.
  std::vector<double> sum_error;
  // [K, classes] of Trace::classes, row-major: share of hits among the samples of each; NaN where there are none, or
  // where it was not told (a run that a version without it began). In the file: /classes/accuracy.
  std::vector<double> class_accuracy;
  std::string drawn_by;  // "replay": of the run's log, afterwards; "": by the run itself
};

// The classes whose accuracy the curve tells. [classes] each; empty in regression, of more than
// Evaluator::kMostClasses, and in traces of versions without them.
struct Classes {
  std::string set = {};                     // "test" or "training": whose samples
  std::vector<double> label = {};           // what the source calls it
  std::vector<std::uint32_t> samples = {};  // of it among those that the curve looks at
};

// What each node did in each of its iterations. [iterations, n] row-major each; NaN beyond a node's last iteration.
// The seven times are an iteration's phases: they add up to the time from its start to the start of the next.
struct Rounds {
  std::size_t iterations = 0, nodes = 0;
  std::vector<float> compute_time;   // s, the gradient: until T_d, or as long as the batch (or a straggler) takes
  std::vector<float> encode_time;    // s, Q(x) into the outbox; 0 for exact models, which live there
  std::vector<float> publish_time;   // s, making the message visible
  std::vector<float> wait_time;      // s, for other nodes
  std::vector<float> exchange_time;  // s, for messages under way on the link
  std::vector<float> mix_time;       // s, the update
  std::vector<float> record_time;    // s, the instrument's own: snapshots and records
  std::vector<float> batch;          // samples, |S_i,t|
  std::vector<float> deadline;       // s, T_d; 0 for fixed batches
  std::vector<float> overshoot;    // s, end of the last sample − deadline (negative: undershoot); 0 for fixed batches
  std::vector<float> speed_asked;  // samples per second of the speed model; 0: the machine's own. Had: batch/compute
  std::vector<float> staleness;    // iterations, mean over neighbours: own iteration − message's iteration
  std::vector<float> message_age;  // s, mean over neighbours, from publishing to mixing
  std::vector<float> overwritten;  // messages of the neighbours that this node has never seen, since its last read
  std::vector<double> bytes_sent;  // bytes of the message on the wire (Codec::wire_bytes), to each neighbour
  std::vector<double> start_time;  // s, when the iteration began
};

// Rounds that are had a few iterations at a time: those of a run may be more than memory holds.
class RoundsSource {
 public:
  virtual ~RoundsSource() = default;
  virtual std::size_t nodes() const = 0;
  virtual std::size_t iterations() const = 0;
  virtual Rounds block(std::size_t first, std::size_t last) const = 0;  // iterations [first, last)
  Rounds all() const { return block(0, iterations()); }

  // `function(block, first)` for one block after the other, each of about a MiB a column.
  template <class Function>
  void for_each_block(Function&& function) const {
    for (std::size_t first = 0; first < iterations(); first += block_rows())
      function(block(first, std::min(first + block_rows(), iterations())), first);
  }
  std::size_t block_rows() const { return std::max<std::size_t>(1, kBlockValues / std::max<std::size_t>(nodes(), 1)); }
  static constexpr std::size_t kBlockValues = std::size_t{1} << 18;
};

// With --timeline. [events] each.
struct Timeline {
  std::vector<std::uint32_t> node, iteration;
  std::vector<std::uint8_t> phase;  // index into kPhaseNames
  std::vector<double> start, end;   // s
};
inline constexpr std::size_t kPhases = 7;
inline constexpr const char* kPhaseNames[kPhases] = {"compute", "encode",  "wait",  "exchange",
                                                     "mix",     "publish", "record"};
inline constexpr std::vector<float> Rounds::*kPhaseTimes[kPhases] = {
    &Rounds::compute_time, &Rounds::encode_time,  &Rounds::wait_time,  &Rounds::exchange_time,
    &Rounds::mix_time,     &Rounds::publish_time, &Rounds::record_time};

// What the processors counted: with --counters, in real time. [n] each, a node's own thread in user space from its
// first iteration to its last, waiting included; empty where no node has it, and why is in the account. NaN: this node
// lacks it.
struct Counters {
  std::vector<double> cycles, instructions;
  std::vector<double> cache_misses;    // of the last level
  std::vector<double> stalled_cycles;  // in which the core waited for data or units
  std::vector<double> counted_share;   // of the time, in which they were counted; below 1 they are scaled up by it
  // cycles_missing, …: why an event is not there; energy_source: whose meters /progress/energy_j is of; energy_missing.
  Attributes account;
};

struct Trace {
  bool is_sealed = true;  // of a file: its seal (image.hpp) is there, so nobody has changed it since it was written
  RunStatus status = RunStatus::running;
  std::int64_t schema_version = kTraceSchemaVersion;  // of the file that was read
  Verdict verdict;                                    // VALID, or every reason why the times do not count
  std::vector<std::string> warnings;                  // one line each, of a run that counts all the same
  std::string software_version, commit, created;      // created: UTC, ISO 8601
  Attributes config;                                  // every resolved option
  std::string ini;                                    // repeats the run
  Attributes environment;
  Attributes data;  // what was read: fingerprints of contents, features, classes; empty: by a version without it
  Network network;
  Progress progress;
  Classes classes;
  Rounds rounds;
  std::vector<Real> mean_model;  // [p]
  Timeline timeline;
  Attributes summary;
  std::optional<Checkpoint> checkpoint;  // of a run that can go on
  std::optional<Recording> recording;    // of a run in real time: what its clock decided
  std::optional<Counters> counters;      // with --counters
};

const Attribute* find(const Attributes& attributes, const std::string& name);
double number(const Attributes& attributes, const std::string& name, double otherwise);  // int64 and bool converted
std::string text(const Attributes& attributes, const std::string& name, const std::string& otherwise);

// As people read it: true, 42, 0.1 (the shortest digits that give the same double), or the text itself.
std::string to_text(const Attribute& attribute);
std::string to_text(const Attributes& attributes);  // "name = value" a line
// Back again: a number where the whole text is one, true or false as such, so that readers of the trace need not parse.
Attribute to_attribute(const std::string& text);

// Writes PATH whole: a temporary file beside it, flushed to disk, then renamed. A reader never sees half a trace.
// Throws InputError when the folder is missing or not writable or PATH is not a plain file; MachineRefused when the
// disk is full or HDF5 fails, which it does where memory is short; and bad_alloc.
// HDF5 runs in a child process. Memory holds a block of rounds and what else the trace has.
void write_trace(const std::string& path, const Trace& trace);
// With these rounds in place of trace.rounds.
void write_trace(const std::string& path, const Trace& trace, const RoundsSource& rounds);

// Sets aside the memory that writing takes, so that a trace can be written when the system grants no more. Throws
// bad_alloc. write_trace() does so itself, which may be too late.
void hold_memory_for_traces();

// The file is ours, but not as it was written: its seal does not fit.
class DamagedTrace : public InputError {
 public:
  using InputError::InputError;
};

// Throws InputError for a file that is not a trace, is of a later schema version, is truncated, damaged (DamagedTrace)
// or contradicts itself. The file is not trusted: sizes are held against the file's own before memory is taken, and
// HDF5 runs in a child process (base/isolated.hpp), so that a file forged to crash or hang it is an error too. Without
// our seal (image.hpp) a file may unpack to 10 times its size and 48 MiB.
Trace read_trace(const std::string& path);
// All but /rounds, /timeline, /checkpoint and /replay, which may be more than memory holds.
Trace read_trace_summary(const std::string& path);

// Whether the file says that it is a trace, of whatever version and in whatever state. Does not throw.
bool claims_to_be_a_trace(const std::string& path);

// What is left of a trace of ours that was cut short: its bytes, and how many its head says that it had at least.
// Nothing for any other file. Does not throw.
struct CutShort {
  std::uint64_t bytes = 0, at_least = 0;
};
std::optional<CutShort> cut_short(const std::string& path);

// One invariant. `finding` gives one line that says where and by how much it fails, or nothing.
struct TraceCheck {
  const char* name;  // "W is doubly stochastic"
  std::string (*finding)(const Trace&);
};
std::span<const TraceCheck> trace_checks();

// Gradients until a deadline that took longer than it and its slack allow (0: kUsualSlack of it), and all until one.
// The one count: an engine judges a run by it, and verify prints it.
inline constexpr double kUsualSlack = 0.01;  // of T_d
inline constexpr double kMostLate = 0.05;    // of the gradients of a VALID run on threads
inline constexpr double kMostSumError =
    1e-3;  // at the end of a VALID run: Progress::sum_error; float32 leaves about 1e-5
struct LateGradients {
  std::size_t late = 0, all = 0;
  double share() const { return all > 0 ? static_cast<double>(late) / static_cast<double>(all) : 0; }
};
LateGradients late_gradients(const Rounds& rounds, double slack_s);

// How many gradients of a run with deadlines were late, and how far their last samples ended from them: a few lines,
// with a histogram by decade. Empty for a run without deadlines.
std::string deadline_report(const Trace& trace);

// Findings of `verify`, one line each, "NAME: what and where": empty means that every invariant holds.
// When the shapes are wrong nothing else is looked at.
std::vector<std::string> verify_trace(const Trace& trace);

}  // namespace quantimed
