// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "base/crc32c.h"
#include "base/random.h"
#include "base/siphash.h"

namespace synod::base {
namespace {

Bytes counting(std::size_t size) {
  Bytes bytes(size, '\0');
  for (std::size_t i = 0; i < size; ++i) bytes[i] = static_cast<char>(i);
  return bytes;
}

Bytes random_bytes(Random& random, std::size_t size) {
  Bytes bytes(size, '\0');
  for (char& c : bytes) c = static_cast<char>(random.below(256));
  return bytes;
}

// RFC 3720 appendix B.4.
TEST(Crc32c, AgreesWithTheRfcVectors) {
  Bytes descending = counting(32);
  std::reverse(descending.begin(), descending.end());
  Bytes read_command(48, '\0');
  read_command[0] = 0x01;
  read_command[1] = static_cast<char>(0xc0);
  read_command[16] = 0x14;
  read_command[22] = 0x04;
  read_command[27] = 0x14;
  read_command[31] = 0x18;
  read_command[32] = 0x28;
  read_command[40] = 0x02;
  for (const auto& function : {crc32c, crc32c_portable}) {
    EXPECT_EQ(function(Bytes(32, '\0'), 0), 0x8a9136aaU);
    EXPECT_EQ(function(Bytes(32, '\xff'), 0), 0x62a8ab43U);
    EXPECT_EQ(function(counting(32), 0), 0x46dd794eU);
    EXPECT_EQ(function(descending, 0), 0x113fdb5cU);
    EXPECT_EQ(function(read_command, 0), 0xd9963a56U);
    EXPECT_EQ(function("123456789", 0), 0xe3069283U);
    EXPECT_EQ(function("", 0), 0U);
  }
}

TEST(Crc32c, InstructionAndTableAgreeAtEverySizeAndAlignment) {
  Random random(1);
  const Bytes bytes = random_bytes(random, 4096);
  for (std::size_t start = 0; start < 16; ++start) {
    for (std::size_t size = 0; size < 300; ++size) {
      const BytesView view = BytesView(bytes).substr(start, size);
      ASSERT_EQ(crc32c(view), crc32c_portable(view)) << start << " " << size;
    }
  }
  EXPECT_EQ(crc32c(bytes, 77), crc32c_portable(bytes, 77));
}

TEST(Crc32c, ContinuesAcrossAnySplit) {
  Random random(2);
  const Bytes bytes = random_bytes(random, 100);
  for (std::size_t split = 0; split <= bytes.size(); ++split) {
    const BytesView view(bytes);
    ASSERT_EQ(crc32c(view.substr(split), crc32c(view.substr(0, split))), crc32c(view));
  }
}

TEST(Crc32c, SeesEveryFlippedBit) {
  Random random(3);
  Bytes bytes = random_bytes(random, 64);
  const std::uint32_t before = crc32c(bytes);
  for (std::size_t bit = 0; bit < bytes.size() * 8; ++bit) {
    bytes[bit / 8] = static_cast<char>(bytes[bit / 8] ^ (1 << (bit % 8)));
    ASSERT_NE(crc32c(bytes), before);
    bytes[bit / 8] = static_cast<char>(bytes[bit / 8] ^ (1 << (bit % 8)));
  }
}

// Aumasson & Bernstein 2012, appendix A, and the first rows of the table that goes with it.
TEST(SipHash, AgreesWithThePapersVectors) {
  const SipKey key{0x0706050403020100ULL, 0x0f0e0d0c0b0a0908ULL};
  EXPECT_EQ(siphash24(key, counting(15)), 0xa129ca6149be45e5ULL);
  EXPECT_EQ(siphash24(key, ""), 0x726fdb47dd0e0e31ULL);
  EXPECT_EQ(siphash24(key, counting(1)), 0x74f839c593dc67fdULL);
  EXPECT_EQ(siphash24(key, counting(2)), 0x0d6c8009d9a94f5aULL);
  EXPECT_EQ(siphash24(key, counting(7)), 0xab0200f58b01d137ULL);
  EXPECT_EQ(siphash24(key, counting(8)), 0x93f5f5799a932462ULL);
}

// An independent implementation: CPython 3.11's hash of bytes under PYTHONHASHSEED=0.
TEST(SipHash, ReducedRoundsAgreeWithAnotherImplementation) {
  const SipKey zero;
  EXPECT_EQ(siphash13(zero, "a"), 0x407448d2b89b1813ULL);
  EXPECT_EQ(siphash13(zero, "synod"), 0x895fb47c3c9825efULL);
  EXPECT_EQ(siphash13(zero, "12345678"), 0x3489982430560a87ULL);
  EXPECT_EQ(siphash13(zero, counting(15)), 0xf30eb725bb91c9eaULL);
  EXPECT_EQ(siphash13(zero, counting(63)), 0x385d3e39e5f37359ULL);
}

TEST(SipHash, DependsOnKeyAndEveryByte) {
  Random random(4);
  Bytes bytes = random_bytes(random, 40);
  const SipKey key{1, 2};
  const std::uint64_t before = siphash13(key, bytes);
  EXPECT_NE(siphash13(SipKey{1, 3}, bytes), before);
  EXPECT_NE(siphash13(SipKey{0, 2}, bytes), before);
  for (char& c : bytes) {
    c = static_cast<char>(c ^ 1);
    ASSERT_NE(siphash13(key, bytes), before);
    c = static_cast<char>(c ^ 1);
  }
  EXPECT_NE(siphash13(key, BytesView("\0", 1)), siphash13(key, ""));
}

TEST(SipHash, FreshKeysDiffer) { EXPECT_NE(random_sip_key(), random_sip_key()); }

}  // namespace
}  // namespace synod::base
