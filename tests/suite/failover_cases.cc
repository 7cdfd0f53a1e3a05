// SPDX-License-Identifier: Apache-2.0
#include <chrono>
#include <optional>

#include "tests/suite/contract_test.h"

namespace synod::suite {
namespace {

using SteadyClock = std::chrono::steady_clock;

/// Each case has its own group, of which it kills one node after the other.
class Failover : public ContractTest {
 protected:
  void SetUp() override {
    mine_ = own_cluster();
    ASSERT_NE(mine_, nullptr);
  }

  TestCluster& mine() { return *mine_; }

  /// Writes at `node` until the write is acknowledged: while nobody leads, outcomes may be unknown,
  /// and the same value is written again.
  void must_put(std::size_t node, const std::string& name, const std::string& value) {
    Peer peer(mine().endpoints()[node]);
    api::SetRequest request;
    request.__set_key(name);
    request.__set_value(value);
    api::SetResponse reply;
    const auto end = SteadyClock::now() + std::chrono::seconds(30);
    do {
      peer->setKey(reply, request);
    } while (!reply.success && SteadyClock::now() < end);
    ASSERT_TRUE(reply.success) << reply.error;
  }

  std::string must_read(std::size_t node, const std::string& name) {
    Peer peer(mine().endpoints()[node]);
    api::GetRequest request;
    request.__set_key(name);
    api::GetResponse reply;
    const auto end = SteadyClock::now() + std::chrono::seconds(30);
    do {
      peer->get(reply, request);
    } while (reply.__isset.error && SteadyClock::now() < end);
    EXPECT_FALSE(reply.__isset.error) << reply.error;
    return reply.found ? reply.value : "(missing)";
  }

  /// The place in endpoints() of the leader as `node` sees it.
  std::optional<std::size_t> leader_at(std::size_t node) {
    Peer peer(mine().endpoints()[node]);
    api::GetClusterHealthResponse reply;
    peer->getClusterHealth(reply, {});
    if (!reply.success || !reply.cluster_health.__isset.leader) return std::nullopt;
    return static_cast<std::size_t>(reply.cluster_health.leader.node_id - 1);
  }

  std::size_t other_than(std::size_t node) { return (node + 1) % mine().endpoints().size(); }

  void restart(std::size_t node) {
    const base::Status started = mine().restart(node);
    ASSERT_TRUE(started.ok()) << started.to_string();
  }

 private:
  std::unique_ptr<TestCluster> mine_;
};
SYNOD_CONTRACT_GROUP_WITH(Failover, survives_a_loss);

TEST_P(Failover, EveryNodeTakesWritesAndShowsThoseOfTheOthers) {
  for (std::size_t writer = 0; writer < mine().endpoints().size(); ++writer) {
    const std::string value = "by " + std::to_string(writer);
    must_put(writer, "k", value);
    if (HasFatalFailure()) return;
    for (std::size_t reader = 0; reader < mine().endpoints().size(); ++reader) {
      EXPECT_EQ(must_read(reader, "k"), value) << "node " << reader;
    }
  }
}

TEST_P(Failover, WhoeverIsKilledTheOthersGoOnAndItCatchesUp) {
  for (std::size_t victim = 0; victim < mine().endpoints().size(); ++victim) {
    const std::string name = "k" + std::to_string(victim);
    must_put(victim, name, "before");
    mine().kill(victim);
    EXPECT_EQ(must_read(other_than(victim), name), "before");
    must_put(other_than(victim), name, "after");
    restart(victim);
    if (HasFatalFailure()) return;
    EXPECT_EQ(must_read(victim, name), "after");
  }
}

TEST_P(Failover, TheLeaderIsReplacedTwice) {
  must_put(0, "k", "0");
  for (int round = 1; round <= 2; ++round) {
    const auto leader = leader_at(0);
    ASSERT_TRUE(leader.has_value());
    mine().kill(*leader);
    const std::size_t other = other_than(*leader);
    const std::string value = std::to_string(round);
    must_put(other, "k", value);
    if (HasFatalFailure()) return;
    EXPECT_NE(leader_at(other), leader) << "a dead node leads";
    restart(*leader);
    if (HasFatalFailure()) return;
    EXPECT_EQ(must_read(*leader, "k"), value);
  }
}

TEST_P(Failover, AMinorityWritesNothingAndSaysSo) {
  must_put(0, "k", "v");
  mine().kill(1);
  mine().kill(2);
  Peer peer(mine().endpoints()[0]);
  api::SetRequest request;
  request.__set_key("k");
  request.__set_value("never");
  api::SetResponse reply;
  peer->setKey(reply, request);
  EXPECT_FALSE(reply.success);
  EXPECT_TRUE(reply.__isset.error_code);
  restart(1);
  if (HasFatalFailure()) return;
  must_put(1, "k", "w");
  EXPECT_EQ(must_read(0, "k"), "w");
}

TEST_P(Failover, TwoOfThreeServeAfterAStopOfAll) {
  must_put(0, "k", "v");
  const base::Status stopped = mine().stop();
  ASSERT_TRUE(stopped.ok()) << stopped.to_string();
  for (std::size_t node = 0; node < 2; ++node) restart(node);
  if (HasFatalFailure()) return;
  EXPECT_EQ(must_read(0, "k"), "v");
  must_put(1, "k", "w");
  restart(2);
  if (HasFatalFailure()) return;
  EXPECT_EQ(must_read(2, "k"), "w");
}

}  // namespace
}  // namespace synod::suite
