// SPDX-License-Identifier: Apache-2.0
#include "core/state/state_hash.h"

#include <cstdio>

namespace synod::core {

std::string StateHash::to_string() const {
  char buffer[33];
  std::snprintf(buffer, sizeof buffer, "%016llx%016llx", static_cast<unsigned long long>(high),
                static_cast<unsigned long long>(low));
  return buffer;
}

StateHasher::StateHasher(const std::array<char, 16>& seed) {
  const std::uint64_t k0 = base::load_le64(seed.data());
  const std::uint64_t k1 = base::load_le64(seed.data() + 8);
  // Three independent functions from one seed: the constants only have to differ.
  low_ = base::SipKey{k0 ^ 0x6c6f77ULL, k1};
  high_ = base::SipKey{k0 ^ 0x68696768ULL, k1};
  digest_ = base::SipKey{k0 ^ 0x646967657374ULL, k1};
}

std::uint64_t StateHasher::digest(base::BytesView value) const {
  return base::siphash13(digest_, value);
}

StateHash StateHasher::entry(const KeyRef& ref, const RecordHeader& header) const {
  char block[50];
  base::store_le64(block, base::siphash13(low_, ref.key));
  base::store_le64(block + 8, base::siphash13(high_, ref.key));
  base::store_le64(block + 16, static_cast<std::uint64_t>(header.version.value()));
  base::store_le64(block + 24, static_cast<std::uint64_t>(header.expiry.value()));
  base::store_le64(block + 32, header.digest);
  base::store_le32(block + 40, ref.ns.value());
  block[44] = static_cast<char>(ref.space.value());
  block[45] = static_cast<char>(header.type);
  base::store_le32(block + 46, header.generation);
  const base::BytesView view(block, sizeof block);
  return StateHash{base::siphash13(low_, view), base::siphash13(high_, view)};
}

StateHash StateHasher::row(base::BytesView key, base::BytesView value) const {
  char block[32];
  base::store_le64(block, base::siphash13(low_, key));
  base::store_le64(block + 8, base::siphash13(high_, key));
  base::store_le64(block + 16, base::siphash13(low_, value));
  base::store_le64(block + 24, base::siphash13(high_, value));
  const base::BytesView view(block, sizeof block);
  return StateHash{base::siphash13(low_, view), base::siphash13(high_, view)};
}

}  // namespace synod::core
