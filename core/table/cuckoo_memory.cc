// SPDX-License-Identifier: Apache-2.0
#include "core/table/cuckoo_memory.h"

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>

#include "base/assert.h"
#include "core/table/slab_memory.h"

namespace synod::core {
namespace {

/// From here on the kernel gives zeros page by page; below, to clear them all at once is nothing.
constexpr std::size_t kMappedBytes = std::size_t{64} << 10;
constexpr const char* kMemoryReason = "memory is admitted before the log, never refused after it";

}  // namespace

CuckooBucket* allocate_cuckoo_buckets(std::size_t count) {
  const std::size_t bytes = count * sizeof(CuckooBucket);
  if (bytes >= kCuckooPieceBytes) return static_cast<CuckooBucket*>(map_aligned(bytes));
  if (bytes >= kMappedBytes) return static_cast<CuckooBucket*>(map_pages(bytes));
  void* memory = std::aligned_alloc(alignof(CuckooBucket), bytes);
  SYNOD_ASSERT(memory != nullptr, kMemoryReason);
  std::memset(memory, 0, bytes);
  return static_cast<CuckooBucket*>(memory);
}

void advise_huge_pages(CuckooBucket* buckets, std::size_t count) {
  const std::size_t bytes = count * sizeof(CuckooBucket);
  if (bytes >= kCuckooPieceBytes) advise_huge_pages(static_cast<void*>(buckets), bytes);
}

void free_cuckoo_buckets(CuckooBucket* buckets, std::size_t count) {
  const std::size_t bytes = count * sizeof(CuckooBucket);
  if (bytes >= kMappedBytes) {
    unmap(buckets, bytes);
  } else {
    std::free(buckets);
  }
}

void RetiredBuckets::destroy(void* retired) {
  const std::unique_ptr<RetiredBuckets> owned(static_cast<RetiredBuckets*>(retired));
  const std::size_t bytes = owned->count * sizeof(CuckooBucket);
  if (owned->pages != nullptr && bytes >= kCuckooPieceBytes) {
    owned->pages->give_back(owned->buckets, bytes);
  } else {
    free_cuckoo_buckets(owned->buckets, owned->count);
  }
}

}  // namespace synod::core
