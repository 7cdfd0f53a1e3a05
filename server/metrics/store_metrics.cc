// SPDX-License-Identifier: Apache-2.0
#include "server/metrics/store_metrics.h"

#include <algorithm>
#include <array>
#include <filesystem>
#include <functional>
#include <span>
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

using Value = std::optional<double>;

/// The families that every store has a series in.
class StoreExposition {
 public:
  StoreExposition(Exposition& out, const std::vector<StoreSample>& stores)
      : out_(out), stores_(stores) {}

  template <class Get>
  void gauge(std::string_view name, std::string_view help, const Get& get) {
    write(MetricType::kGauge, name, help, get);
  }
  template <class Get>
  void counter(std::string_view name, std::string_view help, const Get& get) {
    write(MetricType::kCounter, name, help, get);
  }

 private:
  /// `get`: of a StoreSample; an optional if it may be unknown.
  template <class Get>
  void write(MetricType type, std::string_view name, std::string_view help, const Get& get) {
    out_.family(name, type, help);
    for (const StoreSample& store : stores_) {
      const Value value = get(store);
      const Label label{"replica", store.replica};
      if (value) out_.sample({&label, store.replica.empty() ? 0U : 1U}, *value);
    }
  }

  Exposition& out_;
  const std::vector<StoreSample>& stores_;
};

/// A number of the status, as long as there is one.
template <class Get>
auto of_status(const Get& get) {
  return [get](const StoreSample& store) -> Value {
    if (!store.status) return std::nullopt;
    return real(get(*store.status));
  };
}

template <class Get>
auto of_group(const Get& get) {
  return [get](const StoreSample& store) -> Value {
    if (!store.status || !store.status->group) return std::nullopt;
    return real(get(*store.status->group));
  };
}

template <class Get>
auto of_engine(const Get& get) {
  return [get](const StoreSample& store) -> Value {
    if (!store.engine) return std::nullopt;
    return real(get(*store.engine));
  };
}

template <class Number>
auto of_database(Number router::DatabaseCounters::*field) {
  return [field](const StoreSample& store) -> Value { return real(store.database.*field); };
}

/// The labels of a series about a peer of a store.
class PeerLabels {
 public:
  PeerLabels(const std::string& replica, std::uint32_t peer)
      : peer_(std::to_string(peer)), labels_{Label{"replica", replica}, Label{"peer", peer_}} {}
  [[nodiscard]] std::span<const Label> get() const {
    const std::span<const Label> all(labels_);
    return labels_[0].second.empty() ? all.subspan(1) : all;
  }

 private:
  const std::string peer_;
  const std::array<Label, 2> labels_;
};

void expose_lag(Exposition& out, const std::vector<StoreSample>& stores) {
  out.family("peer_lag_slots", MetricType::kGauge,
             "Log slots a member is behind the leader; only the leader knows.");
  for (const StoreSample& store : stores) {
    if (!store.status || !store.status->group) continue;
    for (const router::MemberView& member : store.status->group->members) {
      if (!member.lag_slots || member.is_self) continue;
      out.sample(PeerLabels(store.replica, member.node_id).get(), *member.lag_slots);
    }
  }
}

void expose_groups(Exposition& exposition, const std::vector<StoreSample>& stores) {
  const bool has_groups = std::ranges::any_of(
      stores, [](const StoreSample& each) { return each.status && each.status->group; });
  if (!has_groups) return;
  using Group = router::GroupStatus;
  StoreExposition out(exposition, stores);
  out.gauge("consensus_has_leader", "1 if this replica knows a leader.",
            of_group([](const Group& group) { return group.has_leader ? 1 : 0; }));
  out.gauge("consensus_is_leader", "1 if this replica leads.",
            of_group([](const Group& group) { return group.role == "leader" ? 1 : 0; }));
  out.gauge("consensus_is_caught_up", "1 if all that is known to be decided is applied.",
            of_group([](const Group& group) { return group.is_caught_up ? 1 : 0; }));
  out.gauge("consensus_term", "Round of the ballot this replica is in.",
            of_group([](const Group& group) { return group.term; }));
  out.gauge("consensus_configuration", "Number of the newest configuration.",
            of_group([](const Group& group) { return group.config_id; }));
  out.counter("consensus_proposals_committed_total", "Slots known to be decided.",
              of_group([](const Group& group) { return group.commit_index; }));
  out.counter("consensus_proposals_applied_total", "Slots applied to the state.",
              of_group([](const Group& group) { return group.applied_index; }));
  out.gauge("consensus_proposals_pending", "Operations that wait for their outcome.",
            of_status([](const router::StoreStatus& status) { return status.pending; }));
  out.gauge("consensus_log_first_slot", "First slot the log still holds.",
            of_group([](const Group& group) { return group.log_base + 1; }));
  out.gauge("consensus_log_last_slot", "Last slot of the log.",
            of_group([](const Group& group) { return group.log_last; }));
  out.gauge("consensus_voters", "Voters of the newest configuration.",
            of_group([](const Group& group) {
              return std::ranges::count_if(group.members, &router::MemberView::is_voter);
            }));
  expose_lag(exposition, stores);
}

