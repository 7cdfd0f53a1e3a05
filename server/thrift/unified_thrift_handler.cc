// SPDX-License-Identifier: Apache-2.0
#include "server/thrift/unified_thrift_handler.h"

#include <string>
#include <utility>

#include "base/text.h"
#include "net/worker.h"
#include "server/thrift/convert.h"

namespace synod::server {
namespace {

using core::OutcomeCode;

std::string code_name(OutcomeCode code) { return std::string(core::outcome_code_name(code)); }

core::Step make_step(core::StepKind kind, std::string ns, base::Bytes key) {
  core::Step step;
  step.kind = kind;
  step.ns = std::move(ns);
  step.key = std::move(key);
  return step;
}

template <class Response>
Response missing_value() {
  Response out;
  out.__set_value("");
  out.__set_found(false);
  return out;
}

template <class Response>
Response client_side(const char* text) {
  Response out;
  out.__set_success(false);
  out.__set_error(text);
  return out;
}

constexpr const char* kConflictsAtClient =
    "Conflict detection handled client-side in FoundationDB model";

}  // namespace

UnifiedThriftHandler::UnifiedThriftHandler(const Options& options, router::RequestRouter& router,
                                           base::Dispatcher& timers,
                                           std::shared_ptr<FaultInjector> faults)
    : options_(options), router_(router), timers_(timers), faults_(std::move(faults)) {}

router::RequestContext UnifiedThriftHandler::context(const api::RequestOptions& options,
                                                     std::optional<base::Millis> timeout) const {
  auto context = to_context(options, timers_.clock(), timeout);
  // Calls begin on the dispatcher of their connection; the answer belongs there too.
  context.worker = net::Worker::current();
  return context;
}

// ---- reads

void UnifiedThriftHandler::getReadVersion(Reply<api::GetReadVersionResponse> reply,
                                          api::GetReadVersionRequest& request) {
  router_.read_version(context(request.options),
                       [reply = std::move(reply)](const core::VersionReply& found) mutable {
                         api::GetReadVersionResponse out;
                         const bool ok = found.code == OutcomeCode::kOk;
                         out.__set_read_version(ok ? found.version.value() : 0);
                         out.__set_success(ok);
                         if (!ok) {
                           out.__set_error(message_text(found.message));
                           out.__set_error_code(code_name(found.code));
                         }
                         reply(out);
                       });
}

template <class Response, class Request>
void UnifiedThriftHandler::point_read(Reply<Response> reply, core::PointReadRequest read,
                                      const Request& request) {
  if (read.key.empty()) {
    auto out = missing_value<Response>();
    out.__set_error(read_error(OutcomeCode::kInvalidOperation, "key cannot be empty", read.ns));
    out.__set_error_code(code_name(OutcomeCode::kInvalidOperation));
    reply(out);
    return;
  }
  // The request lives as long as the right to answer it.
  router_.read(std::move(read), context(request.options),
               [reply = std::move(reply), &request](core::PointReadReply found) mutable {
                 auto out = missing_value<Response>();
                 if (found.code != OutcomeCode::kOk) {
                   out.__set_error(read_error(found.code, found.message, request.column_family));
                   out.__set_error_code(code_name(found.code));
                 } else if (found.found) {
                   out.found = true;
                   out.value = std::move(found.value);
                 }
                 reply(out);
               });
}

void UnifiedThriftHandler::get(Reply<api::GetResponse> reply, api::GetRequest& request) {
  point_read(std::move(reply),
             to_point_read(std::move(request.key), request.column_family, std::nullopt), request);
}

void UnifiedThriftHandler::snapshotRead(Reply<api::SnapshotReadResponse> reply,
                                        api::SnapshotReadRequest& request) {
  auto read = to_point_read(std::move(request.key), request.column_family, request.read_version);
  read.namespace_must_exist = true;
  point_read(std::move(reply), std::move(read), request);
}

void UnifiedThriftHandler::snapshotGet(Reply<api::SnapshotGetResponse> reply,
                                       api::SnapshotGetRequest& request) {
  auto read = to_point_read(std::move(request.key), request.column_family, request.read_version);
  read.namespace_must_exist = true;
  point_read(std::move(reply), std::move(read), request);
}

template <class Response, class Request>
void UnifiedThriftHandler::range_read(Reply<Response> reply, core::RangeReadRequest read,
                                      const Request& request) {
  router_.read_range(
      std::move(read), context(request.options),
      [reply = std::move(reply), &request](core::RangeReadReply found) mutable {
        Response out;
        const bool ok = found.code == OutcomeCode::kOk;
        out.__set_success(ok);
        out.__set_has_more(ok && found.has_more);
        if (!ok) {
          out.__set_error(read_error(found.code, found.message, request.column_family));
          out.__set_error_code(code_name(found.code));
          reply(out);
          return;
        }
        out.key_values.resize(found.rows.size());
        for (std::size_t i = 0; i < found.rows.size(); ++i) {
          out.key_values[i].key = std::move(found.rows[i].first);
          out.key_values[i].value = std::move(found.rows[i].second);
        }
        reply(out);
      });
}

void UnifiedThriftHandler::getRange(Reply<api::GetRangeResponse> reply,
                                    api::GetRangeRequest& request) {
  range_read(std::move(reply), to_range_read(request, std::nullopt, options_.range_bytes_max),
             request);
}

void UnifiedThriftHandler::snapshotGetRange(Reply<api::SnapshotGetRangeResponse> reply,
                                            api::SnapshotGetRangeRequest& request) {
  range_read(std::move(reply),
             to_range_read(request, request.read_version, options_.range_bytes_max), request);
}

// ---- writes

template <class Response>
void UnifiedThriftHandler::single_write(Reply<Response> reply, const char* what, core::Step step,
                                        const api::RequestOptions& options) {
  router_.submit(to_single(std::move(step)), context(options),
                 [reply = std::move(reply), what](const core::Outcome& outcome) mutable {
                   Response out;
                   out.__set_success(outcome.ok());
                   if (outcome.ok()) {
                     out.__set_committed_version(outcome.version.value());
                   } else {
                     out.__set_error(write_error(what, outcome));
                     out.__set_error_code(code_name(outcome.code));
                   }
                   reply(out);
                 });
}

void UnifiedThriftHandler::setKey(Reply<api::SetResponse> reply, api::SetRequest& request) {
  if (request.ttl_ms < 0) {
    api::SetResponse out;
    out.__set_success(false);
    out.__set_error(base::concat("put failed: ttl_ms is ", request.ttl_ms));
    out.__set_error_code(code_name(OutcomeCode::kInvalidOperation));
    reply(out);
    return;
  }
  core::Step step =
      make_step(core::StepKind::kSet, std::move(request.column_family), std::move(request.key));
  step.value = std::move(request.value);
  step.ttl_ms = request.ttl_ms;
  single_write(std::move(reply), "put", std::move(step), request.options);
}

void UnifiedThriftHandler::deleteKey(Reply<api::DeleteResponse> reply,
                                     api::DeleteRequest& request) {
  single_write(
      std::move(reply), "delete",
      make_step(core::StepKind::kDelete, std::move(request.column_family), std::move(request.key)),
      request.options);
}

namespace {

/// The reply of a versionstamp method; `set_generated` puts the bytes where they belong.
template <class Response, class SetGenerated>
Response stamped_response(const core::Outcome& outcome, const char* what,
                          const SetGenerated& set_generated) {
  Response out;
  const bool ok = outcome.ok() && !outcome.results.empty();
  set_generated(out, ok ? outcome.results.front().generated : base::Bytes());
  out.__set_success(ok);
  if (ok) {
    out.__set_committed_version(outcome.version.value());
  } else if (outcome.ok()) {
    out.__set_error(base::concat("Failed to generate versionstamped ", what));
    out.__set_error_code(code_name(OutcomeCode::kInternal));
  } else {
    out.__set_error(write_error("put", outcome));
    out.__set_error_code(code_name(outcome.code));
  }
  return out;
}

}  // namespace

void UnifiedThriftHandler::setVersionstampedKey(Reply<api::SetVersionstampedKeyResponse> reply,
                                                api::SetVersionstampedKeyRequest& request) {
  core::Step step =
      make_step(core::StepKind::kSetStampedKey, request.column_family, request.key_prefix);
  step.flags = core::kStampOnlyZeroTail;
  step.value = request.value;
  router_.submit(
      to_single(std::move(step)), context(request.options),
      [reply = std::move(reply)](const core::Outcome& outcome) mutable {
        using Response = api::SetVersionstampedKeyResponse;
        reply(stamped_response<Response>(outcome, "key", [](Response& out, const base::Bytes& key) {
          out.__set_generated_key(key);
        }));
      });
}

void UnifiedThriftHandler::setVersionstampedValue(Reply<api::SetVersionstampedValueResponse> reply,
                                                  api::SetVersionstampedValueRequest& request) {
  core::Step step = make_step(core::StepKind::kSetStampedValue, request.column_family, request.key);
  step.flags = core::kStampOnlyZeroTail;
  step.value = request.value_prefix;
  router_.submit(to_single(std::move(step)), context(request.options),
                 [reply = std::move(reply)](const core::Outcome& outcome) mutable {
                   using Response = api::SetVersionstampedValueResponse;
                   reply(stamped_response<Response>(outcome, "value",
                                                    [](Response& out, const base::Bytes& value) {
                                                      out.__set_generated_value(value);
                                                    }));
                 });
}

// ---- transactions

bool UnifiedThriftHandler::inject_fault(Reply<api::AtomicCommitResponse>& reply) {
  if (faults_ == nullptr) return false;
  const auto fault = faults_->draw();
  if (!fault.has_value()) return false;
  api::AtomicCommitResponse out;
  out.__set_success(false);
  out.__set_error(fault->type == "TIMEOUT"    ? "Operation timeout"
                  : fault->type == "CONFLICT" ? "Transaction conflict"
                                              : "Fault injected");
  out.__set_error_code(printable(fault->type));
  if (fault->delay > base::Nanos(0)) {
    timers_.run_after(fault->delay,
                      [reply = std::move(reply), out = std::move(out)]() mutable { reply(out); });
  } else {
    reply(out);
  }
  return true;
}

void UnifiedThriftHandler::atomicCommit(Reply<api::AtomicCommitResponse> reply,
                                        api::AtomicCommitRequest& request) {
  if (inject_fault(reply)) return;
  auto operation = to_commit(request);
  if (!operation.ok()) {
    api::AtomicCommitResponse out;
    out.__set_success(false);
    out.__set_error(operation.status().message());
    out.__set_error_code(code_name(OutcomeCode::kInvalidOperation));
    reply(out);
    return;
  }
  auto shapes = result_shapes(*operation);
  router_.submit(
      std::move(*operation), context(request.options, commit_timeout(request)),
      [reply = std::move(reply), shapes = std::move(shapes)](const core::Outcome& outcome) mutable {
        reply(to_commit_response(shapes, outcome));
      });
}

void UnifiedThriftHandler::addReadConflict(Reply<api::AddReadConflictResponse> reply,
                                           api::AddReadConflictRequest& /*request*/) {
  reply(client_side<api::AddReadConflictResponse>(kConflictsAtClient));
}

void UnifiedThriftHandler::addReadConflictRange(Reply<api::AddReadConflictRangeResponse> reply,
                                                api::AddReadConflictRangeRequest& /*request*/) {
  reply(client_side<api::AddReadConflictRangeResponse>(kConflictsAtClient));
}

void UnifiedThriftHandler::setReadVersion(Reply<api::SetReadVersionResponse> reply,
                                          api::SetReadVersionRequest& /*request*/) {
  reply(client_side<api::SetReadVersionResponse>(
      "Read version managed client-side in FoundationDB model"));
}

void UnifiedThriftHandler::getCommittedVersion(Reply<api::GetCommittedVersionResponse> reply,
                                               api::GetCommittedVersionRequest& /*request*/) {
  auto out = client_side<api::GetCommittedVersionResponse>(
      "Committed version managed client-side in FoundationDB model");
  out.__set_version(0);
  reply(out);
}

void UnifiedThriftHandler::setFaultInjection(Reply<api::FaultInjectionResponse> reply,
                                             api::FaultInjectionRequest& request) {
  api::FaultInjectionResponse out;
  if (faults_ == nullptr) {
    out.__set_success(false);
    out.__set_error("Fault injection is not enabled in the configuration of this server");
    reply(out);
    return;
  }
  const bool commits = !request.__isset.target_operation || request.target_operation == "commit";
  if (!(request.probability > 0)) {
    faults_->clear();
  } else if (commits) {
    faults_->set({request.fault_type, request.probability,
                  base::Millis(request.duration_ms > 0 ? request.duration_ms : 0)});
  } else {
    faults_->clear();  // it replaces the previous fault, and has no effect itself
  }
  out.__set_success(true);
  reply(out);
}

// ---- diagnostics

void UnifiedThriftHandler::ping(Reply<api::PingResponse> reply, api::PingRequest& request) {
  api::PingResponse out;
  out.__set_message(request.__isset.message ? request.message : "pong");
  out.__set_timestamp(request.timestamp);
  out.__set_server_timestamp(
      std::chrono::duration_cast<base::Micros>(timers_.clock().wall_time()).count());
  reply(out);
}

void UnifiedThriftHandler::getClusterHealth(Reply<api::GetClusterHealthResponse> reply,
                                            api::GetClusterHealthRequest& /*request*/) {
  api::GetClusterHealthResponse out;
  out.__set_success(true);
  out.__set_cluster_health(to_cluster_health(router_.nodes()));
  reply(out);
}

void UnifiedThriftHandler::getDatabaseStats(Reply<api::GetDatabaseStatsResponse> reply,
                                            api::GetDatabaseStatsRequest& request) {
  api::GetDatabaseStatsResponse out;
  out.__set_success(true);
  out.__set_database_stats(to_database_stats(router_.counters(), request.include_detailed_stats));
  reply(out);
}

void UnifiedThriftHandler::getNodeInfo(Reply<api::GetNodeInfoResponse> reply,
                                       api::GetNodeInfoRequest& request) {
  const std::int32_t id = request.__isset.node_id ? request.node_id : options_.node_id;
  api::GetNodeInfoResponse out;
  for (const router::NodeView& node : router_.nodes()) {
    if (node.node_id == id) out.__set_node_info(to_node_status(node));
  }
  out.__set_success(out.__isset.node_info);
  if (!out.success) out.__set_error(base::concat("Database error: Node ", id, " not found"));
  reply(out);
}

}  // namespace synod::server
