// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "server/config/config.h"

namespace synod::server {

/// What each store of the process may hold in memory: database.memory_limit divided among the
/// replicas of the process, and within each between the engine and the tables. Settings that were
/// given stand as they are; the others follow the limit, or have their defaults without one.
struct MemoryPlan {
  std::uint64_t write_buffer_bytes = 0;
  std::uint64_t block_cache_bytes = 0;
  std::uint64_t persistence_buffer_bytes_max = 0;
  std::uint64_t pending_bytes_max = 0;
  /// Rows wait for others no longer than until so many bytes of them wait.
  std::uint64_t linger_bytes = 0;
  /// Operations of a standalone store that become one frame of the log: encoded, they take as much
  /// again.
  std::uint64_t group_bytes_max = 0;
  /// Of the log of a replica in memory; 0: no limit.
  std::uint64_t log_memory_bytes_max = 0;
  /// Tables, their history and rows on their way to the backend: values leave memory beyond it. 0:
  /// no limit.
  std::uint64_t table_bytes = 0;
  /// What cannot leave memory: growth is refused beyond it. Below table_bytes, so that values that
  /// are being written and read have room. 0: no limit.
  std::uint64_t fixed_bytes_max = 0;
};
[[nodiscard]] MemoryPlan plan_memory(const Config& config);

/// The least that a limit must leave to the tables of a store.
inline constexpr std::uint64_t kTableBytesMin = 8U << 20;

}  // namespace synod::server
