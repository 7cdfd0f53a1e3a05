// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/ordered_set.h"
#include "core/table/key_node.h"
#include "core/table/node_handle.h"

namespace synod::core {

/// Nodes of one heap by a time or a version of theirs, then by key, so that equal ranks have one
/// order on every replica.
///
/// Ranks that agree in their upper half, which is 49 days of milliseconds, share a group: eight
/// bytes for each of its entries, and what the set leaves free.
///
/// Owned by TransactionalKvDatabase. Threads: the writer. The nodes outlive their entries.
template <class Rank>
class RankedNodes {
 public:
  explicit RankedNodes(NodeBase nodes) : nodes_(nodes) {}

  /// False if the node has this rank already.
  bool add(Rank rank, const KeyNode& node) {
    const auto group = groups_.try_emplace(upper(rank), Less{nodes_}).first;
    if (!group->second.insert(entry(rank, node)).second) return false;
    ++size_;
    return true;
  }
  /// False if the node has no such rank.
  bool remove(Rank rank, const KeyNode& node) {
    const auto group = groups_.find(upper(rank));
    if (group == groups_.end() || group->second.erase(entry(rank, node)) == 0) return false;
    if (group->second.empty()) groups_.erase(group);
    --size_;
    return true;
  }
  [[nodiscard]] bool contains(Rank rank, const KeyNode& node) const {
    const auto group = groups_.find(upper(rank));
    return group != groups_.end() && group->second.contains(entry(rank, node));
  }
  [[nodiscard]] std::size_t size() const { return size_; }
  [[nodiscard]] bool empty() const { return size_ == 0; }
  /// What it takes, nearly: 10.4 to 13.7 bytes an entry were measured, by the order of changes.
  [[nodiscard]] std::size_t memory_bytes() const {
    constexpr std::size_t kPerEntry = 12;
    constexpr std::size_t kPerGroup = 100;
    return kPerEntry * size_ + kPerGroup * groups_.size();
  }
  /// REQUIRES: not empty.
  [[nodiscard]] Rank first_rank() const {
    const auto& [high, group] = *groups_.begin();
    return rank(high, group.begin()->low);
  }
  /// REQUIRES: not empty.
  [[nodiscard]] KeyNode& first_node() const {
    return *nodes_.node(groups_.begin()->second.begin()->node);
  }

  /// True if `is_wanted` says so of a node whose rank is above `after` and at most `last`.
  template <class IsWanted>
  [[nodiscard]] bool any_between(Rank after, Rank last, IsWanted&& is_wanted) const {
    for (auto at = groups_.lower_bound(upper(after)); at != groups_.end(); ++at) {
      const auto& [high, group] = *at;
      auto next = high == upper(after) ? group.upper_bound(lower(after)) : group.begin();
      for (; next != group.end(); ++next) {
        if (rank(high, next->low) > last) return false;
        if (is_wanted(*nodes_.node(next->node))) return true;
      }
    }
    return false;
  }

 private:
  struct Entry {
    std::uint32_t low;
    NodeHandle node;
  };
  static_assert(sizeof(Entry) == 8, "what every key with an expiry pays for its place");

  struct Less {
    using is_transparent = void;  // NOLINT(readability-identifier-naming): asked for by the set
    NodeBase nodes;

    bool operator()(const Entry& a, const Entry& b) const {
      if (a.low != b.low) return a.low < b.low;
      return a.node != b.node && nodes.node(a.node)->ref() < nodes.node(b.node)->ref();
    }
    bool operator()(std::uint32_t a, const Entry& b) const { return a < b.low; }
    bool operator()(const Entry& a, std::uint32_t b) const { return a.low < b; }
  };

  [[nodiscard]] static std::int32_t upper(Rank rank) {
    return static_cast<std::int32_t>(rank.value() >> 32);
  }
  [[nodiscard]] static std::uint32_t lower(Rank rank) {
    return static_cast<std::uint32_t>(rank.value());
  }
  [[nodiscard]] static Rank rank(std::int32_t high, std::uint32_t low) {
    return Rank(
        static_cast<std::int64_t>((std::uint64_t{static_cast<std::uint32_t>(high)} << 32) | low));
  }
  [[nodiscard]] Entry entry(Rank rank, const KeyNode& node) const {
    return {lower(rank), nodes_.handle(&node)};
  }

  NodeBase nodes_;
  base::OrderedMap<std::int32_t, base::OrderedSet<Entry, Less>> groups_;  // None is empty.
  std::size_t size_ = 0;
};

}  // namespace synod::core
