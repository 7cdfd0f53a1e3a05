// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/channel.h"
#include "base/dispatcher.h"
#include "base/function.h"
#include "core/kv_store_executor.h"
#include "core/persistence.h"
#include "router/commit_observer.h"
#include "router/operation_group.h"
#include "router/run_record.h"
#include "router/stamp_clock.h"
#include "storage/file.h"
#include "storage/log/segmented_log.h"

namespace synod::router {

struct PipelineOptions {
  Durability durability = Durability::kSync;
  base::Nanos batched_interval = std::chrono::milliseconds(100);
  base::Nanos tick_interval = std::chrono::milliseconds(50);
  std::size_t pending_max = 65'536;              ///< Operations queued; more are BUSY.
  std::uint64_t pending_bytes_max = 128U << 20;  ///< Bytes queued; more are BUSY.
  std::size_t group_operations_max = 4'096;      ///< Of one frame.
  std::uint64_t group_bytes_max = 8U << 20;      ///< Of one frame, unless one operation is larger.
  std::uint64_t unsynced_bytes_max = 8U << 20;   ///< batched, async: written earlier than this.
  std::uint64_t backlog_bytes_max = 256U << 20;  ///< Rows not yet in the backend; then it waits.
  std::uint64_t log_bytes_max = 4ULL << 30;      ///< Admission closes here.
  CommitObserver* observer = nullptr;            ///< Outlives the pipeline.
};

/// Where a broken promise of the disk goes: the real server ends the process, a simulated one
/// marks itself dead. After it was called the pipeline never completes anything again.
using FatalHandler = base::Function<void(const std::string& reason)>;

/// One operation on its way.
struct PendingOperation {
  core::KvOperation operation;
  std::optional<base::Nanos> deadline;
  base::Function<void(core::Outcome)> done;
  base::Nanos submitted{0};
  std::uint64_t bytes = 0;
};

/// The log of one: stamps operations, appends them in groups, makes them durable as the mode
/// promises, executes and answers them, in one order.
///
/// Owned by Standalone.
///
/// Invariants
///   CP1  sync: an operation is executed and answered only after the frame that holds it is
///        durable. Nothing is ever evaluated on top of something that is not.
///   CP2  The order of the log, of execution and of completion is the order of submission.
///   CP3  batched, async: no version above the durable ceiling is used.
///   CP4  After a failed write or sync of the log nothing is answered: outcomes are unknown.
///
/// Threads: `submit` from any thread, everything else on the commit dispatcher (or before it runs).
class CommitPipeline {
 public:
  CommitPipeline(base::Dispatcher& dispatcher, base::Dispatcher& background,
                 storage::FileSystem& files, std::string directory,
                 std::unique_ptr<storage::SegmentedLog> log, core::KvServiceCore& core,
                 core::TransactionalKvDatabase& database, core::Persistence& persistence,
                 const PipelineOptions& options, FatalHandler fatal);

  /// Queues the operation. False, with `pending` untouched, if the queue is full.
  [[nodiscard]] bool submit(PendingOperation& pending);
  /// Executes one operation with everything durable before it returns; before `start`.
  [[nodiscard]] base::Result<core::Outcome> execute_now(core::KvOperation operation);
  /// Begins serving: ticks and housekeeping run from here on.
  [[nodiscard]] base::Status start();
  /// Nothing is executed until as many calls of `resume`; what is queued waits.
  void pause() { ++pauses_; }
  void resume();
  /// Ends serving: answers what is queued, makes the log complete. On the dispatcher or after it.
  [[nodiscard]] base::Status finish();
  /// Log segments whose operations are all durable in the backend may go.
  void truncate(core::LogIndex durable);

  [[nodiscard]] std::uint64_t log_bytes() const {
    return log_bytes_.load(std::memory_order_relaxed);
  }
  [[nodiscard]] std::size_t pending() const { return queue_.size(); }

 private:
  void wake();
  void run();
  [[nodiscard]] bool is_behind() const;
  [[nodiscard]] std::vector<PendingOperation> take_group();
  void commit_durably(std::vector<PendingOperation> group);
  void commit_at_once(std::vector<PendingOperation> group);
  void execute(std::vector<PendingOperation>& group);
  /// A group is executed and answered; its execution began at `begun`.
  void observe(const std::vector<PendingOperation>& group, base::Nanos begun) const;
  [[nodiscard]] base::Status write_group(OperationGroup& group);
  void flush_unsynced();
  [[nodiscard]] bool raise_ceiling(std::size_t operations);
  void tick();
  void fail(const base::Status& status);
  void refuse(std::vector<PendingOperation>& group, const base::Status& status);
  void relieve_log();
  [[nodiscard]] core::LogIndex next_index() const;

  base::Dispatcher& dispatcher_;
  base::Dispatcher& background_;
  storage::FileSystem& files_;
  const std::string directory_;
  const std::unique_ptr<storage::SegmentedLog> log_;
  core::KvServiceCore& core_;
  core::TransactionalKvDatabase& database_;
  core::KvStoreExecutor executor_;
  core::Persistence& persistence_;
  const PipelineOptions options_;
  FatalHandler fatal_;
  StampClock stamps_;

  base::BoundedChannel<PendingOperation> queue_;
  std::atomic<std::uint64_t> pending_bytes_{0};
  std::atomic<std::uint64_t> log_bytes_{0};

  // Dispatcher only.
  bool scheduled_ = false;
  int pauses_ = 0;
  bool finishing_ = false;
  bool log_is_full_ = false;  ///< batched, async: a flush found no space; nothing is admitted.
  bool failed_ = false;
  bool stopped_ = false;
  bool tick_wanted_ = false;
  bool flush_timer_set_ = false;
  bool flush_requested_ = false;
  std::optional<OperationGroup> unsynced_;
  core::Version ceiling_{0};
  bool preparing_ = false;
  base::Nanos prepare_not_before_{0};
  base::Nanos flush_requested_at_{0};
  /// Frames whose segments may go once the index is durable; the newest, and one in kMarkEvery
  /// before it.
  std::deque<std::pair<storage::FrameSeq, core::LogIndex>> frame_marks_;
  std::uint64_t frames_since_mark_ = 0;
};

}  // namespace synod::router
