// SPDX-License-Identifier: Apache-2.0
#include "core/table/cuckoo_memory.h"

#include <sys/mman.h>

#include <cstdint>
#include <cstdlib>
#include <cstring>

#include "base/assert.h"

namespace synod::core {
namespace {

constexpr const char* kMemoryReason = "memory is admitted before the log, never refused after it";

void unmap(void* start, std::size_t bytes) {
  SYNOD_ASSERT(munmap(start, bytes) == 0, "a table unmaps only what it mapped");
}

/// Zero pages at a multiple of the piece size.
void* map_aligned(std::size_t bytes) {
  const std::size_t reserved = bytes + kCuckooPieceBytes;
  void* mapped =
      mmap(nullptr, reserved, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  SYNOD_ASSERT(mapped != MAP_FAILED, kMemoryReason);
  auto* const begin = static_cast<std::byte*>(mapped);
  const std::size_t before =
      (kCuckooPieceBytes - reinterpret_cast<std::uintptr_t>(begin) % kCuckooPieceBytes) %
      kCuckooPieceBytes;
  if (before != 0) unmap(begin, before);
  const std::size_t after = kCuckooPieceBytes - before;
  if (after != 0) unmap(begin + before + bytes, after);
  return begin + before;
}

}  // namespace

CuckooBucket* allocate_cuckoo_buckets(std::size_t count) {
  const std::size_t bytes = count * sizeof(CuckooBucket);
  if (bytes >= kCuckooPieceBytes) return static_cast<CuckooBucket*>(map_aligned(bytes));
  void* memory = std::aligned_alloc(alignof(CuckooBucket), bytes);
  SYNOD_ASSERT(memory != nullptr, kMemoryReason);
  std::memset(memory, 0, bytes);
  return static_cast<CuckooBucket*>(memory);
}

void advise_huge_pages(CuckooBucket* buckets, std::size_t count) {
  const std::size_t bytes = count * sizeof(CuckooBucket);
  // Advice only: without huge pages the table is right and slower.
  if (bytes >= kCuckooPieceBytes) static_cast<void>(madvise(buckets, bytes, MADV_HUGEPAGE));
}

void free_cuckoo_buckets(void* start, std::size_t bytes) {
  if (bytes >= kCuckooPieceBytes) {
    unmap(start, bytes);
  } else {
    std::free(start);
  }
}

void destroy_cuckoo_piece(void* piece) { unmap(piece, kCuckooPieceBytes); }

void destroy_small_cuckoo_array(void* array) { std::free(array); }

}  // namespace synod::core