void expose_status(StoreExposition& out) {
  using Status = router::StoreStatus;
  out.gauge("store_up", "1 if the store answered the scrape in time.",
            [](const StoreSample& store) -> Value { return store.status ? 1 : 0; });
  out.gauge("storage_live_bytes", "Keys and values, without what the engine adds.",
            of_status([](const Status& status) { return status.live_bytes; }));
  out.gauge("memory_bytes", "Memory of the tables.",
            of_status([](const Status& status) { return status.memory_bytes; }));
  out.gauge("log_size_bytes", "Size of the log on disk.",
            of_status([](const Status& status) { return status.log_bytes; }));
  out.gauge("database_keys", "Keys present.",
            of_status([](const Status& status) { return status.keys; }));
  out.gauge("database_version", "The newest version.",
            of_status([](const Status& status) { return status.newest_version.value(); }));
  out.gauge("store_applied_index", "Last operation executed.",
            of_status([](const Status& status) { return status.applied_index.value(); }));
  out.gauge("store_written_index", "Last operation handed to the storage engine.",
            of_status([](const Status& status) { return status.written_index.value(); }));
  out.gauge("store_durable_index", "Last operation durable in the storage engine.",
            of_status([](const Status& status) { return status.durable_index.value(); }));
  out.gauge("operations_pending", "Operations submitted and not yet answered.",
            of_status([](const Status& status) { return status.pending; }));
}

void expose_database(StoreExposition& out) {
  using Counters = router::DatabaseCounters;
  out.counter("database_writes_total", "Operations that took a version.",
              of_database(&Counters::writes));
  out.counter("database_reads_total", "Point and range reads answered.",
              of_database(&Counters::reads));
  out.counter("database_commits_total", "Operations that were committed.",
              of_database(&Counters::committed));
  out.counter("database_aborts_total", "Conflicts and refusals.", of_database(&Counters::aborted));
  out.counter("cache_hits_total", "Reads answered from memory.",
              of_database(&Counters::cache_hits));
  out.counter("cache_misses_total", "Reads that had to ask the storage engine.",
              of_database(&Counters::cache_misses));
  out.gauge("storage_compaction_pending_bytes", "What the storage engine has yet to compact.",
            of_database(&Counters::compaction_pending_bytes));
}

