// SPDX-License-Identifier: Apache-2.0
// What each operation means, on the real store and on the brute-force model alike.
#include "core/kv_service_core.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "core/transactional_kv_database.h"
#include "tests/core/model_database.h"

namespace synod::core {
namespace {

Step step_of(StepKind kind, std::string key, std::string value = {}) {
  Step step;
  step.kind = kind;
  step.key = std::move(key);
  step.value = std::move(value);
  return step;
}

Step set(std::string key, std::string value, std::int64_t ttl_ms = 0) {
  Step step = step_of(StepKind::kSet, std::move(key), std::move(value));
  step.ttl_ms = ttl_ms;
  return step;
}

Step erase(std::string key) { return step_of(StepKind::kDelete, std::move(key)); }

class Service : public testing::TestWithParam<bool> {
 protected:
  Service() {
    if (GetParam()) {
      database_ = std::make_unique<TransactionalKvDatabase>(DatabaseOptions());
    } else {
      database_ = std::make_unique<ModelDatabase>();
    }
    core_ = std::make_unique<KvServiceCore>(*database_);
    KvOperation policy;
    policy.kind = OperationKind::kPolicy;
    policy.policy = Policy();
    policy.policy->conflict_window_ms = 1'000;
    policy.policy->tokens_per_client = 4;
    EXPECT_TRUE(run(policy).ok());
  }

  Outcome run(KvOperation operation) {
    operation.stamp = TimeMs(now_);
    return core_->execute(LogIndex(++index_), operation).outcome;
  }
  Outcome commit(std::vector<Step> steps) {
    KvOperation operation;
    operation.steps = std::move(steps);
    return run(std::move(operation));
  }
  Outcome commit_reading(std::int64_t read_version, const std::string& key,
                         std::vector<Step> steps) {
    KvOperation operation;
    operation.read_version = read_version;
    operation.read_keys.push_back({std::string(), key});
    operation.steps = std::move(steps);
    return run(std::move(operation));
  }
  Outcome commit_ranging(std::int64_t read_version, const std::string& begin,
                         const std::string& end) {
    KvOperation operation;
    operation.read_version = read_version;
    operation.read_ranges.push_back({"", begin, end});
    return run(std::move(operation));
  }
  void tick(std::int64_t by_ms) {
    now_ += by_ms;
    KvOperation operation;
    operation.kind = OperationKind::kTick;
    EXPECT_TRUE(run(operation).ok());
  }
  std::optional<std::string> get(const std::string& key, std::optional<Version> at = std::nullopt,
                                 const std::string& ns = {}) {
    PointReadRequest request;
    request.key = key;
    request.at = at;
    request.ns = ns;
    const PointReadReply reply = core_->read(request);
    EXPECT_EQ(reply.code, OutcomeCode::kOk);
    if (!reply.found) return std::nullopt;
    return reply.value;
  }

