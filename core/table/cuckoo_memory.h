// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>

#include "core/table/cuckoo_bucket.h"
#include "core/table/page_keeper.h"

namespace synod::core {

/// Arrays from this size on are mapped and aligned to it: they may be of huge pages.
inline constexpr std::size_t kCuckooPieceBytes = PageKeeper::kPieceBytes;

/// All buckets empty, in small pages that come on first touch. `count` is a power of two.
[[nodiscard]] CuckooBucket* allocate_cuckoo_buckets(std::size_t count);

/// Asks for huge pages in a large array. REQUIRES: it was not touched. Each first touch of a piece
/// fills a whole page then, which can take milliseconds.
void advise_huge_pages(CuckooBucket* buckets, std::size_t count);

void free_cuckoo_buckets(CuckooBucket* buckets, std::size_t count);

/// An array that waits for the end of its epoch, for EpochManager: large ones go to `pages`, which
/// may be null and outlives the EpochManager.
struct RetiredBuckets {
  CuckooBucket* buckets;
  std::size_t count;
  PageKeeper* pages;

  static void destroy(void* retired);
};

}  // namespace synod::core
