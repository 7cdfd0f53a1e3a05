// SPDX-License-Identifier: Apache-2.0
#include "core/table/page_keeper.h"

#include <gtest/gtest.h>
#include <sys/mman.h>

#include <cstring>
#include <string>
#include <vector>

#include "core/table/cuckoo_table.h"
#include "core/table/slab_allocator.h"
#include "core/table/slab_memory.h"
#include "tests/core_table/table_support.h"

namespace synod::core {
namespace {

constexpr std::size_t kPiece = PageKeeper::kPieceBytes;
constexpr std::size_t kPage = 4096;

bool is_touched(const std::byte* page) {
  unsigned char is_there = 0;
  EXPECT_EQ(mincore(const_cast<std::byte*>(page), kPage, &is_there), 0);
  return (is_there & 1) != 0;
}

bool is_mapped(const std::byte* page) {
  unsigned char is_there = 0;
  return mincore(const_cast<std::byte*>(page), kPage, &is_there) == 0;
}

class PageKeeperTest : public testing::Test {
 protected:
  PageKeeperTest() {
    pages_.attend([this] { ++wakes_; });
  }
  ~PageKeeperTest() override { pages_.leave(); }
  static std::byte* map(std::size_t pieces) {
    return static_cast<std::byte*>(map_aligned(pieces * kPiece));
  }
  void work_off() {
    while (pages_.work()) {
    }
  }

  PageKeeper pages_;
  int wakes_ = 0;
};

TEST_F(PageKeeperTest, TouchesEachPieceAndChangesNoByte) {
  std::byte* memory = map(3);
  memory[kPiece] = std::byte{7};
  const PageKeeper::Ticket ticket = pages_.prepare(memory, 3 * kPiece);
  EXPECT_FALSE(pages_.is_done(ticket));
  EXPECT_TRUE(pages_.work());
  EXPECT_TRUE(is_touched(memory));
  EXPECT_FALSE(is_touched(memory + 2 * kPiece)) << "one piece a call";
  work_off();
  EXPECT_TRUE(pages_.is_done(ticket));
  EXPECT_TRUE(is_touched(memory + 2 * kPiece));
  EXPECT_FALSE(is_touched(memory + kPiece + kPage))
      << "where somebody was first, nothing is filled or left to the kernel";
  for (std::size_t i = 0; i < 3 * kPiece; ++i) {
    ASSERT_EQ(memory[i], std::byte{i == kPiece ? std::uint8_t{7} : std::uint8_t{0}}) << i;
  }
  unmap(memory, 3 * kPiece);
}

TEST_F(PageKeeperTest, UnmapsAPieceACallAndCountsWhatWaits) {
  std::byte* memory = map(3);
  pages_.give_back(memory, 3 * kPiece);
  EXPECT_EQ(pages_.bytes_waiting(), 3 * kPiece);
  EXPECT_TRUE(is_mapped(memory));
  EXPECT_TRUE(pages_.work());
  EXPECT_EQ(pages_.bytes_waiting(), 2 * kPiece);
  EXPECT_FALSE(is_mapped(memory));
  EXPECT_TRUE(is_mapped(memory + kPiece));
  work_off();
  EXPECT_EQ(pages_.bytes_waiting(), 0U);
  EXPECT_FALSE(is_mapped(memory + 2 * kPiece));
}

TEST_F(PageKeeperTest, PreparesWhatIsGivenBackBeforeItIsUnmapped) {
  std::byte* memory = map(2);
  const PageKeeper::Ticket ticket = pages_.prepare(memory, 2 * kPiece);
  pages_.give_back(memory, 2 * kPiece);
  EXPECT_TRUE(pages_.work());
  EXPECT_TRUE(pages_.work());
  EXPECT_TRUE(pages_.is_done(ticket));
  EXPECT_EQ(pages_.bytes_waiting(), 2 * kPiece);
  work_off();
  EXPECT_EQ(pages_.bytes_waiting(), 0U);
}

TEST_F(PageKeeperTest, WakesItsAttendantOnceUntilThereIsNothingMoreToDo) {
  std::byte* memory = map(4);
  pages_.give_back(memory, 2 * kPiece);
  EXPECT_TRUE(pages_.work());
  pages_.give_back(memory + 2 * kPiece, kPiece);
  EXPECT_EQ(wakes_, 1);
  work_off();
  pages_.give_back(memory + 3 * kPiece, kPiece);
  EXPECT_EQ(wakes_, 2);
  work_off();
}

TEST_F(PageKeeperTest, UnmapsByItselfWhatNobodyAttendsTo) {
  std::byte* memory = map(4);
  const PageKeeper::Ticket ticket = pages_.prepare(memory + 3 * kPiece, kPiece);
  pages_.give_back(memory, kPiece);
  pages_.leave();
  EXPECT_FALSE(is_mapped(memory));
  EXPECT_TRUE(pages_.is_done(ticket));
  EXPECT_FALSE(is_touched(memory + 3 * kPiece));
  pages_.give_back(memory + kPiece, 3 * kPiece);
  EXPECT_FALSE(is_mapped(memory + kPiece));
  EXPECT_EQ(pages_.bytes_waiting(), 0U);
  EXPECT_FALSE(pages_.work());
  EXPECT_EQ(wakes_, 1);
}

class PreparedSlabsTest : public PageKeeperTest {
 protected:
  static constexpr std::size_t kChunk = SlabAllocator::kChunkBytes;
  static constexpr std::size_t kSlot = 1'024;