  std::int64_t now_ = 10'000;
  std::uint64_t index_ = 0;
  std::unique_ptr<KvDatabase> database_;
  std::unique_ptr<KvServiceCore> core_;
};

INSTANTIATE_TEST_SUITE_P(Stores, Service, testing::Bool(),
                         [](const auto& store) { return store.param ? "Tables" : "Model"; });

TEST_P(Service, EveryCommitTakesTheNextVersionAndAnEmptyOneToo) {
  const Version first = commit({set("a", "1")}).version;
  EXPECT_EQ(commit({}).version, first.next());
  EXPECT_EQ(commit({set("a", "1"), set("b", "2"), erase("c")}).version, first.next().next());
}

TEST_P(Service, ARefusedOrConflictingOperationTakesNoVersion) {
  const Version first = commit({set("a", "1")}).version;
  EXPECT_EQ(commit_reading(first.value() - 1, "a", {}).code, OutcomeCode::kConflict);
  EXPECT_EQ(commit({step_of(static_cast<StepKind>(99), "k")}).code, OutcomeCode::kInvalidOperation);
  EXPECT_EQ(commit({}).version, first.next());
}

TEST_P(Service, AFailingStepLeavesNoTraceOfTheOthers) {
  const Outcome outcome = commit({set("a", "1"), step_of(StepKind::kSetStampedKey, "short")});
  EXPECT_EQ(outcome.code, OutcomeCode::kInvalidOperation);
  EXPECT_EQ(get("a"), std::nullopt);
}

TEST_P(Service, LaterStepsSeeEarlierOnesAndTheLastWriteWins) {
  Step add = step_of(StepKind::kIncrement, "n");
  add.number = 5;
  const Outcome outcome = commit({set("n", "10"), add, add, step_of(StepKind::kAppend, "n", "!")});
  ASSERT_TRUE(outcome.ok()) << outcome.message;
  EXPECT_EQ(outcome.results[2].number, 20);
  EXPECT_TRUE(outcome.results[1].existed);
  EXPECT_EQ(get("n"), "20!");
}

TEST_P(Service, IncrementRefusesWhatIsNoIntegerAndOverflow) {
  Step add = step_of(StepKind::kIncrement, "n");
  add.number = 1;
  ASSERT_TRUE(commit({set("n", "9223372036854775807")}).ok());
  EXPECT_EQ(commit({add}).code, OutcomeCode::kInvalidOperation);
  ASSERT_TRUE(commit({set("n", "12x")}).ok());
  EXPECT_EQ(commit({add}).code, OutcomeCode::kInvalidOperation);
  EXPECT_EQ(get("n"), "12x");
}

TEST_P(Service, ConflictsExactlyWithWritesAboveTheReadVersion) {
  const Version before = commit({set("k", "1")}).version;
  EXPECT_TRUE(commit_reading(before.value(), "k", {set("x", "1")}).ok());
  const Outcome conflict = commit_reading(before.value() - 1, "k", {set("x", "2")});
  EXPECT_EQ(conflict.code, OutcomeCode::kConflict);
  EXPECT_EQ(conflict.detail, ConflictDetail::kRead);
  EXPECT_EQ(get("x"), "1");
}

TEST_P(Service, ADeleteIsAWriteEvenOfAMissingKey) {
  const Version before = commit({}).version;
  ASSERT_TRUE(commit({erase("ghost")}).ok());
  EXPECT_EQ(commit_reading(before.value(), "ghost", {}).code, OutcomeCode::kConflict);
}

TEST_P(Service, BlindWritesNeverConflict) {
  ASSERT_TRUE(commit({set("k", "1")}).ok());
  KvOperation blind;
  blind.read_version = -5;
  blind.steps.push_back(set("k", "2"));
  EXPECT_TRUE(run(blind).ok());
}

TEST_P(Service, AReadSetAtAnImpossibleVersionIsAConflictOfTheFuture) {
  const Version newest = commit({set("k", "1")}).version;
  for (const std::int64_t version :
       {std::int64_t{0}, std::int64_t{-1}, newest.value() + 1, INT64_MAX, INT64_MIN}) {
    const Outcome outcome = commit_reading(version, "k", {set("k", "2")});
    EXPECT_EQ(outcome.code, OutcomeCode::kConflict) << version;
    EXPECT_EQ(outcome.detail, ConflictDetail::kFuture) << version;
  }
}

TEST_P(Service, AReadVersionBelowTheConflictFloorIsTooOld) {
  const Version old = commit({set("k", "1")}).version;
  ASSERT_TRUE(commit({set("k", "2")}).ok());
  tick(5'000);
  tick(1);
  EXPECT_EQ(commit_reading(old.value(), "other", {}).detail, ConflictDetail::kTooOld);
}

TEST_P(Service, RangesConflictWithInsertsDeletesAndNotWithNeighbours) {
  const Version before = commit({set("b", "1"), set("d", "1")}).version;
  ASSERT_TRUE(commit({set("e", "1")}).ok());
  EXPECT_TRUE(commit_ranging(before.value(), "b", "e").ok());
  EXPECT_EQ(commit_ranging(before.value(), "b", "").code, OutcomeCode::kConflict);
  ASSERT_TRUE(commit({set("c", "phantom")}).ok());
  EXPECT_EQ(commit_ranging(before.value(), "b", "e").code, OutcomeCode::kConflict);
  const Version later = commit({}).version;
  ASSERT_TRUE(commit({erase("d")}).ok());
  EXPECT_EQ(commit_ranging(later.value(), "d", "e").code, OutcomeCode::kConflict);
  EXPECT_TRUE(commit_ranging(later.value(), "d0", "e").ok());
}

TEST_P(Service, KeysWithoutANamespaceAreCheckedInEveryOne) {
  const Version before = commit({}).version;
  Step elsewhere = set("k", "v");
  elsewhere.ns = "other";
  ASSERT_TRUE(commit({elsewhere}).ok());
  EXPECT_TRUE(commit_reading(before.value(), "k", {}).ok());
  KvOperation old_client;
  old_client.read_version = before.value();
  old_client.read_keys.push_back({std::nullopt, "k"});
  EXPECT_EQ(run(old_client).code, OutcomeCode::kConflict);
}

TEST_P(Service, CheckVersionComparesTheVersionOfTheLastWrite) {
  Step check = step_of(StepKind::kCheckVersion, "k");
  check.number = 0;
  const Version created = commit({check, set("k", "1")}).version;
  EXPECT_EQ(commit({check, set("k", "2")}).detail, ConflictDetail::kCheck);
  check.number = created.value();
  EXPECT_TRUE(commit({check, set("k", "3")}).ok());
  EXPECT_EQ(get("k"), "3");
}

TEST_P(Service, StampsReplaceTheTailWithVersionAndOrder) {
  const std::string zeros(10, '\0');
  const Outcome outcome = commit({step_of(StepKind::kSetStampedKey, "p" + zeros, "1"),
                                  step_of(StepKind::kSetStampedValue, "k", "v" + zeros)});
  ASSERT_TRUE(outcome.ok());
  std::string stamp(8, '\0');
  base::store_be64(stamp.data(), static_cast<std::uint64_t>(outcome.version.value()));
  EXPECT_EQ(outcome.results[0].generated, "p" + stamp + std::string(2, '\0'));
  EXPECT_EQ(outcome.results[1].generated, "v" + stamp + std::string("\0\1", 2));
  EXPECT_EQ(get("p" + stamp + std::string(2, '\0')), "1");
}

TEST_P(Service, TheRpcFormOfAStampStoresAnyOtherTailVerbatim) {
  Step step = step_of(StepKind::kSetStampedValue, "k", "value_prefix_");
  step.flags = kStampOnlyZeroTail;
  EXPECT_EQ(commit({step}).results[0].generated, "value_prefix_");
  step.value = std::string(10, '\0');
  EXPECT_NE(commit({step}).results[0].generated, step.value);
}

TEST_P(Service, AKeyIsGoneOnceTheClockReachesItsExpiryAndNotBefore) {
  const Version written = commit({set("k", "v", 100)}).version;
  tick(99);
  EXPECT_EQ(get("k"), "v");
  tick(1);
  EXPECT_EQ(get("k"), std::nullopt);
  EXPECT_EQ(get("k", written), "v");
}

TEST_P(Service, AnExpiryConflictsLikeAWrite) {
  const Version read_at = commit({set("k", "v", 100)}).version;
  now_ += 50;
  EXPECT_TRUE(commit_reading(read_at.value(), "k", {}).ok());
  now_ += 60;
  EXPECT_EQ(commit_reading(read_at.value(), "k", {}).code, OutcomeCode::kConflict);
  EXPECT_EQ(commit_ranging(read_at.value(), "a", "z").code, OutcomeCode::kConflict);
  tick(1);
  const Version after = commit({}).version;
  EXPECT_TRUE(commit_reading(after.value(), "k", {}).ok());
}

TEST_P(Service, PersistAndExpireAndKeepExpiry) {
  ASSERT_TRUE(commit({set("k", "v", 100)}).ok());
  ASSERT_TRUE(commit({step_of(StepKind::kPersist, "k")}).ok());
  tick(1'000);
  EXPECT_EQ(get("k"), "v");
  Step expire = step_of(StepKind::kExpire, "k");
  expire.ttl_ms = 100;
  EXPECT_TRUE(commit({expire}).results[0].existed);
  Step keep = set("k", "w");
  keep.flags = kKeepExpiry;
  ASSERT_TRUE(commit({keep}).ok());
  tick(100);
  EXPECT_EQ(get("k"), std::nullopt);
  EXPECT_FALSE(commit({expire}).results[0].existed);
  expire.ttl_ms = 0;
  EXPECT_EQ(commit({expire}).code, OutcomeCode::kInvalidOperation);
}

TEST_P(Service, ClearRangeRemovesWhatIsThereAndWhatWasStaged) {
  ASSERT_TRUE(commit({set("a", "1"), set("b", "1"), set("c", "1")}).ok());
  Step clear = step_of(StepKind::kClearRange, "a");
  clear.end_key = "c";
  const Outcome outcome = commit({set("aa", "new"), clear, set("b", "again")});
  EXPECT_EQ(outcome.results[1].number, 3);
  EXPECT_EQ(get("a"), std::nullopt);
  EXPECT_EQ(get("aa"), std::nullopt);
  EXPECT_EQ(get("b"), "again");
  EXPECT_EQ(get("c"), "1");
}

TEST_P(Service, ClearingANamespaceConflictsAndLeavesHistoryReadable) {
  Step write = set("k", "v");
  write.ns = "n";
  const Version before = commit({write}).version;
  Step clear = step_of(StepKind::kClearNamespace, "");
  clear.ns = "n";
  ASSERT_TRUE(commit({clear}).ok());
  EXPECT_EQ(get("k", std::nullopt, "n"), std::nullopt);
  EXPECT_EQ(get("k", before, "n"), "v");
  KvOperation reader;
  reader.read_version = before.value();
  reader.read_keys.push_back({std::string("n"), "k"});
  EXPECT_EQ(run(reader).code, OutcomeCode::kConflict);
  EXPECT_EQ(commit({write, clear}).code, OutcomeCode::kInvalidOperation);
}

TEST_P(Service, ARepeatedTokenAnswersTheFirstResultAndRunsOnce) {
  Step add = step_of(StepKind::kIncrement, "n");
  add.number = 1;
  KvOperation operation;
  operation.read_version = commit({}).version.value();
  operation.token = ClientToken{{'c'}, 1};
  operation.steps.push_back(add);
  const Outcome first = run(operation);
  ASSERT_TRUE(first.ok());
  EXPECT_EQ(run(operation), first);
  EXPECT_EQ(get("n"), "1");
}

TEST_P(Service, ATokenBelowTheRememberedWindowIsForgottenNeverRun) {
  KvOperation operation;
  operation.read_version = commit({}).version.value();
  for (const std::int64_t sequence : {1, 3, 4, 5, 6}) {
    operation.token = ClientToken{{'c'}, sequence};
    ASSERT_TRUE(run(operation).ok());
  }
  operation.token->sequence = 1;
  EXPECT_EQ(run(operation).code, OutcomeCode::kOutcomeForgotten);
  operation.token->sequence = 2;
  EXPECT_EQ(run(operation).code, OutcomeCode::kOutcomeForgotten);
}

TEST_P(Service, AClientWhoseRowWasDroppedCannotRepeatAnOldCommit) {
  KvOperation operation;
  operation.read_version = commit({}).version.value();
  operation.token = ClientToken{{'c'}, 1};
  ASSERT_TRUE(run(operation).ok());
  tick(600'001);
  tick(1);
  EXPECT_EQ(run(operation).code, OutcomeCode::kOutcomeForgotten);
  operation.read_version = commit({}).version.value();
  EXPECT_TRUE(run(operation).ok());
}

TEST_P(Service, SnapshotsReadTheVersionTheyNameAndOddOnesReadWhatIsCurrent) {
  const Version first = commit({set("k", "1")}).version;
  const Version second = commit({set("k", "2")}).version;
  EXPECT_EQ(get("k", first), "1");
  EXPECT_EQ(get("k", second), "2");
  for (const std::int64_t odd : {std::int64_t{0}, std::int64_t{-7}, second.value() + 100}) {
    EXPECT_EQ(get("k", Version(odd)), "2") << odd;
  }
}

TEST_P(Service, RangeReadsSkipLimitAndStopAtTheByteBound) {
  std::vector<Step> steps;
  for (char c = 'a'; c <= 'j'; ++c) steps.push_back(set(std::string(1, c), std::string(10, c)));
  ASSERT_TRUE(commit(steps).ok());
  RangeReadRequest request;
  request.begin = "b";
  request.begin_inclusive = false;
  request.end = "i";
  request.end_inclusive = true;
  request.skip = 1;
  request.limit = 3;
  RangeReadReply reply = core_->read_range(request);
  ASSERT_EQ(reply.rows.size(), 3U);
  EXPECT_EQ(reply.rows[0].first, "d");
  EXPECT_TRUE(reply.has_more);
  request.limit = 6;
  reply = core_->read_range(request);
  EXPECT_EQ(reply.rows.size(), 6U);
  EXPECT_FALSE(reply.has_more);
  request.limit = 0;
  request.bytes_max = 25;
  reply = core_->read_range(request);
  EXPECT_EQ(reply.rows.size(), 2U);
  EXPECT_TRUE(reply.has_more);
}

TEST_P(Service, NamespacesAreBoundedInAllAndPerCommit) {
  std::vector<Step> steps;
  for (int i = 0; i < 257; ++i) {
    steps.push_back(set("k", "v"));
    steps.back().ns = "n" + std::to_string(i);
  }
  EXPECT_EQ(commit(steps).code, OutcomeCode::kLimitExceeded);
  steps.pop_back();
  ASSERT_TRUE(commit(steps).ok());
  KvOperation operation;
  operation.kind = OperationKind::kPolicy;
  operation.policy = database_->state().policy();
  operation.policy->namespaces_max = 258;
  ASSERT_TRUE(run(operation).ok());
  Step one = set("k", "v");
  one.ns = "last";
  ASSERT_TRUE(commit({one}).ok());
  one.ns = "one too many";
  EXPECT_EQ(commit({one}).code, OutcomeCode::kLimitExceeded);
  EXPECT_TRUE(commit({set("k", "v")}).ok());
}

TEST_P(Service, ConflictKeysWithoutANamespaceAreBoundedByTheNamespaces) {
  std::vector<Step> steps;
  for (int i = 0; i < 256; ++i) {
    steps.push_back(set("k", "v"));
    steps.back().ns = "n" + std::to_string(i);
  }
  KvOperation operation;
  operation.read_version = commit(steps).version.value();
  operation.read_keys.assign(3'892, {std::nullopt, "other"});
  EXPECT_EQ(run(operation).code, OutcomeCode::kLimitExceeded);
  operation.read_keys.pop_back();
  EXPECT_TRUE(run(operation).ok());
}

TEST_P(Service, ResumeJumpsVersionsAndForbidsComparingAcross) {
  const Version before = commit({set("k", "1")}).version;
  KvOperation resume;
  resume.kind = OperationKind::kResume;
  resume.resume_version = Version(1'000'000);
  EXPECT_EQ(run(resume).version, Version(1'000'001));
  EXPECT_EQ(commit_reading(before.value(), "k", {}).detail, ConflictDetail::kTooOld);
  EXPECT_TRUE(commit_reading(1'000'001, "k", {}).ok());
  resume.resume_version = before;
  EXPECT_EQ(run(resume).code, OutcomeCode::kInvalidOperation);
}

TEST_P(Service, APolicyKeepsItsHashSeedAndItsBounds) {
  KvOperation operation;
  operation.kind = OperationKind::kPolicy;
  operation.policy = database_->state().policy();
  operation.policy->hash_seed[0] ^= 1;
  EXPECT_EQ(run(operation).code, OutcomeCode::kInvalidOperation);
  operation.policy = database_->state().policy();
  operation.policy->marks_max = 1;
  EXPECT_EQ(run(operation).code, OutcomeCode::kInvalidOperation);
  operation.policy->marks_max = 10;
  EXPECT_TRUE(run(operation).ok());
}

}  // namespace
}  // namespace synod::core
