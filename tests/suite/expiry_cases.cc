// SPDX-License-Identifier: Apache-2.0
#include <chrono>

#include "tests/suite/contract_test.h"

namespace synod::suite {
namespace {

class Expiry : public ContractTest {
 protected:
  void set_for(const std::string& name, const std::string& value, std::int64_t ttl_ms) {
    api::SetRequest request;
    request.__set_key(name);
    request.__set_value(value);
    request.__set_ttl_ms(ttl_ms);
    api::SetResponse reply;
    kv()->setKey(reply, request);
    EXPECT_TRUE(reply.success) << reply.error;
  }

  /// Reads until the key is gone; false after 20 s.
  bool disappears(const std::string& name) {
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (get(name).has_value()) {
      if (std::chrono::steady_clock::now() > end) return false;
    }
    return true;
  }
};
SYNOD_CONTRACT_GROUP(Expiry);

class ExpiryConflict : public Expiry {};
SYNOD_CONTRACT_GROUP_WITH(ExpiryConflict, expires);

TEST_P(Expiry, AKeyDisappearsByItselfEverywhere) {
  set_for(key("k"), "v", 50);
  ASSERT_TRUE(disappears(key("k")));
  EXPECT_EQ(get_at(key("k"), read_version()), std::nullopt);
  api::GetRangeRequest request;
  request.__set_begin_key(key(""));
  request.__set_end_key(key("z"));
  api::GetRangeResponse reply;
  kv()->getRange(reply, request);
  EXPECT_TRUE(reply.key_values.empty());
}

TEST_P(Expiry, ALongTtlIsKept) {
  set_for(key("k"), "v", 600'000);
  EXPECT_EQ(get(key("k")), "v");
}

TEST_P(Expiry, APlainSetRemovesTheTtl) {
  set_for(key("k"), "v", 50);
  set(key("k"), "stays");
  set_for(key("clock"), "v", 100);
  ASSERT_TRUE(disappears(key("clock")));
  EXPECT_EQ(get(key("k")), "stays");
}

TEST_P(Expiry, PersistRemovesItAndExpireSetsIt) {
  set_for(key("stays"), "v", 300);
  set(key("goes"), "v");
  auto expire = op("EXPIRE", key("goes"));
  expire.__set_ttl_ms(50);
  const auto reply = commit(commit_request(read_version(), {op("PERSIST", key("stays")), expire}));
  ASSERT_TRUE(reply.success) << reply.error;
  ASSERT_EQ(reply.results.size(), 2u);
  EXPECT_TRUE(reply.results[0].existed);
  ASSERT_TRUE(disappears(key("goes")));
  set_for(key("clock"), "v", 350);
  ASSERT_TRUE(disappears(key("clock")));
  EXPECT_EQ(get(key("stays")), "v");
}

TEST_P(Expiry, ExpiringAMissingKeyCreatesNone) {
  auto expire = op("EXPIRE", key("k"));
  expire.__set_ttl_ms(60'000);
  const auto reply = commit(commit_request(read_version(), {expire}));
  ASSERT_TRUE(reply.success) << reply.error;
  EXPECT_FALSE(reply.results.at(0).existed);
  EXPECT_EQ(get(key("k")), std::nullopt);
}

TEST_P(Expiry, ACommitCanGiveATtl) {
  auto step = op_set(key("k"), "v");
  step.__set_ttl_ms(50);
  must_commit({step});
  EXPECT_TRUE(disappears(key("k")));
}

TEST_P(Expiry, ASetMayKeepTheTtl) {
  set_for(key("k"), "v", 200);
  auto step = op_set(key("k"), "w");
  step.__set_flags(2);
  must_commit({step});
  EXPECT_TRUE(disappears(key("k")));
}

// Expiry is a write for conflict checks: who read the key must not commit after it is gone.
TEST_P(ExpiryConflict, AReaderOfAKeyThatExpiredConflicts) {
  // A slow machine may read too late; then the key lives longer the next time.
  std::int64_t version = 0;
  bool was_read = false;
  for (std::int64_t ttl_ms = 400; !was_read && ttl_ms < 20'000; ttl_ms *= 2) {
    set_for(key("k"), "v", ttl_ms);
    version = read_version();
    was_read = get_at(key("k"), version) == "v";
  }
  ASSERT_TRUE(was_read);
  ASSERT_TRUE(disappears(key("k")));
  EXPECT_EQ(commit(commit_request(version, {op_set(key("x"), "v")}, {key("k")})).error_code,
            "CONFLICT");
}

TEST_P(Expiry, AnExpiredCounterStartsFromZero) {
  set_for(key("n"), "41", 50);
  ASSERT_TRUE(disappears(key("n")));
  must_commit({op("INCREMENT", key("n"), "1")});
  EXPECT_EQ(get(key("n")), "1");
}

}  // namespace
}  // namespace synod::suite
