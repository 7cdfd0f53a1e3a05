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
}
