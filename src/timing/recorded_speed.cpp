// SPDX-License-Identifier: BSD-3-Clause
#include "timing/recorded_speed.hpp"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <cmath>
#include <numeric>
#include <string_view>
#include <vector>

#include "base/error.hpp"
#include "base/text_file.hpp"

namespace quantimed {

namespace {

constexpr std::uintmax_t kMaxFileBytes = std::uintmax_t{64} << 20;
constexpr std::string_view kBlank = " \t\r";  // \r: files from Windows

class RecordedSpeed final : public SpeedModel {
 public:
  RecordedSpeed(std::vector<double> speeds, std::size_t columns)
      : speeds_(std::move(speeds)),
        columns_(columns),
        mean_(std::accumulate(speeds_.begin(), speeds_.end(), 0.0) / static_cast<double>(speeds_.size())) {}
  double speed(NodeId node, Round round) const override {
    check(node < columns_, "recorded speeds: a column a node");
    return speeds_[round % (speeds_.size() / columns_) * columns_ + node];
  }
  double mean() const override { return mean_; }
  double fastest() const override { return *std::ranges::max_element(speeds_); }

 private:
  std::vector<double> speeds_;  // [iterations, nodes]
  std::size_t columns_;
  double mean_;
};

void skip_blanks(std::string_view& line) { line.remove_prefix(std::min(line.find_first_not_of(kBlank), line.size())); }

bool is_number(std::string_view word, double& value) {
  const auto [end, failure] = std::from_chars(word.data(), word.data() + word.size(), value);
  return !word.empty() && failure != std::errc::invalid_argument && end == word.data() + word.size();
}

double parse_speed(std::string_view word) {
  double value = 0;
  const bool is_one = is_number(word, value) && std::isfinite(value) && value > 0;
  if (is_one && value >= kLeastNumber && value <= kMostNumber) return value;
  if (is_one)
    throw InputError("{} is out of range; give {} to {} samples per second", excerpt(word), kLeastNumber, kMostNumber);
  const char* fix = "write samples per second, above 0";
  if (word.find(';') != word.npos) fix = "put commas or blanks between speeds, and points in them";
  if (word.find('"') != word.npos) fix = "write speeds without quotes";
  throw InputError("\"{}\" is not a speed; {}", excerpt(word), fix);
}

// The next word of a line, up to a blank or, unless `keep_commas`, to a comma.
std::string_view take_word(std::string_view& line, bool keep_commas) {
  const std::string_view word = line.substr(0, line.find_first_of(keep_commas ? " \t\r" : " \t\r,"));
  line.remove_prefix(word.size());
  skip_blanks(line);
  return word;
}

// Blanks between numbers and commas inside of them: decimal commas, most likely, which must not be taken for columns.
void refuse_decimal_commas(std::string_view line) {
  skip_blanks(line);
  std::string_view mixed;
  std::size_t words = 0;
  while (!line.empty()) {
    const std::string_view word = take_word(line, true);
    const std::size_t comma = word.find(',');
    if (comma != word.npos && comma > 0 && comma + 1 < word.size() && mixed.empty()) mixed = word;
    ++words;
  }
  if (words > 1 && !mixed.empty())
    throw InputError(
        "\"{}\" has a comma inside, and there are blanks beside it; write decimal points, and either blanks or "
        "commas between speeds",
        excerpt(mixed));
}

// A line of names, above the speeds.
bool is_header(std::string_view line) {
  constexpr std::string_view kPlain = " \t\r,\"'_-.:#/()";
  double ignored = 0;
  bool has_letters = false;
  for (const unsigned char c : line) {
    if (!std::isalnum(c) && kPlain.find(static_cast<char>(c)) == kPlain.npos) return false;
    has_letters = has_letters || std::isalpha(c);
  }
  skip_blanks(line);
  while (!line.empty()) {
    if (is_number(take_word(line, false), ignored)) return false;
    if (line.starts_with(',')) line.remove_prefix(1);
    skip_blanks(line);
  }
  return has_letters;
}

// What the first name of a header says that its column holds, where that is no node; or "".
std::string index_name(std::string_view header) {
  std::string name;
  for (const char c : header.substr(0, header.find_first_of(",\t ")))
    if (std::isalnum(static_cast<unsigned char>(c)))
      name += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  for (const char* known :
       {"iteration", "iterations", "iter", "round", "step", "epoch", "time", "t", "index", "id", "row"})
    if (name == known) return name;
  return "";
}

// Appends the numbers of one line. Its errors leave out where they are.
void parse_line(std::string_view line, std::vector<double>& speeds) {
  refuse_decimal_commas(line);
  skip_blanks(line);
  while (!line.empty()) {
    speeds.push_back(parse_speed(take_word(line, false)));
    if (!line.starts_with(',')) continue;
    line.remove_prefix(1);
    skip_blanks(line);
    if (line.empty()) throw InputError("ends with a comma; write a speed after it, or leave it out");
  }
}

// The columns are the nodes: neither fewer, which would be shared, nor more, of which some would be left out.
void require_columns(const std::string& option, std::size_t columns, std::uint32_t nodes,
                     const std::vector<double>& speeds) {
  if (nodes == 0 || columns == nodes) return;
  const std::size_t lines = speeds.size() / columns;
  const auto counts_up = [&] {
    for (std::size_t line = 1; line < lines; ++line)
      if (speeds[line * columns] != speeds[(line - 1) * columns] + 1) return false;
    return columns == std::size_t{nodes} + 1;
  };
  std::string fix = fmt::format("give a line an iteration and a column a node, or --nodes {}", columns);
  if (counts_up()) fix = "leave the first column out, which counts the lines";
  if (columns == std::size_t{2} * nodes) fix = "if its commas are decimal commas, write points; " + fix;
  if (lines == nodes) fix = "its lines are as many as nodes: exchange lines and columns";
  throw InputError("{}: has {} columns for {} nodes; {}", option, columns, nodes, fix);
}

std::unique_ptr<SpeedModel> read_text(const std::string& option, const std::string& path, std::uint32_t nodes) {
  const std::string text = read_text_file(option, path, "a text file of speeds, or a trace (.h5)", kMaxFileBytes);
  std::vector<double> speeds;
  // Taken once: a vector that grows is there up to three times.
  speeds.reserve(1 + static_cast<std::size_t>(std::ranges::count_if(
                         text, [](char c) { return c == ',' || c == '\n' || kBlank.find(c) != kBlank.npos; })));
  std::size_t columns = 0, number = 0;
  bool may_be_header = true;
  for (std::string_view rest = text; !rest.empty();) {
    std::string_view line = take_line(rest);
    line = line.substr(0, line.find('#'));
    ++number;
    const std::size_t before = speeds.size();
    try {
      if (may_be_header && is_header(line)) {
        may_be_header = false;
        if (const std::string name = index_name(line); !name.empty())
          throw InputError("its first column is named \"{}\"; leave it out, every column is a node", name);
        continue;
      }
      parse_line(line, speeds);
      const std::size_t here = speeds.size() - before;
      if (columns == 0) columns = here;
      if (here != 0 && here != columns)
        throw InputError("has {} speeds where the lines before have {}; give each line one a node", here, columns);
    } catch (const InputError& error) {
      throw InputError("{}: line {}: {}", option, number, error.what());
    }
    may_be_header = may_be_header && columns == 0;
  }
  if (speeds.empty()) throw InputError("{}: holds no speeds; write a line an iteration, a column a node", option);
  require_columns(option, columns, nodes, speeds);
  return std::make_unique<RecordedSpeed>(std::move(speeds), columns);
}

}  // namespace

std::unique_ptr<SpeedModel> speed_of_run(const std::string& option, const Rounds& rounds) {
  const std::size_t n = rounds.nodes;
  std::vector<double> speeds(rounds.iterations * n), known;
  for (std::size_t i = 0; i < n; ++i) {
    known.clear();
    for (std::size_t at = i; at < speeds.size(); at += n) {
      const double speed = double{rounds.batch[at]} / double{rounds.compute_time[at]};
      speeds[at] = std::isfinite(speed) && speed > 0 ? speed : 0;
      if (speeds[at] > 0) known.push_back(speeds[at]);
    }
    if (known.empty()) throw InputError("{}: node {} computed nothing in that run; give another trace", option, i);
    std::nth_element(known.begin(), known.begin() + std::ssize(known) / 2, known.end());
    double before = known[known.size() / 2];
    for (std::size_t at = i; at < speeds.size(); at += n) speeds[at] = before = speeds[at] > 0 ? speeds[at] : before;
  }
  if (speeds.empty()) throw InputError("{}: that run has no iterations; give another trace", option);
  return std::make_unique<RecordedSpeed>(std::move(speeds), n);
}

std::unique_ptr<SpeedModel> read_recorded_speed(const std::string& option, const std::string& path,
                                                std::uint32_t nodes) {
  if (!path.ends_with(".h5")) return read_text(option, path, nodes);
  Rounds rounds;
  try {
    Trace trace = read_trace(path);
    if (!trace.is_sealed)
      throw InputError("{} has lost its seal: it was changed since it was written; give a trace as it was", path);
    rounds = std::move(trace.rounds);
  } catch (const InputError& error) {
    throw InputError("{}: {}", option, error.what());
  }
  if (nodes != 0 && rounds.nodes != nodes)
    throw InputError("{}: that run has {} nodes, and this one {}; give --nodes {}, or another trace", option,
                     rounds.nodes, nodes, rounds.nodes);
  return speed_of_run(option, rounds);
}

}  // namespace quantimed
