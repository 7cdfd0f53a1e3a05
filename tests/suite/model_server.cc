// SPDX-License-Identifier: Apache-2.0
#include "tests/suite/model_server.h"

#include <thrift/protocol/TBinaryProtocol.h>
#include <thrift/server/TThreadedServer.h>
#include <thrift/transport/TServerSocket.h>

#include <chrono>
#include <future>
#include <stdexcept>
#include <string>

#include "TransactionalKV.h"
#include "client/cpp/connection.h"
#include "tests/suite/model_store.h"

namespace synod::suite {
namespace {

std::int64_t unix_micros() {
  return std::chrono::duration_cast<std::chrono::microseconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

constexpr const char* kEmptyKey =
    "Database error: Read operation failed: Database error: key cannot be empty";
constexpr const char* kClientSide = "managed client-side in FoundationDB model";

/// Takes one from a counter of faults still to be injected.
bool take(std::atomic<int>& count) {
  int left = count.load();
  while (left > 0 && !count.compare_exchange_weak(left, left - 1)) {
  }
  return left > 0;
}

}  // namespace

/// Converts between Thrift structs and the store; every method is one row of the contract.
class ModelHandler final : public api::TransactionalKVIf {
 public:
  std::atomic<int> spoil{0};
  std::atomic<int> refuse{0};

  void getReadVersion(api::GetReadVersionResponse& reply,
                      const api::GetReadVersionRequest&) override {
    reply.__set_read_version(store_.version());
    reply.__set_success(true);
  }

  void snapshotRead(api::SnapshotReadResponse& reply,
                    const api::SnapshotReadRequest& request) override {
    read_at(reply, request);
  }

  void snapshotGet(api::SnapshotGetResponse& reply,
                   const api::SnapshotGetRequest& request) override {
    read_at(reply, request);
  }

  void get(api::GetResponse& reply, const api::GetRequest& request) override {
    fill(reply, request, 0);
  }

  void atomicCommit(api::AtomicCommitResponse& reply,
                    const api::AtomicCommitRequest& request) override {
    if (take(refuse)) {
      reply.__set_success(false);
      reply.__set_error("busy");
      reply.__set_error_code("BUSY");
      return;
    }
    if (fault_probability_ > 0) {
      reply.__set_success(false);
      reply.__set_error(fault_ == "TIMEOUT"    ? "Operation timeout"
                        : fault_ == "CONFLICT" ? "Transaction conflict"
                                               : "Fault injected");
      reply.__set_error_code(fault_);
      return;
    }
    reply = store_.commit(request);
    if (take(spoil)) throw std::runtime_error("the reply is lost on purpose");
  }

  void setKey(api::SetResponse& reply, const api::SetRequest& request) override {
    api::Operation step = make("set", request.key, request);
    step.__set_value(request.value);
    if (request.__isset.ttl_ms) step.__set_ttl_ms(request.ttl_ms);
    finish(reply, run(step));
  }

  void deleteKey(api::DeleteResponse& reply, const api::DeleteRequest& request) override {
    finish(reply, run(make("delete", request.key, request)));
  }

  void getRange(api::GetRangeResponse& reply, const api::GetRangeRequest& request) override {
    fill_range(reply, request, 0);
  }

  void snapshotGetRange(api::SnapshotGetRangeResponse& reply,
                        const api::SnapshotGetRangeRequest& request) override {
    fill_range(reply, request, request.read_version);
  }

  void addReadConflict(api::AddReadConflictResponse& reply,
                       const api::AddReadConflictRequest&) override {
    unsupported(reply, "Conflict detection handled client-side in FoundationDB model");
  }

  void addReadConflictRange(api::AddReadConflictRangeResponse& reply,
                            const api::AddReadConflictRangeRequest&) override {
    unsupported(reply, "Conflict detection handled client-side in FoundationDB model");
  }

  void setReadVersion(api::SetReadVersionResponse& reply,
                      const api::SetReadVersionRequest&) override {
    unsupported(reply, std::string("Read version ") + kClientSide);
  }

