// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <variant>
#include <vector>

#include "base/dispatcher.h"
#include "base/function.h"
#include "base/status.h"
#include "consensus/protocol/learner.h"
#include "consensus/protocol/snapshot_task.h"
#include "consensus/runtime/inbox.h"
#include "consensus/runtime/log_writer.h"
#include "consensus/runtime/state_machine.h"

namespace synod::consensus {

// What the apply strand tells the consensus strand.
struct AppliedThrough {
  Slot first;
  std::vector<base::Bytes> results;  ///< Of consecutive slots.
};
struct StateFlushed {
  Slot through;
};
struct SnapshotTaken {
  SnapshotManifest manifest;
};
struct SnapshotAttemptFailed {
  base::Status status;
};
struct SnapshotBegun {
  SnapshotId snapshot;
  std::vector<StagedFile> staged;
};
struct SnapshotBytesRead {
  ReadSnapshot request;
  std::optional<base::Bytes> bytes;
};
struct StagingFailed {
  SnapshotId snapshot;
  base::Status status;
};
/// The state is this image, or contained all of it before.
struct SnapshotInstalled {
  SnapshotManifest label;
};
using ApplyEvent = std::variant<AppliedThrough, StateFlushed, SnapshotTaken, SnapshotAttemptFailed,
                                SnapshotBegun, SnapshotBytesRead, StagingFailed, SnapshotInstalled>;

/// When the state is flushed and snapshots are taken.
struct StatePolicy {
  std::uint64_t flush_every_slots = 100'000;
  std::uint64_t snapshot_every_slots = 1'000'000;
  /// Behind an attempt that failed, or that was made because the log is large.
  Instant snapshot_pause = base::Millis(5000);
};

/// The apply strand: executes what is decided, keeps the label of the state, flushes, takes and
/// serves snapshots, stages and installs those of others.
///
/// Owned by ReplicaRuntime. Invariants
///   L3  the state machine gets every slot once, in order;
///   M2  the label handed over with deliveries is that of the state behind them;
///   I1  while an image is installed nothing is executed; deliveries it contains are dropped;
///   I2  an image is installed only if it is newer than the state, and the superblock names it
///       before the state machine uses it;
///   I3  an image of which a piece could not be staged is not finished, however much was ordered
///       before the failure was known.
///
/// Threads: the calls come from any thread; all work and `events` happen on the apply strand.
/// Failure: see StateMachine; what ends the process goes to `on_failed` once.
class ApplyWorker {
 public:
  ApplyWorker(base::Dispatcher& apply_strand, StateMachine& machine, LogWriter& log,
              StatePolicy policy, base::Function<void(ApplyEvent)> events,
              base::Function<void(const base::Status&)> on_failed);

  void apply(std::vector<Delivery> deliveries) { inbox_.push(std::move(deliveries)); }
  void carry_out(SnapshotTask task) { inbox_.push(std::move(task)); }
  /// Unless there is a snapshot of at least this slot, or an attempt failed a moment ago.
  void take_snapshot(Slot at_least) { inbox_.push(TakeSnapshot{at_least, {}}); }
  /// At once, whatever there is; `done` runs on the apply strand. kBusy while an image is
  /// installed.
  using SnapshotDone = base::Function<void(base::Result<Slot>)>;
  void take_snapshot(SnapshotDone done) { inbox_.push(TakeSnapshot{Slot(), std::move(done)}); }
  /// The log wants to be cut: flushes and takes a snapshot of what is executed.
  void relieve_log() { inbox_.push(RelieveLog()); }

 private:
  struct TakeSnapshot {
    Slot at_least;
    SnapshotDone done;  ///< Null: for a peer.
  };
  struct RelieveLog {};
  struct Resume {
    StagedImage image;
  };
  using Request =
      std::variant<std::vector<Delivery>, SnapshotTask, TakeSnapshot, RelieveLog, Resume>;

  void handle(std::vector<Request>& requests);
  void handle_one(Request request);
  void execute(std::vector<Delivery> deliveries);
  void on_executed(Slot first, base::Result<std::vector<base::Bytes>> results);
  void flush_if_due();
  void flush();
  void snapshot_if_due();
  void take_snapshot();
  void on_snapshot(base::Result<SnapshotManifest> manifest);
  void do_take(TakeSnapshot& wanted);
  void do_relieve();
  [[nodiscard]] bool is_pausing() const;
  void note_gone(SnapshotId snapshot);
  void do_task(BeginStaging& task);
  void do_task(const StageBytes& task);
  void do_task(const RestartFile& task);
  void do_task(FinishStaging& task);
  void do_task(const KeepSnapshot& task);
  void do_task(const ReadSnapshot& task);
  void do_task(const ReleaseSnapshot& task);
  void note_staging(SnapshotId snapshot, const base::Status& status);
  [[nodiscard]] bool is_broken(SnapshotId snapshot) const;
  void begin_install(StagedImage image);
  void install_when_idle();
  void discard_install();
  void go_on_with_held();
  void finish_install(StagedImage image);
  void fail(const base::Status& status);

  base::Dispatcher& strand_;
  StateMachine& machine_;
  LogWriter& log_;
  StatePolicy policy_;
  base::Function<void(ApplyEvent)> events_;
  base::Function<void(const base::Status&)> on_failed_;
  StateLabel label_;  ///< Behind everything handed to the machine.
  Slot executed_;     ///< Completed.
  Slot flushed_;
  Slot snapshot_;            ///< The newest own one,
  SnapshotId snapshot_id_;   ///< and its name.
  std::size_t running_ = 0;  ///< apply() calls without completion.
  bool is_flushing_ = false;
  bool is_snapshotting_ = false;
  bool has_failed_ = false;
  std::optional<Instant> paused_until_;     ///< No snapshot is begun by itself before.
  std::vector<SnapshotDone> want_outcome_;  ///< Of the snapshot under way.
  std::optional<StagedImage> install_;
  bool is_switching_ = false;
  SnapshotId broken_staging_;  ///< I3; until a staging begins again.
  std::vector<Request> held_;  ///< While an image is installed.
  Inbox<Request> inbox_;
};

}  // namespace synod::consensus
