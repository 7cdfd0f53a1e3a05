// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "base/bytes.h"

namespace synod::server {

/// How a client writes its messages; it gets its replies the same way.
struct WireFormat {
  enum class Protocol : std::uint8_t { kBinary, kCompact };
  Protocol protocol = Protocol::kBinary;
  bool framed = false;
  bool operator==(const WireFormat&) const = default;
};

/// Finds the end of one Thrift message in a growing run of bytes, without decoding it.
///
/// The first bytes tell the format: `80 01` strict binary and `82` compact, bare or behind the
/// four-byte length of a frame. Everything else is refused, as is a message above a limit: what a
/// length claims is compared with the limit before anybody allocates for it. A framed message is
/// as long as its frame says; in an unframed one the types are walked, and what was walked is
/// remembered, so that a message that arrives byte by byte costs no more than one that arrives
/// whole.
///
/// Invariants
///   MS1  The result depends on the bytes alone, not on how they were cut.
///   MS2  Work is linear in the bytes seen, memory in the depth.
///   MS3  kComplete implies message_bytes() <= message_bytes_max.
///
/// Threads: externally synchronized. Failure: kRefused with a reason; the stream is then lost.
class MessageScanner {
 public:
  struct Limits {
    std::size_t message_bytes_max = 20U << 20;  ///< Frame header included.
    std::size_t depth_max = 64;  ///< Structs, lists, sets and maps inside each other.
  };
  enum class State : std::uint8_t { kNeedMore, kComplete, kRefused };

  explicit MessageScanner(const Limits& limits) : limits_(limits) {}

  /// `unread` begins with the message and extends what the previous call saw.
  [[nodiscard]] State scan(base::BytesView unread);
  /// Forgets the message: the next one is looked for.
  void reset();

  /// REQUIRES: the last scan said kComplete.
  [[nodiscard]] std::size_t message_bytes() const { return end_; }
  [[nodiscard]] const WireFormat& format() const { return format_; }
  /// Why the last scan said kRefused.
  [[nodiscard]] const std::string& refusal() const { return refusal_; }

 private:
  /// A kind of value, the same for both protocols.
  enum class Kind : std::uint8_t {
    kFixed1,
    kFixed2,
    kFixed4,
    kFixed8,
    kVarint,
    kString,
    kStruct,
    kList,
    kMap,
    kNothing,  ///< A compact bool field: its value is in the field header.
    kInvalid,
  };
  /// What is being walked: a struct, or a container with `left` values to come.
  struct Level {
    bool is_struct = true;
    std::uint32_t left = 0;
    Kind first = Kind::kInvalid;   ///< Of elements, or of keys.
    Kind second = Kind::kInvalid;  ///< Of a map's values: kinds alternate.
  };
  enum class Phase : std::uint8_t { kDetect, kHeader, kBody, kFrame, kDone };
  /// What a step of the walk found.
  enum class Walk : std::uint8_t { kOn, kWait, kEnd, kStop };

  [[nodiscard]] Walk step();
  [[nodiscard]] Walk detect();
  [[nodiscard]] Walk detect_frame();
  [[nodiscard]] Walk header();
  [[nodiscard]] Walk body();
  [[nodiscard]] Walk binary_field();
  [[nodiscard]] Walk compact_field();
  [[nodiscard]] Walk value(Kind kind);
  [[nodiscard]] Walk binary_container(bool map);
  [[nodiscard]] Walk compact_container(bool map);
  [[nodiscard]] Walk open_container(std::uint64_t count, Kind first, Kind second);
  [[nodiscard]] Walk skip_string();
  /// Moves `next_` by `bytes`, perhaps beyond what has arrived.
  [[nodiscard]] Walk skip(std::uint64_t bytes);
  [[nodiscard]] Walk push(const Level& level);
  [[nodiscard]] Walk refuse(std::string reason);
  [[nodiscard]] Walk refuse_size(std::uint64_t bytes);

  /// Reads a varint at `at` without moving; kOn with its length in `size`, kWait or kStop.
  [[nodiscard]] Walk peek_varint(std::size_t at, std::uint64_t& number, std::size_t& size);
  [[nodiscard]] bool has(std::size_t bytes) const { return bytes_.size() - next_ >= bytes; }
  [[nodiscard]] std::uint8_t byte(std::size_t at) const {
    return static_cast<std::uint8_t>(bytes_[at]);
  }
  [[nodiscard]] static Kind binary_kind(std::uint8_t type);
  [[nodiscard]] static Kind compact_kind(std::uint8_t type);
  [[nodiscard]] static std::uint64_t smallest(Kind kind);

  const Limits limits_;
  WireFormat format_;
  Phase phase_ = Phase::kDetect;
  std::string refusal_;
  std::size_t end_ = 0;        ///< kFrame, kDone: where the message ends.
  std::size_t next_ = 0;       ///< The first byte not yet walked over.
  std::vector<Level> levels_;  ///< Innermost last.
  base::BytesView bytes_;      ///< Only valid inside scan().
};

}  // namespace synod::server
