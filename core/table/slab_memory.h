// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>

namespace synod::core {

/// Zero pages at a multiple of 2 MiB, which `bytes` is a multiple of; near `hint` if that is free.
[[nodiscard]] void* map_aligned(std::size_t bytes, void* hint = nullptr);
/// Zero pages, no more aligned than pages are.
[[nodiscard]] void* map_pages(std::size_t bytes);
void unmap(void* start, std::size_t bytes);
/// Whole pages whose contents nobody needs; they stay mapped. Advice only.
void give_pages_back(void* start, std::size_t bytes);
/// Asks for huge pages: at once where nothing was touched, in the background otherwise. Advice
/// only: without huge pages all is right and slower.
void advise_huge_pages(void* start, std::size_t bytes);
/// Makes 2 MiB of zeros at a multiple of that one huge page, if the kernel has one, unless somebody
/// has touched the beginning. Changes no byte, but writes the first word if it is 0: beside it only
/// atomic operations may use that word.
void fill_huge_page(void* start);

}  // namespace synod::core
