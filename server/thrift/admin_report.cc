// SPDX-License-Identifier: Apache-2.0
#include "server/thrift/admin_report.h"

#include <charconv>
#include <utility>

namespace synod::server {

namespace admin = api::admin;

namespace {

std::string hexadecimal(std::uint64_t number) {
  char digits[16];
  const auto end = std::to_chars(std::begin(digits), std::end(digits), number, 16).ptr;
  return {std::begin(digits), end};
}

admin::MemberReport to_member_report(const router::MemberView& member) {
  admin::MemberReport report;
  report.node_id = static_cast<std::int32_t>(member.node_id);
  report.peer_endpoint = member.peer_endpoint;
  report.is_voter = member.is_voter;
  report.is_leader = member.is_leader;
  report.is_self = member.is_self;
  report.is_candidate = member.is_candidate;
  if (member.lag_slots) report.__set_lag_slots(static_cast<std::int64_t>(*member.lag_slots));
  report.incarnation = hexadecimal(member.incarnation);
  return report;
}

admin::GroupReport to_group_report(const router::GroupStatus& group) {
  admin::GroupReport report;
  report.role = group.role;
  report.has_leader = group.has_leader;
  report.leader_id = static_cast<std::int32_t>(group.leader_id);
  report.ballot = group.ballot;
  report.term = static_cast<std::int64_t>(group.term);
  report.config_id = static_cast<std::int64_t>(group.config_id);
  report.commit_index = static_cast<std::int64_t>(group.commit_index);
  report.applied_index = static_cast<std::int64_t>(group.applied_index);
  report.log_base = static_cast<std::int64_t>(group.log_base);
  report.log_last = static_cast<std::int64_t>(group.log_last);
  report.is_caught_up = group.is_caught_up;
  if (!group.problem.empty()) report.__set_problem(group.problem);
  for (const auto& member : group.members) report.members.push_back(to_member_report(member));
  return report;
}

admin::MemoryReport to_memory_report(const router::StoreStatus& status,
                                     const router::DatabaseCounters& counters) {
  const auto count = [](std::uint64_t number) { return static_cast<std::int64_t>(number); };
  admin::MemoryReport report;
  report.limit = count(status.memory.limit);
  report.unevictable = count(status.memory.unevictable_bytes);
  report.resident = count(status.memory.resident_bytes);
  report.spilled = count(status.memory.spilled_bytes);
  report.spilled_values = count(status.memory.spilled_values);
  report.dropped_values = count(status.memory.values_dropped);
  report.warmed_values = count(status.memory.values_warmed);
  report.hits = counters.cache_hits;
  report.misses = counters.cache_misses;
  report.cold_reads = count(status.memory.cold_reads);
  report.apply_fetches = count(status.memory.apply_fetches);
  report.warmed_operations = count(status.waits.operations_warmed);
  report.snapshots_held = count(status.memory.snapshots_held);
  report.pool_waiting = count(status.waits.jobs_waiting);
  report.pool_running = count(status.waits.jobs_running);
  report.pool_refused = count(status.waits.jobs_refused);
  return report;
}

}  // namespace

admin::NodeReport make_report(const AdminContext& context, const router::StoreStatus& status) {
  admin::NodeReport report;
  report.node_id = context.node_id;
  report.cluster_id = status.cluster_id;
  report.version = context.version;
  report.uptime_seconds =
      std::chrono::duration_cast<std::chrono::seconds>(context.clock.boot_time() - context.started)
          .count();
  report.durability = router::durability_name(status.durability);
  report.data_dir = context.data_dir;
  report.visible_version = status.newest_version.value();
  report.committed_version = status.newest_version.value();
  report.applied_index = static_cast<std::int64_t>(status.applied_index.value());
  report.persisted_index = static_cast<std::int64_t>(status.written_index.value());
  report.durable_index = static_cast<std::int64_t>(status.durable_index.value());
  report.conflict_floor = status.conflict_floor.value();
  report.snapshot_floor = status.snapshot_floor.value();
  report.state_hash = status.state_hash.to_string();
  report.keys = static_cast<std::int64_t>(status.keys);
  report.bytes = static_cast<std::int64_t>(status.live_bytes);
  report.pending = static_cast<std::int64_t>(status.pending);
  report.log_bytes = static_cast<std::int64_t>(status.log_bytes);
  report.connections = static_cast<std::int64_t>(context.connections());
  report.__set_backend(status.backend);
  report.__set_memory_bytes(static_cast<std::int64_t>(status.memory_bytes));
  report.__set_memory(to_memory_report(status, context.store.router().counters()));
  if (status.group) {
    report.__set_group(to_group_report(*status.group));
    for (admin::MemberReport& member : report.group.members) {
      // Of itself a node knows it from its configuration, not from who it is connected to.
      if (member.is_self && member.peer_endpoint.empty()) {
        member.peer_endpoint = context.peer_endpoint;
      }
    }
  }
  for (const auto& [name, value] : context.limits) {
    admin::NamedText limit;
    limit.name = name;
    limit.value = value;
    report.limits.push_back(std::move(limit));
  }
  return report;
}

}  // namespace synod::server
