// SPDX-License-Identifier: BSD-3-Clause
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <type_traits>

#include "base/random.hpp"
#include "config/option_table.hpp"
#include "config/parse.hpp"

namespace quantimed {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::StartsWith;

// Random values of every option, drawn from all that it accepts.
class RandomConfig {
 public:
  explicit RandomConfig(std::uint32_t number) : stream_({.seed = 42, .node = number}) {}

  Config draw() {
    Config config;
    for (const OptionRow& row : option_table()) std::visit([&](auto member) { fill(row, config, member); }, row.field);
    config.dry_run = config.replay = config.jitter = config.dependencies = config.json = config.overwrite =
        config.contents = false;  // not written
    config.resume.clear();
    return config;
  }

 private:
  void fill(const OptionRow&, Config&, std::monostate) {}
  void fill(const OptionRow& row, Config& config, Parameter parameter) {
    const ParameterRow& own = row_of(parameter);
    const auto most = static_cast<std::uint32_t>(std::min(own.most, 1000.0));
    set_option(row, config,
               stream_.index(3) == 0 ? "auto"
               : own.is_whole        ? fmt::format("{}", 1 + stream_.index(most))
                                     : "0.25");
  }
  template <class T>
  void fill(const OptionRow& row, Config& config, T Config::*member) {
    if (row.usual && stream_.index(4) == 0) {
      set_option(row, config, row.usual);
      return;
    }
    config.*member = value<T>(row);
  }
  template <class T>
  T value(const OptionRow& row) {
    if constexpr (std::is_same_v<T, bool>)
      return stream_.index(2) == 1;
    else if constexpr (std::is_same_v<T, std::string>)
      return text(row);
    else if constexpr (std::is_floating_point_v<T>)
      return any_double();
    else if constexpr (std::is_integral_v<T>)
      return whole<T>(row);
    else
      return list<typename T::value_type>(row);
  }
  // Any positive finite double, by its bits.
  double any_double() {
    for (;;) {
      const double v = std::abs(std::bit_cast<double>((std::uint64_t{stream_()} << 32) | stream_()));
      if (std::isfinite(v) && v > 0) return v;
    }
  }
  template <class T>
  T whole(const OptionRow& row) {
    const std::uint64_t word = ((std::uint64_t{stream_()} << 32) | stream_()) >> stream_.index(64);
    const double most = std::min(row.most, static_cast<double>(std::numeric_limits<T>::max()));
    if (most > 1e19) return static_cast<T>(word);
    const auto least = static_cast<std::int64_t>(row.least);
    return static_cast<T>(least + static_cast<std::int64_t>(word % (static_cast<std::uint64_t>(most) - 1)));
  }
  template <class T>
  std::vector<T> list(const OptionRow& row) {
    std::vector<T> items;
    for (std::uint32_t k = 0, size = 1 + stream_.index(5); k < size; ++k) {
      const T item = value<T>(row);
      if (std::find(items.begin(), items.end(), item) == items.end()) items.push_back(item);
    }
    return items;
  }
  std::string text(const OptionRow& row) {
    if (!row.choices.empty()) return row.choices[stream_.index(static_cast<std::uint32_t>(row.choices.size()))];
    const std::string name = row.name;
    if (name == "deadline") return fmt::format("{}", std::pow(10, stream_.uniform(-11.9, 11.9)));
    if (name == "alpha" || name == "epsilon") return stream_.index(2) ? "0.2" : "dsgd=0.2, q-dsgd=0.3*T^(-1/6),15/T";
    if (name == "gradient") return stream_.index(2) ? "deadline" : "dsgd=deadline, batch";
    if (name == "search") return stream_.index(2) ? "momentum=0.5:0.99" : "local-steps=2:32,momentum=0:0.9";
    if (name == "augment") return stream_.index(2) ? "flip" : "crop:4,flip";
    if (name == "graphs") return stream_.index(2) ? "ring" : "erdos-renyi:0.5";
    if (name == "fault") return stream_.index(2) ? "crash:3@10" : "stall:1@0.5,2;crash:2@1";
    if (row.check) return get_option(row, Config{});  // their words are other modules'
    // Anything but control characters, and not this option's own word.
    static constexpr char kAwkward[] = "ab# \"\\=[];,:'%\xc3\xa9";
    std::string any = "x";
    for (std::uint32_t k = 0, size = stream_.index(12); k < size; ++k)
      any += kAwkward[stream_.index(sizeof kAwkward - 1)];
    if (stream_.index(2)) any.erase(0, any.size() > 1);
    return any;
  }

