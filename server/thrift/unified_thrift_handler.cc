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

core::Step make_step(core::StepKind kind, const std::string& ns, const base::Bytes& key) {
  core::Step step;
  step.kind = kind;
  step.ns = ns;
  step.key = key;
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

void UnifiedThriftHandler::getReadVersion(Cob<api::GetReadVersionResponse> cob,
                                          const api::GetReadVersionRequest& request) {
  router_.read_version(context(request.options),
                       [cob = std::move(cob)](const core::VersionReply& reply) {
                         api::GetReadVersionResponse out;
                         const bool ok = reply.code == OutcomeCode::kOk;
                         out.__set_read_version(ok ? reply.version.value() : 0);
                         out.__set_success(ok);
                         if (!ok) {
                           out.__set_error(message_text(reply.message));
                           out.__set_error_code(code_name(reply.code));
                         }
                         cob(out);
                       });
}

template <class Response>
void UnifiedThriftHandler::point_read(Cob<Response> cob, core::PointReadRequest read,
                                      const api::RequestOptions& options) {
  if (read.key.empty()) {
    auto out = missing_value<Response>();
    out.__set_error(read_error(OutcomeCode::kInvalidOperation, "key cannot be empty", read.ns));
    out.__set_error_code(code_name(OutcomeCode::kInvalidOperation));
    cob(out);
    return;
  }
  std::string ns = read.ns;
  router_.read(std::move(read), context(options),
               [cob = std::move(cob), ns = std::move(ns)](core::PointReadReply reply) {
                 auto out = missing_value<Response>();
                 if (reply.code != OutcomeCode::kOk) {
                   out.__set_error(read_error(reply.code, reply.message, ns));
                   out.__set_error_code(code_name(reply.code));
                 } else if (reply.found) {
                   out.found = true;
                   out.value = std::move(reply.value);
                 }
                 cob(out);
               });
}

void UnifiedThriftHandler::get(Cob<api::GetResponse> cob, const api::GetRequest& request) {
  point_read(std::move(cob), to_point_read(request.key, request.column_family, std::nullopt),
             request.options);
}

void UnifiedThriftHandler::snapshotRead(Cob<api::SnapshotReadResponse> cob,
                                        const api::SnapshotReadRequest& request) {
  auto read = to_point_read(request.key, request.column_family, request.read_version);
  read.namespace_must_exist = true;
  point_read(std::move(cob), std::move(read), request.options);
}

void UnifiedThriftHandler::snapshotGet(Cob<api::SnapshotGetResponse> cob,
                                       const api::SnapshotGetRequest& request) {
  auto read = to_point_read(request.key, request.column_family, request.read_version);
  read.namespace_must_exist = true;
  point_read(std::move(cob), std::move(read), request.options);
}

template <class Response>
void UnifiedThriftHandler::range_read(Cob<Response> cob, core::RangeReadRequest read,
                                      const api::RequestOptions& options) {
  std::string ns = read.ns;
  router_.read_range(std::move(read), context(options),
                     [cob = std::move(cob), ns = std::move(ns)](core::RangeReadReply reply) {
                       Response out;
                       const bool ok = reply.code == OutcomeCode::kOk;
                       out.__set_success(ok);
                       out.__set_has_more(ok && reply.has_more);
                       if (!ok) {
                         out.__set_error(read_error(reply.code, reply.message, ns));
                         out.__set_error_code(code_name(reply.code));
                         cob(out);
                         return;
                       }
                       out.key_values.resize(reply.rows.size());
                       for (std::size_t i = 0; i < reply.rows.size(); ++i) {
                         out.key_values[i].key = std::move(reply.rows[i].first);
                         out.key_values[i].value = std::move(reply.rows[i].second);
                       }
                       cob(out);
                     });
}

void UnifiedThriftHandler::getRange(Cob<api::GetRangeResponse> cob,
                                    const api::GetRangeRequest& request) {
  range_read(std::move(cob), to_range_read(request, std::nullopt, options_.range_bytes_max),
             request.options);
}

void UnifiedThriftHandler::snapshotGetRange(Cob<api::SnapshotGetRangeResponse> cob,
                                            const api::SnapshotGetRangeRequest& request) {
  range_read(std::move(cob), to_range_read(request, request.read_version, options_.range_bytes_max),
             request.options);
}

// ---- writes

template <class Response>
void UnifiedThriftHandler::single_write(Cob<Response> cob, const char* what, core::Step step,
                                        const api::RequestOptions& options) {
  router_.submit(to_single(std::move(step)), context(options),
                 [cob = std::move(cob), what](const core::Outcome& outcome) {
                   Response out;
                   out.__set_success(outcome.ok());
                   if (outcome.ok()) {
                     out.__set_committed_version(outcome.version.value());
                   } else {
                     out.__set_error(write_error(what, outcome));
                     out.__set_error_code(code_name(outcome.code));
                   }
                   cob(out);
                 });
}

void UnifiedThriftHandler::setKey(Cob<api::SetResponse> cob, const api::SetRequest& request) {
  if (request.ttl_ms < 0) {
    api::SetResponse out;
    out.__set_success(false);
    out.__set_error(base::concat("put failed: ttl_ms is ", request.ttl_ms));
    out.__set_error_code(code_name(OutcomeCode::kInvalidOperation));
    cob(out);
    return;
  }
  core::Step step = make_step(core::StepKind::kSet, request.column_family, request.key);
  step.value = request.value;
  step.ttl_ms = request.ttl_ms;
  single_write(std::move(cob), "put", std::move(step), request.options);
}

void UnifiedThriftHandler::deleteKey(Cob<api::DeleteResponse> cob,
                                     const api::DeleteRequest& request) {
  single_write(std::move(cob), "delete",
               make_step(core::StepKind::kDelete, request.column_family, request.key),
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

void UnifiedThriftHandler::setVersionstampedKey(Cob<api::SetVersionstampedKeyResponse> cob,
                                                const api::SetVersionstampedKeyRequest& request) {
  core::Step step =
      make_step(core::StepKind::kSetStampedKey, request.column_family, request.key_prefix);
  step.flags = core::kStampOnlyZeroTail;
  step.value = request.value;
  router_.submit(
      to_single(std::move(step)), context(request.options),
      [cob = std::move(cob)](const core::Outcome& outcome) {
        using Response = api::SetVersionstampedKeyResponse;
        cob(stamped_response<Response>(outcome, "key", [](Response& out, const base::Bytes& key) {
          out.__set_generated_key(key);
        }));
      });
}

void UnifiedThriftHandler::setVersionstampedValue(
    Cob<api::SetVersionstampedValueResponse> cob,
    const api::SetVersionstampedValueRequest& request) {
  core::Step step = make_step(core::StepKind::kSetStampedValue, request.column_family, request.key);
  step.flags = core::kStampOnlyZeroTail;
  step.value = request.value_prefix;
  router_.submit(to_single(std::move(step)), context(request.options),
                 [cob = std::move(cob)](const core::Outcome& outcome) {
                   using Response = api::SetVersionstampedValueResponse;
                   cob(stamped_response<Response>(outcome, "value",
                                                  [](Response& out, const base::Bytes& value) {
                                                    out.__set_generated_value(value);
                                                  }));
                 });
}

// ---- transactions

bool UnifiedThriftHandler::inject_fault(const Cob<api::AtomicCommitResponse>& cob) {
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
    timers_.run_after(fault->delay, [cob, out = std::move(out)] { cob(out); });
  } else {
    cob(out);
  }
  return true;
}

void UnifiedThriftHandler::atomicCommit(Cob<api::AtomicCommitResponse> cob,
                                        const api::AtomicCommitRequest& request) {
  if (inject_fault(cob)) return;
  auto operation = to_commit(request);
  if (!operation.ok()) {
    api::AtomicCommitResponse out;
    out.__set_success(false);
    out.__set_error(operation.status().message());
    out.__set_error_code(code_name(OutcomeCode::kInvalidOperation));
    cob(out);
    return;
  }
  auto shapes = result_shapes(*operation);
  router_.submit(std::move(*operation), context(request.options, commit_timeout(request)),
                 [cob = std::move(cob), shapes = std::move(shapes)](const core::Outcome& outcome) {
                   cob(to_commit_response(shapes, outcome));
                 });
}

void UnifiedThriftHandler::addReadConflict(Cob<api::AddReadConflictResponse> cob,
                                           const api::AddReadConflictRequest& /*request*/) {
  cob(client_side<api::AddReadConflictResponse>(kConflictsAtClient));
}

void UnifiedThriftHandler::addReadConflictRange(
    Cob<api::AddReadConflictRangeResponse> cob,
    const api::AddReadConflictRangeRequest& /*request*/) {
  cob(client_side<api::AddReadConflictRangeResponse>(kConflictsAtClient));
}

void UnifiedThriftHandler::setReadVersion(Cob<api::SetReadVersionResponse> cob,
                                          const api::SetReadVersionRequest& /*request*/) {
  cob(client_side<api::SetReadVersionResponse>(
      "Read version managed client-side in FoundationDB model"));
}

void UnifiedThriftHandler::getCommittedVersion(Cob<api::GetCommittedVersionResponse> cob,
                                               const api::GetCommittedVersionRequest& /*request*/) {
  auto out = client_side<api::GetCommittedVersionResponse>(
      "Committed version managed client-side in FoundationDB model");
  out.__set_version(0);
  cob(out);
}

void UnifiedThriftHandler::setFaultInjection(Cob<api::FaultInjectionResponse> cob,
                                             const api::FaultInjectionRequest& request) {
  api::FaultInjectionResponse out;
  if (faults_ == nullptr) {
    out.__set_success(false);
    out.__set_error("Fault injection is not enabled in the configuration of this server");
    cob(out);
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
  cob(out);
}

// ---- diagnostics

void UnifiedThriftHandler::ping(Cob<api::PingResponse> cob, const api::PingRequest& request) {
  api::PingResponse out;
  out.__set_message(request.__isset.message ? request.message : "pong");
  out.__set_timestamp(request.timestamp);
  out.__set_server_timestamp(
      std::chrono::duration_cast<base::Micros>(timers_.clock().wall_time()).count());
  cob(out);
}

void UnifiedThriftHandler::getClusterHealth(Cob<api::GetClusterHealthResponse> cob,
                                            const api::GetClusterHealthRequest& /*request*/) {
  api::GetClusterHealthResponse out;
  out.__set_success(true);
  out.__set_cluster_health(to_cluster_health(router_.nodes()));
  cob(out);
}

void UnifiedThriftHandler::getDatabaseStats(Cob<api::GetDatabaseStatsResponse> cob,
                                            const api::GetDatabaseStatsRequest& request) {
  api::GetDatabaseStatsResponse out;
  out.__set_success(true);
  out.__set_database_stats(to_database_stats(router_.counters(), request.include_detailed_stats));
  cob(out);
}

void UnifiedThriftHandler::getNodeInfo(Cob<api::GetNodeInfoResponse> cob,
                                       const api::GetNodeInfoRequest& request) {
  const std::int32_t id = request.__isset.node_id ? request.node_id : options_.node_id;
  api::GetNodeInfoResponse out;
  for (const router::NodeView& node : router_.nodes()) {
    if (node.node_id == id) out.__set_node_info(to_node_status(node));
  }
  out.__set_success(out.__isset.node_info);
  if (!out.success) out.__set_error(base::concat("Database error: Node ", id, " not found"));
  cob(out);
}

}  // namespace synod::server
