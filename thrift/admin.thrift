// SPDX-License-Identifier: Apache-2.0
//
// Administration of one node, spoken over the Unix socket `admin.sock` (mode 0600) in the node's
// data directory: whoever may open the socket may administer the node. Unframed strict binary, one
// call at a time on a connection. synodctl is its client.
//
// Every reply carries `success`; `error` explains a failure and is absent after success.

namespace cpp synod.api.admin
namespace py synod_api_admin

struct NamedText {
  1: required string name,
  2: required string value,
}

// One member of a replicated group, as the asked node's newest configuration names it.
struct MemberReport {
  1: required i32 node_id,
  // host:port between the nodes; empty if the asked node does not know it.
  2: required string peer_endpoint,
  3: required bool is_voter,
  4: required bool is_leader,
  // The node that was asked.
  5: required bool is_self,
  // Blank and asking to be taken in: no member yet.
  6: required bool is_candidate,
  // Slots behind the leader; only the leader knows.
  7: optional i64 lag_slots,
  // Which disk of this node, in hexadecimal: a node that lost its disk comes back as another.
  8: required string incarnation,
}

// Agreement as one node sees it.
struct GroupReport {
  // "leader", "follower", "candidate", "learner", "joining", ...
  1: required string role,
  2: required bool has_leader,
  // 0: unknown.
  3: required i32 leader_id,
  // "configuration.round.owner".
  4: required string ballot,
  5: required i64 term,
  6: required i64 config_id,
  // Decided as far as this node knows; executed here; the part of the log that is kept here.
  7: required i64 commit_index,
  8: required i64 applied_index,
  9: required i64 log_base,
  10: required i64 log_last,
  11: required bool is_caught_up,
  12: required list<MemberReport> members,
  // Why there is no group yet, if that is known.
  13: optional string problem,
}

// What a node keeps in memory, and what of it left for the disk. Bytes unless said otherwise.
struct MemoryReport {
  // Of the tables: the part of database.memory_limit that is theirs; 0: none.
  1: required i64 limit,
  // What cannot leave memory: keys and what belongs to them.
  2: required i64 unevictable,
  // Values in memory, and those that are on disk alone.
  3: required i64 resident,
  4: required i64 spilled,
  // How many values are on disk alone, left memory since the start, and came back.
  5: required i64 spilled_values,
  6: required i64 dropped_values,
  7: required i64 warmed_values,
  // Reads answered from memory, and those that had to ask the disk.
  8: required i64 hits,
  9: required i64 misses,
  // Values that readers fetched, and those that the executing thread had to wait for.
  10: required i64 cold_reads,
  11: required i64 apply_fetches,
  // Operations whose values were fetched before they were ordered.
  12: required i64 warmed_operations,
  13: required i64 snapshots_held,
  // Of the threads that read from disk: waiting and running now, refused since the start.
  14: required i64 pool_waiting,
  15: required i64 pool_running,
  16: required i64 pool_refused,
}

struct NodeReport {
  1: required i32 node_id,
  2: required string cluster_id,
  3: required string version,
  4: required i64 uptime_seconds,
  // "sync", "batched" or "async".
  5: required string durability,
  6: required string data_dir,
  // Reads see everything up to visible_version; committed_version is the newest version given.
  7: required i64 visible_version,
  8: required i64 committed_version,
  // Positions in the log: executed, written behind to the backend, safe on disk.
  9: required i64 applied_index,
  10: required i64 persisted_index,
  11: required i64 durable_index,
  12: required i64 conflict_floor,
  13: required i64 snapshot_floor,
  // Hexadecimal; equal on every replica at the same applied_index.
  14: required string state_hash,
  15: required i64 keys,
  16: required i64 bytes,
  // Operations submitted and not yet answered.
  17: required i64 pending,
  18: required i64 log_bytes,
  19: required i64 connections,
  // Configured limits, each with its value as text.
  20: required list<NamedText> limits,
  // Absent: the node stands alone.
  21: optional GroupReport group,
  22: optional string backend,
  23: optional i64 memory_bytes,
  24: optional MemoryReport memory,
}

struct StatusReply {
  1: required bool success,
  2: optional string error,
  3: optional NodeReport report,
}

struct VerifyReply {
  // The check ran to its end.
  1: required bool success,
  2: optional string error,
  // Nothing wrong was found. False unless success.
  3: required bool ok,
  // What was checked and what was found, a line each.
  4: required list<string> report_lines,
  5: required string state_hash,
}

struct CompactReply {
  1: required bool success,
  2: optional string error,
}

struct BackupReply {
  1: required bool success,
  2: optional string error,
  // The directory of the finished backup on the node.
  3: required string path,
}

struct FlushReply {
  1: required bool success,
  2: optional string error,
  // Everything up to this position of the log is in the backend.
  3: required i64 persisted_index,
}

struct SnapshotReply {
  1: required bool success,
  2: optional string error,
  // The snapshot contains every slot up to this one.
  3: required i64 slot,
}

enum MemberChange {
  ADD = 1,
  REMOVE = 2,
  REPLACE = 3,
}

struct GroupReply {
  1: required bool success,
  2: optional string error,
  // With a failure: whom to ask instead, if another node leads.
  3: optional i32 leader_id,
  4: optional string leader_peer_endpoint,
}

service SynodAdmin {
  StatusReply status(),
  // Compares what is in memory with what is stored; `deep` also reads every stored value.
  VerifyReply verify(1: bool deep),
  CompactReply compact(),
  // A consistent copy under the data directory, made while the node serves. `name` is one path
  // component: letters, digits, '.', '-' and '_', not starting with a dot.
  BackupReply backup(1: string name),
  // Writes everything applied so far behind to the backend.
  FlushReply flush(),

  // Of a replicated group; a node that stands alone refuses them.
  SnapshotReply snapshot(),
  // `to` 0: to the node that the leader finds best.
  GroupReply transferLeader(1: i32 to),
  // ADD: `node` becomes a voter. REMOVE: it is none any more. REPLACE: `node` goes and `by` comes
  // in its place, which may be the same number on a new disk. Ends when the change is in force.
  GroupReply changeMember(1: MemberChange change, 2: i32 node, 3: i32 by),
}
