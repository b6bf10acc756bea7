// SPDX-License-Identifier: BSD-3-Clause
// Records that memory should not hold, in a file without a name: it is gone when the run is.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <type_traits>

namespace quantimed {

// Meanings and units: Rounds. The phases follow each other without a gap, so they add up to the iteration.
struct RoundRecord {
  double start = 0, bytes = 0;
  float compute = 0, encode = 0, publish = 0, wait = 0, exchange = 0, mix = 0, record = 0;
  float batch = 0, deadline = 0, overshoot = 0, speed_asked = 0, staleness = 0, age = 0, overwritten = 0;
};
static_assert(std::is_trivially_copyable_v<RoundRecord>);  // stored as it is

// Blocks of equally many records. The file is made in `folder` when the first block comes.
class RecordFile {
 public:
  RecordFile(std::string folder, std::size_t block_records);
  RecordFile(const RecordFile&) = delete;
  RecordFile& operator=(const RecordFile&) = delete;
  ~RecordFile();

  std::size_t block_records() const { return block_records_; }

  // The block's number; nothing where the disk does not take it: then memory has to.
  std::optional<std::uint32_t> keep(std::span<const RoundRecord> block);

  // Records of a block from its `first` on. Throws InputError where the disk does not give them back.
  void read(std::uint32_t block, std::size_t first, std::span<RoundRecord> to) const;

 private:
  std::string folder_;
  std::size_t block_records_;
  int descriptor_ = -1;
  std::uint32_t blocks_ = 0;
};

}  // namespace quantimed
