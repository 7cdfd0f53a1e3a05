// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <string>

#include "base/random.h"
#include "base/text.h"
#include "tests/core/store.h"

namespace synod::core {
namespace {

void fill(Store& store) {
  KvOperation tokened = commit_of({set_step("t", "1")});
  tokened.read_version = store.newest().value();
  tokened.token = ClientToken{{'c'}, 1};
  ASSERT_TRUE(store.run(std::move(tokened)).ok());
  for (int i = 0; i < 5; ++i) {
    const std::string key(1, static_cast<char>('a' + i));
    ASSERT_TRUE(store.commit({set_step(key, "x", 0, "ns"), set_step(key, "yy", 5'000)}).ok());
    store.now_ms += 7;
  }
  ASSERT_TRUE(store.commit({step_on(StepKind::kDelete, "a")}).ok());
}

TEST(Verify, FindsNothingInASoundStore) {
  Store store;
  EXPECT_TRUE(store.database().verify_tables().ok());
  fill(store);
  store.persist();
  EXPECT_TRUE(store.database().verify_tables().ok());
  EXPECT_TRUE(store.database().verify_backend(store.backend()).ok());
}

TEST(Verify, FindsNothingAfterAnyNamespaceWasCleared) {
  for (const char* ns : {"ns", "", "default"}) {
    Store store;
    fill(store);
    ASSERT_TRUE(store.commit({step_on(StepKind::kClearNamespace, "", ns)}).ok());
    ASSERT_TRUE(store.commit({set_step("k", "v", 0, ns)}).ok());
    store.persist();
    EXPECT_TRUE(store.database().verify_tables().ok());
    const base::Status status = store.database().verify_backend(store.backend());
    EXPECT_TRUE(status.ok()) << "'" << ns << "': " << status.to_string();
    store.reopen();
    EXPECT_TRUE(store.database().verify_backend(store.backend()).ok());
  }
}

TEST(Verify, FindsAnyLostRow) {
  Store store;
  fill(store);
  store.persist();
  for (const auto& [key, value] : store.rows()) {
    store.put_row(key, std::nullopt);
    EXPECT_EQ(store.database().verify_backend(store.backend()).code(),
              base::StatusCode::kCorruption)
        << base::escape(key);
    store.put_row(key, value);
  }
}

TEST(Verify, FindsAnyChangedRow) {
  Store store;
  fill(store);
  store.persist();
  for (const auto& [key, value] : store.rows()) {
    for (std::size_t at = 0; at < value.size(); ++at) {
      base::Bytes changed = value;
      changed[at] = static_cast<char>(changed[at] ^ 1);
      store.put_row(key, changed);
      EXPECT_EQ(store.database().verify_backend(store.backend()).code(),
                base::StatusCode::kCorruption)
          << base::escape(key) << " byte " << at;
    }
    store.put_row(key, value);
  }
  EXPECT_TRUE(store.database().verify_backend(store.backend()).ok());
}

TEST(Verify, FindsRowsThatNobodyWrote) {
  Store store;
  fill(store);
  store.persist();
  for (const base::Bytes& key :
       {base::Bytes(), base::Bytes("d"), base::Bytes("z"), base::Bytes("n"), base::Bytes("d12345"),
        entry_row_key(KeyRef{NamespaceId(1), kUserSpace, "ghost"})}) {
    store.put_row(key, base::Bytes(40, '\1'));
    EXPECT_EQ(store.database().verify_backend(store.backend()).code(),
              base::StatusCode::kCorruption)
        << base::escape(key);
    store.put_row(key, std::nullopt);
  }
}

TEST(Verify, FindsAChangedValueInMemory) {
  Store store;
  fill(store);
  const base::BytesView value = store.database().latest_value({NamespaceId(1), kUserSpace, "b"});
  ASSERT_EQ(value, "yy");
  // A flipped bit in memory, as failing hardware makes it.
  const_cast<char&>(value[0]) ^= 1;
  const base::Status status = store.database().verify_tables();
  EXPECT_EQ(status.code(), base::StatusCode::kCorruption);
  EXPECT_NE(status.to_string().find("key b"), std::string::npos) << status.to_string();
  const_cast<char&>(value[0]) ^= 1;
  EXPECT_TRUE(store.database().verify_tables().ok());
}

TEST(Verify, CountsAlikeWhileKeysExpireAndTombstonesGo) {
  Policy policy;
  policy.conflict_window_ms = 30;
  policy.sweep_per_operation = 2;
  policy.conflict_bytes_max = 900;
  Store store(policy);
  base::Random random(3);
  for (int i = 0; i < 2'000; ++i) {
    store.now_ms += random.between(0, 2);
    const std::string key = "k" + std::to_string(random.below(30));
    const std::string ns = random.chance(0.5) ? "" : "ns";
    if (random.chance(0.01)) {
      ASSERT_TRUE(store.commit({step_on(StepKind::kClearNamespace, "", ns)}).ok());
    } else if (random.chance(0.4)) {
      ASSERT_TRUE(store.commit({step_on(StepKind::kDelete, key, ns)}).ok());
    } else {
      const std::int64_t ttl = random.chance(0.5) ? random.between(1, 40) : 0;
      ASSERT_TRUE(store.commit({set_step(key, "v", ttl, ns)}).ok());
    }
    if (random.chance(0.3)) store.database().housekeep(std::chrono::seconds(i));
    if (random.chance(0.01)) store.reopen();
    if (i % 10 != 0) continue;
    const base::Status status = store.database().verify_tables();
    ASSERT_TRUE(status.ok()) << i << ": " << status.to_string();
  }
}

TEST(Verify, FindsAWriteThatNeverReachedTheBackend) {
  Store store;
  fill(store);
  store.persist();
  ASSERT_TRUE(store.commit({set_step("b", "zz")}).ok());
  EXPECT_EQ(store.database().verify_backend(store.backend()).code(), base::StatusCode::kCorruption);
}

}  // namespace
}  // namespace synod::core
