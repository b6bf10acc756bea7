// SPDX-License-Identifier: BSD-3-Clause
// Records on their way from the node to the trace: none is lost, doubled or changed, whether memory or a file holds it.
#include "record/records.hpp"

#include "record/record_log.hpp"
#include "trace/columns.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <limits>
#include <thread>

namespace quantimed {
namespace {

namespace fs = std::filesystem;

// Every column says which record it is of.
RoundRecord record_of(std::size_t node, std::size_t t) {
  const auto value = static_cast<float>(node * 1'000'000 + t);
  return {.start = static_cast<double>(t) + 0.25,
          .bytes = static_cast<double>(node) + 16'777'217,
          .compute = value,
          .encode = value + 1,
          .batch = static_cast<float>(t)};
}

void append(Records& records, std::size_t node, std::size_t count) {
  for (std::size_t t = records[node].size(), end = t + count; t < end; ++t) records[node].push_back(record_of(node, t));
}

void expect_record(const RoundRecord& record, std::size_t node, std::size_t t) {
  const RoundRecord expected = record_of(node, t);
  EXPECT_EQ(record.start, expected.start) << node << ", " << t;
  EXPECT_EQ(record.compute, expected.compute) << node << ", " << t;
  EXPECT_EQ(record.encode, expected.encode) << node << ", " << t;
  EXPECT_EQ(record.bytes, expected.bytes) << node << ", " << t;
}

TEST(RecordLog, HandsOverEveryRecordOnceAndInOrder) {
  constexpr std::size_t kCount = 50'000;
  RecordLog log;
  std::jthread writer([&] {
    for (std::size_t t = 0; t < kCount; ++t) log.append(record_of(0, t));
  });
  std::size_t seen = 0;
  while (seen < kCount) {
    log.take([&](const RoundRecord& record) {
      expect_record(record, 0, seen);
      ++seen;
    });
  }
  log.take([&](const RoundRecord&) { FAIL() << "one more than were appended"; });
}

TEST(RecordLog, KeepsWhatNobodyTakes) {
  RecordLog log;
  for (std::size_t t = 0; t < 20'000; ++t) log.append(record_of(3, t));
  std::size_t seen = 0;
  log.take([&](const RoundRecord& record) { expect_record(record, 3, seen++); });
  EXPECT_EQ(seen, 20'000u);
}

// The number of open files of this process whose name is gone.
std::size_t nameless_files() {
  std::size_t count = 0;
  for (const auto& entry : fs::directory_iterator("/proc/self/fd")) {
    std::error_code failure;
    count += fs::read_symlink(entry.path(), failure).string().find("(deleted)") != std::string::npos;
  }
  return count;
}

TEST(Records, OldOnesAreReadBackFromTheFile) {
  const std::size_t files_before = nameless_files();
  {
    Records records(2, testing::TempDir());
    append(records, 0, 20'001);
    append(records, 1, 9'000);
    records.finish(20'001);
    EXPECT_EQ(nameless_files(), files_before + 1);
    EXPECT_EQ(records.refused(), 0u);
    expect_record(records[0].back(), 0, 20'000);  // the last stays
    for (const std::size_t t : {0u, 1u, 4'095u, 4'096u, 8'191u, 8'999u, 16'384u, 20'000u})
      expect_record(records[0].at(t), 0, t);

    ASSERT_EQ(records.iterations(), 20'001u);
    const Rounds some = records.block(4'000, 9'500);
    ASSERT_EQ(some.batch.size(), 2u * 5'500);
    for (std::size_t t = 4'000; t < 9'500; ++t) {
      EXPECT_EQ(some.compute_time[(t - 4'000) * 2], static_cast<float>(t));
      EXPECT_EQ(some.start_time[(t - 4'000) * 2], static_cast<double>(t) + 0.25);
      if (t < 9'000)
        EXPECT_EQ(some.compute_time[(t - 4'000) * 2 + 1], static_cast<float>(1'000'000 + t));
      else
        EXPECT_TRUE(std::isnan(some.compute_time[(t - 4'000) * 2 + 1])) << t;
    }
  }
  EXPECT_EQ(nameless_files(), files_before);
}

// As the engines use it: a few more, finish, a few more.
TEST(Records, GrowAndLeaveMemoryStepByStep) {
  Records records(1, testing::TempDir());
  for (std::size_t ended = 0; ended < 30'000; ended += 700) {
    append(records, 0, 701 - (ended > 0));
    records.finish(ended + 700);
    EXPECT_EQ(records.iterations(), ended + 700);  // one more has begun
    records[0][ended + 700].mix = 0;               // and may still be written
  }
  for (std::size_t t = 0; t < records.iterations(); t += 13) expect_record(records[0].at(t), 0, t);
}

TEST(Records, MemoryKeepsWhatTheDiskRefuses) {
  Records records(1, testing::TempDir() + "/there-is-no-such-folder");
  append(records, 0, 10'000);
  records.finish(10'000);
  EXPECT_EQ(records.refused(), 10'000u);
  append(records, 0, 5'000);
  records.finish(15'000);
  EXPECT_EQ(records.refused(), 15'000u);
  for (std::size_t t = 0; t < 15'000; ++t) expect_record(records[0].at(t), 0, t);
}

TEST(Records, WithoutAFolderMemoryHoldsAll) {
  Records records(1, "");
  append(records, 0, 10'000);
  records.finish(10'000);
  EXPECT_EQ(records.refused(), 0u);
  expect_record(records[0][0], 0, 0);
}

TEST(Records, BlocksCoverEveryIterationOnce) {
  Records records(3, testing::TempDir());
  for (std::size_t i = 0; i < 3; ++i) append(records, i, 200'000);
  records.finish(200'000);
  std::size_t next = 0;
  records.for_each_block([&](const Rounds& block, std::size_t first) {
    EXPECT_EQ(first, next);
    EXPECT_LE(block.batch.size(), RoundsSource::kBlockValues);
    for (std::size_t t = 0; t < block.iterations; ++t) ASSERT_EQ(block.batch[t * 3 + 2], static_cast<float>(first + t));
    next += block.iterations;
  });
  EXPECT_EQ(next, 200'000u);
}

TEST(Records, OfARunThatGoesOnAreThoseOfItsTrace) {
  Records first(2, "");
  append(first, 0, 10'000);
  append(first, 1, 7'000);
  first.finish(10'000);
  const Rounds before = first.all();
  const Records again(before, testing::TempDir());
  EXPECT_EQ(again[0].size(), 10'000u);
  EXPECT_EQ(again[1].size(), 7'000u);
  const Rounds after = again.all();
  EXPECT_EQ(after.iterations, before.iterations);
  columns::for_each(columns::kRounds, [&](const auto& column) {
    const auto &a = before.*column.values, &b = after.*column.values;
    ASSERT_EQ(a.size(), b.size());
    for (std::size_t k = 0; k < a.size(); ++k)
      ASSERT_TRUE(a[k] == b[k] || (std::isnan(a[k]) && std::isnan(b[k]))) << column.name << " " << k;
  });
}

}  // namespace
}  // namespace quantimed
