// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <vector>

#include "client/cpp/client.h"
#include "tests/history/client.h"

namespace synod::history {

/// Clients of a running Synod. Each begins at another of the endpoints, so that the threads of a
/// run are spread over all nodes, and goes on to the next when one is lost.
[[nodiscard]] ClientFactory thrift_clients(std::vector<client::Endpoint> endpoints,
                                           client::ClientOptions options);

/// How a call's failure is to be read: perhaps applied, or surely not.
[[nodiscard]] Outcome outcome_of_failure(const base::Status& status);

}  // namespace synod::history
