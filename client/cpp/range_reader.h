// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "client/cpp/types.h"
#include "client/cpp/wire.h"

namespace synod::client {

/// Rows of a range at one version, gathered from as many replies as it takes. `complete` is false
/// if `limit` cut it short. A namespace that nobody ever wrote has no rows.
struct RangeRows {
  std::vector<Row> rows;
  bool complete = true;
};

[[nodiscard]] base::Result<RangeRows> read_range_at(Wire& wire, const RangeQuery& query,
                                                    std::int64_t version);

/// One key at one version, as Client::get_at.
[[nodiscard]] base::Result<std::optional<base::Bytes>> read_key_at(Wire& wire, base::BytesView key,
                                                                   std::int64_t version,
                                                                   std::string_view ns);

}  // namespace synod::client
