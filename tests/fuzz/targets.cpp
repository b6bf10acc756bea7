// SPDX-License-Identifier: BSD-3-Clause
#include "fuzz/targets.hpp"

#include "base/error.hpp"
#include "codec/codec.hpp"
#include "config/config.hpp"
#include "config/ini.hpp"
#include "config/option_table.hpp"
#include "dataset/byte_source.hpp"
#include "dataset/files.hpp"
#include "dataset/formats.hpp"
#include "dataset/labels.hpp"
#include "dataset/shards.hpp"
#include "fuzz/seeds.hpp"
#include "machine/interference.hpp"
#include "machine/placement.hpp"
#include "timing/deadline_rule.hpp"
#include "timing/faults.hpp"
#include "timing/link_model.hpp"
#include "timing/machine_file.hpp"
#include "timing/recorded_speed.hpp"
#include "timing/speed_model.hpp"
#include "topology/network.hpp"
#include "trace/trace.hpp"

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string_view>

namespace quantimed::fuzz {

namespace {

namespace fs = std::filesystem;

void require(bool holds, const std::string& what) {
  if (holds) return;
  fmt::print(stderr, "finding: {}\n", what);
  std::abort();
}

std::string text_of(Bytes bytes) { return {bytes.begin(), bytes.end()}; }

// Most targets take their first byte as switches; in a text a digit does.
unsigned take_switches(Bytes& bytes) {
  if (bytes.empty()) return 0;
  const unsigned switches = bytes[0];
  bytes = bytes.subspan(1);
  return switches;
}

void write_either(const fs::path& path, const std::string& text, bool compress) {
  if (compress)
    write_gzip(path, text);
  else
    write_file(path, text);
}

// ---- data sets -----------------------------------------------------------------------------------
constexpr std::uint32_t kImages = 2;

// Switches: 1 gzip, 2 the bytes are the labels of two good images, not images.
void read_idx_files(Bytes bytes) {
  const unsigned switches = take_switches(bytes);
  const bool compress = (switches & 1) != 0, labels = (switches & 2) != 0;
  const TemporaryFolder folder;
  const fs::path images = folder / "images", y = folder / "labels";
  write_either(labels ? y : images, text_of(bytes), compress);
  if (labels)
    write_file(images, idx({kImages, 1, 2}, "abcd"));
  else
    write_file(y, idx({kImages}, std::string(kImages, '\1')));
  decide_targets(read_idx({images, y}, 0), {.name = "idx"}, {});
}

void read_gzip(Bytes bytes) {
  const TemporaryFolder folder;
  write_file(folder / "data.gz", text_of(bytes));
  ByteSource source(folder / "data.gz");
  source.read_text(MemoryBudget(bytes.size()).left() / 2);
}

void read_cifar_file(Bytes bytes) {
  const bool grey = (take_switches(bytes) & 1) != 0;
  const TemporaryFolder folder;
  write_file(folder / "data_batch_1.bin", text_of(bytes));
  decide_targets(read_cifar({{folder / "data_batch_1.bin"}, {}}, grey, 0), {.name = "cifar"}, {});
}

// Switches: 1 gzip, 2 the second half is the test set, 4 targets are classes.
void read_libsvm_file(Bytes bytes) {
  const unsigned switches = take_switches(bytes);
  const TemporaryFolder folder;
  const bool has_test = (switches & 2) != 0;
  const std::string text = text_of(bytes);
  const std::size_t cut = has_test ? text.size() / 2 : text.size();
  write_either(folder / "data", text.substr(0, cut), (switches & 1) != 0);
  if (has_test) write_file(folder / "data.t", text.substr(cut));
  load_dataset({.name = folder / "data"},
               {.asked = (switches & 4) != 0 ? quantimed::Target::classes : quantimed::Target::automatic});
}

void read_hdf5_file(Bytes bytes) {
  const TemporaryFolder folder;
  write_file(folder / "data.h5", text_of(bytes));
  load_dataset({.name = folder / "data.h5"});
}

// ---- traces --------------------------------------------------------------------------------------
void read_trace_file(Bytes bytes) {
  const TemporaryFolder folder;
  write_file(folder / "trace.h5", text_of(bytes));
  const Trace trace = read_trace(folder / "trace.h5");
  verify_trace(trace);
  deadline_report(trace);
}

// ---- files of options ----------------------------------------------------------------------------
void read_ini_file(Bytes bytes) {
  const TemporaryFolder folder;
  write_file(folder / "a.ini", text_of(bytes));
  Config config, again;
  read_ini(folder / "a.ini", config);
  write_file(folder / "b.ini", to_ini(config));
  read_ini(folder / "b.ini", again);
  again.dry_run = config.dry_run;  // those that are no matter of a run are not written
  again.jitter = config.jitter;
  again.dependencies = config.dependencies;
  again.resume = config.resume;
  require(config == again, "an .ini does not come back as it was");
  validate(config, "run");
}

void read_graph_file(Bytes bytes) {
  const std::uint32_t switches = take_switches(bytes), nodes = 1 + switches % 64;
  const TemporaryFolder folder;
  write_file(folder / "graph", text_of(bytes));
  const auto kind = switches / 64 % 2 == 1 ? GraphRequest::Kind::directed_file : GraphRequest::Kind::file;
  const Network network = make_network({.kind = kind, .path = folder / "graph"}, {}, nodes, 1);
  std::vector<Neighbour> room;
  for (NodeId i = 0; i < nodes; ++i) require(network.self_weight(i, 0) >= 0, "a node's own weight is below 0");
  for (NodeId i = 0; i < nodes; ++i)
    for (const Neighbour& j : network.sources(i, 0, room))
      require(j.weight > 0 && j.id < nodes, "a weight is not above 0");
}

void read_machine(Bytes bytes) {
  const TemporaryFolder folder;
  write_file(folder / "m.ini", text_of(bytes));
  read_machine_file(folder / "m.ini").costs("exact");
}

void read_speeds(Bytes bytes) {
  const TemporaryFolder folder;
  write_file(folder / "speeds", text_of(bytes));
  const auto speeds = read_recorded_speed("--speed file:speeds", folder / "speeds", 0);
  for (const std::uint32_t at : {0u, 1u, 7u, 1000u}) require(speeds->speed(0, at) > 0, "a speed is not above 0");
}

// ---- values of options, and the command line -----------------------------------------------------
// The texts that the table takes as they are, and a run takes apart.
struct Parser {
  std::string_view option;
  void (*parse)(const std::string& value);
};
constexpr std::array kParsers = {
    Parser{"speed", [](const std::string& v) { make_speed_model(v, 1); }},
    Parser{"link", [](const std::string& v) { parse_link(v); }},
    Parser{"interference", [](const std::string& v) { parse_interference(v, 4); }},
    Parser{"deadline", [](const std::string& v) { parse_deadline(v, 5); }},
    Parser{"fault", [](const std::string& v) { parse_faults(v, 4); }},
    Parser{"partition", [](const std::string& v) { parse_partition(v); }},
    Parser{"placement", [](const std::string& v) { parse_placement(v); }},
    Parser{"graph", [](const std::string& v) { parse_graph(v); }},
    Parser{"mixing", [](const std::string& v) { parse_mixing(v); }},
    Parser{"codec", [](const std::string& v) { require(make_codec(v)->capacity(1) > 0, "a message without bytes"); }},
    Parser{"alpha", [](const std::string& v) { alpha_schedule("--alpha", v, 300, 40); }},
};

// "name=value"
void read_option(Bytes bytes) {
  const std::string text = text_of(bytes);
  const std::size_t equals = std::min(text.find('='), text.size());
  const std::string name = text.substr(0, equals), value = text.substr(std::min(equals + 1, text.size()));
  for (const Parser& parser : kParsers) {
    if (parser.option != name) continue;
    try {
      parser.parse(value);
    } catch (const InputError& error) {
      require(std::string_view(error.what()).starts_with("--" + name), fmt::format("not named: {}", error.what()));
    }
  }
  const OptionRow* row = find_option(name);
  if (row == nullptr) return;
  Config config, again;
  set_option(*row, config, value);
  const std::string shown = get_option(*row, config);
  set_option(*row, again, shown);
  require(get_option(*row, again) == shown,
          fmt::format("--{} {} comes back as {}", name, shown, get_option(*row, again)));
}

// A word a line.
void read_command_line(Bytes bytes) {
  std::vector<std::string> words = {"quantimed"};
  const std::string text = text_of(bytes);
  words.reserve(2 + static_cast<std::size_t>(std::ranges::count(text, '\n')));
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    words.push_back(text.substr(at, end - at).c_str());  // up to a zero byte, as the system passes it
    at = end + 1;
  }
  std::vector<const char*> argv;
  for (const std::string& word : words) argv.push_back(word.c_str());
  parse_command_line(static_cast<int>(argv.size()), argv.data());
}

constexpr Target kTargets[] = {
    {"idx", read_idx_files, idx_seeds},
    {"gzip", read_gzip, gzip_seeds},
    {"cifar", read_cifar_file, cifar_seeds},
    {"libsvm", read_libsvm_file, nullptr},
    {"hdf5", read_hdf5_file, hdf5_seeds},
    {"trace", read_trace_file, trace_seeds},
    {"ini", read_ini_file, nullptr},
    {"graph", read_graph_file, nullptr},
    {"machine", read_machine, nullptr},
    {"speeds", read_speeds, nullptr},
    {"option", read_option, nullptr},
    {"command_line", read_command_line, nullptr},
    {"replay_log", read_replay_log, replay_log_seeds},
};

}  // namespace

std::span<const Target> targets() { return kTargets; }

const Target& find_target(std::string_view name) {
  const auto* found = std::ranges::find_if(kTargets, [&](const Target& target) { return name == target.name; });
  require(found != std::end(kTargets), fmt::format("no target {}", name));
  return *found;
}

void run_once(const Target& target, Bytes bytes) {
  try {
    target.read(bytes);
  } catch (const InputError& error) {
    const std::string_view text = error.what();
    require(!text.empty() && text.find('\n') == std::string_view::npos, fmt::format("not one line: {}", text));
  } catch (const std::exception& error) {
    require(false, fmt::format("{} throws {}", target.name, error.what()));
  }
}

std::vector<std::string> all_seeds(const Target& target, const std::string& corpus) {
  std::vector<fs::path> files;
  if (const fs::path folder = fs::path(corpus) / target.name; fs::is_directory(folder))
    for (const auto& entry : fs::directory_iterator(folder)) files.push_back(entry.path());
  std::ranges::sort(files);
  std::vector<std::string> seeds;
  for (const fs::path& file : files) seeds.push_back(read_back(file));
  if (target.seeds)
    for (std::string& seed : target.seeds()) seeds.push_back(std::move(seed));
  return seeds;
}

}  // namespace quantimed::fuzz
