// SPDX-License-Identifier: Apache-2.0
#include "tests/base/largest_allocation.h"

#include <cstdlib>
#include <new>

namespace {
thread_local std::size_t largest = 0;
}  // namespace

// A file of its own keeps these from being inlined into callers, where the compiler would take
// the malloc inside for a mismatch.
void* operator new(std::size_t size) {
  if (size > largest) largest = size;
  if (void* memory = std::malloc(size)) return memory;
  throw std::bad_alloc();
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }

namespace synod::base {

void reset_largest_allocation() { largest = 0; }
std::size_t largest_allocation() { return largest; }

}  // namespace synod::base
