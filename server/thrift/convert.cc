// SPDX-License-Identifier: Apache-2.0
#include "server/thrift/convert.h"

#include <algorithm>
#include <charconv>
#include <string_view>
#include <system_error>
#include <utility>

#include "base/text.h"

namespace synod::server {
namespace {

using core::OutcomeCode;

constexpr base::Millis kDeadlineMax = std::chrono::hours(24 * 365);
constexpr base::Millis kCommitTimeout = std::chrono::seconds(60);

base::Millis clamp_millis(std::int64_t ms) { return std::min(base::Millis(ms), kDeadlineMax); }

router::ReadLevel to_read_level(const std::string& word) {
  if (word == "leader") return router::ReadLevel::kLeader;
  if (word == "local") return router::ReadLevel::kLocal;
  if (word == "linearizable") return router::ReadLevel::kLinearizable;
  return router::ReadLevel::kDefault;  // the strictest the deployment is configured for
}

base::Priority to_priority(const std::string& word) {
  if (word == "high") return base::Priority::kHigh;
  if (word == "low") return base::Priority::kLow;
  return base::Priority::kNormal;
}

/// Adds `by` to the big-endian number in `bytes`. REQUIRES: it does not overflow.
void add_big_endian(base::Bytes& bytes, std::uint64_t by) {
  for (std::size_t i = bytes.size(); i-- > 0 && by > 0;) {
    by += static_cast<unsigned char>(bytes[i]);
    bytes[i] = static_cast<char>(by & 0xff);
    by >>= 8;
  }
}

/// Takes `by` from it. REQUIRES: it is at least `by`.
void subtract_big_endian(base::Bytes& bytes, std::uint64_t by) {
  for (std::size_t i = bytes.size(); i-- > 0 && by > 0;) {
    const std::uint64_t digit = static_cast<unsigned char>(bytes[i]);
    const std::uint64_t low = by & 0xff;
    bytes[i] = static_cast<char>((digit - low) & 0xff);
    by = (by >> 8) + (digit < low ? 1 : 0);
  }
}

/// The big-endian number in `bytes` xored with `mask` bytewise, or `most` if it is larger.
std::uint64_t big_endian_at_most(base::BytesView bytes, unsigned char mask, std::uint64_t most) {
  std::uint64_t value = 0;
  for (const char c : bytes) {
    value = (value << 8) | static_cast<std::uint64_t>(static_cast<unsigned char>(c) ^ mask);
    if (value >= most) return most;
  }
  return value;
}

base::Bytes shift_up(base::Bytes key, std::uint64_t by) {
  if (key.empty() && by > 0) {
    key = '\x01';
    --by;
  }
  const std::uint64_t to_all_ff = big_endian_at_most(key, 0xff, by);
  add_big_endian(key, to_all_ff);
  by -= to_all_ff;
  if (by == 0) return key;
  // From all-FF every 256 steps end at all-FF, one byte longer. No key is as long as the bound:
  // beyond it the order of keys cannot tell the difference.
  constexpr std::uint64_t kGrowthMax = 1U << 16;
  key.append(static_cast<std::size_t>(std::min(by / 256, kGrowthMax)), '\xff');
  if (by % 256 > 0) key += static_cast<char>(by % 256 - 1);
  return key;
}

base::Bytes shift_down(base::Bytes key, std::uint64_t by) {
  const std::uint64_t to_zero = big_endian_at_most(key, 0, by);
  if (to_zero < by) return {};
  subtract_big_endian(key, by);
  return key;
}

base::Status invalid(std::string text) {
  return {base::StatusCode::kInvalidArgument, std::move(text)};
}

base::Status require_value(const api::Operation& operation, const char* text) {
  return operation.__isset.value ? base::Status() : invalid(text);
}

/// The stamped kinds need room for the stamp unless they ask to be stored as they are.
base::Status require_stamp(const base::Bytes& buffer, std::uint32_t flags, const char* what) {
  if (buffer.size() >= kVersionstampBytes || (flags & core::kStampOnlyZeroTail) != 0) return {};
  return invalid(base::concat(what, " error: Buffer must be at least 10 bytes for versionstamp"));
}

base::Status require_ttl(const api::Operation& operation, bool positive) {
  if (operation.ttl_ms < 0 || (positive && operation.ttl_ms == 0)) {
    return invalid(base::concat("ttl_ms is ", operation.ttl_ms));
  }
  return {};
}

base::Status fill_increment(const api::Operation& operation, core::Step& step) {
  const char* const end = operation.value.data() + operation.value.size();
  const auto [stop, error] = std::from_chars(operation.value.data(), end, step.number);
  if (!operation.__isset.value || error != std::errc() || stop != end) {
    return invalid("Increment operation needs a 64-bit decimal number as value");
  }
  step.value.clear();
  return {};
}

std::optional<core::StepKind> kind_of(const std::string& type) {
  using core::StepKind;
  static constexpr std::pair<std::string_view, StepKind> kTypes[] = {
      {"set", StepKind::kSet},
      {"delete", StepKind::kDelete},
      {"SET_VERSIONSTAMPED_KEY", StepKind::kSetStampedKey},
      {"SET_VERSIONSTAMPED_VALUE", StepKind::kSetStampedValue},
      {"CHECK_VERSION", StepKind::kCheckVersion},
      {"INCREMENT", StepKind::kIncrement},
      {"APPEND", StepKind::kAppend},
      {"EXPIRE", StepKind::kExpire},
      {"PERSIST", StepKind::kPersist},
      {"CLEAR_RANGE", StepKind::kClearRange},
  };
  for (const auto& [word, kind] : kTypes) {
    if (word == type) return kind;
  }
  return std::nullopt;
}

base::Status fill_stamped_key(const api::Operation& operation, const core::Step& step) {
  SYNOD_RETURN_IF_ERROR(require_value(operation, "Versionstamped key operation missing value"));
  SYNOD_RETURN_IF_ERROR(require_ttl(operation, false));
  return require_stamp(operation.key, step.flags, "Versionstamped key");
}

base::Status fill_stamped_value(const api::Operation& operation, const core::Step& step) {
  SYNOD_RETURN_IF_ERROR(
      require_value(operation, "Versionstamped value operation missing value prefix"));
  SYNOD_RETURN_IF_ERROR(require_ttl(operation, false));
  return require_stamp(operation.value, step.flags, "Versionstamped value");
}

base::Status fill_check(const api::Operation& operation, core::Step& step) {
  if (!operation.__isset.expected_version) {
    return invalid("Check version operation missing expected_version");
  }
  step.number = operation.expected_version;
  return {};
}

/// What the kind asks for beyond the fields that all share, which are filled already.
base::Status fill_step(const api::Operation& operation, core::Step& step) {
  const auto kind = kind_of(operation.type);
  if (!kind.has_value()) {
    return invalid(base::concat("Unknown operation type: ", printable(operation.type)));
  }
  step.kind = *kind;
  switch (*kind) {
    case core::StepKind::kSet:
      SYNOD_RETURN_IF_ERROR(require_ttl(operation, false));
      return require_value(operation, "Set operation missing value");
    case core::StepKind::kDelete:
      step.value.clear();
      return {};
    case core::StepKind::kSetStampedKey:
      return fill_stamped_key(operation, step);
    case core::StepKind::kSetStampedValue:
      return fill_stamped_value(operation, step);
    case core::StepKind::kCheckVersion:
      return fill_check(operation, step);
    case core::StepKind::kIncrement:
      return fill_increment(operation, step);
    case core::StepKind::kAppend:
      return require_value(operation, "Append operation missing value");
    case core::StepKind::kExpire:
      return require_ttl(operation, true);
    case core::StepKind::kClearRange:
      step.end_key = operation.end_key;
      return {};
    default:
      return {};
  }
}

base::Status fill_token(const api::AtomicCommitRequest& request, core::KvOperation& out) {
  if (!request.__isset.client_id && !request.__isset.sequence) return {};
  core::ClientToken token;
  if (!request.__isset.client_id || !request.__isset.sequence ||
      request.client_id.size() != token.client_id.size()) {
    return invalid("client_id has 16 bytes and comes together with sequence");
  }
  std::copy(request.client_id.begin(), request.client_id.end(), token.client_id.begin());
  token.sequence = request.sequence;
  out.token = token;
  return {};
}

bool is_utf8(std::string_view text) {
  std::size_t i = 0;
  while (i < text.size()) {
    const auto lead = static_cast<unsigned char>(text[i]);
    if (lead < 0x80) {
      ++i;
      continue;
    }
    const std::size_t size = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
    if (lead < 0xc2 || lead > 0xf4 || i + size > text.size()) return false;
    std::uint32_t point = lead & (0xffU >> (size + 1));
    for (std::size_t k = 1; k < size; ++k) {
      const auto part = static_cast<unsigned char>(text[i + k]);
      if ((part & 0xc0) != 0x80) return false;
      point = (point << 6) | (part & 0x3fU);
    }
    const bool overlong = (size == 3 && point < 0x800) || (size == 4 && point < 0x10000);
    if (overlong || point > 0x10ffff || (point >= 0xd800 && point <= 0xdfff)) return false;
    i += size;
  }
  return true;
}

const char* health_word(router::NodeView::Health health) {
  switch (health) {
    case router::NodeView::Health::kHealthy:
      return "healthy";
    case router::NodeView::Health::kDegraded:
      return "degraded";
    case router::NodeView::Health::kUnreachable:
      return "unreachable";
    case router::NodeView::Health::kUnknown:
      break;
  }
  return "unknown";
}

}  // namespace

router::RequestContext to_context(const api::RequestOptions& options, const base::Clock& clock,
                                  std::optional<base::Millis> timeout) {
  router::RequestContext out;
  if (options.__isset.deadline_ms && options.deadline_ms > 0) {
    const base::Millis asked = clamp_millis(options.deadline_ms);
    timeout = timeout.has_value() ? std::min(*timeout, asked) : asked;
  }
  if (timeout.has_value()) out.deadline = clock.boot_time() + *timeout;
  if (options.__isset.read_level) out.read_level = to_read_level(options.read_level);
  if (options.__isset.priority) out.priority = to_priority(options.priority);
  if (options.__isset.trace_id) out.trace_id = printable(options.trace_id, 64);
  return out;
}

base::Bytes shift_end_key(base::BytesView end, std::int64_t offset) {
  base::Bytes key(end);
  if (offset >= 0) return shift_up(std::move(key), static_cast<std::uint64_t>(offset));
  return shift_down(std::move(key), static_cast<std::uint64_t>(-offset));
}

core::PointReadRequest to_point_read(base::Bytes key, const std::string& ns,
                                     std::optional<std::int64_t> read_version) {
  core::PointReadRequest out;
  out.ns = ns;
  out.key = std::move(key);
  if (read_version.has_value() && *read_version > 0) out.at = core::Version(*read_version);
  return out;
}

base::Result<core::KvOperation> to_commit(const api::AtomicCommitRequest& request) {
  core::KvOperation out;
  out.read_version = request.read_version;
  for (const std::string& key : request.read_conflict_keys) {
    out.read_keys.push_back({std::nullopt, key});
  }
  for (const api::ReadConflictKey& key : request.read_conflicts) {
    out.read_keys.push_back({key.column_family, key.key});
  }
  for (const api::ReadConflictRange& range : request.read_conflict_ranges) {
    out.read_ranges.push_back({range.column_family, range.begin_key, range.end_key});
  }
  SYNOD_RETURN_IF_ERROR(fill_token(request, out));
  out.steps.reserve(request.operations.size());
  for (const api::Operation& operation : request.operations) {
    core::Step step;
    step.flags = static_cast<std::uint32_t>(operation.flags);
    step.ns = operation.column_family;
    step.key = operation.key;
    step.value = operation.value;
    step.ttl_ms = operation.ttl_ms;
    SYNOD_RETURN_IF_ERROR(fill_step(operation, step));
    out.steps.push_back(std::move(step));
  }
  return out;
}

core::KvOperation to_single(core::Step step) {
  core::KvOperation out;
  out.steps.push_back(std::move(step));
  return out;
}

base::Millis commit_timeout(const api::AtomicCommitRequest& request) {
  if (request.timeout_seconds <= 0) return kCommitTimeout;
  constexpr std::int64_t kSecondsMax = kDeadlineMax / std::chrono::seconds(1);
  return std::chrono::seconds(std::min(request.timeout_seconds, kSecondsMax));
}

std::string printable(const std::string& text, std::size_t bytes_max) {
  if (text.size() <= bytes_max && is_utf8(text)) return text;
  return base::escape(text, bytes_max);
}

std::string message_text(const std::string& message) { return printable(message, 1024); }

std::string read_error(OutcomeCode code, const std::string& message, const std::string& ns) {
  constexpr const char* kPrefix = "Database error: Read operation failed: Database error: ";
  if (code == OutcomeCode::kUnknownNamespace) {
    return base::concat(kPrefix, "Column family '", printable(ns), "' not found");
  }
  return base::concat(kPrefix, message_text(message));
}

std::string write_error(const char* what, const core::Outcome& outcome) {
  // Old clients show these texts as they are; who leads stands in the router's message.
  if (outcome.code == OutcomeCode::kNotLeader || outcome.code == OutcomeCode::kNoQuorum) {
    return message_text(outcome.message);
  }
  return base::concat(what, " failed: ", message_text(outcome.message));
}

std::string commit_error(const core::Outcome& outcome) {
  std::string message = message_text(outcome.message);
  switch (outcome.code) {
    case OutcomeCode::kConflict:
      return message.empty() ? "Transaction conflict"
                             : base::concat("Transaction conflict: ", message);
    case OutcomeCode::kTimeout:
      return "Transaction timed out";
    case OutcomeCode::kInvalidOperation:
    case OutcomeCode::kNotLeader:
    case OutcomeCode::kNoQuorum:
      return message;
    default:
      return base::concat("Commit failed: ", message);
  }
}

std::vector<ResultShape> result_shapes(const core::KvOperation& operation) {
  std::vector<ResultShape> out;
  out.reserve(operation.steps.size());
  for (const core::Step& step : operation.steps) {
    switch (step.kind) {
      case core::StepKind::kIncrement:
      case core::StepKind::kAppend:
      case core::StepKind::kClearRange:
        out.push_back(ResultShape::kNumber);
        break;
      case core::StepKind::kSetStampedKey:
      case core::StepKind::kSetStampedValue:
        out.push_back(ResultShape::kGenerated);
        break;
      default:
        out.push_back(ResultShape::kPlain);
    }
  }
  return out;
}

api::AtomicCommitResponse to_commit_response(const std::vector<ResultShape>& shapes,
                                             const core::Outcome& outcome) {
  api::AtomicCommitResponse out;
  out.__set_success(outcome.ok());
  if (!outcome.ok()) {
    out.__set_error(commit_error(outcome));
    out.__set_error_code(std::string(core::outcome_code_name(outcome.code)));
    if (outcome.detail != core::ConflictDetail::kNone) {
      out.__set_detail_code(std::string(core::conflict_detail_name(outcome.detail)));
    }
    if (outcome.retry_after_ms > 0) out.__set_retry_after_ms(outcome.retry_after_ms);
    return out;
  }
  out.__set_committed_version(outcome.version.value());
  const std::size_t count = std::min(shapes.size(), outcome.results.size());
  out.results.resize(count);
  for (std::size_t i = 0; i < count; ++i) {
    const core::StepResult& result = outcome.results[i];
    out.results[i].__set_existed(result.existed);
    if (shapes[i] == ResultShape::kNumber) out.results[i].__set_number(result.number);
    if (shapes[i] == ResultShape::kGenerated) out.results[i].__set_generated(result.generated);
  }
  out.__isset.results = true;
  return out;
}

api::NodeStatus to_node_status(const router::NodeView& node) {
  api::NodeStatus out;
  out.__set_node_id(node.node_id);
  out.__set_endpoint(printable(node.endpoint));
  out.__set_status(health_word(node.health));
  out.__set_is_leader(node.is_leader);
  out.__set_last_seen_timestamp(node.last_seen_unix_s);
  out.__set_term(node.term);
  out.__set_uptime_seconds(std::max<std::int64_t>(node.uptime_s, 0));
  return out;
}

api::ClusterHealth to_cluster_health(const std::vector<router::NodeView>& nodes) {
  api::ClusterHealth out;
  std::int32_t healthy = 0;
  std::int64_t term = 0;
  for (const router::NodeView& node : nodes) {
    if (node.health == router::NodeView::Health::kHealthy) ++healthy;
    term = std::max(term, node.term);
    out.nodes.push_back(to_node_status(node));
    if (node.is_leader) out.__set_leader(out.nodes.back());
  }
  const auto total = static_cast<std::int32_t>(nodes.size());
  out.__set_healthy_nodes_count(healthy);
  out.__set_total_nodes_count(total);
  out.__set_current_term(term);
  out.__set_cluster_status(healthy == total      ? "healthy"
                           : healthy > total / 2 ? "degraded"
                                                 : "unhealthy");
  return out;
}

api::DatabaseStats to_database_stats(const router::DatabaseCounters& counters, bool detailed) {
  api::DatabaseStats out;
  out.__set_total_keys(counters.keys);
  out.__set_total_size_bytes(counters.bytes);
  out.__set_write_operations_count(counters.writes);
  out.__set_read_operations_count(counters.reads);
  out.__set_average_response_time_ms(counters.average_response_ms);
  out.__set_active_transactions(counters.pending);
  out.__set_committed_transactions(counters.committed);
  out.__set_aborted_transactions(counters.aborted);
  if (!detailed) return out;
  const double lookups =
      static_cast<double>(counters.cache_hits) + static_cast<double>(counters.cache_misses);
  const double rate =
      lookups > 0 ? 100.0 * static_cast<double>(counters.cache_hits) / lookups : 100.0;
  out.__set_cache_hit_rate_percent(static_cast<std::int64_t>(rate));
  out.__set_compaction_pending_bytes(counters.compaction_pending_bytes);
  return out;
}

}  // namespace synod::server
