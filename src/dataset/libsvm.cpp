// SPDX-License-Identifier: BSD-3-Clause
// LIBSVM text (C.-C. Chang and C.-J. Lin, "LIBSVM: a library for support vector machines").
// A line is a sample: LABEL INDEX:VALUE INDEX:VALUE …, indices ascending, absent features 0, '#' opens a comment.
// Indices start at 1, or at 0 where training has an index 0.
// Rows that are nearly all 0, or that memory does not hold otherwise, stay sparse.
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

// As it stands in the file.
struct Text {
  fs::path path;
  std::vector<float> labels = {};  // [samples]
  SparseRows rows = {};            // columns are the file's indices, and values may be 0
  std::string rounded = {};        // Reading::rounded
};

class LineParser {
 public:
  LineParser(Text& text, std::string_view line, std::size_t number) : text_(text), line_(line), number_(number) {}

  void parse() {
    line_ = line_.substr(0, line_.find('#'));
    const std::string_view label = next_token();
    if (label.empty()) return;
    text_.labels.push_back(parse_label(label));
    std::int64_t previous = -1;
    for (std::string_view token = next_token(); !token.empty(); token = next_token()) {
      if (token.starts_with("qid:"))
        reject_data(text_.path,
                    fmt::format("line {}: \"{}\" belongs to ranking data, which is not read", number_, excerpt(token)),
                    unpack_first(text_.path) + "take the query ids out: sed 's/ qid:[0-9]*//' FILE > NEW");
      const Entry entry = parse_entry(token);
      if (entry.index <= previous) reject(fmt::format("index {} does not ascend", entry.index));
      previous = entry.index;
      text_.rows.columns.push_back(entry.index);
      text_.rows.values.push_back(entry.value);
    }
    text_.rows.starts.push_back(text_.rows.values.size());
  }

 private:
  [[noreturn]] void reject(const std::string& what) const {
    reject_data(text_.path, fmt::format("line {}: {}", number_, what),
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
    if (failure == std::errc::invalid_argument || end != digits.data() + digits.size() || digits.starts_with("+-"))
      reject(fmt::format("{} \"{}\" is not a number{}", what, excerpt(text),
                         text.find(',') == text.npos ? "" : ", which has a decimal point and no comma"));
    // Too large, or nearly 0: from_chars does not say which.
    if (failure == std::errc::result_out_of_range) value = std::strtod(std::string(digits).c_str(), nullptr);
    if (!std::isfinite(static_cast<float>(value)))
      reject(fmt::format("{} {} is not finite as a 32-bit number", what, excerpt(text)));
    return value;
  }

  float parse_label(std::string_view text) const {
    if (text.find(':') != text.npos) reject(fmt::format("it has no label: \"{}\" comes first", excerpt(text)));
    const double label = number(text, "label");
    if (text_.rounded.empty() && is_rounded(label)) text_.rounded = fmt::format("line {}: {}", number_, excerpt(text));
    return static_cast<float>(label);
  }

  Entry parse_entry(std::string_view token) const {
    Entry entry{};
    const auto [end, failure] = std::from_chars(token.data(), token.data() + token.size(), entry.index);
    if (failure != std::errc{} || end == token.data() + token.size() || *end != ':')
      reject(fmt::format("\"{}\" is not INDEX:VALUE", excerpt(token)));
    entry.value = static_cast<float>(number(token.substr(static_cast<std::size_t>(end + 1 - token.data())), "value"));
    return entry;
  }

  Text& text_;
  std::string_view line_;
  std::size_t number_;
};

// Taken whole before a line is parsed: growing vectors would take it up to three times.
void reserve(Text& parsed, const std::string& text, MemoryBudget& budget) {
  const auto count = [&](char c) { return static_cast<std::size_t>(std::count(text.begin(), text.end(), c)); };
  const std::size_t lines = count('\n') + 1, colons = count(':');
  // Labels are copied once, to be sorted.
  budget.take(parsed.path, lines * (2 * sizeof(float) + sizeof(std::uint64_t)) + colons * sizeof(Entry));
  parsed.labels.reserve(lines);
  parsed.rows.starts.reserve(lines + 1);
  parsed.rows.columns.reserve(colons);
  parsed.rows.values.reserve(colons);
}

Text parse_file(const fs::path& path, MemoryBudget& budget) {
  ByteSource source(path);
  // A string that grows is there twice for a moment.
  std::string text = source.read_text(budget.left() / 2);
  budget.take(path, 2 * text.size());
  refuse_foreign(path, std::string_view(text).substr(0, kHeadBytes));
  if (const std::string wrong = make_plain(text); !wrong.empty()) reject_data(path, wrong);
  Text parsed{.path = path};
  parsed.rows.starts.push_back(0);
  reserve(parsed, text, budget);
  std::size_t number = 0;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    LineParser(parsed, std::string_view(text).substr(at, end - at), ++number).parse();
    at = end + 1;
  }
  if (parsed.labels.empty()) reject_data(path, "holds no samples", "expected LIBSVM text, LABEL INDEX:VALUE …");
  return parsed;
}

// What training says of features.
struct Columns {
  std::uint32_t first = 1;  // index
  std::uint64_t features = 0;
  bool are_all_given = false;  // by every row

  explicit Columns(const Text& text) {
    std::uint64_t largest = 0;
    for (const std::uint32_t index : text.rows.columns) {
      first = std::min(first, index);
      largest = std::max<std::uint64_t>(largest, index);
    }
    features = largest + 1 - first;
    are_all_given = text.rows.values.size() == text.labels.size() * features;
  }
};

