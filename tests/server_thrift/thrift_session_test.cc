// SPDX-License-Identifier: Apache-2.0
#include "server/thrift/thrift_session.h"

#include <gtest/gtest.h>
#include <thrift/TApplicationException.h>

#include "tests/server_thrift/golden.h"
#include "tests/server_thrift/session_fixture.h"

namespace synod::server {
namespace {

using apache::thrift::TApplicationException;
using Client = api::TransactionalKVClient;
using Protocol = WireFormat::Protocol;
using Trace = std::vector<std::string>;

constexpr WireFormat kPlain{Protocol::kBinary, false};

std::vector<WireFormat> all_formats() {
  return {{Protocol::kBinary, false},
          {Protocol::kBinary, true},
          {Protocol::kCompact, false},
          {Protocol::kCompact, true}};
}

std::string ping_bytes(WireClient& client, const std::string& message) {
  return client.bytes([&](Client& c) {
    api::PingRequest request;
    request.__set_message(message);
    c.send_ping(request);
  });
}
std::string set_bytes(WireClient& client, const std::string& key, const std::string& value = "v") {
  return client.bytes([&](Client& c) { c.send_setKey(set_request(key, value)); });
}
std::string get_bytes(WireClient& client, const std::string& key) {
  return client.bytes([&](Client& c) { c.send_get(get_request(key)); });
}

TEST(ThriftSession, AnswersGoldenCallsByteForByte) {
  for (const Golden& golden : golden_messages()) {
    SessionFixture fixture;
    fixture.router.version = 42;
    fixture.feed(from_hex(golden.call));
    EXPECT_EQ(fixture.connection.take_output(), from_hex(golden.reply)) << golden.name;
  }
}

TEST(ThriftSession, AnswersGoldenCallsThatArriveByteByByte) {
  for (const Golden& golden : golden_messages()) {
    SessionFixture fixture;
    fixture.router.version = 42;
    for (const char c : from_hex(golden.call)) fixture.feed(std::string(1, c));
    EXPECT_EQ(fixture.connection.take_output(), from_hex(golden.reply)) << golden.name;
  }
}

TEST(ThriftSession, AddsOnlyTheVersionToTheGoldenSetReply) {
  SessionFixture fixture;
  fixture.feed(
      from_hex("80010001 00000006 7365744b6579 00000001 0c0001 0b0001 00000001 6b 0b0002 "
               "00000001 76 00 00"));
  // success, then field 4 committed_version = 42, which old clients skip.
  EXPECT_EQ(fixture.connection.take_output(),
            from_hex("80010002 00000006 7365744b6579 00000001 0c0000 020001 01 0a0004 "
                     "000000000000002a 00 00"));
}

TEST(ThriftSession, SpeaksEveryFormat) {
  for (const WireFormat format : all_formats()) {
    SessionFixture fixture;
    WireClient client(format);
    fixture.feed(set_bytes(client, "k", "value") + get_bytes(client, "k") + get_bytes(client, "n"));
    Client& replies = client.with(fixture.connection.take_output());
    api::SetResponse set;
    replies.recv_setKey(set);
    EXPECT_TRUE(set.success);
    EXPECT_FALSE(set.__isset.error || set.__isset.error_code);
    EXPECT_EQ(set.committed_version, 42);
    api::GetResponse get;
    replies.recv_get(get);
    EXPECT_EQ(get.value, "value");
    EXPECT_TRUE(get.found);
    api::GetResponse missing;
    replies.recv_get(missing);
    EXPECT_FALSE(missing.found || missing.__isset.error);
    EXPECT_EQ(client.unread(), 0U);
  }
}

TEST(ThriftSession, BoundsRangesByFraming) {
  for (const bool framed : {false, true}) {
    SessionFixture fixture;
    WireClient client({Protocol::kBinary, framed});
    fixture.feed(client.bytes([](Client& c) { c.send_getRange(api::GetRangeRequest()); }));
    EXPECT_EQ(fixture.router.last_range.bytes_max, framed ? 15U << 20 : 64U << 20);
    EXPECT_GE(fixture.router.last_range.row_overhead_bytes, 15U);
  }
}

TEST(ThriftSession, RepliesInOrderWhenCompletionsComeInAnother) {
  SessionFixture fixture;
  fixture.router.hold = true;
  WireClient client(kPlain);
  fixture.feed(set_bytes(client, "a") + set_bytes(client, "b") + set_bytes(client, "c") +
               ping_bytes(client, "last"));
  ASSERT_EQ(fixture.router.held.size(), 3U);  // writes are under way together
  fixture.release(2);
  fixture.release(1);
  EXPECT_EQ(fixture.connection.take_output(), "");
  fixture.release(0);
  Client& replies = client.with(fixture.connection.take_output());
  for (const std::int64_t version : {44, 43, 42}) {
    api::SetResponse set;
    replies.recv_setKey(set);
    EXPECT_EQ(set.committed_version, version);
  }
  api::PingResponse ping;
  replies.recv_ping(ping);
  EXPECT_EQ(ping.message, "last");
}

TEST(ThriftSession, ReadsWaitForTheEarlierWritesOfTheirConnection) {
  SessionFixture fixture;
  fixture.router.hold = true;
  WireClient client(kPlain);
  fixture.feed(set_bytes(client, "k", "new") + set_bytes(client, "l") + get_bytes(client, "k") +
               set_bytes(client, "m"));
  EXPECT_EQ(fixture.router.trace, (Trace{"submit k", "submit l"}));
  fixture.release();
  EXPECT_EQ(fixture.router.trace, (Trace{"submit k", "submit l"}));
  fixture.release();
  // The later write waits for the read in turn: the read must not see it.
  EXPECT_EQ(fixture.router.trace, (Trace{"submit k", "submit l", "read k"}));
  fixture.release();
  EXPECT_EQ(fixture.router.trace, (Trace{"submit k", "submit l", "read k", "submit m"}));
  fixture.release();
  Client& replies = client.with(fixture.connection.take_output());
  api::SetResponse set;
  replies.recv_setKey(set);
  replies.recv_setKey(set);
  api::GetResponse get;
  replies.recv_get(get);
  EXPECT_EQ(get.value, "new");
}

TEST(ThriftSession, ReadsAreUnderWayTogether) {
  SessionFixture fixture;
  fixture.router.hold = true;
  WireClient client(kPlain);
  fixture.feed(get_bytes(client, "a") + get_bytes(client, "b"));
  EXPECT_EQ(fixture.router.held.size(), 2U);
}

TEST(ThriftSession, WaitsForABulkReadBeforeItTakesMore) {
  SessionFixture fixture;
  fixture.router.hold = true;
  WireClient client(kPlain);
  const std::string range =
      client.bytes([](Client& c) { c.send_getRange(api::GetRangeRequest()); });
  fixture.feed(range + range + get_bytes(client, "a"));
  EXPECT_EQ(fixture.router.held.size(), 1U);
  EXPECT_TRUE(fixture.connection.paused);
  fixture.release();
  EXPECT_EQ(fixture.router.held.size(), 1U);
  fixture.release();
  EXPECT_EQ(fixture.router.trace, (Trace{"range ", "range ", "read a"}));
  EXPECT_FALSE(fixture.connection.paused);
}

TEST(ThriftSession, StopsReadingAtTheInFlightLimit) {
  net::ServerLimits limits;
  limits.in_flight_max = 4;
  SessionFixture fixture(limits);
  fixture.router.hold = true;
  WireClient client(kPlain);
  for (int i = 0; i < 10; ++i) fixture.feed(set_bytes(client, std::to_string(i)));
  EXPECT_EQ(fixture.router.held.size(), 4U);
  EXPECT_TRUE(fixture.connection.paused);
  while (!fixture.router.held.empty()) {
    EXPECT_LE(fixture.router.held.size(), 4U);
    fixture.release();
  }
  EXPECT_EQ(fixture.router.trace.size(), 10U);
  EXPECT_EQ(fixture.connection.unread_bytes(), 0U);
}

TEST(ThriftSession, WakesItsDispatcherOnceForABurstFromAnotherThread) {
  SessionFixture fixture;
  fixture.router.hold = true;
  WireClient client(kPlain);
  for (int i = 0; i < 5; ++i) fixture.feed(set_bytes(client, std::to_string(i)));
  fixture.dispatcher.current = false;
  fixture.router.release_all();
  EXPECT_EQ(fixture.dispatcher.posted(), 1U);
  EXPECT_EQ(fixture.connection.take_output(), "");
  fixture.dispatcher.current = true;
  fixture.dispatcher.run_posted();
  Client& replies = client.with(fixture.connection.take_output());
  for (int i = 0; i < 5; ++i) {
    api::SetResponse set;
    replies.recv_setKey(set);
    EXPECT_EQ(set.committed_version, 42 + i);
  }
}

TEST(ThriftSession, DropsCompletionsThatComeAfterTheConnection) {
  SessionFixture fixture;
  fixture.router.hold = true;
  WireClient client(kPlain);
  fixture.feed(set_bytes(client, "a") + set_bytes(client, "b"));
  fixture.dispatcher.current = false;
  fixture.router.release();  // waits in the mailbox
  fixture.dispatcher.current = true;
  fixture.session->on_close();
  fixture.session.reset();
  fixture.dispatcher.run_posted();
  fixture.router.release_all();
  EXPECT_EQ(fixture.connection.take_output(), "");
}

TEST(ThriftSession, AnswersUnknownMethodsAndGoesOn) {
  for (const WireFormat format : all_formats()) {
    SessionFixture fixture;
    WireClient client(format);
    std::string bytes = ping_bytes(client, "x");
    bytes.replace(bytes.find("ping"), 4, "pong");
    fixture.feed(bytes + ping_bytes(client, "after"));
    Client& replies = client.with(fixture.connection.take_output());
    try {
      api::PingResponse ping;
      replies.recv_ping(ping);
      FAIL() << "an exception was expected";
    } catch (const TApplicationException& error) {
      EXPECT_EQ(error.getType(), TApplicationException::UNKNOWN_METHOD);
      EXPECT_STREQ(error.what(), "unknown method pong");
    }
    api::PingResponse ping;
    replies.recv_ping(ping);
    EXPECT_EQ(ping.message, "after");
    EXPECT_EQ(fixture.counters.unknown_methods.load(), 1U);
  }
}

TEST(ThriftSession, KeepsTheSequenceIdOfACallItDoesNotKnow) {
  SessionFixture fixture;
  fixture.feed(from_hex("80010001 00000001 78 00abcdef 00"));
  EXPECT_EQ(fixture.connection.take_output().substr(0, 13),
            from_hex("80010003 00000001 78 00abcdef"));
}

TEST(ThriftSession, AnswersUndecodableArgumentsAndGoesOn) {
  const char* const broken[] = {
      "80010001 00000003 676574 00000001 00",                            // no argument
      "80010001 00000003 676574 00000001 0c0001 00 00",                  // no key
      "80010001 00000003 676574 00000001 0b0001 00000001 6b 00",         // argument of another type
      "80010001 00000003 676574 00000001 0c0001 080001 00000001 00 00",  // key of another type
  };
  for (const char* hex : broken) {
    SessionFixture fixture;
    WireClient client(kPlain);
    fixture.feed(from_hex(hex) + ping_bytes(client, "after"));
    Client& replies = client.with(fixture.connection.take_output());
    try {
      api::GetResponse get;
      replies.recv_get(get);
      FAIL() << "an exception was expected: " << hex;
    } catch (const TApplicationException& error) {
      EXPECT_EQ(error.getType(), TApplicationException::PROTOCOL_ERROR) << hex;
    }
    api::PingResponse ping;
    replies.recv_ping(ping);
    EXPECT_EQ(ping.message, "after");
  }
}

TEST(ThriftSession, RecoversFromBrokenFramesOfEachProtocol) {
  for (const Protocol protocol : {Protocol::kBinary, Protocol::kCompact}) {
    SessionFixture fixture;
    WireClient client({protocol, true});
    std::string broken = set_bytes(client, "key", "value");
    // Cut inside the arguments: the frame says less than they need.
    broken.resize(broken.size() - 5);
    base::store_be32(broken.data(), static_cast<std::uint32_t>(broken.size() - 4));
    fixture.feed(broken + set_bytes(client, "k", "v") + get_bytes(client, "k"));
    Client& replies = client.with(fixture.connection.take_output());
    api::SetResponse set;
    EXPECT_THROW(replies.recv_setKey(set), TApplicationException);
    replies.recv_setKey(set);
    EXPECT_TRUE(set.success);
    api::GetResponse get;
    replies.recv_get(get);
    EXPECT_EQ(get.value, "v");
  }
}

TEST(ThriftSession, RefusesContainersThatClaimMoreThanTheLimit) {
  SessionFixture fixture;
  // A frame with atomicCommit{1: 0, 2: list of 2^31-1 structs}: nothing of that size is made.
  std::string message = from_hex("80010001 0000000c") + "atomicCommit" +
                        from_hex("00000001 0c0001 0a0001 0000000000000000 0f0002 0c 7fffffff");
  std::string frame;
  base::append_be32(frame, static_cast<std::uint32_t>(message.size()));
  fixture.feed(frame + message);
  EXPECT_EQ(fixture.counters.undecodable.load(), 1U);
  EXPECT_FALSE(fixture.connection.closed);
}

TEST(ThriftSession, SkipsUnknownFields) {
  SessionFixture fixture;
  fixture.router.rows[{"", "k"}] = "v";
  // get{99: struct{1: list<i32>}, 1: "k", 98: true}
  fixture.feed(
      from_hex("80010001 00000003 676574 00000001 0c0001 0c0063 0f0001 08 00000001 "
               "00000007 00 0b0001 00000001 6b 020062 01 00 00"));
  WireClient client(kPlain);
  api::GetResponse get;
  client.with(fixture.connection.take_output()).recv_get(get);
  EXPECT_EQ(get.value, "v");
}

TEST(ThriftSession, RunsOnewayCallsWithoutAReply) {
  SessionFixture fixture;
  WireClient client(kPlain);
  std::string oneway = set_bytes(client, "k", "v");
  oneway[3] = 4;
  std::string unknown = oneway;
  unknown[8] = 'X';
  fixture.feed(oneway + get_bytes(client, "k"));
  Client& replies = client.with(fixture.connection.take_output());
  api::GetResponse get;
  replies.recv_get(get);
  EXPECT_EQ(get.value, "v");
  EXPECT_EQ(client.unread(), 0U);
  fixture.feed(unknown);
  EXPECT_EQ(fixture.connection.take_output(), "");
}

TEST(ThriftSession, ClosesOnGarbageAfterAnsweringWhatCameBefore) {
  SessionFixture fixture;
  fixture.router.hold = true;
  WireClient client(kPlain);
  fixture.feed(set_bytes(client, "k") + "garbage");
  EXPECT_FALSE(fixture.connection.closed);
  fixture.release();
  api::SetResponse set;
  client.with(fixture.connection.take_output()).recv_setKey(set);
  EXPECT_TRUE(set.success);
  EXPECT_TRUE(fixture.connection.closed);
  EXPECT_EQ(fixture.counters.refused_streams.load(), 1U);
}

TEST(ThriftSession, ClosesOnRepliesFromAClient) {
  SessionFixture fixture;
  fixture.feed(from_hex(golden_messages()[0].reply));
  EXPECT_TRUE(fixture.connection.closed);
}

TEST(ThriftSession, ClosesWhenAClientChangesItsFormat) {
  SessionFixture fixture;
  WireClient plain(kPlain);
  WireClient compact({Protocol::kCompact, false});
  fixture.feed(ping_bytes(plain, "x") + ping_bytes(compact, "y"));
  EXPECT_TRUE(fixture.connection.closed);
}

TEST(ThriftSession, AnswersWhatIsInFlightWhenTheClientHalfCloses) {
  SessionFixture fixture;
  fixture.router.hold = true;
  WireClient client(kPlain);
  fixture.feed(set_bytes(client, "k"));
  fixture.session->on_eof();
  EXPECT_FALSE(fixture.connection.closed);
  fixture.release(0, false);
  EXPECT_NE(fixture.connection.take_output(), "");
  EXPECT_TRUE(fixture.connection.closed);
}

TEST(ThriftSession, ClosesAtOnceWhenItStopsIdle) {
  SessionFixture fixture;
  fixture.session->on_stop();
  EXPECT_TRUE(fixture.connection.closed);
}

TEST(ThriftSession, CarriesFarMoreThanLibthriftsLimitOverOneConnection) {
  for (const WireFormat format : all_formats()) {
    SessionFixture fixture;
    WireClient client(format);
    const std::string bytes = set_bytes(client, "k", std::string(15U << 20, 'v'));
    for (int i = 0; i < 20; ++i) fixture.feed(bytes);
    Client& replies = client.with(fixture.connection.take_output());
    for (int i = 0; i < 20; ++i) {
      api::SetResponse set;
      replies.recv_setKey(set);
      ASSERT_TRUE(set.success);
    }
  }
}

TEST(ThriftSession, AnswersTenThousandPipelinedCallsInOrder) {
  SessionFixture fixture;
  WireClient client(kPlain);
  std::string calls;
  for (int i = 0; i < 10000; ++i) calls += ping_bytes(client, std::to_string(i));
  fixture.feed(calls);
  Client& replies = client.with(fixture.connection.take_output());
  for (int i = 0; i < 10000; ++i) {
    api::PingResponse ping;
    replies.recv_ping(ping);
    ASSERT_EQ(ping.message, std::to_string(i));
  }
}

}  // namespace
}  // namespace synod::server
