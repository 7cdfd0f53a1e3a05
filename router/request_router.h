// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/channel.h"
#include "base/clock.h"
#include "base/dispatcher.h"
#include "base/function.h"
#include "core/operation.h"
#include "core/outcome.h"
#include "core/read.h"

namespace synod::router {

enum class ReadLevel : std::uint8_t { kDefault, kLinearizable, kLeader, kLocal };

/// What rides beside a request. Nothing here may influence the result of what is executed.
struct RequestContext {
  std::optional<base::Nanos> deadline;  ///< Boot time after which nobody waits for the answer.
  ReadLevel read_level = ReadLevel::kDefault;
  base::Priority priority = base::Priority::kNormal;
  std::string trace_id;
  /// Of the connection: reads that had to wait run there. Null: wherever the router stands.
  base::Dispatcher* worker = nullptr;
};

/// One member of the deployment as this node sees it.
struct NodeView {
  std::int32_t node_id = 0;
  std::string endpoint;  ///< Of the Thrift front, host:port.
  enum class Health : std::uint8_t { kHealthy, kDegraded, kUnreachable, kUnknown };
  Health health = Health::kUnknown;
  bool is_leader = false;
  std::int64_t last_seen_unix_s = 0;
  std::int64_t term = 0;
  std::int64_t uptime_s = 0;
};

/// Counters for diagnostics. All monotonic since start unless said otherwise.
struct DatabaseCounters {
  std::int64_t keys = 0;     ///< Now.
  std::int64_t bytes = 0;    ///< Keys and values, now.
  std::int64_t writes = 0;   ///< Operations that took a version.
  std::int64_t reads = 0;    ///< Point and range reads answered.
  std::int64_t pending = 0;  ///< Operations submitted and not yet answered, now.
  std::int64_t committed = 0;
  std::int64_t aborted = 0;  ///< Conflicts and refusals.
  std::int64_t cache_hits = 0;
  std::int64_t cache_misses = 0;
  std::int64_t compaction_pending_bytes = 0;  ///< Now.
  double average_response_ms = 0;             ///< Of operations.
};

/// Who waits for values that left memory.
struct StorageWaits {
  std::uint64_t jobs_waiting = 0;  ///< Of the storage pool, now.
  std::uint64_t jobs_running = 0;  ///< Likewise.
  std::uint64_t jobs_done = 0;
  std::uint64_t jobs_refused = 0;        ///< Because too many waited.
  std::uint64_t operations_waiting = 0;  ///< For values that they need, now.
  std::uint64_t operations_warmed = 0;   ///< Their values were fetched before they were ordered.
};

/// The one door between fronts and data, the same in both modes.
///
/// Invariants
///   R1  Every completion is called exactly once.
///   R2  Operations submitted one after the other by one thread take effect in that order.
///   R3  A read sees every operation whose completion was called before the read began.
///
/// Threads: every method may be called from any thread; a completion may run inside the call or
/// later on another thread, and must not block.
/// Failure: everything ends in an OutcomeCode; "unknown outcome" is its own.
class RequestRouter {
 public:
  virtual ~RequestRouter() = default;
  virtual void submit(core::KvOperation operation, const RequestContext& context,
                      base::Function<void(core::Outcome)> done) = 0;
  virtual void read(core::PointReadRequest request, const RequestContext& context,
                    base::Function<void(core::PointReadReply)> done) = 0;
  virtual void read_range(core::RangeReadRequest request, const RequestContext& context,
                          base::Function<void(core::RangeReadReply)> done) = 0;
  /// The version a transaction that begins now reads at.
  virtual void read_version(const RequestContext& context,
                            base::Function<void(core::VersionReply)> done) = 0;
  [[nodiscard]] virtual std::vector<NodeView> nodes() const = 0;
  [[nodiscard]] virtual DatabaseCounters counters() const = 0;
};

}  // namespace synod::router
