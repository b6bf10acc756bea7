// LIBSVM text (C.-C. Chang and C.-J. Lin, "LIBSVM: a library for support vector machines"), dense in memory.
// A line is a sample: LABEL INDEX:VALUE INDEX:VALUE …, indices ascending, absent features 0, '#' opens a comment.
// Indices start at 1, or at 0 in a file (or its test file) that has an index 0.
#include <algorithm>
#include <charconv>
#include <cmath>

#include "dataset/byte_source.hpp"
#include "dataset/formats.hpp"

namespace quantimed {

namespace fs = std::filesystem;

namespace {

constexpr std::size_t kMostClasses = 1000;  // more integer labels than this are values to regress on

struct Entry {
  std::uint32_t index;
  float value;
};

struct SparseRows {
  fs::path path;
  std::vector<double> labels;          // [samples]
  std::vector<std::size_t> row_start;  // [samples + 1]
  std::vector<Entry> entries;
};

class LineParser {
 public:
  LineParser(SparseRows& rows, std::string_view line, std::size_t number) : rows_(rows), line_(line), number_(number) {}

  void parse() {
    line_ = line_.substr(0, line_.find('#'));
    const std::string_view label = next_token();
    if (label.empty()) return;
    rows_.labels.push_back(number(label, "label"));
    std::int64_t previous = -1;
    for (std::string_view token = next_token(); !token.empty(); token = next_token()) {
      const Entry entry = parse_entry(token);
      if (entry.index <= previous) reject(fmt::format("index {} does not ascend", entry.index));
      previous = entry.index;
      rows_.entries.push_back(entry);
    }
    rows_.row_start.push_back(rows_.entries.size());
  }

 private:
  [[noreturn]] void reject(const std::string& what) const {
    reject_data(rows_.path, fmt::format("line {}: {}", number_, what),
                "expected LIBSVM text, LABEL INDEX:VALUE … with ascending indices");
  }

  std::string_view next_token() {
    constexpr std::string_view kSpace = " \t\r\v\f";
    line_.remove_prefix(std::min(line_.find_first_not_of(kSpace), line_.size()));
    const std::string_view token = line_.substr(0, line_.find_first_of(kSpace));
    line_.remove_prefix(token.size());
    return token;
  }

  double number(std::string_view text, const char* what) const {
    std::string_view digits = text;
    if (digits.starts_with('+')) digits.remove_prefix(1);
    double value = 0;
    const auto [end, failure] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
    if (failure != std::errc{} || end != digits.data() + digits.size())
      reject(fmt::format("{} \"{}\" is not a number", what, printable(text)));
    if (!std::isfinite(static_cast<float>(value))) reject(fmt::format("{} {} is not finite", what, printable(text)));
    return value;
  }

  Entry parse_entry(std::string_view token) const {
    Entry entry{};
    const auto [end, failure] = std::from_chars(token.data(), token.data() + token.size(), entry.index);
    if (failure != std::errc{} || end == token.data() + token.size() || *end != ':')
      reject(fmt::format("\"{}\" is not INDEX:VALUE", printable(token)));
    entry.value = static_cast<float>(number(token.substr(static_cast<std::size_t>(end + 1 - token.data())), "value"));
    return entry;
  }

