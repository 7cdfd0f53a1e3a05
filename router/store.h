// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/function.h"
#include "base/status.h"
#include "core/memory_status.h"
#include "core/state/state_hash.h"
#include "core/types.h"
#include "router/request_router.h"
#include "router/run_record.h"

namespace synod::router {

/// One member of the group, as this node's newest configuration names it.
struct MemberView {
  std::uint32_t node_id = 0;
  std::uint64_t incarnation = 0;
  std::string peer_endpoint;  ///< host:port; empty if unknown here.
  bool is_voter = false;
  bool is_leader = false;
  bool is_self = false;
  /// Blank and asking to be taken in: no member yet.
  bool is_candidate = false;
  std::optional<std::uint64_t> lag_slots;  ///< Behind the leader; only the leader knows.
};

/// What consensus looks like from this node.
struct GroupStatus {
  std::uint32_t node_id = 0;
  std::string role;             ///< "leader", "follower", "candidate", "learner", "joining", ...
  std::uint32_t leader_id = 0;  ///< 0: unknown.
  std::string ballot;           ///< "config.round.owner"
  std::uint64_t term = 0;       ///< The ballot's round.
  std::uint64_t config_id = 0;
  std::uint64_t commit_index = 0;
  std::uint64_t applied_index = 0;
  std::uint64_t log_base = 0;
  std::uint64_t log_last = 0;
  bool has_leader = false;
  std::string problem;        ///< Why there is no group yet, if that is known.
  bool is_caught_up = false;  ///< Applied up to what it knows to be decided.
  std::vector<MemberView> members;
};

/// What an operator sees of one store.
struct StoreStatus {
  std::string cluster_id;
  std::string backend;
  Durability durability = Durability::kSync;
  core::Version newest_version{0};
  core::Version conflict_floor{0};
  core::Version snapshot_floor{0};
  core::LogIndex applied_index{0};
  core::LogIndex written_index{0};
  core::LogIndex durable_index{0};
  core::StateHash state_hash;
  std::uint64_t keys = 0;
  std::uint64_t live_bytes = 0;
  std::uint64_t memory_bytes = 0;
  core::MemoryStatus memory;
  StorageWaits waits;
  std::uint64_t log_bytes = 0;
  std::size_t pending = 0;
  std::optional<GroupStatus> group;  ///< Replicated only.
};

/// What `verify` found.
struct VerifyReport {
  base::Status status;  ///< Not ok: what contradicts what.
  core::StateHash state_hash;
  std::vector<std::string> lines;  ///< For people: what was compared, replica by replica.
};

enum class MemberChange : std::uint8_t { kAdd, kRemove, kReplace };

/// One store of this process, standalone or a replica: the router for clients, and what its
/// operator may ask. Implemented by Standalone and Replicated.
///
/// Threads: any thread, between start() and close(); completions run on one of the store's
/// dispatchers.
class Store {
 public:
  virtual ~Store() = default;
  [[nodiscard]] virtual RequestRouter& router() = 0;
  /// Serves from here on. The dispatchers run already or start after it.
  [[nodiscard]] virtual base::Status start() = 0;
  /// Makes long work on the storage dispatcher end early, so that it can stop. Any thread.
  virtual void interrupt() = 0;
  /// Known to diagnostics.
  virtual void set_endpoint(std::string endpoint) = 0;

  virtual void status(base::Function<void(StoreStatus)> done) = 0;
  /// `deep`: also against the backend, row by row. Replicated: also all replicas with each other,
  /// at one position of the log.
  virtual void verify(bool deep, base::Function<void(VerifyReport)> done) = 0;
  /// Makes the backend durable up to now; answers with the index.
  virtual void flush(base::Function<void(base::Result<core::LogIndex>)> done) = 0;
  virtual void compact(base::Function<void(base::Status)> done) = 0;
  /// Answers with the path.
  virtual void backup(const std::string& name,
                      base::Function<void(base::Result<std::string>)> done) = 0;

  // Of a group; kUnsupported for a store that stands alone.
  /// A snapshot now; answers with the slot it contains.
  virtual void snapshot(base::Function<void(base::Result<std::uint64_t>)> done) = 0;
  /// 0: to whom this replica finds best.
  virtual void transfer_leadership(std::uint32_t to, base::Function<void(base::Status)> done) = 0;
  /// kAdd: `node` becomes a voter. kRemove: it is none. kReplace: `node` goes, `by` comes in its
  /// place (the same number on a new disk, or another). Ends when the change is in force.
  virtual void change_member(MemberChange change, std::uint32_t node, std::uint32_t by,
                             base::Function<void(base::Status)> done) = 0;
};

}  // namespace synod::router
