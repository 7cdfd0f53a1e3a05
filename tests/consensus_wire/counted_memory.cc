// SPDX-License-Identifier: Apache-2.0
#include "tests/consensus_wire/counted_memory.h"

#include <atomic>
#include <cstdlib>
#include <new>

namespace {
std::atomic<std::size_t> bytes_so_far{0};
}  // namespace

// In a file of their own: seen together with their callers, compilers mistrust the pair.
void* operator new(std::size_t size) {
  bytes_so_far += size;
  if (void* memory = std::malloc(size)) return memory;
  std::abort();
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }

namespace synod::consensus {

std::size_t allocated_bytes() { return bytes_so_far; }

}  // namespace synod::consensus
