// SPDX-License-Identifier: Apache-2.0
#include <limits>
#include <thread>

#include "base/random.h"
#include "tests/suite/contract_test.h"
#include "tests/suite/model_store.h"

namespace synod::suite {
namespace {

SYNOD_CONTRACT(Conflicts);

api::ReadConflictRange range_of(const std::string& begin, const std::string& end,
                                const std::string& ns = "default") {
  api::ReadConflictRange range;
  range.__set_begin_key(begin);
  range.__set_end_key(end);
  range.__set_column_family(ns);
  return range;
}

api::ReadConflictKey key_of(const std::string& key, const std::string& ns) {
  api::ReadConflictKey made;
  made.__set_key(key);
  made.__set_column_family(ns);
  return made;
}

TEST_P(Conflicts, AKeyWrittenSinceTheReadVersionConflicts) {
  set(key("k"), "1");
  const std::int64_t version = read_version();
  set(key("k"), "2");
  const auto reply = commit(commit_request(version, {op_set(key("x"), "v")}, {key("k")}));
  EXPECT_FALSE(reply.success);
  EXPECT_EQ(reply.error_code, "CONFLICT");
  EXPECT_EQ(reply.detail_code, "READ");
  EXPECT_EQ(get(key("x")), std::nullopt);
}

TEST_P(Conflicts, AKeyWrittenAtTheReadVersionDoesNotConflict) {
  const std::int64_t version = set(key("k"), "1");
  EXPECT_TRUE(commit(commit_request(version, {op_set(key("x"), "v")}, {key("k")})).success);
  EXPECT_FALSE(commit(commit_request(version - 1, {op_set(key("x"), "v")}, {key("k")})).success);
}

TEST_P(Conflicts, ADeleteAndACreationConflictToo) {
  set(key("gone"), "1");
  const std::int64_t version = read_version();
  remove(key("gone"));
  set(key("new"), "1");
  for (const char* name : {"gone", "new"}) {
    const auto reply = commit(commit_request(version, {op_set(key("x"), "v")}, {key(name)}));
    EXPECT_EQ(reply.error_code, "CONFLICT") << name;
  }
}

TEST_P(Conflicts, ACommitWithoutOperationsIsCheckedToo) {
  const std::int64_t version = read_version();
  set(key("k"), "1");
  EXPECT_EQ(commit(commit_request(version, {}, {key("k")})).error_code, "CONFLICT");
}

TEST_P(Conflicts, BlindWritesNeverConflict) {
  const std::int64_t version = read_version();
  set(key("k"), "1");
  EXPECT_TRUE(commit(commit_request(version, {op_set(key("k"), "2")})).success);
  EXPECT_TRUE(commit(commit_request(version, {op_set(key("k"), "3")})).success);
}

// T-ZERO: a commit that read something must have read it at a version that exists.
TEST_P(Conflicts, AReadSetNeedsAVersionThatExists) {
  for (const std::int64_t version :
       {std::int64_t{0}, std::int64_t{-1}, std::numeric_limits<std::int64_t>::min(),
        read_version() + 1'000'000'000, std::numeric_limits<std::int64_t>::max()}) {
    const auto reply = commit(commit_request(version, {op_set(key("x"), "v")}, {key("k")}));
    EXPECT_EQ(reply.error_code, "CONFLICT") << version;
    EXPECT_EQ(reply.detail_code, "FUTURE") << version;
    EXPECT_EQ(get(key("x")), std::nullopt) << version;
    EXPECT_TRUE(commit(commit_request(version, {op_set(key("blind"), "v")})).success)
        << "blind at " << version;
  }
}

TEST_P(Conflicts, ARangeConflictsWithAnyWriteInsideOnly) {
  set(key("b"), "1");
  const auto attempt = [&](std::int64_t version) {
    auto request = commit_request(version, {op_set(key("x"), "v")});
    request.__set_read_conflict_ranges({range_of(key("b"), key("d"))});
    return commit(request).error_code;
  };
  std::int64_t version = read_version();
  set(key("a"), "outside");
  set(key("d"), "the end is outside");
  EXPECT_EQ(attempt(version), "");
  set(key("c"), "a phantom");
  EXPECT_EQ(attempt(version), "CONFLICT");
  version = read_version();
  EXPECT_EQ(attempt(version), "");
  remove(key("b"));
  EXPECT_EQ(attempt(version), "CONFLICT");
  version = read_version();
  remove(key("c"));
  set(key("c"), "deleted and written");
  EXPECT_EQ(attempt(version), "CONFLICT");
}

TEST_P(Conflicts, ARangeWithoutEndReachesTheLastKey) {
  const std::int64_t version = read_version();
  auto step = op_set("\xff\xff\xff", "v");
  step.__set_column_family(own_namespace());
  must_commit({step});
  auto request = commit_request(version, {op_set(key("x"), "v")});
  request.__set_read_conflict_ranges({range_of("a", "", own_namespace())});
  EXPECT_EQ(commit(request).error_code, "CONFLICT");
}

TEST_P(Conflicts, AnEmptyRangeNeverConflicts) {
  const std::int64_t version = read_version();
  set(key("b"), "v");
  auto request = commit_request(version, {op_set(key("x"), "v")});
  request.__set_read_conflict_ranges({range_of(key("c"), key("a")), range_of(key("b"), key("b"))});
  EXPECT_TRUE(commit(request).success);
}

TEST_P(Conflicts, AClearedRangeConflictsWithReadersOfItsKeys) {
  set(key("b"), "v");
  const std::int64_t version = read_version();
  auto step = op("CLEAR_RANGE", key("a"));
  step.__set_end_key(key("c"));
  must_commit({step});
  EXPECT_EQ(commit(commit_request(version, {op_set(key("x"), "v")}, {key("b")})).error_code,
            "CONFLICT");
}

TEST_P(Conflicts, KeysWithANamespaceAreCheckedThereOnly) {
  const std::int64_t version = read_version();
  auto step = op_set(key("k"), "v");
  step.__set_column_family(own_namespace());
  must_commit({step});
  auto request = commit_request(version, {op_set(key("x"), "v")});
  request.__set_read_conflicts({key_of(key("k"), "default")});
  EXPECT_TRUE(commit(request).success);
  request.__set_read_conflicts({key_of(key("k"), own_namespace())});
  EXPECT_EQ(commit(request).error_code, "CONFLICT");
}

TEST_P(Conflicts, KeysWithoutANamespaceAreCheckedEverywhere) {
  const std::int64_t version = read_version();
  auto step = op_set(key("k"), "v");
  step.__set_column_family(own_namespace());
  must_commit({step});
  EXPECT_EQ(commit(commit_request(version, {op_set(key("x"), "v")}, {key("k")})).error_code,
            "CONFLICT");
}

TEST_P(Conflicts, WriteSkewIsPrevented) {
  set(key("left"), "1");
  set(key("right"), "1");
  const std::int64_t version = read_version();
  const std::vector<std::string> both{key("left"), key("right")};
  EXPECT_TRUE(commit(commit_request(version, {op_set(key("left"), "0")}, both)).success);
  EXPECT_EQ(commit(commit_request(version, {op_set(key("right"), "0")}, both)).error_code,
            "CONFLICT");
}

TEST_P(Conflicts, TextsOfBinaryKeysAreReadable) {
  const std::string binary = key("\xff\xfe\n\x01");
  const std::int64_t version = read_version();
  set(binary, "v");
  // commit() expects ASCII in every text.
  EXPECT_EQ(commit(commit_request(version, {op_set(key("x"), "v")}, {binary})).error_code,
            "CONFLICT");
}

TEST_P(Conflicts, CountersOfManyClientsLoseNoUpdate) {
  constexpr int kClients = 4;
  constexpr int kAdditions = 40;
  const std::string counter = key("n");
  set(counter, "0");
  std::vector<std::thread> threads;
  const NodeEndpoint endpoint = cluster().endpoints().front();
  for (int client = 0; client < kClients; ++client) {
    threads.emplace_back([&] {
      Peer mine(endpoint);
      for (int done = 0; done < kAdditions;) {
        api::GetReadVersionResponse version;
        mine->getReadVersion(version, {});
        api::SnapshotGetRequest read;
        read.__set_key(counter);
        read.__set_read_version(version.read_version);
        api::SnapshotGetResponse value;
        mine->snapshotGet(value, read);
        const auto next = std::to_string(std::stoi(value.value) + 1);
        api::AtomicCommitResponse reply;
        mine->atomicCommit(
            reply, commit_request(version.read_version, {op_set(counter, next)}, {counter}));
        if (reply.success) ++done;
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(get(counter), std::to_string(kClients * kAdditions));
}

/// Runs the same random commits on the cluster and on the model, at read versions from the past.
TEST_P(Conflicts, VerdictsAgreeWithAModelOnRandomCommits) {
  base::Random random(4'711);
  ModelStore model([] { return std::int64_t{0}; });
  const std::string ns = own_namespace();
  const auto random_key = [&] { return "k" + std::to_string(random.below(12)); };
  std::vector<std::pair<std::int64_t, std::int64_t>> versions{{read_version(), model.version()}};
  for (int round = 0; round < 400; ++round) {
    api::AtomicCommitRequest request;
    for (std::uint64_t i = random.below(3); i > 0; --i) {
      auto step = random.chance(0.3) ? op("delete", random_key()) : op_set(random_key(), "v");
      if (random.chance(0.1)) {
        step = op("CLEAR_RANGE", random_key());
        step.__set_end_key(random_key());
      }
      step.__set_column_family(ns);
      request.operations.push_back(step);
    }
    std::vector<api::ReadConflictKey> keys;
    for (std::uint64_t i = random.below(3); i > 0; --i) keys.push_back(key_of(random_key(), ns));
    std::vector<api::ReadConflictRange> ranges;
    if (random.chance(0.4)) ranges.push_back(range_of(random_key(), random_key(), ns));
    request.__set_read_conflicts(keys);
    request.__set_read_conflict_ranges(ranges);
    const std::size_t recent = std::min<std::size_t>(versions.size(), 6);
    const auto& at = versions[versions.size() - 1 - random.below(recent)];
    request.__set_read_version(at.first);
    const auto real = commit(request);
    request.__set_read_version(at.second);
    const auto expected = model.commit(request);
    ASSERT_EQ(real.success, expected.success) << "round " << round << " " << real.error;
    ASSERT_EQ(real.detail_code, expected.detail_code) << "round " << round;
    if (real.success) versions.emplace_back(real.committed_version, expected.committed_version);
  }
}

}  // namespace
}  // namespace synod::suite
