// SPDX-License-Identifier: BSD-3-Clause
#include "base/text_file.hpp"

#include "base/error.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sys/stat.h>

#include <chrono>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <thread>

namespace quantimed {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::StartsWith;
using testing::ThrowsMessage;

class TextFile : public testing::Test {
 protected:
  TextFile() : path_(testing::TempDir() + "text_file." + std::to_string(::getpid())) {}
  ~TextFile() override { std::filesystem::remove(path_); }
  void write(const std::string& text) const { std::ofstream(path_, std::ios::binary) << text; }
  std::string read(std::uint64_t most = 1 << 20) const {
    return read_text_file("--graph file:x", path_, "a list of edges", most);
  }
  const std::string path_;
};

TEST_F(TextFile, ComesWholeWithAllItsBytes) {
  const std::string text = "a\t\xff\r\n" + std::string(3 << 20, 'x');
  write(text);
  EXPECT_EQ(read(4 << 20), text);
  write("");
  EXPECT_EQ(read(), "");
}

TEST_F(TextFile, IsRefusedByItsSizeBeforeItIsRead) {
  write("");
  std::filesystem::resize_file(path_, std::uintmax_t{1} << 40);  // sparse: more than memory holds
  EXPECT_THAT([&] { read(); }, ThrowsMessage<InputError>("--graph file:x: is longer than 1 MiB; give a shorter one"));
}

TEST_F(TextFile, ThatNeverEndsIsReadNoFurther) {
  EXPECT_THAT([] { read_text_file("--config /dev/zero", "/dev/zero", "lines", 1 << 20); },
              ThrowsMessage<InputError>(HasSubstr("longer than 1 MiB")));
}

TEST_F(TextFile, MayBeAPipe) {
  ASSERT_EQ(::mkfifo(path_.c_str(), 0600), 0);
  std::jthread writer([&] { write("0 1\n"); });
  EXPECT_EQ(read(), "0 1\n");
}

TEST_F(TextFile, IsNotWaitedForAfterASignal) {
  ASSERT_EQ(::mkfifo(path_.c_str(), 0600), 0);
  struct sigaction action {};
  action.sa_handler = [](int) {};
  action.sa_flags = SA_RESTART;
  struct sigaction before {};
  ::sigaction(SIGUSR2, &action, &before);
  const pthread_t reader = ::pthread_self();
  std::jthread sender([&](const std::stop_token& stop) {  // again and again: the first ones may come before the wait
    while (!stop.stop_requested()) {
      ::pthread_kill(reader, SIGUSR2);
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
  });
  EXPECT_THAT([&] { read(); }, ThrowsMessage<InputError>(AllOf(HasSubstr("nothing wrote into"), HasSubstr("a list"))));
  sender.request_stop();
  sender.join();
  ::sigaction(SIGUSR2, &before, nullptr);
}

TEST_F(TextFile, ByteOrderMarksAndOldLineEndsAreReadOver) {
  write(
      "\xef\xbb\xbf"
      "0 1\n");
  EXPECT_EQ(read(), "0 1\n");
  write("\xef\xbb\xbf");
  EXPECT_EQ(read(), "");
  write("0 1\r1 2\r");
  EXPECT_EQ(read(), "0 1\n1 2\n");
  write("0 1\r\n1 2\r");
  EXPECT_EQ(read(), "0 1\r\n1 2\r");
}

// `text` in an encoding of `width` bytes a character, of which the first or the last is not zero.
std::string widened(const std::string& text, std::size_t width, bool is_big_endian) {
  std::string wide;
  for (const char c : text) {
    std::string character(width, '\0');
    character[is_big_endian ? width - 1 : 0] = c;
    wide += character;
  }
  return wide;
}

TEST_F(TextFile, InAnotherEncodingIsNamed) {
  const std::string text = "0 1\n1 2\n";
  struct Case {
    std::string bytes, encoding;
  };
  for (const auto& [bytes, encoding] :
       {Case{"\xff\xfe" + widened(text, 2, false), "UTF-16"}, Case{"\xfe\xff" + widened(text, 2, true), "UTF-16"},
        Case{std::string("\xff\xfe\0\0", 4) + widened(text, 4, false), "UTF-32"},
        Case{std::string("\0\0\xfe\xff", 4) + widened(text, 4, true), "UTF-32"},
        Case{widened(text, 2, false), "UTF-16LE"}, Case{widened(text, 2, true), "UTF-16BE"},
        Case{widened(text, 4, false), "UTF-32LE"}, Case{widened(text, 4, true), "UTF-32BE"}}) {
    write(bytes);
    EXPECT_THAT([&] { read(); },
                ThrowsMessage<InputError>(fmt::format(
                    "--graph file:x: is text in {0}; save it as UTF-8: iconv -f {0} -t UTF-8 FILE > NEW", encoding)));
  }
}

TEST_F(TextFile, WithBytesThatNoTextHasIsNone) {
  write(std::string("0 1\n1 2\n2 \0", 11));
  EXPECT_THAT([&] { read(); }, ThrowsMessage<InputError>(HasSubstr("line 3 has a zero byte, which is no text")));
  for (const char byte : {'\1', '\x08', '\x0e', '\x1b', '\x1f', '\x7f'}) {
    std::string text = std::string("0 1\n") + byte;
    write(text);
    EXPECT_EQ(read(), text) << "a small file's reader names what it stands in";
    EXPECT_THAT(make_plain(text),
                StartsWith(fmt::format("line 2 has the byte 0x{:02X}, which is no text", static_cast<int>(byte))));
  }
  // Numbers of two, four and eight bytes, as a binary format begins: zeros, and no encoding.
  for (const std::string& bytes : {std::string("\1\0\2\0\3\0", 6), std::string("\x1d\0\0\0\x1e\0\0\0", 8),
                                   std::string("A\0\0\0\0\0\0\0\x9f\1", 10), std::string("\0\0\0\0", 4)}) {
    write(bytes);
    EXPECT_THAT([&] { read(); },
                ThrowsMessage<InputError>(AllOf(HasSubstr("line 1 has"), HasSubstr("which is no text"))));
  }
  write("0 1\t\v\f\r\n");  // what editors leave
  EXPECT_EQ(read(), "0 1\t\v\f\r\n");
}

TEST_F(TextFile, ThatIsNoneSaysWhatToGive) {
  EXPECT_THAT([&] { read(); },
              ThrowsMessage<InputError>(AllOf(StartsWith("--graph file:x: cannot be opened"), HasSubstr("a list"))));
  EXPECT_THAT([] { read_text_file("--config /", "/", "lines", 1); },
              ThrowsMessage<InputError>("--config /: is a folder; give lines"));
}

TEST(Lines, AreTakenOffTheFront) {
  std::string_view text = "one\n\ntwo\r\nthree";
  for (const char* line : {"one", "", "two\r", "three"}) EXPECT_EQ(take_line(text), line);
  EXPECT_TRUE(text.empty());
}

TEST(Excerpt, IsShortAndCanBePrinted) {
  EXPECT_EQ(excerpt("a\x1b[2Jb\n"), "a?[2Jb?");
  EXPECT_EQ(excerpt("1:2\xc2\xa0"
                    "2:\xe2\x88\x92"
                    "1"),
            "1:2<no-break space>2:<minus sign U+2212>1");
  EXPECT_EQ(excerpt(std::string(40, 'x')), std::string(40, 'x'));
  EXPECT_EQ(excerpt(std::string(41, 'x')), std::string(40, 'x') + "…");
}

}  // namespace
}  // namespace quantimed