  PreparedSlabsTest() { slabs_.set_pages(&pages_); }
  /// Each slot full of one byte, so that pages are used as a heap uses them.
  void fill(std::size_t chunks) {
    for (std::size_t i = 0; i < chunks * kChunk / kSlot; ++i) {
      void* slot = slabs_.allocate(kSlot);
      std::memset(slot, static_cast<int>(slots_.size() % 251), kSlot);
      slots_.push_back(slot);
    }
  }
  void expect_whole() {
    for (std::size_t i = 0; i < slots_.size(); ++i) {
      const auto* bytes = static_cast<const unsigned char*>(slots_[i]);
      ASSERT_EQ(bytes[0], i % 251);
      ASSERT_EQ(std::memcmp(bytes, bytes + 1, kSlot - 1), 0);
    }
  }

  SlabAllocator slabs_{this};
  std::vector<void*> slots_;
};

TEST_F(PreparedSlabsTest, PreparesNothingForASmallHeap) {
  fill(7);
  EXPECT_EQ(wakes_, 0);
  EXPECT_LE(slabs_.bytes_reserved(), slabs_.bytes_in_use() + 2 * kPage + 8 * kSlot);
}

TEST_F(PreparedSlabsTest, PreparesNothingForASizeOfFewChunks) {
  fill(7);
  for (const std::size_t bytes : {2'000U, 3'000U, 4'000U}) {
    for (std::size_t i = 0; i < 3 * kChunk / bytes; ++i) {
      static_cast<void>(slabs_.allocate(bytes));
    }
  }
  EXPECT_EQ(wakes_, 0);
}

TEST_F(PreparedSlabsTest, UsesOneChunkAfterTheOtherAsTheyAreReadyAndCountsThem) {
  constexpr std::size_t kChunks = 200;
  for (std::size_t chunk = 0; chunk < kChunks; ++chunk) {
    fill(1);
    work_off();
    // One that is begun, those ahead, and what is no slot.
    const std::size_t ahead = chunk < 60 ? 1 : 4;
    ASSERT_LE(slabs_.bytes_reserved(),
              slabs_.bytes_in_use() + (ahead + 1) * kChunk + chunk * 2 * kSlot)
        << chunk;
  }
  EXPECT_GT(wakes_, 150);
  expect_whole();
  for (void* slot : slots_) SlabAllocator::release(slot, kSlot);
  EXPECT_EQ(slabs_.bytes_in_use(), 0U);
  EXPECT_LE(slabs_.bytes_reserved(), 6 * kChunk) << "four ahead, a spare one and the current one";
}

TEST_F(PreparedSlabsTest, GoesOnInSmallPagesWhileNothingIsReady) {
  fill(100);
  EXPECT_EQ(wakes_, 1);
  EXPECT_LE(slabs_.bytes_reserved(), slabs_.bytes_in_use() + 4 * kChunk + 100 * 2 * kSlot);
  expect_whole();
  work_off();
  fill(2);
  expect_whole();
}

TEST_F(PreparedSlabsTest, NothingIsAheadWhileMemoryIsShort) {
  pages_.hold_back(true);
  fill(100);
  EXPECT_EQ(wakes_, 0);
  EXPECT_LE(slabs_.bytes_reserved(), slabs_.bytes_in_use() + kChunk + 100 * 2 * kSlot);
  expect_whole();
}

class PreparedTableTest : public PageKeeperTest {
 protected:
  PreparedTableTest() { table_.set_pages(&pages_); }
  ~PreparedTableTest() override {
    table_.for_each([this](KeyNode& node) { test::retire_node(epochs_, &node); });
  }
  void add() {
    const TestKey key{1, 0, test::numbered(table_.size())};
    table_.insert(test::create_node(key.ref()));
  }
  using TestKey = test::TestKey;
  EpochManager epochs_;
  CuckooTable table_{base::SipKey{1, 2}, epochs_, test::node_base(), 16};
};

TEST_F(PreparedTableTest, PreparesTheNextArrayWhileKeysAreStillLeftBeforeItGrows) {
  while (wakes_ == 0) add();
  const std::size_t bytes = table_.memory_bytes();
  const std::size_t size = table_.size();
  EXPECT_EQ(bytes, kPiece * 3 / 2) << "the array in use and one of twice its size";
  work_off();
  epochs_.collect();
  while (epochs_.retired_count() == 0) add();
  EXPECT_GT(table_.size(), size + size / 20) << "time to prepare it";
  EXPECT_EQ(table_.memory_bytes(), bytes) << "growth takes what was prepared";
  while (table_.memory_bytes() == bytes) add();
  EXPECT_EQ(table_.memory_bytes(), kPiece) << "the old array is retired";
}

TEST_F(PreparedTableTest, UnmapsNothingInAWriterOperation) {
  constexpr std::size_t kKeys = 1'550'000;
  std::size_t waiting_max = 0;
  for (std::size_t i = 0; i < kKeys; ++i) {
    const std::size_t waiting = pages_.bytes_waiting();
    add();
    epochs_.collect();
    ASSERT_GE(pages_.bytes_waiting(), waiting);
    waiting_max = std::max(waiting_max, pages_.bytes_waiting());
    if (i % 1'000 == 0) static_cast<void>(pages_.work());
  }
  EXPECT_EQ(waiting_max, 4 * kPiece) << "the largest array that growth has left";
  work_off();
  EXPECT_EQ(pages_.bytes_waiting(), 0U);
  for (std::size_t i = 0; i < kKeys; ++i) {
    const std::string key = test::numbered(i);
    ASSERT_NE(table_.find({NamespaceId(1), Space(0), key}), nullptr) << key;
  }
}

TEST_F(PreparedTableTest, GrowsThroughPiecesThatAreNotReady) {
  constexpr std::size_t kKeys = 450'000;
  for (std::size_t i = 0; i < kKeys; ++i) add();
  work_off();  // Too late: others were first.
  for (std::size_t i = 0; i < kKeys; ++i) {
    const std::string key = test::numbered(i);
    ASSERT_NE(table_.find({NamespaceId(1), Space(0), key}), nullptr) << key;
  }
}

}  // namespace
}  // namespace synod::core
