// SPDX-License-Identifier: BSD-3-Clause
// LIBSVM text (C.-C. Chang and C.-J. Lin, "LIBSVM: a library for support vector machines"), dense in memory.
// A line is a sample: LABEL INDEX:VALUE INDEX:VALUE …, indices ascending, absent features 0, '#' opens a comment.
// Indices start at 1, or at 0 where training has an index 0.
#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdlib>

#include "base/text_file.hpp"
#include "dataset/byte_source.hpp"
#include "dataset/formats.hpp"

namespace quantimed {

namespace fs = std::filesystem;

namespace {

struct Entry {
  std::uint32_t index;
  float value;
};

struct SparseRows {
  fs::path path;
  std::vector<float> labels;           // [samples]
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
    rows_.labels.push_back(parse_label(label));
    std::int64_t previous = -1;
    for (std::string_view token = next_token(); !token.empty(); token = next_token()) {
      if (token.starts_with("qid:"))
        reject_data(
            rows_.path,
            fmt::format("line {}: \"{}\" belongs to ranking data, which is not read", number_, printable(token)),
            "take the query ids out: sed 's/ qid:[0-9]*//' FILE > NEW");
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

  float number(std::string_view text, const char* what) const {
    std::string_view digits = text;
    if (digits.starts_with('+')) digits.remove_prefix(1);
    double value = 0;
    const auto [end, failure] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
    if (failure == std::errc::invalid_argument || end != digits.data() + digits.size() || digits.starts_with("+-"))
      reject(fmt::format("{} \"{}\" is not a number{}", what, printable(text),
                         text.find(',') == text.npos ? "" : ", which has a decimal point and no comma"));
    // Too large, or nearly 0: from_chars does not say which.
    if (failure == std::errc::result_out_of_range) value = std::strtod(std::string(digits).c_str(), nullptr);
    if (!std::isfinite(static_cast<float>(value)))
      reject(fmt::format("{} {} is not finite as a 32-bit number", what, printable(text)));
    return static_cast<float>(value);
  }

  float parse_label(std::string_view text) const {
    if (text.find(':') != text.npos) reject(fmt::format("it has no label: \"{}\" comes first", printable(text)));
    return number(text, "label");
  }

  Entry parse_entry(std::string_view token) const {
    Entry entry{};
    const auto [end, failure] = std::from_chars(token.data(), token.data() + token.size(), entry.index);
    if (failure != std::errc{} || end == token.data() + token.size() || *end != ':')
      reject(fmt::format("\"{}\" is not INDEX:VALUE", printable(token)));
    entry.value = number(token.substr(static_cast<std::size_t>(end + 1 - token.data())), "value");
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
  budget.take(rows.path, lines * (2 * sizeof(float) + sizeof(std::size_t)) + colons * sizeof(Entry));
  rows.labels.reserve(lines);
  rows.row_start.reserve(lines + 1);
  rows.entries.reserve(colons);
}

SparseRows parse_file(const fs::path& path, MemoryBudget& budget) {
  ByteSource source(path);
  // A string that grows is there twice for a moment.
  std::string text = source.read_text(budget.left() / 2);
  budget.take(path, 2 * text.size());
  refuse_foreign(path, std::string_view(text).substr(0, kHeadBytes));
  if (const std::string wrong = make_plain(text); !wrong.empty()) reject_data(path, wrong);
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

// What training says of features.
struct Columns {
  std::uint32_t first = 1;  // index
  std::uint64_t features = 0;
  bool are_all_given = false;  // by every row

  explicit Columns(const SparseRows& rows) {
    std::uint64_t largest = 0;
    for (const Entry& entry : rows.entries) {
      first = std::min(first, entry.index);
      largest = std::max<std::uint64_t>(largest, entry.index);
    }
    features = largest + 1 - first;
    are_all_given = rows.entries.size() == rows.labels.size() * features;
  }
};

// Entries of other columns are left out.
Dataset densify(const SparseRows& rows, const Columns& columns, MemoryBudget& budget) {
  const std::uint64_t features = columns.features;
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
      if (const std::uint64_t column = std::uint64_t{rows.entries[k].index} - columns.first; column < features)
        data.values[i * features + column] = rows.entries[k].value;
  data.targets = rows.labels;
  return data;
}

// A test set may lack features, or have some that training never saw and no model can use; a test set of other data, or
// that counts from elsewhere, must not be taken for one.
std::string check_test(const SparseRows& test, const Columns& training) {
  const Columns its_own(test);
  const fs::path& path = test.path;
  if (its_own.first < training.first)
    reject_data(path, "it has an index 0, and training's indices begin at 1",
                "begin both at 1, or give training a line with an index 0");
  if (training.are_all_given && its_own.are_all_given && its_own.features > training.features &&
      training.features > 1 && test.labels.size() > 1)
    reject_data(
        path,
        fmt::format("every line has {} features, where those of training have {}", its_own.features, training.features),
        "use files of the same set");
  const auto unknown = std::ranges::count_if(
      test.entries, [&](const Entry& entry) { return entry.index >= training.first + training.features; });
  if (2 * static_cast<std::size_t>(unknown) > test.entries.size())
    reject_data(path,
                fmt::format("{} of its {} values are of features that training has not (beyond index {})", unknown,
                            test.entries.size(), training.first + training.features - 1),
                "use files of the same set");
  if (training.are_all_given && its_own.are_all_given && its_own.features < training.features && test.labels.size() > 1)
    return fmt::format("every line of {} has {} features, where those of training have {}: the others are taken as 0",
                       path.string(), its_own.features, training.features);
  if (unknown == 0) return "";
  return fmt::format("{} of {} values in {} are of features that training has not (beyond index {}): left out", unknown,
                     test.entries.size(), path.string(), training.first + training.features - 1);
}

}  // namespace

Reading read_libsvm(const fs::path& path) {
  DataSplit split;
  DataSource& source = split.source;
  source.format = "LIBSVM text";
  source.files = {path};
  const std::vector<std::string> names = test_names(path.filename().string());
  const fs::path test_path = find_companion(path.parent_path(), names, false);
  MemoryBudget budget(regular_file_size(path) + (test_path.empty() ? 0 : regular_file_size(test_path)));

  const SparseRows rows = parse_file(path, budget);
  const Columns columns(rows);
  split.train = densify(rows, columns, budget);
  if (test_path.empty()) {
    source.looked_for = names;
    return {std::move(split)};
  }
  source.test = test_path;
  source.files.push_back(test_path);
  const SparseRows test = parse_file(test_path, budget);
  if (std::string notice = check_test(test, columns); !notice.empty()) source.notices.push_back(std::move(notice));
  split.test = densify(test, columns, budget);
  return {std::move(split)};
}

}  // namespace quantimed
