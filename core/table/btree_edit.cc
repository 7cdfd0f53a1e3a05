// SPDX-License-Identifier: Apache-2.0
#include "core/table/btree_edit.h"

#include <algorithm>
#include <bit>

#include "base/assert.h"

namespace synod::core {
namespace {

/// Entries of one or two leaves, all prefixes behind the same skip.
struct Entries {
  std::array<std::uint64_t, 2 * BTreeNode::kEntriesMax> prefixes;
  std::array<NodeHandle, 2 * BTreeNode::kEntriesMax> nodes;
  std::array<char, BTreeKey::kCommonMax> common;
  std::size_t skip = 0;
  std::size_t count = 0;

  void append(const BTreeLeaf& leaf) {
    for (std::size_t i = 0; i < leaf.count; ++i) {
      prefixes[count] = leaf.rebase(leaf.prefixes()[i], skip);
      nodes[count++] = leaf.nodes()[i];
    }
  }
};

/// Prefixes serve while they differ early: close neighbours get a longer skip, for the price of a
/// look at every key.
bool worth_a_longer_skip(const std::uint64_t* prefixes, std::size_t count, std::size_t skip) {
  constexpr int kSharedBitsMax = 24;
  const int shared = std::countl_zero(prefixes[0] ^ prefixes[count - 1]);
  if (shared < 8 || skip == BTreeKey::kCommonMax) return false;
  return shared >= kSharedBitsMax ||
         std::adjacent_find(prefixes, prefixes + count) != prefixes + count;
}

BTreeLeaf* create_leaf(const Entries& entries, std::size_t begin, std::size_t end, NodeBase nodes) {
  const std::size_t count = end - begin;
  if (worth_a_longer_skip(entries.prefixes.data() + begin, count, entries.skip)) {
    return BTreeLeaf::create_from({entries.nodes.data() + begin, count}, nodes);
  }
  BTreeLeaf* leaf = BTreeLeaf::create(count);
  leaf->skip = static_cast<std::uint8_t>(entries.skip);
  std::copy_n(entries.common.begin(), entries.skip, leaf->common.begin());
  std::copy_n(entries.prefixes.begin() + begin, count, leaf->prefixes());
  std::copy_n(entries.nodes.begin() + begin, count, leaf->nodes());
  return leaf;
}

}  // namespace

struct BTreeEdit::ChildList {
  // Two nodes merge only when small, so one full node and a split child are the most.
  std::array<BTreeNode*, BTreeNode::kEntriesMax + 2> children;
  std::array<base::BytesView, BTreeNode::kEntriesMax + 2> separators;
  std::size_t count = 0;

