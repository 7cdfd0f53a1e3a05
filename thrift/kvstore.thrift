// SPDX-License-Identifier: Apache-2.0
//
// The public interface of Synod, and its manual for programmers.
//
// Transport. TCP, port 9090 unless configured otherwise. The server recognises by the first bytes
// of a connection whether a client speaks unframed or framed messages, in strict binary or compact
// protocol. Replies come in the order of the calls of their connection; a client may have many
// calls outstanding. Idle connections are never closed by the server.
//
// Errors. No method throws. A reply carries `error`, a text for people, and usually `error_code`,
// a word for programs. Both are absent after success. Codes:
//
//   code                  applied?   when
//   CONFLICT              no         begin a new transaction and try again; see atomicCommit
//   INVALID_OPERATION     no         the request can never succeed as it stands
//   LIMIT_EXCEEDED        no         a configured limit; the text names it
//   BUSY                  no         a queue is full; try again after a pause
//   NO_SPACE              no         the disk reserve is reached; reads and deletes still work
//   MEMORY_FULL           no         keys and metadata fill the memory limit
//   NO_QUORUM             no         fewer than a majority of the replicas can be reached
//   NOT_LEADER            no         this node could not pass the request on to the leader
//   TIMEOUT               no         the deadline passed before anything was done
//   OUTCOME_UNKNOWN       perhaps    the request was under way when the node lost sight of it
//   OUTCOME_FORGOTTEN     perhaps    a retry came so late that its first result is gone
//   UNAUTHENTICATED       no
//   PERMISSION_DENIED     no
//   TOO_OLD               no         reads: the version is older than the history that is kept
//   UNKNOWN_NAMESPACE     no         reads that name a namespace nobody ever wrote
//   INTERNAL              no
//
// Keys and values are bytes of any content; keys are ordered bytewise, unsigned. An empty key can
// be written and is returned by ranges; reading it by name is an error.
//
// Namespaces. `column_family` selects one of many independent key spaces; absent and "default" are
// the same one. A namespace exists from its first write on.
//
// Versions. Every commit takes the next version, a positive 64-bit number that never decreases and
// is the same on every replica. A read version names the state of the database after that commit.
//
// A transaction, step by step:
//   1. getReadVersion                    -> v
//   2. snapshotGet / snapshotGetRange    at v, as often as wanted
//   3. atomicCommit                      with read_version = v, the keys and ranges that were read,
//                                        and the writes
// The commit succeeds if nothing that was read has changed since v; otherwise it answers CONFLICT,
// nothing is written, and the client starts over at 1. This is strictly serializable.

namespace cpp synod.api
namespace py synod_api

// ------------------------------------------------------------------------------------ options

// May accompany every request. All fields are optional.
struct RequestOptions {
  // Nobody waits for the answer longer than this many milliseconds after the server received the
  // request. Not positive: no deadline.
  1: optional i64 deadline_ms,
  // How fresh a read must be: "linearizable" (sees everything that was acknowledged before it
  // began; the default), "leader" (as the leader knows it) or "local" (what this replica has).
  2: optional string read_level,
  // "high", "normal" (default) or "low". Order of service under load; never influences a result.
  3: optional string priority,
  // Appears in the server's logs beside everything done for this request.
  4: optional string trace_id,
  // Who asks, where authentication is configured.
  5: optional string auth_token,
}

// ------------------------------------------------------------------------------------ versions

struct GetReadVersionRequest {
  15: optional RequestOptions options,
}

struct GetReadVersionResponse {
  1: required i64 read_version,
  2: required bool success,
  3: optional string error,
  4: optional string error_code,
}

// ------------------------------------------------------------------------------------ point reads

struct GetRequest {
  1: required binary key,
  2: optional string column_family,
  15: optional RequestOptions options,
}

// `value` is empty when `found` is false. A missing key is not an error.
struct GetResponse {
  1: required binary value,
  2: required bool found,
  3: optional string error,
  4: optional string error_code,
}

// A read at `read_version`. Not positive, or ahead of every commit: the current state.
struct SnapshotReadRequest {
  1: required binary key,
  2: required i64 read_version,
  // Must name a namespace that exists.
  3: optional string column_family,
  15: optional RequestOptions options,
}

struct SnapshotReadResponse {
  1: required binary value,
  2: required bool found,
  3: optional string error,
  4: optional string error_code,
}

// The same as SnapshotReadRequest under the name that client libraries use.
struct SnapshotGetRequest {
  1: required binary key,
  2: required i64 read_version,
  3: optional string column_family,
  15: optional RequestOptions options,
}

struct SnapshotGetResponse {
  1: required binary value,
  2: required bool found,
  3: optional string error,
  4: optional string error_code,
}

