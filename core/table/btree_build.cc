// SPDX-License-Identifier: Apache-2.0
// A whole B-tree at once from nodes in order: BTree's half for loading.
#include <algorithm>
#include <array>
#include <vector>

#include "base/assert.h"
#include "core/table/btree.h"
#include "core/table/btree_node.h"

namespace synod::core {
namespace {

/// Nodes of one level in order, and what stands between each and the next.
struct BuiltLevel {
  std::vector<BTreeNode*> nodes;
  std::vector<base::Bytes> separators;
};

/// Cuts `count` entries into the fewest nodes, all about equally full. Answers where part `index`
/// begins.
std::size_t part_begin(std::size_t count, std::size_t parts, std::size_t index) {
  return count * index / parts;
}
std::size_t parts_of(std::size_t count) {
  return (count + BTreeNode::kEntriesMax - 1) / BTreeNode::kEntriesMax;
}

BuiltLevel build_leaves(std::span<KeyNode* const> sorted, NodeBase nodes) {
  BuiltLevel level;
  const std::size_t parts = parts_of(sorted.size());
  level.nodes.reserve(parts);
  level.separators.reserve(parts);
  for (std::size_t i = 0; i < parts; ++i) {
    const std::size_t begin = part_begin(sorted.size(), parts, i);
    const std::size_t end = part_begin(sorted.size(), parts, i + 1);
    if (i > 0) {
      level.separators.push_back(btree_separator(sorted[begin - 1]->ref(), sorted[begin]->ref()));
    }
    std::array<NodeHandle, BTreeNode::kEntriesMax> entries;
    for (std::size_t j = begin; j < end; ++j) entries[j - begin] = nodes.handle(sorted[j]);
    level.nodes.push_back(BTreeLeaf::create_from({entries.data(), end - begin}, nodes));
  }
  return level;
}

BuiltLevel build_parents(BuiltLevel& children) {
  BuiltLevel level;
  const std::vector<base::BytesView> between(children.separators.begin(),
                                             children.separators.end());
  const std::size_t parts = parts_of(children.nodes.size());
  for (std::size_t i = 0; i < parts; ++i) {
    const std::size_t begin = part_begin(children.nodes.size(), parts, i);
    const std::size_t count = part_begin(children.nodes.size(), parts, i + 1) - begin;
    level.nodes.push_back(BTreeInner::create(std::span(children.nodes).subspan(begin, count),
                                             std::span(between).subspan(begin, count - 1)));
  }
  for (std::size_t i = 1; i < parts; ++i) {
    const std::size_t begin = part_begin(children.nodes.size(), parts, i);
    level.separators.push_back(std::move(children.separators[begin - 1]));
  }
  return level;
}

std::size_t bytes_of(const BuiltLevel& level) {
  std::size_t bytes = 0;
  for (const BTreeNode* node : level.nodes) bytes += node->bytes;
  return bytes;
}

}  // namespace

void BTree::build(std::span<KeyNode* const> sorted) {
  SYNOD_ASSERT(size() == 0, "a tree is built from nothing");
  if (sorted.empty()) return;
  for (std::size_t i = 1; i < sorted.size(); ++i) {
    SYNOD_ASSERT(sorted[i - 1]->ref() < sorted[i]->ref(), "a tree is built from nodes in order");
  }
  BuiltLevel level = build_leaves(sorted, nodes_);
  std::size_t bytes = bytes_of(level);
  while (level.nodes.size() > 1) {
    level = build_parents(level);
    bytes += bytes_of(level);
  }
  BTreeNode* empty = root_.load(std::memory_order_relaxed);
  root_.store(level.nodes.front(), std::memory_order_release);
  epochs_.retire(empty, BTreeNode::destroy);
  size_.store(sorted.size(), std::memory_order_relaxed);
  memory_bytes_.store(bytes, std::memory_order_relaxed);
}

}  // namespace synod::core
