// SPDX-License-Identifier: Apache-2.0
#include "tests/suite/contract_test.h"

namespace synod::suite {
namespace {

class Namespaces : public ContractTest {
 protected:
  bool set_in(const std::string& ns, const std::string& name, const std::string& value) {
    api::SetRequest request;
    request.__set_key(name);
    request.__set_value(value);
    request.__set_column_family(ns);
    api::SetResponse reply;
    kv()->setKey(reply, request);
    return reply.success;
  }

  std::string get_in(const std::string& ns, const std::string& name) {
    api::GetRequest request;
    request.__set_key(name);
    request.__set_column_family(ns);
    api::GetResponse reply;
    kv()->get(reply, request);
    EXPECT_FALSE(reply.__isset.error) << reply.error;
    return reply.found ? reply.value : "(missing)";
  }
};
SYNOD_CONTRACT_GROUP(Namespaces);

TEST_P(Namespaces, AreIndependentKeySpaces) {
  const std::string ns = own_namespace();
  EXPECT_TRUE(set_in(ns, key("k"), "there"));
  set(key("k"), "here");
  EXPECT_EQ(get_in(ns, key("k")), "there");
  EXPECT_EQ(get(key("k")), "here");

  api::DeleteRequest request;
  request.__set_key(key("k"));
  request.__set_column_family(ns);
  api::DeleteResponse reply;
  kv()->deleteKey(reply, request);
  EXPECT_TRUE(reply.success);
  EXPECT_EQ(get_in(ns, key("k")), "(missing)");
  EXPECT_EQ(get(key("k")), "here");
}

TEST_P(Namespaces, DefaultAndNoneAreOne) {
  set(key("k"), "v");
  EXPECT_EQ(get_in("default", key("k")), "v");
  EXPECT_TRUE(set_in("default", key("l"), "w"));
  EXPECT_EQ(get(key("l")), "w");
  api::SnapshotGetRequest request;
  request.__set_key(key("k"));
  request.__set_read_version(read_version());
  request.__set_column_family("default");
  api::SnapshotGetResponse reply;
  kv()->snapshotGet(reply, request);
  EXPECT_EQ(reply.value, "v");
}

TEST_P(Namespaces, ASnapshotReadOfAnUnknownOneIsAnError) {
  const std::string text =
      "Database error: Read operation failed: Database error: Column family 'nobody' not found";
  api::SnapshotGetRequest request;
  request.__set_key(key("k"));
  request.__set_read_version(read_version());
  request.__set_column_family("nobody");
  api::SnapshotGetResponse reply;
  kv()->snapshotGet(reply, request);
  EXPECT_FALSE(reply.found);
  EXPECT_EQ(reply.error, text);
  EXPECT_EQ(reply.error_code, "UNKNOWN_NAMESPACE");

  api::SnapshotReadRequest read;
  read.__set_key(key("k"));
  read.__set_read_version(read_version());
  read.__set_column_family("nobody");
  api::SnapshotReadResponse read_reply;
  kv()->snapshotRead(read_reply, read);
  EXPECT_FALSE(read_reply.found);
  EXPECT_EQ(read_reply.error, text);
}

TEST_P(Namespaces, AGetInAnUnknownOneIsJustMissing) {
  EXPECT_EQ(get_in("nobody", key("k")), "(missing)");
}

TEST_P(Namespaces, ATransactionThatWritesAndReadsOneWorks) {
  const std::string ns = own_namespace();
  auto first = op_set(key("k"), "v");
  first.__set_column_family(ns);
  must_commit({first, op_set(key("k"), "default")});
  EXPECT_EQ(get_in(ns, key("k")), "v");
  EXPECT_EQ(get(key("k")), "default");

  api::SnapshotGetRequest request;
  request.__set_key(key("k"));
  request.__set_read_version(read_version());
  request.__set_column_family(ns);
  api::SnapshotGetResponse reply;
  kv()->snapshotGet(reply, request);
  EXPECT_EQ(reply.value, "v");
}

TEST_P(Namespaces, RangesStayInside) {
  const std::string ns = own_namespace();
  EXPECT_TRUE(set_in(ns, "a", "1"));
  EXPECT_TRUE(set_in(ns + "2", "b", "1"));
  api::GetRangeRequest request;
  request.__set_column_family(ns);
  api::GetRangeResponse reply;
  kv()->getRange(reply, request);
  ASSERT_EQ(reply.key_values.size(), 1u);
  EXPECT_EQ(reply.key_values[0].key, "a");
}

TEST_P(Namespaces, StampedWritesUseThem) {
  api::SetVersionstampedKeyRequest request;
  request.__set_key_prefix("log/" + std::string(10, '\0'));
  request.__set_value("v");
  request.__set_column_family(own_namespace());
  api::SetVersionstampedKeyResponse reply;
  kv()->setVersionstampedKey(reply, request);
  EXPECT_TRUE(reply.success);
  EXPECT_EQ(get_in(own_namespace(), reply.generated_key), "v");
  EXPECT_EQ(get(reply.generated_key), std::nullopt);
}

}  // namespace
}  // namespace synod::suite
