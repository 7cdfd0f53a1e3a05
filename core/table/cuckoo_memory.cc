// SPDX-License-Identifier: Apache-2.0
#include "core/table/cuckoo_memory.h"

#include <cstdint>
#include <cstdlib>
#include <cstring>

#include "base/assert.h"
#include "core/table/slab_memory.h"

namespace synod::core {
namespace {

constexpr const char* kMemoryReason = "memory is admitted before the log, never refused after it";

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
  if (bytes >= kCuckooPieceBytes) advise_huge_pages(static_cast<void*>(buckets), bytes);
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
