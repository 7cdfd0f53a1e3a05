// SPDX-License-Identifier: Apache-2.0
#include "core/cold_values.h"

#include <gtest/gtest.h>

#include "core/state/rows.h"
#include "storage/storage_backend.h"

namespace synod::core {
namespace {

/// One key whose value at version v is "v", over a backend that a test writes and keeps.
class ColdValuesTest : public testing::Test {
 protected:
  void write(std::int64_t version) {
    storage::WriteBatch batch;
    batch.put(entry_row_key(ref_), entry_row_value(header(version), std::to_string(version)));
    ASSERT_TRUE(backend_->write(batch).ok());
  }
  void erase() {
    storage::WriteBatch batch;
    batch.erase(entry_row_key(ref_));
    ASSERT_TRUE(backend_->write(batch).ok());
  }
  void hold(std::int64_t covered) { cold_.add(Version(covered), *backend_->snapshot()); }

  RecordHeader header(std::int64_t version) const {
    RecordHeader header;
    header.version = Version(version);
    header.digest = hasher_.digest(std::to_string(version));
    return header;
  }
  base::Result<std::optional<base::Bytes>> fetch(std::int64_t version,
                                                 std::optional<Version> superseded = {}) const {
    ColdTicket ticket;
    ticket.ns = ref_.ns;
    ticket.version = Version(version);
    ticket.digest = header(version).digest;
    ticket.superseded = superseded;
    return cold_.fetch(ref_, ticket, hasher_);
  }

  const KeyRef ref_{NamespaceId(1), kUserSpace, "key"};
  const StateHasher hasher_{{'s', 'e', 'e', 'd'}};
  std::unique_ptr<storage::StorageBackend> backend_ = storage::make_memory_backend();
  SnapshotFloor floor_;
  ColdValues cold_{true, floor_};
};

TEST_F(ColdValuesTest, FindsWhatIsNewestAndWhatWasSuperseded) {
  EXPECT_EQ(*fetch(3), std::nullopt) << "nothing is held";
  write(3);
  hold(4);
  write(5);
  hold(6);
  hold(7);
  EXPECT_EQ(cold_.covered(), Version(7));
  EXPECT_EQ(*fetch(5), "5");
  EXPECT_EQ(*fetch(3, Version(5)), "3");
  EXPECT_EQ(*fetch(3), "3") << "superseded after the reader looked";
  EXPECT_EQ(*fetch(2), std::nullopt);
  EXPECT_EQ(*fetch(8), std::nullopt);
}

TEST_F(ColdValuesTest, FindsWhatASweepRemovedLaterThanItSays) {
  write(3);
  hold(10);
  erase();  // By a sweep at 12, with a tombstone of version 6.
  hold(12);
  EXPECT_EQ(*fetch(3, Version(6)), "3");
}

TEST_F(ColdValuesTest, KeepsWhatAReaderAtTheFloorMayWant) {
  write(3);
  hold(4);
  write(5);
  hold(6);
  floor_.raise(Version(5), base::Nanos(1), SnapshotFloor::kPinMax);
  cold_.release();
  EXPECT_EQ(cold_.held(), 2U);
  EXPECT_EQ(*fetch(3, Version(5)), "3");
  floor_.raise(Version(6), base::Nanos(2), SnapshotFloor::kPinMax);
  cold_.release();
  EXPECT_EQ(cold_.held(), 1U);
  EXPECT_EQ(*fetch(3, Version(5)), std::nullopt);
  EXPECT_EQ(*fetch(5), "5");
}

TEST_F(ColdValuesTest, ASnapshotIsKeptWhileAVersionIsPinned) {
  write(3);
  hold(4);
  write(5);
  hold(6);
  {
    const auto pin = floor_.pin(Version(4));
    ASSERT_TRUE(pin.has_value());
    floor_.raise(Version(6), base::Nanos(1), SnapshotFloor::kPinMax);
    cold_.release();
    EXPECT_EQ(*fetch(3, Version(5)), "3");
  }
  floor_.raise(Version(6), base::Nanos(2), SnapshotFloor::kPinMax);
  cold_.release();
  EXPECT_EQ(cold_.held(), 1U);
}

TEST_F(ColdValuesTest, NeverReturnsOtherBytes) {
  storage::WriteBatch batch;
  batch.put(entry_row_key(ref_), entry_row_value(header(3), "changed"));
  ASSERT_TRUE(backend_->write(batch).ok());
  hold(3);
  EXPECT_EQ(fetch(3).status().code(), base::StatusCode::kCorruption);
  storage::WriteBatch damaged;
  damaged.put(entry_row_key(ref_), base::Bytes("\xff"));
  ASSERT_TRUE(backend_->write(damaged).ok());
  hold(4);
  EXPECT_EQ(fetch(4).status().code(), base::StatusCode::kCorruption);
}

TEST_F(ColdValuesTest, CoverageNeverGoesBack) {
  hold(4);
  EXPECT_DEATH(hold(3), "CV1");
}

}  // namespace
}  // namespace synod::core
