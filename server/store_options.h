// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>

#include "base/status.h"
#include "router/replicated.h"
#include "router/standalone.h"
#include "server/config/config.h"
#include "server/config/group_plan.h"
#include "storage/storage_backend.h"

namespace synod::server {

// What the configuration means to a store.
[[nodiscard]] router::StandaloneOptions standalone_options(const Config& config);
[[nodiscard]] router::ReplicatedOptions replica_options(const Config& config,
                                                        const PeerEntry& self);
[[nodiscard]] base::Result<std::unique_ptr<storage::StorageBackend>> open_backend(
    const Config& config, const std::string& directory);

}  // namespace synod::server
