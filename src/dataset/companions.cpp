// SPDX-License-Identifier: BSD-3-Clause
// Which files belong together, by their names.
#include <algorithm>
#include <array>
#include <cctype>

#include "base/path_kind.hpp"
#include "dataset/byte_source.hpp"
#include "dataset/formats.hpp"

namespace quantimed {

namespace fs = std::filesystem;

namespace {

constexpr std::size_t kMostEntries = 100'000;  // of a folder that is looked through

std::string loose(const std::string& name, bool any_separator) {
  std::string text = without_packing(name);
  std::ranges::transform(text, text.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  if (any_separator)
    std::ranges::replace_if(
        text, [](char c) { return c == '.' || c == '_'; }, '-');
  return text;
}

bool is_letter(char c) { return std::isalpha(static_cast<unsigned char>(c)) != 0; }

// Every whole word `from` in `name`, which capitals do not hide, replaced by `to` in its style; "" where there is none.
std::string with_word(const std::string& name, std::string_view from, std::string_view to) {
  const std::string low = loose(name + "/", false);  // the slash: so that no ending is taken for a packing
  for (std::size_t at = low.rfind(from); at != std::string::npos;
       at = at ? low.rfind(from, at - 1) : std::string::npos) {
    const std::size_t end = at + from.size();
    if ((at > 0 && is_letter(low[at - 1])) || is_letter(low[end])) continue;
    std::string word(to);
    const auto is_upper = [&](std::size_t k) { return std::isupper(static_cast<unsigned char>(name[k])) != 0; };
    for (std::size_t k = 0; k < word.size(); ++k)
      if (k == 0 ? is_upper(at) : is_upper(at + 1))
        word[k] = static_cast<char>(std::toupper(static_cast<unsigned char>(word[k])));
    return name.substr(0, at) + word + name.substr(end);
  }
  return "";
}

}  // namespace

std::string without_packing(std::string name) {
  for (const std::string ending : kPackedEndings) {
    if (ending.empty() || name.size() <= ending.size()) continue;
    const std::string last = name.substr(name.size() - ending.size());
    if (std::ranges::equal(last, ending, [](unsigned char a, char b) { return std::tolower(a) == b; }))
      return name.substr(0, name.size() - ending.size());
  }
  return name;
}

std::vector<std::string> test_names(const std::string& training) {
  const std::string stem = without_packing(training);
  std::vector<std::string> names = {stem + ".t"};
  if (stem != training) names.push_back(training + ".t");
  if (const std::string tail = with_word(stem, "tr", "t"); tail.ends_with(".t") || tail.ends_with(".T"))
    names.insert(names.end(), {tail, with_word(stem, "tr", "te")});
  for (const auto& [from, to] : {std::pair{"train", "test"}, {"training", "testing"}, {"training", "test"}})
    if (const std::string name = with_word(stem, from, to); !name.empty()) names.push_back(name);
  return names;
}

fs::path find_companion(const fs::path& folder, const std::vector<std::string>& names, bool any_separator,
                        const fs::path& like) {
  std::vector<std::string> endings(std::begin(kPackedEndings), std::end(kPackedEndings));
  const std::string its_name = like.filename().string();
  std::ranges::stable_partition(endings, [&](const std::string& ending) {
    return !ending.empty() && its_name == without_packing(its_name) + ending;
  });
  for (const std::string& name : names)
    for (const std::string& ending : endings) {
      const fs::path path = folder / (name + ending);
      if (is_file(path)) return path;
      if (kind_of_path("--dataset", path.string()) == PathKind::other)
        reject_data(path, "is no plain file, and has the name of what belongs to the training set",
                    "put a plain file there, or take it away");
    }
  // Sorted, so that the order in which a file system lists its entries decides nothing.
  std::vector<std::string> entries;
  std::error_code ignored;
  for (fs::directory_iterator entry(folder.empty() ? "." : folder, ignored), end;
       entry != end && entries.size() < kMostEntries; entry.increment(ignored))
    entries.push_back(entry->path().filename().string());
  std::ranges::sort(entries);
  for (const std::string& name : names)
    for (const std::string& entry : entries)
      if (loose(entry, any_separator) == loose(name, any_separator) && is_file(folder / entry)) return folder / entry;
  return {};
}

}  // namespace quantimed
