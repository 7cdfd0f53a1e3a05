// SPDX-License-Identifier: Apache-2.0
// RocksDB on the simulated disk: what a power cut leaves is a prefix of the batches (B1-B3).
#include <gtest/gtest.h>

#include "storage/sim_file.h"
#include "storage/storage_backend.h"

namespace synod::storage {
namespace {

using base::Bytes;
using base::Random;

constexpr CrashPolicy kPolicies[] = {CrashPolicy::kLost, CrashPolicy::kTorn,
                                     CrashPolicy::kReordered};
constexpr std::uint64_t kBatches = 60;
constexpr std::uint64_t kRowsPerBatch = 4;

base::Result<std::unique_ptr<StorageBackend>> open(SimFileSystem& files) {
  const BackendOptions options{
      .write_buffer_bytes = 2 << 20, .block_cache_bytes = 1 << 20, .background_jobs = 1};
  return open_rocksdb_backend("/db", options, &files);
}

/// Batch n sets four rows to n and the row "applied" with them.
WriteBatch batch_number(std::uint64_t n) {
  WriteBatch batch;
  for (std::uint64_t row = 0; row < kRowsPerBatch; ++row) {
    batch.put("row" + std::to_string(row), std::to_string(n) + Bytes(300, 'x'));
  }
  batch.put("applied", std::to_string(n));
  return batch;
}

/// Writes until an error; returns what `get_durable` vouched for last.
std::uint64_t run_script(SimFileSystem& files) {
  auto backend = open(files);
  std::uint64_t vouched = 0;
  if (!backend.ok()) return vouched;
  for (std::uint64_t n = 1; n <= kBatches; ++n) {
    if (!(*backend)->write(batch_number(n)).ok()) break;
    if (n % 10 == 0 && !(*backend)->flush().ok()) break;
    if (n == 40 && !(*backend)->compact().ok()) break;
    const auto durable = (*backend)->get_durable("applied");
    if (durable.ok() && durable->has_value()) vouched = std::stoull(**durable);
  }
  // The power goes before the destructor could flush.
  files.kill();
  return vouched;
}

void expect_prefix(SimFileSystem& files, std::uint64_t vouched, const std::string& what) {
  auto backend = open(files);
  ASSERT_TRUE(backend.ok()) << what << ": " << backend.status().to_string();
  const auto applied = (*backend)->get("applied");
  ASSERT_TRUE(applied.ok()) << what;
  const std::uint64_t n = applied->has_value() ? std::stoull(**applied) : 0;
  ASSERT_GE(n, vouched) << what << ": durable rows are gone";
  for (std::uint64_t row = 0; row < kRowsPerBatch; ++row) {
    const auto value = (*backend)->get("row" + std::to_string(row));
    ASSERT_TRUE(value.ok()) << what;
    if (n == 0) {
      ASSERT_FALSE(value->has_value()) << what << ": half a batch";
    } else {
      ASSERT_EQ(*value, std::to_string(n) + Bytes(300, 'x')) << what << ": half a batch";
    }
  }
}

TEST(RocksdbCrash, LeavesAPrefixOfTheBatchesAtEveryPointOfFailure) {
  SimFileSystem whole{Random(1)};
  EXPECT_GE(run_script(whole), 60U);
  const std::uint64_t total = whole.io_count();
  std::uint64_t points = 0;
  for (std::uint64_t point = 1; point <= total; point += 4) {
    const CrashPolicy policy = kPolicies[points % 3];
    const FaultRepeat repeat = points % 2 == 0 ? FaultRepeat::kForEver : FaultRepeat::kOnce;
    SimFileSystem files{Random(point)};
    files.set_fail_at(point, repeat);
    const std::uint64_t vouched = run_script(files);
    files.crash(policy);
    files.restart();
    expect_prefix(files, vouched, "point " + std::to_string(point));
    ASSERT_FALSE(HasFailure());
    ++points;
  }
  std::printf("%llu crash points of RocksDB\n", static_cast<unsigned long long>(points));
}

TEST(RocksdbCrash, GoesOnOnceAFullDiskHasSpaceAgain) {
  SimFileSystem files{Random(1)};
  auto backend = open(files);
  ASSERT_TRUE(backend.ok());
  ASSERT_TRUE((*backend)->write(batch_number(1)).ok());
  ASSERT_TRUE((*backend)->flush().ok());
  files.set_capacity(0);
  ASSERT_TRUE((*backend)->write(batch_number(2)).ok());
  EXPECT_EQ((*backend)->flush().code(), base::StatusCode::kNoSpace);
  EXPECT_EQ((*backend)->get("applied").value(), "2") << "reads go on";
  EXPECT_EQ((*backend)->get_durable("applied").value(), "1");
  files.set_capacity(UINT64_MAX);
  const base::Status status = (*backend)->flush();
  EXPECT_TRUE(status.ok()) << status.to_string();
  EXPECT_EQ((*backend)->get_durable("applied").value(), "2");
  backend->reset();
  files.crash(CrashPolicy::kLost);
  files.restart();
  expect_prefix(files, 2, "after the full disk");
}

TEST(RocksdbCrash, GoesOnAfterATransientErrorInAFlush) {
  SimFileSystem files{Random(1)};
  auto backend = open(files);
  ASSERT_TRUE(backend.ok());
  ASSERT_TRUE((*backend)->write(batch_number(1)).ok());
  files.set_fail_at(files.io_count() + 2, FaultRepeat::kOnce);
  EXPECT_FALSE((*backend)->flush().ok());
  EXPECT_TRUE((*backend)->flush().ok());
  EXPECT_EQ((*backend)->get_durable("applied").value(), "1");
}

}  // namespace
}  // namespace synod::storage
