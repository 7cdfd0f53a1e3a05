// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/dispatcher.h"
#include "base/random.h"
#include "consensus/log/paxos_log.h"
#include "consensus/log/superblock_store.h"
#include "consensus/runtime/replica_runtime.h"
#include "core/admission.h"
#include "core/operation.h"
#include "core/persistence.h"
#include "core/transactional_kv_database.h"
#include "net/peer_transport.h"
#include "router/commit_observer.h"
#include "router/direct_router.h"
#include "router/log_memory.h"
#include "router/store.h"
#include "storage/data_directory.h"
#include "storage/file.h"
#include "storage/log/segmented_log.h"
#include "storage/storage_backend.h"

namespace synod::router {

enum class ReadMode : std::uint8_t { kReadIndex, kLease };

struct ReplicatedOptions {
  std::string directory;
  NodeIdentity node;                   ///< node_id from 1 on: it is the replica's id.
  std::vector<std::uint32_t> members;  ///< Who forms the group, self among them, as configured.
  std::uint32_t first_leader = 0;      ///< Of a new group; 0: nobody is preferred.
  ReadMode read_mode = ReadMode::kReadIndex;
  ReadLevel default_read_level = ReadLevel::kLinearizable;
  base::Nanos hold = std::chrono::seconds(5);  ///< Requests wait so long for a leader.
  /// What was proposed waits so long for its outcome; then it is unknown.
  base::Nanos request_timeout = std::chrono::seconds(10);
  std::size_t pending_max = 65'536;
  std::uint64_t pending_bytes_max = 64U << 20;
  std::uint64_t log_bytes_max = 4ULL << 30;
  /// Of what can not leave memory: MEMORY_FULL beyond it; 0: no limit.
  std::uint64_t table_bytes_max = 0;
  std::uint64_t backlog_bytes_max = 64U << 20;
  /// Beyond it the log is cut before it is time, and who is behind gets a snapshot; 0: none.
  std::uint64_t log_memory_bytes_max = 0;
  std::uint64_t disk_reserve_bytes = 0;
  base::Nanos tick_interval = std::chrono::milliseconds(50);
  base::Nanos space_interval = std::chrono::milliseconds(250);
  core::DatabaseOptions database;
  core::PersistenceOptions persistence;
  core::Limits limits;
  core::Policy policy;  ///< Proposed by the first leader of a new group, never later.
  storage::LogOptions log;
  consensus::RuntimeObserver* observer = nullptr;  ///< Outlives the replica; null: nobody.
  CommitObserver* commits = nullptr;               ///< Likewise; its on_durable is not called.
  consensus::RuntimeOptions runtime;  ///< `replica.self`, `.cluster` are filled in here.
};

/// The seams one replica stands on. All outlive it.
struct ReplicatedSeams {
  storage::FileSystem& files;
  base::Dispatcher& consensus;    ///< Protocol; never blocks.
  base::Dispatcher& log;          ///< One write and one sync at a time.
  base::Dispatcher& apply;        ///< The single writer of the tables.
  base::Dispatcher& persistence;  ///< Backend, next segments, free space.
  base::Dispatcher& storage;      ///< Long work: backups, snapshots.
  base::Dispatcher& compaction;   ///< Compactions, which may take hours.
  net::PeerTransport& transport;
  base::Random random;
  /// Opens the backend in the given directory.
  std::function<base::Result<std::unique_ptr<storage::StorageBackend>>(const std::string&)>
      open_backend;
  /// The cluster that this replica belongs to is known: before the first word of it. Null: nobody
  /// asks.
  std::function<void(std::uint64_t cluster)> on_cluster;
  /// A broken promise of the disk, once: nothing is sent, written or answered afterwards.
  std::function<void(const std::string& reason)> fatal;
  /// Read values that left memory. Needed with DatabaseOptions::memory_bytes_max alone; without
  /// them whoever meets such a value waits himself.
  std::vector<base::Dispatcher*> cold_reads = {};
};

class AdminCalls;
class ApplyGate;
class ConsensusRouter;
class FormationDriver;
class GroupAdmin;
class PeerLink;
class ReplicatedStateMachine;
struct GroupView;

/// One replica of a group: data directory, superblock, log, tables, consensus and router, composed
/// over seams so that the same object runs in the server, three times in one process, and on a
/// simulated loop.
///
///   <directory>/IDENTITY, LOCK        storage/data_directory.h, of a replica
///   <directory>/superblock.a, .b      consensus/log/superblock_store.h
///   <directory>/log/                  consensus/log/paxos_log.h
///   <directory>/<image>/, snap/, ...  router/replicated_state_machine.h
///   <directory>/backup/<name>/        checkpoints; each opens as a store that stands alone
///
/// A blank directory first takes part in forming the group (or asks to be taken in); until then
/// requests wait and fail like those of a group without a leader. A directory that holds data and
/// no superblock has lost its memory: it is refused, because a replica that forgot its promise
/// must not speak under its name again.
///
/// Owned by ServerManager or a test.
///
/// Invariants
///   RE1  Nothing of the replica speaks before its superblock says that it is formed.
///   RE2  A frame of a peer reaches the protocol only if it is intact, of this cluster and meant
///        for this replica; all else is counted and dropped.
///   RE3  Every question of an operator is answered once, also when the store stops.
///   RE4  A former member that is silent is not dialed for ever.
///
/// Threads: `open` before the dispatchers and the transport run; `close` after they stopped, and
/// destruction too; the rest from any.
class Replicated final : public Store, private consensus::RuntimeObserver {
 public:
  [[nodiscard]] static base::Result<std::unique_ptr<Replicated>> open(ReplicatedSeams seams,
                                                                      ReplicatedOptions options);
  ~Replicated() override;