  /// `separator` stands between the child and the one before it; the first child's is ignored.
  void append(BTreeNode* child, base::BytesView separator) {
    if (count > 0) separators[count - 1] = separator;
    children[count++] = child;
  }
  void append_all(const BTreeInner& inner, std::size_t begin, std::size_t end,
                  base::BytesView before_first) {
    for (std::size_t i = begin; i < end; ++i) {
      append(inner.child(i), i == 0 ? before_first : inner.separator(i - 1));
    }
  }
  [[nodiscard]] std::span<BTreeNode* const> nodes(std::size_t begin, std::size_t end) const {
    return {children.data() + begin, end - begin};
  }
  [[nodiscard]] std::span<const base::BytesView> between(std::size_t begin, std::size_t end) const {
    return {separators.data() + begin, end - begin - 1};
  }
};

BTreeEdit::BTreeEdit(BTree& tree, KeyNode* node)
    : tree_(tree), node_(tree.nodes_.handle(node)), key_(node->ref()) {
  BTreeNode* at = tree_.root_.load(std::memory_order_relaxed);
  while (!at->is_leaf) {
    SYNOD_ASSERT(depth_ < BTree::kDepthMax,
                 "64-way nodes reach this depth with no memory there is");
    auto* inner = static_cast<BTreeInner*>(at);
    path_[depth_] = {inner, inner->search(key_)};
    at = inner->child(path_[depth_++].index);
  }
  leaf_ = static_cast<BTreeLeaf*>(at);
}

void BTreeEdit::insert() {
  const BTreeLeaf::Position position = leaf_->search(key_, tree_.nodes_);
  SYNOD_ASSERT(!position.equal, "insert() takes absent keys only");
  doom(leaf_);
  publish(leaf_->count < BTreeNode::kEntriesMax ? single(leaf_with(position.index))
                                                : split_leaf(position.index));
}

void BTreeEdit::erase() {
  const BTreeLeaf::Position position = leaf_->search(key_, tree_.nodes_);
  SYNOD_ASSERT(position.equal && leaf_->nodes()[position.index] == node_,
               "erase() takes present nodes only");
  doom(leaf_);
  if (leaf_->count > 1) {
    publish(merge_leaves(leaf_without(position.index)));
    return;
  }
  Change nothing = single(nullptr);
  nothing.added = 0;
  publish(nothing);
}

/// One node in the place of the one the descent went through.
BTreeEdit::Change BTreeEdit::single(BTreeNode* node) const {
  Change change;
  change.first = depth_ == 0 ? 0 : path_[depth_ - 1].index;
  change.added = 1;
  change.nodes[0] = node;
  return change;
}

BTreeLeaf* BTreeEdit::leaf_with(std::size_t index) const {
  BTreeLeaf* leaf = BTreeLeaf::create(std::size_t{leaf_->count} + 1);
  // An only entry shares all of itself; an old leaf's skip is kept as long as the new key has it.
  const std::size_t skip =
      leaf_->count == 0 ? std::min(key_.size(), BTreeKey::kCommonMax) : leaf_->shared_skip(key_);
  leaf->skip = static_cast<std::uint8_t>(skip);
  std::copy_n(key_.head.begin(), skip, leaf->common.begin());
  const std::uint64_t* old = leaf_->prefixes();
  std::uint64_t* prefixes = leaf->prefixes();
  for (std::size_t i = 0; i < leaf_->count; ++i) {
    prefixes[i + (i >= index ? 1 : 0)] = skip == leaf_->skip ? old[i] : leaf_->rebase(old[i], skip);
  }
  prefixes[index] = key_.prefix(skip);
  std::copy_n(leaf_->nodes(), index, leaf->nodes());
  leaf->nodes()[index] = node_;
  std::copy_n(leaf_->nodes() + index, leaf_->count - index, leaf->nodes() + index + 1);
  return leaf;
}

BTreeLeaf* BTreeEdit::leaf_without(std::size_t index) const {
  BTreeLeaf* leaf = BTreeLeaf::create(std::size_t{leaf_->count} - 1);
  leaf->skip = leaf_->skip;
  leaf->common = leaf_->common;
  const std::size_t behind = leaf_->count - index - 1;
  std::copy_n(leaf_->prefixes(), index, leaf->prefixes());
  std::copy_n(leaf_->prefixes() + index + 1, behind, leaf->prefixes() + index);
  std::copy_n(leaf_->nodes(), index, leaf->nodes());
  std::copy_n(leaf_->nodes() + index + 1, behind, leaf->nodes() + index);
  return leaf;
}

BTreeEdit::Change BTreeEdit::split_leaf(std::size_t index) {
  // Ascending keys keep coming at the end: leave the left leaf nearly full for them.
  constexpr std::size_t kRightOfAscending = 8;
  Entries entries;
  entries.skip = leaf_->shared_skip(key_);
  std::copy_n(leaf_->common.begin(), entries.skip, entries.common.begin());
  entries.append(*leaf_);
  const auto place = static_cast<std::ptrdiff_t>(index);
  const auto end = static_cast<std::ptrdiff_t>(entries.count);
  std::copy_backward(entries.prefixes.begin() + place, entries.prefixes.begin() + end,
                     entries.prefixes.begin() + end + 1);
  std::copy_backward(entries.nodes.begin() + place, entries.nodes.begin() + end,
                     entries.nodes.begin() + end + 1);
  entries.prefixes[index] = key_.prefix(entries.skip);
  entries.nodes[index] = node_;
  const bool ascending = index == entries.count;
  ++entries.count;
  const std::size_t middle = ascending ? entries.count - kRightOfAscending : entries.count / 2;
  const NodeBase& nodes = tree_.nodes_;
  separator_ = btree_separator(nodes.node(entries.nodes[middle - 1])->ref(),
                               nodes.node(entries.nodes[middle])->ref());
  Change change = single(create_leaf(entries, 0, middle, nodes));
  change.nodes[1] = create_leaf(entries, middle, entries.count, nodes);
  change.added = 2;
  change.separator = separator_;
  return change;
}

/// A neighbour of the child that the descent went through, small enough to take `count` more.
std::optional<std::size_t> BTreeEdit::neighbour_with_room(std::size_t count) const {
  if (count >= kMergeBelow || depth_ == 0) return std::nullopt;
  const auto [parent, index] = path_[depth_ - 1];
  const auto fits = [&parent = parent, count](std::size_t neighbour) {
    return parent->child(neighbour)->count + count <= kMergedMax;
  };
  if (index + 1 < parent->count && fits(index + 1)) return index + 1;
  if (index > 0 && fits(index - 1)) return index - 1;
  return std::nullopt;
}

/// `shrunk` in the place of its leaf, or merged with a neighbour where both are small.
BTreeEdit::Change BTreeEdit::merge_leaves(BTreeLeaf* shrunk) {
  Change change = single(shrunk);
  const std::optional<std::size_t> beside = neighbour_with_room(shrunk->count);
  if (!beside) return change;
  auto* neighbour = static_cast<BTreeLeaf*>(path_[depth_ - 1].inner->child(*beside));
  const bool to_right = *beside > change.first;
  const BTreeLeaf& left = to_right ? *shrunk : *neighbour;
  const BTreeLeaf& right = to_right ? *neighbour : *shrunk;
  Entries entries;
  while (entries.skip < std::min(left.skip, right.skip) &&
         left.common[entries.skip] == right.common[entries.skip]) {
    entries.common[entries.skip] = left.common[entries.skip];
    ++entries.skip;
  }
  entries.append(left);
  entries.append(right);
  change.first = std::min(change.first, *beside);
  change.removed = 2;
  change.nodes[0] = create_leaf(entries, 0, entries.count, tree_.nodes_);
  doom(neighbour);
  BTreeNode::destroy(shrunk);
  return change;
}

void BTreeEdit::publish(Change change) {
  for (std::size_t i = 0; i < change.added; ++i) count_memory(change.nodes[i]);
  while (depth_ > 0 && (change.removed != 1 || change.added != 1)) change = change_parent(change);
  if (depth_ == 0) {
    publish_root(change);
  } else {
    path_[depth_ - 1].inner->children()[change.first].store(change.nodes[0],
                                                            std::memory_order_release);
  }
  for (std::size_t i = 0; i < doomed_count_; ++i) {
    tree_.memory_bytes_ -= doomed_[i]->bytes;
    tree_.epochs_.retire(doomed_[i], BTreeNode::destroy);
  }
}

void BTreeEdit::publish_root(const Change& change) {
  BTreeNode* root = change.nodes[0];
  if (change.added == 0) {
    root = BTreeLeaf::create(0);
    count_memory(root);
  } else if (change.added == 2) {
    root = create_inner(change.nodes, {&change.separator, 1});
  }
  while (!root->is_leaf && root->count == 1) {
    BTreeNode* only_child = static_cast<BTreeInner*>(root)->child(0);
    doom(root);
    root = only_child;
  }
  tree_.root_.store(root, std::memory_order_release);
}

BTreeEdit::Change BTreeEdit::change_parent(const Change& change) {
  BTreeInner& inner = *path_[--depth_].inner;
  ChildList list;
  list.append_all(inner, 0, change.first, {});
  for (std::size_t i = 0; i < change.added; ++i) {
    const base::BytesView before =
        change.first == 0 ? base::BytesView() : inner.separator(change.first - 1);
    list.append(change.nodes[i], i == 0 ? before : change.separator);
  }
  list.append_all(inner, change.first + change.removed, inner.count, {});
  doom(&inner);

  Change above = single(nullptr);
  if (list.count == 0) {
    above.added = 0;
  } else if (list.count > BTreeNode::kEntriesMax) {
    const std::size_t middle =
        change.first + change.added == list.count ? BTreeNode::kEntriesMax * 7 / 8 : list.count / 2;
    above.added = 2;
    above.nodes[0] = create_inner(list.nodes(0, middle), list.between(0, middle));
    above.nodes[1] = create_inner(list.nodes(middle, list.count), list.between(middle, list.count));
    above.separator = list.separators[middle - 1];
  } else if (!merge_with_neighbour(list, above)) {
    above.nodes[0] = create_inner(list.nodes(0, list.count), list.between(0, list.count));
  }
  return above;
}

/// Like merge_leaves, a level up: depth_ already stands at the parent of both.
bool BTreeEdit::merge_with_neighbour(const ChildList& list, Change& change) {
  const std::optional<std::size_t> beside = neighbour_with_room(list.count);
  if (!beside) return false;
  const BTreeInner& parent = *path_[depth_ - 1].inner;
  auto* neighbour = static_cast<BTreeInner*>(parent.child(*beside));
  const bool to_right = *beside > change.first;
  change.first = std::min(change.first, *beside);
  const base::BytesView between = parent.separator(change.first);
  ChildList merged;
  if (!to_right) merged.append_all(*neighbour, 0, neighbour->count, {});
  for (std::size_t i = 0; i < list.count; ++i) {
    merged.append(list.children[i], i == 0 ? between : list.separators[i - 1]);
  }
  if (to_right) merged.append_all(*neighbour, 0, neighbour->count, between);
  change.removed = 2;
  change.nodes[0] = create_inner(merged.nodes(0, merged.count), merged.between(0, merged.count));
  doom(neighbour);
  return true;
}

BTreeInner* BTreeEdit::create_inner(std::span<BTreeNode* const> children,
                                    std::span<const base::BytesView> separators) {
  BTreeInner* inner = BTreeInner::create(children, separators);
  count_memory(inner);
  return inner;
}

void BTreeEdit::count_memory(const BTreeNode* created) { tree_.memory_bytes_ += created->bytes; }

void BTreeEdit::doom(BTreeNode* node) {
  SYNOD_ASSERT(doomed_count_ < doomed_.size(), "a level replaces at most two nodes and a root");
  doomed_[doomed_count_++] = node;
}

}  // namespace synod::core
