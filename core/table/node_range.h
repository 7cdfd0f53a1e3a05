// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "core/table/node_handle.h"

namespace synod::core {

/// The addresses at which the nodes of one heap live, so that four bytes tell a node: reserved at
/// once and without memory behind them, given out in chunks.
///
/// Owned by RecordHeap; one for each, so that what one database takes is never missing in another,
/// and two replicas of one history come to the end at about the same size.
///
/// Invariants
///   R1  Chunks are aligned to their size; one that is out has pages of its own, of zeros at first.
///       Everything else may not be touched and takes no memory.
///   R2  The lowest chunk that is free is given out, so that the kernel has few mappings to keep.
///
/// Threads: one writer; chunks_free from any thread.
/// Failure: ends the process when the kernel refuses the addresses or when no chunk is left, which
/// admission prevents (RecordHeap::is_nearly_full).
class NodeRange {
 public:
  static constexpr std::size_t kChunkBytes = std::size_t{2} << 20;

  /// `bytes` is a multiple of kChunkBytes.
  explicit NodeRange(std::size_t bytes = NodeBase::kSpan);
  /// REQUIRES: nobody uses a chunk.
  ~NodeRange();
  NodeRange(const NodeRange&) = delete;
  NodeRange& operator=(const NodeRange&) = delete;

  [[nodiscard]] NodeBase base() const { return NodeBase(begin_); }

  [[nodiscard]] void* take();
  void give_back(void* chunk);

  [[nodiscard]] std::size_t chunks() const { return chunks_; }
  [[nodiscard]] std::size_t chunks_free() const {
    return chunks_free_.load(std::memory_order_relaxed);
  }

 private:
  static constexpr std::size_t kBits = 64;

  const std::size_t chunks_;
  std::byte* const begin_;
  std::atomic<std::size_t> chunks_free_;
  std::vector<std::uint64_t> free_;  // A bit for each chunk.
  std::size_t lowest_ = 0;           // No word of free_ before it has a bit.
};

}  // namespace synod::core
