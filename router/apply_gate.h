// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <vector>

#include "base/function.h"
#include "consensus/runtime/state_machine.h"

namespace synod::router {

/// A gate before a state machine: while it is closed nothing changes the state, so that it can be
/// compared with its copies. All else passes.
///
/// Owned by Replicated. Invariants: those of StateMachine, and
///   AG1  between the call of `then` and resume() nothing is executed and no image switched;
///   AG2  what was held back is carried out in the order it came.
///
/// Threads: the apply strand.
class ApplyGate final : public consensus::StateMachine {
 public:
  explicit ApplyGate(consensus::StateMachine& machine) : machine_(machine) {}

  /// Calls `then` as soon as nothing is being executed. Each pause needs one resume().
  void pause(base::Function<void()> then);
  void resume();

  [[nodiscard]] consensus::StateLabel label() const override { return machine_.label(); }
  [[nodiscard]] consensus::Slot durable_applied() const override {
    return machine_.durable_applied();
  }
  [[nodiscard]] std::optional<consensus::SnapshotManifest> newest_snapshot() const override {
    return machine_.newest_snapshot();
  }
  void apply(std::vector<consensus::Delivery> deliveries, const consensus::StateLabel& after,
             Done<base::Result<std::vector<base::Bytes>>> done) override;
  void flush(Done<base::Status> done) override { machine_.flush(std::move(done)); }
  void take_snapshot(Done<base::Result<consensus::SnapshotManifest>> done) override {
    machine_.take_snapshot(std::move(done));
  }
  void keep_snapshot(const consensus::KeepSnapshot& keep) override { machine_.keep_snapshot(keep); }
  void read_snapshot(const consensus::ReadSnapshot& request,
                     Done<std::optional<base::Bytes>> done) override {
    machine_.read_snapshot(request, std::move(done));
  }
  void release_snapshot(const consensus::ReleaseSnapshot& release) override {
    machine_.release_snapshot(release);
  }
  void begin_staging(const consensus::SnapshotManifest& manifest,
                     Done<base::Result<std::vector<consensus::StagedFile>>> done) override {
    machine_.begin_staging(manifest, std::move(done));
  }
  void stage(const consensus::StageBytes& bytes, Done<base::Status> done) override {
    machine_.stage(bytes, std::move(done));
  }
  void restart_file(const consensus::RestartFile& file, Done<base::Status> done) override {
    machine_.restart_file(file, std::move(done));
  }
  void finish_staging(const consensus::SnapshotManifest& manifest,
                      Done<base::Result<consensus::StagedImage>> done) override {
    machine_.finish_staging(manifest, std::move(done));
  }
  void discard_staging(consensus::SnapshotId snapshot) override {
    machine_.discard_staging(snapshot);
  }
  void switch_state(const consensus::StagedImage& image, Done<base::Status> done) override;

 private:
  void run(base::Function<void()> change);
  void end_one();
  void begin_pauses();

  consensus::StateMachine& machine_;
  std::size_t running_ = 0;                      ///< Changes under way.
  std::size_t pauses_ = 0;                       ///< Begun or waiting to begin.
  std::vector<base::Function<void()>> waiting_;  ///< For the gate to be closed.
  std::vector<base::Function<void()>> held_;
};

}  // namespace synod::router
