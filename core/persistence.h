// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstdint>
#include <vector>

#include "base/clock.h"
#include "base/dispatcher.h"
#include "base/function.h"
#include "base/status.h"
#include "core/cold_values.h"
#include "core/table/page_keeper.h"
#include "core/types.h"
#include "core/write_behind.h"
#include "storage/storage_backend.h"

namespace synod::core {

struct PersistenceOptions {
  base::Nanos retry_after = std::chrono::milliseconds(200);  ///< After a refused write.
  base::Nanos poll_every = std::chrono::milliseconds(500);   ///< For what became durable.
  /// Rows wait so long for others, unless so many bytes of them wait: larger batches cost the
  /// backend less for each row, and rows that are written again meanwhile cost nothing. The log
  /// holds the data.
  base::Nanos linger = std::chrono::milliseconds(50);
  std::uint64_t linger_bytes = 4U << 20U;
  /// A snapshot of the backend for values that leave memory, at most so often; and while the writer
  /// waits for one.
  base::Nanos snapshot_every = std::chrono::milliseconds(250);
  base::Nanos snapshot_hurried = std::chrono::milliseconds(50);
};

/// Writes the tables' rows to the storage backend behind them.
///
/// Owned by the server's composition. Runs on a Dispatcher of its own (or one it shares).
///
/// Invariants
///   PE1  written_index() and durable_index() never decrease, and durable <= written.
///   PE2  Batches reach the backend whole and in order; a refused one is retried before the next.
///   PE3  A snapshot is taken between two batches and covers the version of the last one, so that
///        it holds all of that and nothing later. Within snapshot_every of a written batch there is
///        a snapshot that covers it.
///   PE4  The PageKeeper's work is done between two batches, a few pages at a time.
///
/// Threads: `kick`, `request_flush` and the indexes from any thread; `drain_now`, `tend` and
/// `on_durable` before the dispatcher runs tasks, or on it.
/// Failure: kNoSpace and kIoError pause it and are retried, because the log holds the data; the
/// caller sees the backlog grow and closes admission. kCorruption is fail-stop.
class Persistence {
 public:
  /// `cold`: gets the snapshots it wants. Null only if values never leave memory: a writer over
  /// its bound waits for them.
  Persistence(base::Dispatcher& dispatcher, WriteBehind& rows, storage::StorageBackend& backend,
              const PersistenceOptions& options, ColdValues* cold);
  ~Persistence();

  /// There may be something to write: it is written within `linger`.
  void kick();
  /// Makes everything sealed so far durable, then calls `done` on the dispatcher.
  void request_flush(base::Function<void(base::Status)> done);
  /// Writes what is sealed and, if asked, makes it durable, before it returns. If the writer waits
  /// for values to leave, there is a snapshot as well.
  [[nodiscard]] base::Status drain_now(bool flush);
  /// `progress` runs on the dispatcher whenever durable_index() rose.
  void on_durable(base::Function<void(LogIndex)> progress) { progress_ = std::move(progress); }
  /// Does the work of `pages`, which outlives this, until stop().
  void tend(PageKeeper& pages);
  /// Recovery: what the backend held when it was opened.
  void start_at(LogIndex index);
  /// Nothing of it is left on the dispatcher when it returns there, unless somebody kicks again.
  void stop();

  [[nodiscard]] LogIndex written_index() const { return LogIndex(written_.load()); }
  [[nodiscard]] LogIndex durable_index() const { return LogIndex(durable_.load()); }
  /// True while the backend refuses writes.
  [[nodiscard]] bool is_paused() const { return paused_.load(std::memory_order_relaxed); }
  /// Bytes waiting, also those of a batch that is being retried.
  [[nodiscard]] std::uint64_t backlog_bytes() const { return rows_.held_bytes(); }

 private:
  enum class Phase : std::uint8_t { kIdle, kLingering, kDue };

  void linger();
  void run();
  [[nodiscard]] base::Status write_pending();
  void follow_up();
  void learn_durable();
  void poll();
  [[nodiscard]] bool wants_snapshot() const {
    return cold_ != nullptr && cold_->is_wanted() && written_version_ > cold_->covered();
  }
  void serve_cold_values(bool at_once);
  void tend_pages();
  void take_snapshot();

  base::Dispatcher& dispatcher_;
  WriteBehind& rows_;
  storage::StorageBackend& backend_;
  const PersistenceOptions options_;
  ColdValues* const cold_;
  PageKeeper* pages_ = nullptr;
  base::Function<void(LogIndex)> progress_;

  std::atomic<Phase> phase_{Phase::kIdle};
  std::atomic<bool> paused_{false};
  std::atomic<std::uint64_t> written_{0};
  std::atomic<std::uint64_t> durable_{0};

  // Dispatcher only.
  WriteBehind::Batch retry_;
  bool stopped_ = false;
  bool polling_ = false;
  base::TimerId linger_timer_;
  base::TimerId retry_timer_;
  base::TimerId poll_timer_;
  base::TimerId snapshot_timer_;
  base::TimerId pages_timer_;
  Version written_version_{0};
  base::Nanos snapshot_at_{0};  ///< When the last one was tried.
};

}  // namespace synod::core
