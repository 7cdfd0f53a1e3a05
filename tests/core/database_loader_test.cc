// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <set>
#include <string>

#include "base/random.h"
#include "base/text.h"
#include "tests/core/store.h"

namespace synod::core {
namespace {

Policy small_policy() {
  Policy policy;
  policy.conflict_window_ms = 1'000;
  policy.sweep_per_operation = 1;
  return policy;
}

/// A store whose rows are of every kind.
void fill(Store& store) {
  KvOperation tokened = commit_of({set_step("t", "1")});
  tokened.read_version = store.newest().value();
  tokened.token = ClientToken{{'c'}, 1};
  ASSERT_TRUE(store.run(std::move(tokened)).ok());
  for (int i = 0; i < 5; ++i) {
    const std::string key(1, static_cast<char>('a' + i));
    ASSERT_TRUE(store.commit({set_step(key, "x", 0, "ns"), set_step(key, "y", 5'000)}).ok());
    store.now_ms += 7;
  }
  ASSERT_TRUE(store.commit({step_on(StepKind::kDelete, "a")}).ok());
  ASSERT_TRUE(store.commit({step_on(StepKind::kClearNamespace, "", "ns")}).ok());
  store.persist();
  std::set<char> kinds;
  for (const auto& [key, value] : store.rows()) kinds.insert(key[0]);
  ASSERT_EQ(kinds, (std::set<char>{'a', 'd', 'm', 'n', 'o', 'r', 's', 't'}));
}

base::Status load(Store& store) {
  TransactionalKvDatabase database{DatabaseOptions()};
  const auto loaded = database.load(store.backend());
  return loaded.ok() ? base::Status() : loaded.status();
}

TEST(DatabaseLoader, GivesBackTheSameState) {
  Store store(small_policy());
  fill(store);
  TransactionalKvDatabase loaded{DatabaseOptions()};
  const auto index = loaded.load(store.backend());
  ASSERT_TRUE(index.ok()) << index.status().to_string();
  EXPECT_EQ(*index, store.database().applied_index());
  EXPECT_EQ(loaded.hash(), store.database().hash());
  EXPECT_EQ(loaded.tombstone_bytes(), store.database().tombstone_bytes());
  EXPECT_EQ(loaded.oldest_tombstone(), store.database().oldest_tombstone());
  EXPECT_EQ(loaded.next_expiry(), store.database().next_expiry());
  EXPECT_EQ(loaded.key_count(), store.database().key_count());
  EXPECT_EQ(loaded.live_bytes(), store.database().live_bytes());
  EXPECT_EQ(loaded.visible_version(), store.newest());
  EXPECT_TRUE(loaded.verify_tables().ok());
  EXPECT_EQ(loaded.write_behind().take().last, LogIndex(0)) << "loading writes nothing";
}

TEST(DatabaseLoader, AnEmptyBackendIsAnEmptyStore) {
  const auto backend = storage::make_memory_backend();
  TransactionalKvDatabase database{DatabaseOptions()};
  const auto index = database.load(*backend);
  ASSERT_TRUE(index.ok());
  EXPECT_EQ(*index, LogIndex(0));
}

TEST(DatabaseLoader, RefusesTheLossOfAnyRow) {
  Store store(small_policy());
  fill(store);
  for (const auto& [key, value] : store.rows()) {
    store.put_row(key, std::nullopt);
    EXPECT_EQ(load(store).code(), base::StatusCode::kCorruption) << base::escape(key);
    store.put_row(key, value);
  }
  EXPECT_TRUE(load(store).ok());
}

TEST(DatabaseLoader, RefusesEveryDamageOfAnyValue) {
  Store store(small_policy());
  fill(store);
  for (const auto& [key, value] : store.rows()) {
    for (std::size_t at = 0; at < value.size(); ++at) {
      for (const int bit : {0, 3, 7}) {
        base::Bytes flipped = value;
        flipped[at] = static_cast<char>(flipped[at] ^ (1 << bit));
        store.put_row(key, flipped);
        // The index is the one number no hash covers; recovery finds a wrong one by the log.
        const base::Status status = load(store);
        if (key[0] == kAppliedRow && status.ok()) continue;
        EXPECT_EQ(status.code(), base::StatusCode::kCorruption)
            << base::escape(key) << " byte " << at << " bit " << bit;
      }
      store.put_row(key, value.substr(0, at));
      EXPECT_EQ(load(store).code(), base::StatusCode::kCorruption)
          << base::escape(key) << " cut at " << at;
    }
    store.put_row(key, value + '\0');
    EXPECT_EQ(load(store).code(), base::StatusCode::kCorruption)
        << base::escape(key) << " with a byte too many";
    store.put_row(key, value);
  }
}

TEST(DatabaseLoader, RefusesEveryDamageOfAnyKey) {
  Store store(small_policy());
  fill(store);
  for (const auto& [key, value] : store.rows()) {
    store.put_row(key, std::nullopt);
    for (std::size_t at = 0; at < key.size(); ++at) {
      base::Bytes other = key;
      other[at] = static_cast<char>(other[at] ^ 0x91);
      for (const auto& damaged : {other, key.substr(0, at), key + "x"}) {
        const auto taken = store.backend().get(damaged);
        ASSERT_TRUE(taken.ok());
        store.put_row(damaged, value);
        EXPECT_EQ(load(store).code(), base::StatusCode::kCorruption)
            << base::escape(key) << " as " << base::escape(damaged);
        store.put_row(damaged, *taken);
      }
    }
    store.put_row(key, value);
  }
  EXPECT_TRUE(load(store).ok());
}

TEST(DatabaseLoader, RefusesRowsThatNobodyWrote) {
  Store store(small_policy());
  fill(store);
  for (const base::Bytes& key :
       {base::Bytes(), base::Bytes("z"), base::Bytes("d"), base::Bytes("d12345"), base::Bytes("m"),
        base::Bytes("n"), base::Bytes("o"), base::Bytes("r"), base::Bytes("t"),
        base::Bytes("\xff")}) {
    for (const base::Bytes& value :
         {base::Bytes(), base::Bytes("1"), base::Bytes(64, '\x7f'), base::Bytes(64, '\xff')}) {
      store.put_row(key, value);
      EXPECT_EQ(load(store).code(), base::StatusCode::kCorruption) << base::escape(key);
      store.put_row(key, std::nullopt);
    }
  }
  EXPECT_TRUE(load(store).ok());
}

TEST(DatabaseLoader, TombstonesWeighTheSameAfterARestart) {
  Policy policy = small_policy();
  policy.conflict_bytes_max = 700;
  Store steady(policy);
  Store restarting(policy);
  base::Random random(9);
  for (int i = 0; i < 600; ++i) {
    const std::string key = "k" + std::to_string(random.below(40));
    Step step = random.chance(0.5) ? set_step(key, "v", random.chance(0.3) ? 20 : 0)
                                   : step_on(StepKind::kDelete, key);
    for (Store* store : {&steady, &restarting}) {
      store->now_ms = 1'000 + 3 * i;
      ASSERT_TRUE(store->commit({step}).ok());
      store->database().housekeep(std::chrono::milliseconds(10 * i));
    }
    if (random.chance(0.1)) restarting.reopen();
    ASSERT_EQ(steady.database().tombstone_bytes(), restarting.database().tombstone_bytes());
    ASSERT_EQ(steady.database().state().conflict_floor(),
              restarting.database().state().conflict_floor());
    ASSERT_EQ(steady.database().hash(), restarting.database().hash());
  }
  EXPECT_TRUE(restarting.database().verify_tables().ok());
}

TEST(DatabaseLoader, NamespacesAreSweptAlikeAfterARestart) {
  Store steady(small_policy());
  Store restarting(small_policy());
  for (Store* store : {&steady, &restarting}) {
    for (const char* ns : {"a", "b"}) {
      for (int i = 0; i < 20; ++i) {
        ASSERT_TRUE(store->commit({set_step("k" + std::to_string(i), "v", 0, ns)}).ok());
      }
    }
    ASSERT_TRUE(store->commit({step_on(StepKind::kClearNamespace, "", "b")}).ok());
    ASSERT_TRUE(store->commit({step_on(StepKind::kClearNamespace, "", "a")}).ok());
  }
  restarting.reopen();
  for (int i = 0; i < 50; ++i) {
    for (Store* store : {&steady, &restarting}) ASSERT_TRUE(store->commit({}).ok());
    ASSERT_EQ(steady.database().hash(), restarting.database().hash()) << i;
  }
}

}  // namespace
}  // namespace synod::core