// ------------------------------------------------------------------------ single writes

struct SetRequest {
  1: required binary key,
  2: required binary value,
  3: optional string column_family,
  // The key disappears this many milliseconds after the write. Absent or 0: never. A write without
  // it removes an earlier expiry.
  4: optional i64 ttl_ms,
  15: optional RequestOptions options,
}

struct SetResponse {
  1: required bool success,
  2: optional string error,
  3: optional string error_code,
  4: optional i64 committed_version,
}

// Deleting a key that does not exist succeeds.
struct DeleteRequest {
  1: required binary key,
  2: optional string column_family,
  15: optional RequestOptions options,
}

struct DeleteResponse {
  1: required bool success,
  2: optional string error,
  3: optional string error_code,
  4: optional i64 committed_version,
}

// ------------------------------------------------------------------------------------ ranges

struct KeyValue {
  1: required binary key,
  2: required binary value,
}

// Keys from `begin_key` to `end_key` in ascending order.
struct GetRangeRequest {
  // Absent or empty: from the first key.
  1: optional binary begin_key,
  // Absent: up to the single byte 0xFF. Present but empty: nothing lies before it.
  2: optional binary end_key,
  // Leaves out that many matching keys first. Negative: 0.
  3: optional i32 begin_offset = 0,
  // Whether `begin_key` itself belongs to the range.
  4: optional bool begin_or_equal = true,
  // Moves `end_key`, seen as a big-endian number, up or down by this much.
  5: optional i32 end_offset = 0,
  // Whether the end itself belongs to the range.
  6: optional bool end_or_equal = false,
  // Rows at most; 0 or negative: no limit on rows. The server also bounds the bytes of one reply
  // and then sets `has_more`.
  7: optional i32 limit = 1000,
  8: optional string column_family,
  15: optional RequestOptions options,
}

// `has_more`: at least one further row lies in the range. To continue, repeat with begin_key = the
// last key received, begin_or_equal = false and begin_offset = 0.
struct GetRangeResponse {
  1: required list<KeyValue> key_values,
  2: required bool success,
  3: optional string error,
  4: required bool has_more = false,
  5: optional string error_code,
}

// As GetRangeRequest, at `read_version` (see SnapshotReadRequest). Mind the ids of limit and
// column_family, which differ.
struct SnapshotGetRangeRequest {
  1: optional binary begin_key,
  2: optional binary end_key,
  3: optional i32 begin_offset = 0,
  4: optional bool begin_or_equal = true,
  5: optional i32 end_offset = 0,
  6: optional bool end_or_equal = false,
  7: required i64 read_version,
  8: optional i32 limit = 1000,
  9: optional string column_family,
  15: optional RequestOptions options,
}

struct SnapshotGetRangeResponse {
  1: required list<KeyValue> key_values,
  2: required bool success,
  3: optional string error,
  4: required bool has_more = false,
  5: optional string error_code,
}

// ------------------------------------------------------------------------------------ transactions

// One step of a commit. Steps run in order and see the steps before them. `type` is one of the
// following, exactly as spelt:
//
//   type                     uses                  effect
//   set                      value, ttl_ms, flags  key = value
//   delete                   -                     removes the key, if it is there
//   SET_VERSIONSTAMPED_KEY   value                 the last 10 bytes of key become the versionstamp
//   SET_VERSIONSTAMPED_VALUE value                 the last 10 bytes of value become the stamp
//   CHECK_VERSION            expected_version      CONFLICT unless the version of the key's last
//                                                  write equals it; 0: the key must not exist
//   INCREMENT                value                 adds value, a signed decimal number, to the
//                                                  decimal number in key; missing counts as 0
//   APPEND                   value                 adds value to the end of what key holds
//   EXPIRE                   ttl_ms                the key, if it exists, disappears in ttl_ms
//   PERSIST                  -                     removes the expiry of the key
//   CLEAR_RANGE              end_key               removes all keys in [key, end_key); end_key
//                                                  absent or empty: to the last key
//
// A versionstamp is 10 bytes: the commit's version, 8 bytes big-endian, then the number of the
// stamped step within the commit, counted from 0, 2 bytes big-endian.
struct Operation {
  1: required string type,
  2: required binary key,
  3: optional binary value,
  4: optional string column_family,
  5: optional i64 ttl_ms,
  6: optional binary end_key,
  7: optional i64 expected_version,
  // Sum of: 1 = stamped types: store as it is unless the last 10 bytes are zero;
  //         2 = set: keep the expiry that the key has.
  // A bit the server does not know is an INVALID_OPERATION.
  8: optional i32 flags,
}

