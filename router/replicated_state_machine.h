// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "base/random.h"
#include "consensus/runtime/state_machine.h"
#include "core/kv_service_core.h"
#include "router/command.h"
#include "router/commit_observer.h"
#include "router/replica_image.h"
#include "router/snapshot_staging.h"
#include "router/snapshot_store.h"

namespace synod::router {

/// What the apply strand tells about each command and each change of the fence. Called on the
/// apply strand, in log order, after the version is visible; must not wait.
class ApplyListener {
 public:
  virtual ~ApplyListener() = default;
  /// Executed at `slot`, here and on every replica.
  virtual void on_executed(const CommandId& id, consensus::Slot slot,
                           core::ExecutionResult& result) = 0;
  /// The command stands at `slot` and changed nothing: its leader was deposed first.
  virtual void on_fenced(const CommandId& id, consensus::Slot slot) = 0;
  virtual void on_hash_mark(const CommandId& id, consensus::Slot slot,
                            const core::StateHash& hash) = 0;
  /// Everything proposed in a ballot below `fence` and not executed here by now never will be.
  virtual void on_fence(const consensus::Ballot& fence, consensus::Slot slot) = 0;
  /// Another image took over: what happened up to its slot was not told.
  virtual void on_skipped(const consensus::StateLabel& label) = 0;
};

struct StateMachineOptions {
  std::string directory;  ///< The data directory; images and snapshots lie below it.
  std::string active;     ///< The image that the superblock names; "db" is the first one.
  /// What an image without any row begins with. None: such an image is damage, because the log
  /// does not begin with slot 1.
  std::optional<consensus::Chain> first_chain;
  std::uint64_t backlog_bytes_max = 64U << 20;  ///< Rows not yet in the backend; then apply waits.
  std::uint64_t disk_reserve_bytes = 0;         ///< No snapshot is pulled into it; 0: a default.
  core::DatabaseOptions database;
  core::PersistenceOptions persistence;
  CommitObserver* observer = nullptr;  ///< Of what is executed; outlives the machine.
};

/// The replica's state behind consensus::StateMachine: committed commands are decoded and executed
/// by core on this replica's own tables; everything of one slot, the label included, reaches the
/// backend in one batch; snapshots are checkpoints of the backend, served and staged file by file.
///
/// Owned by Replicated. Invariants: M1 to M5 of StateMachine, and
///   SM1  LogIndex n is slot n: every slot advances the applied index, whatever it holds;
///   SM2  the label is a row of the backend, in the batch of the slot that changed it;
///   SM3  an image that readers still hold stays whole until the last of them lets go;
///   SM4  an image from elsewhere is loaded and checked before the superblock can name it;
///   SM5  the superblock never names a directory before it is durable under that name.
///
/// Threads: StateMachine's rule; `image` and `interrupt` from any thread. `open` before the
/// dispatchers run, `close` and destruction after they stopped.
/// Failure: StateMachine's rule; a full disk is waited for. A command that does not decode ends the
/// process: every replica checked its checksum before it was decided.
class ReplicatedStateMachine final : public consensus::StateMachine {
 public:
  /// Opens the active image and loads its tables. Removes other images and what is no whole
  /// snapshot; a staging area stays, so that a pull goes on where it ended.
  [[nodiscard]] static base::Result<std::unique_ptr<ReplicatedStateMachine>> open(
      StateMachineSeams seams, StateMachineOptions options);
  ~ReplicatedStateMachine() override;

  /// Before the first apply.
  void set_listener(ApplyListener& listener) { listener_ = &listener; }
  /// The chain that the group began with, when it is known later than the image was made. Before
  /// the first apply; on the apply strand, or before it runs. REQUIRES: nothing was applied.
  void found(const consensus::Chain& first);
  [[nodiscard]] std::shared_ptr<const ReplicaImage> image() const;
  /// Of the image, for diagnostics. Any thread.
  [[nodiscard]] consensus::Slot applied() const { return consensus::Slot(applied_.load()); }
  /// Apply strand, between deliveries: would a Tick stamped `now` change something?
  [[nodiscard]] bool needs_tick(core::TimeMs now) const;
  /// Apply strand: the mutable image, for administration.
  [[nodiscard]] ReplicaImage& current() { return *image_; }
  /// Makes long work on the storage dispatcher end early. Any thread.
  void interrupt();
  /// Rows not yet in the backend. Apply strand.
  [[nodiscard]] std::uint64_t backlog_bytes() const { return image_->persistence->backlog_bytes(); }
  /// After the dispatchers stopped: flushes the backend.
  [[nodiscard]] base::Status close();

