// SPDX-License-Identifier: BSD-3-Clause
// Any command line gives a request, or one line that names the option or the word at fault.
#include "config/parse.hpp"

#include "base/random.hpp"
#include "config/option_table.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>

namespace quantimed {
namespace {

class Generator {
 public:
  explicit Generator(std::uint32_t seed) : random_({.seed = seed}) {}

  std::vector<std::string> line() {
    std::vector<std::string> words = {command()};
    for (std::uint32_t count = below(6); count > 0; --count) {
      const OptionRow& row = option_table()[below(option_table().size())];
      const std::string name = below(20) == 0 ? mutated(row.name) : row.name;
      switch (below(8)) {
        case 0:  // without a value
          words.push_back("--" + name);
          break;
        case 1:
        case 2:
          words.push_back("--" + name + "=" + value(row));
          break;
        case 3:  // a word alone
          words.push_back(value(row));
          break;
        default:
          words.push_back("--" + name);
          if (!is_switch(row)) words.push_back(value(row));
      }
    }
    return words;
  }

 private:
  std::uint32_t below(std::size_t n) { return random_.index(static_cast<std::uint32_t>(n)); }

  std::string command() {
    static constexpr std::array kNames = {"run",    "compare", "scale",  "tune", "predict", "calibrate",
                                          "verify", "info",    "export", "help", "version", "rum"};
    return kNames[below(kNames.size())];
  }

  // What the table itself offers, what it writes, numbers good and bad, and nonsense.
  std::string value(const OptionRow& row) {
    static constexpr std::array kValues = {"0",    "1",   "7",     "-1",   "1e300", "nan",      "inf",  "auto", "all",
                                           "none", "",    " ",     "1,2",  "3-1",   "1-3",      "true", "x",    "ring",
                                           "1e-9", "0.5", "a=0.2", "T^-1", "\n",    "file:/no", "--",   "-h",   "é"};
    switch (below(6)) {
      case 0:
        return get_option(row, Config{});
      case 1:
        return row.choices.empty() ? row.value : row.choices[below(row.choices.size())];
      case 2:
        if (row.listing) {
          const Listing listing = row.listing();
          return listing[below(listing.size())].first;
        }
        return mutated(get_option(row, Config{}));
      case 3:
        return mutated(get_option(row, Config{}));
      default:
        return kValues[below(kValues.size())];
    }
  }

  std::string mutated(std::string text) {
    if (text.empty()) return "?";
    const std::uint32_t at = below(text.size());
    if (below(2) == 0) return text.erase(at, 1);
    text[at] = static_cast<char>(' ' + below(95));
    return text;
  }

  Stream random_;
};

std::string shown(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) text += "'" + word + "' ";
  return text;
}

// Names what is wrong: an option, the command, or the word, in which control characters are shown as '?'.
bool names_a_word(const std::string& error, std::vector<std::string> words) {
  for (std::string& word : words) std::ranges::replace(word, '\n', '?');
  if (error.starts_with("--") || error.starts_with(words[0])) return true;
  return std::ranges::any_of(words, [&](const std::string& word) { return error.starts_with(word + ":"); });
}

TEST(GeneratedCommandLine, IsARequestOrOneLineThatNamesTheOption) {
  int accepted = 0, refused = 0;
  for (std::uint32_t seed = 1; seed <= 20'000; ++seed) {
    const std::vector<std::string> words = Generator(seed).line();
    SCOPED_TRACE(shown(words));
    std::string error;
    try {
      const Request request = parse(words);
      ++accepted;
      // What is accepted can be written down, and comes back the same.
      if (request.command == "run" || request.command == "compare") {
        const TemporaryFile ini(to_ini(request.config));
        EXPECT_EQ(to_ini(parse({request.command, "--config", ini.path()}).config), to_ini(request.config));
      }
      continue;
    } catch (const InputError& failure) {
      error = failure.what();
    }
    ++refused;
    ASSERT_EQ(error.find('\n'), std::string::npos) << error;
    ASSERT_TRUE(names_a_word(error, words)) << error;
  }
  EXPECT_GT(accepted, 2'000);
  EXPECT_GT(refused, 2'000);
}

TEST(GeneratedCommandLine, AnEndlessOneIsRefusedAtOnce) {
  const std::vector<std::string> words(50'000, "run");
  EXPECT_EQ(error_of(words), "a command line of 50001 words is too long; give at most 10000");
}

}  // namespace
}  // namespace quantimed
