// SPDX-License-Identifier: Apache-2.0
#include "server/thrift/unified_thrift_handler.h"

#include <gtest/gtest.h>

#include <limits>

#include "tests/server_thrift/catching_route.h"
#include "tests/server_thrift/fake_connection.h"
#include "tests/server_thrift/fake_router.h"

namespace synod::server {
namespace {

using std::string_literals::operator""s;
using core::OutcomeCode;
using core::StepKind;

class UnifiedThriftHandlerTest : public testing::Test {
 protected:
  /// The response a method gives at once.
  template <class Response, class Request>
  Response call(void (UnifiedThriftHandler::*method)(Reply<Response>, Request&), Request request) {
    const auto route = std::make_shared<CatchingRoute<Response>>();
    (handler_.*method)(route->expect(), request);
    EXPECT_EQ(route->replies, 1);
    return route->last;
  }
  api::GetResponse get(const std::string& key, const std::string& ns = "") {
    api::GetRequest request;
    request.__set_key(key);
    if (!ns.empty()) request.__set_column_family(ns);
    return call(&UnifiedThriftHandler::get, request);
  }
  api::SetResponse set(const std::string& key, const std::string& value) {
    api::SetRequest request;
    request.__set_key(key);
    request.__set_value(value);
    return call(&UnifiedThriftHandler::setKey, request);
  }
  api::AtomicCommitResponse commit(const std::vector<api::Operation>& operations) {
    api::AtomicCommitRequest request;
    request.__set_operations(operations);
    return call(&UnifiedThriftHandler::atomicCommit, request);
  }
  core::Outcome failed(OutcomeCode code, const std::string& message) {
    core::Outcome out;
    out.code = code;
    out.message = message;
    return out;
  }

