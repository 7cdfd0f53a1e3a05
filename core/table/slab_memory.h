// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>

namespace synod::core {

/// Zero pages at a multiple of 2 MiB, which `bytes` is a multiple of; near `hint` if that is free.
[[nodiscard]] void* map_aligned(std::size_t bytes, void* hint = nullptr);
void unmap(void* start, std::size_t bytes);
/// Whole pages whose contents nobody needs; they stay mapped. Advice only.
void give_pages_back(void* start, std::size_t bytes);
/// Asks for huge pages: at once where nothing was touched, in the background otherwise. Advice
/// only: without huge pages all is right and slower.
void advise_huge_pages(void* start, std::size_t bytes);

}  // namespace synod::core