// Why training is to be held as sparse rows; "": it is held densely. A small set is dense in any case, since nothing is
// gained; one whose cells are mostly 0 is sparse, since a row is then both shorter and quicker than a dense one.
std::string sparse_rule(const Text& text, const Columns& columns, const MemoryBudget& budget) {
  constexpr std::uint64_t kSmall = std::uint64_t{1} << 20;  // cells: 4 MiB of float32
  constexpr std::uint64_t kShare = 20;                      // one cell in so many: 5 %
  const std::uint64_t samples = text.labels.size(), cells = samples * columns.features;
  if (cells > kSmall && text.rows.values.size() <= cells / kShare) return "at most 5 %, and over a million cells";
  if (cells + samples > budget.left() / sizeof(float)) return "too large to hold densely";
  return "";
}

// Entries of other columns are left out, and zeros.
Dataset as_sparse(Text& text, const Columns& columns) {
  SparseRows& rows = text.rows;
  std::uint64_t kept = 0;
  for (std::size_t i = 0, k = 0; i < text.labels.size(); ++i) {
    for (const std::uint64_t end = rows.starts[i + 1]; k < end; ++k) {
      const std::uint64_t column = std::uint64_t{rows.columns[k]} - columns.first;
      if (column >= columns.features || rows.values[k] == 0) continue;
      rows.columns[kept] = static_cast<std::uint32_t>(column);
      rows.values[kept++] = rows.values[k];
    }
    rows.starts[i + 1] = kept;
  }
  rows.columns.resize(kept);
  rows.values.resize(kept);
  Dataset data;
  data.sparse = std::move(rows);
  return data;
}

Dataset as_dense(const Text& text, const Columns& columns, MemoryBudget& budget) {
  const std::uint64_t features = columns.features, cells = text.labels.size() * features;
  // One line with a wild index must not take the machine's memory.
  const std::uint64_t most = budget.left() / sizeof(float);
  if (cells + text.labels.size() > most)
    reject_data(text.path,
                fmt::format("{} samples of {} features are too large to hold densely ({} cells, at most {})",
                            text.labels.size(), features, cells, most),
                "keep fewer features, or store it as HDF5");
  budget.take(text.path, (cells + text.labels.size()) * sizeof(float));
  Dataset data;
  data.values.assign(cells, 0.0f);
  for (std::size_t i = 0; i < text.labels.size(); ++i) {
    const SparseRow row = text.rows.row(i);
    for (std::size_t k = 0; k < row.values.size(); ++k)
      if (const std::uint64_t column = std::uint64_t{row.columns[k]} - columns.first; column < features)
        data.values[i * features + column] = row.values[k];
  }
  return data;
}

enum class Part { train, test };
Dataset take_rows(Text text, const Columns& columns, bool is_sparse, Part part, MemoryBudget& budget) {
  const std::uint64_t samples = text.labels.size(), features = columns.features;
  if (is_sparse && part == Part::train)
    check_sparse_dimensions(text.path, samples, features, text.rows.values.size());
  else
    check_dimensions(text.path, samples, features);
  Dataset data = is_sparse ? as_sparse(text, columns) : as_dense(text, columns, budget);
  data.samples = static_cast<std::uint32_t>(samples);
  data.features = static_cast<std::uint32_t>(features);
  data.targets = std::move(text.labels);
  return data;
}

// A test set may lack features, or have some that training never saw and no model can use; a test set of other data, or
// that counts from elsewhere, must not be taken for one.
std::string check_test(const Text& test, const Columns& training) {
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
      test.rows.columns, [&](std::uint32_t index) { return index >= training.first + training.features; });
  if (2 * static_cast<std::size_t>(unknown) > test.rows.columns.size())
    reject_data(path,
                fmt::format("{} of its {} values are of features that training has not (beyond index {})", unknown,
                            test.rows.columns.size(), training.first + training.features - 1),
                "use files of the same set");
  if (training.are_all_given && its_own.are_all_given && its_own.features < training.features && test.labels.size() > 1)
    return fmt::format("every line of {} has {} features, where those of training have {}: the others are taken as 0",
                       path.string(), its_own.features, training.features);
  if (unknown == 0) return "";
  return fmt::format("{} of {} values in {} are of features that training has not (beyond index {}): left out", unknown,
                     test.rows.columns.size(), path.string(), training.first + training.features - 1);
}

}  // namespace

Reading read_libsvm(const fs::path& path) {
  DataSplit split;
  DataSource& source = split.source;
  source.format = "LIBSVM text";
  source.files = {path};
  const std::vector<std::string> names = test_names(path.filename().string());
  const fs::path test_path = find_companion(path.parent_path(), names, false, path);
  MemoryBudget budget(regular_file_size(path) + (test_path.empty() ? 0 : regular_file_size(test_path)));

  Text training = parse_file(path, budget);
  const Columns columns(training);
  source.storage_rule = sparse_rule(training, columns, budget);
  const bool is_sparse = !source.storage_rule.empty();
  std::string rounded = training.rounded;
  split.train = take_rows(std::move(training), columns, is_sparse, Part::train, budget);
  if (test_path.empty()) {
    source.looked_for = names;
    return {.split = std::move(split), .rounded = rounded};
  }
  source.test = test_path;
  source.files.push_back(test_path);
  Text test = parse_file(test_path, budget);
  if (rounded.empty() && !test.rounded.empty()) rounded = test_path.string() + ", " + test.rounded;
  if (std::string notice = check_test(test, columns); !notice.empty()) source.notices.push_back(std::move(notice));
  split.test = take_rows(std::move(test), columns, is_sparse, Part::test, budget);
  return {.split = std::move(split), .rounded = std::move(rounded)};
}

}  // namespace quantimed
