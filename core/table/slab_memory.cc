// SPDX-License-Identifier: Apache-2.0
#include "core/table/slab_memory.h"

#include <sys/mman.h>

#include <atomic>
#include <cstdint>

#include "base/assert.h"

namespace synod::core {
namespace {

constexpr std::size_t kAlignment = std::size_t{2} << 20;
constexpr std::size_t kPageBytes = 4096;

bool is_aligned(const void* start) {
  return reinterpret_cast<std::uintptr_t>(start) % kAlignment == 0;
}

void* map_at(void* hint, std::size_t bytes) {
  void* mapped = mmap(hint, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  SYNOD_ASSERT(mapped != MAP_FAILED, "memory is admitted before the log, never refused after it");
  return mapped;
}

}  // namespace

void* map_aligned(std::size_t bytes, void* hint) {
  if (hint != nullptr) {
    void* mapped = map_at(hint, bytes);
    if (is_aligned(mapped)) return mapped;
    unmap(mapped, bytes);
  }
  auto* const begin = static_cast<std::byte*>(map_at(nullptr, bytes + kAlignment));
  const std::size_t before =
      (kAlignment - reinterpret_cast<std::uintptr_t>(begin) % kAlignment) % kAlignment;
  if (before != 0) unmap(begin, before);
  const std::size_t after = kAlignment - before;
  if (after != 0) unmap(begin + before + bytes, after);
  return begin + before;
}

void* map_pages(std::size_t bytes) { return map_at(nullptr, bytes); }

void unmap(void* start, std::size_t bytes) {
  SYNOD_ASSERT(munmap(start, bytes) == 0, "the tables unmap only what they mapped");
}

void give_pages_back(void* start, std::size_t bytes) {
  static_cast<void>(madvise(start, bytes, MADV_DONTNEED));
}

void advise_huge_pages(void* start, std::size_t bytes) {
  static_cast<void>(madvise(start, bytes, MADV_HUGEPAGE));
}

void fill_huge_page(void* start) {
  unsigned char is_there = 0;
  // Advice about small pages that are there would have the kernel gather them: it stops whoever
  // uses them, and whoever asks for memory, for milliseconds.
  if (mincore(start, kPageBytes, &is_there) != 0 || (is_there & 1) != 0) return;
  advise_huge_pages(start, kAlignment);
  // One write fills the page. Not through madvise: that holds the lock of all mappings meanwhile.
  std::uint64_t nothing = 0;
  std::atomic_ref(*static_cast<std::uint64_t*>(start))
      .compare_exchange_strong(nothing, 0, std::memory_order_relaxed);
}

}  // namespace synod::core
