// SPDX-License-Identifier: BSD-3-Clause
#include "base/text_file.hpp"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstddef>
#include <filesystem>
#include <system_error>

#include "base/error.hpp"

namespace quantimed {

namespace {

// A file, or a pipe that something may yet open to write: waiting for that is ended by a signal, which open() and
// read() would restart.
class Readable {
 public:
  explicit Readable(const std::string& path) : descriptor_(::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC)) {}
  ~Readable() {
    if (is_open()) ::close(descriptor_);
  }
  Readable(const Readable&) = delete;
  Readable& operator=(const Readable&) = delete;

  bool is_open() const { return descriptor_ >= 0; }

  // Bytes read, 0 at the end, negative and errno where it failed or a signal came.
  ssize_t read(char* to, std::size_t most) const {
    for (;;) {
      pollfd what{descriptor_, POLLIN, 0};
      if (::poll(&what, 1, -1) < 0) return -1;
      if (const ssize_t got = ::read(descriptor_, to, most); got >= 0 || errno != EAGAIN) return got;
    }
  }

 private:
  int descriptor_;
};

// No text has them: all below the blank but tabs, line and page ends.
bool is_control(unsigned char c) { return (c < 0x20 && !(c >= '\t' && c <= '\r')) || c == 0x7f; }

// Where a text's beginning is in an encoding of two or four bytes a character, the name that iconv has for it: by its
// byte-order mark, or because of plain characters one byte has something in it and the others are zero. "": it is not.
std::string_view wide_encoding(std::string_view text) {
  if (text.starts_with(std::string_view("\xff\xfe\0\0", 4)) || text.starts_with(std::string_view("\0\0\xfe\xff", 4)))
    return "UTF-32";
  if (text.starts_with("\xff\xfe") || text.starts_with("\xfe\xff")) return "UTF-16";
  struct Encoding {
    std::size_t width, at;  // where the byte is that is not zero
    const char* name;
  };
  constexpr std::array<Encoding, 4> kWide{
      {{4, 0, "UTF-32LE"}, {4, 3, "UTF-32BE"}, {2, 0, "UTF-16LE"}, {2, 1, "UTF-16BE"}}};
  constexpr std::size_t kLooked = 64;
  for (const Encoding& e : kWide) {
    const std::string_view start = text.substr(0, std::min(kLooked, text.size() / e.width * e.width));
    bool fits = !start.empty();
    for (std::size_t k = 0; k < start.size(); ++k)
      fits = fits && (k % e.width == e.at ? !is_control(static_cast<unsigned char>(start[k])) : start[k] == '\0');
    if (fits) return e.name;
  }
  return "";
}

std::string printable(std::string_view foreign) {
  struct Character {
    std::string_view bytes, name;
  };
  // What looks like a plain character, or like nothing, and is neither to a program.
  constexpr std::array<Character, 7> kMistaken{{{"\xc2\xa0", "<no-break space>"},
                                                {"\xe2\x80\xaf", "<narrow no-break space>"},
                                                {"\xe2\x80\x89", "<thin space>"},
                                                {"\xe2\x80\x8b", "<zero-width space>"},
                                                {"\xe3\x80\x80", "<wide space>"},
                                                {"\xef\xbb\xbf", "<byte-order mark>"},
                                                {"\xe2\x88\x92", "<minus sign U+2212>"}}};
  std::string text;
  while (!foreign.empty()) {
    const auto found =
        std::ranges::find_if(kMistaken, [&](const Character& s) { return foreign.starts_with(s.bytes); });
    const char c = foreign.front();
    if (found != kMistaken.end())
      text += found->name;
    else
      text += c >= ' ' && c <= '~' ? c : '?';
    foreign.remove_prefix(found == kMistaken.end() ? 1 : found->bytes.size());
  }
  return text;
}

}  // namespace

std::string read_text_file(const std::string& label, const std::string& path, const std::string& wanted,
                           std::uint64_t most_bytes) {
  const auto refuse_length = [&] {
    throw InputError("{}: is longer than {} MiB; give a shorter one", label, most_bytes >> 20);
  };
  std::error_code error;
  if (std::filesystem::is_directory(path, error)) throw InputError("{}: is a folder; give {}", label, wanted);
  if (const auto size = std::filesystem::file_size(path, error); !error && size > most_bytes) refuse_length();
  errno = 0;
  const Readable file(path);
  if (!file.is_open())
    throw InputError("{}: cannot be opened: {}; check the path and its permissions, or give {}", label,
                     std::generic_category().message(errno), wanted);
  std::string text;
  for (constexpr std::size_t kPiece = 1 << 20;;) {
    const std::size_t have = text.size();
    text.resize(have + kPiece);
    const ssize_t got = file.read(text.data() + have, kPiece);
    if (got < 0 && errno == EINTR)
      throw InputError("{}: a signal came while nothing wrote into this pipe; give {}", label, wanted);
    if (got < 0)
      throw InputError("{}: cannot be read to its end: {}; check the disk", label,
                       std::generic_category().message(errno));
    text.resize(have + static_cast<std::size_t>(got));
    if (got == 0) break;
    if (text.size() > most_bytes) refuse_length();
  }
  if (const std::string wrong = make_plain(text, Controls::read); !wrong.empty())
    throw InputError("{}: {}", label, wrong);
  return text;
}

std::string make_plain(std::string& text, Controls controls) {
  constexpr std::string_view kMark = "\xef\xbb\xbf";
  if (text.starts_with(kMark)) text.erase(0, kMark.size());
  if (const std::string_view encoding = wide_encoding(text); !encoding.empty())
    return fmt::format("is text in {0}; save it as UTF-8: iconv -f {0} -t UTF-8 FILE > NEW", encoding);
  const auto is_wrong = [&](unsigned char c) { return controls == Controls::refused ? is_control(c) : c == 0; };
  if (std::ranges::count_if(text, is_wrong) > 0) {  // counted first: that goes over gigabytes without a branch
    const auto at = std::ranges::find_if(text, is_wrong);
    const std::string what = *at == '\0' ? "a zero byte" : fmt::format("the byte 0x{:02X}", *at);
    return fmt::format("line {} has {}, which is no text; take it out, or save the file as UTF-8 text",
                       1 + std::count(text.begin(), at, '\n'), what);
  }
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
  const std::string result = printable(text.substr(0, kLongest));
  return text.size() > kLongest ? result + "…" : result;
}

}  // namespace quantimed
