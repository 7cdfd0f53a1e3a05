// SPDX-License-Identifier: Apache-2.0
#include "server/metrics/server_metrics.h"

#include <gtest/gtest.h>

#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "tests/base/exposition_parser.h"

namespace synod::server {
namespace {

class StoppedClock final : public base::Clock {
 public:
  [[nodiscard]] base::Nanos boot_time() const override { return now; }
  [[nodiscard]] base::Nanos wall_time() const override { return now; }
  base::Nanos now = std::chrono::seconds(100);
};

router::StoreStatus replica_status() {
  router::StoreStatus status;
  status.keys = 12;
  status.pending = 3;
  router::GroupStatus group;
  group.role = "leader";
  group.has_leader = true;
  group.leader_id = 1;
  group.commit_index = 40;
  group.applied_index = 38;
  group.members.resize(2);
  group.members[0].node_id = 1;
  group.members[0].is_self = true;
  group.members[0].is_voter = true;
  group.members[1].node_id = 2;
  group.members[1].is_voter = true;
  group.members[1].lag_slots = 5;
  status.group = group;
  return status;
}

struct Fixture {
  explicit Fixture(std::vector<std::string> stores = {""}) : names(std::move(stores)) {}
  ServerMetrics::Sources sources() {
    ServerMetrics::Sources sources;
    ServerMetrics::StoreSource store;
    store.status = [this](base::Function<void(router::StoreStatus)> done) {
      ++asked;
      if (hangs) {
        held = std::move(done);
      } else {
        done(status);
      }
    };
    store.database = [] { return router::DatabaseCounters(); };
    sources.fronts = [] {
      net::ServerCounters counters;
      counters.open = 4;
      counters.bytes_in = 99;
      return std::vector<FrontCounters>{{"thrift", counters}};
    };
    store.peers = [] {
      net::PeerView view;
      view.id = net::PeerId(2);
      view.is_connected = true;
      view.last_heard = std::chrono::seconds(98);
      view.round_trip = std::chrono::microseconds(250);
      return std::vector<net::PeerView>{view};
    };
    store.data_dir = "/nonexistent";
    for (std::size_t i = 0; i < names.size(); ++i) sources.stores.push_back(store);
    sources.version = "0.1.0";
    return sources;
  }
  base::ExpositionParser scrape(const AdminHttpServer::Sources& http) {
    std::string text;
    http.metrics(text);
    base::ExpositionParser parsed(text);
    EXPECT_EQ(parsed.complaint, "");
    return parsed;
  }

