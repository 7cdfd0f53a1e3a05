// SPDX-License-Identifier: Apache-2.0
// The writer, readers, and a thread that prepares and unmaps the memory under them.
#include <gtest/gtest.h>

#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include "core/table/cuckoo_table.h"
#include "core/table/record_heap.h"
#include "tests/core_table/table_support.h"
#include "tests/support/page_thread.h"

namespace synod::core {
namespace {

TEST(ConcurrentPages, ReadersMissNothingWhileMemoryIsPreparedAndUnmapped) {
#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
  const std::size_t keys = test::operations(450'000);
#else
  const std::size_t keys = test::operations(900'000);
#endif
  PageKeeper pages;
  EpochManager epochs;
  RecordHeap heap(epochs);
  CuckooTable table(base::SipKey{3, 4}, epochs, heap.base(), 16);
  heap.set_pages(&pages);
  table.set_pages(&pages);
  std::atomic<std::size_t> present{0};
  std::atomic<bool> done{false};
  std::atomic<int> failures{0};
  const std::string value(100, 'v');
  {
    const tests::PageThread page_thread(pages);
    std::vector<std::thread> readers;
    for (std::uint64_t seed = 0; seed < 2; ++seed) {
      readers.emplace_back([&, seed] {
        base::Random random(seed);
        while (!done.load(std::memory_order_acquire)) {
          const std::size_t known = present.load(std::memory_order_acquire);
          if (known == 0) continue;
          const EpochManager::Guard guard = epochs.enter();
          const std::string key = test::numbered(random.below(known));
          const KeyNode* node = table.find({NamespaceId(1), Space(0), key});
          const bool is_there =
              node != nullptr && node->head.load(std::memory_order_acquire)->value() == value;
          if (!is_there) failures.fetch_add(1);
        }
      });
    }
    RecordHeader header;
    for (std::size_t i = 0; i < keys; ++i) {
      header.version = Version(static_cast<std::int64_t>(i) + 1);
      const std::string key = test::numbered(i);
      table.insert(heap.create_node({NamespaceId(1), Space(0), key}, header, value));
      present.store(i + 1, std::memory_order_release);
      if (i % 64 == 0) epochs.collect();
    }
    done.store(true, std::memory_order_release);
    for (std::thread& reader : readers) reader.join();
  }
  EXPECT_EQ(failures.load(), 0);
  EXPECT_EQ(pages.bytes_waiting(), 0U);
  EXPECT_GE(heap.bytes_reserved(), heap.bytes_in_use());
  EXPECT_LE(heap.bytes_reserved(), heap.bytes_in_use() + 8 * SlabAllocator::kChunkBytes);
}

}  // namespace
}  // namespace synod::core
