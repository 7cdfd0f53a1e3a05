// SPDX-License-Identifier: Apache-2.0
#include "tests/suite/contract_test.h"

namespace synod::suite {
namespace {

class Tokens : public ContractTest {
 protected:
  /// A commit of the client named after the case; `tag` tells its clients apart.
  api::AtomicCommitRequest tokened(std::int64_t sequence,
                                   const std::vector<api::Operation>& operations, char tag = 'a') {
    auto request = commit_request(read_version(), operations);
    std::string id(16, tag);
    const std::string name = own_namespace();
    for (std::size_t i = 0; i < name.size(); ++i) {
      id[i % 15] = static_cast<char>(id[i % 15] * 31 + name[i]);
    }
    request.__set_client_id(id);
    request.__set_sequence(sequence);
    return request;
  }
};
SYNOD_CONTRACT_GROUP(Tokens);

TEST_P(Tokens, ARepeatedCommitTakesEffectOnceAndAnswersTheSame) {
  const auto request = tokened(1, {op("INCREMENT", key("n"), "1")});
  const auto first = commit(request);
  ASSERT_TRUE(first.success) << first.error;
  set(key("between"), "v");
  for (int i = 0; i < 3; ++i) {
    const auto again = commit(request);
    EXPECT_TRUE(again.success) << again.error;
    EXPECT_EQ(again.committed_version, first.committed_version);
    EXPECT_EQ(again.results, first.results);
  }
  EXPECT_EQ(get(key("n")), "1");
}

TEST_P(Tokens, ARepetitionReachesTheSameVerdictOnEveryNodeAndConnection) {
  const auto request = tokened(1, {op("INCREMENT", key("n"), "1")});
  const auto first = commit(request);
  for (const NodeEndpoint& endpoint : cluster().endpoints()) {
    Peer other(endpoint);
    api::AtomicCommitResponse again;
    other->atomicCommit(again, request);
    EXPECT_EQ(again.committed_version, first.committed_version);
  }
  EXPECT_EQ(get(key("n")), "1");
}

TEST_P(Tokens, ARepetitionSucceedsThoughItsReadsHaveChangedSince) {
  set(key("k"), "1");
  auto request = tokened(1, {op_set(key("k"), "2")});
  request.__set_read_conflict_keys({key("k")});
  const auto first = commit(request);
  ASSERT_TRUE(first.success) << first.error;
  set(key("k"), "3");
  EXPECT_EQ(commit(request).committed_version, first.committed_version);
  EXPECT_EQ(get(key("k")), "3");
}

TEST_P(Tokens, SequencesAndClientsAreIndependent) {
  ASSERT_TRUE(commit(tokened(1, {op("INCREMENT", key("n"), "1")})).success);
  ASSERT_TRUE(commit(tokened(2, {op("INCREMENT", key("n"), "1")})).success);
  ASSERT_TRUE(commit(tokened(1, {op("INCREMENT", key("n"), "1")}, 'b')).success);
  EXPECT_EQ(get(key("n")), "3");
}

TEST_P(Tokens, AConflictIsNotRemembered) {
  const std::int64_t version = read_version();
  set(key("k"), "1");
  auto request = tokened(1, {op_set(key("k"), "2")});
  request.__set_read_version(version);
  request.__set_read_conflict_keys({key("k")});
  EXPECT_EQ(commit(request).error_code, "CONFLICT");
  request.__set_read_version(read_version());
  EXPECT_TRUE(commit(request).success);
  EXPECT_EQ(get(key("k")), "2");
}

TEST_P(Tokens, NeedAReadVersionThatExists) {
  for (const std::int64_t version : {std::int64_t{0}, std::int64_t{-5}}) {
    auto request = tokened(1, {op_set(key("k"), "v")});
    request.__set_read_version(version);
    EXPECT_FALSE(commit(request).success) << version;
  }
  EXPECT_EQ(get(key("k")), std::nullopt);
}

}  // namespace
}  // namespace synod::suite
