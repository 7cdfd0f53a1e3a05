// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <compare>
#include <cstdint>

#include "base/bytes.h"
#include "base/strong_id.h"

namespace synod::core {

/// The commit number: each committed transaction, single-key write or Tick takes the next one.
/// Positive once given; 0 means "never written".
using Version = base::StrongId<struct VersionTag, std::int64_t>;

/// Names of namespaces map to ids in replicated state; ids are never used twice.
using NamespaceId = base::StrongId<struct NamespaceIdTag, std::uint32_t>;

/// 0 is what clients name; other spaces hold the elements of structured values.
using Space = base::StrongId<struct SpaceTag, std::uint8_t>;
inline constexpr Space kUserSpace{0};

/// Position in the log of operations; the first operation has 1.
using LogIndex = base::StrongId<struct LogIndexTag, std::uint64_t>;

/// Milliseconds since the Unix epoch as stamped into operations: the state's command clock.
using TimeMs = base::StrongId<struct TimeMsTag, std::int64_t>;

using ClientId = std::array<char, 16>;

/// A key as the tables order it: by namespace, then space, then bytes.
struct KeyRef {
  NamespaceId ns;
  Space space;
  base::BytesView key;
  auto operator<=>(const KeyRef&) const = default;
};

}  // namespace synod::core
