// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "base/bytes.h"
#include "base/status.h"

namespace synod::client {

/// The buffered writes of a transaction as its own reads must see them.
///
/// Owned by Transaction. Keeps for each written key either what the key will hold or what will be
/// done to the value the database has.
///
/// Invariants
///   W1  view(key) applied to the database's value at the read version is what the key would hold
///       if the transaction committed now.
class WriteOverlay {
 public:
  using Key = std::pair<std::string, base::Bytes>;  ///< Namespace and key.

  struct Add {
    std::int64_t delta;
  };
  struct Append {
    base::Bytes suffix;
  };
  /// Its final bytes are only known to the commit.
  struct Stamped {};
  using Change = std::variant<Add, Append, Stamped>;

  void set(Key key, base::Bytes value);
  void remove(Key key);
  void change(Key key, Change change);
  /// Removes [begin, end); an empty end means to the last key of the namespace.
  void clear(const std::string& ns, const base::Bytes& begin, const base::Bytes& end);

  /// True if what the key holds does not depend on the database.
  [[nodiscard]] bool decides(const Key& key) const;
  /// What the key holds given the database's value, which is ignored where decides() is true.
  /// kInvalidArgument if an addition meets what is no number, kUnsupported for a stamped value.
  [[nodiscard]] base::Result<std::optional<base::Bytes>> view(
      const Key& key, const std::optional<base::Bytes>& stored) const;
  /// Written keys in [begin, end) of `ns` in order; an empty end means to the last key.
  [[nodiscard]] std::vector<base::Bytes> written_keys(const std::string& ns,
                                                      const base::Bytes& begin,
                                                      const base::Bytes& end) const;
  /// A key was written whose final bytes only the commit will know.
  void note_stamped_key(const std::string& ns) { stamped_namespaces_.insert(ns); }
  [[nodiscard]] bool has_stamped_keys(const std::string& ns) const {
    return stamped_namespaces_.contains(ns);
  }
  [[nodiscard]] bool has_clears(const std::string& ns) const { return cleared_.contains(ns); }

 private:
  struct Entry {
    bool absolute = false;             ///< `value` replaces what is stored.
    std::optional<base::Bytes> value;  ///< nullopt: the key is missing.
    std::vector<Change> changes;       ///< Then, in order.
  };
  struct Cleared {
    base::Bytes begin;
    base::Bytes end;
  };

  [[nodiscard]] bool cleared(const Key& key) const;
  Entry& entry(Key key);

  std::map<Key, Entry> entries_;
  std::map<std::string, std::vector<Cleared>> cleared_;
  std::set<std::string> stamped_namespaces_;
};

/// [begin, end) contains key; an empty end means to the last key.
[[nodiscard]] inline bool in_range(base::BytesView key, base::BytesView begin,
                                   base::BytesView end) {
  return key >= begin && (end.empty() || key < end);
}

}  // namespace synod::client