  [[nodiscard]] RequestRouter& router() override;
  [[nodiscard]] base::Status start() override;
  void interrupt() override;
  void set_endpoint(std::string endpoint) override;
  /// Ends all waiting; then `done`, on the consensus strand. Before the dispatchers stop.
  void stop(base::Function<void()> done);
  /// After the dispatchers stopped.
  [[nodiscard]] base::Status close();

  void status(base::Function<void(StoreStatus)> done) override;
  void verify(bool deep, base::Function<void(VerifyReport)> done) override;
  void flush(base::Function<void(base::Result<core::LogIndex>)> done) override;
  void compact(base::Function<void(base::Status)> done) override;
  void backup(const std::string& name,
              base::Function<void(base::Result<std::string>)> done) override;
  void snapshot(base::Function<void(base::Result<std::uint64_t>)> done) override;
  void transfer_leadership(std::uint32_t to, base::Function<void(base::Status)> done) override;
  void change_member(MemberChange change, std::uint32_t node, std::uint32_t by,
                     base::Function<void(base::Status)> done) override;

  /// For tests of damage: the state behind the router. Apply strand.
  [[nodiscard]] ReplicatedStateMachine& machine() { return *machine_; }

 private:
  Replicated(ReplicatedSeams seams, ReplicatedOptions options);

  // Opening and forming.
  [[nodiscard]] base::Status recover();
  [[nodiscard]] base::Status check_memory() const;
  [[nodiscard]] base::Status open_superblock();
  void prepare_forming();
  void take_envelope(consensus::Envelope envelope);
  /// The superblock is formed: makes the replica that speaks for it.
  [[nodiscard]] base::Status join_group();
  [[nodiscard]] consensus::RuntimeOptions runtime_options() const;
  void on_formed();
  void found_state();
  void attach_router();
  void fail(const std::string& reason);
  void watch_space();
  void note_retirement(const consensus::Replica& replica);
  void watch_log(const consensus::PaxosLog& log);
  void note_members(const consensus::Replica& replica);
  void forget_former(base::Nanos now);

  // RuntimeObserver.
  void on_batch(const consensus::Replica& replica, const consensus::Output& output,
                std::size_t inputs) override;
  void on_durable(const consensus::Persist& frame) override;
  void on_installed(const consensus::SnapshotManifest& label) override;
  void on_complaint(std::string_view line) override;

  // Administration.
  void add_group(const consensus::Replica* replica, StoreStatus& status) const;
  void add_members(const consensus::Replica& replica, GroupStatus& group) const;
  void add_candidates(GroupStatus& group) const;
  void add_tables(StoreStatus& status);
  void verify_tables(bool deep, base::Function<void(base::Status)> done);
  void compare_replicas(VerifyReport report, base::Function<void(VerifyReport)> done);
  [[nodiscard]] base::Status write_backup(storage::StorageBackend& backend,
                                          const std::string& path);
  /// Runs `work` on the consensus strand, or `otherwise` if the replica is not formed.
  void with_group(base::Function<void(GroupAdmin&)> work, base::Function<void()> otherwise);

  ReplicatedSeams seams_;
  const ReplicatedOptions options_;
  const consensus::ReplicaId self_;
  std::unique_ptr<storage::DataDirectory> data_directory_;
  std::unique_ptr<consensus::SuperblockStore> superblock_;  ///< Until the log takes it.
  std::unique_ptr<ReplicatedStateMachine> machine_;
  std::unique_ptr<ApplyGate> gate_;
  std::unique_ptr<ConsensusRouter> router_;
  std::unique_ptr<PeerLink> link_;
  std::unique_ptr<AdminCalls> calls_;
  std::unique_ptr<FormationDriver> forming_;  ///< Consensus strand; null: formed.
  std::unique_ptr<consensus::PaxosLog> log_;
  std::unique_ptr<consensus::ReplicaRuntime> runtime_;
  std::unique_ptr<GroupAdmin> group_admin_;  ///< Consensus strand.
  std::unique_ptr<GroupView> view_;          ///< Consensus strand: as the router knows it.
  std::atomic<consensus::ReplicaRuntime*> live_{nullptr};  ///< Where envelopes go.
  std::atomic<const consensus::PaxosLog*> live_log_{nullptr};
  std::atomic<std::uint64_t> cluster_{0};
  std::atomic<std::uint64_t> log_bytes_{0};
  LogMemory log_memory_;
  std::optional<base::Nanos> complained_at_;  ///< Consensus strand.
  // Consensus strand: whom this process ever knew as a member, and who of them is none now.
  std::set<consensus::ReplicaId> known_;
  std::set<consensus::ReplicaId> former_;
  consensus::ConfigId members_of_;  ///< As of this configuration
  consensus::Slot members_as_of_;   ///< and this entry.
  base::Nanos next_forget_{0};
  consensus::LogSize log_size_ = consensus::LogSize::kNormal;  ///< Persistence strand, as the next.
  base::Nanos log_size_said_at_{0};
  bool is_retired_ = false;  ///< Consensus strand.
  std::atomic<bool> is_stopped_{false};
  std::atomic<bool> has_failed_{false};
};

}  // namespace synod::router
