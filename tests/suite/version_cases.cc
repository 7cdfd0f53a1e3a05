// SPDX-License-Identifier: Apache-2.0
#include <limits>

#include "tests/suite/contract_test.h"

namespace synod::suite {
namespace {

SYNOD_CONTRACT(Versions);

TEST_P(Versions, ArePositiveAndNeverDecrease) {
  std::int64_t last = read_version();
  EXPECT_GT(last, 0);
  for (int i = 0; i < 20; ++i) {
    const std::int64_t committed = set(key("k"), std::to_string(i));
    EXPECT_GT(committed, last);
    const std::int64_t now = read_version();
    EXPECT_GE(now, committed);
    last = now;
  }
}

TEST_P(Versions, AReadVersionSeesEveryCommitAcknowledgedBeforeOnAnyNode) {
  for (int i = 0; i < 10; ++i) {
    const std::int64_t committed = set(key("k"), std::to_string(i));
    for (const NodeEndpoint& endpoint : cluster().endpoints()) {
      Peer other(endpoint);
      api::GetReadVersionResponse reply;
      other->getReadVersion(reply, {});
      EXPECT_GE(reply.read_version, committed);
    }
  }
}

TEST_P(Versions, ASnapshotKeepsItsValues) {
  set(key("k"), "old");
  set(key("gone"), "old");
  const std::int64_t version = read_version();
  set(key("k"), "new");
  set(key("later"), "new");
  remove(key("gone"));
  EXPECT_EQ(get_at(key("k"), version), "old");
  EXPECT_EQ(get_at(key("gone"), version), "old");
  EXPECT_EQ(get_at(key("later"), version), std::nullopt);
  EXPECT_EQ(get(key("k")), "new");

  api::SnapshotGetRangeRequest request;
  request.__set_begin_key(key(""));
  request.__set_end_key(key("z"));
  request.__set_read_version(version);
  api::SnapshotGetRangeResponse reply;
  kv()->snapshotGetRange(reply, request);
  ASSERT_EQ(reply.key_values.size(), 2u);
  EXPECT_EQ(reply.key_values[0].key, key("gone"));
  EXPECT_EQ(reply.key_values[1].key, key("k"));
  EXPECT_EQ(reply.key_values[1].value, "old");
}

TEST_P(Versions, BothNamesOfTheSnapshotReadAgree) {
  set(key("k"), "old");
  const std::int64_t version = read_version();
  set(key("k"), "new");
  api::SnapshotReadRequest request;
  request.__set_key(key("k"));
  request.__set_read_version(version);
  api::SnapshotReadResponse reply;
  kv()->snapshotRead(reply, request);
  EXPECT_EQ(reply.value, "old");
}

// T-ZERO: zero, negative and future read versions read the current state.
TEST_P(Versions, ReadsAtNoVersionOrAFutureOneAreCurrent) {
  set(key("k"), "v");
  for (const std::int64_t version :
       {std::int64_t{0}, std::int64_t{-1}, std::numeric_limits<std::int64_t>::min(),
        read_version() + 1'000'000'000, std::numeric_limits<std::int64_t>::max()}) {
    EXPECT_EQ(get_at(key("k"), version), "v") << version;
    api::SnapshotGetRangeRequest request;
    request.__set_begin_key(key(""));
    request.__set_end_key(key("z"));
    request.__set_read_version(version);
    api::SnapshotGetRangeResponse reply;
    kv()->snapshotGetRange(reply, request);
    EXPECT_TRUE(reply.success) << version;
    EXPECT_EQ(reply.key_values.size(), 1u) << version;
  }
}

TEST_P(Versions, AVersionIsPortableBetweenNodes) {
  set(key("k"), "old");
  const std::int64_t version = read_version();
  set(key("k"), "new");
  for (const NodeEndpoint& endpoint : cluster().endpoints()) {
    Peer other(endpoint);
    api::SnapshotGetRequest request;
    request.__set_key(key("k"));
    request.__set_read_version(version);
    api::SnapshotGetResponse reply;
    other->snapshotGet(reply, request);
    EXPECT_EQ(reply.value, "old") << endpoint.port;
  }
}

TEST_P(Versions, MethodsOfTheClientsTransactionAreRefusedPolitely) {
  api::AddReadConflictResponse conflict;
  kv()->addReadConflict(conflict, {});
  EXPECT_FALSE(conflict.success);
  EXPECT_EQ(conflict.error, "Conflict detection handled client-side in FoundationDB model");
  api::AddReadConflictRangeResponse range;
  kv()->addReadConflictRange(range, {});
  EXPECT_FALSE(range.success);
  EXPECT_EQ(range.error, "Conflict detection handled client-side in FoundationDB model");
  api::SetReadVersionResponse version;
  kv()->setReadVersion(version, {});
  EXPECT_FALSE(version.success);
  EXPECT_EQ(version.error, "Read version managed client-side in FoundationDB model");
  api::GetCommittedVersionResponse committed;
  kv()->getCommittedVersion(committed, {});
  EXPECT_FALSE(committed.success);
  EXPECT_EQ(committed.version, 0);
  EXPECT_EQ(committed.error, "Committed version managed client-side in FoundationDB model");
}

}  // namespace
}  // namespace synod::suite
