// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>

#include "base/bytes.h"
#include "core/table/key_node.h"
#include "core/table/node_handle.h"

namespace synod::core {

/// What the B-tree orders by: the big-endian namespace, the space and the key bytes as one string,
/// whose unsigned bytewise order is the order of KeyRef. Only its head is ever laid out.
struct BTreeKey {
  /// Bytes of a node's common start that are kept; longer ones only make more ties.
  static constexpr std::size_t kCommonMax = 56;
  static constexpr std::size_t kPrefixBytes = 8;
  static constexpr std::size_t kFixedBytes = 5;

  explicit BTreeKey(const KeyRef& key_ref);
  [[nodiscard]] std::size_t size() const { return kFixedBytes + ref.key.size(); }
  /// The eight bytes from `skip` on as a number, zero-padded at the end.
  [[nodiscard]] std::uint64_t prefix(std::size_t skip) const;
  /// Three-way comparison with a separator, which is laid out in full.
  [[nodiscard]] int compare(base::BytesView separator) const;

  KeyRef ref;
  std::array<char, kCommonMax + kPrefixBytes> head{};  ///< Zero-padded.
};

/// The shortest string s with left < s <= right. REQUIRES: left < right.
[[nodiscard]] base::Bytes btree_separator(const KeyRef& left, const KeyRef& right);

/// What leaves and inner nodes share. Every entry starts with the first `skip` bytes of `common`;
/// prefixes are taken behind them, so that eight bytes tell neighbours apart without a look at the
/// keys. Nodes are one allocation: the arrays follow the header.
struct BTreeNode {
  static constexpr std::size_t kEntriesMax = 64;

  std::uint32_t bytes = 0;  ///< Of the allocation.
  std::uint16_t count = 0;  ///< Entries of a leaf, children of an inner node.
  std::uint8_t skip = 0;
  bool is_leaf = false;
  std::array<char, BTreeKey::kCommonMax> common{};

  /// Negative, 0 or positive: the key, zero-padded, is below all strings that start with the
  /// common bytes, starts with them itself, or is above.
  [[nodiscard]] int compare_common(const BTreeKey& key) const;
  /// Prefix `prefix` of this node as a node with the shorter `new_skip` would have it.
  [[nodiscard]] std::uint64_t rebase(std::uint64_t prefix, std::size_t new_skip) const;
  /// How many leading bytes of the common start the key shares.
  [[nodiscard]] std::size_t shared_skip(const BTreeKey& key) const;

  static void destroy(void* node);
};

struct BTreeLeaf : BTreeNode {
  struct Position {
    std::size_t index;  ///< Of the first entry that is not below the key.
    bool equal;
  };

  [[nodiscard]] static BTreeLeaf* create(std::size_t count);
  /// Chooses the skip and lays out the prefixes by looking at every key.
  [[nodiscard]] static BTreeLeaf* create_from(std::span<const NodeHandle> entries, NodeBase nodes);

  [[nodiscard]] std::uint64_t* prefixes() { return reinterpret_cast<std::uint64_t*>(this + 1); }
  [[nodiscard]] const std::uint64_t* prefixes() const {
    return reinterpret_cast<const std::uint64_t*>(this + 1);
  }
  [[nodiscard]] NodeHandle* nodes() { return reinterpret_cast<NodeHandle*>(prefixes() + count); }
  [[nodiscard]] const NodeHandle* nodes() const {
    return reinterpret_cast<const NodeHandle*>(prefixes() + count);
  }
  [[nodiscard]] Position search(const BTreeKey& key, NodeBase base) const;
};

/// Child i holds the keys from separator i - 1 on (included) up to separator i (excluded).
struct BTreeInner : BTreeNode {
  /// REQUIRES: separators.size() + 1 == children.size().
  [[nodiscard]] static BTreeInner* create(std::span<BTreeNode* const> children,
                                          std::span<const base::BytesView> separators);

  [[nodiscard]] std::atomic<BTreeNode*>* children() {
    return reinterpret_cast<std::atomic<BTreeNode*>*>(this + 1);
  }
  [[nodiscard]] const std::atomic<BTreeNode*>* children() const {
    return reinterpret_cast<const std::atomic<BTreeNode*>*>(this + 1);
  }
  [[nodiscard]] BTreeNode* child(std::size_t index) const {
    return children()[index].load(std::memory_order_acquire);
  }
  [[nodiscard]] base::BytesView separator(std::size_t index) const;
  /// The child whose range holds the key.
  [[nodiscard]] std::size_t search(const BTreeKey& key) const;

 private:
  [[nodiscard]] const std::uint64_t* prefixes() const {
    return reinterpret_cast<const std::uint64_t*>(children() + count);
  }
  /// Where each separator ends in the bytes that follow.
  [[nodiscard]] const std::uint32_t* ends() const {
    return reinterpret_cast<const std::uint32_t*>(prefixes() + count - 1);
  }
};

static_assert(sizeof(BTreeNode) == 64 && sizeof(BTreeLeaf) == 64 && sizeof(BTreeInner) == 64,
              "the arrays follow one cache line of header");

}  // namespace synod::core
