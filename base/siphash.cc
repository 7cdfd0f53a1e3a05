// SPDX-License-Identifier: Apache-2.0
#include "base/siphash.h"

#include <bit>

#include "base/random.h"

namespace synod::base {
namespace {

struct SipState {
  std::uint64_t v0;
  std::uint64_t v1;
  std::uint64_t v2;
  std::uint64_t v3;

  void round() {
    v0 += v1;
    v1 = std::rotl(v1, 13) ^ v0;
    v0 = std::rotl(v0, 32);
    v2 += v3;
    v3 = std::rotl(v3, 16) ^ v2;
    v0 += v3;
    v3 = std::rotl(v3, 21) ^ v0;
    v2 += v1;
    v1 = std::rotl(v1, 17) ^ v2;
    v2 = std::rotl(v2, 32);
  }
};

template <int kCompressionRounds, int kFinalRounds>
std::uint64_t siphash(const SipKey& key, BytesView bytes) {
  SipState s{key.k0 ^ 0x736f6d6570736575ULL, key.k1 ^ 0x646f72616e646f6dULL,
             key.k0 ^ 0x6c7967656e657261ULL, key.k1 ^ 0x7465646279746573ULL};
  const auto absorb = [&s](std::uint64_t word) {
    s.v3 ^= word;
    for (int i = 0; i < kCompressionRounds; ++i) s.round();
    s.v0 ^= word;
  };
  const char* data = bytes.data();
  std::size_t left = bytes.size();
  for (; left >= 8; left -= 8, data += 8) absorb(load_le64(data));
  std::uint64_t last = static_cast<std::uint64_t>(bytes.size()) << 56;
  for (std::size_t i = 0; i < left; ++i) {
    last |= static_cast<std::uint64_t>(static_cast<unsigned char>(data[i])) << (8 * i);
  }
  absorb(last);
  s.v2 ^= 0xff;
  for (int i = 0; i < kFinalRounds; ++i) s.round();
  return s.v0 ^ s.v1 ^ s.v2 ^ s.v3;
}

}  // namespace

std::uint64_t siphash13(const SipKey& key, BytesView bytes) { return siphash<1, 3>(key, bytes); }
std::uint64_t siphash24(const SipKey& key, BytesView bytes) { return siphash<2, 4>(key, bytes); }

SipKey random_sip_key() {
  char seed[16];
  system_random(seed, sizeof seed);
  return SipKey{load_le64(seed), load_le64(seed + 8)};
}

}  // namespace synod::base
