// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/exposition.h"
#include "net/limits.h"
#include "net/peer_transport.h"
#include "router/request_router.h"
#include "router/store.h"
#include "server/http/admin_http_server.h"
#include "storage/storage_backend.h"

namespace synod::server {

// What is known elsewhere already, written as metric families at each scrape.

/// One store at one moment.
struct StoreSample {
  std::string replica;  ///< Empty: the only store of the process; its series have no label.
  std::optional<router::StoreStatus> status;  ///< None: it did not answer; store_up says so.
  router::DatabaseCounters database;
  std::optional<storage::StorageBackend::Stats> engine;
  std::vector<net::PeerView> peers;
  std::uint64_t disk_bytes = 0;
};
void expose_stores(base::Exposition& out, const std::vector<StoreSample>& stores);
void expose_peers(base::Exposition& out, const std::vector<StoreSample>& stores, base::Nanos now);

struct FrontCounters {
  std::string front;
  net::ServerCounters counters;
};
void expose_fronts(base::Exposition& out, const std::vector<FrontCounters>& fronts);

/// Something that is bounded, and how often it was full.
struct FullChannel {
  std::string name;
  std::uint64_t refusals = 0;
};
void expose_full_channels(base::Exposition& out, const std::vector<FullChannel>& channels);

/// Bytes of all files below `directory`; what vanishes meanwhile is not counted.
[[nodiscard]] std::uint64_t bytes_below(const std::string& directory);

/// Ready: the store answers; a replica of a group has a leader and has caught up.
[[nodiscard]] std::vector<ReadyCheck> ready_checks(
    const std::optional<router::StoreStatus>& status);

}  // namespace synod::server
