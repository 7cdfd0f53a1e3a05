// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "router/store.h"
#include "server/thrift/thrift_service.h"

namespace synod::server {

/// What the administration service tells and does, apart from the store itself.
struct AdminContext {
  router::Store& store;
  std::int32_t node_id = 0;
  std::string version;
  std::string data_dir;
  std::string peer_endpoint;  ///< Where other nodes reach this one; empty: there are none.
  base::Nanos started{0};
  const base::Clock& clock;
  std::vector<std::pair<std::string, std::string>> limits;
  std::function<std::uint64_t()> connections;
};

/// The service SynodAdmin of thrift/admin.thrift, for the Unix socket in the data directory:
/// whoever may open the socket may administer the node.
///
/// Threads: thread-safe; calls are answered from the store's dispatchers.
[[nodiscard]] std::shared_ptr<const ThriftService> make_admin_service(AdminContext context);

}  // namespace synod::server
