// SPDX-License-Identifier: Apache-2.0
#include <thread>

#include "tests/suite/contract_test.h"
#include "tests/suite/raw_socket.h"

namespace synod::suite {
namespace {

/// Bytes as existing clients send them and expect them back.
class Wire : public ContractTest {
 protected:
  RawSocket raw() { return RawSocket(cluster().endpoints().front()); }

  /// Sends `call` and expects exactly `reply`, both in hexadecimal.
  void expect_exchange(RawSocket& socket, const std::string& call, const std::string& reply) {
    const std::string expected = from_hex(reply);
    ASSERT_TRUE(socket.send(from_hex(call)));
    EXPECT_EQ(to_hex(socket.receive(expected.size())), to_hex(expected));
  }

  api::TransactionalKV_setKey_args set_call(const std::string& name, const std::string& value) {
    api::TransactionalKV_setKey_args arguments;
    arguments.request.__set_key(name);
    arguments.request.__set_value(value);
    return arguments;
  }
};
SYNOD_CONTRACT_GROUP(Wire);

/// What libthrift's own servers cannot do.
class WireDialects : public Wire {};
SYNOD_CONTRACT_GROUP_WITH(WireDialects, all_dialects);

const char* const kGetCall = "80010001 00000003 676574 00000001 0c0001 0b0001 00000001 6b 00 00";

TEST_P(Wire, GetOfAMissingKeyGivesTheGoldenBytes) {
  remove("k");
  RawSocket socket = raw();
  expect_exchange(socket, kGetCall,
                  "80010002 00000003 676574 00000001 0c0000 0b0001 00000000 020002 00 00 00");
}

TEST_P(Wire, GetOfAKeyGivesTheGoldenBytes) {
  set("k", "v");
  RawSocket socket = raw();
  expect_exchange(socket, kGetCall,
                  "80010002 00000003 676574 00000001 0c0000 0b0001 00000001 76 020002 01 00 00");
  remove("k");
}

TEST_P(Wire, SetKeyAnswersSuccessFirst) {
  RawSocket socket = raw();
  ASSERT_TRUE(socket.send(from_hex(
      "80010001 00000006 7365744b6579 00000001 0c0001 0b0001 00000001 6b 0b0002 00000001 76 00 "
      "00")));
  // The golden reply ends here; ours adds the optional committed_version, then ends as it does.
  const std::string golden = "80010002000000067365744b6579000000010c000002000101";
  EXPECT_EQ(to_hex(socket.receive(golden.size() / 2)), golden);
  EXPECT_EQ(to_hex(socket.receive(3)), "0a0004");
  const std::string rest = socket.receive(10);
  ASSERT_EQ(rest.size(), 10u);
  EXPECT_EQ(to_hex(rest.substr(8)), "0000");
  remove("k");
}

TEST_P(Wire, GetReadVersionGivesTheGoldenShape) {
  RawSocket socket = raw();
  ASSERT_TRUE(socket.send(
      from_hex("80010001 0000000e 67657452656164566572 73696f6e 00000001 0c0001 00 00")));
  const std::string before = "800100020000000e6765745265616456657273696f6e000000010c00000a0001";
  EXPECT_EQ(to_hex(socket.receive(before.size() / 2)), before);
  EXPECT_EQ(socket.receive(8).size(), 8u);
  EXPECT_EQ(to_hex(socket.receive(6)), "020002010000");
}

TEST_P(Wire, AnEmptyGetRangeGivesTheGoldenBytes) {
  RawSocket socket = raw();
  // From "\xfe\xff..." to the default end, where no case writes: begin_key, then the defaults.
  const std::string reply =
      "80010002 00000008 67657452616e6765 00000001 0c0000 0f0001 0c 00000000 020002 01 020004 00 "
      "00 00";
  expect_exchange(socket,
                  "80010001 00000008 67657452616e6765 00000001 0c0001 0b0001 00000003 fefffe 00 00",
                  reply);
  expect_exchange(socket,
                  "80010001 00000008 67657452616e6765 00000001 0c0001 0b0001 00000003 fefffe "
                  "080003 00000000 020004 01 080005 00000000 020006 00 080007 000003e8 00 00",
                  reply);
}

TEST_P(Wire, GetRangeWithNothingSetIsAccepted) {
  RawSocket socket = raw();
  ASSERT_TRUE(socket.send(from_hex("80010001 00000008 67657452616e6765 00000001 0c0001 00 00")));
  EXPECT_EQ(to_hex(socket.receive(4)), "80010002");
}

TEST_P(Wire, AMessageMayArriveInAnyPieces) {
  set(key("k"), "v");
  api::TransactionalKV_get_args arguments;
  arguments.request.__set_key(key("k"));
  const std::string call = encode_call(Dialect::kBinary, "get", 77, arguments);
  RawSocket socket = raw();
  for (const char byte : call) ASSERT_TRUE(socket.send(std::string_view(&byte, 1)));
  EXPECT_EQ(to_hex(socket.receive(15)),
            "8001000200000003676574"
            "0000004d");
}

TEST_P(Wire, PipelinedCallsAreAnsweredInOrder) {
  constexpr int kCalls = 5'000;
  RawSocket socket = raw();
  std::string calls;
  for (int i = 0; i < kCalls; ++i) {
    if (i % 2 == 0) {
      calls += encode_call(Dialect::kBinary, "setKey", i, set_call(key("k"), std::to_string(i)));
    } else {
      api::TransactionalKV_get_args arguments;
      arguments.request.__set_key(key("k"));
      calls += encode_call(Dialect::kBinary, "get", i, arguments);
    }
  }
  std::thread sender([&] { EXPECT_TRUE(socket.send(calls)); });
  for (int i = 0; i < kCalls; ++i) {
    const bool write = i % 2 == 0;
    const std::string name = write ? "setKey" : "get";
    const std::string head = socket.receive(8 + name.size() + 4);
    ASSERT_EQ(head.size(), 12 + name.size()) << "reply " << i;
    ASSERT_EQ(head.substr(8, name.size()), name) << "reply " << i;
    ASSERT_EQ(base::load_be32(head.data() + 8 + name.size()), static_cast<std::uint32_t>(i));
    if (write) {
      ASSERT_EQ(socket.receive(3 + 4 + 3 + 8 + 2).size(), 20u);
    } else {
      const std::string before = std::to_string(i - 1);
      const std::string reply = socket.receive(3 + 3 + 4 + before.size() + 4 + 2);
      ASSERT_EQ(reply.substr(10, before.size()), before)
          << "a read sees the write before it on its connection";
    }
  }
  sender.join();
}

TEST_P(WireDialects, EveryDialectIsSpoken) {
  for (const Dialect dialect : kDialects) {
    SCOPED_TRACE(dialect_name(dialect));
    Peer peer = connect(dialect);
    api::SetRequest write;
    write.__set_key(key(dialect_name(dialect)));
    write.__set_value(std::string("\0\xff", 2));
    api::SetResponse written;
    peer->setKey(written, write);
    EXPECT_TRUE(written.success);
    api::GetRequest read;
    read.__set_key(write.key);
    api::GetResponse got;
    peer->get(got, read);
    EXPECT_EQ(got.value, write.value);
    api::GetRangeRequest range;
    range.__set_begin_key(write.key);
    range.__set_limit(1);
    api::GetRangeResponse rows;
    peer->getRange(rows, range);
    EXPECT_EQ(rows.key_values.size(), 1u);
    api::AtomicCommitResponse committed;
    peer->atomicCommit(committed, commit_request(0, {op_set(write.key, "2")}));
    EXPECT_TRUE(committed.success) << committed.error;
  }
}

TEST_P(WireDialects, AnUnknownMethodIsAnsweredAndTheConnectionLives) {
  for (const Dialect dialect : kDialects) {
    SCOPED_TRACE(dialect_name(dialect));
    RawSocket socket = raw();
    api::TransactionalKV_setKey_args arguments = set_call(key("k"), "v");
    ASSERT_TRUE(socket.send(encode_call(dialect, "frobnicate", 5, arguments)));
    ASSERT_TRUE(socket.send(encode_call(dialect, "setKey", 6, arguments)));
    std::string reply = socket.receive(40);
    EXPECT_NE(reply.find("frobnicate"), std::string::npos);
    reply += socket.receive(60 - 40);
    for (int i = 0; i < 200 && reply.find("setKey") == std::string::npos; ++i) {
      const std::string more = socket.receive(1);
      if (more.empty()) break;
      reply += more;
    }
    EXPECT_NE(reply.find("unknown method frobnicate"), std::string::npos);
    EXPECT_NE(reply.find("setKey"), std::string::npos) << "the next call is answered";
  }
  EXPECT_EQ(get(key("k")), "v");
}

TEST_P(Wire, UnknownFieldsAreSkipped) {
  set(key("k"), "v");
  // get with extra fields of every type around the key.
  std::string call = from_hex("80010001 00000003 676574 00000001 0c0001");
  call += from_hex("0c0064 0b0001 00000001 78 00");                   // struct
  call += from_hex("0f0065 0b 00000002 00000001 61 00000001 62");     // list<string>
  call += from_hex("0d0066 0b 08 00000001 00000001 61 00000001");     // map<string,i32>
  call += from_hex("040067 3ff0000000000000 060068 0001 030069 01");  // double, i16, byte
  call += from_hex("0b0001");
  base::append_be32(call, static_cast<std::uint32_t>(key("k").size()));
  call += key("k");
  call += from_hex("0e006a 08 00000001 00000007 00 00");  // set<i32>, stop, stop
  RawSocket socket = raw();
  ASSERT_TRUE(socket.send(call));
  EXPECT_EQ(to_hex(socket.receive(26)),
            "8001000200000003676574"
            "00000001"
            "0c0000"
            "0b0001"
            "00000001"
            "76");
}

TEST_P(Wire, AFieldOfTheWrongTypeIsSkipped) {
  RawSocket socket = raw();
  // limit (field 7) as a string: the default limit holds. Where no case writes.
  expect_exchange(
      socket,
      "80010001 00000008 67657452616e6765 00000001 0c0001 0b0001 00000003 fefffe 0b0007 00000001 "
      "78 00 00",
      "80010002 00000008 67657452616e6765 00000001 0c0000 0f0001 0c 00000000 020002 01 020004 00 "
      "00 00");
}

TEST_P(WireDialects, AMissingRequiredFieldIsAnException) {
  RawSocket socket = raw();
  ASSERT_TRUE(socket.send(from_hex("80010001 00000003 676574 00000001 0c0001 00 00")));
  EXPECT_EQ(to_hex(socket.receive(4)), "80010003") << "a TApplicationException";
}

}  // namespace
}  // namespace synod::suite
