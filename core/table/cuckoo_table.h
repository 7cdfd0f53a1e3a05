// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>

#include "base/siphash.h"
#include "core/table/cuckoo_bucket.h"
#include "core/table/epoch.h"
#include "core/table/key_node.h"
#include "core/table/node_handle.h"
#include "core/table/page_keeper.h"
#include "core/table/tag_search.h"

namespace synod::core {

/// The point index: from a key to its KeyNode, in at most two cache lines of buckets.
///
/// Owned by TransactionalKvDatabase; names KeyNodes of one heap by their handles, owns none.
///
/// Invariants
///   T1  A node is in one of its two buckets from the end of insert() to the start of erase();
///       a displacement writes the new slot, counts in the key's stripe, then clears the old slot.
///   T2  A reader that misses and sees its stripe's count unchanged has missed no node that was
///       present during the whole call.
///   T3  A bucket of a migrated number is never written again, so a reader that came before the
///       migration finds there what was present at that moment.
///   T4  A bucket splits into two empty ones: migration never displaces and never fails.
///   T5  One writer operation migrates a bounded number of buckets. Of a large array it neither
///       fills nor unmaps more than the pages it writes to, as long as somebody attends the
///       PageKeeper: that fills the next array before it is needed, and unmaps the old one.
///
/// Threads: find, find_batch, prefetch from any thread inside an epoch guard; size and
/// memory_bytes from any thread; the rest from the one writer.
class CuckooTable {
 public:
  CuckooTable(base::SipKey key, EpochManager& epochs, NodeBase nodes,
              std::size_t initial_capacity = 1024, TagSearch search = best_tag_search());
  /// REQUIRES: no reader. The nodes stay.
  ~CuckooTable();
  CuckooTable(const CuckooTable&) = delete;
  CuckooTable& operator=(const CuckooTable&) = delete;

  /// Writer. Who prepares and unmaps large arrays. It outlives this and the EpochManager.
  void set_pages(PageKeeper* pages) { pages_ = pages; }

  /// The node of the key or null.
  [[nodiscard]] KeyNode* find(const KeyRef& ref) const;

  /// out[i] = find(refs[i]), with the cache misses of up to 16 keys overlapped.
  /// REQUIRES: out.size() >= refs.size().
  void find_batch(std::span<const KeyRef> refs, std::span<KeyNode*> out) const;

  /// Brings the key's buckets towards the cache.
  void prefetch(const KeyRef& ref) const;

  /// Writer. Makes room for all at once, in huge pages where granted, and inserts them with their
  /// cache misses overlapped. REQUIRES: empty; no key comes twice.
  void build(std::span<KeyNode* const> nodes);

  /// Writer. REQUIRES: the key is absent.
  void insert(KeyNode* node);

  /// Writer. Unlinks and never frees. REQUIRES: `node` is present.
  void erase(KeyNode* node);

  [[nodiscard]] std::size_t size() const { return size_.load(std::memory_order_relaxed); }
  [[nodiscard]] std::size_t memory_bytes() const {
    return memory_bytes_.load(std::memory_order_relaxed);
  }

  /// Writer. visit(KeyNode&) for every node, in no order anyone may depend on.
  template <class Visit>
  void for_each(Visit&& visit) const {
    const CuckooLayout& layout = *layout_.load(std::memory_order_relaxed);
    const std::size_t migrated = layout.migrated.load(std::memory_order_relaxed);
    visit_buckets(layout.next, layout.next + 2 * migrated, visit);
    visit_buckets(layout.main + migrated, layout.main + layout.bucket_count, visit);
  }

  /// Writer. visit(KeyNode&) for the nodes of `buckets` buckets (rounded up to some more) from
  /// `cursor` on; answers where to go on, or 0 at the end. Begins at 0; a cursor stays good while
  /// the table grows. In a round each node is met once, but for those that a displacement carries
  /// from one side of the cursor to the other. The visitor must not insert or erase.
  template <class Visit>
  std::uint64_t visit_from(std::uint64_t cursor, std::size_t buckets, Visit&& visit) const {
    std::array<KeyNode*, kSweepBuckets * CuckooBucket::kSlots> nodes;
    std::size_t seen = 0;
    do {
      const std::size_t count = gather(cursor, nodes);
      for (std::size_t i = 0; i < count; ++i) visit(*nodes[i]);
      seen += kSweepBuckets;
    } while (cursor != 0 && seen < buckets);
    return cursor;
  }

 private:
  static constexpr std::size_t kStripes = 256;
  static constexpr std::size_t kBatch = 16;
  static constexpr std::size_t kSweepBuckets = 8;
  /// The next array is prepared when this share of the slots is left before growth starts.
  static constexpr std::size_t kAheadShare = 16;

  struct Found {
    CuckooBucket* bucket;
    std::size_t slot;
  };
  struct Step;

  template <class Visit>
  void visit_buckets(const CuckooBucket* begin, const CuckooBucket* end, Visit& visit) const {
    for (; begin != end; ++begin) {
      for (const auto& slot : begin->slots) {
        const NodeHandle node = slot.load(std::memory_order_relaxed);
        if (node != NodeHandle()) visit(*nodes_.node(node));
      }
    }
  }

  [[nodiscard]] std::uint64_t hash(const KeyRef& ref) const;
  template <TagSearch kSearch>
  [[nodiscard]] KeyNode* find_with(const KeyRef& ref, std::uint64_t hash) const;
  [[nodiscard]] KeyNode* find_hashed(const KeyRef& ref, std::uint64_t hash) const;
  void find_group(std::span<const KeyRef> refs, KeyNode** out) const;
  [[nodiscard]] std::atomic<std::uint32_t>& stripe(std::uint64_t hash) const {
    return moves_[(hash >> 8) % kStripes];
  }

  /// The nodes of the next kSweepBuckets buckets, and what their heads point at, on their way to
  /// the cache. Moves the cursor.
  [[nodiscard]] std::size_t gather(std::uint64_t& cursor, std::span<KeyNode*> out) const;
  [[nodiscard]] static CuckooLayout* create_layout(std::size_t capacity);
  void place(KeyNode* node, std::uint64_t hash);
  [[nodiscard]] Found locate(const KeyNode* node) const;
  [[nodiscard]] Found make_room(std::uint64_t hash);
  [[nodiscard]] std::size_t search_path(std::uint64_t hash, std::span<Step> steps) const;
  [[nodiscard]] Found displace_along(std::span<const Step> steps, std::size_t last);
  void start_growth();
  void migrate(std::size_t buckets);
  void migrate_bucket(CuckooLayout& layout, std::size_t number);
  void finish_growth(CuckooLayout* grown);
  void retire_buckets(CuckooBucket* buckets, std::size_t count);
  void prepare_next();
  [[nodiscard]] CuckooBucket* take_next();
  void housekeep();

  const base::SipKey key_;
  const NodeBase nodes_;
  EpochManager& epochs_;
  const TagSearch search_;
  std::atomic<CuckooLayout*> layout_;
  mutable std::array<std::atomic<std::uint32_t>, kStripes> moves_{};
  std::atomic<std::size_t> size_{0};
  std::atomic<std::size_t> memory_bytes_{0};
  PageKeeper* pages_ = nullptr;
  CuckooBucket* prepared_ = nullptr;  ///< Of twice the buckets: the array that comes next.
};

}  // namespace synod::core
