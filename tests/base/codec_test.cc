// SPDX-License-Identifier: Apache-2.0
#include "base/codec.h"

#include <gtest/gtest.h>

#include <array>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <vector>

#include "base/random.h"
#include "tests/base/largest_allocation.h"

namespace synod::base {
namespace {

enum class Colour : std::uint8_t { kRed, kGreen = 200 };

struct Inner {
  std::string name;
  std::optional<std::int64_t> number;
  template <class Archive>
  void serialize(Archive& ar) {
    ar(name, number);
  }
  bool operator==(const Inner&) const = default;
};

struct Everything {
  bool flag = false;
  std::uint8_t small = 0;
  std::int8_t tiny = 0;
  std::uint16_t u16 = 0;
  std::int16_t i16 = 0;
  std::uint32_t u32 = 0;
  std::int32_t i32 = 0;
  std::uint64_t u64 = 0;
  std::int64_t i64 = 0;
  Colour colour = Colour::kRed;
  std::string text;
  std::array<char, 4> fixed{};
  std::vector<Inner> inners;
  template <class Archive>
  void serialize(Archive& ar) {
    ar(flag, small, tiny, u16, i16, u32, i32, u64, i64, colour, text, fixed, inners);
  }
  bool operator==(const Everything&) const = default;
};

template <class T>
T draw(Random& random) {
  // Small and extreme values are as likely as any.
  const std::uint64_t raw = random.next() >> random.below(64);
  return static_cast<T>(random.chance(0.5) ? raw : ~raw);
}

Bytes draw_text(Random& random) {
  Bytes text(random.below(20), '\0');
  for (char& c : text) c = static_cast<char>(random.below(256));
  return text;
}

Everything draw_everything(Random& random) {
  Everything out;
  out.flag = random.chance(0.5);
  out.small = draw<std::uint8_t>(random);
  out.tiny = draw<std::int8_t>(random);
  out.u16 = draw<std::uint16_t>(random);
  out.i16 = draw<std::int16_t>(random);
  out.u32 = draw<std::uint32_t>(random);
  out.i32 = draw<std::int32_t>(random);
  out.u64 = draw<std::uint64_t>(random);
  out.i64 = draw<std::int64_t>(random);
  out.colour = random.chance(0.5) ? Colour::kRed : Colour::kGreen;
  out.text = draw_text(random);
  for (char& c : out.fixed) c = static_cast<char>(random.below(256));
  out.inners.resize(random.below(4));
  for (auto& inner : out.inners) {
    inner.name = draw_text(random);
    if (random.chance(0.5)) inner.number = draw<std::int64_t>(random);
  }
  return out;
}

TEST(Codec, EverythingComesBackAsItWas) {
  Random random(1);
  for (int i = 0; i < 5000; ++i) {
    const Everything value = draw_everything(random);
    const auto back = decode<Everything>(encode(value));
    ASSERT_TRUE(back.ok()) << back.status().to_string();
    ASSERT_EQ(*back, value);
  }
}

TEST(Codec, EveryTruncationFails) {
  Random random(2);
  for (int i = 0; i < 300; ++i) {
    const Bytes bytes = encode(draw_everything(random));
    for (std::size_t size = 0; size < bytes.size(); ++size) {
      const auto back = decode<Everything>(BytesView(bytes).substr(0, size));
      ASSERT_FALSE(back.ok());
      ASSERT_EQ(back.status().code(), StatusCode::kCorruption);
    }
  }
}

TEST(Codec, TrailingBytesFail) {
  EXPECT_FALSE(decode<std::uint32_t>(encode(std::uint32_t{7}) + "x").ok());
}

TEST(Codec, ArbitraryBytesNeverDoHarm) {
  Random random(3);
  for (int i = 0; i < 20'000; ++i) {
    Bytes bytes = encode(draw_everything(random));
    bytes[random.below(bytes.size())] = static_cast<char>(random.below(256));
    const auto back = decode<Everything>(bytes);
    if (back.ok()) static_cast<void>(encode(*back));
  }
}

template <class T>
void expect_limits_survive() {
  using Limits = std::numeric_limits<T>;
  for (const T value : {Limits::min(), Limits::max(), T{0}, T{1}, static_cast<T>(-1)}) {
    EXPECT_EQ(decode<T>(encode(value)).value(), value);
  }
}

TEST(Codec, TheEndsOfEveryIntegerComeBack) {
  expect_limits_survive<std::int8_t>();
  expect_limits_survive<std::uint8_t>();
  expect_limits_survive<std::int16_t>();
  expect_limits_survive<std::uint16_t>();
  expect_limits_survive<std::int32_t>();
  expect_limits_survive<std::uint32_t>();
  expect_limits_survive<std::int64_t>();
  expect_limits_survive<std::uint64_t>();
}

// The format is on disk: these bytes must not change.
TEST(Codec, FormatIsFixed) {
  EXPECT_EQ(encode(std::uint32_t{300}), "\xac\x02");
  EXPECT_EQ(encode(std::int32_t{-1}), "\x01");
  EXPECT_EQ(encode(std::int32_t{1}), "\x02");
  EXPECT_EQ(encode(std::string("ab")),
            "\x02"
            "ab");
  EXPECT_EQ(encode(std::vector<std::uint16_t>{1, 2}), "\x02\x01\x02");
  EXPECT_EQ(encode(std::optional<std::uint16_t>{}), Bytes(1, '\0'));
  EXPECT_EQ(encode(std::optional<std::uint16_t>{5}), "\x01\x05");
  EXPECT_EQ(encode(true), "\x01");
  EXPECT_EQ(encode(Colour::kGreen), "\xc8");
  EXPECT_EQ(encode(std::array<char, 2>{'x', 'y'}), "xy");
  EXPECT_EQ(encode(std::numeric_limits<std::uint64_t>::max()).size(), 10U);
}

TEST(Codec, OutOfRangeIntegersFail) {
  EXPECT_FALSE(decode<std::uint16_t>(encode(std::uint32_t{65'536})).ok());
  EXPECT_FALSE(decode<std::int16_t>(encode(std::int32_t{32'768})).ok());
  EXPECT_FALSE(decode<std::int32_t>(encode(std::int64_t{1} << 40)).ok());
}

TEST(Codec, OverlongVarintsAndStrangeBooleansFail) {
  EXPECT_FALSE(decode<std::uint64_t>(Bytes(11, '\x80')).ok());
  EXPECT_FALSE(decode<std::uint64_t>(Bytes(9, '\xff') + '\x02').ok());
  EXPECT_TRUE(decode<std::uint64_t>(Bytes(9, '\xff') + '\x01').ok());
  EXPECT_FALSE(decode<bool>("\x02").ok());
}

TEST(Codec, HostileLengthsAllocateNothing) {
  Bytes huge;
  Encoder(huge).put_varint(std::uint64_t{1} << 62);
  huge += "abc";
  reset_largest_allocation();
  EXPECT_FALSE(decode<std::string>(huge).ok());
  EXPECT_FALSE(decode<std::vector<Inner>>(huge).ok());
  EXPECT_FALSE(decode<std::vector<std::string>>(huge).ok());
  // Only the error text may be allocated.
  EXPECT_LT(largest_allocation(), 256U);
}

TEST(Codec, ContainersGrowOnlyAsElementsArrive) {
  // A count the remaining bytes could hold, but whose elements are not there.
  Bytes bytes;
  Encoder(bytes).put_varint(100'000);
  bytes += Bytes(100'000, '\x7f');
  reset_largest_allocation();
  EXPECT_FALSE(decode<std::vector<Inner>>(bytes).ok());
  EXPECT_LT(largest_allocation(), 100'000U);
}

}  // namespace
}  // namespace synod::base
