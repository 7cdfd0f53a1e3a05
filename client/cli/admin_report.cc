// SPDX-License-Identifier: Apache-2.0
#include "client/cli/admin_report.h"

#include <algorithm>
#include <ostream>
#include <utility>
#include <vector>

#include "client/cli/text_format.h"

namespace synod::client {
namespace {

struct Field {
  std::string name;
  std::string text;
  bool quoted = true;  ///< In JSON.
};

Field number(std::string name, std::int64_t value) {
  return Field{std::move(name), std::to_string(value), false};
}

Field flag(std::string name, bool value) {
  return Field{std::move(name), value ? "true" : "false", false};
}

void append_group(const api::admin::GroupReport& group, std::vector<Field>& fields) {
  fields.push_back({"role", group.role});
  fields.push_back(number("leader_id", group.leader_id));
  fields.push_back({"ballot", group.ballot});
  fields.push_back(number("term", group.term));
  fields.push_back(number("config_id", group.config_id));
  fields.push_back(number("commit_index", group.commit_index));
  fields.push_back(number("group_applied_index", group.applied_index));
  fields.push_back(number("log_base", group.log_base));
  fields.push_back(number("log_last", group.log_last));
  fields.push_back(flag("has_leader", group.has_leader));
  fields.push_back(flag("is_caught_up", group.is_caught_up));
  if (group.__isset.problem) fields.push_back({"problem", group.problem});
}

void append_memory(const api::admin::MemoryReport& memory, std::vector<Field>& fields) {
  fields.push_back(number("memory_limit", memory.limit));
  fields.push_back(number("memory_unevictable_bytes", memory.unevictable));
  fields.push_back(number("memory_resident_bytes", memory.resident));
  fields.push_back(number("memory_spilled_bytes", memory.spilled));
  fields.push_back(number("memory_spilled_values", memory.spilled_values));
  fields.push_back(number("memory_dropped_values", memory.dropped_values));
  fields.push_back(number("memory_warmed_values", memory.warmed_values));
  fields.push_back(number("memory_hits", memory.hits));
  fields.push_back(number("memory_misses", memory.misses));
  fields.push_back(number("memory_cold_reads", memory.cold_reads));
  fields.push_back(number("memory_apply_fetches", memory.apply_fetches));
  fields.push_back(number("memory_warmed_operations", memory.warmed_operations));
  fields.push_back(number("memory_snapshots_held", memory.snapshots_held));
  fields.push_back(number("memory_pool_waiting", memory.pool_waiting));
  fields.push_back(number("memory_pool_running", memory.pool_running));
  fields.push_back(number("memory_pool_refused", memory.pool_refused));
}

std::vector<Field> fields_of_member(const api::admin::MemberReport& member) {
  std::vector<Field> fields{
      number("node_id", member.node_id),        {"peer_endpoint", member.peer_endpoint},
      {"incarnation", member.incarnation},      flag("is_voter", member.is_voter),
      flag("is_leader", member.is_leader),      flag("is_self", member.is_self),
      flag("is_candidate", member.is_candidate)};
  if (member.__isset.lag_slots) fields.push_back(number("lag_slots", member.lag_slots));
  return fields;
}

std::vector<Field> fields_of(const api::admin::NodeReport& report) {
  std::vector<Field> fields{
      number("node_id", report.node_id),
      {"cluster_id", report.cluster_id},
      {"version", report.version},
      number("uptime_seconds", report.uptime_seconds),
      {"durability", report.durability},
      {"data_dir", report.data_dir},
      number("visible_version", report.visible_version),
      number("committed_version", report.committed_version),
      number("applied_index", report.applied_index),
      number("persisted_index", report.persisted_index),
      number("durable_index", report.durable_index),
      number("conflict_floor", report.conflict_floor),
      number("snapshot_floor", report.snapshot_floor),
      {"state_hash", report.state_hash},
      number("keys", report.keys),
      number("bytes", report.bytes),
      number("pending", report.pending),
      number("log_bytes", report.log_bytes),
      number("connections", report.connections),
  };
  if (report.__isset.backend) fields.push_back({"backend", report.backend});
  if (report.__isset.memory_bytes) fields.push_back(number("memory_bytes", report.memory_bytes));
  if (report.__isset.memory) append_memory(report.memory, fields);
  if (report.__isset.group) append_group(report.group, fields);
  for (const auto& limit : report.limits) fields.push_back({"limit." + limit.name, limit.value});
  return fields;
}

void print_text(const std::vector<Field>& fields, std::ostream& out) {
  std::size_t width = 0;
  for (const Field& field : fields) width = std::max(width, field.name.size());
  for (const Field& field : fields) {
    out << field.name << std::string(width - field.name.size() + 2, ' ') << field.text << '\n';
  }
}

void print_json(const std::vector<Field>& fields, std::ostream& out) {
  const char* separator = "";
  for (const Field& field : fields) {
    out << separator << json_string(field.name) << ":"
        << (field.quoted ? json_string(field.text) : field.text);
    separator = ",";
  }
}

void print_members_json(const api::admin::GroupReport& group, std::ostream& out) {
  out << "[";
  const char* separator = "";
  for (const auto& member : group.members) {
    out << separator << "{";
    print_json(fields_of_member(member), out);
    out << "}";
    separator = ",";
  }
  out << "]";
}

std::string words_of(const api::admin::MemberReport& member) {
  std::string words = member.is_candidate ? "asks to join" : member.is_voter ? "voter" : "learner";
  if (member.is_leader) words += ", leader";
  if (member.is_self) words += ", this node";
  if (member.__isset.lag_slots) words += ", " + std::to_string(member.lag_slots) + " slots behind";
  return words;
}

void print_members_text(const api::admin::GroupReport& group, std::ostream& out) {
  std::vector<Field> lines;
  for (const auto& member : group.members) {
    const std::string endpoint = member.peer_endpoint.empty() ? "?" : member.peer_endpoint;
    lines.push_back({"node " + std::to_string(member.node_id), endpoint + "  " + words_of(member)});
  }
  print_text(lines, out);
}

}  // namespace

Health health_of(const api::admin::NodeReport& report) {
  if (!report.__isset.group) return {true, "ready: this server stands alone"};
  const auto& group = report.group;
  const std::string who = "node " + std::to_string(report.node_id) + " is " + group.role +
                          ", applied " + std::to_string(group.applied_index) + " of " +
                          std::to_string(group.commit_index);
  if (!group.has_leader) {
    const std::string problem = group.__isset.problem ? "; " + group.problem : "";
    return {false, "not ready: no leader; " + who + problem};
  }
  const std::string leader = "leader is node " + std::to_string(group.leader_id) + "; ";
  if (!group.is_caught_up) return {false, "not ready: catching up; " + leader + who};
  return {true, "ready: " + leader + who};
}

void print_report(const api::admin::NodeReport& report, bool json, std::ostream& out) {
  const auto fields = fields_of(report);
  if (!json) {
    print_text(fields, out);
    if (report.__isset.group) print_members_text(report.group, out);
    return;
  }
  out << "{";
  print_json(fields, out);
  if (report.__isset.group) {
    out << ",\"members\":";
    print_members_json(report.group, out);
  }
  out << "}\n";
}

void print_members(const api::admin::GroupReport& group, bool json, std::ostream& out) {
  if (!json) return print_members_text(group, out);
  print_members_json(group, out);
  out << '\n';
}

}  // namespace synod::client
