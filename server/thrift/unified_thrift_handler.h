// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>

#include "TransactionalKV.h"
#include "base/dispatcher.h"
#include "router/request_router.h"
#include "server/thrift/fault_injector.h"

namespace synod::server {

/// The public Thrift service over a RequestRouter: conversion, nothing else.
///
/// One class for standalone and replicated mode; what differs between them is behind the router.
///
/// Invariants
///   UH1  After success `error` and `error_code` are absent; every required field is always set.
///   UH2  Texts in replies are valid UTF-8 whatever keys and names hold.
///
/// Threads: thread-safe; stateless but for the fault injector. Completions run where the router
/// runs them.
/// Lifetime: router and dispatcher outlive it and every request under way.
/// Failure: inside the replies; never throws.
class UnifiedThriftHandler final : public api::TransactionalKVCobSvIf {
 public:
  struct Options {
    std::int32_t node_id = 0;                   ///< Whom getNodeInfo means when it names nobody.
    std::uint64_t range_bytes_max = 64U << 20;  ///< Of one range reply.
  };
  template <class Response>
  using Cob = std::function<void(const Response&)>;

  /// `timers` delays injected faults and tells the time. `faults` null: fault injection is off.
  UnifiedThriftHandler(const Options& options, router::RequestRouter& router,
                       base::Dispatcher& timers, std::shared_ptr<FaultInjector> faults);

  void getReadVersion(Cob<api::GetReadVersionResponse> cob,
                      const api::GetReadVersionRequest& request) override;
  void snapshotRead(Cob<api::SnapshotReadResponse> cob,
                    const api::SnapshotReadRequest& request) override;
  void atomicCommit(Cob<api::AtomicCommitResponse> cob,
                    const api::AtomicCommitRequest& request) override;
  void get(Cob<api::GetResponse> cob, const api::GetRequest& request) override;
  void setKey(Cob<api::SetResponse> cob, const api::SetRequest& request) override;
  void deleteKey(Cob<api::DeleteResponse> cob, const api::DeleteRequest& request) override;
  void getRange(Cob<api::GetRangeResponse> cob, const api::GetRangeRequest& request) override;
  void snapshotGet(Cob<api::SnapshotGetResponse> cob,
                   const api::SnapshotGetRequest& request) override;
  void snapshotGetRange(Cob<api::SnapshotGetRangeResponse> cob,
                        const api::SnapshotGetRangeRequest& request) override;
  void addReadConflict(Cob<api::AddReadConflictResponse> cob,
                       const api::AddReadConflictRequest& request) override;
  void addReadConflictRange(Cob<api::AddReadConflictRangeResponse> cob,
                            const api::AddReadConflictRangeRequest& request) override;
  void setReadVersion(Cob<api::SetReadVersionResponse> cob,
                      const api::SetReadVersionRequest& request) override;
  void getCommittedVersion(Cob<api::GetCommittedVersionResponse> cob,
                           const api::GetCommittedVersionRequest& request) override;
  void setVersionstampedKey(Cob<api::SetVersionstampedKeyResponse> cob,
                            const api::SetVersionstampedKeyRequest& request) override;
  void setVersionstampedValue(Cob<api::SetVersionstampedValueResponse> cob,
                              const api::SetVersionstampedValueRequest& request) override;
  void setFaultInjection(Cob<api::FaultInjectionResponse> cob,
                         const api::FaultInjectionRequest& request) override;
  void ping(Cob<api::PingResponse> cob, const api::PingRequest& request) override;
  void getClusterHealth(Cob<api::GetClusterHealthResponse> cob,
                        const api::GetClusterHealthRequest& request) override;
  void getDatabaseStats(Cob<api::GetDatabaseStatsResponse> cob,
                        const api::GetDatabaseStatsRequest& request) override;
  void getNodeInfo(Cob<api::GetNodeInfoResponse> cob,
                   const api::GetNodeInfoRequest& request) override;

 private:
  [[nodiscard]] router::RequestContext context(
      const api::RequestOptions& options, std::optional<base::Millis> timeout = std::nullopt) const;
  template <class Response>
  void point_read(Cob<Response> cob, core::PointReadRequest read,
                  const api::RequestOptions& options);
  template <class Response>
  void range_read(Cob<Response> cob, core::RangeReadRequest read,
                  const api::RequestOptions& options);
  template <class Response>
  void single_write(Cob<Response> cob, const char* what, core::Step step,
                    const api::RequestOptions& options);
  /// False if no fault struck and the commit is to go on.
  [[nodiscard]] bool inject_fault(const Cob<api::AtomicCommitResponse>& cob);

  const Options options_;
  router::RequestRouter& router_;
  base::Dispatcher& timers_;
  const std::shared_ptr<FaultInjector> faults_;
};

}  // namespace synod::server
