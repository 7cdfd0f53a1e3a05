// SPDX-License-Identifier: Apache-2.0
// What a refused operation leaves behind, and bounds of one operation.
#include <gtest/gtest.h>

#include <string>

#include "tests/core/store.h"

namespace synod::core {
namespace {

TEST(OperationEffects, APolicyThatIsRefusedChangesNothing) {
  Store store;
  ASSERT_TRUE(store.commit({set_step("k", "1")}).ok());
  ASSERT_TRUE(store.commit({set_step("k", "2")}).ok());
  KvOperation change;
  change.kind = OperationKind::kPolicy;
  change.policy = store.database().state().policy();
  change.policy->conflict_window_ms = 1;
  change.read_version = store.newest().value() - 1;
  change.read_keys.push_back({std::string(), "k"});
  const StateHash before = store.database().hash();
  ASSERT_EQ(store.run(change).code, OutcomeCode::kConflict);
  EXPECT_EQ(store.database().hash(), before);
  change.read_version = store.newest().value();
  change.steps.push_back(step_on(static_cast<StepKind>(200), "k"));
  ASSERT_EQ(store.run(change).code, OutcomeCode::kInvalidOperation);
  EXPECT_EQ(store.database().hash(), before);
  change.steps.clear();
  ASSERT_TRUE(store.run(change).ok());
  EXPECT_EQ(store.database().state().policy().conflict_window_ms, 1);
}

TEST(OperationEffects, AFirstPolicyThatIsRefusedLeavesTheStoreWithoutOne) {
  TransactionalKvDatabase database{DatabaseOptions()};
  KvServiceCore core(database);
  KvOperation first;
  first.kind = OperationKind::kPolicy;
  first.policy = Policy();
  first.policy->hash_seed = {'a'};
  first.steps.push_back(step_on(static_cast<StepKind>(200), "k"));
  ASSERT_EQ(core.execute(LogIndex(1), first).outcome.code, OutcomeCode::kInvalidOperation);
  first.steps.clear();
  first.policy->hash_seed = {'b'};
  EXPECT_TRUE(core.execute(LogIndex(2), first).outcome.ok());
}

TEST(OperationEffects, NoTwoStampsOfOneCommitAreEqual) {
  Store store;
  Step stamped = step_on(StepKind::kSetStampedKey, std::string(10, '\0'));
  KvOperation most = commit_of(std::vector<Step>(65'536, stamped));
  ASSERT_TRUE(store.run(most).ok());
  EXPECT_EQ(store.database().key_count(), 65'536U);
  most.steps.push_back(stamped);
  EXPECT_EQ(store.run(most).code, OutcomeCode::kLimitExceeded);
  EXPECT_EQ(store.database().key_count(), 65'536U);
}

}  // namespace
}  // namespace synod::core
