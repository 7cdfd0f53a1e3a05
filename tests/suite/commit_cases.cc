// SPDX-License-Identifier: Apache-2.0
#include "tests/suite/contract_test.h"

namespace synod::suite {
namespace {

SYNOD_CONTRACT(Commits);

TEST_P(Commits, ApplyAllOperationsAtOneVersion) {
  set(key("gone"), "v");
  const std::int64_t before = read_version();
  const std::int64_t version =
      must_commit({op_set(key("a"), "1"), op_set(key("b"), "2"), op("delete", key("gone"))});
  EXPECT_GT(version, before);
  EXPECT_GE(read_version(), version);
  EXPECT_EQ(get(key("a")), "1");
  EXPECT_EQ(get(key("b")), "2");
  EXPECT_EQ(get(key("gone")), std::nullopt);
  EXPECT_EQ(get_at(key("a"), version - 1), std::nullopt);
  EXPECT_EQ(get_at(key("gone"), version - 1), "v");
  EXPECT_EQ(get_at(key("b"), version), "2");
}

TEST_P(Commits, RunOperationsInOrder) {
  must_commit({op_set(key("k"), "1"), op("delete", key("k")), op_set(key("k"), "2")});
  EXPECT_EQ(get(key("k")), "2");
  must_commit({op_set(key("k"), "3"), op("delete", key("k"))});
  EXPECT_EQ(get(key("k")), std::nullopt);
}

TEST_P(Commits, WithoutOperationsTakeAVersion) {
  const std::int64_t before = read_version();
  EXPECT_GT(must_commit({}), before);
}

TEST_P(Commits, ReturnOneResultForEachOperation) {
  set(key("there"), "v");
  const auto reply =
      commit(commit_request(read_version(), {op_set(key("there"), "w"), op_set(key("new"), "w"),
                                             op("delete", key("x"))}));
  ASSERT_EQ(reply.results.size(), 3u);
  EXPECT_TRUE(reply.results[0].existed);
  EXPECT_FALSE(reply.results[1].existed);
  EXPECT_FALSE(reply.results[2].existed);
}

TEST_P(Commits, AValueOnADeleteIsIgnored) {
  set(key("k"), "v");
  must_commit({op("delete", key("k"), "ignored")});
  EXPECT_EQ(get(key("k")), std::nullopt);
}

TEST_P(Commits, AnUnknownTypeAppliesNothing) {
  for (const char* type :
       {"frobnicate", "", "SET", "Set", "DELETE", "set ", "set_versionstamped_key", "increment"}) {
    const auto reply = commit(commit_request(
        read_version(), {op_set(key("k"), "v"), op(type, key("l"), "1"), op_set(key("m"), "v")}));
    EXPECT_FALSE(reply.success) << type;
    EXPECT_EQ(reply.error_code, "INVALID_OPERATION") << type;
    EXPECT_EQ(get(key("k")), std::nullopt) << type;
    EXPECT_EQ(get(key("m")), std::nullopt) << type;
  }
  const auto reply = commit(commit_request(read_version(), {op("frobnicate", key("l"))}));
  EXPECT_EQ(reply.error, "Unknown operation type: frobnicate");
}

TEST_P(Commits, AnUnknownTypeOfAnyBytesGivesAReadableText) {
  const auto reply = commit(commit_request(read_version(), {op("\xff\n\x01", key("l"))}));
  EXPECT_EQ(reply.error_code, "INVALID_OPERATION");
}

TEST_P(Commits, ASetNeedsAValue) {
  const auto reply =
      commit(commit_request(read_version(), {op_set(key("k"), "v"), op("set", key("l"))}));
  EXPECT_EQ(reply.error_code, "INVALID_OPERATION");
  EXPECT_EQ(reply.error, "Set operation missing value");
  EXPECT_EQ(get(key("k")), std::nullopt);
}

TEST_P(Commits, AStampNeedsTenBytesAndAValue) {
  const struct {
    api::Operation step;
    const char* text;
  } rows[] = {
      {op("SET_VERSIONSTAMPED_KEY", "123456789", "v"),
       "Versionstamped key error: Buffer must be at least 10 bytes for versionstamp"},
      {op("SET_VERSIONSTAMPED_VALUE", key("k"), "123456789"),
       "Versionstamped value error: Buffer must be at least 10 bytes for versionstamp"},
      {op("SET_VERSIONSTAMPED_KEY", "1234567890"), "Versionstamped key operation missing value"},
      {op("SET_VERSIONSTAMPED_VALUE", key("k")),
       "Versionstamped value operation missing value prefix"},
  };
  for (const auto& row : rows) {
    const auto reply = commit(commit_request(read_version(), {op_set(key("j"), "v"), row.step}));
    EXPECT_EQ(reply.error_code, "INVALID_OPERATION");
    EXPECT_EQ(reply.error, row.text);
    EXPECT_EQ(get(key("j")), std::nullopt);
  }
}

TEST_P(Commits, AnEmptyKeyIsAccepted) {
  auto step = op_set("", "v");
  step.__set_column_family(own_namespace());
  must_commit({step});
}

TEST_P(Commits, AnyTimeoutIsAccepted) {
  for (const std::int64_t seconds : {60, 1, 100'000}) {
    auto request = commit_request(read_version(), {op_set(key("k"), "v")});
    request.__set_timeout_seconds(seconds);
    EXPECT_TRUE(commit(request).success) << seconds;
  }
}

TEST_P(Commits, OfManyOperationsAreAtomicToo) {
  std::vector<api::Operation> steps;
  for (int i = 0; i < 2'000; ++i) steps.push_back(op_set(key(std::to_string(i)), "v"));
  const std::int64_t version = must_commit(steps);
  for (const int i : {0, 1'000, 1'999}) {
    EXPECT_EQ(get_at(key(std::to_string(i)), version), "v");
    EXPECT_EQ(get_at(key(std::to_string(i)), version - 1), std::nullopt);
  }
}

TEST_P(Commits, IncrementCountsFromZeroAndReturnsTheSum) {
  const auto reply = commit(commit_request(
      read_version(), {op("INCREMENT", key("n"), "5"), op("INCREMENT", key("n"), "-7")}));
  ASSERT_EQ(reply.results.size(), 2u);
  EXPECT_EQ(reply.results[0].number, 5);
  EXPECT_EQ(reply.results[1].number, -2);
  EXPECT_EQ(get(key("n")), "-2");
}

TEST_P(Commits, IncrementOfWhatIsNoNumberAppliesNothing) {
  set(key("text"), "abc");
  set(key("max"), "9223372036854775807");
  for (const auto& step : {op("INCREMENT", key("text"), "1"), op("INCREMENT", key("max"), "1"),
                           op("INCREMENT", key("n")), op("INCREMENT", key("n"), "one"),
                           op("INCREMENT", key("n"), "")}) {
    const auto reply = commit(commit_request(read_version(), {op_set(key("k"), "v"), step}));
    EXPECT_EQ(reply.error_code, "INVALID_OPERATION") << step.value;
    EXPECT_EQ(get(key("k")), std::nullopt);
  }
  EXPECT_EQ(get(key("max")), "9223372036854775807");
}

TEST_P(Commits, AppendAddsToTheEnd) {
  const auto reply = commit(
      commit_request(read_version(), {op("APPEND", key("k"), "ab"), op("APPEND", key("k"), "c")}));
  ASSERT_EQ(reply.results.size(), 2u);
  EXPECT_EQ(reply.results[0].number, 2);
  EXPECT_EQ(reply.results[1].number, 3);
  EXPECT_EQ(get(key("k")), "abc");
}

TEST_P(Commits, ClearRangeRemovesTheHalfOpenRange) {
  for (const char* suffix : {"a", "b", "c", "d"}) set(key(suffix), "v");
  auto step = op("CLEAR_RANGE", key("b"));
  step.__set_end_key(key("d"));
  const auto reply =
      commit(commit_request(read_version(), {op_set(key("bb"), "written before"), step,
                                             op_set(key("c"), "written after")}));
  ASSERT_TRUE(reply.success) << reply.error;
  ASSERT_EQ(reply.results.size(), 3u);
  EXPECT_EQ(reply.results[1].number, 3);
  EXPECT_EQ(get(key("a")), "v");
  EXPECT_EQ(get(key("b")), std::nullopt);
  EXPECT_EQ(get(key("bb")), std::nullopt);
  EXPECT_EQ(get(key("c")), "written after");
  EXPECT_EQ(get(key("d")), "v");
}

TEST_P(Commits, AVersionCheckGuardsACommit) {
  const std::int64_t version = set(key("k"), "1");
  const auto guarded = [&](std::int64_t expected, const std::string& value) {
    auto check = op("CHECK_VERSION", key("k"));
    check.__set_expected_version(expected);
    return commit(commit_request(read_version(), {check, op_set(key("k"), value)}));
  };
  EXPECT_EQ(guarded(version - 1, "no").error_code, "CONFLICT");
  EXPECT_EQ(guarded(0, "no").detail_code, "CHECK");
  EXPECT_EQ(get(key("k")), "1");
  EXPECT_TRUE(guarded(version, "2").success);
  EXPECT_EQ(guarded(version, "no").error_code, "CONFLICT");
  EXPECT_EQ(get(key("k")), "2");
}

TEST_P(Commits, AVersionCheckForZeroMeansMissing) {
  const auto create = [&] {
    auto check = op("CHECK_VERSION", key("k"));
    check.__set_expected_version(0);
    return commit(commit_request(read_version(), {check, op_set(key("k"), "v")}));
  };
  EXPECT_TRUE(create().success);
  EXPECT_EQ(create().error_code, "CONFLICT");
  remove(key("k"));
  EXPECT_TRUE(create().success) << "a deleted key is missing";
}

TEST_P(Commits, UnknownFlagsAreRefused) {
  auto step = op_set(key("k"), "v");
  step.__set_flags(1 << 20);
  EXPECT_EQ(commit(commit_request(read_version(), {step})).error_code, "INVALID_OPERATION");
  EXPECT_EQ(get(key("k")), std::nullopt);
}

}  // namespace
}  // namespace synod::suite
