// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <string>
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
  struct Key {
    NamespaceId ns;
    Space space;
    base::Bytes key;
    auto operator<=>(const Key&) const = default;
  };
  struct Write {
    Key key;
    bool is_delete = false;
    base::Bytes value;
    TimeMs expiry{0};
  };

  /// The staged write of the key; nullptr if no step touched it.
  [[nodiscard]] const Write* find(const KeyRef& ref) const;
  void put(const KeyRef& ref, base::Bytes value, TimeMs expiry);
  void erase(const KeyRef& ref);
  /// Turns every staged put of [begin, end) (`end` empty: to the last) into a delete; how many.
  std::size_t erase_range(NamespaceId ns, Space space, base::BytesView begin, base::BytesView end);
  /// In the order of first touch, which is the order of the steps.
  [[nodiscard]] const std::vector<Write>& all() const { return writes_; }
  [[nodiscard]] std::vector<Write>& all() { return writes_; }

 private:
  struct ByRef {
    using is_transparent = void;  // NOLINT(readability-identifier-naming): the library asks for it
    static KeyRef ref(const Key& key) { return KeyRef{key.ns, key.space, key.key}; }
    static KeyRef ref(const KeyRef& ref) { return ref; }
    template <class A, class B>
    bool operator()(const A& a, const B& b) const {
      return ref(a) < ref(b);
    }
  };
  /// Below this many writes a linear look is cheaper than the index.
  static constexpr std::size_t kLinearMax = 8;

  [[nodiscard]] std::size_t position(const KeyRef& ref) const;
  Write& write_for(const KeyRef& ref);

  std::vector<Write> writes_;
  std::map<Key, std::size_t, ByRef> index_;
};

}  // namespace synod::core
