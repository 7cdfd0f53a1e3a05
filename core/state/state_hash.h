// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <string>

#include "base/siphash.h"
#include "core/table/key_node.h"
#include "core/types.h"

namespace synod::core {

/// A 128-bit sum: equal sets of parts give equal sums whatever the order they were added in.
struct StateHash {
  std::uint64_t low = 0;
  std::uint64_t high = 0;

  void add(const StateHash& part) {
    low += part.low;
    high += part.high;
  }
  void subtract(const StateHash& part) {
    low -= part.low;
    high -= part.high;
  }
  bool operator==(const StateHash&) const = default;
  /// 32 hexadecimal digits.
  [[nodiscard]] std::string to_string() const;
};

/// Turns entries and rows into parts of a StateHash, keyed by the policy's seed so that nobody
/// without the seed can aim for equal sums. Pure; thread-safe.
class StateHasher {
 public:
  explicit StateHasher(const std::array<char, 16>& seed);

  /// The digest kept in a record's header, so that the hash never needs the value again.
  [[nodiscard]] std::uint64_t digest(base::BytesView value) const;
  [[nodiscard]] StateHash entry(const KeyRef& ref, const RecordHeader& header) const;
  [[nodiscard]] StateHash row(base::BytesView key, base::BytesView value) const;

 private:
  base::SipKey low_;
  base::SipKey high_;
  base::SipKey digest_;
};

}  // namespace synod::core
