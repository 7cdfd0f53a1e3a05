// SPDX-License-Identifier: Apache-2.0
#include "core/table/slab_allocator.h"

#include <algorithm>
#include <bit>
#include <cstdlib>
#include <cstring>
#include <new>

#include "base/assert.h"
#include "core/table/slab_memory.h"

#if defined(__SANITIZE_ADDRESS__)
extern "C" void __asan_poison_memory_region(const volatile void* start, std::size_t bytes);
extern "C" void __asan_unpoison_memory_region(const volatile void* start, std::size_t bytes);
#endif

namespace synod::core {
namespace {

constexpr std::size_t kPageBytes = 4096;

// A sanitizer is told of slots nobody has, as malloc tells it of what was freed.
#if defined(__SANITIZE_ADDRESS__)
void forbid(const void* start, std::size_t bytes) { __asan_poison_memory_region(start, bytes); }
void allow(const void* start, std::size_t bytes) { __asan_unpoison_memory_region(start, bytes); }
#else
void forbid(const void* /*start*/, std::size_t /*bytes*/) {}
void allow(const void* /*start*/, std::size_t /*bytes*/) {}
#endif

std::size_t round_up(std::size_t bytes, std::size_t unit) {
  return (bytes + unit - 1) / unit * unit;
}

}  // namespace

/// The first line of a chunk; the slots follow.
struct alignas(64) SlabAllocator::Chunk {
  SlabAllocator* owner;
  Chunk* previous = nullptr;
  Chunk* next = nullptr;
  void* free = nullptr;  ///< Released slots; each begins with the address of the next.
  std::uint32_t slot_bytes = 0;
  std::uint32_t slots = 0;
  std::uint32_t used = 0;
  std::uint32_t fresh = 0;    ///< The first slot that was never used.
  std::uint32_t touched = 0;  ///< Bytes of the chunk that count as reserved.
  std::uint16_t size_class = 0;
  std::uint8_t bin = 0;
  bool is_huge = false;

