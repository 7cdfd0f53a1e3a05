// SPDX-License-Identifier: Apache-2.0
#include "server/config/memory_plan.h"

#include <algorithm>

#include "server/config/group_plan.h"

namespace synod::server {
namespace {

constexpr std::uint64_t kMiB = 1U << 20;
constexpr std::uint64_t kGiB = 1U << 30;
constexpr std::uint64_t kDefault = 64 * kMiB;  ///< Of each part, without a limit.
constexpr std::uint64_t kGroup = 8 * kMiB;
/// Code, stacks and connections take so much before there is any data; of a small limit a part.
constexpr std::uint64_t kProcessBytesMax = 24 * kMiB;

std::uint64_t given_or(std::uint64_t given, std::uint64_t otherwise) {
  return given != 0 ? given : otherwise;
}

std::uint64_t rest(std::uint64_t of, std::uint64_t without) { return of - std::min(of, without); }

}  // namespace

MemoryPlan plan_memory(const Config& config) {
  const DatabaseSection& given = config.database;
  const bool has_limit = given.memory_limit != 0;
  const std::uint64_t stores = replicas_here(config);
  const std::uint64_t share = given.memory_limit / stores;
  const auto part = [&](std::uint64_t fraction, std::uint64_t least, std::uint64_t most) {
    return has_limit ? std::clamp(share / fraction, least, most) : kDefault;
  };
  MemoryPlan plan;
  plan.write_buffer_bytes = given_or(given.write_buffer_bytes, part(32, 2 * kMiB, 256 * kMiB));
  plan.block_cache_bytes = given_or(given.block_cache_bytes, part(32, 2 * kMiB, 4 * kGiB));
  plan.persistence_buffer_bytes_max =
      given_or(given.persistence_buffer_bytes_max, part(32, kMiB, kDefault));
  // A commit of the largest size must find room beside another one.
  const std::uint64_t two_commits = 2 * config.limits.commit_bytes_max;
  plan.pending_bytes_max =
      given_or(given.pending_bytes_max, std::max(part(8, kMiB, kDefault), two_commits));
  // A quarter of the buffer never waits for company, so that it does not fill meanwhile.
  plan.linger_bytes = plan.persistence_buffer_bytes_max / 4;
  plan.group_bytes_max = has_limit ? std::clamp(share / 64, kMiB, kGroup) : kGroup;
  if (!has_limit) return plan;
  const std::uint64_t process = std::min(given.memory_limit / 8 * 3, kProcessBytesMax) / stores;
  const bool is_replica = shape_of(config) != Shape::kStandalone;
  plan.log_memory_bytes_max = is_replica ? share / 8 : 0;
  // While a snapshot is taken, behind which the log may be cut, as much again is written.
  const std::uint64_t log = 2 * plan.log_memory_bytes_max;
  const std::uint64_t tables =
      rest(share, plan.write_buffer_bytes + plan.block_cache_bytes + log + process);
  // The tables count what they asked for; the allocator takes some more.
  plan.table_bytes = tables / 8 * 7;
  plan.fixed_bytes_max = plan.table_bytes / 16 * 15;
  return plan;
}

}  // namespace synod::server
