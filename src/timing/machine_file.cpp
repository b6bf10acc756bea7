// SPDX-License-Identifier: BSD-3-Clause
#include "timing/machine_file.hpp"

#include "base/error.hpp"
#include "base/path_kind.hpp"
#include "base/temporary.hpp"
#include "base/text_file.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <boost/property_tree/ini_parser.hpp>
#include <cerrno>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <sstream>

namespace quantimed {

namespace {

using boost::property_tree::ptree;
using Points = std::vector<std::pair<std::size_t, Seconds>>;

constexpr int kVersion = 2, kVersionWithoutLinks = 1;  // a file without links is one that older programs read, too
constexpr std::uintmax_t kMostBytes = 1 << 20;
constexpr std::uint64_t kMostCount = 1'000'000'000;

// One row a figure of a section that holds one code's costs.
struct TimeRow {
  const char* name;
  Seconds MachineCosts::*value;
};
constexpr TimeRow kTimes[] = {{"deadline_sample_s", &MachineCosts::deadline_sample_s},
                              {"encode_s", &MachineCosts::encode_s},
                              {"publish_s", &MachineCosts::publish_s},
                              {"latency_s", &MachineCosts::latency_s},
                              {"receive_s", &MachineCosts::receive_s},
                              {"record_s", &MachineCosts::record_s}};
struct PointsRow {
  const char* name;
  Points MachineCosts::*value;
};
constexpr PointsRow kPoints[] = {{"gradient_s", &MachineCosts::gradient}, {"mix_s", &MachineCosts::mix}};
// … of a section that holds a link between ranks.
struct LinkRow {
  const char* name;
  Points LinkCosts::*value;
};
constexpr LinkRow kLinkPoints[] = {{"one_way_s", &LinkCosts::one_way},
                                   {"low_s", &LinkCosts::low},
                                   {"high_s", &LinkCosts::high},
                                   {"gap_s", &LinkCosts::gap}};
struct LinkSection {
  const char* name;
  std::optional<LinkCosts> RankLinks::*value;
};
constexpr LinkSection kLinks[] = {{"ranks on one host", &RankLinks::one_host},
                                  {"ranks on two hosts", &RankLinks::two_hosts}};

// ---- writing ---------------------------------------------------------------------------------------

// "1:2e-06 8:1.1e-05"
std::string to_text(const Points& points) {
  std::string text;
  for (const auto& [at, time] : points) text += fmt::format("{}{}:{:.4g}", text.empty() ? "" : " ", at, time);
  return text;
}

std::string one_line(std::string text) {
  std::ranges::replace_if(
      text, [](char c) { return c == '\n' || c == '\r'; }, ' ');
  return text;
}

std::string to_text(const RankLinks& links) {
  std::string text;
  if (links.are_known())
    text =
        "\n; A message between two ranks, payload bytes:seconds: one way from mailbox to mailbox (median and "
        "quartiles),\n"
        "; and between messages that follow each other as fast as they leave. Pairs of ranks one at a time.\n";
  for (const LinkSection& section : kLinks) {
    const auto& link = links.*section.value;
    if (!link) continue;
    text += fmt::format("[{}]\nmpi = {}\npairs = {}\n", section.name, one_line(links.library), link->pairs);
    for (const LinkRow& row : kLinkPoints) text += fmt::format("{} = {}\n", row.name, to_text((*link).*row.value));
    text += "\n";
  }
  if (!text.empty()) text.pop_back();
  return text;
}

// ---- reading ---------------------------------------------------------------------------------------

[[noreturn]] void refuse(const std::string& path, const std::string& why) {
  throw InputError("--machine {}: {}; make one with `quantimed calibrate`", path, why);
}

struct Section {
  const std::string& path;
  const std::string& name;
  const ptree& values;

