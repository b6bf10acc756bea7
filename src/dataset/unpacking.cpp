// SPDX-License-Identifier: BSD-3-Clause
// What a message says of a packed file whose fix reads it unpacked.
#include <algorithm>

#include "base/error.hpp"
#include "dataset/formats.hpp"
#include "dataset/unpack.hpp"

namespace quantimed {

namespace fs = std::filesystem;

std::string shell_word(const std::string& name) {
  const bool is_plain = !name.empty() && name[0] != '-' && std::ranges::all_of(name, [](unsigned char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c > 0x7f ||
           std::string_view("._-/+,=@%").find(static_cast<char>(c)) != std::string_view::npos;
  });
  if (is_plain) return name;
  std::string text = "'";
  for (const char c : name) text += c == '\'' ? "'\\''" : std::string(1, c);
  return text + "'";
}

Unpacking unpacking(const fs::path& path) {
  struct Tool {
    PackedBy packing;
    const char *keeps, *streams, *ending;
  };
  constexpr Tool kTools[] = {{PackedBy::gzip, "gunzip -k", "gzip -dc", ".gz"},
                             {PackedBy::bzip2, "bunzip2 -k", "bzip2 -dc", ".bz2"},
                             {PackedBy::xz, "xz -dk", "xz -dc", ".xz"}};
  const PackedBy packing = packing_of(path);
  for (const Tool& tool : kTools) {
    if (tool.packing != packing) continue;
    std::error_code ignored;
    // These tools refuse links, and names without the ending that they know.
    if (path.extension() == tool.ending && !path.stem().empty() && !fs::is_symlink(path, ignored))
      return {fmt::format("{} {}", tool.keeps, shell_word(path.string())), fs::path(path).replace_extension()};
    const std::string bare = without_packing(path.filename().string());
    const fs::path made = bare == path.filename() ? bare + ".unpacked" : bare;
    return {fmt::format("{} < {} > {}", tool.streams, shell_word(path.string()), shell_word(made.string())), made};
  }
  return {};
}

std::string unpack_first(const fs::path& path) {
  const std::string command = unpacking(path).command;
  return command.empty() ? "" : fmt::format("unpack it first: {}; then ", command);
}

}  // namespace quantimed
