// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstddef>
#include <optional>
#include <span>

#include "base/bytes.h"
#include "core/table/btree.h"
#include "core/table/btree_node.h"

namespace synod::core {

/// One insertion into or removal from a BTree, on the writer's stack.
///
/// Builds the new nodes from the leaf upwards, until a level where one node takes the place of one
/// node (or the root is reached); that single store publishes everything (B1). The replaced nodes
/// are retired after it.
class BTreeEdit {
 public:
  BTreeEdit(BTree& tree, KeyNode* node);
  BTreeEdit(const BTreeEdit&) = delete;
  BTreeEdit& operator=(const BTreeEdit&) = delete;

  void insert();
  void erase();

 private:
  /// A leaf or inner node left with fewer entries looks for a neighbour to merge with ...
  static constexpr std::size_t kMergeBelow = BTreeNode::kEntriesMax / 4;
  /// ... that leaves room in the merged node, so that the next insertion doesn't split it again.
  static constexpr std::size_t kMergedMax = BTreeNode::kEntriesMax * 3 / 4;

  struct Level {
    BTreeInner* inner;
    std::size_t index;
  };

  /// What takes the place of `removed` neighbouring children, the first of which is `first`.
  struct Change {
    std::size_t first = 0;
    std::size_t removed = 1;
    std::size_t added = 0;
    std::array<BTreeNode*, 2> nodes{};
    base::BytesView separator;  // Between two added nodes; lives in separator_ or an old node.
  };

  /// The children of one or two inner nodes with a change applied.
  struct ChildList;

  [[nodiscard]] Change single(BTreeNode* node) const;
  [[nodiscard]] Change split_leaf(std::size_t index);
  [[nodiscard]] std::optional<std::size_t> neighbour_with_room(std::size_t count) const;
  [[nodiscard]] Change merge_leaves(BTreeLeaf* shrunk);
  [[nodiscard]] BTreeLeaf* leaf_with(std::size_t index) const;
  [[nodiscard]] BTreeLeaf* leaf_without(std::size_t index) const;

  void publish(Change change);
  void publish_root(const Change& change);
  /// The change to the parent that follows from `change` among the children of path_[depth_ - 1].
  [[nodiscard]] Change change_parent(const Change& change);
  [[nodiscard]] bool merge_with_neighbour(const ChildList& list, Change& change);
  [[nodiscard]] BTreeInner* create_inner(std::span<BTreeNode* const> children,
                                         std::span<const base::BytesView> separators);
  void count_memory(const BTreeNode* created);
  void doom(BTreeNode* node);

  BTree& tree_;
  const NodeHandle node_;
  const BTreeKey key_;
  std::array<Level, BTree::kDepthMax> path_;
  std::size_t depth_ = 0;  // Inner nodes above the nodes being replaced.
  BTreeLeaf* leaf_ = nullptr;
  base::Bytes separator_;  // Of a leaf split; there is at most one.
  std::array<BTreeNode*, 3 * BTree::kDepthMax> doomed_;
  std::size_t doomed_count_ = 0;
};

}  // namespace synod::core