  std::string text(const char* key) const {
    const auto found = values.find(key);
    if (found == values.not_found()) refuse(path, fmt::format("[{}] has no {}", name, key));
    return found->second.data();
  }
  std::string text_if_there(const char* key) const {
    const auto found = values.find(key);
    return found == values.not_found() ? "" : found->second.data();
  }
  template <class T>
  T number(const char* key, const std::string& from, T least, T most) const {
    T value{};
    const auto [stop, failure] = std::from_chars(from.data(), from.data() + from.size(), value);
    if (failure != std::errc{} || stop != from.data() + from.size() || !(value >= least && value <= most))
      refuse(path, fmt::format("[{}] {} = {} is not a number from {} to {}", name, key, from, least, most));
    return value;
  }
  template <class T>
  T number(const char* key, T least, T most) const {
    return number(key, text(key), least, most);
  }
  Points points(const char* key) const {
    Points points;
    std::istringstream words(text(key));
    for (std::string word; words >> word;) {
      const std::size_t colon = std::min(word.find(':'), word.size() - 1);
      const auto at = number<std::uint64_t>(key, word.substr(0, colon), 1, kMostCount);
      const auto time = number<double>(key, word.substr(colon + 1), 1e-12, 1e6);
      if (!points.empty() && at <= points.back().first) refuse(path, fmt::format("[{}] {} does not ascend", name, key));
      points.emplace_back(at, time);
    }
    if (points.empty()) refuse(path, fmt::format("[{}] {} is empty", name, key));
    return points;
  }
};

// Whether the section is one of a link.
bool read_link(const Section& section, RankLinks& links) {
  const auto* kind = std::ranges::find(kLinks, section.name, [](const LinkSection& s) { return std::string(s.name); });
  if (kind == std::end(kLinks)) return false;
  LinkCosts link;
  links.library = section.text("mpi");
  link.pairs = section.number<std::uint32_t>("pairs", 1, kMostCount);
  const auto bytes_of = [](const Points& points) {
    std::vector<std::size_t> bytes;
    for (const auto& [at, time] : points) bytes.push_back(at);
    return bytes;
  };
  for (const LinkRow& row : kLinkPoints) {
    link.*row.value = section.points(row.name);
    if (bytes_of(link.*row.value) != bytes_of(link.one_way))
      refuse(section.path, fmt::format("[{}] {} is of other sizes than one_way_s", section.name, row.name));
  }
  links.*kind->value = std::move(link);
  return true;
}

ptree parse(const std::string& path) {
  std::istringstream file(read_text_file("--machine " + path, path, "one made by `quantimed calibrate`", kMostBytes));
  ptree tree;
  try {
    boost::property_tree::ini_parser::read_ini(file, tree);
  } catch (const boost::property_tree::ini_parser_error& failure) {
    refuse(path, fmt::format("line {}: {}", failure.line(), failure.message()));
  }
  return tree;
}

}  // namespace

const MachineCosts& MachineFile::costs(std::string_view code) const {
  const auto found = codes.find(std::string(code));
  if (found != codes.end()) return found->second;
  std::vector<std::string> known;
  for (const auto& [name, costs] : codes) known.push_back(name);
  throw InputError("--machine: code {} was not measured, but {}; calibrate with --codec {}", code,
                   fmt::join(known, ", "), code);
}

void write_machine_file(const std::string& path, const MachineFile& machine) {
  std::string text = fmt::format(
      "; What the steps of a node cost on this machine: medians, in seconds, with every core at work.\n"
      "; gradient_s is samples:seconds, mix_s is neighbours:seconds. Made by `quantimed calibrate`.\n"
      "[machine]\nversion = {}\nsoftware = {}\ncreated = {}\ncpu = {}\ncores = {}\ndataset = {}\ndata = {}\n"
      "model = {}\naugment = {}\nprecision = {}\nbatch = {}\nplacement = {}\ndimension = {}\nflops_per_sample = "
      "{}\ninvalid = {}\n",
      machine.links.are_known() ? kVersion : kVersionWithoutLinks, machine.software, machine.created,
      one_line(machine.cpu), machine.cores, one_line(machine.dataset), machine.data, one_line(machine.model),
      one_line(machine.augment), machine.precision, machine.batch, machine.placement, machine.dimension,
      machine.flops_per_sample, one_line(machine.invalid));
  for (const auto& [name, costs] : machine.codes) {
    text += fmt::format("\n[{}]\n", name);
    for (const PointsRow& row : kPoints) text += fmt::format("{} = {}\n", row.name, to_text(costs.*row.value));
    for (const TimeRow& row : kTimes) text += fmt::format("{} = {:.4g}\n", row.name, costs.*row.value);
  }
  text += to_text(machine.links);
  const std::filesystem::path partial = make_temporary_beside(path);
  errno = 0;
  std::ofstream file(partial);
  file << text;
  file.close();
  std::error_code error, ignored;
  if (file) std::filesystem::rename(partial, path, error);
  const int code = file ? error.value() : errno;
  const bool failed = !file || error;
  if (failed && !partial.empty()) std::filesystem::remove(partial, ignored);
  if (!failed) return;
  if (is_shortage(code)) throw MachineRefused("--output {}: cannot be written: {}", path, path_failure(code));
  throw InputError("--output {}: cannot be written: {}", path, path_failure(code));
}

MachineFile read_machine_file(const std::string& path) {
  MachineFile machine;
  const ptree tree = parse(path);
  const auto about = tree.find("machine");
  if (about == tree.not_found()) refuse(path, "has no [machine] section");
  const Section head{path, about->first, about->second};
  if (const int version = head.number<int>("version", 1, 1000); version > kVersion)
    refuse(path, fmt::format("is of version {}, and this program knows up to {}", version, kVersion));
  machine.cpu = head.text("cpu");
  machine.created = head.text("created");
  machine.software = head.text("software");
  machine.dataset = head.text("dataset");
  machine.model = head.text("model");
  machine.invalid = head.text("invalid");
  machine.placement = head.text_if_there("placement");
  machine.data = head.text_if_there("data");
  if (const std::string augment = head.text_if_there("augment"); !augment.empty()) machine.augment = augment;
  if (const std::string precision = head.text_if_there("precision"); !precision.empty()) machine.precision = precision;
  if (!head.text_if_there("batch").empty()) machine.batch = head.number<std::uint32_t>("batch", 0, kMostCount);
  machine.cores = head.number<std::uint32_t>("cores", 1, 1'000'000);
  machine.dimension = head.number<std::uint64_t>("dimension", 1, kMostCount);
  machine.flops_per_sample = head.number<double>("flops_per_sample", 0, 1e18);
  for (const auto& [name, values] : tree) {
    if (name == "machine") continue;
    const Section section{path, name, values};
    if (read_link(section, machine.links)) continue;
    MachineCosts costs;
    for (const PointsRow& row : kPoints) costs.*row.value = section.points(row.name);
    for (const TimeRow& row : kTimes) costs.*row.value = section.number<double>(row.name, 0, 1e6);
    machine.codes.emplace(name, std::move(costs));
  }
  if (machine.codes.empty()) refuse(path, "has no section about a code");
  return machine;
}

}  // namespace quantimed
