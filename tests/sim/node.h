// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "consensus/log/paxos_log.h"
#include "consensus/runtime/replica_runtime.h"
#include "storage/sim_file.h"
#include "tests/sim/network.h"
#include "tests/sim/oracle.h"
#include "tests/sim/profile.h"
#include "tests/sim/scheduler.h"
#include "tests/sim/sim_machine.h"
#include "tests/sim/tally.h"

namespace synod::sim {

/// What all nodes of a life share.
struct World {
  Scheduler& scheduler;
  Oracle& oracle;
  Tally& tally;
  const Profile& profile;
  Network* network = nullptr;
  consensus::ClusterId cluster;
  /// By replica id: the node that has this replica, now or before its disk was lost.
  std::vector<std::size_t> places;
  bool notes = false;
  bool traces = false;
  /// A process ended, by a fault or by itself.
  base::Function<void(std::size_t node)> on_ended;

  void note(const std::string& line) const;
};

/// One machine: a disk and a clock that stay, and a process that comes and goes.
class SimNode final : private consensus::RuntimeObserver, private consensus::Transport {
 public:
  SimNode(World& world, std::size_t index);
  ~SimNode() override;

  /// A new, empty disk with an identity of its own.
  void install_disk(ReplicaId id);
  /// The same without an identity that lasts: who it is comes of how the group forms.
  void install_blank(const Member& member);
  /// REQUIRES: is_founding().
  void name_blank(const Member& member) { member_ = member; }
  [[nodiscard]] bool is_founding() const { return is_founding_; }
  /// Makes it a member of the cluster. `first` is the chain the log began with.
  void form(const Chain& chain, const Chain& first);
  [[nodiscard]] bool is_formed() const { return is_formed_; }

  /// A process on the disk as it is; false, with last_failure(), if it could not.
  bool start();
  [[nodiscard]] bool is_up() const { return process_ != nullptr; }
  /// The process ends; what the disk has not synced stays in the page cache.
  void kill();
  /// The power fails.
  void cut_power(storage::CrashPolicy policy);
  /// The power will fail at the n-th disk call from now.
  void cut_power_at(std::uint64_t calls, storage::CrashPolicy policy);
  /// The process will end when so many pieces of a snapshot are staged.
  void cut_pull_after(std::uint64_t pieces) { pull_cut_ = pieces; }
  /// Nothing runs until then; messages wait.
  void pause_until(Nanos time);
  void hang_disk_until(Nanos time);
  void set_disk_latency(Nanos low, Nanos high);
  /// Writes find no space for so long.
  void fill_disk(Nanos span);
  /// A read of the next process to start fails once.
  void fail_next_start() { fails_next_start_ = true; }
  /// Everything but the data is as it should be again.
  void heal();

  // Damage at rest: REQUIRES that no process runs. How much was damaged.
  std::size_t rot_log(std::size_t bytes);
  /// The heads of so many of the last blocks of frames: bits, or whole sectors.
  bool rot_log_tail(std::size_t blocks);
  bool misdirect_log_write();
  bool rot_superblock();
  /// At any time.
  bool rot_snapshot();

  void receive(const base::Bytes& frame, bool is_damaged);

  [[nodiscard]] std::size_t index() const { return index_; }
  [[nodiscard]] const Member& member() const { return member_; }
  [[nodiscard]] consensus::ReplicaRuntime& runtime() { return *process_->runtime; }
  [[nodiscard]] const SimMachine& machine() const { return *process_->machine; }
  [[nodiscard]] storage::SimFileSystem& files() { return *files_; }
  [[nodiscard]] NodeClock& clock() { return clock_; }
  [[nodiscard]] std::string last_failure() const { return last_failure_.to_string(); }
  /// The last start failed because of what the disk holds, or no longer holds.
  [[nodiscard]] bool has_lost_memory() const {
    return last_failure_.code() == base::StatusCode::kCorruption ||
           last_failure_.code() == base::StatusCode::kNotFound;
  }

  // As of the last batch of its replica.
  [[nodiscard]] bool leads() const { return is_up() && view_.is_established; }
  [[nodiscard]] Slot log_base() const { return view_.base; }
  /// The last that this process has installed.
  [[nodiscard]] Slot image() const { return image_; }
  /// The newest configuration it has entered.
  [[nodiscard]] const consensus::Configuration& configuration() const {
    return view_.configuration;
  }
  [[nodiscard]] std::string describe() const;

 private:
  struct Process {
    std::unique_ptr<SimMachine> machine;
    std::unique_ptr<consensus::PaxosLog> log;
    std::unique_ptr<consensus::ReplicaRuntime> runtime;
  };
  struct View {
    bool is_established = false;
    consensus::Role role = consensus::Role::kFollower;
    Ballot promised;
    Slot base;
    Slot commit;
    Slot through;
    Slot durable;
    Slot last;
    Slot applied;
    consensus::Configuration configuration;
    std::size_t unknown = 0;
  };

  // RuntimeObserver and Transport.
  void on_durable(const consensus::Persist& frame) override;
  void on_batch(const consensus::Replica& replica, const consensus::Output& output,
                std::size_t inputs) override;
  void on_installed(const consensus::SnapshotManifest& label) override;
  void on_complaint(std::string_view line) override;
  void send(consensus::Envelope envelope) override;

  [[nodiscard]] base::Status open_process(Process& process);
  [[nodiscard]] std::vector<std::string> log_files();
  void rot_staged();
  void rot_sector(const std::string& path, std::uint64_t at, bool is_whole);
  void look(const consensus::Replica& replica);
  void note_unknown(const consensus::Replica& replica);
  [[nodiscard]] consensus::RuntimeOptions options() const;
  void after_task();
  [[nodiscard]] bool is_pull_cut();
  void end_process();
  void trace(std::string_view what) const;

  World& world_;
  const std::size_t index_;
  NodeClock clock_;
  Strand consensus_;
  Strand log_strand_;
  Strand apply_;
  std::unique_ptr<storage::SimFileSystem> files_;
  std::uint64_t calls_seen_ = 0;
  std::uint64_t timers_seen_ = 0;
  Member member_;
  bool is_formed_ = false;
  bool is_founding_ = false;
  std::unique_ptr<Process> process_;
  std::uint64_t process_number_ = 0;
  bool is_fatal_ = false;
  struct PowerCut {
    std::uint64_t at = 0;
    storage::CrashPolicy policy{};
  };
  std::optional<PowerCut> power_cut_;
  std::uint64_t pull_cut_ = 0;  ///< 0: none.
  base::Status last_failure_;
  bool fails_next_start_ = false;
  View view_;
  Slot image_;
  Ballot led_;
};

}  // namespace synod::sim
