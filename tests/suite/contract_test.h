// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "tests/suite/peer.h"
#include "tests/suite/test_cluster.h"

namespace synod::suite {

/// The base of every case of the suite: a cluster that the cases of one process share, a connection
/// to its first node, and names of keys that no other case uses.
class ContractTest : public ::testing::TestWithParam<std::string> {
 protected:
  void SetUp() override;

  /// Shared: a case that stops nodes or needs its own options takes own_cluster() instead.
  [[nodiscard]] TestCluster& cluster() { return *cluster_; }
  [[nodiscard]] Peer& kv() { return *kv_; }
  [[nodiscard]] Peer connect(Dialect dialect = Dialect::kBinary) {
    return Peer(cluster().endpoints().front(), dialect);
  }
  [[nodiscard]] std::unique_ptr<TestCluster> own_cluster(const ClusterOptions& options = {});
  /// "<suite>.<case>/<suffix>".
  [[nodiscard]] std::string key(const std::string& suffix) const;
  /// A namespace of this case alone.
  [[nodiscard]] std::string own_namespace() const;

  // The calls that most cases are made of. Each expects the reply to keep the rules that hold for
  // every reply: nothing but a failure has a text, and texts are ASCII.
  std::optional<std::string> get(const std::string& key);
  std::optional<std::string> get_at(const std::string& key, std::int64_t version);
  std::int64_t set(const std::string& key, const std::string& value);
  std::int64_t remove(const std::string& key);
  std::int64_t read_version();
  api::AtomicCommitResponse commit(const api::AtomicCommitRequest& request);
  /// A commit of `operations` that must succeed; returns its version.
  std::int64_t must_commit(const std::vector<api::Operation>& operations);

 private:
  TestCluster* cluster_ = nullptr;
  std::unique_ptr<Peer> kv_;
};

[[nodiscard]] api::Operation op_set(const std::string& key, const std::string& value);
[[nodiscard]] api::Operation op(const std::string& type, const std::string& key);
[[nodiscard]] api::Operation op(const std::string& type, const std::string& key,
                                const std::string& value);
[[nodiscard]] api::AtomicCommitRequest commit_request(
    std::int64_t read_version, const std::vector<api::Operation>& operations,
    const std::vector<std::string>& read_keys = {});
[[nodiscard]] bool is_ascii(const std::string& text);

/// The registered clusters that have `feature`; nullptr: all of them.
[[nodiscard]] std::vector<std::string> cluster_names(
    bool TestCluster::Features::*feature = nullptr);
[[nodiscard]] inline std::string cluster_of_case(const ::testing::TestParamInfo<std::string>& i) {
  return i.param;
}

}  // namespace synod::suite

/// Runs the cases of the fixture `Group` on every registered cluster.
#define SYNOD_CONTRACT_GROUP(Group)                                               \
  GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(Group);                           \
  INSTANTIATE_TEST_SUITE_P(Contract, Group, ::testing::ValuesIn(cluster_names()), \
                           ::synod::suite::cluster_of_case)

/// The same on the clusters that have `feature`, a member of TestCluster::Features.
#define SYNOD_CONTRACT_GROUP_WITH(Group, feature)                                          \
  GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(Group);                                    \
  INSTANTIATE_TEST_SUITE_P(                                                                \
      Contract, Group,                                                                     \
      ::testing::ValuesIn(cluster_names(&::synod::suite::TestCluster::Features::feature)), \
      ::synod::suite::cluster_of_case)

/// The same for a group that needs no fixture of its own.
#define SYNOD_CONTRACT(Group)           \
  class Group : public ContractTest {}; \
  SYNOD_CONTRACT_GROUP(Group)
