// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>

#include "core/table/cuckoo_bucket.h"

namespace synod::core {

/// Arrays from this size on are mapped, aligned to it and can be given back in pieces of it: the
/// kernel fills pages on first touch, so neither growing nor freeing is one long pause.
inline constexpr std::size_t kCuckooPieceBytes = std::size_t{2} << 20;

/// All buckets empty, in small pages at first. `count` is a power of two.
[[nodiscard]] CuckooBucket* allocate_cuckoo_buckets(std::size_t count);

/// Asks for huge pages in a large array. Before the first touch each fault fills a whole one, which
/// can take milliseconds; afterwards the kernel gathers pages in the background.
void advise_huge_pages(CuckooBucket* buckets, std::size_t count);

/// Frees a whole array, or the end of a large one that starts on a piece.
void free_cuckoo_buckets(void* start, std::size_t bytes);

/// EpochManager's `destroy` for one piece of a large array, and for a small array as a whole.
void destroy_cuckoo_piece(void* piece);
void destroy_small_cuckoo_array(void* array);

}  // namespace synod::core