  [[nodiscard]] consensus::StateLabel label() const override;
  [[nodiscard]] consensus::Slot durable_applied() const override;
  [[nodiscard]] std::optional<consensus::SnapshotManifest> newest_snapshot() const override;
  void apply(std::vector<consensus::Delivery> deliveries, const consensus::StateLabel& after,
             Done<base::Result<std::vector<base::Bytes>>> done) override;
  void flush(Done<base::Status> done) override;
  void take_snapshot(Done<base::Result<consensus::SnapshotManifest>> done) override;
  void keep_snapshot(const consensus::KeepSnapshot& keep) override;
  void read_snapshot(const consensus::ReadSnapshot& request,
                     Done<std::optional<base::Bytes>> done) override;
  void release_snapshot(const consensus::ReleaseSnapshot& release) override;
  void begin_staging(const consensus::SnapshotManifest& manifest,
                     Done<base::Result<std::vector<consensus::StagedFile>>> done) override;
  void stage(const consensus::StageBytes& bytes, Done<base::Status> done) override;
  void restart_file(const consensus::RestartFile& file, Done<base::Status> done) override;
  void finish_staging(const consensus::SnapshotManifest& manifest,
                      Done<base::Result<consensus::StagedImage>> done) override;
  void discard_staging(consensus::SnapshotId snapshot) override;
  void switch_state(const consensus::StagedImage& image, Done<base::Status> done) override;

 private:
  using Results = std::vector<base::Bytes>;
  /// One call of apply().
  struct Batch {
    std::vector<consensus::Delivery> deliveries;
    consensus::StateLabel after;
    Done<base::Result<Results>> done;
    std::size_t next = 0;  ///< The first delivery that is not executed.
  };
  /// An image that waits for the superblock to name it.
  struct Prepared {
    consensus::SnapshotId snapshot;
    std::shared_ptr<ReplicaImage> image;
  };

  ReplicatedStateMachine(StateMachineSeams seams, StateMachineOptions options);
  [[nodiscard]] base::Status recover();

  void housekeep_later();
  void run();
  [[nodiscard]] base::Status execute(Batch& batch);
  [[nodiscard]] base::Status execute(const consensus::Delivery& delivery);
  [[nodiscard]] base::Status execute_command(const consensus::Delivery& delivery);
  void finish_front();
  void refuse_waiting(const base::Status& status);
  [[nodiscard]] bool must_wait() const;
  void on_flushed(const base::Status& status, Done<base::Status> done);

  [[nodiscard]] base::Result<consensus::StagedImage> prepare(
      const consensus::SnapshotManifest& manifest, const storage::StorageBackend& engine);
  [[nodiscard]] base::Status move_into_place(const std::string& staged, const std::string& name);
  void drop_prepared();
  [[nodiscard]] base::Result<std::shared_ptr<ReplicaImage>> take_prepared(const std::string& name);
  [[nodiscard]] base::Status adopt(std::shared_ptr<ReplicaImage> image,
                                   const consensus::SnapshotManifest& manifest);

  StateMachineSeams seams_;
  const StateMachineOptions options_;
  std::atomic<bool> interrupted_ = false;
  const std::shared_ptr<ImageYard> yard_;
  SnapshotStore snapshots_;
  ApplyListener* listener_ = nullptr;

  // Apply strand.
  std::shared_ptr<ReplicaImage> image_;  ///< Changed under the mutex, for image().
  mutable std::mutex image_mutex_;
  std::atomic<std::uint64_t> applied_{0};  ///< As in the label.
  consensus::StateLabel label_;
  std::deque<Batch> waiting_;
  bool is_running_ = false;
  bool is_waiting_ = false;  ///< For the backlog; a timer is set.
  bool has_failed_ = false;
  base::TimerId housekeep_timer_;  ///< Only if memory is bounded.

  // Storage dispatcher.
  SnapshotStaging staging_;
  std::optional<Prepared> prepared_;
  base::Random names_;
};

}  // namespace synod::router