  void getCommittedVersion(api::GetCommittedVersionResponse& reply,
                           const api::GetCommittedVersionRequest&) override {
    reply.__set_version(0);
    unsupported(reply, std::string("Committed version ") + kClientSide);
  }

  void setVersionstampedKey(api::SetVersionstampedKeyResponse& reply,
                            const api::SetVersionstampedKeyRequest& request) override {
    api::Operation step = make("SET_VERSIONSTAMPED_KEY", request.key_prefix, request);
    step.__set_value(request.value);
    step.__set_flags(1);
    const auto done = run(step);
    reply.__set_generated_key(done.success ? done.results[0].generated : "");
    finish(reply, done);
  }

  void setVersionstampedValue(api::SetVersionstampedValueResponse& reply,
                              const api::SetVersionstampedValueRequest& request) override {
    api::Operation step = make("SET_VERSIONSTAMPED_VALUE", request.key, request);
    step.__set_value(request.value_prefix);
    step.__set_flags(1);
    const auto done = run(step);
    reply.__set_generated_value(done.success ? done.results[0].generated : "");
    finish(reply, done);
  }

  void setFaultInjection(api::FaultInjectionResponse& reply,
                         const api::FaultInjectionRequest& request) override {
    const bool commits = !request.__isset.target_operation || request.target_operation == "commit";
    if (commits || request.probability <= 0) {
      fault_ = request.fault_type;
      fault_probability_ = request.probability;
    }
    reply.__set_success(true);
  }

  void ping(api::PingResponse& reply, const api::PingRequest& request) override {
    reply.__set_message(request.__isset.message ? request.message : "pong");
    reply.__set_timestamp(request.__isset.timestamp ? request.timestamp : 0);
    reply.__set_server_timestamp(unix_micros());
  }

  void getClusterHealth(api::GetClusterHealthResponse& reply,
                        const api::GetClusterHealthRequest&) override {
    api::ClusterHealth health;
    health.__set_nodes({self()});
    health.__set_healthy_nodes_count(1);
    health.__set_total_nodes_count(1);
    health.__set_leader(self());
    health.__set_cluster_status("healthy");
    health.__set_current_term(1);
    reply.__set_cluster_health(health);
    reply.__set_success(true);
  }

  void getDatabaseStats(api::GetDatabaseStatsResponse& reply,
                        const api::GetDatabaseStatsRequest& request) override {
    api::DatabaseStats stats;
    stats.__set_total_keys(store_.keys());
    stats.__set_write_operations_count(store_.version());
    if (request.include_detailed_stats) {
      stats.__set_cache_hit_rate_percent(100);
      stats.__set_compaction_pending_bytes(0);
    }
    reply.__set_database_stats(stats);
    reply.__set_success(true);
  }

  void getNodeInfo(api::GetNodeInfoResponse& reply,
                   const api::GetNodeInfoRequest& request) override {
    if (request.__isset.node_id && request.node_id != 0) {
      reply.__set_error("Database error: Node " + std::to_string(request.node_id) + " not found");
      return;
    }
    reply.__set_node_info(self());
    reply.__set_success(true);
  }

 private:
  static api::NodeStatus self() {
    api::NodeStatus node;
    node.__set_endpoint("127.0.0.1");
    node.__set_status("healthy");
    node.__set_is_leader(true);
    node.__set_last_seen_timestamp(unix_micros() / 1'000'000);
    node.__set_term(1);
    node.__set_uptime_seconds(0);
    return node;
  }

  template <class Request>
  static api::Operation make(const char* type, const base::Bytes& key, const Request& request) {
    api::Operation step;
    step.__set_type(type);
    step.__set_key(key);
    if (request.__isset.column_family) step.__set_column_family(request.column_family);
    return step;
  }

  api::AtomicCommitResponse run(const api::Operation& step) {
    api::AtomicCommitRequest request;
    request.__set_operations({step});
    return store_.commit(request);
  }

  template <class Reply>
  static void finish(Reply& reply, const api::AtomicCommitResponse& done) {
    reply.__set_success(done.success);
    if (done.success) {
      reply.__set_committed_version(done.committed_version);
    } else {
      reply.__set_error(done.error);
      reply.__set_error_code(done.error_code);
    }
  }