  FakeRouter router_;
  FakeDispatcher dispatcher_;
  std::shared_ptr<FaultInjector> faults_ = std::make_shared<FaultInjector>(1);
  UnifiedThriftHandler handler_{{0, 64U << 20}, router_, dispatcher_, faults_};
};

api::Operation operation(const std::string& type, const std::string& key) {
  api::Operation out;
  out.__set_type(type);
  out.__set_key(key);
  return out;
}
api::Operation operation(const std::string& type, const std::string& key,
                         const std::string& value) {
  api::Operation out = operation(type, key);
  out.__set_value(value);
  return out;
}

constexpr const char* kEmptyKey =
    "Database error: Read operation failed: Database error: key cannot be empty";

// ---- point operations

TEST_F(UnifiedThriftHandlerTest, FindsWhatWasSet) {
  const auto set_reply = set("k\0\xff"s, "v\0"s);
  EXPECT_TRUE(set_reply.success);
  EXPECT_FALSE(set_reply.__isset.error || set_reply.__isset.error_code);
  EXPECT_EQ(set_reply.committed_version, 42);
  const auto reply = get("k\0\xff"s);
  EXPECT_TRUE(reply.found);
  EXPECT_EQ(reply.value, "v\0"s);
  EXPECT_FALSE(reply.__isset.error || reply.__isset.error_code);
}

TEST_F(UnifiedThriftHandlerTest, CallsAMissingKeyNoError) {
  const auto reply = get("missing");
  EXPECT_FALSE(reply.found || reply.__isset.error || reply.__isset.error_code);
  EXPECT_EQ(reply.value, "");
}

TEST_F(UnifiedThriftHandlerTest, FindsEmptyValues) {
  ASSERT_TRUE(set("k", "").success);
  EXPECT_TRUE(get("k").found);
}

TEST_F(UnifiedThriftHandlerTest, RefusesToReadAnEmptyKey) {
  EXPECT_EQ(get("").error, kEmptyKey);
  EXPECT_FALSE(get("").found);
  EXPECT_EQ(call(&UnifiedThriftHandler::snapshotGet, api::SnapshotGetRequest()).error, kEmptyKey);
  EXPECT_EQ(call(&UnifiedThriftHandler::snapshotRead, api::SnapshotReadRequest()).error, kEmptyKey);
  EXPECT_TRUE(router_.trace.empty());
}

TEST_F(UnifiedThriftHandlerTest, WritesAnEmptyKey) {
  EXPECT_TRUE(set("", "v").success);
  EXPECT_TRUE(call(&UnifiedThriftHandler::deleteKey, api::DeleteRequest()).success);
  EXPECT_TRUE(commit({operation("set", "", "v")}).success);
}

TEST_F(UnifiedThriftHandlerTest, DeletesIdempotently) {
  api::DeleteRequest request;
  request.__set_key("never there");
  const auto reply = call(&UnifiedThriftHandler::deleteKey, request);
  EXPECT_TRUE(reply.success);
  EXPECT_EQ(reply.committed_version, 42);
  EXPECT_FALSE(reply.__isset.error || reply.__isset.error_code);
}

TEST_F(UnifiedThriftHandlerTest, NamesTheNamespaceThatSnapshotReadsMiss) {
  api::SnapshotGetRequest request;
  request.__set_key("k");
  request.__set_column_family("caf\xc3\xa9\xff");
  const auto reply = call(&UnifiedThriftHandler::snapshotGet, request);
  EXPECT_EQ(reply.error,
            "Database error: Read operation failed: Database error: Column family "
            "'caf\\xc3\\xa9\\xff' not found");
  EXPECT_EQ(reply.error_code, "UNKNOWN_NAMESPACE");
  EXPECT_FALSE(reply.found);
  request.__set_column_family("default");
  EXPECT_FALSE(call(&UnifiedThriftHandler::snapshotGet, request).__isset.error);
  EXPECT_FALSE(get("k", "never written").__isset.error);
}

TEST_F(UnifiedThriftHandlerTest, ReadsSnapshotsAtPositiveVersionsOnly) {
  api::SnapshotReadRequest request;
  request.__set_key("k");
  for (const std::int64_t version :
       {std::int64_t{0}, std::int64_t{-1}, std::numeric_limits<std::int64_t>::min()}) {
    request.__set_read_version(version);
    (void)call(&UnifiedThriftHandler::snapshotRead, request);
    EXPECT_FALSE(router_.last_read.at.has_value());
  }
  request.__set_read_version(7);
  (void)call(&UnifiedThriftHandler::snapshotRead, request);
  EXPECT_EQ(router_.last_read.at, core::Version(7));
  EXPECT_TRUE(router_.last_read.namespace_must_exist);
  (void)get("k");
  EXPECT_FALSE(router_.last_read.at.has_value() || router_.last_read.namespace_must_exist);
}

TEST_F(UnifiedThriftHandlerTest, ReportsFailedReads) {
  router_.next_read = core::PointReadReply{};
  router_.next_read->code = OutcomeCode::kTooOld;
  router_.next_read->message = "version 3 is below the snapshot floor";
  const auto reply = get("k");
  EXPECT_EQ(reply.error_code, "TOO_OLD");
  EXPECT_NE(reply.error.find("below the snapshot floor"), std::string::npos);
  EXPECT_FALSE(reply.found);
}

TEST_F(UnifiedThriftHandlerTest, ReportsFailedWrites) {
  router_.next_outcome = failed(OutcomeCode::kNoSpace, "disk reserve");
  const auto reply = set("k", "v");
  EXPECT_FALSE(reply.success || reply.__isset.committed_version);
  EXPECT_EQ(reply.error, "put failed: disk reserve");
  EXPECT_EQ(reply.error_code, "NO_SPACE");
  EXPECT_EQ(call(&UnifiedThriftHandler::deleteKey, api::DeleteRequest()).error,
            "delete failed: disk reserve");
  router_.next_outcome =
      failed(OutcomeCode::kNotLeader, "Not leader, try leader at: 127.0.0.1:9091 (node 1)");
  EXPECT_EQ(set("k", "v").error, "Not leader, try leader at: 127.0.0.1:9091 (node 1)");
  EXPECT_EQ(commit({}).error, "Not leader, try leader at: 127.0.0.1:9091 (node 1)");
}

TEST_F(UnifiedThriftHandlerTest, PassesTimeToLiveOn) {
  api::SetRequest request;
  request.__set_key("k");
  request.__set_value("v");
  request.__set_ttl_ms(1500);
  request.__set_column_family("ns");
  ASSERT_TRUE(call(&UnifiedThriftHandler::setKey, request).success);
  EXPECT_EQ(router_.last_operation.steps[0].ttl_ms, 1500);
  EXPECT_EQ(router_.last_operation.steps[0].ns, "ns");
  request.__set_ttl_ms(-1);
  EXPECT_EQ(call(&UnifiedThriftHandler::setKey, request).error_code, "INVALID_OPERATION");
}

TEST_F(UnifiedThriftHandlerTest, AnswersTheReadVersion) {
  const auto reply = call(&UnifiedThriftHandler::getReadVersion, api::GetReadVersionRequest());
  EXPECT_TRUE(reply.success);
  EXPECT_EQ(reply.read_version, 41);
  EXPECT_FALSE(reply.__isset.error);
  router_.next_version = core::VersionReply{OutcomeCode::kNoQuorum, "no majority", {}};
  const auto failure = call(&UnifiedThriftHandler::getReadVersion, api::GetReadVersionRequest());
  EXPECT_FALSE(failure.success);
  EXPECT_EQ(failure.error_code, "NO_QUORUM");
}

// ---- ranges

TEST_F(UnifiedThriftHandlerTest, FillsTheDefaultsOfARange) {
  const auto reply = call(&UnifiedThriftHandler::getRange, api::GetRangeRequest());
  EXPECT_TRUE(reply.success);
  EXPECT_FALSE(reply.has_more || reply.__isset.error);
  const auto& range = router_.last_range;
  EXPECT_EQ(range.begin, "");
  EXPECT_EQ(range.end, "\xff");
  EXPECT_TRUE(range.begin_inclusive);
  EXPECT_FALSE(range.end_inclusive);
  EXPECT_EQ(range.skip, 0U);
  EXPECT_EQ(range.limit, 1000U);
  EXPECT_FALSE(range.at.has_value() || range.namespace_must_exist);
}

TEST_F(UnifiedThriftHandlerTest, TellsAnEmptyEndFromNone) {
  set("a", "1");
  api::GetRangeRequest request;
  request.__set_end_key("");
  EXPECT_TRUE(call(&UnifiedThriftHandler::getRange, request).key_values.empty());
  EXPECT_EQ(router_.last_range.end, "");
  request.__set_end_offset(1);
  (void)call(&UnifiedThriftHandler::getRange, request);
  EXPECT_EQ(router_.last_range.end, "\x01");
}

TEST_F(UnifiedThriftHandlerTest, TreatsNegativeNumbersOfARangeAsOldServersDid) {
  api::GetRangeRequest request;
  request.__set_begin_offset(std::numeric_limits<std::int32_t>::min());
  request.__set_end_offset(std::numeric_limits<std::int32_t>::min());
  for (const std::int32_t limit : {0, -10, std::numeric_limits<std::int32_t>::min()}) {
    request.__set_limit(limit);
    EXPECT_TRUE(call(&UnifiedThriftHandler::getRange, request).success);
    EXPECT_EQ(router_.last_range.limit, 0U);
    EXPECT_EQ(router_.last_range.skip, 0U);
    EXPECT_EQ(router_.last_range.end, "");
  }
}

TEST_F(UnifiedThriftHandlerTest, ReturnsRowsInOrderAndSaysWhetherThereAreMore) {
  for (int i = 1; i <= 5; ++i) set("endoff00" + std::to_string(i), std::to_string(i));
  api::GetRangeRequest request;
  request.__set_begin_key("endoff001");
  request.__set_end_key("endoff005");
  request.__set_end_offset(-1);
  auto reply = call(&UnifiedThriftHandler::getRange, request);
  ASSERT_EQ(reply.key_values.size(), 3U);
  EXPECT_EQ(reply.key_values[2].key, "endoff003");
  EXPECT_EQ(reply.key_values[2].value, "3");
  request.__set_end_offset(0);
  request.__set_end_or_equal(true);
  request.__set_begin_or_equal(false);
  request.__set_begin_offset(1);
  request.__set_limit(2);
  reply = call(&UnifiedThriftHandler::getRange, request);
  ASSERT_EQ(reply.key_values.size(), 2U);
  EXPECT_EQ(reply.key_values[0].key, "endoff003");
  EXPECT_TRUE(reply.has_more);
}

TEST_F(UnifiedThriftHandlerTest, ReadsSnapshotRangesAtTheirVersion) {
  api::SnapshotGetRangeRequest request;
  request.__set_read_version(9);
  request.__set_limit(3);
  request.__set_column_family("ns");
  EXPECT_TRUE(call(&UnifiedThriftHandler::snapshotGetRange, request).success);
  EXPECT_EQ(router_.last_range.at, core::Version(9));
  EXPECT_EQ(router_.last_range.limit, 3U);
  EXPECT_EQ(router_.last_range.ns, "ns");
  request.__set_read_version(-5);
  (void)call(&UnifiedThriftHandler::snapshotGetRange, request);
  EXPECT_FALSE(router_.last_range.at.has_value());
}

TEST_F(UnifiedThriftHandlerTest, ReportsFailedRanges) {
  router_.next_range = core::RangeReadReply{};
  router_.next_range->code = OutcomeCode::kBusy;
  router_.next_range->message = "scan queue is full";
  router_.next_range->has_more = true;
  const auto reply = call(&UnifiedThriftHandler::getRange, api::GetRangeRequest());
  EXPECT_FALSE(reply.success || reply.has_more);
  EXPECT_TRUE(reply.key_values.empty());
  EXPECT_EQ(reply.error_code, "BUSY");
}

// ---- commits

TEST_F(UnifiedThriftHandlerTest, CommitsAnEmptyList) {
  const auto reply = commit({});
  EXPECT_TRUE(reply.success);
  EXPECT_EQ(reply.committed_version, 42);
  EXPECT_FALSE(reply.__isset.error || reply.__isset.error_code || reply.__isset.detail_code);
}

TEST_F(UnifiedThriftHandlerTest, TranslatesEveryTypeOfOperation) {
  auto check = operation("CHECK_VERSION", "c");
  check.__set_expected_version(17);
  auto expire = operation("EXPIRE", "e");
  expire.__set_ttl_ms(250);
  auto clear = operation("CLEAR_RANGE", "f");
  clear.__set_end_key("g");
  auto keep = operation("set", "k", "v");
  keep.__set_flags(2);
  const auto reply = commit({operation("set", "a", "1"), operation("delete", "b", "ignored"), check,
                             operation("INCREMENT", "n", "-12"), operation("APPEND", "p", "more"),
                             expire, operation("PERSIST", "q"), clear, keep});
  EXPECT_TRUE(reply.success) << reply.error;
  const auto& steps = router_.last_operation.steps;
  ASSERT_EQ(steps.size(), 9U);
  const StepKind kinds[] = {StepKind::kSet,       StepKind::kDelete,     StepKind::kCheckVersion,
                            StepKind::kIncrement, StepKind::kAppend,     StepKind::kExpire,
                            StepKind::kPersist,   StepKind::kClearRange, StepKind::kSet};
  for (std::size_t i = 0; i < steps.size(); ++i) EXPECT_EQ(steps[i].kind, kinds[i]) << i;
  EXPECT_EQ(steps[1].value, "");
  EXPECT_EQ(steps[2].number, 17);
  EXPECT_EQ(steps[3].number, -12);
  EXPECT_EQ(steps[4].value, "more");
  EXPECT_EQ(steps[5].ttl_ms, 250);
  EXPECT_EQ(steps[7].end_key, "g");
  EXPECT_EQ(steps[8].flags, core::kKeepExpiry);
  ASSERT_EQ(reply.results.size(), 9U);
  EXPECT_TRUE(reply.results[3].__isset.number);
  EXPECT_FALSE(reply.results[0].__isset.number || reply.results[0].__isset.generated);
}

TEST_F(UnifiedThriftHandlerTest, RefusesOperationsThatAreNone) {
  auto expire = operation("EXPIRE", "k");
  auto negative = operation("set", "k", "v");
  negative.__set_ttl_ms(-1);
  const std::pair<api::Operation, std::string> table[] = {
      {operation("SET", "k", "v"), "Unknown operation type: SET"},
      {operation("\xff", "k", "v"), "Unknown operation type: \\xff"},
      {operation("set", "k"), "Set operation missing value"},
      {operation("SET_VERSIONSTAMPED_KEY", std::string(10, '\0')),
       "Versionstamped key operation missing value"},
      {operation("SET_VERSIONSTAMPED_VALUE", "k"),
       "Versionstamped value operation missing value prefix"},
      {operation("SET_VERSIONSTAMPED_KEY", "nine byte", "v"),
       "Versionstamped key error: Buffer must be at least 10 bytes for versionstamp"},
      {operation("SET_VERSIONSTAMPED_VALUE", "k", "nine byte"),
       "Versionstamped value error: Buffer must be at least 10 bytes for versionstamp"},
      {operation("CHECK_VERSION", "k"), "Check version operation missing expected_version"},
      {operation("INCREMENT", "k"), "Increment operation needs a 64-bit decimal number as value"},
      {operation("INCREMENT", "k", "1x"),
       "Increment operation needs a 64-bit decimal number as value"},
      {operation("INCREMENT", "k", "9223372036854775808"),
       "Increment operation needs a 64-bit decimal number as value"},
      {operation("APPEND", "k"), "Append operation missing value"},
      {expire, "ttl_ms is 0"},
      {negative, "ttl_ms is -1"},
  };
  for (const auto& [bad, text] : table) {
    const auto reply = commit({operation("set", "applied?", "v"), bad});
    EXPECT_FALSE(reply.success || reply.__isset.committed_version);
    EXPECT_EQ(reply.error, text);
    EXPECT_EQ(reply.error_code, "INVALID_OPERATION");
  }
  EXPECT_TRUE(router_.trace.empty());
}

TEST_F(UnifiedThriftHandlerTest, TranslatesWhatACommitHasRead) {
  api::AtomicCommitRequest request;
  request.__set_read_version(40);
  request.__set_read_conflict_keys({"old"});
  api::ReadConflictKey key;
  key.__set_key("new");
  key.__set_column_family("ns");
  request.__set_read_conflicts({key});
  api::ReadConflictRange range;
  range.__set_begin_key("a");
  range.__set_end_key("b");
  request.__set_read_conflict_ranges({range});
  request.__set_client_id("0123456789abcdef");
  request.__set_sequence(3);
  ASSERT_TRUE(call(&UnifiedThriftHandler::atomicCommit, request).success);
  const auto& last = router_.last_operation;
  EXPECT_EQ(last.read_version, 40);
  ASSERT_EQ(last.read_keys.size(), 2U);
  EXPECT_EQ(last.read_keys[0].ns, std::nullopt);
  EXPECT_EQ(last.read_keys[1].ns, "ns");
  ASSERT_EQ(last.read_ranges.size(), 1U);
  EXPECT_EQ(last.read_ranges[0].end, "b");
  ASSERT_TRUE(last.token.has_value());
  EXPECT_EQ(last.token->sequence, 3);
  EXPECT_TRUE(router_.last_context.deadline.has_value());
  request.__set_client_id("too short");
  EXPECT_EQ(call(&UnifiedThriftHandler::atomicCommit, request).error_code, "INVALID_OPERATION");
}

TEST_F(UnifiedThriftHandlerTest, WordsFailedCommits) {
  const auto reply_to = [&](OutcomeCode code, const std::string& message) {
    router_.next_outcome = failed(code, message);
    return commit({operation("set", "k", "v")});
  };
  EXPECT_EQ(reply_to(OutcomeCode::kConflict, "").error, "Transaction conflict");
  EXPECT_EQ(reply_to(OutcomeCode::kTimeout, "late").error, "Transaction timed out");
  EXPECT_EQ(reply_to(OutcomeCode::kTimeout, "late").error_code, "TIMEOUT");
  EXPECT_EQ(reply_to(OutcomeCode::kOutcomeUnknown, "lost").error, "Commit failed: lost");
  EXPECT_EQ(reply_to(OutcomeCode::kOutcomeUnknown, "lost").error_code, "OUTCOME_UNKNOWN");
  router_.next_outcome = failed(OutcomeCode::kConflict, "key a changed");
  router_.next_outcome->detail = core::ConflictDetail::kRead;
  router_.next_outcome->retry_after_ms = 20;
  const auto reply = commit({});
  EXPECT_EQ(reply.error, "Transaction conflict: key a changed");
  EXPECT_EQ(reply.error_code, "CONFLICT");
  EXPECT_EQ(reply.detail_code, "READ");
  EXPECT_EQ(reply.retry_after_ms, 20);
  EXPECT_FALSE(reply.__isset.committed_version || reply.__isset.results);
}

// ---- versionstamps

TEST_F(UnifiedThriftHandlerTest, StampsCommittedBuffersInOrder) {
  const std::string zeros(10, '\0');
  const auto reply = commit({operation("SET_VERSIONSTAMPED_KEY", "user_score_" + zeros, "v"),
                             operation("SET_VERSIONSTAMPED_VALUE", "k", "0123456789")});
  ASSERT_TRUE(reply.success);
  EXPECT_EQ(router_.last_operation.steps[0].flags, 0U);
  ASSERT_EQ(reply.results.size(), 2U);
  std::string stamp(10, '\0');
  base::store_be64(stamp.data(), static_cast<std::uint64_t>(reply.committed_version));
  EXPECT_EQ(reply.results[0].generated, "user_score_" + stamp);
  stamp[9] = 1;
  EXPECT_EQ(reply.results[1].generated, stamp);
}

TEST_F(UnifiedThriftHandlerTest, StampsSingleWritesOnlyOverZeros) {
  const std::string zeros(10, '\0');
  api::SetVersionstampedKeyRequest key;
  key.__set_key_prefix("user_score_" + zeros);
  key.__set_value("v");
  const auto first = call(&UnifiedThriftHandler::setVersionstampedKey, key);
  const auto second = call(&UnifiedThriftHandler::setVersionstampedKey, key);
  EXPECT_TRUE(first.success && second.success);
  EXPECT_EQ(first.generated_key.size(), 21U);
  EXPECT_NE(first.generated_key, second.generated_key);
  EXPECT_EQ(first.committed_version, 42);
  EXPECT_TRUE(get(first.generated_key).found);
  api::SetVersionstampedValueRequest value;
  value.__set_key("k");
  for (const std::string& verbatim : {"value_prefix_"s, "1234567890"s, ""s}) {
    value.__set_value_prefix(verbatim);
    const auto reply = call(&UnifiedThriftHandler::setVersionstampedValue, value);
    EXPECT_TRUE(reply.success);
    EXPECT_EQ(reply.generated_value, verbatim);
    EXPECT_FALSE(reply.__isset.error || reply.__isset.error_code);
  }
  value.__set_value_prefix(zeros);
  EXPECT_NE(call(&UnifiedThriftHandler::setVersionstampedValue, value).generated_value, zeros);
}

TEST_F(UnifiedThriftHandlerTest, ReportsFailedStamps) {
  router_.next_outcome = failed(OutcomeCode::kBusy, "full");
  const auto reply =
      call(&UnifiedThriftHandler::setVersionstampedKey, api::SetVersionstampedKeyRequest());
  EXPECT_FALSE(reply.success);
  EXPECT_EQ(reply.generated_key, "");
  EXPECT_EQ(reply.error_code, "BUSY");
  router_.next_outcome = core::Outcome{};
  EXPECT_EQ(
      call(&UnifiedThriftHandler::setVersionstampedValue, api::SetVersionstampedValueRequest())
          .error,
      "Failed to generate versionstamped value");
}

// ---- kept for old clients

TEST_F(UnifiedThriftHandlerTest, RefusesWhatBelongsToTheClient) {
  const auto conflict = call(&UnifiedThriftHandler::addReadConflict, api::AddReadConflictRequest());
  EXPECT_FALSE(conflict.success);
  EXPECT_EQ(conflict.error, "Conflict detection handled client-side in FoundationDB model");
  const auto range =
      call(&UnifiedThriftHandler::addReadConflictRange, api::AddReadConflictRangeRequest());
  EXPECT_FALSE(range.success);
  EXPECT_EQ(range.error, conflict.error);
  const auto set_version =
      call(&UnifiedThriftHandler::setReadVersion, api::SetReadVersionRequest());
  EXPECT_FALSE(set_version.success);
  EXPECT_EQ(set_version.error, "Read version managed client-side in FoundationDB model");
  const auto committed =
      call(&UnifiedThriftHandler::getCommittedVersion, api::GetCommittedVersionRequest());
  EXPECT_FALSE(committed.success);
  EXPECT_EQ(committed.version, 0);
  EXPECT_EQ(committed.error, "Committed version managed client-side in FoundationDB model");
}

// ---- faults

api::FaultInjectionRequest fault(const std::string& type, double probability) {
  api::FaultInjectionRequest out;
  out.__set_fault_type(type);
  out.__set_probability(probability);
  return out;
}

TEST_F(UnifiedThriftHandlerTest, FailsCommitsWithTheInjectedFaultUntilItIsCleared) {
  const std::pair<std::string, std::string> table[] = {{"TIMEOUT", "Operation timeout"},
                                                       {"CONFLICT", "Transaction conflict"},
                                                       {"conflict", "Fault injected"},
                                                       {"corruption", "Fault injected"}};
  for (const auto& [type, text] : table) {
    ASSERT_TRUE(call(&UnifiedThriftHandler::setFaultInjection, fault(type, 1.0)).success);
    const auto reply = commit({});
    EXPECT_FALSE(reply.success || reply.__isset.committed_version);
    EXPECT_EQ(reply.error, text);
    EXPECT_EQ(reply.error_code, type);
    EXPECT_TRUE(set("k", "v").success);
  }
  ASSERT_TRUE(call(&UnifiedThriftHandler::setFaultInjection, fault("NONE", 0.0)).success);
  EXPECT_TRUE(commit({}).success);
}

TEST_F(UnifiedThriftHandlerTest, ClearsTheFaultForProbabilitiesThatAreNone) {
  for (const double none : {0.0, -1.0, std::numeric_limits<double>::quiet_NaN()}) {
    (void)call(&UnifiedThriftHandler::setFaultInjection, fault("CONFLICT", 1.0));
    (void)call(&UnifiedThriftHandler::setFaultInjection, fault("CONFLICT", none));
    EXPECT_TRUE(commit({}).success);
  }
}

TEST_F(UnifiedThriftHandlerTest, FailsOnlyCommits) {
  auto request = fault("CONFLICT", 1.0);
  request.__set_target_operation("get");
  ASSERT_TRUE(call(&UnifiedThriftHandler::setFaultInjection, request).success);
  EXPECT_TRUE(commit({}).success);
  request.__set_target_operation("commit");
  ASSERT_TRUE(call(&UnifiedThriftHandler::setFaultInjection, request).success);
  EXPECT_FALSE(commit({}).success);
  EXPECT_FALSE(get("k").__isset.error);
}

TEST_F(UnifiedThriftHandlerTest, DelaysAFaultWithATimer) {
  auto request = fault("TIMEOUT", 1.0);
  request.__set_duration_ms(50);
  ASSERT_TRUE(call(&UnifiedThriftHandler::setFaultInjection, request).success);
  const auto route = std::make_shared<CatchingRoute<api::AtomicCommitResponse>>();
  api::AtomicCommitRequest commit;
  handler_.atomicCommit(route->expect(), commit);
  EXPECT_EQ(route->replies, 0);
  dispatcher_.fire_timers();
  EXPECT_EQ(route->replies, 1);
}

TEST_F(UnifiedThriftHandlerTest, StrikesWithTheGivenProbability) {
  ASSERT_TRUE(call(&UnifiedThriftHandler::setFaultInjection, fault("CONFLICT", 0.25)).success);
  int failures = 0;
  for (int i = 0; i < 2000; ++i) failures += commit({}).success ? 0 : 1;
  EXPECT_GT(failures, 400);
  EXPECT_LT(failures, 600);
}

TEST_F(UnifiedThriftHandlerTest, RefusesFaultInjectionUnlessItIsConfigured) {
  UnifiedThriftHandler plain({}, router_, dispatcher_, nullptr);
  const auto route = std::make_shared<CatchingRoute<api::FaultInjectionResponse>>();
  auto request = fault("CONFLICT", 1.0);
  plain.setFaultInjection(route->expect(), request);
  EXPECT_FALSE(route->last.success);
  EXPECT_EQ(route->last.error,
            "Fault injection is not enabled in the configuration of this server");
}

// ---- diagnostics

TEST_F(UnifiedThriftHandlerTest, EchoesPings) {
  const auto plain = call(&UnifiedThriftHandler::ping, api::PingRequest());
  EXPECT_EQ(plain.message, "pong");
  EXPECT_EQ(plain.timestamp, 0);
  EXPECT_GT(plain.server_timestamp, 1'600'000'000'000'000);
  api::PingRequest request;
  request.__set_message("\xff\0x"s);
  request.__set_timestamp(-3);
  const auto echo = call(&UnifiedThriftHandler::ping, request);
  EXPECT_EQ(echo.message, "\xff\0x"s);
  EXPECT_EQ(echo.timestamp, -3);
  request.__set_message("");
  EXPECT_EQ(call(&UnifiedThriftHandler::ping, request).message, "");
}

router::NodeView node(std::int32_t id, router::NodeView::Health health, bool leader = false) {
  router::NodeView out;
  out.node_id = id;
  out.endpoint = "10.0.0." + std::to_string(id) + ":9090";
  out.health = health;
  out.is_leader = leader;
  out.term = 3 + id;
  out.uptime_s = 5;
  return out;
}

TEST_F(UnifiedThriftHandlerTest, SumsUpTheHealthOfTheCluster) {
  using Health = router::NodeView::Health;
  const auto health = [&] {
    const auto reply =
        call(&UnifiedThriftHandler::getClusterHealth, api::GetClusterHealthRequest());
    EXPECT_TRUE(reply.success && reply.__isset.cluster_health);
    return reply.cluster_health;
  };
  router_.node_views = {node(0, Health::kHealthy, true)};
  EXPECT_EQ(health().cluster_status, "healthy");
  EXPECT_EQ(health().leader.node_id, 0);
  router_.node_views = {node(0, Health::kHealthy), node(1, Health::kUnreachable),
                        node(2, Health::kHealthy, true)};
  const auto degraded = health();
  EXPECT_EQ(degraded.cluster_status, "degraded");
  EXPECT_EQ(degraded.healthy_nodes_count, 2);
  EXPECT_EQ(degraded.total_nodes_count, 3);
  EXPECT_EQ(degraded.current_term, 5);
  EXPECT_EQ(degraded.leader.node_id, 2);
  EXPECT_EQ(degraded.nodes[1].status, "unreachable");
  EXPECT_TRUE(degraded.nodes[1].__isset.uptime_seconds);
  router_.node_views = {node(0, Health::kHealthy), node(1, Health::kDegraded),
                        node(2, Health::kUnknown)};
  const auto unhealthy = health();
  EXPECT_EQ(unhealthy.cluster_status, "unhealthy");
  EXPECT_FALSE(unhealthy.__isset.leader);
  EXPECT_EQ(unhealthy.nodes[1].status, "degraded");
  EXPECT_EQ(unhealthy.nodes[2].status, "unknown");
}

TEST_F(UnifiedThriftHandlerTest, DescribesOneNode) {
  router_.node_views = {node(0, router::NodeView::Health::kHealthy, true),
                        node(1, router::NodeView::Health::kHealthy)};
  api::GetNodeInfoRequest request;
  auto reply = call(&UnifiedThriftHandler::getNodeInfo, request);
  EXPECT_TRUE(reply.success && !reply.__isset.error);
  EXPECT_EQ(reply.node_info.node_id, 0);
  request.__set_node_id(1);
  EXPECT_EQ(call(&UnifiedThriftHandler::getNodeInfo, request).node_info.endpoint, "10.0.0.1:9090");
  request.__set_node_id(7);
  reply = call(&UnifiedThriftHandler::getNodeInfo, request);
  EXPECT_FALSE(reply.success || reply.__isset.node_info);
  EXPECT_EQ(reply.error, "Database error: Node 7 not found");
}

TEST_F(UnifiedThriftHandlerTest, GivesDetailedStatisticsOnlyWhenAskedTo) {
  router_.database_counters.keys = 7;
  router_.database_counters.cache_hits = 3;
  router_.database_counters.cache_misses = 1;
  api::GetDatabaseStatsRequest request;
  auto stats = call(&UnifiedThriftHandler::getDatabaseStats, request).database_stats;
  EXPECT_EQ(stats.total_keys, 7);
  EXPECT_FALSE(stats.__isset.cache_hit_rate_percent || stats.__isset.compaction_pending_bytes);
  request.__set_include_detailed_stats(true);
  stats = call(&UnifiedThriftHandler::getDatabaseStats, request).database_stats;
  EXPECT_TRUE(stats.__isset.cache_hit_rate_percent && stats.__isset.compaction_pending_bytes);
  EXPECT_EQ(stats.cache_hit_rate_percent, 75);
}

}  // namespace
}  // namespace synod::server