// The half-open range [begin_key, end_key) was read; an empty end means up to the last key.
struct ReadConflictRange {
  1: required binary begin_key,
  2: required binary end_key,
  3: optional string column_family,
}

// The key was read, in this namespace.
struct ReadConflictKey {
  1: required binary key,
  2: optional string column_family,
}

// All operations apply, or none. The commit is refused with CONFLICT if any key or range given as
// read was written by a commit with a version above `read_version`. A commit that names nothing as
// read never conflicts, whatever its read_version.
struct AtomicCommitRequest {
  1: required i64 read_version,
  2: required list<Operation> operations,
  // Keys read, checked in every namespace. Prefer read_conflicts when using namespaces.
  3: required list<binary> read_conflict_keys,
  4: optional i64 timeout_seconds = 60,
  5: optional list<ReadConflictRange> read_conflict_ranges,
  // With client_id (16 bytes, chosen at random once by each client) and sequence (1, 2, 3, ...) a
  // commit runs at most once: repeat the very same request after a lost connection or after
  // OUTCOME_UNKNOWN, and the answer is that of the first run. read_version must then be a version
  // from getReadVersion. The server remembers the last 64 sequences of a client for ten minutes.
  6: optional binary client_id,
  7: optional i64 sequence,
  8: optional list<ReadConflictKey> read_conflicts,
  15: optional RequestOptions options,
}

// What one operation of a commit produced.
struct OperationResult {
  // The key existed before. CLEAR_RANGE: any key did.
  1: required bool existed,
  // INCREMENT: the new number. APPEND: the new length. CLEAR_RANGE: how many keys went.
  2: optional i64 number,
  // Stamped types: the key or value as it was stored.
  3: optional binary generated,
}

struct AtomicCommitResponse {
  1: required bool success,
  2: optional string error,
  3: optional string error_code,
  // Present after success.
  4: optional i64 committed_version,
  // With CONFLICT: READ (something read has changed), TOO_OLD (read_version is older than the
  // server can check), FUTURE (read_version is not positive or not reached yet) or CHECK (a
  // CHECK_VERSION did not match).
  5: optional string detail_code,
  // A hint how long to wait before trying again.
  6: optional i64 retry_after_ms,
  // After success: one for each operation, in order.
  7: optional list<OperationResult> results,
}

// ------------------------------------------------------------------------ versionstamps

// Stores `value` under `key_prefix`, whose last 10 bytes, if they are all zero, become the
// versionstamp of this write. Otherwise the key is stored as it is.
struct SetVersionstampedKeyRequest {
  1: required binary key_prefix,
  2: required binary value,
  3: optional string column_family,
  15: optional RequestOptions options,
}

struct SetVersionstampedKeyResponse {
  // The whole key as stored; empty after a failure.
  1: required binary generated_key,
  2: required bool success,
  3: optional string error,
  4: optional string error_code,
  5: optional i64 committed_version,
}

// The same for the last 10 bytes of the value.
struct SetVersionstampedValueRequest {
  1: required binary key,
  2: required binary value_prefix,
  3: optional string column_family,
  15: optional RequestOptions options,
}

struct SetVersionstampedValueResponse {
  // The whole value as stored; empty after a failure.
  1: required binary generated_value,
  2: required bool success,
  3: optional string error,
  4: optional string error_code,
  5: optional i64 committed_version,
}

// ------------------------------------------------------------------------ kept for old clients

// Read conflicts, read version and committed version belong to the client's transaction: they
// travel in atomicCommit. The four methods below always answer success = false.

struct AddReadConflictRequest {
  1: required binary key,
  2: optional string column_family,
  15: optional RequestOptions options,
}

struct AddReadConflictResponse {
  1: required bool success,
  2: optional string error,
}

struct AddReadConflictRangeRequest {
  1: required binary start_key,
  2: required binary end_key,
  3: optional string column_family,
  15: optional RequestOptions options,
}

struct AddReadConflictRangeResponse {
  1: required bool success,
  2: optional string error,
}

struct SetReadVersionRequest {
  1: required i64 version,
  15: optional RequestOptions options,
}

struct SetReadVersionResponse {
  1: required bool success,
  2: optional string error,
}

struct GetCommittedVersionRequest {
  15: optional RequestOptions options,
}

struct GetCommittedVersionResponse {
  1: required i64 version,
  2: required bool success,
  3: optional string error,
}

// ------------------------------------------------------------------------------------ testing aids

// Makes atomicCommit fail on purpose, with `fault_type` as error_code ("CONFLICT", "TIMEOUT", or
// any word), in the given share of calls. probability 0 ends it.
struct FaultInjectionRequest {
  1: required string fault_type,
  2: optional double probability = 0.0,
  // Wait this long before failing.
  3: optional i32 duration_ms = 0,
  // "commit" or absent; other targets have no effect.
  4: optional string target_operation,
  15: optional RequestOptions options,
}

