// SPDX-License-Identifier: Apache-2.0
#include "core/table/node_range.h"

#include <sys/mman.h>

#include <bit>

#include "base/assert.h"

namespace synod::core {
namespace {

constexpr int kReserved = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;

/// Addresses alone, at a multiple of a chunk.
std::byte* reserve(std::size_t bytes) {
  constexpr std::size_t kAlignment = NodeRange::kChunkBytes;
  void* mapped = mmap(nullptr, bytes + kAlignment, PROT_NONE, kReserved, -1, 0);
  SYNOD_ASSERT(mapped != MAP_FAILED,
               "a database reserves 32 GiB of addresses, and of memory only what it uses: raise "
               "the limit of the address space (ulimit -v)");
  auto* const begin = static_cast<std::byte*>(mapped);
  const std::size_t before =
      (kAlignment - reinterpret_cast<std::uintptr_t>(begin) % kAlignment) % kAlignment;
  if (before != 0) SYNOD_ASSERT(munmap(begin, before) == 0, "what was mapped is unmapped");
  SYNOD_ASSERT(munmap(begin + before + bytes, kAlignment - before) == 0,
               "what was mapped is unmapped");
  return begin + before;
}

}  // namespace

NodeRange::NodeRange(std::size_t bytes)
    : chunks_(bytes / kChunkBytes),
      begin_(reserve(bytes)),
      chunks_free_(chunks_),
      free_((chunks_ + kBits - 1) / kBits, ~std::uint64_t{0}) {
  SYNOD_ASSERT(bytes > 0 && bytes % kChunkBytes == 0 && bytes <= NodeBase::kSpan,
               "a range is of whole chunks that handles reach");
  if (chunks_ % kBits != 0) free_.back() >>= kBits - chunks_ % kBits;
}

NodeRange::~NodeRange() {
  SYNOD_ASSERT(munmap(begin_, chunks_ * kChunkBytes) == 0, "what was mapped is unmapped");
}

void* NodeRange::take() {
  while (lowest_ < free_.size() && free_[lowest_] == 0) ++lowest_;
  SYNOD_ASSERT(lowest_ < free_.size(), "admission leaves room for the keys that were ordered");
  const auto bit = static_cast<std::size_t>(std::countr_zero(free_[lowest_]));
  free_[lowest_] &= free_[lowest_] - 1;
  chunks_free_.store(chunks_free() - 1, std::memory_order_relaxed);
  std::byte* chunk = begin_ + (lowest_ * kBits + bit) * kChunkBytes;
  SYNOD_ASSERT(mprotect(chunk, kChunkBytes, PROT_READ | PROT_WRITE) == 0,
               "memory is admitted before the log, never refused after it");
  return chunk;
}

void NodeRange::give_back(void* chunk) {
  // A new mapping in its place: the pages go at once, and so does every advice about them (R1).
  SYNOD_ASSERT(mmap(chunk, kChunkBytes, PROT_NONE, kReserved | MAP_FIXED, -1, 0) == chunk,
               "a chunk goes back to the addresses it came from");
  const auto index =
      static_cast<std::size_t>(static_cast<std::byte*>(chunk) - begin_) / kChunkBytes;
  free_[index / kBits] |= std::uint64_t{1} << (index % kBits);
  if (index / kBits < lowest_) lowest_ = index / kBits;
  chunks_free_.store(chunks_free() + 1, std::memory_order_relaxed);
}

}  // namespace synod::core
