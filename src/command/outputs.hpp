// SPDX-License-Identifier: BSD-3-Clause
// What stands where a command is about to write, and whether it may be replaced.
//
// No command replaces a file that quantimed did not write, whatever it is: a data set, a graph, a table, a link to one.
// A trace is replaced only where the user says --overwrite. The complete trace of exactly the run that was asked for is
// kept, and nothing is run. Everything here is asked before any work; the runs themselves are locked (OutputLock).
#pragma once

#include "config/config.hpp"
#include "dataset/dataset.hpp"
#include "trace/trace.hpp"

#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace quantimed {

// What a run reads beside its options, by content and not by name. "": there is no such file.
struct Fingerprints {
  std::string data, graph, speed, machine;
  bool operator==(const Fingerprints&) const = default;
};
// Reads the files of --graph, --speed and --machine. Throws InputError where one cannot be read.
Fingerprints fingerprints_of(const Config& resolved, const DataSplit& data);
// /data of a trace, and back. A trace of a version without it has empty ones.
Attributes data_attributes(const DataSplit& data, const Fingerprints& fingerprints);
Fingerprints fingerprints_of(const Trace& trace);
// "the data had other contents (fingerprint 0a1b2c3d, now 4e5f6071)"; "" where all are the same.
std::string differing_contents(const Fingerprints& has, const Fingerprints& wanted);

// The options that decide what a run computes: all but where it is written and how many workers compute it.
// The first that differs, "--iterations 300, not 20"; "" where none does. Both resolved.
std::string differing_option(const Config& has, const Config& wanted);
// Eight hexadecimal digits of those options and of the program's version, for the names of files.
std::string run_hash(const Config& resolved);

// The options of the run that a trace is of. Throws InputError where its /config/ini is of another version's.
Config config_of(const Trace& trace, const std::string& path);

enum class Standing {
  absent,
  finished,    // the complete (or diverged), unchanged trace of this very run
  unfinished,  // this very run, stopped (in PATH) or killed (in PATH.partial)
  other,       // a trace of ours of something else: other options, data, version, or changed since it was written
  foreign,     // anything else
};
struct Found {
  Standing standing = Standing::absent;
  std::string why;             // of unfinished, other and foreign: what it is, after "PATH "
  std::optional<Trace> trace;  // of finished: without its rounds, as run_experiment() gives it
};

// What is at config.output. `now`: null where the data have not been read yet; they are then taken to be the same.
Found find_output(const Config& resolved, const Fingerprints* now);

// Throws InputError unless every run's output is absent, finished, or (with --overwrite) a trace of ours.
// may_continue: what is unfinished may stand, too.
void require_replaceable(std::span<const Config> runs, bool may_continue);

// For a run that is about to start, once its data are read: its trace where it is finished and need not run again
// (never with --overwrite). Throws as require_replaceable() does.
std::optional<Trace> finished_run(const Config& resolved, const Fingerprints& now, bool may_continue = false);

// The first line of a table.md; Markdown does not show it.
std::string table_mark(std::string_view command);

// The same for a table, an .ini or a .csv of ours: each begins with a line that says so, or that names its columns.
// Throws InputError where there is a file that does not begin with `first_line`, even with --overwrite.
void require_own_text(const std::string& path, std::string_view first_line);

// The same for what `quantimed calibrate` measures, which no second measurement gives again: it is replaced only where
// the user says so.
void require_own_machine_file(const std::string& path);
void require_replaceable_machine_file(const std::string& path, bool overwrite);

// Throws InputError, naming `option`, where `output` and `input` are the same file, under whatever names.
void require_not_input(const std::string& output, const std::string& option, const std::string& input);

}  // namespace quantimed
