// SPDX-License-Identifier: Apache-2.0
#include "server/metrics/store_metrics.h"

#include <algorithm>
#include <filesystem>
#include <functional>
#include <system_error>

#include "base/text.h"

namespace synod::server {
namespace {

using base::Exposition;
using base::Label;
using base::MetricType;

template <class Number>
double real(Number number) {
  return static_cast<double>(number);
}

double seconds(base::Nanos duration) { return real(duration.count()) / 1e9; }

void expose_lag(Exposition& out, const router::GroupStatus& group) {
  out.family("peer_lag_slots", MetricType::kGauge,
             "Log slots a member is behind the leader; only the leader knows.");
  for (const router::MemberView& member : group.members) {
    if (!member.lag_slots || member.is_self) continue;
    const std::string peer = std::to_string(member.node_id);
    const Label label{"peer", peer};
    out.sample({&label, 1}, *member.lag_slots);
  }
}

void expose_group(Exposition& out, const router::GroupStatus& group, std::size_t pending) {
  out.gauge("consensus_has_leader", "1 if this replica knows a leader.", group.has_leader ? 1 : 0);
  out.gauge("consensus_is_leader", "1 if this replica leads.", group.role == "leader" ? 1 : 0);
  out.gauge("consensus_is_caught_up", "1 if all that is known to be decided is applied.",
            group.is_caught_up ? 1 : 0);
  out.gauge("consensus_term", "Round of the ballot this replica is in.", real(group.term));
  out.gauge("consensus_configuration", "Number of the newest configuration.",
            real(group.config_id));
  out.counter("consensus_proposals_committed_total", "Slots known to be decided.",
              real(group.commit_index));
  out.counter("consensus_proposals_applied_total", "Slots applied to the state.",
              real(group.applied_index));
  out.gauge("consensus_proposals_pending", "Operations that wait for their outcome.",
            real(pending));
  out.gauge("consensus_log_first_slot", "First slot the log still holds.",
            real(group.log_base + 1));
  out.gauge("consensus_log_last_slot", "Last slot of the log.", real(group.log_last));
  const auto voters = std::ranges::count_if(group.members, &router::MemberView::is_voter);
  out.gauge("consensus_voters", "Voters of the newest configuration.", real(voters));
  expose_lag(out, group);
}

}  // namespace

void expose_store(Exposition& out, const std::optional<router::StoreStatus>& status) {
  out.gauge("store_up", "1 if the store answered the scrape in time.", status ? 1 : 0);
  if (!status) return;
  out.gauge("storage_live_bytes", "Keys and values, without what the engine adds.",
            real(status->live_bytes));
  out.gauge("memory_bytes", "Memory of the tables.", real(status->memory_bytes));
  out.gauge("log_size_bytes", "Size of the log on disk.", real(status->log_bytes));
  out.gauge("database_keys", "Keys present.", real(status->keys));
  out.gauge("database_version", "The newest version.", real(status->newest_version.value()));
  out.gauge("store_applied_index", "Last operation executed.", real(status->applied_index.value()));
  out.gauge("store_written_index", "Last operation handed to the storage engine.",
            real(status->written_index.value()));
  out.gauge("store_durable_index", "Last operation durable in the storage engine.",
            real(status->durable_index.value()));
  out.gauge("operations_pending", "Operations submitted and not yet answered.",
            real(status->pending));
  if (status->group) expose_group(out, *status->group, status->pending);
}

void expose_database(Exposition& out, const router::DatabaseCounters& counters) {
  out.counter("database_writes_total", "Operations that took a version.", real(counters.writes));
  out.counter("database_reads_total", "Point and range reads answered.", real(counters.reads));
  out.counter("database_commits_total", "Operations that were committed.",
              real(counters.committed));
  out.counter("database_aborts_total", "Conflicts and refusals.", real(counters.aborted));
  out.counter("cache_hits_total", "Reads answered from memory.", real(counters.cache_hits));
  out.counter("cache_misses_total", "Reads that had to ask the storage engine.",
              real(counters.cache_misses));
  out.gauge("storage_compaction_pending_bytes", "What the storage engine has yet to compact.",
            real(counters.compaction_pending_bytes));
}

void expose_fronts(Exposition& out, const std::vector<FrontCounters>& fronts) {
  const auto family = [&](std::string_view name, MetricType type, std::string_view help,
                          std::uint64_t net::ServerCounters::*field) {
    out.family(name, type, help);
    for (const FrontCounters& each : fronts) {
      const Label label{"front", each.front};
      out.sample({&label, 1}, each.counters.*field);
    }
  };
  using Counters = net::ServerCounters;
  family("connections", MetricType::kGauge, "Connections of clients now.", &Counters::open);
  family("connections_accepted_total", MetricType::kCounter, "Connections accepted.",
         &Counters::accepted);
  family("connections_refused_total", MetricType::kCounter,
         "Connections closed because there were too many.", &Counters::refused_over_limit);
  family("accept_errors_total", MetricType::kCounter, "Accepts that failed.",
         &Counters::accept_errors);
  family("received_bytes_total", MetricType::kCounter, "Bytes received from clients.",
         &Counters::bytes_in);
  family("sent_bytes_total", MetricType::kCounter, "Bytes sent to clients.", &Counters::bytes_out);
}

void expose_peers(Exposition& out, const std::vector<net::PeerView>& peers, base::Nanos now) {
  using Value = std::function<std::optional<double>(const net::PeerView&)>;
  const auto family = [&](std::string_view name, MetricType type, std::string_view help,
                          const Value& value) {
    out.family(name, type, help);
    for (const net::PeerView& view : peers) {
      const std::string peer = std::to_string(view.id.value());
      const Label label{"peer", peer};
      if (const auto known = value(view)) out.sample({&label, 1}, *known);
    }
  };
  const auto known = [](bool is_known, double value) {
    return is_known ? std::optional<double>(value) : std::nullopt;
  };
  using View = net::PeerView;
  family("peer_rtt_seconds", MetricType::kGauge, "Round trip of the last probe.",
         [&](const View& v) { return known(v.round_trip.count() > 0, seconds(v.round_trip)); });
  family(
      "peer_silence_seconds", MetricType::kGauge, "Time since the last frame of the peer.",
      [&](const View& v) { return known(v.last_heard.count() > 0, seconds(now - v.last_heard)); });
  family("peer_connected", MetricType::kGauge, "1 if there is a connection to the peer.",
         [](const View& v) { return v.is_connected ? 1.0 : 0.0; });
  family("peer_queued_bytes", MetricType::kGauge, "Bytes that wait to be sent.",
         [](const View& v) { return real(v.queued_bytes); });
  family("peer_received_frames_total", MetricType::kCounter, "Frames received.",
         [](const View& v) { return real(v.frames_in); });
  family("peer_sent_frames_total", MetricType::kCounter, "Frames sent.",
         [](const View& v) { return real(v.frames_out); });
  family("peer_dropped_frames_total", MetricType::kCounter, "Frames that could not be sent.",
         [](const View& v) { return real(v.frames_dropped); });
  family("peer_reconnects_total", MetricType::kCounter, "Connections made again.",
         [](const View& v) { return real(v.reconnects); });
}

std::uint64_t bytes_below(const std::string& directory) {
  namespace fs = std::filesystem;
  std::uint64_t bytes = 0;
  std::error_code failed;
  for (fs::recursive_directory_iterator each(directory, failed), end; !failed && each != end;
       each.increment(failed)) {
    std::error_code gone;
    const bool is_file = each->is_regular_file(gone);
    const std::uintmax_t size = is_file ? each->file_size(gone) : 0;
    if (!gone) bytes += size;
  }
  return bytes;
}

std::vector<ReadyCheck> ready_checks(const std::optional<router::StoreStatus>& status) {
  std::vector<ReadyCheck> checks;
  checks.push_back({"store", status.has_value(), status ? "" : "it does not answer in time"});
  if (!status || !status->group) return checks;
  const router::GroupStatus& group = *status->group;
  checks.push_back({"leader", group.has_leader,
                    group.has_leader ? base::concat("node ", group.leader_id)
                                     : base::concat("none is known; this node is ", group.role)});
  checks.push_back({"caught_up", group.is_caught_up,
                    base::concat("applied ", group.applied_index, " of ", group.commit_index)});
  return checks;
}

}  // namespace synod::server
