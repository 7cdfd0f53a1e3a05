// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>

#include "core/table/page_keeper.h"

#include "core/table/node_range.h"

namespace synod::core {

/// Memory for the small objects of the tables: slots of few sizes in chunks of 2 MiB that are
/// aligned to their size, so that an address tells its chunk, and the chunk its owner. What is
/// larger than kSlotBytesMax comes from malloc, which knows how few mappings the kernel allows.
///
/// Owned by RecordHeap; freeing it frees everything in it.
///
/// Invariants
///   S1  A slot is at most one eighth larger than what was asked for, and 7 bytes for the smallest.
///   S2  A chunk serves one size. Slots that were never used come last and in order of address,
///       so that memory is touched as it is needed and not before.
///   S3  Of the chunks with free slots the fullest serve first, so that sparse ones drain; an empty
///       one goes back to the kernel, but for one that is kept.
///   S4  bytes_reserved() counts each page of a chunk from its first touch (each huge page, where
///       one was asked for before the first touch) to its return.
///   S5  Pages are huge from their first touch or stay small. A chunk that is to be huge is filled
///       by the PageKeeper before anybody uses it; if none is ready, pages are small. The first
///       chunks of a size, and of a small heap, are small; of what is prepared ahead there is one
///       chunk, or one for 32 chunks in use, and never more than kAheadMax.
///
/// Threads: one writer; bytes_in_use and bytes_reserved from any thread.
class SlabAllocator {
 public:
  static constexpr std::size_t kChunkBytes = std::size_t{2} << 20;
  static constexpr std::size_t kSlotBytesMax = std::size_t{64} << 10;

  /// `user` is what user_of answers for every slot. With a range, which must outlive this, chunks
  /// come from there, and nothing larger than kSlotBytesMax may be asked for.
  explicit SlabAllocator(void* user, NodeRange* range = nullptr);
  ~SlabAllocator();
  SlabAllocator(const SlabAllocator&) = delete;
  SlabAllocator& operator=(const SlabAllocator&) = delete;

  /// Aligned to 8 bytes.
  [[nodiscard]] void* allocate(std::size_t bytes);
  /// `bytes` as they were asked for, or any other number on the same side of kSlotBytesMax.
  static void release(void* memory, std::size_t bytes);

  // For memory of at most kSlotBytesMax.
  [[nodiscard]] static std::size_t slot_bytes(const void* slot);
  /// The beginning of the slot that `inside` lies in.
  [[nodiscard]] static void* slot_of(void* inside);
  [[nodiscard]] static void* user_of(void* inside);
  /// The same for memory of any size, as it was allocated.
  [[nodiscard]] static void* user_of(void* memory, std::size_t bytes);

  /// True if an object of this size should move to a slot that allocate() would give: its chunk is
  /// sparse, and with such moves it is soon empty.
  [[nodiscard]] bool is_worth_leaving(const void* memory, std::size_t bytes) const;

  /// Chunks from now on get huge pages at their first touch, which may take milliseconds: for
  /// loading, before there are clients.
  void set_eager(bool eager) { eager_ = eager; }
  /// Who prepares huge pages (S5). It outlives this.
  void set_pages(PageKeeper* pages) { pages_ = pages; }

  [[nodiscard]] std::size_t bytes_in_use() const {
    return bytes_in_use_.load(std::memory_order_relaxed);
  }
  [[nodiscard]] std::size_t bytes_reserved() const {
    return bytes_reserved_.load(std::memory_order_relaxed);
  }

 private:
  struct Chunk;
  struct Large;
  /// Chunks with free slots by how full they are: at least three quarters, half, a quarter, less.
  static constexpr std::size_t kBins = 4;
  /// A size with so many chunks may have huge ones, in a heap of so many.
  static constexpr std::size_t kSmallChunks = 4;
  static constexpr std::size_t kSmallHeap = 8 * kChunkBytes;
  static constexpr std::size_t kAheadMax = 4;
  /// Steps of 8 bytes up to 256, then eight steps for each doubling.
  static constexpr std::size_t kLinearMax = 256;
  static constexpr std::size_t kClasses = kLinearMax / 8 + 8 * 8;

  struct Ahead {
    void* memory;
    PageKeeper::Ticket ticket;
  };
  struct SizeClass {
    Chunk* current = nullptr;  ///< In no bin.
    Chunk* full = nullptr;     ///< Chunks without free slots.
    std::array<Chunk*, kBins> bins{};
    std::size_t chunks = 0;
  };

  [[nodiscard]] static std::size_t class_of(std::size_t bytes);
  [[nodiscard]] static std::size_t class_bytes(std::size_t index);
  [[nodiscard]] static Chunk* chunk_of(const void* inside);
  [[nodiscard]] static std::size_t bin_of(const Chunk& chunk);
  [[nodiscard]] void* allocate_large(std::size_t bytes);
  void release_large(Large* large);
  void release_slot(Chunk* chunk, void* slot);
  void next_chunk(std::size_t index);
  [[nodiscard]] Chunk* fresh_chunk(std::size_t index);
  [[nodiscard]] void* take_prepared();
  void prepare_ahead();
  void give_back(Chunk* chunk);
  [[nodiscard]] void* map_chunk();
  void unmap_chunk(void* memory);
  void link(Chunk* chunk);
  void unlink(Chunk* chunk);
  void count_in_use(std::ptrdiff_t bytes);
  void count_reserved(std::ptrdiff_t bytes);
  void touch_up_to(Chunk& chunk, std::size_t offset);

  void* const user_;
  NodeRange* const range_;
  std::array<SizeClass, kClasses> classes_{};
  Chunk* spare_ = nullptr;
  PageKeeper* pages_ = nullptr;
  std::deque<Ahead> ahead_;
  Large* large_ = nullptr;
  std::byte* last_mapped_ = nullptr;  ///< Neighbours share one mapping of the kernel's.
  bool eager_ = false;
  std::atomic<std::size_t> bytes_in_use_{0};
  std::atomic<std::size_t> bytes_reserved_{0};
};

}  // namespace synod::core
