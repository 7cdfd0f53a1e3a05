// SPDX-License-Identifier: Apache-2.0
#include "core/table/btree.h"

#include "base/assert.h"
#include "core/table/btree_edit.h"
#include "core/table/btree_node.h"

namespace synod::core {
namespace {

void destroy_subtree(BTreeNode* node) {
  if (!node->is_leaf) {
    const auto* inner = static_cast<const BTreeInner*>(node);
    for (std::size_t i = 0; i < inner->count; ++i) destroy_subtree(inner->child(i));
  }
  BTreeNode::destroy(node);
}

}  // namespace

BTree::BTree(EpochManager& epochs, NodeBase nodes) : epochs_(epochs), nodes_(nodes) {
  BTreeLeaf* leaf = BTreeLeaf::create(0);
  memory_bytes_ = leaf->bytes;
  root_.store(leaf, std::memory_order_release);
}

BTree::~BTree() { destroy_subtree(root_.load(std::memory_order_relaxed)); }

KeyNode* BTree::find(const KeyRef& ref) const {
  const BTreeKey key(ref);
  const BTreeNode* node = root_.load(std::memory_order_acquire);
  while (!node->is_leaf) {
    const auto* inner = static_cast<const BTreeInner*>(node);
    node = inner->child(inner->search(key));
  }
  const auto* leaf = static_cast<const BTreeLeaf*>(node);
  const BTreeLeaf::Position position = leaf->search(key, nodes_);
  return position.equal ? nodes_.node(leaf->nodes()[position.index]) : nullptr;
}

void BTree::insert(KeyNode* node) {
  BTreeEdit(*this, node).insert();
  size_.store(size() + 1, std::memory_order_relaxed);
}

void BTree::erase(KeyNode* node) {
  BTreeEdit(*this, node).erase();
  size_.store(size() - 1, std::memory_order_relaxed);
}

BTree::Cursor::Cursor(const BTree& tree, const KeyRef& from, bool inclusive) {
  const BTreeKey key(from);
  const BTreeNode* node = tree.root_.load(std::memory_order_acquire);
  while (!node->is_leaf) {
    const auto* inner = static_cast<const BTreeInner*>(node);
    SYNOD_ASSERT(depth_ < kDepthMax, "64-way nodes reach this depth with no memory there is");
    path_[depth_] = {inner, inner->search(key)};
    node = inner->child(path_[depth_++].index);
  }
  const auto* leaf = static_cast<const BTreeLeaf*>(node);
  const BTreeLeaf::Position position = leaf->search(key, tree.nodes_);
  const std::size_t start = position.index + (position.equal && !inclusive ? 1 : 0);
  run_ = std::span(leaf->nodes(), leaf->count).subspan(start);
  if (run_.empty()) run_ = next_run();
}

BTree::Run BTree::Cursor::next_run() {
  run_ = {};
  while (depth_ > 0 && run_.empty()) {
    Level& level = path_[depth_ - 1];
    if (++level.index < level.inner->count) {
      descend(level.inner->child(level.index));
    } else {
      --depth_;
    }
  }
  return run_;
}

void BTree::Cursor::descend(const BTreeNode* node) {
  while (!node->is_leaf) {
    const auto* inner = static_cast<const BTreeInner*>(node);
    SYNOD_ASSERT(depth_ < kDepthMax, "64-way nodes reach this depth with no memory there is");
    path_[depth_++] = {inner, 0};
    node = inner->child(0);
  }
  const auto* leaf = static_cast<const BTreeLeaf*>(node);
  run_ = std::span(leaf->nodes(), leaf->count);
}

}  // namespace synod::core
