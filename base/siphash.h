// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "base/bytes.h"

namespace synod::base {

/// A 128-bit hash key. Tables draw one at random so that clients cannot aim at a bucket.
struct SipKey {
  std::uint64_t k0 = 0;
  std::uint64_t k1 = 0;
  auto operator<=>(const SipKey&) const = default;
};

/// SipHash-1-3 of `bytes` (Aumasson & Bernstein 2012, with 1 compression and 3 final rounds):
/// keyed against flooding, fast on short keys.
[[nodiscard]] std::uint64_t siphash13(const SipKey& key, BytesView bytes);

/// SipHash-2-4, the reference parameters; used to check the implementation against the paper's
/// vectors.
[[nodiscard]] std::uint64_t siphash24(const SipKey& key, BytesView bytes);

/// A fresh key from the operating system's generator.
[[nodiscard]] SipKey random_sip_key();

}  // namespace synod::base
