// SPDX-License-Identifier: Apache-2.0
// Values leave memory under a bound, and everything that needs one gets it.
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "base/text.h"
#include "tests/core/model_database.h"
#include "tests/core/store.h"

namespace synod::core {
namespace {

constexpr std::uint64_t kRoom = 400'000;
constexpr int kKeys = 1'000;
constexpr std::size_t kValueBytes = 1'000;

DatabaseOptions bounded(std::uint64_t room) {
  DatabaseOptions options;
  options.memory_bytes_max = TransactionalKvDatabase(options).memory_status().used_bytes + room;
  return options;
}

std::string key_of(int number) { return base::concat("key", 10'000 + number); }
std::string value_of(int number) {
  return std::string(kValueBytes, static_cast<char>('a' + number % 26)) + std::to_string(number);
}

class ValueMemory : public testing::Test {
 protected:
  ValueMemory() : store_(Policy(), bounded(kRoom)) {}

  void housekeep() { store_.database().housekeep(std::chrono::seconds(++seconds_)); }
  /// More than there is room for, with everything persisted as it goes.
  void fill() {
    for (int i = 0; i < kKeys; ++i) {
      ASSERT_TRUE(store_.commit({set_step(key_of(i), value_of(i))}).ok());
      if (i % 20 != 19) continue;
      store_.persist();
      housekeep();
    }
  }
  MemoryStatus status() { return store_.database().memory_status(); }
  PointReadReply read(int number, ReadWait wait, std::optional<Version> at = {}) {
    PointReadRequest request;
    request.key = key_of(number);
    request.at = at;
    return store_.core().read(request, wait);
  }
  int cold_key() {
    for (int i = 0; i < kKeys; ++i) {
      if (read(i, ReadWait::kNever).is_cold) return i;
    }
    ADD_FAILURE() << "no value left memory";
    return 0;
  }

  Store store_;
  int seconds_ = 0;
};

TEST_F(ValueMemory, TheBoundHoldsAndEveryValueIsFound) {
  fill();
  EXPECT_LE(status().used_bytes, status().limit);
  EXPECT_GT(status().spilled_values, static_cast<std::uint64_t>(kKeys) / 2);
  EXPECT_GT(status().resident_values, 100U) << "no more than needed leaves";
  EXPECT_EQ(status().spilled_values + status().resident_values, static_cast<std::uint64_t>(kKeys));
  for (int i = 0; i < kKeys; ++i) {
    const PointReadReply reply = read(i, ReadWait::kForDisk);
    ASSERT_TRUE(reply.found);
    ASSERT_EQ(reply.value, value_of(i));
    EXPECT_GT(reply.version, Version(0));
    if (i % 50 == 0) housekeep();
  }
  EXPECT_GT(status().values_warmed, 0U);
  EXPECT_LE(status().used_bytes, status().limit);
  const base::Status verified = store_.database().verify_tables();
  EXPECT_TRUE(verified.ok()) << verified.to_string();
  EXPECT_TRUE(store_.database().verify_backend(store_.backend()).ok());
}

TEST_F(ValueMemory, AReaderThatHoldsItsEpochDoesNotEmptyTheCache) {
  fill();
  ASSERT_TRUE(store_.commit({set_step("first", "small")}).ok());  // Never on disk alone.
  const std::uint64_t before = status().resident_values;
  ScanBounds bounds;
  const ReadKind end = store_.database().scan(
      bounds, store_.database().visible_version(), [&](base::BytesView, base::BytesView) {
        // Inside the reader's epoch: what is dropped now is not free before the scan goes on.
        for (int i = 0; i < 40; ++i) {
          EXPECT_TRUE(store_.commit({set_step("other", value_of(i))}).ok());
          store_.persist();
          store_.database().housekeep(std::chrono::seconds(seconds_));
        }
        return false;
      });
  EXPECT_EQ(end, ReadKind::kFound);
  EXPECT_GT(status().resident_values, before * 3 / 4);
  EXPECT_LE(status().used_bytes, status().limit);
}

TEST_F(ValueMemory, NothingLeavesThatIsNotHeld) {
  for (int i = 0; i < kKeys; ++i) {
    ASSERT_TRUE(store_.commit({set_step(key_of(i), value_of(i))}).ok());
    housekeep();
  }
  EXPECT_EQ(status().spilled_values, 0U);
  EXPECT_TRUE(store_.database().must_wait());
  store_.persist();
  for (int i = 0; i < 10; ++i) housekeep();
  EXPECT_FALSE(store_.database().must_wait());
  EXPECT_LE(status().used_bytes, status().limit);
  EXPECT_GT(status().spilled_values, 0U);
}

TEST_F(ValueMemory, WhatCannotComeFreeIsNotWaitedFor) {
  Store store(Policy(), bounded(1'000));
  for (int i = 0; i < 2'000; ++i) ASSERT_TRUE(store.commit({set_step(key_of(i), "small")}).ok());
  store.persist();
  EXPECT_FALSE(store.database().must_wait());
  EXPECT_GT(store.database().unevictable_bytes(), store.database().memory_status().limit);
  EXPECT_LE(store.database().unevictable_bytes(), store.database().memory_bytes());
}

TEST_F(ValueMemory, OldVersionsOfValuesThatLeftAreRead) {
  fill();
  const int number = cold_key();
  const Version before = store_.newest();
  ASSERT_TRUE(store_.commit({set_step(key_of(number), "new")}).ok());
  ASSERT_TRUE(store_.commit({step_on(StepKind::kDelete, key_of(number + 1))}).ok());
  store_.persist();
  EXPECT_TRUE(read(number, ReadWait::kNever, before).is_cold);
  EXPECT_EQ(read(number, ReadWait::kForDisk, before).value, value_of(number));
  EXPECT_EQ(read(number + 1, ReadWait::kForDisk, before).value, value_of(number + 1));
  EXPECT_EQ(read(number, ReadWait::kForDisk).value, "new");
  EXPECT_FALSE(read(number + 1, ReadWait::kForDisk).found);
  for (int i = 0; i < 20; ++i) housekeep();
  store_.database().cold_values().release();
  EXPECT_EQ(read(number, ReadWait::kForDisk, before).code, OutcomeCode::kTooOld);
}

TEST_F(ValueMemory, AScanGoesOnBehindAValueItHadToFetch) {
  fill();
  RangeReadRequest request;
  request.begin = "key";
  EXPECT_TRUE(store_.core().read_range(request, ReadWait::kNever).is_cold);
  const RangeReadReply reply = store_.core().read_range(request, ReadWait::kForDisk);
  ASSERT_EQ(reply.rows.size(), static_cast<std::size_t>(kKeys));
  for (int i = 0; i < kKeys; ++i) {
    EXPECT_EQ(reply.rows[static_cast<std::size_t>(i)].second, value_of(i));
  }
  request.limit = 7;
  request.skip = 3;
  const RangeReadReply part = store_.core().read_range(request, ReadWait::kForDisk);
  ASSERT_EQ(part.rows.size(), 7U);
  EXPECT_EQ(part.rows[0].second, value_of(3));
  EXPECT_TRUE(part.has_more);
}

TEST_F(ValueMemory, RowsThatNobodyWantsAreNotFetched) {
  fill();
  RangeReadRequest request;
  request.begin = "key";
  request.skip = static_cast<std::uint64_t>(cold_key());
  request.limit = 1;
  const std::uint64_t before = status().cold_reads;
  const RangeReadReply one = store_.core().read_range(request, ReadWait::kForDisk);
  ASSERT_EQ(one.rows.size(), 1U);
  EXPECT_EQ(one.rows[0].second, value_of(cold_key()));
  EXPECT_TRUE(one.has_more);
  EXPECT_EQ(status().cold_reads, before + 1);
  request.skip = kKeys;
  EXPECT_TRUE(store_.core().read_range(request, ReadWait::kNever).rows.empty());
  EXPECT_FALSE(store_.core().read_range(request, ReadWait::kNever).is_cold);
}

/// Whose version is too old whenever the disk was waited for.
class SlowDatabase final : public ModelDatabase {
 public:
  base::Result<ReadKind> scan_waiting(
      const ScanBounds& /*bounds*/, Version /*at*/,
      base::Function<bool(base::BytesView, base::BytesView)> row) const override {
    ++scans;
    (void)row("k", "v");
    return ReadKind::kTooOld;
  }
  mutable int scans = 0;
};

TEST_F(ValueMemory, AScanThatIsTooSlowEveryTimeEndsWithAnError) {
  SlowDatabase slow;
  const RangeReadReply reply = KvServiceCore(slow).read_range({}, ReadWait::kForDisk);
  EXPECT_EQ(reply.code, OutcomeCode::kTooOld);
  EXPECT_TRUE(reply.rows.empty());
  EXPECT_EQ(slow.scans, 3);
}

TEST_F(ValueMemory, OverTheBoundNoMoreHistoryGoesThanIsMissing) {
  // Keys alone exceed the bound, and history is next to nothing.
  Store full(Policy(), bounded(1'000));
  for (int i = 0; i < 2'000; ++i) ASSERT_TRUE(full.commit({set_step(key_of(i), "small")}).ok());
  full.persist();
  full.database().housekeep(std::chrono::milliseconds(1));
  const Version at = full.newest();
  ASSERT_TRUE(full.commit({set_step(key_of(1), "new")}).ok());
  full.database().housekeep(std::chrono::milliseconds(2));
  PointReadRequest request;
  request.key = key_of(1);
  request.at = at;
  EXPECT_EQ(full.core().read(request).value, "small");

  // History within its share; a few bytes are missing because rows wait for the backend.
  Store store(Policy(), bounded(kRoom));
  const std::uint64_t limit = store.database().memory_status().limit;
  for (std::uint64_t i = 0; i < limit / 16'000; ++i) {
    ASSERT_TRUE(store.commit({set_step(key_of(0), value_of(0))}).ok());
  }
  const Version before = store.newest();
  ASSERT_TRUE(store.commit({set_step(key_of(0), "new")}).ok());
  for (int i = 1; store.database().memory_status().used_bytes <= limit; ++i) {
    ASSERT_TRUE(store.commit({set_step(key_of(i), value_of(i))}).ok());
  }
  store.database().housekeep(std::chrono::milliseconds(1));
  EXPECT_GT(store.database().snapshot_floor(), Version(0)) << "some of it goes";
  EXPECT_LT(store.database().snapshot_floor(), before) << "all of it went";
}

TEST_F(ValueMemory, OperationsGetTheValuesTheyNeed) {
  fill();
  const int number = cold_key();
  Step append = step_on(StepKind::kAppend, key_of(number));
  append.value = "!";
  KvOperation operation = commit_of({append});
  EXPECT_TRUE(store_.core().needs_disk(operation));
  EXPECT_FALSE(store_.core().needs_disk(commit_of({set_step(key_of(number), "x")})));
  EXPECT_FALSE(store_.core().needs_disk(commit_of({step_on(StepKind::kDelete, key_of(number))})));
  store_.core().fetch_for(operation);
  ASSERT_TRUE(store_.run(operation).ok());
  EXPECT_EQ(status().apply_fetches, 0U) << "the writer takes what was fetched";
  EXPECT_EQ(read(number, ReadWait::kForDisk).value, value_of(number) + "!");

  const int other = cold_key();
  Step expire = step_on(StepKind::kExpire, key_of(other));
  expire.ttl_ms = 50'000;
  ASSERT_TRUE(store_.commit({expire}).ok());
  EXPECT_EQ(status().apply_fetches, 1U);
  EXPECT_EQ(read(other, ReadWait::kForDisk).value, value_of(other));
  EXPECT_GT(read(other, ReadWait::kForDisk).expiry, TimeMs(0));
}

TEST_F(ValueMemory, AnOperationThatNeedsTooManyOldBytesIsRefusedWithoutTheDisk) {
  constexpr int kValues = 70;
  std::vector<Step> persists;
  for (int i = 0; i < kValues; ++i) {
    ASSERT_TRUE(store_.commit({set_step(key_of(i), std::string(1U << 20U, 'v'), 1'000'000)}).ok());
    store_.persist();
    housekeep();
    persists.push_back(step_on(StepKind::kPersist, key_of(i)));
  }
  ASSERT_GT(status().spilled_values, kValues - 3U);
  EXPECT_EQ(store_.commit(persists).code, OutcomeCode::kLimitExceeded);
  EXPECT_EQ(status().apply_fetches, 0U);
  persists.resize(64);
  EXPECT_TRUE(store_.commit(persists).ok());
  EXPECT_GT(status().apply_fetches, 60U);
}

TEST_F(ValueMemory, ManyAppendsToOneStagedValueAreRefused) {
  Step append = step_on(StepKind::kAppend, "k");
  append.value = "x";
  std::vector<Step> steps(70, append);
  steps.front().value = std::string(1U << 20U, 'v');
  EXPECT_EQ(store_.commit(steps).code, OutcomeCode::kLimitExceeded);
  steps.resize(60);
  EXPECT_TRUE(store_.commit(steps).ok());
}

TEST_F(ValueMemory, APinHoldsHistoryOnlyShortlyWhileTheBoundIsExceeded) {
  Store store(Policy(), bounded(1'000));
  for (int i = 0; i < 2'000; ++i) ASSERT_TRUE(store.commit({set_step(key_of(i), "small")}).ok());
  store.persist();
  ScanBounds bounds;
  bool is_first = true;
  const auto long_read = [&](base::BytesView, base::BytesView) {
    if (!std::exchange(is_first, false)) return true;
    EXPECT_TRUE(store.commit({set_step(key_of(1), "new")}).ok());
    for (int i = 1; i <= 13; ++i) store.database().housekeep(std::chrono::seconds(i));
    return true;
  };
  EXPECT_EQ(store.database().scan(bounds, store.newest(), long_read), ReadKind::kTooOld);
}

TEST_F(ValueMemory, TheBoundHoldsBehindManyKeysThatCannotLeave) {
  constexpr int kSmall = 100'000;
  const auto fill_small = [](Store& store) {
    for (int i = 0; i < kSmall / 100; ++i) {
      std::vector<Step> steps;
      for (int j = 0; j < 100; ++j) {
        steps.push_back(set_step(base::concat("a", 1'000'000 + 100 * i + j), "small"));
      }
      ASSERT_TRUE(store.commit(steps).ok());
    }
    store.persist();
  };
  DatabaseOptions options;
  options.memory_bytes_max = 1U << 30U;
  {
    Store measured(Policy(), options);
    fill_small(measured);
    options.memory_bytes_max = measured.database().unevictable_bytes() + (2U << 20U);
  }
  Store store(Policy(), options);
  fill_small(store);
  std::uint64_t peak = 0;
  for (int i = 0; i < 200; ++i) {
    ASSERT_TRUE(store.commit({set_step(base::concat("z", i), std::string(65'536, 'v'))}).ok());
    if (i % 8 != 7) continue;
    store.persist();
    store.database().housekeep(std::chrono::milliseconds(i));
    int rounds = 0;
    while (store.database().must_wait() && ++rounds < 100) {
      store.database().housekeep(std::chrono::milliseconds(i));
    }
    EXPECT_LT(rounds, 100) << "waits for ever";
    peak = std::max(peak, store.database().memory_status().used_bytes);
  }
  EXPECT_LE(peak, options.memory_bytes_max + options.memory_bytes_max / 32);
}

TEST_F(ValueMemory, AWriterWaitsNotForValuesThatHistoryKeeps) {
  for (int i = 0; i < 100; ++i) ASSERT_TRUE(store_.commit({set_step(key_of(i), "old")}).ok());
  for (int i = 0; status().used_bytes <= status().limit; ++i) {
    ASSERT_TRUE(store_.commit({set_step(key_of(i % 100), std::string(8'000, 'v'))}).ok());
    store_.persist();
  }
  int rounds = 0;
  while (store_.database().must_wait() && ++rounds < 100) store_.persist();
  EXPECT_LT(rounds, 100);
}

TEST_F(ValueMemory, WhatWasFetchedForAnOperationIsUsedThoughThereIsNoRoom) {
  fill();
  const int number = cold_key();
  // Rows that wait for the backend exceed the bound.
  for (int i = 0; status().used_bytes <= status().limit; ++i) {
    ASSERT_TRUE(store_.commit({set_step(base::concat("more", i), value_of(i))}).ok());
  }
  Step append = step_on(StepKind::kAppend, key_of(number));
  append.value = "!";
  const KvOperation operation = commit_of({append});
  store_.core().fetch_for(operation);
  ASSERT_TRUE(store_.run(operation).ok());
  EXPECT_EQ(status().apply_fetches, 0U);
  EXPECT_EQ(read(number, ReadWait::kForDisk).value, value_of(number) + "!");
}

TEST(WarmInbox, TakesOneLargeValueAndNothingTwice) {
  WarmInbox inbox(1'000);
  const auto offer = [&inbox](std::string key, std::int64_t version, std::size_t bytes) {
    inbox.offer(
        {NamespaceId(1), kUserSpace, std::move(key), Version(version), std::string(bytes, 'v')});
  };
  offer("large", 1, 5'000);
  offer("small", 1, 10);
  EXPECT_FALSE(inbox.take_one({NamespaceId(1), kUserSpace, "small"}, Version(1)).has_value());
  EXPECT_EQ(inbox.take_one({NamespaceId(1), kUserSpace, "large"}, Version(1))->size(), 5'000U);
  EXPECT_TRUE(inbox.is_empty());
  for (int i = 0; i < 5; ++i) offer("k", 2, 10);
  offer("k", 3, 10);
  EXPECT_FALSE(inbox.take_one({NamespaceId(1), kUserSpace, "k"}, Version(4)).has_value());
  EXPECT_EQ(inbox.take(1).size(), 1U);
  EXPECT_EQ(inbox.take(10).size(), 1U);
  EXPECT_EQ(inbox.bytes(), 0U);
}

TEST_F(ValueMemory, WhatIsReadStaysLonger) {
  fill();
  // One value is read all the time while as many others come as there is room for twice.
  ASSERT_EQ(read(500, ReadWait::kForDisk).value, value_of(500));
  housekeep();
  for (int i = 0; i < kKeys; ++i) {
    ASSERT_TRUE(store_.commit({set_step(base::concat("more", i), value_of(i))}).ok());
    EXPECT_FALSE(read(500, ReadWait::kNever).is_cold) << i;
    if (i % 20 != 19) continue;
    store_.persist();
    housekeep();
  }
}

TEST_F(ValueMemory, AStartStaysBelowTheBound) {
  fill();
  const StateHash hash = store_.database().hash();
  store_.reopen();
  EXPECT_EQ(store_.database().hash(), hash);
  EXPECT_LE(status().used_bytes, status().limit);
  EXPECT_GT(status().spilled_values, static_cast<std::uint64_t>(kKeys) / 2);
  EXPECT_GT(status().resident_values, 100U);
  EXPECT_TRUE(store_.database().verify_tables().ok());
  for (int i = 0; i < kKeys; ++i) ASSERT_EQ(read(i, ReadWait::kForDisk).value, value_of(i));
}

TEST_F(ValueMemory, WithoutABoundNothingLeaves) {
  Store store;
  for (int i = 0; i < 100; ++i) ASSERT_TRUE(store.commit({set_step(key_of(i), value_of(i))}).ok());
  store.persist();
  store.database().housekeep(std::chrono::seconds(1));
  EXPECT_EQ(store.database().memory_status().spilled_values, 0U);
  EXPECT_EQ(store.database().cold_values().held(), 0U);
  EXPECT_EQ(store.database().unevictable_bytes(), store.database().memory_bytes());
  EXPECT_FALSE(store.database().must_wait());
}

TEST_F(ValueMemory, ChangedBytesBehindTheTablesEndTheProcess) {
  fill();
  const int number = cold_key();
  // A snapshot that holds other bytes than were written, as a broken disk gives them.
  RecordHeader header;
  const std::string key = key_of(number);
  header.version = store_.database().latest({NamespaceId(1), kUserSpace, key}).version;
  header.digest = store_.database().state().hasher().digest(value_of(number));
  store_.put_row(entry_row_key({NamespaceId(1), kUserSpace, key}),
                 entry_row_value(header, "other"));
  store_.database().cold_values().add(store_.newest(), *store_.backend().snapshot());
  EXPECT_EXIT((void)read(number, ReadWait::kForDisk), testing::ExitedWithCode(5), "digest");
  Step append = step_on(StepKind::kAppend, key);
  EXPECT_EXIT((void)store_.commit({append}), testing::ExitedWithCode(5), "digest");
}

}  // namespace
}  // namespace synod::core
