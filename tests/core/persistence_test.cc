// SPDX-License-Identifier: Apache-2.0
#include "core/persistence.h"

#include <gtest/gtest.h>

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/sim_loop.h"
#include "core/state/rows.h"
#include "core/table/slab_memory.h"

namespace synod::core {
namespace {

using std::chrono::milliseconds;

/// A backend that refuses on demand and tells written from durable.
class RefusingBackend final : public storage::StorageBackend {
 public:
  base::Status write(const storage::WriteBatch& batch) override {
    ++attempts;
    if (on_write) on_write();
    if (refuse_writes != base::StatusCode::kOk) return {refuse_writes, "refused"};
    for (const auto& put : batch.puts()) {
      if (put.value) {
        written[base::Bytes(put.key)] = *put.value;
      } else {
        written.erase(base::Bytes(put.key));
      }
    }
    batches.push_back(batch);
    return {};
  }
  base::Result<std::optional<base::Bytes>> get(base::BytesView key) const override {
    return look_up(written, key);
  }
  base::Result<std::optional<base::Bytes>> get_durable(base::BytesView key) const override {
    ++durable_reads;
    if (refuse_reads) return base::Status(base::StatusCode::kIoError, "refused");
    return look_up(durable, key);
  }
  base::Status scan(base::BytesView, base::BytesView,
                    base::Function<bool(base::BytesView, base::BytesView)>) const override {
    return {base::StatusCode::kUnsupported, "not needed here"};
  }
  base::Result<std::shared_ptr<const storage::BackendSnapshot>> snapshot() const override {
    if (refuse_snapshots != base::StatusCode::kOk) return base::Status(refuse_snapshots, "refused");
    ++snapshots;
    return std::shared_ptr<const storage::BackendSnapshot>(std::make_shared<Snapshot>(written));
  }
  base::Status flush() override {
    ++flushes;
    if (refuse_flush != base::StatusCode::kOk) return {refuse_flush, "refused"};
    durable = written;
    return {};
  }
  base::Status compact() override { return {}; }
  base::Status checkpoint(const std::string&) override { return {}; }
  Stats stats() const override { return {}; }
  std::string name() const override { return "refusing"; }

  base::StatusCode refuse_writes = base::StatusCode::kOk;
  base::StatusCode refuse_flush = base::StatusCode::kOk;
  base::StatusCode refuse_snapshots = base::StatusCode::kOk;
  bool refuse_reads = false;
  std::function<void()> on_write;
  mutable std::uint64_t snapshots = 0;
  std::uint64_t attempts = 0;
  std::uint64_t flushes = 0;
  mutable std::uint64_t durable_reads = 0;
  std::map<base::Bytes, base::Bytes, std::less<>> written;
  std::map<base::Bytes, base::Bytes, std::less<>> durable;
  std::vector<storage::WriteBatch> batches;

 private:
  class Snapshot final : public storage::BackendSnapshot {
   public:
    explicit Snapshot(std::map<base::Bytes, base::Bytes, std::less<>> rows)
        : rows_(std::move(rows)) {}
    base::Result<std::optional<base::Bytes>> get(base::BytesView key) const override {
      return look_up(rows_, key);
    }

   private:
    const std::map<base::Bytes, base::Bytes, std::less<>> rows_;
  };

  static std::optional<base::Bytes> look_up(
      const std::map<base::Bytes, base::Bytes, std::less<>>& rows, base::BytesView key) {
    const auto found = rows.find(key);
    return found == rows.end() ? std::nullopt : std::optional(found->second);
  }
};

class PersistenceTest : public testing::Test {
 protected:
  void apply(std::uint64_t index) {
    rows_.put_row("row" + std::to_string(index), "value");
    rows_.put_row(base::Bytes(1, kAppliedRow), applied_row_value({LogIndex(index), {}}));
    rows_.seal(LogIndex(index), Version(index));
  }