  [[nodiscard]] std::byte* slot(std::size_t index) {
    return reinterpret_cast<std::byte*>(this + 1) + index * slot_bytes;
  }
};

struct SlabAllocator::Large {
  SlabAllocator* owner;
  Large* previous;
  Large* next;
  std::size_t bytes;
};

SlabAllocator::SlabAllocator(void* user, NodeRange* range) : user_(user), range_(range) {
  static_assert(sizeof(Chunk) == 64, "slots begin on the second line of a chunk");
  static_assert(kChunkBytes == NodeRange::kChunkBytes, "a range gives out what slabs are made of");
}

SlabAllocator::~SlabAllocator() {
  const auto free_all = [this](Chunk* chunk) {
    while (chunk != nullptr) {
      Chunk* next = chunk->next;
      allow(chunk, kChunkBytes);
      unmap_chunk(chunk);
      chunk = next;
    }
  };
  for (SizeClass& size_class : classes_) {
    free_all(size_class.current);
    free_all(size_class.full);
    for (Chunk* chunk : size_class.bins) free_all(chunk);
  }
  free_all(spare_);
  for (const Ahead& ahead : ahead_) unmap_chunk(ahead.memory);
  while (large_ != nullptr) release_large(large_);
}

std::size_t SlabAllocator::class_of(std::size_t bytes) {
  if (bytes <= kLinearMax) return (std::max<std::size_t>(bytes, 1) + 7) / 8 - 1;
  // Eight steps for each doubling: the three bits behind the leading one choose.
  const std::size_t last = bytes - 1;
  const auto log = static_cast<std::size_t>(std::bit_width(last)) - 1;
  return kLinearMax / 8 + (log - 8) * 8 + ((last >> (log - 3)) & 7);
}

std::size_t SlabAllocator::class_bytes(std::size_t index) {
  if (index < kLinearMax / 8) return (index + 1) * 8;
  const std::size_t beyond = index - kLinearMax / 8;
  return (8 + beyond % 8 + 1) << (beyond / 8 + 5);
}

SlabAllocator::Chunk* SlabAllocator::chunk_of(const void* inside) {
  const auto address = reinterpret_cast<std::uintptr_t>(inside);
  return reinterpret_cast<Chunk*>(address & ~(kChunkBytes - 1));
}

std::size_t SlabAllocator::bin_of(const Chunk& chunk) {
  const std::size_t quarters = std::size_t{chunk.used} * kBins / chunk.slots;
  return kBins - 1 - std::min(quarters, kBins - 1);
}

std::size_t SlabAllocator::slot_bytes(const void* slot) { return chunk_of(slot)->slot_bytes; }

void* SlabAllocator::slot_of(void* inside) {
  Chunk* chunk = chunk_of(inside);
  const auto offset = static_cast<std::size_t>(static_cast<std::byte*>(inside) - chunk->slot(0));
  return chunk->slot(offset / chunk->slot_bytes);
}

void* SlabAllocator::user_of(void* inside) { return chunk_of(inside)->owner->user_; }

void* SlabAllocator::user_of(void* memory, std::size_t bytes) {
  if (bytes > kSlotBytesMax) return (static_cast<Large*>(memory) - 1)->owner->user_;
  return user_of(memory);
}

void SlabAllocator::count_in_use(std::ptrdiff_t bytes) {
  // One writer: no need of a locked instruction.
  bytes_in_use_.store(bytes_in_use() + static_cast<std::size_t>(bytes), std::memory_order_relaxed);
}

void SlabAllocator::count_reserved(std::ptrdiff_t bytes) {
  bytes_reserved_.store(bytes_reserved() + static_cast<std::size_t>(bytes),
                        std::memory_order_relaxed);
}

void SlabAllocator::touch_up_to(Chunk& chunk, std::size_t offset) {
  if (offset <= chunk.touched) return;
  const std::size_t touched = chunk.is_huge ? kChunkBytes : round_up(offset, kPageBytes);
  count_reserved(static_cast<std::ptrdiff_t>(touched - chunk.touched));
  chunk.touched = static_cast<std::uint32_t>(touched);
}

void* SlabAllocator::allocate(std::size_t bytes) {
  if (bytes > kSlotBytesMax) return allocate_large(bytes);
  const std::size_t index = class_of(bytes);
  SizeClass& size_class = classes_[index];
  if (size_class.current == nullptr || size_class.current->used == size_class.current->slots) {
    next_chunk(index);
  }
  Chunk& chunk = *size_class.current;
  ++chunk.used;
  count_in_use(chunk.slot_bytes);
  if (chunk.free != nullptr) {
    void* slot = chunk.free;
    allow(slot, chunk.slot_bytes);
    std::memcpy(&chunk.free, slot, sizeof chunk.free);
    return slot;
  }
  std::byte* slot = chunk.slot(chunk.fresh++);
  allow(slot, chunk.slot_bytes);
  touch_up_to(chunk, static_cast<std::size_t>(slot + chunk.slot_bytes -
                                              reinterpret_cast<std::byte*>(&chunk)));
  return slot;
}

/// Another chunk for a class whose current one is full or missing.
void SlabAllocator::next_chunk(std::size_t index) {
  SizeClass& size_class = classes_[index];
  if (Chunk* full = size_class.current) {
    size_class.current = nullptr;
    link(full);
  }
  for (Chunk* chunk : size_class.bins) {
    if (chunk == nullptr) continue;
    unlink(chunk);
    size_class.current = chunk;
    return;
  }
  size_class.current = fresh_chunk(index);
}

SlabAllocator::Chunk* SlabAllocator::fresh_chunk(std::size_t index) {
  void* memory = spare_;
  std::uint32_t touched = 0;
  bool is_huge = false;
  const bool may_be_huge = classes_[index].chunks >= kSmallChunks && bytes_reserved() >= kSmallHeap;
  if (spare_ != nullptr) {
    touched = spare_->touched;
    is_huge = spare_->is_huge;
    spare_ = nullptr;
  } else if (memory = may_be_huge ? take_prepared() : nullptr; memory != nullptr) {
    touched = kChunkBytes;
    is_huge = true;
  } else {
    memory = map_chunk();
    // The first of a class may stay nearly empty.
    is_huge = eager_ && classes_[index].chunks > 0;
    if (is_huge) advise_huge_pages(memory, kChunkBytes);
  }
  auto* chunk = new (memory) Chunk{.owner = this};
  chunk->size_class = static_cast<std::uint16_t>(index);
  chunk->slot_bytes = static_cast<std::uint32_t>(class_bytes(index));
  chunk->slots = static_cast<std::uint32_t>((kChunkBytes - sizeof(Chunk)) / chunk->slot_bytes);
  chunk->touched = touched;
  chunk->is_huge = is_huge;
  touch_up_to(*chunk, sizeof(Chunk));
  forbid(chunk + 1, kChunkBytes - sizeof(Chunk));
  ++classes_[index].chunks;
  if (may_be_huge) prepare_ahead();
  return chunk;
}

/// A chunk of one huge page, which counts as reserved already, or null.
void* SlabAllocator::take_prepared() {
  if (ahead_.empty() || !pages_->is_done(ahead_.front().ticket)) return nullptr;
  void* memory = ahead_.front().memory;
  ahead_.pop_front();
  return memory;
}

void SlabAllocator::prepare_ahead() {
  if (pages_ == nullptr || !pages_->may_prepare()) return;
  // Towards its end the range is for those who need it now.
  if (range_ != nullptr && range_->chunks_free() < range_->chunks() / 8) return;
  constexpr std::size_t kShare = 32;
  const std::size_t wanted =
      std::clamp<std::size_t>(bytes_reserved() / kChunkBytes / kShare, 1, kAheadMax);
  while (ahead_.size() < wanted) {
    void* memory = map_chunk();
    ahead_.push_back({memory, pages_->prepare(memory, kChunkBytes)});
    count_reserved(static_cast<std::ptrdiff_t>(kChunkBytes));
  }
}

void SlabAllocator::release(void* memory, std::size_t bytes) {
  if (bytes > kSlotBytesMax) {
    auto* large = static_cast<Large*>(memory) - 1;
    large->owner->release_large(large);
    return;
  }
  Chunk* chunk = chunk_of(memory);
  chunk->owner->release_slot(chunk, memory);
}

void SlabAllocator::release_slot(Chunk* chunk, void* slot) {
  const bool was_full = chunk->used == chunk->slots;
  std::memcpy(slot, &chunk->free, sizeof chunk->free);
  chunk->free = slot;
  --chunk->used;
  count_in_use(-static_cast<std::ptrdiff_t>(chunk->slot_bytes));
  forbid(slot, chunk->slot_bytes);
  if (chunk == classes_[chunk->size_class].current) return;
  if (!was_full && chunk->used != 0 && bin_of(*chunk) == chunk->bin) return;
  unlink(chunk);
  if (chunk->used == 0) {
    give_back(chunk);
  } else {
    link(chunk);
  }
}

void SlabAllocator::give_back(Chunk* chunk) {
  --classes_[chunk->size_class].chunks;
  allow(chunk, kChunkBytes);
  if (spare_ == nullptr) {
    chunk->next = nullptr;
    spare_ = chunk;
    return;
  }
  count_reserved(-static_cast<std::ptrdiff_t>(chunk->touched));
  unmap_chunk(chunk);
}

void* SlabAllocator::map_chunk() {
  if (range_ != nullptr) return range_->take();
  void* memory =
      map_aligned(kChunkBytes, last_mapped_ == nullptr ? nullptr : last_mapped_ - kChunkBytes);
  last_mapped_ = static_cast<std::byte*>(memory);
  return memory;
}

void SlabAllocator::unmap_chunk(void* memory) {
  if (range_ != nullptr) {
    range_->give_back(memory);
  } else {
    unmap(memory, kChunkBytes);
  }
}

/// Into the list that suits it: of the full ones or one of the bins.
void SlabAllocator::link(Chunk* chunk) {
  SizeClass& size_class = classes_[chunk->size_class];
  const bool is_full = chunk->used == chunk->slots;
  chunk->bin = static_cast<std::uint8_t>(is_full ? kBins : bin_of(*chunk));
  Chunk*& first = is_full ? size_class.full : size_class.bins[chunk->bin];
  chunk->previous = nullptr;
  chunk->next = first;
  if (first != nullptr) first->previous = chunk;
  first = chunk;
}

void SlabAllocator::unlink(Chunk* chunk) {
  SizeClass& size_class = classes_[chunk->size_class];
  Chunk*& first = chunk->bin == kBins ? size_class.full : size_class.bins[chunk->bin];
  (chunk->previous == nullptr ? first : chunk->previous->next) = chunk->next;
  if (chunk->next != nullptr) chunk->next->previous = chunk->previous;
  chunk->previous = nullptr;
  chunk->next = nullptr;
}

bool SlabAllocator::is_worth_leaving(const void* memory, std::size_t bytes) const {
  if (bytes > kSlotBytesMax) return false;
  const Chunk* chunk = chunk_of(memory);
  // Moves go to the current chunk; where that is full, to the fullest with room.
  return chunk != classes_[chunk->size_class].current && chunk->bin > 0 && chunk->bin < kBins;
}

void* SlabAllocator::allocate_large(std::size_t bytes) {
  SYNOD_ASSERT(range_ == nullptr, "what lies in a range fits into a slot");
  const std::size_t mapped = round_up(bytes + sizeof(Large), kPageBytes);
  void* memory = std::malloc(mapped);
  SYNOD_ASSERT(memory != nullptr, "memory is admitted before the log, never refused after it");
  auto* large = new (memory) Large{this, nullptr, large_, mapped};
  if (large_ != nullptr) large_->previous = large;
  large_ = large;
  count_in_use(static_cast<std::ptrdiff_t>(mapped));
  count_reserved(static_cast<std::ptrdiff_t>(mapped));
  return large + 1;
}

void SlabAllocator::release_large(Large* large) {
  (large->previous == nullptr ? large_ : large->previous->next) = large->next;
  if (large->next != nullptr) large->next->previous = large->previous;
  count_in_use(-static_cast<std::ptrdiff_t>(large->bytes));
  count_reserved(-static_cast<std::ptrdiff_t>(large->bytes));
  // malloc may keep what it gets: the whole pages behind its own words go back to the kernel first.
  constexpr std::size_t kWords = 64;
  const auto begin = round_up(reinterpret_cast<std::uintptr_t>(large + 1) + kWords, kPageBytes);
  const auto end = (reinterpret_cast<std::uintptr_t>(large) + large->bytes) & ~(kPageBytes - 1);
  if (end > begin) give_pages_back(reinterpret_cast<void*>(begin), end - begin);
  std::free(large);
}

}  // namespace synod::core
