// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/function.h"
#include "base/status.h"
#include "consensus/protocol/learner.h"
#include "consensus/protocol/snapshot_task.h"
#include "consensus/protocol/types.h"
#include "consensus/runtime/state_label.h"

namespace synod::consensus {

/// A staged snapshot that is complete and durable: what it contains, as read from it, and the
/// name of the directory that holds it.
struct StagedImage {
  SnapshotManifest manifest;
  std::string directory;
};

/// The seam to what executes the log.
///
/// Invariants
///   M1  deliveries come in slot order, each slot once after the last label();
///   M2  data and label change in one step: after a crash the state is that of some earlier label;
///   M3  what was flushed survives; durable_applied() never names more than that;
///   M4  the state after a delivery is a function of the deliveries alone: no clock, no chance;
///   M5  a manifest is read from the finished image, never from what the caller believes.
///
/// Threads: called on the apply strand, and completions run there too, in the call or later.
/// Failure: an error of apply, flush or switch_state means that the disk broke its promise and
/// ends the process; an error of anything about snapshots costs that snapshot only.
class StateMachine {
 public:
  template <class Value>
  using Done = base::Function<void(Value)>;

  virtual ~StateMachine() = default;

  /// Of the state in memory; right after the start it is the flushed one.
  [[nodiscard]] virtual StateLabel label() const = 0;
  /// Survives a power cut up to here.
  [[nodiscard]] virtual Slot durable_applied() const = 0;
  /// The newest own snapshot that is durable.
  [[nodiscard]] virtual std::optional<SnapshotManifest> newest_snapshot() const = 0;

  /// Executes the deliveries; `after` is the label of the state behind them. One result for each
  /// delivery, in order; that of a fenced delivery or of no command is not looked at.
  virtual void apply(std::vector<Delivery> deliveries, const StateLabel& after,
                     Done<base::Result<std::vector<base::Bytes>>> done) = 0;
  /// Makes everything applied so far durable.
  virtual void flush(Done<base::Status> done) = 0;

  /// Makes a durable snapshot of the present state. Older ones may go when nobody reads them.
  virtual void take_snapshot(Done<base::Result<SnapshotManifest>> done) = 0;
  /// This reader was told of the snapshot and may come for it: it is read already.
  virtual void keep_snapshot(const KeepSnapshot& keep) = 0;
  /// Bytes of an own snapshot; none: it is gone. A repetition of a question that still waits may
  /// go without an answer of its own.
  virtual void read_snapshot(const ReadSnapshot& request,
                             Done<std::optional<base::Bytes>> done) = 0;

  /// This reader needs it no longer.
  virtual void release_snapshot(const ReleaseSnapshot& release) = 0;

  /// Makes or finds the staging area of a snapshot of another replica; all other staging areas may
  /// go. Answers with what it holds of each file.
  virtual void begin_staging(const SnapshotManifest& manifest,
                             Done<base::Result<std::vector<StagedFile>>> done) = 0;
  virtual void stage(const StageBytes& bytes, Done<base::Status> done) = 0;
  virtual void restart_file(const RestartFile& file, Done<base::Status> done) = 0;
  /// All files are there: makes them durable and reads what they contain.
  virtual void finish_staging(const SnapshotManifest& manifest,
                              Done<base::Result<StagedImage>> done) = 0;
  virtual void discard_staging(SnapshotId snapshot) = 0;
  /// The superblock names this image as the state: from now on it is.
  virtual void switch_state(const StagedImage& image, Done<base::Status> done) = 0;
};

}  // namespace synod::consensus
