// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <absl/container/btree_map.h>
#include <absl/container/btree_set.h>

namespace synod::base {

/// A std::set of many small values: several in one node, so that each costs little more than
/// itself. Any change invalidates iterators and references.
template <class Value, class Less>
using OrderedSet = absl::btree_set<Value, Less>;

/// A std::map in the same way.
template <class Key, class Value>
using OrderedMap = absl::btree_map<Key, Value>;

}  // namespace synod::base
