// SPDX-License-Identifier: Apache-2.0
#include "server/thrift/message_scanner.h"

#include <utility>

#include "base/text.h"

namespace synod::server {
namespace {

constexpr std::uint8_t kCompactId = 0x82;
constexpr std::uint8_t kCompactVersion = 1;
constexpr std::size_t kFrameHeader = 4;
constexpr std::size_t kVarintMax = 10;

bool is_binary_start(std::uint8_t first, std::uint8_t second) {
  return first == 0x80 && second == 0x01;
}
bool is_compact_start(std::uint8_t first, std::uint8_t second) {
  return first == kCompactId && (second & 0x1f) == kCompactVersion;
}

}  // namespace

void MessageScanner::reset() {
  phase_ = Phase::kDetect;
  next_ = 0;
  end_ = 0;
  levels_.clear();
}

MessageScanner::State MessageScanner::scan(base::BytesView unread) {
  bytes_ = unread;
  if (!refusal_.empty()) return State::kRefused;
  // A string whose end has not arrived leaves next_ beyond the bytes.
  while (next_ <= bytes_.size()) {
    switch (step()) {
      case Walk::kOn:
        continue;
      case Walk::kWait:
        return State::kNeedMore;
      case Walk::kEnd:
        return State::kComplete;
      case Walk::kStop:
        return State::kRefused;
    }
  }
  return State::kNeedMore;
}

MessageScanner::Walk MessageScanner::step() {
  switch (phase_) {
    case Phase::kDetect:
      return detect();
    case Phase::kHeader:
      return header();
    case Phase::kBody:
      return body();
    case Phase::kFrame:
      if (bytes_.size() < end_) return Walk::kWait;
      phase_ = Phase::kDone;
      return Walk::kEnd;
    case Phase::kDone:
      return Walk::kEnd;
  }
  return Walk::kEnd;
}

// ---- the first bytes

MessageScanner::Walk MessageScanner::detect() {
  if (!has(1)) return Walk::kWait;
  if (byte(0) != 0x80 && byte(0) != kCompactId) return detect_frame();
  if (!has(2)) return Walk::kWait;
  format_.framed = false;
  if (is_binary_start(byte(0), byte(1))) {
    format_.protocol = WireFormat::Protocol::kBinary;
  } else if (is_compact_start(byte(0), byte(1))) {
    format_.protocol = WireFormat::Protocol::kCompact;
  } else {
    return refuse("neither strict binary nor compact version 1");
  }
  phase_ = Phase::kHeader;
  return Walk::kOn;
}

MessageScanner::Walk MessageScanner::detect_frame() {
  // Text and other protocols claim absurd frames: most are known by their first byte.
  if ((std::uint64_t{byte(0)} << 24) > limits_.message_bytes_max) {
    return refuse("the first bytes are no Thrift message");
  }
  if (!has(kFrameHeader)) return Walk::kWait;
  const std::uint64_t size = base::load_be32(bytes_.data());
  if (size + kFrameHeader > limits_.message_bytes_max) return refuse_size(size + kFrameHeader);
  if (size < 2) return refuse("a frame too short for a message");
  if (!has(kFrameHeader + 2)) return Walk::kWait;
  format_.framed = true;
  if (is_binary_start(byte(kFrameHeader), byte(kFrameHeader + 1))) {
    format_.protocol = WireFormat::Protocol::kBinary;
  } else if (is_compact_start(byte(kFrameHeader), byte(kFrameHeader + 1))) {
    format_.protocol = WireFormat::Protocol::kCompact;
  } else {
    return refuse("a frame that holds neither strict binary nor compact version 1");
  }
  end_ = kFrameHeader + static_cast<std::size_t>(size);
  phase_ = Phase::kFrame;
  return Walk::kOn;
}

MessageScanner::Walk MessageScanner::header() {
  if (format_.protocol == WireFormat::Protocol::kBinary) {
    // version and type, name length, name, sequence id
    if (!has(8)) return Walk::kWait;
    const std::uint64_t name = base::load_be32(bytes_.data() + 4);
    if (const Walk walk = skip(8 + name + 4); walk != Walk::kOn) return walk;
  } else {
    // protocol id, version and type, varint sequence id, varint name length, name
    std::uint64_t number = 0;
    std::size_t sequence_size = 0;
    std::size_t name_size = 0;
    if (const Walk walk = peek_varint(2, number, sequence_size); walk != Walk::kOn) return walk;
    if (const Walk walk = peek_varint(2 + sequence_size, number, name_size); walk != Walk::kOn) {
      return walk;
    }
    if (number > limits_.message_bytes_max) return refuse_size(number);
    if (const Walk walk = skip(2 + sequence_size + name_size + number); walk != Walk::kOn) {
      return walk;
    }
  }
  phase_ = Phase::kBody;
  return push(Level{});
}

// ---- the struct of arguments

MessageScanner::Walk MessageScanner::body() {
  if (levels_.empty()) {
    end_ = next_;
    phase_ = Phase::kDone;
    return Walk::kEnd;
  }
  Level& level = levels_.back();
  if (level.is_struct) {
    return format_.protocol == WireFormat::Protocol::kBinary ? binary_field() : compact_field();
  }
  if (level.left == 0) {
    levels_.pop_back();
    return Walk::kOn;
  }
  // Looked up before value(), which may push and move the levels.
  const std::size_t depth = levels_.size();
  const Walk walk = value(level.first);
  if (walk == Walk::kOn) {
    Level& same = levels_[depth - 1];
    --same.left;
    std::swap(same.first, same.second);
  }
  return walk;
}

MessageScanner::Walk MessageScanner::binary_field() {
  if (!has(1)) return Walk::kWait;
  if (byte(next_) == 0) {
    levels_.pop_back();
    return skip(1);
  }
  const Kind kind = binary_kind(byte(next_));
  if (kind == Kind::kInvalid) return refuse("a field of an unknown type");
  // A container's header is read together with the field's, so that a wait changes nothing.
  const std::size_t start = next_;
  if (!has(3)) return Walk::kWait;
  Walk walk = skip(3);
  if (walk == Walk::kOn) walk = value(kind);
  if (walk == Walk::kWait) next_ = start;
  return walk;
}

MessageScanner::Walk MessageScanner::compact_field() {
  if (!has(1)) return Walk::kWait;
  const std::uint8_t head = byte(next_);
  if ((head & 0x0f) == 0) {
    levels_.pop_back();
    return skip(1);
  }
  const bool is_bool = (head & 0x0f) <= 2;
  const Kind kind = is_bool ? Kind::kNothing : compact_kind(head & 0x0f);
  if (kind == Kind::kInvalid) return refuse("a field of an unknown type");
  const std::size_t start = next_;
  std::size_t id_size = 0;
  if ((head >> 4) == 0) {  // no delta: the id follows
    std::uint64_t id = 0;
    if (const Walk walk = peek_varint(next_ + 1, id, id_size); walk != Walk::kOn) return walk;
  }
  Walk walk = skip(1 + id_size);
  if (walk == Walk::kOn) walk = value(kind);
  if (walk == Walk::kWait) next_ = start;
  return walk;
}

MessageScanner::Walk MessageScanner::value(Kind kind) {
  switch (kind) {
    case Kind::kNothing:
      return Walk::kOn;
    case Kind::kFixed1:
      return skip(1);
    case Kind::kFixed2:
      return skip(2);
    case Kind::kFixed4:
      return skip(4);
    case Kind::kFixed8:
      return skip(8);
    case Kind::kVarint: {
      std::uint64_t number = 0;
      std::size_t size = 0;
      const Walk walk = peek_varint(next_, number, size);
      return walk == Walk::kOn ? skip(size) : walk;
    }
    case Kind::kString:
      return skip_string();
    case Kind::kStruct:
      return push(Level{});
    case Kind::kList:
    case Kind::kMap:
      return format_.protocol == WireFormat::Protocol::kBinary
                 ? binary_container(kind == Kind::kMap)
                 : compact_container(kind == Kind::kMap);
    case Kind::kInvalid:
      break;
  }
  return refuse("a value of an unknown type");
}

MessageScanner::Walk MessageScanner::skip_string() {
  if (format_.protocol == WireFormat::Protocol::kBinary) {
    if (!has(4)) return Walk::kWait;
    return skip(4 + std::uint64_t{base::load_be32(bytes_.data() + next_)});
  }
  std::uint64_t length = 0;
  std::size_t size = 0;
  if (const Walk walk = peek_varint(next_, length, size); walk != Walk::kOn) return walk;
  if (length > limits_.message_bytes_max) return refuse_size(length);
  return skip(size + length);
}

MessageScanner::Walk MessageScanner::binary_container(bool map) {
  const std::size_t types = map ? 2 : 1;
  if (!has(types + 4)) return Walk::kWait;
  const std::uint64_t count = base::load_be32(bytes_.data() + next_ + types);
  const Kind first = binary_kind(byte(next_));
  const Kind second = map ? binary_kind(byte(next_ + 1)) : first;
  if (const Walk walk = skip(types + 4); walk != Walk::kOn) return walk;
  return open_container(map ? 2 * count : count, first, second);
}

MessageScanner::Walk MessageScanner::compact_container(bool map) {
  if (!has(1)) return Walk::kWait;
  std::uint64_t count = 0;
  std::size_t size = 0;
  if (map) {
    if (const Walk walk = peek_varint(next_, count, size); walk != Walk::kOn) return walk;
    if (count > limits_.message_bytes_max) return refuse_size(count);
    if (count == 0) return skip(size);
    if (!has(size + 1)) return Walk::kWait;
    const std::uint8_t types = byte(next_ + size);
    if (const Walk walk = skip(size + 1); walk != Walk::kOn) return walk;
    return open_container(2 * count, compact_kind(types >> 4), compact_kind(types & 0x0f));
  }
  const std::uint8_t head = byte(next_);
  count = head >> 4;
  if (count == 15) {
    if (const Walk walk = peek_varint(next_ + 1, count, size); walk != Walk::kOn) return walk;
    if (count > limits_.message_bytes_max) return refuse_size(count);
  }
  if (const Walk walk = skip(1 + size); walk != Walk::kOn) return walk;
  const Kind kind = compact_kind(head & 0x0f);
  return open_container(count, kind, kind);
}

MessageScanner::Walk MessageScanner::open_container(std::uint64_t count, Kind first, Kind second) {
  if (count == 0) return Walk::kOn;  // libthrift never looks at the types of nothing
  if (first == Kind::kInvalid || second == Kind::kInvalid) {
    return refuse("a container of an unknown type");
  }
  // Every element has at least one byte: what cannot fit is refused before it is walked.
  const std::uint64_t least =
      count / 2 * (smallest(first) + smallest(second)) + count % 2 * smallest(first);
  if (least > limits_.message_bytes_max - next_) return refuse_size(next_ + least);
  const auto fixed = [](Kind kind) { return kind <= Kind::kFixed8; };
  if (fixed(first) && fixed(second)) return skip(least);
  return push(Level{false, static_cast<std::uint32_t>(count), first, second});
}

// ---- helpers

MessageScanner::Walk MessageScanner::skip(std::uint64_t bytes) {
  if (bytes > limits_.message_bytes_max - next_) return refuse_size(next_ + bytes);
  next_ += static_cast<std::size_t>(bytes);
  return Walk::kOn;
}

MessageScanner::Walk MessageScanner::push(const Level& level) {
  if (levels_.size() >= limits_.depth_max) {
    return refuse(base::concat("nested deeper than depth_max = ", limits_.depth_max));
  }
  levels_.push_back(level);
  return Walk::kOn;
}

MessageScanner::Walk MessageScanner::refuse(std::string reason) {
  refusal_ = std::move(reason);
  return Walk::kStop;
}

MessageScanner::Walk MessageScanner::refuse_size(std::uint64_t bytes) {
  return refuse(base::concat("a message of at least ", bytes,
                             " bytes, above message_bytes_max = ", limits_.message_bytes_max));
}

MessageScanner::Walk MessageScanner::peek_varint(std::size_t at, std::uint64_t& number,
                                                 std::size_t& size) {
  number = 0;
  for (size = 1; size <= kVarintMax; ++size) {
    if (at + size > bytes_.size()) return Walk::kWait;
    const std::uint8_t part = byte(at + size - 1);
    if (size <= 9) number |= std::uint64_t{part & 0x7fU} << (7 * (size - 1));
    if ((part & 0x80) == 0) return Walk::kOn;
  }
  return refuse("a number of more than ten bytes");
}

MessageScanner::Kind MessageScanner::binary_kind(std::uint8_t type) {
  switch (type) {
    case 2:  // bool
    case 3:  // byte
      return Kind::kFixed1;
    case 6:  // i16
      return Kind::kFixed2;
    case 8:  // i32
      return Kind::kFixed4;
    case 4:   // double
    case 10:  // i64
      return Kind::kFixed8;
    case 11:
      return Kind::kString;
    case 12:
      return Kind::kStruct;
    case 13:
      return Kind::kMap;
    case 14:  // set
    case 15:  // list
      return Kind::kList;
    default:
      return Kind::kInvalid;
  }
}

MessageScanner::Kind MessageScanner::compact_kind(std::uint8_t type) {
  switch (type) {
    case 1:  // bool: a byte when it is an element
    case 2:
    case 3:  // byte
      return Kind::kFixed1;
    case 4:  // i16
    case 5:  // i32
    case 6:  // i64
      return Kind::kVarint;
    case 7:  // double
      return Kind::kFixed8;
    case 8:
      return Kind::kString;
    case 9:   // list
    case 10:  // set
      return Kind::kList;
    case 11:
      return Kind::kMap;
    case 12:
      return Kind::kStruct;
    default:
      return Kind::kInvalid;
  }
}

/// The bytes a value has at least; for fixed kinds exactly.
std::uint64_t MessageScanner::smallest(Kind kind) {
  switch (kind) {
    case Kind::kFixed2:
      return 2;
    case Kind::kFixed4:
      return 4;
    case Kind::kFixed8:
      return 8;
    default:
      return 1;
  }
}

}  // namespace synod::server