  Stream stream_;
};

// --config's reading, without the contradictions that random options are full of.
Config read_back(const std::string& ini) {
  const TemporaryFile file(ini);
  return parse({"export", "--config", file.path()}).config;
}

TEST(Ini, RoundTripsEveryConfig) {
  for (std::uint32_t number = 0; number < 1000; ++number) {
    const Config config = RandomConfig(number).draw();
    const std::string ini = to_ini(config);
    const Config again = read_back(ini);
    ASSERT_EQ(again, config) << ini << "\nread back as\n" << to_ini(again);
    ASSERT_EQ(to_ini(again), ini);
  }
}

TEST(Ini, DefaultsRoundTripThroughRunAndCompare) {
  const TemporaryFile file(to_ini(Config{}));
  EXPECT_EQ(parse({"run", "--config", file.path()}).config, Config{});
  std::string several = to_ini(Config{});
  several.erase(several.find("algorithm = "), std::string("algorithm = quantimed-dsgd\n").size());
  const TemporaryFile for_all(several);
  EXPECT_EQ(parse({"compare", "--config", for_all.path()}).config, Config{});
}

TEST(Ini, PairsAreTheIni) {
  const auto pairs = to_pairs(Config{});
  std::size_t in_ini = 0;
  for (const OptionRow& row : option_table()) in_ini += row.in_ini;
  EXPECT_EQ(pairs.size(), in_ini);
  for (const auto& [name, value] : pairs)
    EXPECT_THAT(to_ini(Config{}), HasSubstr(fmt::format("\n{} = {}\n", name, value)));
}

TEST(Ini, ADryRunsOutputRuns) {
  Config config;
  config.dry_run = true;
  EXPECT_FALSE(read_back(to_ini(config)).dry_run);
}

TEST(Ini, CommentsSpacesAndQuotes) {
  const Config config = read_back(
      "# a comment\r\n"
      "\r\n"
      "  nodes=7   # more than 5\r\n"
      "output = a#b # not part of it\n"
      "dataset = \" # kept \\\" \\\\ \" # gone\n"
      "alpha = dsgd=0.2,q-dsgd=0.3\n"
      "algorithms = dsgd, q-dsgd\n"
      "grey = true");
  EXPECT_EQ(config.nodes, 7u);
  EXPECT_EQ(config.output, "a#b");
  EXPECT_EQ(config.dataset, " # kept \" \\ ");
  EXPECT_EQ(config.alpha, "dsgd=0.2,q-dsgd=0.3");
  EXPECT_EQ(config.algorithms, (std::vector<std::string>{"dsgd", "q-dsgd"}));
  EXPECT_TRUE(config.grey);
}

TEST(Ini, AByteOrderMarkIsReadOver) {
  const TemporaryFile file("\xef\xbb\xbfnodes = 7\r\nbatch = 3\r\n");
  EXPECT_EQ(parse({"run", "--config", file.path()}).config.nodes, 7u);
}

TEST(Ini, CommandLineWinsAndLaterFilesWin) {
  const TemporaryFile first("nodes = 1\nbatch = 1\nseed = 1\n"), second("batch = 2\nseed = 2\n");
  const Config config = parse({"run", "--seed", "3", "--config", first.path(), "--config", second.path()}).config;
  EXPECT_EQ(config.nodes, 1u);
  EXPECT_EQ(config.batch, 2u);
  EXPECT_EQ(config.seed, 3u);
}

TEST(Ini, ErrorsNameFileLineOptionAndFix) {
  const auto error = [](const std::string& text) {
    const TemporaryFile file(text);
    const std::string what = error_of({"run", "--config", file.path()});
    return what.starts_with(file.path()) ? what.substr(file.path().size()) : "elsewhere: " + what;
  };
  EXPECT_EQ(error("\nnodes = abc\n"), ":2: --nodes abc: not a whole number; give 1 to 1000000, or auto");
  EXPECT_EQ(error("node = 3\n"), ":1: --node: not an option; did you mean --nodes?");
  EXPECT_EQ(error("batch = 3\nbatch = 3\n"), ":2: --batch: is set twice in this file; keep one");
  EXPECT_EQ(error("nodes 3\n"), ":1: nodes 3: not a line \"name = value\"; write nodes 3 = ...");
  for (const char* line : {"[run]", "[grid]", "include = common.ini", "figure = loss"})
    EXPECT_THAT(error(std::string(line) + "\n"),
                AllOf(StartsWith(fmt::format(":1: {}: ", line)), HasSubstr("bench/study")));
  EXPECT_THAT(error("nodes # = 3\n"), StartsWith(":1: nodes: not a line"));
  EXPECT_THAT(error("nodes =\n"), StartsWith(":1: --nodes : not a whole number"));
  EXPECT_THAT(error("output = \"x\n"), HasSubstr("closing quote is missing"));
  EXPECT_THAT(error("output = \"x\" y\n"), HasSubstr("after the closing quote"));
  EXPECT_THAT(error("config = x.ini\n"), HasSubstr("belongs on the command line"));
  EXPECT_THAT(error("graph = nonsense\n"), StartsWith(":1: --graph nonsense"));
  EXPECT_THAT(error("output = a\001b\n"), HasSubstr("control character"));
  EXPECT_THAT(error(std::string("nodes = 2\noutput = a\0b\n", 23)), HasSubstr("line 2 has a zero byte"));
  EXPECT_THAT(error(std::string("\xff\xfen\0o\0", 6)), HasSubstr("UTF-16"));
}

TEST(Ini, UnreadableFiles) {
  EXPECT_THAT(error_of({"run", "--config", "/nonexistent.ini"}),
              StartsWith("--config /nonexistent.ini: cannot be opened"));
  EXPECT_THAT(error_of({"run", "--config", "/"}), StartsWith("--config /: is a folder"));
  EXPECT_THAT(error_of({"run", "--config", "/dev/zero"}), HasSubstr("longer than 1 MiB"));
}

}  // namespace
}  // namespace quantimed
