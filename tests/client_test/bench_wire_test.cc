// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>
#include <thrift/protocol/TBinaryProtocol.h>
#include <thrift/transport/TBufferTransports.h>

#include <functional>
#include <memory>

#include "TransactionalKV.h"
#include "base/random.h"
#include "client/bench/bench_wire.h"

namespace synod::client {
namespace {

using Kind = Request::Kind;
using Outcome = Answer::Outcome;
using Buffer = apache::thrift::transport::TMemoryBuffer;
using Binary = apache::thrift::protocol::TBinaryProtocolT<Buffer>;

constexpr ValueSizes kSizes{20, 20};

base::Bytes value_of(std::uint64_t key, std::uint64_t tag) {
  base::Bytes value;
  append_bench_value(value, kSizes, key, tag);
  return value;
}

/// Every shorter beginning is "not whole yet", the whole is one answer, and what follows it is
/// left.
void expect_answer(const BenchWire& wire, Kind kind, const base::Bytes& bytes, Outcome outcome,
                   base::BytesView detail) {
  Answer answer;
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_EQ(wire.parse(base::BytesView(bytes).substr(0, size), kind, answer), 0u) << size;
  }
  for (const base::Bytes& more : {bytes, bytes + bytes}) {
    ASSERT_EQ(wire.parse(more, kind, answer), bytes.size());
    EXPECT_EQ(answer.outcome, outcome);
    EXPECT_EQ(answer.detail, detail);
  }
}

TEST(RespWire, ComposesWhatRedisReads) {
  const auto wire = make_resp_wire(kSizes);
  base::Bytes out;
  wire->append(out, {.key = 42});
  EXPECT_EQ(out, "*2\r\n$3\r\nGET\r\n$18\r\nbench:000000000042\r\n");
  out.clear();
  wire->append(out, {.key = 1, .tag = 5, .kind = Kind::kWrite});
  EXPECT_EQ(out,
            "*3\r\n$3\r\nSET\r\n$18\r\nbench:000000000001\r\n$20\r\n" + value_of(1, 5) + "\r\n");
  out.clear();
  wire->append(out, {.key = 8, .count = 2, .kind = Kind::kLoad});
  EXPECT_EQ(out, "*5\r\n$4\r\nMSET\r\n$18\r\nbench:000000000008\r\n$20\r\n" + value_of(8, 0) +
                     "\r\n$18\r\nbench:000000000009\r\n$20\r\n" + value_of(9, 0) + "\r\n");
}

TEST(RespWire, ReadsAnswersHoweverTheyArrive) {
  const auto wire = make_resp_wire(kSizes);
  expect_answer(*wire, Kind::kRead, "$5\r\na\r\nbc\r\n", Outcome::kFound, "a\r\nbc");
  expect_answer(*wire, Kind::kRead, "$0\r\n\r\n", Outcome::kFound, "");
  expect_answer(*wire, Kind::kRead, "$-1\r\n", Outcome::kMissing, "");
  expect_answer(*wire, Kind::kWrite, "+OK\r\n", Outcome::kDone, "");
  expect_answer(*wire, Kind::kLoad, "+OK\r\n", Outcome::kDone, "");
  expect_answer(*wire, Kind::kWrite, "-OOM command not allowed\r\n", Outcome::kRefused, "OOM");
  expect_answer(*wire, Kind::kRead, "-LOADING\r\n", Outcome::kRefused, "LOADING");
}

TEST(RespWire, RefusesWhatIsNoAnswer) {
  const auto wire = make_resp_wire(kSizes);
  Answer answer;
  for (const base::Bytes& bytes :
       {base::Bytes(":1\r\n"), base::Bytes("*1\r\n$1\r\na\r\n"), base::Bytes("$-2\r\n"),
        base::Bytes("$x\r\n"), base::Bytes("$\r\n"), base::Bytes("$99999999999999999999\r\n"),
        base::Bytes("$1\r\nabc"), base::Bytes("+OK\r\n"), base::Bytes(70'000, 'x')}) {
    EXPECT_EQ(wire->parse(bytes, Kind::kRead, answer), BenchWire::kBroken) << bytes.substr(0, 20);
  }
  EXPECT_EQ(wire->parse("$1\r\na\r\n", Kind::kWrite, answer), BenchWire::kBroken);
}

/// The arguments of one framed call, as generated code reads them.
template <class Arguments>
Arguments arguments_of(base::Bytes call, const std::string& method) {
  EXPECT_EQ(base::load_be32(call.data()), call.size() - 4);
  auto* bytes = reinterpret_cast<std::uint8_t*>(call.data()) + 4;
  const auto buffer = std::make_shared<Buffer>(bytes, static_cast<std::uint32_t>(call.size() - 4));
  Binary protocol(buffer);
  std::string name;
  auto type = apache::thrift::protocol::T_ONEWAY;
  std::int32_t sequence = -1;
  protocol.readMessageBegin(name, type, sequence);
  EXPECT_EQ(name, method);
  EXPECT_EQ(type, apache::thrift::protocol::T_CALL);
  Arguments arguments;
  arguments.read(&protocol);
  protocol.readMessageEnd();
  EXPECT_EQ(buffer->available_read(), 0u);
  return arguments;
}

TEST(ThriftWire, ComposesWhatGeneratedCodeReads) {
  const auto wire = make_thrift_wire(kSizes);
  base::Bytes out;
  wire->append(out, {.key = 42});
  EXPECT_EQ(arguments_of<api::TransactionalKV_get_args>(out, "get").request.key, bench_key(42));
  out.clear();
  wire->append(out, {.key = 1, .tag = 5, .kind = Kind::kWrite});
  const auto set = arguments_of<api::TransactionalKV_setKey_args>(out, "setKey").request;
  EXPECT_EQ(set.key, bench_key(1));
  EXPECT_EQ(set.value, value_of(1, 5));
  out.clear();
  wire->append(out, {.key = 8, .count = 2, .kind = Kind::kLoad});
  const auto commit =
      arguments_of<api::TransactionalKV_atomicCommit_args>(out, "atomicCommit").request;
  EXPECT_EQ(commit.read_version, 0);
  EXPECT_TRUE(commit.read_conflict_keys.empty());
  ASSERT_EQ(commit.operations.size(), 2u);
  EXPECT_EQ(commit.operations[1].type, "set");
  EXPECT_EQ(commit.operations[1].key, bench_key(9));
  EXPECT_EQ(commit.operations[1].value, value_of(9, 0));
}

using Writer = std::function<void(Binary& protocol)>;

base::Bytes framed(
    const std::string& method, const Writer& write_result,
    apache::thrift::protocol::TMessageType type = apache::thrift::protocol::T_REPLY) {
  const auto buffer = std::make_shared<Buffer>();
  Binary protocol(buffer);
  protocol.writeMessageBegin(method, type, 0);
  write_result(protocol);
  protocol.writeMessageEnd();
  const std::string message = buffer->getBufferAsString();
  base::Bytes frame;
  base::append_be32(frame, static_cast<std::uint32_t>(message.size()));
  return frame + message;
}

/// A reply as generated servers write it.
template <class Result, class Response>
base::Bytes reply(const std::string& method, const Response& response) {
  Result result;
  result.success = response;
  result.__isset.success = true;
  return framed(method, [&](Binary& protocol) { result.write(&protocol); });
}

base::Bytes get_reply(const api::GetResponse& response) {
  return reply<api::TransactionalKV_get_result>("get", response);
}

base::Bytes found_reply(const base::Bytes& value) {
  api::GetResponse found;
  found.value = value;
  found.found = true;
  return get_reply(found);
}

TEST(ThriftWire, ReadsRepliesToGetHoweverTheyArrive) {
  const auto wire = make_thrift_wire(kSizes);
  expect_answer(*wire, Kind::kRead, found_reply("abc"), Outcome::kFound, "abc");
  api::GetResponse missing;
  missing.found = false;
  expect_answer(*wire, Kind::kRead, get_reply(missing), Outcome::kMissing, "");
  missing.__set_error("later");
  expect_answer(*wire, Kind::kRead, get_reply(missing), Outcome::kRefused, "UNNAMED");
  missing.__set_error_code("BUSY");
  expect_answer(*wire, Kind::kRead, get_reply(missing), Outcome::kRefused, "BUSY");
}

TEST(ThriftWire, ReadsRepliesToWritesHoweverTheyArrive) {
  const auto wire = make_thrift_wire(kSizes);
  api::SetResponse set;
  set.success = true;
  set.__set_committed_version(7);
  expect_answer(*wire, Kind::kWrite, reply<api::TransactionalKV_setKey_result>("setKey", set),
                Outcome::kDone, "");
  api::AtomicCommitResponse commit;
  commit.success = true;
  commit.__set_committed_version(7);
  commit.__set_results(std::vector<api::OperationResult>(3));
  commit.results[1].__set_generated("generated");
  const auto bytes = [&] {
    return reply<api::TransactionalKV_atomicCommit_result>("atomicCommit", commit);
  };
  expect_answer(*wire, Kind::kLoad, bytes(), Outcome::kDone, "");
  commit.success = false;
  commit.__set_error_code("MEMORY_FULL");
  commit.__set_error("full");
  expect_answer(*wire, Kind::kLoad, bytes(), Outcome::kRefused, "MEMORY_FULL");
}

TEST(ThriftWire, ReadsAnExceptionAsARefusal) {
  const auto wire = make_thrift_wire(kSizes);
  const apache::thrift::TApplicationException exception("unknown method");
  expect_answer(*wire, Kind::kRead,
                framed(
                    "get", [&](Binary& protocol) { exception.write(&protocol); },
                    apache::thrift::protocol::T_EXCEPTION),
                Outcome::kRefused, "EXCEPTION");
}

TEST(ThriftWire, RefusesWhatIsNoAnswer) {
  const auto wire = make_thrift_wire(kSizes);
  Answer answer;
  EXPECT_EQ(wire->parse(found_reply("abc"), Kind::kWrite, answer), BenchWire::kBroken);
  EXPECT_EQ(wire->parse(base::Bytes(8, '\xff'), Kind::kRead, answer), BenchWire::kBroken);
  EXPECT_EQ(wire->parse(base::Bytes(8, '\0'), Kind::kRead, answer), BenchWire::kBroken);
}

TEST(Wires, SurviveDamagedAnswers) {
  const auto thrift = make_thrift_wire(kSizes);
  const auto resp = make_resp_wire(kSizes);
  base::Random random(5);
  for (int i = 0; i < 20'000; ++i) {
    for (const auto* wire : {thrift.get(), resp.get()}) {
      base::Bytes bytes = wire == resp.get() ? "$8\r\nabcdefgh\r\n" : found_reply("abcdefgh");
      for (std::uint64_t hits = 1 + random.below(3); hits > 0; --hits) {
        bytes[random.below(bytes.size())] = static_cast<char>(random.next());
      }
      Answer answer;
      const std::size_t size = wire->parse(bytes, Kind::kRead, answer);
      EXPECT_TRUE(size == BenchWire::kBroken || size <= bytes.size());
    }
  }
}

}  // namespace
}  // namespace synod::client
