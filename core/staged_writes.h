// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <list>
#include <map>
#include <utility>
#include <vector>

#include "base/bytes.h"
#include "core/types.h"

namespace synod::core {

/// The writes of one operation before it commits: later steps see earlier ones, the last write of
/// a key wins, and nothing reaches the tables unless every step succeeded.
///
/// Threads: confined to one execution.
class StagedWrites {
 public:
  struct Write {
    KeyRef key;
    bool is_delete = false;
    base::BytesView value;
    TimeMs expiry{0};
  };

  /// The staged write of the key; nullptr if no step touched it.
  [[nodiscard]] const Write* find(const KeyRef& ref) const;
  // Keys and values are not copied: they are the operation's, or were handed to `keep`.
  void put(const KeyRef& ref, base::BytesView value, TimeMs expiry);
  void erase(const KeyRef& ref);
  /// Keeps bytes that a step made until the operation is over.
  [[nodiscard]] base::BytesView keep(base::Bytes bytes) {
    return kept_.emplace_back(std::move(bytes));
  }
  /// Turns every staged put of [begin, end) (`end` empty: to the last) into a delete; how many.
  std::size_t erase_range(NamespaceId ns, Space space, base::BytesView begin, base::BytesView end);
  /// In the order of first touch, which is the order of the steps.
  [[nodiscard]] const std::vector<Write>& all() const { return writes_; }

 private:
  /// Below this many writes a linear look is cheaper than the index.
  static constexpr std::size_t kLinearMax = 8;

  [[nodiscard]] std::size_t position(const KeyRef& ref) const;
  Write& write_for(const KeyRef& ref);

  std::vector<Write> writes_;
  std::map<KeyRef, std::size_t> index_;
  std::list<base::Bytes> kept_;  ///< Allocates nothing while it is empty, never moves an element.
};

}  // namespace synod::core
