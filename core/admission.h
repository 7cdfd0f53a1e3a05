// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>

#include "core/operation.h"
#include "core/outcome.h"

namespace synod::core {

/// Sizes a request may have on this node. Checked before the log, so that they may differ between
/// nodes and change at any time without touching determinism.
struct Limits {
  std::uint64_t key_bytes_max = 64U << 10;
  std::uint64_t value_bytes_max = 16U << 20;
  /// Keys, values and conflict keys of one operation. A single write is bound by the limits of its
  /// key and its value alone, so that every value within its limit can be stored.
  std::uint64_t commit_bytes_max = 16U << 20;
  std::uint64_t steps_max = 100'000;  ///< Steps and conflict keys of one operation.
  std::uint64_t conflict_ranges_max = 10'000;
};

/// Keys, values, names, conflict keys and ranges of an operation.
[[nodiscard]] std::uint64_t payload_bytes(const KvOperation& operation);

/// An upper bound of encode_operation(operation).size(), for accounting before it is encoded.
[[nodiscard]] std::uint64_t encoded_bytes_max(const KvOperation& operation);

/// The refusal of an operation that breaks a limit, naming limit and value; nullopt if it may go
/// on.
[[nodiscard]] std::optional<Outcome> check_limits(const KvOperation& operation,
                                                  const Limits& limits);

}  // namespace synod::core