  StoppedClock clock;
  const std::vector<std::string> names;
  ServerMetrics metrics{clock, names};
  router::StoreStatus status = replica_status();
  bool hangs = false;
  int asked = 0;
  base::Function<void(router::StoreStatus)> held;
};

TEST(ServerMetrics, ShowsStatusPeersAndConnections) {
  Fixture fixture;
  const auto http = fixture.metrics.serve(fixture.sources());
  const auto parsed = fixture.scrape(http);
  EXPECT_EQ(parsed.value("synod_build_info{version=\"0.1.0\"}"), 1);
  EXPECT_EQ(parsed.value("synod_store_up"), 1);
  EXPECT_EQ(parsed.value("synod_database_keys"), 12);
  EXPECT_EQ(parsed.value("synod_consensus_is_leader"), 1);
  EXPECT_EQ(parsed.value("synod_consensus_proposals_committed_total"), 40);
  EXPECT_EQ(parsed.value("synod_consensus_proposals_applied_total"), 38);
  EXPECT_EQ(parsed.value("synod_consensus_proposals_pending"), 3);
  EXPECT_EQ(parsed.value("synod_consensus_voters"), 2);
  EXPECT_EQ(parsed.value("synod_peer_lag_slots{peer=\"2\"}"), 5);
  EXPECT_EQ(parsed.value("synod_peer_rtt_seconds{peer=\"2\"}"), 0.00025);
  EXPECT_EQ(parsed.value("synod_peer_silence_seconds{peer=\"2\"}"), 2);
  EXPECT_EQ(parsed.value("synod_connections{front=\"thrift\"}"), 4);
  EXPECT_EQ(parsed.value("synod_received_bytes_total{front=\"thrift\"}"), 99);
}

TEST(ServerMetrics, CountsCallsByMethodAndCode) {
  Fixture fixture;
  CallObserver& front = fixture.metrics.front("thrift");
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 1'000; ++i) {
        front.on_call(0, "get", {}, std::chrono::microseconds(80));
        front.on_call(1, "atomicCommit", i % 2 == 0 ? "CONFLICT" : "BUSY", base::Nanos(-1));
        front.on_call(2, "odd", std::to_string(i), base::Nanos(0));
      }
    });
  }
  for (auto& thread : threads) thread.join();
  const auto parsed = fixture.scrape(fixture.metrics.serve(fixture.sources()));
  const auto requests = [&](const std::string& op, const std::string& code) {
    return parsed.value("synod_requests_total{front=\"thrift\",op=\"" + op + "\",code=\"" + code +
                        "\"}");
  };
  EXPECT_EQ(requests("get", "OK"), 4'000);
  EXPECT_EQ(requests("atomicCommit", "CONFLICT"), 2'000);
  EXPECT_EQ(requests("atomicCommit", "BUSY"), 2'000);
  EXPECT_GE(requests("odd", "OTHER").value_or(0), 4 * (1'000 - 24));
  const std::string get = "synod_request_duration_seconds_bucket{front=\"thrift\",op=\"get\",le=";
  EXPECT_EQ(parsed.value(get + "\"5e-05\"}"), 0);
  EXPECT_EQ(parsed.value(get + "\"0.0001\"}"), 4'000);
}

TEST(ServerMetrics, TimesTheLogAndTheCommits) {
  Fixture fixture;
  fixture.metrics.store(0).log.on_append(4'096);
  fixture.metrics.store(0).log.on_sync_begins();
  fixture.clock.now += std::chrono::milliseconds(3);
  fixture.metrics.store(0).log.on_sync_ends();
  fixture.metrics.store(0).commits.on_durable(3);
  fixture.metrics.store(0).commits.on_applied(3, std::chrono::microseconds(20));
  fixture.metrics.store(0).commits.on_committed(std::chrono::milliseconds(4));
  fixture.metrics.store(0).commits.on_failed(2);
  const auto parsed = fixture.scrape(fixture.metrics.serve(fixture.sources()));
  EXPECT_EQ(parsed.value("synod_log_append_bytes_total"), 4'096);
  EXPECT_EQ(parsed.value("synod_log_fsync_duration_seconds_sum"), 0.003);
  EXPECT_EQ(parsed.value("synod_log_entries_per_fsync_sum"), 3);
  EXPECT_EQ(parsed.value("synod_apply_operations_total"), 3);
  EXPECT_EQ(parsed.value("synod_commit_duration_seconds_count"), 1);
  EXPECT_EQ(parsed.value("synod_consensus_proposals_failed_total"), 2);
}

TEST(ServerMetrics, SeriesOfSeveralReplicasCarryTheirNumber) {
  Fixture fixture({"1", "2"});
  fixture.metrics.store(1).commits.on_failed(2);
  fixture.metrics.store(1).storage.on_write(std::chrono::milliseconds(3));
  const auto parsed = fixture.scrape(fixture.metrics.serve(fixture.sources()));
  EXPECT_EQ(parsed.value("synod_consensus_proposals_failed_total{replica=\"1\"}"), 0);
  EXPECT_EQ(parsed.value("synod_consensus_proposals_failed_total{replica=\"2\"}"), 2);
  EXPECT_EQ(parsed.value("synod_storage_write_duration_seconds_sum{replica=\"2\"}"), 0.003);
  EXPECT_EQ(parsed.value("synod_database_keys{replica=\"1\"}"), 12);
  EXPECT_EQ(parsed.value("synod_peer_lag_slots{replica=\"2\",peer=\"2\"}"), 5);
  EXPECT_EQ(parsed.value("synod_peer_connected{replica=\"1\",peer=\"2\"}"), 1);
  EXPECT_FALSE(parsed.value("synod_database_keys"));
}

TEST(ServerMetrics, ShowsWhatTheEngineSaidLast) {
  Fixture fixture;
  const auto http = fixture.metrics.serve(fixture.sources());
  EXPECT_FALSE(fixture.scrape(http).value("synod_rocksdb_memtable_bytes"));
  storage::StorageBackend::Stats stats;
  stats.write_buffer_bytes = 7;
  stats.block_cache_bytes = 8;
  stats.disk_bytes = 9;
  stats.is_write_stopped = true;
  fixture.metrics.store(0).storage.on_stats(stats);
  const auto parsed = fixture.scrape(http);
  EXPECT_EQ(parsed.value("synod_rocksdb_memtable_bytes"), 7);
  EXPECT_EQ(parsed.value("synod_rocksdb_block_cache_bytes"), 8);
  EXPECT_EQ(parsed.value("synod_rocksdb_sst_bytes"), 9);
  EXPECT_EQ(parsed.value("synod_rocksdb_write_stall"), 1);
}

TEST(ServerMetrics, CountsSlowCallsAndFullChannels) {
  Fixture fixture;
  CallObserver& front = fixture.metrics.front("thrift");
  front.on_call(0, "get", {}, std::chrono::milliseconds(99));
  front.on_call(0, "get", {}, std::chrono::milliseconds(100));
  front.on_call(0, "get", "BUSY", base::Nanos(1));
  const auto parsed = fixture.scrape(fixture.metrics.serve(fixture.sources()));
  EXPECT_EQ(parsed.value("synod_slow_requests_total{front=\"thrift\",op=\"get\"}"), 1);
  EXPECT_EQ(parsed.value("synod_channel_full_total{channel=\"operations\"}"), 1);
  EXPECT_EQ(parsed.value("synod_channel_full_total{channel=\"peers\"}"), 0);
  EXPECT_EQ(parsed.value("synod_channel_full_total{channel=\"connections\"}"), 0);
}

TEST(ServerMetrics, IsReadyWithALeaderAndCaughtUp) {
  Fixture fixture;
  const auto http = fixture.metrics.serve(fixture.sources());
  const auto find = [&](const std::string& name) {
    for (const ReadyCheck& check : http.checks()) {
      if (check.name == name) return check.ok;
    }
    return false;
  };
  EXPECT_TRUE(find("store"));
  EXPECT_TRUE(find("leader"));
  EXPECT_FALSE(find("caught_up"));
  fixture.status.group->is_caught_up = true;
  fixture.status.group->has_leader = false;
  EXPECT_FALSE(find("leader"));
  EXPECT_TRUE(find("caught_up"));
  fixture.status.group.reset();
  EXPECT_EQ(http.checks().size(), 1U);
}

TEST(StatusSampler, AsksAStoreThatHangsOnlyOnce) {
  Fixture fixture;
  fixture.hangs = true;
  const auto http = fixture.metrics.serve(fixture.sources());
  EXPECT_EQ(fixture.scrape(http).value("synod_store_up"), 0);
  EXPECT_FALSE(http.checks().front().ok);
  EXPECT_EQ(fixture.asked, 1);
  fixture.held(fixture.status);
  fixture.hangs = false;
  EXPECT_TRUE(http.checks().front().ok);
  EXPECT_EQ(fixture.asked, 2);
}

}  // namespace
}  // namespace synod::server
