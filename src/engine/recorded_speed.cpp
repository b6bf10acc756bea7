#include "engine/recorded_speed.hpp"

#include <algorithm>
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
    return speeds_[round % (speeds_.size() / columns_) * columns_ + node % columns_];
  }
  double mean() const override { return mean_; }

 private:
  std::vector<double> speeds_;  // [iterations, nodes]
  std::size_t columns_;
  double mean_;
};

void skip_blanks(std::string_view& line) { line.remove_prefix(std::min(line.find_first_not_of(kBlank), line.size())); }

double parse_speed(std::string_view word) {
  double value = 0;
  const auto [end, failure] = std::from_chars(word.data(), word.data() + word.size(), value);
  if (failure != std::errc{} || end != word.data() + word.size() || !std::isfinite(value) || value <= 0)
    throw InputError("\"{}\" is not a speed; write samples per second, above 0", excerpt(word));
  return value;
}

// Appends the numbers of one line. Its errors leave out where they are.
void parse_line(std::string_view line, std::vector<double>& speeds) {
  skip_blanks(line);
  while (!line.empty()) {
    const std::string_view word = line.substr(0, line.find_first_of(" \t\r,"));
    speeds.push_back(parse_speed(word));
    line.remove_prefix(word.size());
    skip_blanks(line);
    if (!line.starts_with(',')) continue;
    line.remove_prefix(1);
    skip_blanks(line);
    if (line.empty()) throw InputError("ends with a comma; write a speed after it, or leave it out");
  }
}

std::unique_ptr<SpeedModel> read_text(const std::string& option, const std::string& path) {
  const std::string text = read_text_file(option, path, "a text file of speeds, or a trace (.h5)", kMaxFileBytes);
  std::vector<double> speeds;
  // Taken once: a vector that grows is there up to three times.
  speeds.reserve(1 + static_cast<std::size_t>(std::ranges::count_if(
                         text, [](char c) { return c == ',' || c == '\n' || kBlank.find(c) != kBlank.npos; })));
  std::size_t columns = 0, number = 0;
  for (std::string_view rest = text; !rest.empty();) {
    const std::string_view line = take_line(rest);
    ++number;
    const std::size_t before = speeds.size();
    try {
      parse_line(line.substr(0, line.find('#')), speeds);
      const std::size_t here = speeds.size() - before;
      if (columns == 0) columns = here;
      if (here != 0 && here != columns)
        throw InputError("has {} speeds where the lines before have {}; give each line one a node", here, columns);
    } catch (const InputError& error) {
      throw InputError("{}: line {}: {}", option, number, error.what());
    }
  }
  if (speeds.empty()) throw InputError("{}: holds no speeds; write a line an iteration, a column a node", option);
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

std::unique_ptr<SpeedModel> read_recorded_speed(const std::string& option, const std::string& path) {
  if (!path.ends_with(".h5")) return read_text(option, path);
  Rounds rounds;
  try {
    rounds = read_trace(path).rounds;
  } catch (const InputError& error) {
    throw InputError("{}: {}", option, error.what());
  }
  return speed_of_run(option, rounds);
}

}  // namespace quantimed
