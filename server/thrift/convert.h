// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/status.h"
#include "core/operation.h"
#include "core/outcome.h"
#include "core/read.h"
#include "kvstore_types.h"
#include "router/request_router.h"

namespace synod::server {

// Between the generated structs of kvstore.thrift and the words of core and router. Conversion
// only: what a request means is core's business.

inline constexpr std::size_t kVersionstampBytes = 10;

/// Deadline, level, priority and trace of a request. `timeout` is what the request itself says.
[[nodiscard]] router::RequestContext to_context(const api::RequestOptions& options,
                                                const base::Clock& clock,
                                                std::optional<base::Millis> timeout);

/// `end` as a big-endian number moved by `offset`: upwards with carry, a new 00 behind all-FF;
/// downwards with borrow, and from all-00 to "", where it stays.
[[nodiscard]] base::Bytes shift_end_key(base::BytesView end, std::int64_t offset);

[[nodiscard]] core::PointReadRequest to_point_read(base::Bytes key, const std::string& ns,
                                                   std::optional<std::int64_t> read_version);

/// A commit; kInvalidArgument with the text for the client if an operation is none.
[[nodiscard]] base::Result<core::KvOperation> to_commit(const api::AtomicCommitRequest& request);
/// One write that is a commit of its own.
[[nodiscard]] core::KvOperation to_single(core::Step step);
/// The time a commit may wait: 60 s unless it names a positive one.
[[nodiscard]] base::Millis commit_timeout(const api::AtomicCommitRequest& request);

/// Valid UTF-8 stays (cut to `bytes_max`), anything else is escaped: error texts travel as Thrift
/// strings, which some clients refuse to decode otherwise.
[[nodiscard]] std::string printable(const std::string& text, std::size_t bytes_max = 256);

/// A message of core or router as clients get it.
[[nodiscard]] std::string message_text(const std::string& message);
/// The `error` of a failed read, write or commit.
[[nodiscard]] std::string read_error(core::OutcomeCode code, const std::string& message,
                                     const std::string& ns);
[[nodiscard]] std::string write_error(const char* what, const core::Outcome& outcome);
[[nodiscard]] std::string commit_error(const core::Outcome& outcome);

/// What clients are told about a step beside "it existed".
enum class ResultShape : std::uint8_t { kPlain, kNumber, kGenerated };
[[nodiscard]] std::vector<ResultShape> result_shapes(const core::KvOperation& operation);
[[nodiscard]] api::AtomicCommitResponse to_commit_response(const std::vector<ResultShape>& shapes,
                                                           const core::Outcome& outcome);
[[nodiscard]] api::NodeStatus to_node_status(const router::NodeView& node);
[[nodiscard]] api::ClusterHealth to_cluster_health(const std::vector<router::NodeView>& nodes);
[[nodiscard]] api::DatabaseStats to_database_stats(const router::DatabaseCounters& counters,
                                                   bool detailed);

/// A range at `read_version` from either of the two requests, which differ in ids only.
template <class Request>
[[nodiscard]] core::RangeReadRequest to_range_read(const Request& request,
                                                   std::optional<std::int64_t> read_version,
                                                   std::uint64_t bytes_max) {
  /// What the protocols add to a row: two field headers, two lengths and a stop.
  constexpr std::uint64_t kRowOverhead = 16;
  core::RangeReadRequest out;
  out.ns = request.column_family;
  out.begin = request.begin_key;
  out.end = shift_end_key(request.__isset.end_key ? base::BytesView(request.end_key) : "\xff",
                          request.end_offset);
  out.begin_inclusive = request.begin_or_equal;
  out.end_inclusive = request.end_or_equal;
  out.skip = request.begin_offset > 0 ? static_cast<std::uint64_t>(request.begin_offset) : 0;
  out.limit = request.limit > 0 ? static_cast<std::uint64_t>(request.limit) : 0;
  out.bytes_max = bytes_max;
  out.row_overhead_bytes = kRowOverhead;
  if (read_version.has_value() && *read_version > 0) out.at = core::Version(*read_version);
  return out;
}

}  // namespace synod::server
