// SPDX-License-Identifier: Apache-2.0
#include <chrono>

#include "tests/suite/contract_test.h"

namespace synod::suite {
namespace {

SYNOD_CONTRACT(Diagnostics);

TEST_P(Diagnostics, PingEchoesWhatItIsSent) {
  api::PingRequest request;
  api::PingResponse reply;
  kv()->ping(reply, request);
  EXPECT_EQ(reply.message, "pong");
  EXPECT_EQ(reply.timestamp, 0);

  const auto now = std::chrono::duration_cast<std::chrono::microseconds>(
                       std::chrono::system_clock::now().time_since_epoch())
                       .count();
  const std::string bytes("\x00\xff\n", 3);
  request.__set_message(bytes);
  request.__set_timestamp(now);
  kv()->ping(reply, request);
  EXPECT_EQ(reply.message, bytes);
  EXPECT_EQ(reply.timestamp, now);
  EXPECT_GE(reply.server_timestamp, now) << "microseconds since the epoch";
  EXPECT_LT(reply.server_timestamp, now + 60'000'000);

  request.__set_message("");
  kv()->ping(reply, request);
  EXPECT_EQ(reply.message, "");
}

TEST_P(Diagnostics, HealthCountsTheNodes) {
  (void)read_version();  // From here on there is a leader, and all nodes are about to hear of it.
  api::GetClusterHealthResponse reply;
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(30);
  do {
    kv()->getClusterHealth(reply, {});
    ASSERT_TRUE(reply.success);
    EXPECT_FALSE(reply.__isset.error);
    ASSERT_TRUE(reply.__isset.cluster_health);
  } while (reply.cluster_health.cluster_status != "healthy" &&
           std::chrono::steady_clock::now() < end);
  const auto& health = reply.cluster_health;
  const std::size_t nodes = cluster().members();
  EXPECT_EQ(health.nodes.size(), nodes);
  EXPECT_EQ(health.total_nodes_count, static_cast<std::int32_t>(nodes));
  EXPECT_EQ(health.healthy_nodes_count, static_cast<std::int32_t>(nodes));
  EXPECT_EQ(health.cluster_status, "healthy");
  ASSERT_TRUE(health.__isset.leader);
  EXPECT_TRUE(health.leader.is_leader);
  for (const auto& node : health.nodes) {
    EXPECT_EQ(node.status, "healthy");
    EXPECT_FALSE(node.endpoint.empty());
    EXPECT_TRUE(node.__isset.uptime_seconds);
    EXPECT_GE(node.uptime_seconds, 0);
    EXPECT_GT(node.last_seen_timestamp, 1'600'000'000) << "seconds since the epoch";
    EXPECT_LT(node.last_seen_timestamp, 100'000'000'000) << "seconds since the epoch";
  }
  // A node that stands alone is number 0, members of a group count from 1.
  EXPECT_EQ(health.nodes[0].node_id, nodes == 1 ? 0 : 1);
}

TEST_P(Diagnostics, AnyAuthTokenIsAccepted) {
  api::GetClusterHealthRequest request;
  request.__set_auth_token("anything");
  api::GetClusterHealthResponse reply;
  kv()->getClusterHealth(reply, request);
  EXPECT_TRUE(reply.success);
}

TEST_P(Diagnostics, NodeInfoAgreesWithHealth) {
  api::GetClusterHealthResponse health;
  kv()->getClusterHealth(health, {});
  api::GetNodeInfoRequest request;
  api::GetNodeInfoResponse own;
  kv()->getNodeInfo(own, request);
  ASSERT_TRUE(own.success) << own.error;
  ASSERT_TRUE(own.__isset.node_info);
  request.__set_node_id(own.node_info.node_id);
  api::GetNodeInfoResponse named;
  kv()->getNodeInfo(named, request);
  ASSERT_TRUE(named.success) << named.error;
  EXPECT_EQ(named.node_info.status, own.node_info.status);
  for (const auto& node : health.cluster_health.nodes) {
    if (node.node_id != named.node_info.node_id) continue;
    EXPECT_EQ(node.status, named.node_info.status);
  }
}

TEST_P(Diagnostics, AnUnknownNodeIsAnError) {
  api::GetNodeInfoRequest request;
  request.__set_node_id(999);
  api::GetNodeInfoResponse reply;
  kv()->getNodeInfo(reply, request);
  EXPECT_FALSE(reply.success);
  EXPECT_EQ(reply.error, "Database error: Node 999 not found");
  EXPECT_FALSE(reply.__isset.node_info);
}

TEST_P(Diagnostics, StatisticsAreSoberAndDetailedOnDemand) {
  set(key("k"), "v");
  get(key("k"));
  api::GetDatabaseStatsRequest request;
  api::GetDatabaseStatsResponse reply;
  kv()->getDatabaseStats(reply, request);
  ASSERT_TRUE(reply.success) << reply.error;
  const auto& stats = reply.database_stats;
  EXPECT_GT(stats.total_keys, 0);
  EXPECT_GE(stats.total_size_bytes, 0);
  EXPECT_GT(stats.write_operations_count, 0);
  EXPECT_GE(stats.read_operations_count, 0);
  EXPECT_GE(stats.average_response_time_ms, 0.0);
  EXPECT_GE(stats.active_transactions, 0);
  EXPECT_GE(stats.committed_transactions, 0);
  EXPECT_GE(stats.aborted_transactions, 0);
  EXPECT_FALSE(stats.__isset.cache_hit_rate_percent);
  EXPECT_FALSE(stats.__isset.compaction_pending_bytes);

  request.__set_include_detailed_stats(true);
  api::GetDatabaseStatsResponse detailed;
  kv()->getDatabaseStats(detailed, request);
  ASSERT_TRUE(detailed.database_stats.__isset.cache_hit_rate_percent);
  ASSERT_TRUE(detailed.database_stats.__isset.compaction_pending_bytes);
  EXPECT_GE(detailed.database_stats.cache_hit_rate_percent, 0);
  EXPECT_LE(detailed.database_stats.cache_hit_rate_percent, 100);
  EXPECT_GE(detailed.database_stats.compaction_pending_bytes, 0);
}

class InjectedFaults : public ContractTest {
 protected:
  void inject(const std::string& type, double probability, const char* target = nullptr) {
    api::FaultInjectionRequest request;
    request.__set_fault_type(type);
    request.__set_probability(probability);
    if (target != nullptr) request.__set_target_operation(target);
    api::FaultInjectionResponse reply;
    kv()->setFaultInjection(reply, request);
    EXPECT_TRUE(reply.success) << reply.error;
    EXPECT_FALSE(reply.__isset.error);
  }
  void TearDown() override { inject("NONE", 0.0); }
};
SYNOD_CONTRACT_GROUP(InjectedFaults);

TEST_P(InjectedFaults, FailCommitsWithTheirTypeAsCode) {
  const struct {
    const char* type;
    const char* text;
  } rows[] = {{"TIMEOUT", "Operation timeout"},
              {"CONFLICT", "Transaction conflict"},
              {"corruption", "Fault injected"},
              {"ANYTHING", "Fault injected"}};
  for (const auto& row : rows) {
    inject(row.type, 1.0, "commit");
    const auto reply = commit(commit_request(read_version(), {op_set(key("k"), "v")}));
    EXPECT_FALSE(reply.success);
    EXPECT_EQ(reply.error_code, row.type);
    EXPECT_EQ(reply.error, row.text);
    EXPECT_EQ(get(key("k")), std::nullopt);
  }
}

TEST_P(InjectedFaults, EndWithProbabilityZero) {
  inject("CONFLICT", 1.0);
  EXPECT_FALSE(commit(commit_request(read_version(), {op_set(key("k"), "v")})).success);
  inject("NONE", 0.0);
  EXPECT_TRUE(commit(commit_request(read_version(), {op_set(key("k"), "v")})).success);
}

TEST_P(InjectedFaults, TouchNothingButCommits) {
  inject("CONFLICT", 1.0);
  set(key("k"), "v");
  EXPECT_EQ(get(key("k")), "v");
  remove(key("k"));
}

TEST_P(InjectedFaults, OfOtherTargetsHaveNoEffect) {
  inject("CONFLICT", 1.0, "get");
  EXPECT_TRUE(commit(commit_request(read_version(), {op_set(key("k"), "v")})).success);
  EXPECT_EQ(get(key("k")), "v");
}

}  // namespace
}  // namespace synod::suite
