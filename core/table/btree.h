// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <span>

#include "core/table/epoch.h"
#include "core/table/key_node.h"
#include "core/table/node_handle.h"

namespace synod::core {

struct BTreeNode;
struct BTreeInner;
class BTreeEdit;

/// The ordered index: KeyNodes by (namespace, space, key bytes).
///
/// Owned by TransactionalKvDatabase; names KeyNodes of one heap by their handles, owns none.
///
/// Invariants
///   B1  A published node never changes but for its child pointers; a change is a copy, published
///       by one store of one child pointer (or the root), after which the originals are retired.
///   B2  The node in a child pointer covers exactly the range between the separators beside it.
///   B3  A replaced node's child pointers are never stored again, so a reader inside it sees the
///       tree as it was at that store, which is later than the reader's start.
///   B4  No leaf but the root is empty; all leaves have the same depth.
///
/// Threads: find and scan from any thread inside an epoch guard; size and memory_bytes from any
/// thread; insert and erase from the one writer.
class BTree {
 public:
  BTree(EpochManager& epochs, NodeBase nodes);
  /// REQUIRES: no reader. The KeyNodes stay.
  ~BTree();
  BTree(const BTree&) = delete;
  BTree& operator=(const BTree&) = delete;

  /// The node of the key or null.
  [[nodiscard]] KeyNode* find(const KeyRef& ref) const;

  /// Writer. Full leaves from nodes in strictly ascending order of key. REQUIRES: empty.
  void build(std::span<KeyNode* const> sorted);

  /// Writer. REQUIRES: the key is absent.
  void insert(KeyNode* node);

  /// Writer. Unlinks and never frees. REQUIRES: `node` is present.
  void erase(KeyNode* node);

  [[nodiscard]] std::size_t size() const { return size_.load(std::memory_order_relaxed); }
  [[nodiscard]] std::size_t memory_bytes() const {
    return memory_bytes_.load(std::memory_order_relaxed);
  }

  /// visit(KeyNode&) -> bool in key order from the first node >= `from` (> `from` unless
  /// `inclusive`) until it answers false. Sees every key that is present from before the call to
  /// its end and none that was erased before it. The caller holds one guard all the time.
  template <class Visit>
  void scan(const KeyRef& from, bool inclusive, Visit&& visit) const {
    Cursor cursor(*this, from, inclusive);
    for (Run run = cursor.run(); !run.empty(); run = cursor.next_run()) {
      for (std::size_t i = 0; i < run.size(); ++i) {
        if (i + kPrefetch < run.size()) __builtin_prefetch(nodes_.node(run[i + kPrefetch]));
        if (!visit(*nodes_.node(run[i]))) return;
      }
    }
  }

 private:
  friend class BTreeEdit;
  static constexpr std::size_t kPrefetch = 6;
  static constexpr std::size_t kDepthMax = 16;

  using Run = std::span<const NodeHandle>;

  struct Level {
    const BTreeInner* inner;
    std::size_t index;
  };

  /// A position in the leaves that steps right through the inner nodes of its own descent: no
  /// sibling pointers and, by B3, no second look at the keys.
  class Cursor {
   public:
    Cursor(const BTree& tree, const KeyRef& from, bool inclusive);
    [[nodiscard]] Run run() const { return run_; }
    [[nodiscard]] Run next_run();

   private:
    /// To the leftmost leaf below `node`.
    void descend(const BTreeNode* node);

    std::array<Level, kDepthMax> path_;
    std::size_t depth_ = 0;
    Run run_;
  };

  EpochManager& epochs_;
  const NodeBase nodes_;
  std::atomic<BTreeNode*> root_;
  std::atomic<std::size_t> size_{0};
  std::atomic<std::size_t> memory_bytes_{0};
};

}  // namespace synod::core
