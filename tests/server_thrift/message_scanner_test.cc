// SPDX-License-Identifier: Apache-2.0
#include "server/thrift/message_scanner.h"

#include <gtest/gtest.h>
#include <thrift/protocol/TBinaryProtocol.h>
#include <thrift/protocol/TCompactProtocol.h>
#include <thrift/transport/TBufferTransports.h>

#include <memory>

#include "base/random.h"
#include "tests/server_thrift/golden.h"

namespace synod::server {
namespace {

using apache::thrift::protocol::TBinaryProtocol;
using apache::thrift::protocol::TCompactProtocol;
using apache::thrift::protocol::TMessageType;
using apache::thrift::protocol::TProtocol;
using apache::thrift::protocol::TType;
using apache::thrift::transport::TMemoryBuffer;
using State = MessageScanner::State;

/// The result for the whole text at once.
State scan_whole(const std::string& text, std::size_t& end, MessageScanner::Limits limits = {}) {
  MessageScanner scanner(limits);
  const State state = scanner.scan(text);
  end = state == State::kComplete ? scanner.message_bytes() : 0;
  return state;
}

/// Writes values of every type that a struct can hold, nested up to `depth`.
class RandomWriter {
 public:
  RandomWriter(base::Random& random, TProtocol& out) : random_(random), out_(out) {}

  void message() {
    out_.writeMessageBegin(std::string(random_.below(20), 'm'), TMessageType::T_CALL,
                           static_cast<std::int32_t>(random_.next()));
    fields(6);
    out_.writeMessageEnd();
  }

 private:
  void fields(int depth) {
    out_.writeStructBegin("");
    const std::uint64_t count = random_.below(5);
    std::int16_t id = 0;
    for (std::uint64_t i = 0; i < count; ++i) {
      id = static_cast<std::int16_t>(id + random_.between(1, 40));
      const TType type = pick(depth);
      out_.writeFieldBegin("", type, id);
      value(type, depth);
      out_.writeFieldEnd();
    }
    out_.writeFieldStop();
    out_.writeStructEnd();
  }
  TType pick(int depth) {
    static constexpr TType kAll[] = {TType::T_BOOL,   TType::T_BYTE,   TType::T_I16,
                                     TType::T_I32,    TType::T_I64,    TType::T_DOUBLE,
                                     TType::T_STRING, TType::T_STRUCT, TType::T_LIST,
                                     TType::T_SET,    TType::T_MAP};
    return kAll[random_.below(depth > 0 ? 11 : 7)];
  }
  void value(TType type, int depth) {
    switch (type) {
      case TType::T_BOOL:
        out_.writeBool(random_.chance(0.5));
        return;
      case TType::T_BYTE:
        out_.writeByte(static_cast<std::int8_t>(random_.next()));
        return;
      case TType::T_I16:
        out_.writeI16(static_cast<std::int16_t>(random_.next()));
        return;
      case TType::T_I32:
        out_.writeI32(static_cast<std::int32_t>(random_.next() >> random_.below(32)));
        return;
      case TType::T_I64:
        out_.writeI64(static_cast<std::int64_t>(random_.next() >> random_.below(64)));
        return;
      case TType::T_DOUBLE:
        out_.writeDouble(random_.unit());
        return;
      case TType::T_STRING:
        out_.writeBinary(std::string(random_.below(random_.chance(0.1) ? 400 : 6), 's'));
        return;
      case TType::T_STRUCT:
        fields(depth - 1);
        return;
      case TType::T_LIST:
        elements(depth, [&](TType element, std::uint32_t n) { out_.writeListBegin(element, n); });
        return;
      case TType::T_SET:
        elements(depth, [&](TType element, std::uint32_t n) { out_.writeSetBegin(element, n); });
        return;
      default:
        map(depth);
    }
  }
  template <class Begin>
  void elements(int depth, const Begin& begin) {
    const TType element = pick(depth - 1);
    const auto count = static_cast<std::uint32_t>(random_.below(20));
    begin(element, count);
    for (std::uint32_t i = 0; i < count; ++i) value(element, depth - 1);
  }
  void map(int depth) {
    const TType key = pick(depth - 1);
    const TType mapped = pick(depth - 1);
    const auto count = static_cast<std::uint32_t>(random_.below(8));
    out_.writeMapBegin(key, mapped, count);
    for (std::uint32_t i = 0; i < count; ++i) {
      value(key, depth - 1);
      value(mapped, depth - 1);
    }
  }

