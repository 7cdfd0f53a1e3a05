// SPDX-License-Identifier: Apache-2.0
#include <map>

#include "base/random.h"
#include "tests/suite/contract_test.h"

namespace synod::suite {
namespace {

/// Each case has its own cluster, kills it and looks at what is left.
class Durability : public ContractTest {
 protected:
  void SetUp() override {
    mine_ = own_cluster();
    ASSERT_NE(mine_, nullptr);
    kv_ = std::make_unique<Peer>(mine_->endpoints().front());
  }

  Peer& own() { return *kv_; }

  void kill_and_restart() {
    kv_.reset();
    for (std::size_t node = 0; node < mine_->endpoints().size(); ++node) mine_->kill(node);
    start_again();
  }

  void stop_and_restart() {
    kv_.reset();
    const base::Status stopped = mine_->stop();
    ASSERT_TRUE(stopped.ok()) << stopped.to_string();
    start_again();
  }

  std::int64_t put(const std::string& name, const std::string& value) {
    api::SetRequest request;
    request.__set_key(name);
    request.__set_value(value);
    api::SetResponse reply;
    own()->setKey(reply, request);
    EXPECT_TRUE(reply.success) << reply.error;
    return reply.committed_version;
  }

  std::string read(const std::string& name) {
    api::GetRequest request;
    request.__set_key(name);
    api::GetResponse reply;
    own()->get(reply, request);
    EXPECT_FALSE(reply.__isset.error) << reply.error;
    return reply.found ? reply.value : "(missing)";
  }

  std::int64_t version() {
    api::GetReadVersionResponse reply;
    own()->getReadVersion(reply, {});
    return reply.read_version;
  }

  api::AtomicCommitResponse run(const api::AtomicCommitRequest& request) {
    api::AtomicCommitResponse reply;
    own()->atomicCommit(reply, request);
    return reply;
  }

 private:
  void start_again() {
    for (std::size_t node = 0; node < mine_->endpoints().size(); ++node) {
      const base::Status started = mine_->restart(node);
      ASSERT_TRUE(started.ok()) << started.to_string();
    }
    kv_ = std::make_unique<Peer>(mine_->endpoints().front());
  }

  std::unique_ptr<TestCluster> mine_;
  std::unique_ptr<Peer> kv_;
};
SYNOD_CONTRACT_GROUP_WITH(Durability, survives_restart);

TEST_P(Durability, AcknowledgedWritesSurviveKills) {
  std::map<std::string, std::string> expected;
  base::Random random(3);
  for (int round = 0; round < 4; ++round) {
    for (int i = 0; i < 50; ++i) {
      const std::string name = "k" + std::to_string(random.below(80));
      const std::string value = std::to_string(round) + "/" + std::to_string(i);
      put(name, value);
      expected[name] = value;
    }
    kill_and_restart();
    if (HasFatalFailure()) return;
    for (const auto& [name, value] : expected) ASSERT_EQ(read(name), value) << name;
  }
}

TEST_P(Durability, EverythingSurvivesAStop) {
  put("k", "v");
  ASSERT_TRUE(run(commit_request(version(), {op_set("a", "1"), op_set("b", "2")})).success);
  stop_and_restart();
  if (HasFatalFailure()) return;
  EXPECT_EQ(read("k"), "v");
  EXPECT_EQ(read("a"), "1");
  EXPECT_EQ(read("b"), "2");
}

TEST_P(Durability, VersionsNeverGoBack) {
  const std::int64_t committed = put("k", "v");
  kill_and_restart();
  if (HasFatalFailure()) return;
  EXPECT_GE(version(), committed);
  EXPECT_GT(put("k", "w"), committed);
  const std::int64_t before = version();
  stop_and_restart();
  if (HasFatalFailure()) return;
  EXPECT_GE(version(), before);
}

TEST_P(Durability, AConflictIsStillOneAfterARestart) {
  put("k", "1");
  const std::int64_t at = version();
  put("k", "2");
  kill_and_restart();
  if (HasFatalFailure()) return;
  EXPECT_EQ(run(commit_request(at, {op_set("x", "v")}, {"k"})).error_code, "CONFLICT");
  EXPECT_EQ(read("x"), "(missing)");
}

TEST_P(Durability, ATokenIsRemembered) {
  auto request = commit_request(version(), {op("INCREMENT", "n", "1")});
  request.__set_client_id("0123456789abcdef");
  request.__set_sequence(1);
  const auto first = run(request);
  ASSERT_TRUE(first.success) << first.error;
  kill_and_restart();
  if (HasFatalFailure()) return;
  const auto again = run(request);
  EXPECT_EQ(again.committed_version, first.committed_version);
  EXPECT_EQ(again.results, first.results);
  EXPECT_EQ(read("n"), "1");
}

TEST_P(Durability, DeletedAndExpiredKeysStayGone) {
  put("gone", "v");
  api::SetRequest request;
  request.__set_key("brief");
  request.__set_value("v");
  request.__set_ttl_ms(1);
  api::SetResponse reply;
  own()->setKey(reply, request);
  while (read("brief") != "(missing)") {
  }
  api::DeleteRequest remove_request;
  remove_request.__set_key("gone");
  api::DeleteResponse removed;
  own()->deleteKey(removed, remove_request);
  EXPECT_TRUE(removed.success);
  kill_and_restart();
  if (HasFatalFailure()) return;
  EXPECT_EQ(read("gone"), "(missing)");
  EXPECT_EQ(read("brief"), "(missing)");
}

TEST_P(Durability, ALargeValueSurvives) {
  const std::string value(8 << 20, 'z');
  put("big", value);
  kill_and_restart();
  if (HasFatalFailure()) return;
  EXPECT_TRUE(read("big") == value);
}

}  // namespace
}  // namespace synod::suite
