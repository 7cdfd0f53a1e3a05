// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/status.h"
#include "core/state/rows.h"
#include "core/state/state_hash.h"
#include "core/types.h"

namespace synod::core {

/// The canonical name: "default" is the unnamed namespace.
[[nodiscard]] inline std::string_view canonical_namespace(std::string_view name) {
  return name == "default" ? std::string_view() : name;
}

/// Which id a name had at which version: what readers look names up in. Immutable.
class NamespaceView {
 public:
  /// nullopt: the name did not exist at `at`.
  [[nodiscard]] std::optional<NamespaceId> find(std::string_view name, Version at) const;

 private:
  friend class NamespaceTable;
  struct Since {
    Version version{0};
    NamespaceId id{0};
  };
  struct NameHash {
    using is_transparent = void;  // NOLINT(readability-identifier-naming): the library asks for it
    std::size_t operator()(std::string_view name) const {
      return std::hash<std::string_view>{}(name);
    }
  };
  std::unordered_map<std::string, std::vector<Since>, NameHash, std::equal_to<>> names_;
};

/// Names to ids, and the cleared ids whose keys still wait to be swept.
///
/// Part of replicated state, owned by ReplicatedState. A namespace exists from its first write;
/// clearing it gives the name a fresh id, so that no key of the old one is ever looked at again,
/// and queues the old id for the bounded sweep.
///
/// Invariants
///   N1  An id is given once, in the order of the log.
///   N2  The unnamed namespace always exists, with id 1.
///   N3  Cleared ids are swept by (version of the clear, id): an order their rows can restore.
///
/// Threads: confined to the writer; `make_view` gives readers their copy.
class NamespaceTable {
 public:
  struct Entry {
    NamespaceId id{0};
    Version created{0};
    Version cleared{0};  ///< Version of the last clear; 0: never. A conflict for earlier readers.
  };
  struct Swept {
    NamespaceId id{0};
    Version cleared{0};
  };

  NamespaceTable(RowSink& rows, const StateHasher* const* hasher);

  [[nodiscard]] const Entry* find(std::string_view name) const;
  [[nodiscard]] const std::map<std::string, Entry, std::less<>>& entries() const {
    return entries_;
  }
  /// The id a new name would get next (N1).
  [[nodiscard]] NamespaceId next_id() const { return next_id_; }
  /// REQUIRES: the name does not exist.
  NamespaceId create(std::string_view name, Version version);
  /// REQUIRES: the name exists.
  void clear(std::string_view name, Version version);
  /// The cleared id to sweep next; nullptr if none.
  [[nodiscard]] const Swept* sweeping() const { return swept_.empty() ? nullptr : &swept_.front(); }
  void finish_sweep();

  /// True if a view made now differs from the last one made.
  [[nodiscard]] bool view_changed() const { return view_changed_; }
  /// History below `floor` is left out: no reader asks for it any more.
  [[nodiscard]] std::unique_ptr<const NamespaceView> make_view(Version floor);

  [[nodiscard]] const StateHash& hash() const { return hash_; }
  void restore_next_id(NamespaceId next_id) { next_id_ = next_id; }
  [[nodiscard]] base::Status load_row(base::BytesView key, base::BytesView value);

 private:
  void queue_sweep(const Swept& swept);
  void put_entry(std::string_view name, const Entry& entry, const Entry* replaced);

  RowSink& rows_;
  const StateHasher* const* hasher_;
  std::map<std::string, Entry, std::less<>> entries_;
  std::vector<Swept> swept_;  ///< By version of the clear, then id (N3).
  NamespaceId next_id_{2};
  NamespaceView history_;
  bool view_changed_ = true;
  StateHash hash_;
};

}  // namespace synod::core