  template <class Reply>
  static void unsupported(Reply& reply, const std::string& text) {
    reply.__set_success(false);
    reply.__set_error(text);
  }

  template <class Reply, class Request>
  void read_at(Reply& reply, const Request& request) {
    const std::string ns = namespace_of(request.__isset.column_family, request.column_family);
    if (!store_.knows_namespace(ns)) {
      reply.__set_error("Database error: Read operation failed: Database error: Column family '" +
                        ns + "' not found");
      reply.__set_error_code("UNKNOWN_NAMESPACE");
      return;
    }
    fill(reply, request, request.read_version);
  }

  template <class Reply, class Request>
  void fill(Reply& reply, const Request& request, std::int64_t at) {
    if (request.key.empty()) {
      reply.__set_error(kEmptyKey);
      reply.__set_error_code("INVALID_OPERATION");
      return;
    }
    const std::string ns = namespace_of(request.__isset.column_family, request.column_family);
    const auto value = store_.get(ns, request.key, at);
    reply.__set_found(value.has_value());
    reply.__set_value(value.value_or(""));
  }

  template <class Reply, class Request>
  void fill_range(Reply& reply, const Request& request, std::int64_t at) {
    ModelStore::Range range;
    range.ns = namespace_of(request.__isset.column_family, request.column_family);
    range.begin = request.begin_key;
    range.begin_inclusive = request.begin_or_equal;
    range.end = shifted_key(request.__isset.end_key ? request.end_key : base::Bytes("\xff"),
                            request.end_offset);
    range.end_inclusive = request.end_or_equal;
    range.skip = static_cast<std::size_t>(std::max(request.begin_offset, 0));
    range.limit = static_cast<std::size_t>(std::max(request.limit, 0));
    auto [rows, more] = store_.range(range, at);
    reply.__set_key_values(std::move(rows));
    reply.__set_has_more(more);
    reply.__set_success(true);
  }

  ModelStore store_{[] { return unix_micros() / 1'000; }};
  std::string fault_;
  std::atomic<double> fault_probability_{0};
};

namespace {

class MessageTransportFactory final : public apache::thrift::transport::TTransportFactory {
 public:
  explicit MessageTransportFactory(bool is_framed) : is_framed_(is_framed) {}

  std::shared_ptr<apache::thrift::transport::TTransport> getTransport(
      std::shared_ptr<apache::thrift::transport::TTransport> inner) override {
    inner->setConfiguration(client::MessageTransport::unlimited());
    if (is_framed_) return std::make_shared<apache::thrift::transport::TFramedTransport>(inner);
    return std::make_shared<client::MessageTransport>(inner);
  }

 private:
  const bool is_framed_;
};

class Ready final : public apache::thrift::server::TServerEventHandler {
 public:
  void preServe() override { promise.set_value(); }
  std::promise<void> promise;
};

}  // namespace

ModelServer::ModelServer(int port, bool is_framed) : handler_(std::make_shared<ModelHandler>()) {
  using namespace apache::thrift;  // NOLINT(google-build-using-namespace)
  auto socket = std::make_shared<transport::TServerSocket>("127.0.0.1", port);
  server_ = std::make_shared<server::TThreadedServer>(
      std::make_shared<api::TransactionalKVProcessor>(handler_), socket,
      std::make_shared<MessageTransportFactory>(is_framed),
      std::make_shared<protocol::TBinaryProtocolFactory>(0, 0, true, true));
  auto ready = std::make_shared<Ready>();
  server_->setServerEventHandler(ready);
  auto listening = ready->promise.get_future();
  thread_ = std::thread([server = server_] { server->serve(); });
  listening.wait();
  port_ = static_cast<std::uint16_t>(socket->getPort());
}

ModelServer::~ModelServer() {
  server_->stop();
  thread_.join();
}

void ModelServer::spoil_commit_replies(int count) { handler_->spoil = count; }
void ModelServer::refuse_commits(int count) { handler_->refuse = count; }

}  // namespace synod::suite
