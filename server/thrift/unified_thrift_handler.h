// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <optional>

#include "TransactionalKV.h"
#include "base/dispatcher.h"
#include "router/request_router.h"
#include "server/thrift/fault_injector.h"
#include "server/thrift/thrift_call.h"

namespace synod::server {

/// The public Thrift service over a RequestRouter: conversion, nothing else.
///
/// One class for standalone and replicated mode; what differs between them is behind the router.
///
/// Invariants
///   UH1  After success `error` and `error_code` are absent; every required field is always set.
///   UH2  Texts in replies are valid UTF-8 whatever keys and names hold.
///
/// Methods may move out of their requests.
///
/// Threads: thread-safe; stateless but for the fault injector. Completions run where the router
/// runs them.
/// Lifetime: router and dispatcher outlive it and every request under way.
/// Failure: inside the replies; never throws.
class UnifiedThriftHandler final {
 public:
  struct Options {
    std::int32_t node_id = 0;                   ///< Whom getNodeInfo means when it names nobody.
    std::uint64_t range_bytes_max = 64U << 20;  ///< Of one range reply.
  };
  /// `timers` delays injected faults and tells the time. `faults` null: fault injection is off.
  UnifiedThriftHandler(const Options& options, router::RequestRouter& router,
                       base::Dispatcher& timers, std::shared_ptr<FaultInjector> faults);

  void getReadVersion(Reply<api::GetReadVersionResponse> reply,
                      api::GetReadVersionRequest& request);
  void snapshotRead(Reply<api::SnapshotReadResponse> reply, api::SnapshotReadRequest& request);
  void atomicCommit(Reply<api::AtomicCommitResponse> reply, api::AtomicCommitRequest& request);
  void get(Reply<api::GetResponse> reply, api::GetRequest& request);
  void setKey(Reply<api::SetResponse> reply, api::SetRequest& request);
  void deleteKey(Reply<api::DeleteResponse> reply, api::DeleteRequest& request);
  void getRange(Reply<api::GetRangeResponse> reply, api::GetRangeRequest& request);
  void snapshotGet(Reply<api::SnapshotGetResponse> reply, api::SnapshotGetRequest& request);
  void snapshotGetRange(Reply<api::SnapshotGetRangeResponse> reply,
                        api::SnapshotGetRangeRequest& request);
  void addReadConflict(Reply<api::AddReadConflictResponse> reply,
                       api::AddReadConflictRequest& request);
  void addReadConflictRange(Reply<api::AddReadConflictRangeResponse> reply,
                            api::AddReadConflictRangeRequest& request);
  void setReadVersion(Reply<api::SetReadVersionResponse> reply,
                      api::SetReadVersionRequest& request);
  void getCommittedVersion(Reply<api::GetCommittedVersionResponse> reply,
                           api::GetCommittedVersionRequest& request);
  void setVersionstampedKey(Reply<api::SetVersionstampedKeyResponse> reply,
                            api::SetVersionstampedKeyRequest& request);
  void setVersionstampedValue(Reply<api::SetVersionstampedValueResponse> reply,
                              api::SetVersionstampedValueRequest& request);
  void setFaultInjection(Reply<api::FaultInjectionResponse> reply,
                         api::FaultInjectionRequest& request);
  void ping(Reply<api::PingResponse> reply, api::PingRequest& request);
  void getClusterHealth(Reply<api::GetClusterHealthResponse> reply,
                        api::GetClusterHealthRequest& request);
  void getDatabaseStats(Reply<api::GetDatabaseStatsResponse> reply,
                        api::GetDatabaseStatsRequest& request);
  void getNodeInfo(Reply<api::GetNodeInfoResponse> reply, api::GetNodeInfoRequest& request);

 private:
  [[nodiscard]] router::RequestContext context(
      const api::RequestOptions& options, std::optional<base::Millis> timeout = std::nullopt) const;
  /// `request` is the one that `reply` answers.
  template <class Response, class Request>
  void point_read(Reply<Response> reply, core::PointReadRequest read, const Request& request);
  template <class Response, class Request>
  void range_read(Reply<Response> reply, core::RangeReadRequest read, const Request& request);
  template <class Response>
  void single_write(Reply<Response> reply, const char* what, core::Step step,
                    const api::RequestOptions& options);
  /// False if no fault struck and the commit is to go on.
  [[nodiscard]] bool inject_fault(Reply<api::AtomicCommitResponse>& reply);

  const Options options_;
  router::RequestRouter& router_;
  base::Dispatcher& timers_;
  const std::shared_ptr<FaultInjector> faults_;
};

}  // namespace synod::server
