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

namespace synod::server {

// What is known elsewhere already, written as metric families at each scrape.

/// `status` none: the store did not answer; only store_up says so.
void expose_store(base::Exposition& out, const std::optional<router::StoreStatus>& status);
void expose_database(base::Exposition& out, const router::DatabaseCounters& counters);
void expose_peers(base::Exposition& out, const std::vector<net::PeerView>& peers, base::Nanos now);

struct FrontCounters {
  std::string front;
  net::ServerCounters counters;
};
void expose_fronts(base::Exposition& out, const std::vector<FrontCounters>& fronts);

/// Bytes of all files below `directory`; what vanishes meanwhile is not counted.
[[nodiscard]] std::uint64_t bytes_below(const std::string& directory);

/// Ready: the store answers; a replica of a group has a leader and has caught up.
[[nodiscard]] std::vector<ReadyCheck> ready_checks(
    const std::optional<router::StoreStatus>& status);

}  // namespace synod::server