  base::Random& random_;
  TProtocol& out_;
};

template <class Protocol>
std::string random_message(base::Random& random) {
  auto buffer = std::make_shared<TMemoryBuffer>();
  Protocol out(buffer);
  RandomWriter(random, out).message();
  return buffer->getBufferAsString();
}

std::string framed(const std::string& message) {
  std::string out;
  base::append_be32(out, static_cast<std::uint32_t>(message.size()));
  return out + message;
}

/// The end libthrift's own skip finds.
template <class Protocol>
std::size_t libthrift_end(const std::string& text) {
  auto buffer = std::make_shared<TMemoryBuffer>(
      reinterpret_cast<std::uint8_t*>(const_cast<char*>(text.data())),
      static_cast<std::uint32_t>(text.size()));
  Protocol in(buffer);
  std::string name;
  TMessageType type{};
  std::int32_t seqid = 0;
  in.readMessageBegin(name, type, seqid);
  in.skip(TType::T_STRUCT);
  return text.size() - buffer->available_read();
}

TEST(MessageScanner, FindsTheEndOfGoldenMessages) {
  for (const Golden& golden : golden_messages()) {
    for (const char* hex : {golden.call, golden.reply}) {
      const std::string message = from_hex(hex);
      std::size_t end = 0;
      EXPECT_EQ(scan_whole(message + message, end), State::kComplete) << golden.name;
      EXPECT_EQ(end, message.size()) << golden.name;
    }
  }
}

/// Checks one message in all formats: whole, with a tail, and cut at every byte.
template <class Protocol>
void expect_same_end_everywhere(const std::string& message, bool frame) {
  const std::string text = frame ? framed(message) : message;
  std::size_t end = 0;
  ASSERT_EQ(scan_whole(text + "\x80\x01 tail", end), State::kComplete);
  ASSERT_EQ(end, text.size());
  if (!frame) {
    ASSERT_EQ(end, libthrift_end<Protocol>(text + "tail"));
  }
  MessageScanner bytewise({});
  for (std::size_t size = 0; size < text.size(); ++size) {
    ASSERT_EQ(bytewise.scan(base::BytesView(text).substr(0, size)), State::kNeedMore) << size;
  }
  ASSERT_EQ(bytewise.scan(text), State::kComplete);
  ASSERT_EQ(bytewise.message_bytes(), text.size());
  ASSERT_EQ(bytewise.format().framed, frame);
}

TEST(MessageScanner, AgreesWithLibthriftOnRandomMessagesHoweverTheyAreCut) {
  base::Random random(7);
  for (int i = 0; i < 400; ++i) {
    const bool frame = i % 4 == 0;
    expect_same_end_everywhere<TBinaryProtocol>(random_message<TBinaryProtocol>(random), frame);
    expect_same_end_everywhere<TCompactProtocol>(random_message<TCompactProtocol>(random), frame);
    if (HasFatalFailure()) FAIL() << "message " << i;
  }
}

TEST(MessageScanner, GivesTheSameVerdictOnMutatedMessagesHoweverTheyAreCut) {
  base::Random random(8);
  MessageScanner::Limits limits;
  limits.message_bytes_max = 4096;
  for (int i = 0; i < 4000; ++i) {
    std::string text = i % 2 == 0 ? random_message<TBinaryProtocol>(random)
                                  : random_message<TCompactProtocol>(random);
    for (int flips = 0; flips < 3; ++flips) {
      text[random.below(text.size())] = static_cast<char>(random.next());
    }
    std::size_t end = 0;
    const State whole = scan_whole(text, end, limits);
    MessageScanner pieces(limits);
    State last = State::kNeedMore;
    for (std::size_t size = 0; size <= text.size() && last == State::kNeedMore;
         size += 1 + random.below(9)) {
      last = pieces.scan(base::BytesView(text).substr(0, size));
    }
    if (last == State::kNeedMore) last = pieces.scan(text);
    ASSERT_EQ(last, whole) << i;
    if (whole == State::kComplete) {
      ASSERT_EQ(pieces.message_bytes(), end);
      ASSERT_LE(end, limits.message_bytes_max);
    }
  }
}

TEST(MessageScanner, TellsTheFourFormatsApart) {
  base::Random random(9);
  const std::string binary = random_message<TBinaryProtocol>(random);
  const std::string compact = random_message<TCompactProtocol>(random);
  const auto format_of = [](const std::string& text) {
    MessageScanner scanner({});
    EXPECT_EQ(scanner.scan(text), State::kComplete);
    return scanner.format();
  };
  using Protocol = WireFormat::Protocol;
  EXPECT_EQ(format_of(binary), (WireFormat{Protocol::kBinary, false}));
  EXPECT_EQ(format_of(compact), (WireFormat{Protocol::kCompact, false}));
  EXPECT_EQ(format_of(framed(binary)), (WireFormat{Protocol::kBinary, true}));
  EXPECT_EQ(format_of(framed(compact)), (WireFormat{Protocol::kCompact, true}));
}

TEST(MessageScanner, RefusesWhatIsNoThrift) {
  std::size_t end = 0;
  for (const char* text : {"GET / HTTP/1.1\r\n", "*1\r\n$4\r\nPING\r\n", "PRI * HTTP/2.0",
                           "\x16\x03\x01", "\x80\x02", "\x82\x02", "\xff"}) {
    EXPECT_EQ(scan_whole(text, end), State::kRefused) << text;
  }
  EXPECT_EQ(scan_whole(from_hex("00000003 676574"), end), State::kRefused);  // unversioned binary
  EXPECT_EQ(scan_whole(from_hex("00000001 80"), end), State::kRefused);
  EXPECT_EQ(scan_whole(from_hex("00000000"), end), State::kRefused);
  EXPECT_EQ(scan_whole(from_hex("00000020 0fff00000001"), end), State::kRefused);
}

TEST(MessageScanner, WaitsForTheBytesThatDecide) {
  std::size_t end = 0;
  EXPECT_EQ(scan_whole("", end), State::kNeedMore);
  EXPECT_EQ(scan_whole(from_hex("80"), end), State::kNeedMore);
  EXPECT_EQ(scan_whole(from_hex("82"), end), State::kNeedMore);
  EXPECT_EQ(scan_whole(from_hex("00000020 80"), end), State::kNeedMore);
}

/// A binary message header and the start of its arguments, with room for more hex.
std::string binary_call(const std::string& rest) {
  return from_hex("80010001 00000003 676574 00000001") + from_hex(rest);
}

TEST(MessageScanner, RefusesClaimsAboveTheLimitAtOnce) {
  std::size_t end = 0;
  const auto refused = [&end](const std::string& text) {
    return scan_whole(text, end) == State::kRefused;
  };
  EXPECT_TRUE(refused(from_hex("7fffffff")));                           // frame of 2 GiB
  EXPECT_TRUE(refused(from_hex("80010001 7fffffff")));                  // name
  EXPECT_TRUE(refused(from_hex("80010001 ffffffff")));                  // negative name
  EXPECT_TRUE(refused(binary_call("0b0001 7fffffff")));                 // string
  EXPECT_TRUE(refused(binary_call("0b0001 ffffffff")));                 // negative string
  EXPECT_TRUE(refused(binary_call("0f0001 02 7fffffff")));              // bools
  EXPECT_TRUE(refused(binary_call("0f0001 0c 7fffffff")));              // structs
  EXPECT_TRUE(refused(binary_call("0f0001 0f ffffffff")));              // lists
  EXPECT_TRUE(refused(binary_call("0d0001 0a0a 00ffffff")));            // map of i64 to i64
  EXPECT_TRUE(refused(from_hex("8221 01 ffffffffffffffffff01")));       // compact name
  EXPECT_TRUE(refused(from_hex("8221 01 03676574 18 ffffffff0f")));     // compact string
  EXPECT_TRUE(refused(from_hex("8221 01 03676574 19 fc ffffffff0f")));  // compact structs
  EXPECT_TRUE(refused(from_hex("8221 01 03676574 19 f1 ffffffff0f")));  // compact bools
  EXPECT_TRUE(refused(from_hex("8221 01 03676574 1b ffffffff0f 11")));  // compact map
  EXPECT_TRUE(refused(from_hex("8221 01 03676574 16 ffffffffffffffffffffff")));  // endless varint
}

TEST(MessageScanner, BoundsTheWholeMessageNotOnlyItsParts) {
  MessageScanner::Limits limits;
  limits.message_bytes_max = 100;
  std::string text = binary_call("");
  while (text.size() < 200) text += from_hex("0b0001 00000001 78");
  std::size_t end = 0;
  EXPECT_EQ(scan_whole(text, end, limits), State::kRefused);
  std::string bools = binary_call("");
  while (bools.size() < 200) bools += from_hex("020001 01");
  EXPECT_EQ(scan_whole(bools, end, limits), State::kRefused);
}

TEST(MessageScanner, AcceptsTheDeepestNestingAndRefusesOneMore) {
  const auto nested = [](std::size_t depth) {
    std::string text = binary_call("");
    for (std::size_t i = 1; i < depth; ++i) text += from_hex("0c0001");
    return text + std::string(depth, '\0');
  };
  std::size_t end = 0;
  EXPECT_EQ(scan_whole(nested(64), end), State::kComplete);
  EXPECT_EQ(scan_whole(nested(65), end), State::kRefused);
}

TEST(MessageScanner, FindsMessageAfterMessage) {
  base::Random random(10);
  std::string stream;
  std::vector<std::size_t> ends;
  for (int i = 0; i < 200; ++i) {
    stream += random_message<TBinaryProtocol>(random);
    ends.push_back(stream.size());
  }
  MessageScanner scanner({});
  std::size_t at = 0;
  for (const std::size_t end : ends) {
    ASSERT_EQ(scanner.scan(base::BytesView(stream).substr(at)), State::kComplete);
    at += scanner.message_bytes();
    ASSERT_EQ(at, end);
    scanner.reset();
  }
}

TEST(MessageScanner, StaysRefused) {
  MessageScanner scanner({});
  EXPECT_EQ(scanner.scan("HELP"), State::kRefused);
  EXPECT_EQ(scanner.scan("HELP ME"), State::kRefused);
  EXPECT_FALSE(scanner.refusal().empty());
}

}  // namespace
}  // namespace synod::server
