// SPDX-License-Identifier: Apache-2.0
#include "tests/suite/contract_test.h"

namespace synod::suite {
namespace {

std::unique_ptr<TestCluster> make_cluster(const std::string& name) {
  for (const NamedFactory& factory : cluster_factories()) {
    if (factory.name == name) return factory.make();
  }
  return nullptr;
}

/// Stops the shared clusters while gtest still listens, so that a bad end is seen.
class SharedClusters final : public ::testing::Environment {
 public:
  TestCluster* get(const std::string& name) {
    auto& slot = clusters_[name];
    if (slot == nullptr) {
      slot = make_cluster(name);
      const base::Status started = slot->start({});
      EXPECT_TRUE(started.ok()) << started.to_string();
      if (!started.ok()) slot.reset();
    }
    return slot.get();
  }

  void TearDown() override {
    for (const auto& [name, cluster] : clusters_) {
      if (cluster == nullptr) continue;
      const base::Status stopped = cluster->stop();
      EXPECT_TRUE(stopped.ok()) << name << ": " << stopped.to_string();
    }
    clusters_.clear();
  }

 private:
  std::map<std::string, std::unique_ptr<TestCluster>> clusters_;
};

SharedClusters& shared_clusters() {
  // gtest owns environments.
  static auto* const clusters = static_cast<SharedClusters*>(
      ::testing::AddGlobalTestEnvironment(new SharedClusters));  // NOLINT
  return *clusters;
}

// Environments must be known before the first case runs.
[[maybe_unused]] const SharedClusters& registered_early = shared_clusters();

template <class Reply>
void expect_clean(const Reply& reply, bool success) {
  EXPECT_EQ(reply.__isset.error, !success) << reply.error;
  EXPECT_TRUE(is_ascii(reply.error)) << reply.error;
  if (!success) return;
  EXPECT_FALSE(reply.__isset.error_code) << reply.error_code;
}

}  // namespace

std::vector<std::string> cluster_names(bool TestCluster::Features::*feature) {
  std::vector<std::string> names;
  for (const NamedFactory& factory : cluster_factories()) {
    if (feature == nullptr || factory.make()->features().*feature) names.push_back(factory.name);
  }
  return names;
}

void ContractTest::SetUp() {
  cluster_ = shared_clusters().get(GetParam());
  ASSERT_NE(cluster_, nullptr) << "the cluster did not start";
  kv_ = std::make_unique<Peer>(cluster_->endpoints().front());
}

std::unique_ptr<TestCluster> ContractTest::own_cluster(const ClusterOptions& options) {
  auto made = make_cluster(GetParam());
  const base::Status started = made->start(options);
  EXPECT_TRUE(started.ok()) << started.to_string();
  return started.ok() ? std::move(made) : nullptr;
}

std::string ContractTest::key(const std::string& suffix) const {
  const auto* info = ::testing::UnitTest::GetInstance()->current_test_info();
  return std::string(info->test_suite_name()) + "." + info->name() + "/" + suffix;
}

std::string ContractTest::own_namespace() const {
  const auto* info = ::testing::UnitTest::GetInstance()->current_test_info();
  std::string name = std::string(info->test_suite_name()) + "." + info->name();
  for (char& c : name) c = c == '/' ? '.' : c;
  return name;
}

std::optional<std::string> ContractTest::get(const std::string& key) {
  api::GetRequest request;
  request.__set_key(key);
  api::GetResponse reply;
  kv()->get(reply, request);
  expect_clean(reply, true);
  return reply.found ? std::optional(reply.value) : std::nullopt;
}

std::optional<std::string> ContractTest::get_at(const std::string& key, std::int64_t version) {
  api::SnapshotGetRequest request;
  request.__set_key(key);
  request.__set_read_version(version);
  api::SnapshotGetResponse reply;
  kv()->snapshotGet(reply, request);
  expect_clean(reply, true);
  return reply.found ? std::optional(reply.value) : std::nullopt;
}

std::int64_t ContractTest::set(const std::string& key, const std::string& value) {
  api::SetRequest request;
  request.__set_key(key);
  request.__set_value(value);
  api::SetResponse reply;
  kv()->setKey(reply, request);
  EXPECT_TRUE(reply.success);
  expect_clean(reply, true);
  EXPECT_TRUE(reply.__isset.committed_version);
  return reply.committed_version;
}

std::int64_t ContractTest::remove(const std::string& key) {
  api::DeleteRequest request;
  request.__set_key(key);
  api::DeleteResponse reply;
  kv()->deleteKey(reply, request);
  EXPECT_TRUE(reply.success);
  expect_clean(reply, true);
  EXPECT_TRUE(reply.__isset.committed_version);
  return reply.committed_version;
}

std::int64_t ContractTest::read_version() {
  api::GetReadVersionResponse reply;
  kv()->getReadVersion(reply, {});
  EXPECT_TRUE(reply.success);
  expect_clean(reply, true);
  return reply.read_version;
}

api::AtomicCommitResponse ContractTest::commit(const api::AtomicCommitRequest& request) {
  api::AtomicCommitResponse reply;
  kv()->atomicCommit(reply, request);
  expect_clean(reply, reply.success);
  EXPECT_EQ(reply.__isset.committed_version, reply.success);
  EXPECT_EQ(reply.__isset.error_code, !reply.success);
  return reply;
}

std::int64_t ContractTest::must_commit(const std::vector<api::Operation>& operations) {
  const auto reply = commit(commit_request(read_version(), operations));
  EXPECT_TRUE(reply.success) << reply.error_code << ": " << reply.error;
  return reply.committed_version;
}

api::Operation op_set(const std::string& key, const std::string& value) {
  return op("set", key, value);
}

api::Operation op(const std::string& type, const std::string& key) {
  api::Operation made;
  made.__set_type(type);
  made.__set_key(key);
  return made;
}

api::Operation op(const std::string& type, const std::string& key, const std::string& value) {
  api::Operation made = op(type, key);
  made.__set_value(value);
  return made;
}

api::AtomicCommitRequest commit_request(std::int64_t read_version,
                                        const std::vector<api::Operation>& operations,
                                        const std::vector<std::string>& read_keys) {
  api::AtomicCommitRequest request;
  request.__set_read_version(read_version);
  request.__set_operations(operations);
  request.__set_read_conflict_keys(read_keys);
  return request;
}

bool is_ascii(const std::string& text) {
  for (const char c : text) {
    if (c < 0x20 || c == 0x7f) return false;
  }
  return true;
}

}  // namespace synod::suite
