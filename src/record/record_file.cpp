// SPDX-License-Identifier: BSD-3-Clause
#include "record/record_file.hpp"

#include "base/error.hpp"
#include "base/temporary.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <system_error>

namespace quantimed {

namespace {

// Some network file systems know no files without a name.
int make_nameless(const std::string& folder) {
  const int made = ::open(folder.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
  if (made >= 0) return made;
  const std::filesystem::path name = make_temporary_beside(std::filesystem::path(folder) / "records");
  if (name.empty()) return -1;
  const int opened = ::open(name.c_str(), O_RDWR | O_CLOEXEC | O_NOFOLLOW);
  ::unlink(name.c_str());
  return opened;
}

}  // namespace

RecordFile::RecordFile(std::string folder, std::size_t block_records)
    : folder_(std::move(folder)), block_records_(block_records) {}

RecordFile::~RecordFile() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

std::optional<std::uint32_t> RecordFile::keep(std::span<const RoundRecord> block) {
  check(block.size() == block_records_, "a record file takes whole blocks");
  if (descriptor_ < 0) descriptor_ = make_nameless(folder_);
  const std::span<const std::byte> bytes = std::as_bytes(block);
  const std::uint64_t at = blocks_ * std::uint64_t{bytes.size()};
  for (std::size_t done = 0; done < bytes.size();) {
    const ssize_t now = descriptor_ < 0 ? -1
                                        : ::pwrite(descriptor_, bytes.data() + done, bytes.size() - done,
                                                   static_cast<off_t>(at + done));
    if (now < 0 && descriptor_ >= 0 && errno == EINTR) continue;
    if (now <= 0) return std::nullopt;
    done += static_cast<std::size_t>(now);
  }
  return blocks_++;
}

void RecordFile::read(std::uint32_t block, std::size_t first, std::span<RoundRecord> to) const {
  const std::span<std::byte> bytes = std::as_writable_bytes(to);
  const std::uint64_t at = (block * std::uint64_t{block_records_} + first) * sizeof(RoundRecord);
  for (std::size_t done = 0; done < bytes.size();) {
    const ssize_t now = ::pread(descriptor_, bytes.data() + done, bytes.size() - done, static_cast<off_t>(at + done));
    if (now < 0 && errno == EINTR) continue;
    if (now <= 0)
      throw InputError("{}: the run's records cannot be read back: {}; name another disk with --output", folder_,
                       now == 0 ? "they are cut short" : std::generic_category().message(errno));
    done += static_cast<std::size_t>(now);
  }
}

}  // namespace quantimed