  base::SimLoop loop_{1};
  base::SimDispatcher& dispatcher_ = loop_.add_dispatcher();
  WriteBehind rows_;
  RefusingBackend backend_;
  Persistence persistence_{dispatcher_, rows_, backend_,
                           PersistenceOptions{milliseconds(200), milliseconds(500), {}, 0},
                           nullptr};
};

TEST_F(PersistenceTest, RowsWaitForOthersUnlessTheyAreMany) {
  Persistence lingering(dispatcher_, rows_, backend_,
                        PersistenceOptions{milliseconds(200), milliseconds(500), milliseconds(10),
                                           /*linger_bytes=*/100},
                        nullptr);
  apply(1);
  lingering.kick();
  loop_.run_for(milliseconds(5));
  apply(2);
  lingering.kick();
  EXPECT_EQ(backend_.attempts, 0U);
  loop_.run_for(milliseconds(6));
  EXPECT_EQ(backend_.attempts, 1U);
  EXPECT_EQ(lingering.written_index(), LogIndex(2));
  apply(3);
  lingering.kick();
  rows_.put_row("long", std::string(100, 'x'));
  apply(4);
  lingering.kick();
  loop_.run_for(milliseconds(1));
  EXPECT_EQ(backend_.attempts, 2U) << "the second kick did not end the wait";
  EXPECT_EQ(lingering.written_index(), LogIndex(4));
  lingering.stop();
}

TEST_F(PersistenceTest, NothingOfAWaitIsLeftAfterStop) {
  auto lingering =
      std::make_unique<Persistence>(dispatcher_, rows_, backend_, PersistenceOptions(), nullptr);
  apply(1);
  lingering->kick();
  loop_.run_for(milliseconds(1));
  lingering->stop();
  lingering.reset();
  loop_.run_for(milliseconds(1'000));
  EXPECT_EQ(backend_.attempts, 0U);
}

TEST_F(PersistenceTest, DoesTheWorkOnPagesInTurnsUntilItStops) {
  constexpr std::size_t kPieces = 20;
  constexpr std::size_t kBytes = kPieces * PageKeeper::kPieceBytes;
  PageKeeper pages;
  auto tending =
      std::make_unique<Persistence>(dispatcher_, rows_, backend_, PersistenceOptions(), nullptr);
  tending->tend(pages);
  pages.give_back(map_aligned(kBytes), kBytes);
  std::size_t waiting_between = 0;
  dispatcher_.post([&] { waiting_between = pages.bytes_waiting(); });
  loop_.run_for(milliseconds(1));
  EXPECT_GT(waiting_between, 0U) << "others have their turn";
  EXPECT_LT(waiting_between, kBytes);
  EXPECT_EQ(pages.bytes_waiting(), 0U);
  pages.give_back(map_aligned(kBytes), kBytes);
  dispatcher_.post([&] {
    tending->stop();
    tending.reset();
  });
  loop_.run_for(milliseconds(1));
  EXPECT_EQ(pages.bytes_waiting(), 0U) << "what is left is unmapped at the stop";
  EXPECT_FALSE(pages.is_attended());
}

TEST_F(PersistenceTest, WritesWhatIsSealedOnceKicked) {
  apply(1);
  apply(2);
  loop_.run_for(milliseconds(1'000));
  EXPECT_EQ(backend_.attempts, 0U);
  persistence_.kick();
  persistence_.kick();
  loop_.run_for(milliseconds(1));
  EXPECT_EQ(backend_.attempts, 1U);
  EXPECT_EQ(persistence_.written_index(), LogIndex(2));
  EXPECT_EQ(persistence_.durable_index(), LogIndex(0));
  EXPECT_EQ(backend_.written.count("row1"), 1U);
  EXPECT_EQ(persistence_.backlog_bytes(), 0U);
}

TEST_F(PersistenceTest, PausesAndRetriesTheRefusedBatchBeforeAnyLaterOne) {
  for (const auto code : {base::StatusCode::kNoSpace, base::StatusCode::kIoError}) {
    const std::uint64_t first = persistence_.written_index().value() + 1;
    backend_.batches.clear();
    backend_.attempts = 0;
    backend_.refuse_writes = code;
    apply(first);
    persistence_.kick();
    loop_.run_for(milliseconds(1));
    EXPECT_TRUE(persistence_.is_paused());
    EXPECT_EQ(persistence_.written_index(), LogIndex(first - 1));
    const std::uint64_t waiting = persistence_.backlog_bytes();
    EXPECT_GT(waiting, 0U);
    apply(first + 1);
    persistence_.kick();
    EXPECT_GT(persistence_.backlog_bytes(), waiting) << "the backlog grows behind the pause";
    loop_.run_for(milliseconds(150));
    EXPECT_EQ(backend_.attempts, 1U) << "a kick does not shorten the pause";
    loop_.run_for(milliseconds(200));
    EXPECT_EQ(backend_.attempts, 2U);
    backend_.refuse_writes = base::StatusCode::kOk;
    loop_.run_for(milliseconds(200));
    EXPECT_FALSE(persistence_.is_paused());
    ASSERT_EQ(backend_.batches.size(), 2U);
    EXPECT_EQ(backend_.batches[0].puts().back().key, "row" + std::to_string(first));
    EXPECT_EQ(backend_.batches[1].puts().back().key, "row" + std::to_string(first + 1));
    EXPECT_EQ(persistence_.written_index(), LogIndex(first + 1));
    EXPECT_EQ(persistence_.backlog_bytes(), 0U);
  }
}

TEST_F(PersistenceTest, LearnsWhatIsDurableFromTheBackendAlone) {
  std::vector<std::uint64_t> progress;
  persistence_.on_durable([&](LogIndex index) { progress.push_back(index.value()); });
  apply(1);
  persistence_.kick();
  loop_.run_for(milliseconds(600));
  EXPECT_EQ(persistence_.durable_index(), LogIndex(0));
  backend_.durable = backend_.written;  // The engine flushed by itself.
  apply(2);
  persistence_.kick();
  loop_.run_for(milliseconds(600));
  EXPECT_EQ(persistence_.written_index(), LogIndex(2));
  EXPECT_EQ(persistence_.durable_index(), LogIndex(1));
  backend_.refuse_reads = true;
  backend_.durable = backend_.written;
  loop_.run_for(milliseconds(600));
  EXPECT_EQ(persistence_.durable_index(), LogIndex(1));
  backend_.refuse_reads = false;
  loop_.run_for(milliseconds(600));
  EXPECT_EQ(persistence_.durable_index(), LogIndex(2));
  EXPECT_EQ(progress, (std::vector<std::uint64_t>{1, 2}));
  const std::uint64_t reads = backend_.durable_reads;
  loop_.run_for(milliseconds(5'000));
  EXPECT_EQ(backend_.durable_reads, reads) << "nothing is left to learn";
}

TEST_F(PersistenceTest, FlushesOnRequestAndAnswersHowItWent) {
  std::vector<base::StatusCode> answers;
  const auto request = [&] {
    persistence_.request_flush(
        [&](const base::Status& status) { answers.push_back(status.code()); });
    loop_.run_for(milliseconds(1));
  };
  apply(1);
  request();
  EXPECT_EQ(persistence_.durable_index(), LogIndex(1));
  apply(2);
  backend_.refuse_flush = base::StatusCode::kNoSpace;
  request();
  EXPECT_EQ(persistence_.written_index(), LogIndex(2));
  EXPECT_EQ(persistence_.durable_index(), LogIndex(1));
  backend_.refuse_writes = base::StatusCode::kIoError;
  apply(3);
  request();
  EXPECT_EQ(persistence_.written_index(), LogIndex(2));
  EXPECT_EQ(answers,
            (std::vector<base::StatusCode>{base::StatusCode::kOk, base::StatusCode::kNoSpace,
                                           base::StatusCode::kIoError}));
}

TEST_F(PersistenceTest, GoesOnByItselfAfterAFlushThatWasRefused) {
  backend_.refuse_writes = base::StatusCode::kNoSpace;
  apply(1);
  persistence_.request_flush([](const base::Status& status) { EXPECT_FALSE(status.ok()); });
  loop_.run_for(milliseconds(1));
  ASSERT_TRUE(persistence_.is_paused());
  backend_.refuse_writes = base::StatusCode::kOk;
  loop_.run_for(milliseconds(300));
  EXPECT_EQ(persistence_.written_index(), LogIndex(1)) << "nobody kicked, the pause must end";
  backend_.durable = backend_.written;
  loop_.run_for(milliseconds(600));
  EXPECT_EQ(persistence_.durable_index(), LogIndex(1));
}

TEST_F(PersistenceTest, StartsWhereTheBackendStands) {
  persistence_.start_at(LogIndex(41));
  EXPECT_EQ(persistence_.written_index(), LogIndex(41));
  EXPECT_EQ(persistence_.durable_index(), LogIndex(41));
  apply(42);
  EXPECT_TRUE(persistence_.drain_now(true).ok());
  EXPECT_EQ(persistence_.durable_index(), LogIndex(42));
}

TEST_F(PersistenceTest, DoesNothingOnceStopped) {
  base::StatusCode answer = base::StatusCode::kOk;
  apply(1);
  persistence_.kick();
  persistence_.request_flush([&](const base::Status& status) { answer = status.code(); });
  persistence_.stop();
  loop_.run_for(milliseconds(2'000));
  EXPECT_EQ(backend_.attempts, 0U);
  EXPECT_EQ(answer, base::StatusCode::kClosed);
}

/// Persistence that feeds a store with a memory bound.
class SnapshotsTest : public PersistenceTest {
 protected:
  SnapshotFloor floor_;
  ColdValues cold_{true, floor_};
  Persistence feeding_{dispatcher_, rows_, backend_,
                       PersistenceOptions{milliseconds(200), milliseconds(500), {}, 0}, &cold_};

  void write(std::uint64_t index) {
    apply(index);
    feeding_.kick();
    loop_.run_for(milliseconds(1));
  }
};

TEST_F(SnapshotsTest, EachWrittenBatchIsCoveredInTimeAndNotSooner) {
  loop_.run_for(milliseconds(1'000));
  write(1);
  EXPECT_EQ(cold_.covered(), Version(1)) << "the last one was long ago";
  write(2);
  write(3);
  EXPECT_EQ(cold_.covered(), Version(1));
  EXPECT_EQ(backend_.snapshots, 1U);
  loop_.run_for(milliseconds(250));
  EXPECT_EQ(cold_.covered(), Version(3)) << "nobody kicked again";
  EXPECT_EQ(backend_.snapshots, 2U);
  loop_.run_for(milliseconds(2'000));
  EXPECT_EQ(backend_.snapshots, 2U) << "there is nothing new to cover";
}

TEST_F(SnapshotsTest, AWriterAsFastAsTheBackendKeepsNoSnapshotAway) {
  loop_.run_for(milliseconds(1'000));
  Version covered_at_second{0};
  backend_.on_write = [&] {
    if (backend_.attempts == 2) covered_at_second = cold_.covered();
    if (backend_.attempts <= 2) apply(backend_.attempts + 1);
  };
  write(1);
  EXPECT_EQ(backend_.attempts, 3U);
  EXPECT_EQ(covered_at_second, Version(1));
}

TEST_F(SnapshotsTest, AWriterThatWaitsGetsOneSoon) {
  loop_.run_for(milliseconds(1'000));
  write(1);
  write(2);
  cold_.hurry(true);
  feeding_.kick();
  loop_.run_for(milliseconds(55));
  EXPECT_EQ(cold_.covered(), Version(2));
  write(3);
  EXPECT_EQ(cold_.covered(), Version(2));
  ASSERT_TRUE(feeding_.drain_now(false).ok());
  EXPECT_EQ(cold_.covered(), Version(3)) << "recovery has no time to wait for";
}

TEST_F(SnapshotsTest, OldOnesGoAsTheFloorRises) {
  for (std::uint64_t i = 1; i <= 4; ++i) {
    loop_.run_for(milliseconds(300));
    write(i);
  }
  EXPECT_EQ(cold_.held(), 4U);
  floor_.raise(Version(3), milliseconds(1), SnapshotFloor::kPinMax);
  loop_.run_for(milliseconds(300));
  EXPECT_EQ(cold_.held(), 2U) << "version 3 is still read";
  floor_.raise(Version(4), milliseconds(2), SnapshotFloor::kPinMax);
  loop_.run_for(milliseconds(300));
  EXPECT_EQ(cold_.held(), 1U) << "the newest always stays";
}

TEST_F(SnapshotsTest, ARefusedBatchIsNotCovered) {
  loop_.run_for(milliseconds(1'000));
  write(1);
  backend_.refuse_writes = base::StatusCode::kNoSpace;
  write(2);
  loop_.run_for(milliseconds(1'000));
  EXPECT_EQ(cold_.covered(), Version(1));
  backend_.refuse_writes = base::StatusCode::kOk;
  loop_.run_for(milliseconds(600));
  EXPECT_EQ(cold_.covered(), Version(2));
}

TEST_F(SnapshotsTest, AnEngineWithoutSnapshotsEndsIt) {
  backend_.refuse_snapshots = base::StatusCode::kUnsupported;
  loop_.run_for(milliseconds(1'000));
  write(1);
  EXPECT_FALSE(cold_.is_wanted());
  EXPECT_EQ(feeding_.written_index(), LogIndex(1));
}

TEST_F(SnapshotsTest, ASnapshotThatFailsIsTriedAgain) {
  backend_.refuse_snapshots = base::StatusCode::kIoError;
  loop_.run_for(milliseconds(1'000));
  write(1);
  EXPECT_TRUE(cold_.is_wanted());
  backend_.refuse_snapshots = base::StatusCode::kOk;
  loop_.run_for(milliseconds(300));
  EXPECT_EQ(cold_.covered(), Version(1));
}

TEST_F(SnapshotsTest, NothingIsTakenOnceStopped) {
  loop_.run_for(milliseconds(1'000));
  write(1);
  write(2);
  feeding_.stop();
  loop_.run_for(milliseconds(1'000));
  EXPECT_EQ(backend_.snapshots, 1U);
}

TEST_F(PersistenceTest, StopsTheProcessOnCorruption) {
  backend_.refuse_writes = base::StatusCode::kCorruption;
  apply(1);
  EXPECT_DEATH((void)persistence_.drain_now(false), "refused");
  backend_.refuse_writes = base::StatusCode::kOk;
  backend_.refuse_flush = base::StatusCode::kCorruption;
  EXPECT_DEATH((void)persistence_.drain_now(true), "refused");
}

}  // namespace
}  // namespace synod::core
