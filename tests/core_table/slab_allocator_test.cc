// SPDX-License-Identifier: Apache-2.0
#include "core/table/slab_allocator.h"

#include <gtest/gtest.h>

#include <cstring>
#include <map>
#include <vector>

#include "base/random.h"

namespace synod::core {
namespace {

constexpr std::size_t kChunk = SlabAllocator::kChunkBytes;

/// A piece of memory that knows what was written to it.
struct Piece {
  char* memory;
  std::size_t bytes;
  char fill;

  [[nodiscard]] bool is_whole() const {
    for (std::size_t i = 0; i < bytes; ++i) {
      if (memory[i] != fill) return false;
    }
    return true;
  }
};

class SlabAllocatorTest : public testing::Test {
 protected:
  Piece make(std::size_t bytes) {
    Piece piece{static_cast<char*>(slabs_.allocate(bytes)), bytes, static_cast<char>(++made_)};
    std::memset(piece.memory, piece.fill, bytes);
    return piece;
  }

  int user_ = 0;
  SlabAllocator slabs_{&user_};
  int made_ = 0;
};

TEST_F(SlabAllocatorTest, RoundsUpByAnEighthAtMost) {
  for (std::size_t bytes = 1; bytes <= SlabAllocator::kSlotBytesMax; bytes += 1 + bytes / 100) {
    const std::size_t before = slabs_.bytes_in_use();
    void* slot = slabs_.allocate(bytes);
    const std::size_t size = SlabAllocator::slot_bytes(slot);
    EXPECT_EQ(slabs_.bytes_in_use() - before, size);
    EXPECT_GE(size, bytes);
    EXPECT_LE(size - bytes, std::max<std::size_t>(7, bytes / 8)) << bytes;
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(slot) % 8, 0U);
    SlabAllocator::release(slot, bytes);
    EXPECT_EQ(slabs_.bytes_in_use(), before);
  }
}

TEST_F(SlabAllocatorTest, KnowsSlotAndUserOfAnyAddressInside) {
  for (const std::size_t bytes : {24U, 100U, 5'000U}) {
    for (int i = 0; i < 100; ++i) {
      const Piece piece = make(bytes);
      EXPECT_EQ(SlabAllocator::slot_of(piece.memory + bytes - 1), piece.memory);
      EXPECT_EQ(SlabAllocator::slot_of(piece.memory), piece.memory);
      EXPECT_EQ(SlabAllocator::user_of(piece.memory + bytes / 2), &user_);
    }
  }
}

TEST_F(SlabAllocatorTest, NeverGivesOneByteToTwo) {
  base::Random random(11);
  std::vector<Piece> pieces;
  std::size_t asked = 0;
  for (int i = 0; i < 60'000; ++i) {
    if (pieces.empty() || random.chance(i / 20'000 % 2 == 0 ? 0.7 : 0.3)) {
      const std::size_t bytes =
          random.chance(0.01) ? 1 + random.below(100'000) : 1 + random.below(400);
      pieces.push_back(make(bytes));
      asked += bytes;
    } else {
      std::swap(pieces[random.below(pieces.size())], pieces.back());
      ASSERT_TRUE(pieces.back().is_whole());
      asked -= pieces.back().bytes;
      SlabAllocator::release(pieces.back().memory, pieces.back().bytes);
      pieces.pop_back();
    }
    ASSERT_GE(slabs_.bytes_in_use(), asked);
    ASSERT_GE(slabs_.bytes_reserved(), slabs_.bytes_in_use());
  }
  for (const Piece& piece : pieces) {
    ASSERT_TRUE(piece.is_whole());
    SlabAllocator::release(piece.memory, piece.bytes);
  }
  EXPECT_EQ(slabs_.bytes_in_use(), 0U);
}

TEST_F(SlabAllocatorTest, CountsPagesAsTheyAreTouchedAndGivesEmptyChunksBack) {
  void* small = slabs_.allocate(100);
  EXPECT_EQ(slabs_.bytes_reserved(), 4096U);
  SlabAllocator::release(small, 100);
  std::vector<void*> slots(5 * kChunk / 1'024);
  for (void*& slot : slots) slot = slabs_.allocate(1'024);
  EXPECT_GE(slabs_.bytes_reserved(), 5 * kChunk);
  EXPECT_LE(slabs_.bytes_reserved(), 5 * kChunk + 2 * 4096 + 1'024 * 6);
  for (void* slot : slots) SlabAllocator::release(slot, 1'024);
  EXPECT_EQ(slabs_.bytes_in_use(), 0U);
  EXPECT_LE(slabs_.bytes_reserved(), 2 * kChunk + 4096) << "a spare one and the current one";
}

TEST_F(SlabAllocatorTest, ReturnsLargeMemoryAtOnce) {
  void* large = slabs_.allocate(1'000'000);
  EXPECT_GE(slabs_.bytes_reserved(), 1'000'000U);
  EXPECT_EQ(slabs_.bytes_reserved(), slabs_.bytes_in_use());
  SlabAllocator::release(large, 1'000'000);
  EXPECT_EQ(slabs_.bytes_reserved(), 0U);
}

TEST_F(SlabAllocatorTest, TakesMoreLargeObjectsThanTheKernelHasMappings) {
  // Linux allows 65,530 mappings; each hole between two large objects costs one.
  constexpr std::size_t kObjects = 140'000;
  constexpr std::size_t kBytes = SlabAllocator::kSlotBytesMax + 100;
  std::vector<void*> objects;
  for (std::size_t i = 0; i < kObjects; ++i) objects.push_back(slabs_.allocate(kBytes));
  for (std::size_t i = 0; i < kObjects; i += 2) SlabAllocator::release(objects[i], kBytes);
  EXPECT_GT(slabs_.bytes_in_use(), kObjects / 2 * kBytes);
  for (std::size_t i = 1; i < kObjects; i += 2) SlabAllocator::release(objects[i], kBytes);
  EXPECT_EQ(slabs_.bytes_in_use(), 0U);
}

TEST_F(SlabAllocatorTest, EmptiesSparseChunksWhenWhatIsWorthLeavingLeaves) {
  constexpr std::size_t kBytes = 512;
  std::vector<void*> slots(8 * kChunk / kBytes);
  for (void*& slot : slots) slot = slabs_.allocate(kBytes);
  base::Random random(3);
  std::vector<void*> kept;
  for (void* slot : slots) {
    if (random.chance(0.2)) {
      kept.push_back(slot);
    } else {
      SlabAllocator::release(slot, kBytes);
    }
  }
  EXPECT_GE(slabs_.bytes_reserved(), 8 * kChunk) << "every chunk has something in it";
  for (int round = 0; round < 4; ++round) {
    for (void*& slot : kept) {
      if (!slabs_.is_worth_leaving(slot, kBytes)) continue;
      void* better = slabs_.allocate(kBytes);
      SlabAllocator::release(slot, kBytes);
      slot = better;
    }
  }
  EXPECT_LE(slabs_.bytes_reserved(), slabs_.bytes_in_use() * 4 / 3 + 2 * kChunk);
}

TEST(SlabAllocatorDeathTest, TakesNothingLargeFromARange) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  NodeRange range(kChunk);
  SlabAllocator slabs(nullptr, &range);
  void* slot = slabs.allocate(SlabAllocator::kSlotBytesMax);
  SlabAllocator::release(slot, SlabAllocator::kSlotBytesMax);
  EXPECT_DEATH((void)slabs.allocate(SlabAllocator::kSlotBytesMax + 1), "fits into a slot");
}

}  // namespace
}  // namespace synod::core
