// SPDX-License-Identifier: BSD-3-Clause
// A trace's bytes on their way to and from the disk. Nothing here knows HDF5.
//
// After HDF5's own end the file carries a seal: 32 bytes with the checksum of all before. HDF5 ignores it, and its
// tools drop it when they change the file. So damage is told from a change made on purpose: a file with a seal must
// match it, a file without (edited with h5py, say) is read on HDF5's own checks. Those do not cover the heap that
// holds texts: of 4,000 one-bit errors in files without a seal, 51 crashed or hung HDF5 1.10.8. With one, none does.
// A checksum is no signature, and a forger can make one: what is read runs isolated either way (base/isolated.hpp).
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>

namespace quantimed {

// A file in the making: memory that its writer enlarges, mapped from a temporary file beside `path`, so that a long
// run's trace fills the disk alone. Throws InputError with path, reason and fix; the temporary is gone unless
// published.
class ImageFile {
 public:
  explicit ImageFile(const std::string& path);
  ~ImageFile();
  ImageFile(const ImageFile&) = delete;
  ImageFile& operator=(const ImageFile&) = delete;

  // At least as many bytes, with what was there before. Where the disk has no room for them they are plain memory, so
  // that HDF5 can finish its file, and publish() throws. Null where there is no memory either.
  std::byte* resize(std::size_t bytes);
  bool is_out_of_memory() const { return is_out_of_memory_; }
  int refusal() const { return refusal_; }  // errno of the disk; 0: it has room

  // Puts the first `bytes` and their seal at `path`, whole or not at all: fsync, rename. The memory is gone then.
  // A child process may have filled the file instead; `refusal` is then what the disk said there.
  void publish(std::size_t bytes, int refusal);

 private:
  class Temporary;
  void unmap();

  std::string path_;
  std::filesystem::path target_;
  std::unique_ptr<Temporary> temporary_;
  std::byte* memory_ = nullptr;
  std::size_t capacity_ = 0;
  int refusal_ = 0;
  bool is_out_of_memory_ = false;
};

struct InputFile {
  std::uint64_t bytes = 0;
  bool is_sealed = false;  // and the seal fits
};
// A plain file that can be read and whose seal, if it has one, fits. Throws InputError.
InputFile checked_file(const std::string& path);

// The seal's line, by which one trace is told from another; "" where there is none. Does not look whether it fits.
std::string seal_of(const std::string& path);

}  // namespace quantimed
