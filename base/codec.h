// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cereal/cereal.hpp>

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <type_traits>
#include <vector>

#include "base/bytes.h"
#include "base/status.h"

namespace synod::base {

inline constexpr std::size_t kVarintBytesMax = 10;
/// Writes a varint at `at`, which has room for kVarintBytesMax, and returns its length.
std::size_t store_varint(char* at, std::uint64_t value);
/// What is written for a signed integer: small for small magnitudes.
[[nodiscard]] constexpr std::uint64_t zigzag(std::int64_t value) {
  return (static_cast<std::uint64_t>(value) << 1) ^ static_cast<std::uint64_t>(value >> 63);
}

/// cereal archives of our own: compact (integers as LEB128 varints, signed ones zigzag), without
/// a header, and bounded: a length read from the input is checked against the bytes that are left
/// before anything is allocated, and containers grow only as their elements really arrive.
///
/// Format
///   bool, uint8, enum8  1 byte            uint16..uint64  varint (<= 10 bytes)
///   int16..int64        zigzag varint     string          varint length, bytes
///   vector<T>           varint count, T…  optional<T>     bool, T if true
///   array<char, N>      N bytes
///
/// Threads: externally synchronized. Failure: reading throws DecodeError inside `decode`, which
/// turns it into a Status; nothing else lets it escape.
class Encoder : public cereal::OutputArchive<Encoder, cereal::AllowEmptyClassElision> {
 public:
  explicit Encoder(Bytes& out) : OutputArchive(this), out_(out) {}
  void put_bytes(const void* data, std::size_t size) {
    out_.append(static_cast<const char*>(data), size);
  }
  void put_varint(std::uint64_t value);

 private:
  Bytes& out_;
};

struct DecodeError {
  const char* what;
};

class Decoder : public cereal::InputArchive<Decoder, cereal::AllowEmptyClassElision> {
 public:
  explicit Decoder(BytesView in) : InputArchive(this), in_(in) {}
  [[nodiscard]] BytesView take(std::uint64_t size);
  [[nodiscard]] std::uint64_t take_varint();
  /// A count of elements that each need at least one byte; DecodeError if they cannot be there.
  [[nodiscard]] std::uint64_t take_count();
  [[nodiscard]] std::size_t remaining() const { return in_.size(); }
  [[noreturn]] static void fail(const char* what) { throw DecodeError{what}; }

 private:
  BytesView in_;
};

/// Decodes all of `in` as one T. kCorruption if it is malformed, truncated or longer than T.
template <class T>
[[nodiscard]] Result<T> decode(BytesView in) {
  try {
    Decoder decoder(in);
    T value{};
    decoder(value);
    if (decoder.remaining() != 0) {
      return Status(StatusCode::kCorruption, "bytes follow the encoded value");
    }
    return value;
  } catch (const DecodeError& error) {
    return Status(StatusCode::kCorruption, error.what);
  }
}

template <class T>
[[nodiscard]] Bytes encode(const T& value) {
  Bytes out;
  Encoder encoder(out);
  encoder(value);
  return out;
}

}  // namespace synod::base

namespace cereal {

using synod::base::Decoder;
using synod::base::Encoder;

template <class T>
requires(std::is_integral_v<T>) void CEREAL_SAVE_FUNCTION_NAME(Encoder& ar, const T& value) {
  if constexpr (sizeof(T) == 1) {
    ar.put_bytes(&value, 1);
  } else if constexpr (std::is_signed_v<T>) {
    ar.put_varint(synod::base::zigzag(value));
  } else {
    ar.put_varint(value);
  }
}

template <class T>
requires(std::is_integral_v<T>) void CEREAL_LOAD_FUNCTION_NAME(Decoder& ar, T& value) {
  if constexpr (std::is_same_v<T, bool>) {
    const char byte = ar.take(1)[0];
    if (byte != 0 && byte != 1) Decoder::fail("a boolean is neither 0 nor 1");
    value = byte == 1;
  } else if constexpr (sizeof(T) == 1) {
    value = static_cast<T>(ar.take(1)[0]);
  } else {
    const std::uint64_t raw = ar.take_varint();
    if constexpr (std::is_signed_v<T>) {
      const auto wide = static_cast<std::int64_t>((raw >> 1) ^ (~(raw & 1) + 1));
      value = static_cast<T>(wide);
      if (static_cast<std::int64_t>(value) != wide) Decoder::fail("an integer is out of range");
    } else {
      value = static_cast<T>(raw);
      if (static_cast<std::uint64_t>(value) != raw) Decoder::fail("an integer is out of range");
    }
  }
}

template <class T>
requires(std::is_enum_v<T> && sizeof(T) == 1) std::uint8_t
    CEREAL_SAVE_MINIMAL_FUNCTION_NAME(const Encoder&, const T& value) {
  return static_cast<std::uint8_t>(value);
}
template <class T>
requires(std::is_enum_v<T> &&
         sizeof(T) == 1) void CEREAL_LOAD_MINIMAL_FUNCTION_NAME(const Decoder&, T& value,
                                                                const std::uint8_t& raw) {
  value = static_cast<T>(raw);
}

inline void CEREAL_SAVE_FUNCTION_NAME(Encoder& ar, const std::string& value) {
  ar.put_varint(value.size());
  ar.put_bytes(value.data(), value.size());
}
inline void CEREAL_LOAD_FUNCTION_NAME(Decoder& ar, std::string& value) {
  value.assign(ar.take(ar.take_varint()));
}

template <std::size_t N>
void CEREAL_SAVE_FUNCTION_NAME(Encoder& ar, const std::array<char, N>& value) {
  ar.put_bytes(value.data(), N);
}
template <std::size_t N>
void CEREAL_LOAD_FUNCTION_NAME(Decoder& ar, std::array<char, N>& value) {
  const auto bytes = ar.take(N);
  std::copy(bytes.begin(), bytes.end(), value.begin());
}

template <class T>
void CEREAL_SAVE_FUNCTION_NAME(Encoder& ar, const std::vector<T>& value) {
  ar.put_varint(value.size());
  for (const auto& element : value) ar(element);
}
template <class T>
void CEREAL_LOAD_FUNCTION_NAME(Decoder& ar, std::vector<T>& value) {
  const std::uint64_t count = ar.take_count();
  value.clear();
  for (std::uint64_t i = 0; i < count; ++i) {
    value.emplace_back();
    ar(value.back());
  }
}

template <class T>
void CEREAL_SAVE_FUNCTION_NAME(Encoder& ar, const std::optional<T>& value) {
  ar(value.has_value());
  if (value) ar(*value);
}
template <class T>
void CEREAL_LOAD_FUNCTION_NAME(Decoder& ar, std::optional<T>& value) {
  bool present = false;
  ar(present);
  value.reset();
  if (present) ar(value.emplace());
}

}  // namespace cereal

CEREAL_REGISTER_ARCHIVE(synod::base::Encoder)
CEREAL_REGISTER_ARCHIVE(synod::base::Decoder)
CEREAL_SETUP_ARCHIVE_TRAITS(synod::base::Decoder, synod::base::Encoder)
