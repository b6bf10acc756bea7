// SPDX-License-Identifier: BSD-3-Clause
// Small files for the data set tests, in a folder of the test's own that goes with it.
#pragma once

#include <bzlib.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <lzma.h>
#include <unistd.h>
#include <zlib.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "base/error.hpp"
#include "dataset/dataset.hpp"

namespace quantimed {

class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string name = (std::filesystem::temp_directory_path() / "quantimed-test-XXXXXX").string();
    path_ = mkdtemp(name.data());
  }
  ~TemporaryFolder() { std::filesystem::remove_all(path_); }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  std::filesystem::path operator/(const std::string& name) const { return path_ / name; }
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

inline void write_file(const std::filesystem::path& path, const std::string& content) {
  std::filesystem::create_directories(path.parent_path());
  std::ofstream(path, std::ios::binary) << content;
}

inline std::string read_back(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

inline void write_gzip(const std::filesystem::path& path, const std::string& content) {
  gzFile file = gzopen(path.c_str(), "wb");
  gzwrite(file, content.data(), static_cast<unsigned>(content.size()));
  gzclose(file);
}

inline std::string bzip2(const std::string& content) {
  auto size = static_cast<unsigned>(content.size() + content.size() / 100 + 600);
  std::string packed(size, '\0');
  BZ2_bzBuffToBuffCompress(packed.data(), &size, const_cast<char*>(content.data()),
                           static_cast<unsigned>(content.size()), 9, 0, 0);
  packed.resize(size);
  return packed;
}

inline std::string xz(const std::string& content, std::uint32_t preset = 6) {
  std::string packed(lzma_stream_buffer_bound(content.size()), '\0');
  std::size_t size = 0;
  EXPECT_EQ(
      lzma_easy_buffer_encode(preset, LZMA_CHECK_CRC32, nullptr, reinterpret_cast<const std::uint8_t*>(content.data()),
                              content.size(), reinterpret_cast<std::uint8_t*>(packed.data()), &size, packed.size()),
      LZMA_OK);
  packed.resize(size);
  return packed;
}

inline std::string gzip(const std::string& content) {
  const TemporaryFolder folder;
  write_gzip(folder / "z", content);
  return read_back(folder / "z");
}

// An IDX file of unsigned bytes; `sizes` are what the header says, whatever the body holds.
inline std::string idx(const std::vector<std::uint32_t>& sizes, const std::string& body, char type = 8) {
  std::string text = {0, 0, type, static_cast<char>(sizes.size())};
  for (const std::uint32_t size : sizes)
    for (int shift = 24; shift >= 0; shift -= 8) text += static_cast<char>(size >> shift & 255);
  return text + body;
}

inline DataSplit load(const std::filesystem::path& path) { return load_dataset({.name = path.string()}); }

// The message of the InputError that loading throws; checks that it is one line and names the option.
inline std::string error_of(const DatasetRequest& request) {
  try {
    load_dataset(request);
  } catch (const InputError& error) {
    const std::string text = error.what();
    EXPECT_TRUE(text.starts_with("--dataset") || text.starts_with("--classes")) << text;
    EXPECT_EQ(text.find('\n'), std::string::npos) << text;
    return text;
  }
  ADD_FAILURE() << request.name << " was accepted";
  return {};
}
inline std::string error_of(const std::filesystem::path& path) {
  const std::string text = error_of(DatasetRequest{.name = path.string()});
  EXPECT_THAT(text, testing::HasSubstr(path.parent_path().string()));
  EXPECT_THAT(text, testing::HasSubstr("; ")) << "the fix is missing";
  return text;
}

// Sets an environment variable, and puts the old value back.
class Environment {
 public:
  Environment(const char* name, const std::string& value) : name_(name) {
    if (const char* old = std::getenv(name)) old_ = old;
    setenv(name, value.c_str(), 1);
  }
  ~Environment() { old_ ? setenv(name_, old_->c_str(), 1) : unsetenv(name_); }
  Environment(const Environment&) = delete;
  Environment& operator=(const Environment&) = delete;

 private:
  const char* name_;
  std::optional<std::string> old_;
};

}  // namespace quantimed