struct FaultInjectionResponse {
  1: required bool success,
  2: optional string error,
}

// ------------------------------------------------------------------------------------ diagnostics

struct PingRequest {
  1: optional binary message,
  2: optional i64 timestamp,
  15: optional RequestOptions options,
}

// `message` and `timestamp` come back as they were sent; absent: "pong" and 0.
struct PingResponse {
  1: required binary message,
  2: required i64 timestamp,
  // Microseconds since the Unix epoch.
  3: required i64 server_timestamp,
}

struct NodeStatus {
  1: required i32 node_id,
  // host:port of this interface on the node.
  2: required string endpoint,
  // "healthy", "degraded", "unreachable" or "unknown".
  3: required string status,
  4: required bool is_leader,
  // Seconds since the Unix epoch.
  5: required i64 last_seen_timestamp,
  6: required i64 term,
  7: optional i64 uptime_seconds,
}

struct ClusterHealth {
  1: required list<NodeStatus> nodes,
  2: required i32 healthy_nodes_count,
  3: required i32 total_nodes_count,
  4: optional NodeStatus leader,
  // "healthy": every node; "degraded": more than half; "unhealthy": fewer.
  5: required string cluster_status,
  6: required i64 current_term,
}

struct DatabaseStats {
  1: required i64 total_keys,
  // Keys and values.
  2: required i64 total_size_bytes,
  3: required i64 write_operations_count,
  4: required i64 read_operations_count,
  5: required double average_response_time_ms,
  6: required i64 active_transactions,
  7: required i64 committed_transactions,
  8: required i64 aborted_transactions,
  // 9 and 10 are present if and only if detailed statistics were asked for.
  9: optional i64 cache_hit_rate_percent,
  10: optional i64 compaction_pending_bytes,
}

struct GetClusterHealthRequest {
  1: optional string auth_token,
  15: optional RequestOptions options,
}

struct GetClusterHealthResponse {
  1: required bool success,
  2: optional ClusterHealth cluster_health,
  3: optional string error,
}

struct GetDatabaseStatsRequest {
  1: optional string auth_token,
  2: optional bool include_detailed_stats = false,
  15: optional RequestOptions options,
}

struct GetDatabaseStatsResponse {
  1: required bool success,
  2: optional DatabaseStats database_stats,
  3: optional string error,
}

struct GetNodeInfoRequest {
  1: optional string auth_token,
  // Absent: the node that was asked.
  2: optional i32 node_id,
  15: optional RequestOptions options,
}

struct GetNodeInfoResponse {
  1: required bool success,
  2: optional NodeStatus node_info,
  3: optional string error,
}

// ------------------------------------------------------------------------------------ the service

service TransactionalKV {
  // The version a transaction that begins now reads at: at least that of every commit that was
  // acknowledged before the call.
  GetReadVersionResponse getReadVersion(1: GetReadVersionRequest request),

  SnapshotReadResponse snapshotRead(1: SnapshotReadRequest request),
  AtomicCommitResponse atomicCommit(1: AtomicCommitRequest request),

  // Single operations on current data, each a transaction of its own.
  GetResponse get(1: GetRequest request),
  SetResponse setKey(1: SetRequest request),
  DeleteResponse deleteKey(1: DeleteRequest request),
  GetRangeResponse getRange(1: GetRangeRequest request),

  // Reads at a version.
  SnapshotGetResponse snapshotGet(1: SnapshotGetRequest request),
  SnapshotGetRangeResponse snapshotGetRange(1: SnapshotGetRangeRequest request),

  AddReadConflictResponse addReadConflict(1: AddReadConflictRequest request),
  AddReadConflictRangeResponse addReadConflictRange(1: AddReadConflictRangeRequest request),
  SetReadVersionResponse setReadVersion(1: SetReadVersionRequest request),
  GetCommittedVersionResponse getCommittedVersion(1: GetCommittedVersionRequest request),

  SetVersionstampedKeyResponse setVersionstampedKey(1: SetVersionstampedKeyRequest request),
  SetVersionstampedValueResponse setVersionstampedValue(1: SetVersionstampedValueRequest request),

  FaultInjectionResponse setFaultInjection(1: FaultInjectionRequest request),

  PingResponse ping(1: PingRequest request),
  GetClusterHealthResponse getClusterHealth(1: GetClusterHealthRequest request),
  GetDatabaseStatsResponse getDatabaseStats(1: GetDatabaseStatsRequest request),
  GetNodeInfoResponse getNodeInfo(1: GetNodeInfoRequest request),
}
