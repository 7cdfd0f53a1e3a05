// SPDX-License-Identifier: Apache-2.0
#include "base/random.h"
#include "tests/suite/contract_test.h"
#include "tests/suite/raw_socket.h"

namespace synod::suite {
namespace {

/// What must cost the sender its connection and nobody else anything.
class BadInput : public ContractTest {
 protected:
  void SetUp() override {
    ContractTest::SetUp();
    set(key("alive"), "yes");
  }
  void TearDown() override {
    Peer fresh = connect();
    api::GetRequest request;
    request.__set_key(key("alive"));
    api::GetResponse reply;
    fresh->get(reply, request);
    EXPECT_EQ(reply.value, "yes") << "others are not served any more";
  }

  RawSocket raw() { return RawSocket(cluster().endpoints().front()); }

  void expect_closed(const std::string& bytes, const std::string& what) {
    RawSocket socket = raw();
    ASSERT_TRUE(socket.connected());
    socket.send(bytes);  // May fail halfway: the peer closes early.
    EXPECT_TRUE(socket.wait_until_closed()) << what;
  }
};
SYNOD_CONTRACT_GROUP_WITH(BadInput, all_dialects);

TEST_P(BadInput, WhatIsNoThriftClosesTheConnection) {
  expect_closed("GET / HTTP/1.1\r\nHost: x\r\n\r\n", "HTTP");
  expect_closed("hello, world, are you there?\n", "text");
  expect_closed(from_hex("160301020001000201fc0303"), "TLS");
  expect_closed(std::string(64, '\0'), "zeros");
  expect_closed(std::string(64, '\xff'), "ones");
}

TEST_P(BadInput, AnUnversionedMessageClosesTheConnection) {
  expect_closed(from_hex("00000003 676574 01 00000001 0c0001 0b0001 00000001 6b 00 00"),
                "unversioned binary");
}

TEST_P(BadInput, AFrameOfGarbageClosesTheConnection) {
  expect_closed(from_hex("00000010") + std::string(16, 'x'), "text in a frame");
  expect_closed(from_hex("00000000") + from_hex("00000000"), "empty frames");
}

TEST_P(BadInput, HugeClaimsAreRefusedBeforeTheyAreBelieved) {
  const std::uint64_t before = cluster().resident_bytes(0);
  std::vector<RawSocket> held;
  const std::string get_head = "80010001 00000003 676574 00000001 0c0001";
  for (int i = 0; i < 50; ++i) {
    for (const std::string& claim :
         {std::string("7fffffff") + "80010001",               // a frame of 2 GiB
          std::string("80010001 7fffffff"),                   // a method name of 2 GiB
          get_head + "0b0001 7fffffff",                       // a key of 2 GiB
          get_head + "0b0001 ffffffff",                       // a key of -1 bytes
          get_head + "0f0063 0b 7fffffff",                    // a list of 2^31-1 strings
          get_head + "0f0063 0c 7fffffff",                    // of structs
          get_head + "0f0063 02 7fffffff",                    // of booleans
          get_head + "0d0063 0b0b 7fffffff",                  // a map
          std::string("8221 01 03 676574 1c 18 ffffffff07"),  // compact: a key of 2 GiB
          std::string("8221 01 03 676574 1c 19 fc ffffffff07")}) {
      RawSocket& socket = held.emplace_back(raw());
      socket.send(from_hex(claim));
    }
  }
  api::PingResponse reply;
  kv()->ping(reply, {});
  if (before != 0) {
    EXPECT_LT(cluster().resident_bytes(0), before + (64U << 20)) << "memory follows claims";
  }
}

TEST_P(BadInput, ANegativeLengthClosesTheConnection) {
  expect_closed(from_hex("80010001 00000003 676574 00000001 0c0001 0b0001 ffffffff"), "string");
  expect_closed(from_hex("80010001 ffffffff"), "method name");
  expect_closed(from_hex("80010001 00000003 676574 00000001 0c0001 0f0063 0b ffffffff"), "list");
}

TEST_P(BadInput, DeepNestingClosesTheConnection) {
  std::string call = from_hex("80010001 00000003 676574 00000001 0c0001");
  for (int depth = 0; depth < 10'000; ++depth) call += from_hex("0c0063");
  expect_closed(call, "structs");
  call = from_hex("80010001 00000003 676574 00000001 0c0001 0f0063");
  for (int depth = 0; depth < 10'000; ++depth) call += from_hex("0f 00000001");
  expect_closed(call, "lists");
}

TEST_P(BadInput, AnUnknownFieldTypeClosesTheConnection) {
  expect_closed(from_hex("80010001 00000003 676574 00000001 0c0001 3f0001 00 00 00"), "type 63");
}

TEST_P(BadInput, AMessageCutShortIsNothing) {
  api::TransactionalKV_setKey_args arguments;
  arguments.request.__set_key(key("cut"));
  arguments.request.__set_value("v");
  for (const Dialect dialect : kDialects) {
    const std::string call = encode_call(dialect, "setKey", 1, arguments);
    for (std::size_t size = 0; size < call.size(); ++size) {
      RawSocket socket = raw();
      socket.send(call.substr(0, size));
      socket.finish_sending();
      ASSERT_TRUE(socket.wait_until_closed()) << dialect_name(dialect) << " " << size;
    }
  }
  EXPECT_EQ(get(key("cut")), std::nullopt);
}

TEST_P(BadInput, RandomBytesHarmNobody) {
  base::Random random(99);
  const std::string heads[] = {"",
                               from_hex("80010001"),
                               from_hex("8221"),
                               from_hex("00000040"),
                               from_hex("00000040 80010001"),
                               from_hex("80010001 00000003 676574 00000001 0c0001")};
  for (int round = 0; round < 600; ++round) {
    std::string bytes = heads[random.below(std::size(heads))];
    for (std::uint64_t i = random.below(200); i > 0; --i) {
      bytes += static_cast<char>(random.below(256));
    }
    RawSocket socket = raw();
    ASSERT_TRUE(socket.connected()) << "round " << round;
    socket.send(bytes);
    socket.finish_sending();
    ASSERT_TRUE(socket.wait_until_closed()) << "round " << round;
  }
}

TEST_P(BadInput, DamagedCallsHarmNobody) {
  base::Random random(100);
  api::TransactionalKV_atomicCommit_args arguments;
  arguments.request =
      commit_request(1, {op_set(key("x"), "v"), op("delete", key("y"))}, {key("z")});
  for (int round = 0; round < 600; ++round) {
    const Dialect dialect = kDialects[random.below(std::size(kDialects))];
    std::string call = encode_call(dialect, "atomicCommit", 1, arguments);
    for (std::uint64_t i = random.below(4); i <= 3; ++i) {
      call[random.below(call.size())] = static_cast<char>(random.below(256));
    }
    RawSocket socket = raw();
    socket.send(call);
    socket.finish_sending();
    ASSERT_TRUE(socket.wait_until_closed()) << "round " << round;
  }
}

TEST_P(BadInput, ManyConnectionsThatSayNothingCostNothing) {
  std::vector<RawSocket> held;
  for (int i = 0; i < 900; ++i) {
    held.push_back(raw());
    ASSERT_TRUE(held.back().connected()) << i;
  }
  EXPECT_EQ(get(key("alive")), "yes");
  // They are still served, the first as the last.
  for (RawSocket* socket : {&held.front(), &held.back()}) {
    ASSERT_TRUE(socket->send(from_hex("80010001 00000004 70696e67 00000001 0c0001 00 00")));
    EXPECT_EQ(to_hex(socket->receive(4)), "80010002");
  }
}

}  // namespace
}  // namespace synod::suite
