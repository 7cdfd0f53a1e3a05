// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <utility>

#include "base/ordered_set.h"
#include "core/table/key_node.h"

namespace synod::core {

/// Orders nodes by rank, then by key, so that equal times and versions have one order on every
/// replica.
template <class Rank>
struct ByRankThenKey {
  using is_transparent = void;  // NOLINT(readability-identifier-naming): asked for by the set
  bool operator()(const std::pair<Rank, KeyNode*>& a, const std::pair<Rank, KeyNode*>& b) const {
    if (a.first != b.first) return a.first < b.first;
    return a.second->ref() < b.second->ref();
  }
  bool operator()(const Rank& a, const std::pair<Rank, KeyNode*>& b) const { return a < b.first; }
  bool operator()(const std::pair<Rank, KeyNode*>& a, const Rank& b) const { return a.first < b; }
};

/// Nodes by a time or a version of theirs. Threads: the writer. The nodes outlive their entries.
template <class Rank>
using RankedNodes = base::OrderedSet<std::pair<Rank, KeyNode*>, ByRankThenKey<Rank>>;

}  // namespace synod::core
