// SPDX-License-Identifier: BSD-3-Clause
#include "base/text_file.hpp"

#include "base/error.hpp"

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <filesystem>
#include <fstream>
#include <system_error>

namespace quantimed {

std::string read_text_file(const std::string& label, const std::string& path, const std::string& wanted,
                           std::uint64_t most_bytes) {
  const auto refuse_length = [&] {
    throw InputError("{}: is longer than {} MiB; give a shorter one", label, most_bytes >> 20);
  };
  std::error_code error;
  if (std::filesystem::is_directory(path, error)) throw InputError("{}: is a folder; give {}", label, wanted);
  if (const auto size = std::filesystem::file_size(path, error); !error && size > most_bytes) refuse_length();
  errno = 0;
  std::ifstream file(path, std::ios::binary);
  if (!file)
    throw InputError("{}: cannot be opened: {}; check the path and its permissions, or give {}", label,
                     std::generic_category().message(errno), wanted);
  std::string text;
  for (constexpr std::size_t kPiece = 1 << 20; file;) {
    const std::size_t have = text.size();
    text.resize(have + kPiece);
    file.read(text.data() + have, kPiece);
    text.resize(have + static_cast<std::size_t>(file.gcount()));
    if (text.size() > most_bytes) refuse_length();
  }
  if (file.bad()) throw InputError("{}: cannot be read to its end; check the disk", label);
  if (const std::string wrong = make_plain(text); !wrong.empty()) throw InputError("{}: {}", label, wrong);
  return text;
}

std::string make_plain(std::string& text) {
  constexpr std::string_view kMark = "\xef\xbb\xbf";
  if (text.starts_with(kMark)) text.erase(0, kMark.size());
  const std::size_t zero = text.find('\0');
  // Most of UTF-16's bytes of ASCII text are zeros; its byte-order mark is no beginning of UTF-8.
  const bool has_mark = text.starts_with("\xff\xfe") || text.starts_with("\xfe\xff");
  if (has_mark || zero <= 1)
    return "is text in UTF-16 or UTF-32, or no text; save it as UTF-8: iconv -f UTF-16 -t UTF-8 FILE > NEW";
  if (zero != std::string::npos)
    return fmt::format("line {} has a zero byte, which is no text; take it out, or save the file as UTF-8 text",
                       1 + std::count(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(zero), '\n'));
  if (text.find('\n') == std::string::npos) std::ranges::replace(text, '\r', '\n');
  return "";
}

std::string_view take_line(std::string_view& text) {
  const std::string_view line = text.substr(0, text.find('\n'));
  text.remove_prefix(std::min(line.size() + 1, text.size()));
  return line;
}

std::string excerpt(std::string_view text) {
  constexpr std::size_t kLongest = 40;
  std::string result(text.substr(0, kLongest));
  std::ranges::replace_if(
      result, [](unsigned char c) { return c < 0x20 || c > 0x7e; }, '?');
  return text.size() > kLongest ? result + "…" : result;
}

}  // namespace quantimed
