// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/ordered_set.h"
#include "core/table/key_node.h"
#include "core/table/node_handle.h"

namespace synod::core {

/// Nodes of one heap by a time or a version of theirs, then by key, so that equal ranks have one
/// order on every replica. Twelve bytes for each and what the set leaves free.
///
/// Owned by TransactionalKvDatabase. Threads: the writer. The nodes outlive their entries.
template <class Rank>
class RankedNodes {
 public:
  explicit RankedNodes(NodeBase nodes) : nodes_(nodes), set_(Less{nodes}) {}

  /// False if the node has this rank already.
  bool add(Rank rank, const KeyNode& node) { return set_.insert(entry(rank, node)).second; }
  /// False if the node has no such rank.
  bool remove(Rank rank, const KeyNode& node) { return set_.erase(entry(rank, node)) != 0; }
  [[nodiscard]] bool contains(Rank rank, const KeyNode& node) const {
    return set_.contains(entry(rank, node));
  }
  [[nodiscard]] std::size_t size() const { return set_.size(); }
  [[nodiscard]] bool empty() const { return set_.empty(); }
  /// REQUIRES: not empty.
  [[nodiscard]] Rank first_rank() const { return set_.begin()->rank(); }
  [[nodiscard]] KeyNode& first_node() const { return *nodes_.node(set_.begin()->node); }

  /// True if `is_wanted` says so of a node whose rank is above `after` and at most `last`.
  template <class IsWanted>
  [[nodiscard]] bool any_between(Rank after, Rank last, IsWanted&& is_wanted) const {
    for (auto at = set_.upper_bound(after); at != set_.end() && at->rank() <= last; ++at) {
      if (is_wanted(*nodes_.node(at->node))) return true;
    }
    return false;
  }

 private:
  /// In halves, so that no entry is padded to a multiple of eight.
  struct Entry {
    std::uint32_t high;
    std::uint32_t low;
    NodeHandle node;

    [[nodiscard]] Rank rank() const {
      return Rank(static_cast<std::int64_t>((std::uint64_t{high} << 32) | low));
    }
  };
  static_assert(sizeof(Entry) == 12, "what every key with an expiry pays for its place");

  struct Less {
    using is_transparent = void;  // NOLINT(readability-identifier-naming): asked for by the set
    NodeBase nodes;

    bool operator()(const Entry& a, const Entry& b) const {
      if (a.rank() != b.rank()) return a.rank() < b.rank();
      return a.node != b.node && nodes.node(a.node)->ref() < nodes.node(b.node)->ref();
    }
    bool operator()(const Rank& a, const Entry& b) const { return a < b.rank(); }
    bool operator()(const Entry& a, const Rank& b) const { return a.rank() < b; }
  };

  [[nodiscard]] Entry entry(Rank rank, const KeyNode& node) const {
    const auto bits = static_cast<std::uint64_t>(rank.value());
    return {static_cast<std::uint32_t>(bits >> 32), static_cast<std::uint32_t>(bits),
            nodes_.handle(&node)};
  }

  NodeBase nodes_;
  base::OrderedSet<Entry, Less> set_;
};

}  // namespace synod::core
