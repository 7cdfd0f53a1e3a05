// SPDX-License-Identifier: Apache-2.0
#include "tests/suite/contract_test.h"

namespace synod::suite {
namespace {

SYNOD_CONTRACT(PointOperations);

TEST_P(PointOperations, AMissingKeyIsNotFoundAndNoError) {
  const std::string missing = key("missing");
  EXPECT_EQ(get(missing), std::nullopt);
  EXPECT_EQ(get_at(missing, read_version()), std::nullopt);

  api::GetRequest request;
  request.__set_key(missing);
  api::GetResponse reply;
  kv()->get(reply, request);
  EXPECT_EQ(reply.value, "");

  api::SnapshotReadRequest read;
  read.__set_key(missing);
  read.__set_read_version(read_version());
  api::SnapshotReadResponse read_reply;
  kv()->snapshotRead(read_reply, read);
  EXPECT_FALSE(read_reply.found);
  EXPECT_EQ(read_reply.value, "");
  EXPECT_FALSE(read_reply.__isset.error);
  EXPECT_FALSE(read_reply.__isset.error_code);
}

TEST_P(PointOperations, AWriteIsReadByEveryKindOfRead) {
  set(key("k"), "v");
  EXPECT_EQ(get(key("k")), "v");
  EXPECT_EQ(get_at(key("k"), read_version()), "v");
  api::SnapshotReadRequest request;
  request.__set_key(key("k"));
  request.__set_read_version(read_version());
  api::SnapshotReadResponse reply;
  kv()->snapshotRead(reply, request);
  EXPECT_TRUE(reply.found);
  EXPECT_EQ(reply.value, "v");
  EXPECT_FALSE(reply.__isset.error);
}

TEST_P(PointOperations, AWriteIsReadOnEveryNodeAndConnection) {
  set(key("k"), "v");
  for (const NodeEndpoint& endpoint : cluster().endpoints()) {
    Peer other(endpoint);
    api::GetRequest request;
    request.__set_key(key("k"));
    api::GetResponse reply;
    other->get(reply, request);
    EXPECT_EQ(reply.value, "v") << endpoint.port;
  }
}

TEST_P(PointOperations, TheLastWriteWins) {
  set(key("k"), "first");
  set(key("k"), "second");
  EXPECT_EQ(get(key("k")), "second");
}

TEST_P(PointOperations, AnEmptyValueIsFound) {
  set(key("k"), "");
  EXPECT_EQ(get(key("k")), "");
}

TEST_P(PointOperations, DeletingWorksAndIsIdempotent) {
  set(key("k"), "v");
  remove(key("k"));
  EXPECT_EQ(get(key("k")), std::nullopt);
  remove(key("k"));
  remove(key("never"));
  EXPECT_EQ(get(key("k")), std::nullopt);
}

TEST_P(PointOperations, AnyBytesAreKeyAndValue) {
  std::string all;
  for (int byte = 0; byte < 256; ++byte) all += static_cast<char>(byte);
  set(key(all), all);
  set(key(all + '\0'), "longer by a zero byte");
  EXPECT_EQ(get(key(all)), all);
  EXPECT_EQ(get(key(all + '\0')), "longer by a zero byte");
}

TEST_P(PointOperations, LongKeysAndLargeValuesAreExact) {
  const std::string long_key = key(std::string(10'000, 'k'));
  EXPECT_EQ(get(long_key), std::nullopt);
  const std::string large = std::string(4 << 20, 'v') + "end";
  set(long_key, large);
  EXPECT_TRUE(get(long_key) == large);
}

TEST_P(PointOperations, ReadingAnEmptyKeyIsAnError) {
  const std::string text =
      "Database error: Read operation failed: Database error: key cannot be empty";
  api::GetResponse got;
  kv()->get(got, {});
  EXPECT_FALSE(got.found);
  EXPECT_EQ(got.value, "");
  EXPECT_EQ(got.error, text);

  api::SnapshotGetResponse snapshot;
  kv()->snapshotGet(snapshot, {});
  EXPECT_FALSE(snapshot.found);
  EXPECT_EQ(snapshot.error, text);

  api::SnapshotReadResponse read;
  kv()->snapshotRead(read, {});
  EXPECT_FALSE(read.found);
  EXPECT_EQ(read.error, text);
}

TEST_P(PointOperations, AnEmptyKeyCanBeWrittenAndIsInRanges) {
  api::SetRequest request;
  request.__set_value("nameless");
  request.__set_column_family(own_namespace());
  api::SetResponse reply;
  kv()->setKey(reply, request);
  EXPECT_TRUE(reply.success) << reply.error;

  api::GetRangeRequest range;
  range.__set_column_family(own_namespace());
  api::GetRangeResponse rows;
  kv()->getRange(rows, range);
  ASSERT_EQ(rows.key_values.size(), 1u);
  EXPECT_EQ(rows.key_values[0].key, "");
  EXPECT_EQ(rows.key_values[0].value, "nameless");

  api::DeleteRequest gone;
  gone.__set_column_family(own_namespace());
  api::DeleteResponse gone_reply;
  kv()->deleteKey(gone_reply, gone);
  EXPECT_TRUE(gone_reply.success);
  kv()->getRange(rows, range);
  EXPECT_TRUE(rows.key_values.empty());
}

TEST_P(PointOperations, EveryWriteTakesALaterVersion) {
  const std::int64_t before = read_version();
  const std::int64_t first = set(key("k"), "1");
  const std::int64_t second = remove(key("k"));
  const std::int64_t third = remove(key("k"));
  EXPECT_GT(first, before);
  EXPECT_GT(second, first);
  EXPECT_GT(third, second) << "a delete of a missing key is a commit too";
  EXPECT_GE(read_version(), third);
}

TEST_P(PointOperations, OptionsOnARequestChangeNoResult) {
  api::RequestOptions options;
  options.__set_deadline_ms(30'000);
  options.__set_priority("high");
  options.__set_read_level("linearizable");
  options.__set_trace_id("trace-1");
  api::SetRequest write;
  write.__set_key(key("k"));
  write.__set_value("v");
  write.__set_options(options);
  api::SetResponse written;
  kv()->setKey(written, write);
  EXPECT_TRUE(written.success) << written.error;
  for (const char* level : {"linearizable", "leader", "local"}) {
    options.__set_read_level(level);
    api::GetRequest request;
    request.__set_key(key("k"));
    request.__set_options(options);
    api::GetResponse reply;
    kv()->get(reply, request);
    EXPECT_FALSE(reply.__isset.error) << reply.error;
    if (std::string(level) == "local") continue;
    EXPECT_EQ(reply.value, "v") << level;
  }
}

}  // namespace
}  // namespace synod::suite
