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
  const std::string result = printable(text.substr(0, kLongest));
  return text.size() > kLongest ? result + "…" : result;
}

}  // namespace quantimed