void expose_memory(StoreExposition& out) {
  const auto memory = [](std::uint64_t core::MemoryStatus::*field) {
    return of_status([field](const router::StoreStatus& status) { return status.memory.*field; });
  };
  const auto waits = [](std::uint64_t router::StorageWaits::*field) {
    return of_status([field](const router::StoreStatus& status) { return status.waits.*field; });
  };
  using Memory = core::MemoryStatus;
  using Waits = router::StorageWaits;
  out.gauge("memory_limit_bytes", "What the tables may hold in memory; 0: no limit.",
            memory(&Memory::limit));
  out.gauge("memory_unevictable_bytes", "Memory of the tables without values that may leave it.",
            memory(&Memory::unevictable_bytes));
  out.gauge("memory_resident_bytes", "Values in memory.", memory(&Memory::resident_bytes));
  out.gauge("memory_spilled_bytes", "Values that are on disk alone.",
            memory(&Memory::spilled_bytes));
  out.gauge("memory_spilled_values", "How many values are on disk alone.",
            memory(&Memory::spilled_values));
  out.counter("memory_values_dropped_total", "Values that left memory.",
              memory(&Memory::values_dropped));
  out.counter("memory_values_warmed_total", "Values that came back into memory.",
              memory(&Memory::values_warmed));
  out.counter("cold_reads_total", "Values that readers fetched from the storage engine.",
              memory(&Memory::cold_reads));
  out.counter("apply_fetches_total", "Values that the executing thread had to wait for.",
              memory(&Memory::apply_fetches));
  out.gauge("storage_snapshots_held", "Snapshots of the storage engine, held for values on disk.",
            memory(&Memory::snapshots_held));
  out.gauge("storage_pool_waiting", "Reads from disk that wait for a thread.",
            waits(&Waits::jobs_waiting));
  out.gauge("storage_pool_running", "Reads from disk under way.", waits(&Waits::jobs_running));
  out.counter("storage_pool_refused_total", "Reads from disk refused because too many waited.",
              waits(&Waits::jobs_refused));
  out.counter("operations_warmed_total",
              "Operations whose values were fetched before they were ordered.",
              waits(&Waits::operations_warmed));
}

/// As it was when the store last looked, a moment ago.
void expose_engine(Exposition& exposition, const std::vector<StoreSample>& stores) {
  const bool is_known = std::ranges::any_of(
      stores, [](const StoreSample& store) { return store.engine.has_value(); });
  if (!is_known) return;
  using Stats = storage::StorageBackend::Stats;
  StoreExposition out(exposition, stores);
  out.gauge("rocksdb_memtable_bytes", "Write buffers of the storage engine.",
            of_engine([](const Stats& stats) { return stats.write_buffer_bytes; }));
  out.gauge("rocksdb_block_cache_bytes", "Its cache of blocks, as far as it is in use.",
            of_engine([](const Stats& stats) { return stats.block_cache_bytes; }));
  out.gauge("rocksdb_memory_bytes", "Write buffers, cache, indexes and filters together.",
            of_engine([](const Stats& stats) { return stats.memory_bytes; }));
  out.gauge("rocksdb_sst_bytes", "Its table files.",
            of_engine([](const Stats& stats) { return stats.disk_bytes; }));
  out.gauge("rocksdb_compaction_pending_bytes", "What it has yet to compact, as it estimates.",
            of_engine([](const Stats& stats) { return stats.compaction_pending_bytes; }));
  out.gauge("rocksdb_write_stall", "1 while it lets writes wait until it has compacted.",
            of_engine([](const Stats& stats) { return stats.is_write_stopped ? 1 : 0; }));
}

}  // namespace

void expose_stores(Exposition& exposition, const std::vector<StoreSample>& stores) {
  StoreExposition out(exposition, stores);
  expose_status(out);
  expose_groups(exposition, stores);
  expose_database(out);
  expose_memory(out);
  expose_engine(exposition, stores);
  out.gauge("storage_size_bytes", "Size of all files in the data directory.",
            [](const StoreSample& store) -> Value { return real(store.disk_bytes); });
}

void expose_full_channels(Exposition& out, const std::vector<FullChannel>& channels) {
  out.family("channel_full_total", MetricType::kCounter,
             "Times something was refused or dropped because a bounded channel was full.");
  for (const FullChannel& channel : channels) {
    const Label label{"channel", channel.name};
    out.sample({&label, 1}, channel.refusals);
  }
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

void expose_peers(Exposition& out, const std::vector<StoreSample>& stores, base::Nanos now) {
  using View = net::PeerView;
  const auto family = [&](std::string_view name, MetricType type, std::string_view help,
                          const std::function<Value(const View&)>& value) {
    out.family(name, type, help);
    for (const StoreSample& store : stores) {
      for (const View& view : store.peers) {
        const PeerLabels labels(store.replica, view.id.value());
        if (const auto known = value(view)) out.sample(labels.get(), *known);
      }
    }
  };
  const auto known = [](bool is_known, double value) {
    return is_known ? Value(value) : std::nullopt;
  };
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
