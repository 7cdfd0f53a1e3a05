// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/sim_loop.h"
#include "router/replicated_state_machine.h"
#include "storage/sim_file.h"

namespace synod::router {

/// A decided log as a group might write it, with the label and the state hash that belong to each
/// of its slots.
class DecidedLog {
 public:
  DecidedLog();

  void operation(core::KvOperation operation, bool is_fenced = false);
  void set(const std::string& key, const std::string& value, bool is_fenced = false);
  void hash_mark();
  void barrier(std::uint64_t round, std::uint32_t owner);
  void fill();
  void learner(std::uint32_t id, bool is_added);
  void stop_sign();
  void raw_command(base::Bytes bytes);
  /// So many entries of every kind, drawn from the seed; a policy first.
  void random_entries(std::uint64_t seed, std::size_t count);

  [[nodiscard]] const consensus::Chain& first_chain() const { return labels_.front().chain; }
  [[nodiscard]] std::size_t size() const { return deliveries_.size(); }
  /// Of slots first..last.
  [[nodiscard]] std::vector<consensus::Delivery> slots(std::uint64_t first,
                                                       std::uint64_t last) const;
  [[nodiscard]] const consensus::StateLabel& label(std::uint64_t slot) const {
    return labels_.at(slot);
  }
  [[nodiscard]] const core::StateHash& hash(std::uint64_t slot) const { return hashes_.at(slot); }

 private:
  void add(consensus::EntryKind kind, base::Bytes bytes, bool is_fenced = false);

  consensus::Ballot ballot_;
  std::vector<consensus::Delivery> deliveries_;
  std::vector<consensus::StateLabel> labels_;  ///< By slot, from 0.
  std::vector<core::StateHash> hashes_;
  core::TransactionalKvDatabase database_;
  core::KvServiceCore core_;
  std::uint64_t sequence_ = 0;
};

/// One state machine with dispatchers and a disk of its own, which outlive it; notes what the
/// listener hears.
class MachineRig final : public ApplyListener {
 public:
  MachineRig(base::SimLoop& loop, std::uint64_t seed, const DecidedLog& log);
  ~MachineRig() override;

  [[nodiscard]] base::Status open(const std::string& active = "db");
  /// The process ends where it stands.
  void stop();
  void power_cut(storage::CrashPolicy policy);

  /// Hands over slots first..last; true once they are done.
  std::shared_ptr<bool> apply(std::uint64_t first, std::uint64_t last);
  /// The same for the slots behind the state's label, and waits.
  void apply_until(std::uint64_t last);
  [[nodiscard]] base::Status flush();
  [[nodiscard]] base::Result<consensus::SnapshotManifest> snapshot();
  [[nodiscard]] std::optional<base::Bytes> read(const consensus::ReadSnapshot& request);
  [[nodiscard]] base::Result<std::vector<consensus::StagedFile>> begin(
      const consensus::SnapshotManifest& manifest);
  [[nodiscard]] base::Status stage(const consensus::StageBytes& part);
  [[nodiscard]] base::Status restart(const consensus::RestartFile& file);
  [[nodiscard]] base::Result<consensus::StagedImage> finish(
      const consensus::SnapshotManifest& manifest);
  [[nodiscard]] base::Status switch_to(const consensus::StagedImage& image);
  /// Pulls from `source` what is not there, `part_bytes` at a time, at most `parts_max` parts.
  /// True if all of it is there.
  bool pull(MachineRig& source, const consensus::SnapshotManifest& manifest,
            std::uint32_t part_bytes, std::size_t parts_max = SIZE_MAX);
  void on_apply(std::function<void()> task) { apply_.post(std::move(task)); }
  void settle() { loop_.run_for(std::chrono::seconds(1)); }

  /// True: label, hash and tables are those of the log at the label's slot.
  [[nodiscard]] testing::AssertionResult agrees_with_log() const;
  [[nodiscard]] std::uint64_t applied() const { return machine_->label().applied.value(); }
  [[nodiscard]] ReplicatedStateMachine& machine() { return *machine_; }
  [[nodiscard]] storage::SimFileSystem& files() { return files_; }
  [[nodiscard]] std::vector<std::string> list(const std::string& directory) const;
  [[nodiscard]] const std::vector<std::string>& heard() const { return heard_; }
  void refuse_writes(bool is_refusing) { *is_refusing_ = is_refusing; }
  [[nodiscard]] StateMachineOptions& options() { return options_; }
  [[nodiscard]] const base::Status& failure() const { return failure_; }

  void on_executed(const CommandId& id, consensus::Slot slot,
                   core::ExecutionResult& result) override;
  void on_fenced(const CommandId& id, consensus::Slot slot) override;
  void on_hash_mark(const CommandId& id, consensus::Slot slot,
                    const core::StateHash& hash) override;
  void on_fence(const consensus::Ballot& fence, consensus::Slot slot) override;
  void on_skipped(const consensus::StateLabel& label) override;

 private:
  template <class Value, class Call>
  [[nodiscard]] Value wait(Call call);

  base::SimLoop& loop_;
  const DecidedLog& log_;
  storage::SimFileSystem files_;
  base::SimDispatcher& apply_;
  base::SimDispatcher& persistence_;
  base::SimDispatcher& storage_;
  StateMachineOptions options_;
  std::shared_ptr<bool> is_refusing_ = std::make_shared<bool>(false);
  std::unique_ptr<ReplicatedStateMachine> machine_;
  std::vector<std::string> heard_;
  base::Status failure_;
};

}  // namespace synod::router
