// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/kv_service_core.h"

namespace synod::core {

/// One execution under way: what was planned, nothing of it applied yet.
struct KvServiceCore::Execution {
  Execution(const KvOperation& op, TimeMs clock, Version next)
      : operation(op), now(clock), version(next) {}

  const KvOperation& operation;
  TimeMs now;       ///< The state's clock if this commits.
  Version version;  ///< The version it takes if it commits.
  StagedWrites staged;
  std::vector<StepResult> results;
  std::vector<std::string> created;  ///< Canonical names of namespaces this creates, in order.
  std::vector<std::string> cleared;  ///< Canonical names of namespaces this empties.
  std::uint32_t stamps = 0;          ///< Stamped steps so far: the order part of the stamp.
  std::size_t cleared_keys = 0;
  std::uint64_t appended_to = 0;  ///< Bytes of values that were copied to append to them.

  /// The clock of the read version. REQUIRES: it is not below the conflict floor.
  [[nodiscard]] TimeMs read_clock(const ReplicatedState& state) const {
    const auto clock = state.version_clock().clock_at(Version(operation.read_version));
    return clock.value_or(TimeMs(0));
  }

  /// The id of an existing or planned namespace; nullopt if it is neither.
  [[nodiscard]] std::optional<NamespaceId> find_namespace(const ReplicatedState& state,
                                                          std::string_view name) const {
    const std::string_view canonical = canonical_namespace(name);
    if (const auto* entry = state.namespaces().find(canonical)) return entry->id;
    const auto planned = std::find(created.begin(), created.end(), canonical);
    if (planned == created.end()) return std::nullopt;
    return planned_id(state, *planned);
  }

  /// Ids are given in the order of `created`, starting from the table's next one as it was.
  [[nodiscard]] NamespaceId planned_id(const ReplicatedState& state, std::string_view name) const {
    if (const auto* entry = state.namespaces().find(name)) return entry->id;
    const auto planned = std::find(created.begin(), created.end(), name);
    const auto rank = static_cast<std::uint32_t>(planned - created.begin());
    return NamespaceId(state.namespaces().next_id().value() + rank);
  }
};

}  // namespace synod::core