  SparseRows& rows_;
  std::string_view line_;
  std::size_t number_;
};

// Taken whole before a line is parsed: growing vectors would take it up to three times.
void reserve(SparseRows& rows, const std::string& text, MemoryBudget& budget) {
  const auto count = [&](char c) { return static_cast<std::size_t>(std::count(text.begin(), text.end(), c)); };
  const std::size_t lines = count('\n') + 1, colons = count(':');
  // Labels are copied once, to be sorted.
  budget.take(rows.path, lines * (2 * sizeof(double) + sizeof(std::size_t)) + colons * sizeof(Entry));
  rows.labels.reserve(lines);
  rows.row_start.reserve(lines + 1);
  rows.entries.reserve(colons);
}

SparseRows parse_file(const fs::path& path, MemoryBudget& budget) {
  ByteSource source(path);
  // A string that grows is there twice for a moment.
  const std::string text = source.read_text(budget.left() / 2);
  budget.take(path, 2 * text.size());
  SparseRows rows;
  rows.path = path;
  rows.row_start.push_back(0);
  reserve(rows, text, budget);
  std::size_t number = 0;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    LineParser(rows, std::string_view(text).substr(at, end - at), ++number).parse();
    at = end + 1;
  }
  if (rows.labels.empty()) reject_data(path, "holds no samples", "expected LIBSVM text, LABEL INDEX:VALUE …");
  return rows;
}

Dataset densify(const SparseRows& rows, std::uint32_t base, std::uint64_t features, MemoryBudget& budget) {
  check_dimensions(rows.path, rows.labels.size(), features);
  // One line with a wild index must not take the machine's memory.
  const std::uint64_t cells = rows.labels.size() * features, most = budget.left() / sizeof(float);
  if (cells + rows.labels.size() > most)
    reject_data(rows.path,
                fmt::format("{} samples of {} features are too large to hold densely ({} cells, at most {})",
                            rows.labels.size(), features, cells, most),
                "keep fewer features, or store it as HDF5");
  budget.take(rows.path, (cells + rows.labels.size()) * sizeof(float));
  Dataset data;
  data.samples = static_cast<std::uint32_t>(rows.labels.size());
  data.features = static_cast<std::uint32_t>(features);
  data.values.assign(cells, 0.0f);
  for (std::size_t i = 0; i < rows.labels.size(); ++i)
    for (std::size_t k = rows.row_start[i]; k < rows.row_start[i + 1]; ++k)
      data.values[i * features + (rows.entries[k].index - base)] = rows.entries[k].value;
  data.targets.assign(rows.labels.begin(), rows.labels.end());
  return data;
}

// The distinct integer labels in ascending order; empty when the targets are values.
std::vector<double> class_labels(const std::vector<SparseRows>& files) {
  std::vector<double> labels;
  for (const SparseRows& rows : files) labels.insert(labels.end(), rows.labels.begin(), rows.labels.end());
  if (!std::all_of(labels.begin(), labels.end(), [](double y) { return y == std::floor(y); })) return {};
  std::sort(labels.begin(), labels.end());
  labels.erase(std::unique(labels.begin(), labels.end()), labels.end());
  if (labels.size() > kMostClasses) labels.clear();
  return labels;
}

}  // namespace

DataSplit read_libsvm(const fs::path& path) {
  const fs::path test = path.string() + ".t";
  const bool has_test = is_file(test);
  MemoryBudget budget(regular_file_size(path) + (has_test ? regular_file_size(test) : 0));
  std::vector<SparseRows> files;
  files.push_back(parse_file(path, budget));
  if (has_test) files.push_back(parse_file(test, budget));

  std::uint32_t smallest = 1;
  std::uint64_t largest = 0;
  for (const SparseRows& rows : files)
    for (const Entry& entry : rows.entries) {
      smallest = std::min(smallest, entry.index);
      largest = std::max<std::uint64_t>(largest, entry.index);
    }
  const std::vector<double> labels = class_labels(files);
  std::vector<Dataset> parts;
  for (const SparseRows& rows : files) {
    Dataset& data = parts.emplace_back(densify(rows, smallest, largest + 1 - smallest, budget));
    data.classes = static_cast<std::uint32_t>(labels.size());
    if (!labels.empty())
      std::transform(rows.labels.begin(), rows.labels.end(), data.targets.begin(), [&](double y) {
        return static_cast<float>(std::lower_bound(labels.begin(), labels.end(), y) - labels.begin());
      });
  }
  DataSplit split{.train = std::move(parts[0]), .source = {.format = "LIBSVM text", .files = {path}, .labels = labels}};
  if (has_test) {
    split.test = std::move(parts[1]);
    split.source.files.push_back(split.source.test = test);
  } else {
    split.source.looked_for = {test.filename()};
  }
  return split;
}

}  // namespace quantimed
