// SPDX-License-Identifier: Apache-2.0
#include <set>

#include "base/bytes.h"
#include "tests/suite/contract_test.h"
#include "tests/suite/model_store.h"

namespace synod::suite {
namespace {

SYNOD_CONTRACT(Versionstamps);

const std::string kTenZeros(10, '\0');

class StampReplies {
 public:
  explicit StampReplies(Peer& kv) : kv_(kv) {}

  api::SetVersionstampedKeyResponse key(const std::string& buffer, const std::string& value) {
    api::SetVersionstampedKeyRequest request;
    request.__set_key_prefix(buffer);
    request.__set_value(value);
    api::SetVersionstampedKeyResponse reply;
    kv_->setVersionstampedKey(reply, request);
    EXPECT_TRUE(reply.success) << reply.error;
    EXPECT_FALSE(reply.__isset.error);
    EXPECT_FALSE(reply.__isset.error_code);
    EXPECT_TRUE(reply.__isset.committed_version);
    return reply;
  }

  api::SetVersionstampedValueResponse value(const std::string& key, const std::string& buffer) {
    api::SetVersionstampedValueRequest request;
    request.__set_key(key);
    request.__set_value_prefix(buffer);
    api::SetVersionstampedValueResponse reply;
    kv_->setVersionstampedValue(reply, request);
    EXPECT_TRUE(reply.success) << reply.error;
    EXPECT_FALSE(reply.__isset.error);
    EXPECT_TRUE(reply.__isset.committed_version);
    return reply;
  }

 private:
  Peer& kv_;
};

TEST_P(Versionstamps, ReplaceTheTenZerosAtTheEndOfAKey) {
  StampReplies stamps(kv());
  const auto first = stamps.key("user_score_" + kTenZeros, "1");
  const auto second = stamps.key("user_score_" + kTenZeros, "2");
  EXPECT_EQ(first.generated_key.size(), 21u);
  EXPECT_EQ(first.generated_key.substr(0, 11), "user_score_");
  EXPECT_LT(first.generated_key, second.generated_key);
  EXPECT_EQ(get(first.generated_key), "1");
  EXPECT_EQ(get_at(second.generated_key, read_version()), "2");
  EXPECT_EQ(get("user_score_" + kTenZeros), std::nullopt);
}

TEST_P(Versionstamps, ReplaceTheTenZerosAtTheEndOfAValue) {
  StampReplies stamps(kv());
  const auto reply = stamps.value(key("k"), "value_prefix_" + kTenZeros);
  EXPECT_EQ(reply.generated_value.size(), 23u);
  EXPECT_EQ(reply.generated_value.substr(0, 13), "value_prefix_");
  EXPECT_NE(reply.generated_value.substr(13), kTenZeros);
  EXPECT_EQ(get(key("k")), reply.generated_value);
  const auto bare = stamps.value(key("bare"), kTenZeros);
  EXPECT_EQ(bare.generated_value.size(), 10u);
  EXPECT_NE(bare.generated_value, kTenZeros);
}

TEST_P(Versionstamps, AreTheCommittedVersion) {
  StampReplies stamps(kv());
  const auto reply = stamps.key(key("") + kTenZeros, "v");
  EXPECT_EQ(reply.generated_key, stamped(key("") + kTenZeros, reply.committed_version, 0));
}

TEST_P(Versionstamps, LeaveABufferWithoutTenZerosAsItIs) {
  StampReplies stamps(kv());
  EXPECT_EQ(stamps.value(key("a"), "value_prefix_").generated_value, "value_prefix_");
  EXPECT_EQ(stamps.value(key("b"), "1234567890").generated_value, "1234567890");
  EXPECT_EQ(stamps.value(key("c"), "").generated_value, "");
  EXPECT_EQ(stamps.value(key("d"), std::string(9, '\0')).generated_value, std::string(9, '\0'));
  EXPECT_EQ(get(key("a")), "value_prefix_");
  EXPECT_EQ(stamps.key(key("plain"), "v").generated_key, key("plain"));
  EXPECT_EQ(get(key("plain")), "v");
}

TEST_P(Versionstamps, InACommitCountStampedOperations) {
  const auto reply = commit(commit_request(
      read_version(),
      {op("SET_VERSIONSTAMPED_KEY", key("log/") + kTenZeros, "first"), op_set(key("plain"), "v"),
       op("SET_VERSIONSTAMPED_KEY", key("log/") + kTenZeros, "second"),
       op("SET_VERSIONSTAMPED_VALUE", key("last"), "seen " + kTenZeros)}));
  ASSERT_TRUE(reply.success) << reply.error;
  const std::int64_t version = reply.committed_version;
  EXPECT_EQ(get(stamped(key("log/") + kTenZeros, version, 0)), "first");
  EXPECT_EQ(get(stamped(key("log/") + kTenZeros, version, 1)), "second");
  EXPECT_EQ(get(key("last")), stamped("seen " + kTenZeros, version, 2));
  ASSERT_EQ(reply.results.size(), 4u);
  EXPECT_EQ(reply.results[0].generated, stamped(key("log/") + kTenZeros, version, 0));
  EXPECT_EQ(reply.results[3].generated, stamped("seen " + kTenZeros, version, 2));
}

TEST_P(Versionstamps, InACommitOverwriteWhateverTheTailHolds) {
  const auto reply = commit(commit_request(
      read_version(), {op("SET_VERSIONSTAMPED_VALUE", key("k"), "prefix1234567890")}));
  ASSERT_TRUE(reply.success) << reply.error;
  EXPECT_EQ(get(key("k")), stamped("prefix1234567890", reply.committed_version, 0));
}

TEST_P(Versionstamps, AreUniqueAcrossCallsAndCommits) {
  StampReplies stamps(kv());
  std::set<std::string> seen;
  std::string last;
  for (int i = 0; i < 30; ++i) {
    std::string stamp = stamps.key(key("r") + kTenZeros, "v").generated_key;
    stamp = stamp.substr(stamp.size() - 10);
    EXPECT_GT(stamp, last);
    EXPECT_TRUE(seen.insert(stamp).second);
    const auto reply = commit(
        commit_request(read_version(), {op("SET_VERSIONSTAMPED_VALUE", key("c"), kTenZeros)}));
    last = reply.results.empty() ? "" : reply.results[0].generated;
    EXPECT_GT(last, stamp);
    EXPECT_TRUE(seen.insert(last).second);
  }
}

}  // namespace
}  // namespace synod::suite
