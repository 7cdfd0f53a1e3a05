// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "core/table/epoch.h"
#include "core/table/key_node.h"
#include "core/table/slab_allocator.h"

namespace synod::core {

/// Where nodes and records live, and the one place that makes, replaces and retires them.
///
/// A node made with a small value has room behind its key and the record lies there, so that a
/// point read finds it where it finds the key. A record that supersedes it lies apart; once no
/// reader can hold the old one, the newest moves into the room if it is the only one and fits
/// (`settle`). Larger values always lie apart, because they can leave memory.
///
/// Owned by TransactionalKvDatabase; ends with everything in it, before the EpochManager.
///
/// Invariants
///   H1  A node's room holds the record that was published there until the epoch of its retirement
///       has passed; only then is it vacant and written again.
///   H2  A record is moved only while it is its node's head with nothing behind it: then nobody but
///       the node and readers inside their epochs points at it.
///   H3  A retired node's head is null, so no callback finds a record there to move.
///   H4  Nodes, and nothing that lies apart from them, come from the NodeRange. A handle means its
///       node until the epoch of the node's retirement has passed.
///   H5  While less than half of the range is free nodes are made without room, when they are
///       loaded as well. What is admitted (is_nearly_full) therefore fits whatever its history.
///
/// Threads: the one writer; the counts of bytes from any thread.
class RecordHeap {
 public:
  /// Larger values never lie beside their key.
  static constexpr std::size_t kBesideMax = 128;

  explicit RecordHeap(EpochManager& epochs, std::size_t node_range_bytes = NodeBase::kSpan)
      : epochs_(epochs), range_(node_range_bytes) {}
  /// REQUIRES: no reader.
  ~RecordHeap() { epochs_.drain(); }
  RecordHeap(const RecordHeap&) = delete;
  RecordHeap& operator=(const RecordHeap&) = delete;

  /// A node whose head is its first record, seen by nobody yet.
  [[nodiscard]] KeyNode* create_node(const KeyRef& ref, const RecordHeader& header,
                                     base::BytesView value);
  /// The same for a value that is elsewhere.
  [[nodiscard]] KeyNode* create_cold_node(const KeyRef& ref, const RecordHeader& header,
                                          std::uint32_t value_size);
  /// Makes a record the head of the node's chain.
  Record* supersede(KeyNode& node, const RecordHeader& header, base::BytesView value);

  /// A record that lies apart, seen by nobody yet, with nothing behind it.
  [[nodiscard]] Record* create(const RecordHeader& header, base::BytesView value);
  [[nodiscard]] Record* create_cold(const RecordHeader& header, std::uint32_t value_size);
  /// Puts `record`, the same version with or without its value, in the place of the head and
  /// retires that. REQUIRES: there is nothing behind the head.
  void replace_head(KeyNode& node, Record* record);

  /// Retires everything behind `keep`.
  void cut_behind(Record& keep);
  /// Retires the node and its records. REQUIRES: no new reader can reach it.
  void retire_node(KeyNode& node);
  /// Moves the head to where it should be, if nothing is behind it: beside its key, or out of a
  /// chunk that few others use, so that memory is given back. True if it moved.
  bool settle(KeyNode& node);

  /// Brings a node and the record before the one to be cut off towards the cache.
  static void prefetch(const KeyNode& node, const Record& record);

  /// What the handles of the nodes count from.
  [[nodiscard]] NodeBase base() const { return range_.base(); }
  /// Any thread. The addresses for nodes come to their end: no more keys may be admitted. What is
  /// left is for those that were, and for holes that are more on another replica.
  [[nodiscard]] bool is_nearly_full() const;
  /// And now not even tombstones of keys that never were.
  [[nodiscard]] bool is_full() const;
  /// Huge pages at once (SlabAllocator::set_eager).
  void set_eager(bool eager) {
    nodes_.set_eager(eager);
    records_.set_eager(eager);
  }

  /// Of nodes and records, each rounded to its slot; and what the kernel gave for them.
  [[nodiscard]] std::size_t bytes_in_use() const {
    return nodes_.bytes_in_use() + records_.bytes_in_use();
  }
  [[nodiscard]] std::size_t bytes_reserved() const {
    return nodes_.bytes_reserved() + records_.bytes_reserved();
  }
  /// Of those in use: records that lie apart and wait for the end of epochs.
  [[nodiscard]] std::size_t bytes_retired() const {
    return bytes_retired_.load(std::memory_order_relaxed);
  }
  /// Who prepares huge pages. It outlives this.
  void set_pages(PageKeeper* pages) {
    nodes_.set_pages(pages);
    records_.set_pages(pages);
  }

 private:
  /// Nodes may have room for a record, as far as the range goes (H5).
  [[nodiscard]] bool may_have_room() const { return range_.chunks_free() >= range_.chunks() / 2; }
  [[nodiscard]] KeyNode* make_node(const KeyRef& ref, bool has_room, std::size_t room_bytes);
  static void destroy_record(void* record);
  static void destroy_record_beside(void* record);
  static void destroy_node(void* node);
  void retire(Record* record);
  void count_retired(std::ptrdiff_t bytes);
  void count_node(std::ptrdiff_t bytes);
  [[nodiscard]] static std::size_t room_bytes(const KeyNode& node);

  EpochManager& epochs_;
  NodeRange range_;
  SlabAllocator nodes_{this, &range_};
  SlabAllocator records_{this};  ///< What lies apart: records, and the bytes of long keys.
  std::atomic<std::size_t> bytes_retired_{0};
  std::atomic<std::size_t> least_bytes_{0};  ///< Of all nodes if none had room.
};

}  // namespace synod::core
