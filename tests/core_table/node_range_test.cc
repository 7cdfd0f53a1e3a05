// SPDX-License-Identifier: Apache-2.0
#include "core/table/node_range.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <vector>

#include "core/table/key_node.h"

namespace synod::core {
namespace {

constexpr std::size_t kChunk = NodeRange::kChunkBytes;

bool is_zero(const void* chunk) {
  const auto* bytes = static_cast<const char*>(chunk);
  return std::all_of(bytes, bytes + kChunk, [](char byte) { return byte == 0; });
}

TEST(NodeRange, GivesOutTheLowestChunkThatIsFree) {
  NodeRange range(100 * kChunk);
  std::vector<char*> chunks;
  for (std::size_t i = 0; i < 100; ++i) {
    EXPECT_EQ(range.chunks_free(), 100 - i);
    chunks.push_back(static_cast<char*>(range.take()));
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(chunks[i]) % kChunk, 0U);
    EXPECT_EQ(chunks[i], chunks[0] + i * kChunk);
  }
  for (const std::size_t i : {70U, 3U, 99U, 64U, 63U}) range.give_back(chunks[i]);
  for (const std::size_t i : {3U, 63U, 64U, 70U, 99U}) EXPECT_EQ(range.take(), chunks[i]);
  EXPECT_EQ(range.chunks_free(), 0U);
}

TEST(NodeRange, GivesZerosWhereAnotherHadWritten) {
  NodeRange range(2 * kChunk);
  void* chunk = range.take();
  EXPECT_TRUE(is_zero(chunk));
  std::memset(chunk, 'x', kChunk);
  range.give_back(chunk);
  EXPECT_EQ(range.take(), chunk);
  EXPECT_TRUE(is_zero(chunk));
}

TEST(NodeRange, HasAHandleForEverySlotUpToItsEnd) {
  NodeRange range;
  EXPECT_EQ(range.chunks() * kChunk, NodeBase::kSpan);
  char* first = static_cast<char*>(range.take());
  char* last = first;
  while (range.chunks_free() > 0) last = static_cast<char*>(range.take());
  EXPECT_EQ(last, first + NodeBase::kSpan - kChunk);
  const NodeBase base = range.base();
  const auto check = [&base](char* at, std::uint32_t handle) {
    const auto* node = reinterpret_cast<const KeyNode*>(at);
    EXPECT_EQ(base.handle(node), NodeHandle(handle));
    EXPECT_EQ(base.node(NodeHandle(handle)), node);
  };
  check(first + 8, 1);
  check(first + 64, 8);
  check(first + (std::size_t{1} << 31), 1U << 28);
  check(last + kChunk - 8, UINT32_MAX);
}

TEST(NodeRange, StandsBesideMany) {
  // As with several databases in one process; a sanitizer leaves the fewest addresses.
  std::vector<std::unique_ptr<NodeRange>> ranges;
  for (int i = 0; i < 20; ++i) {
    ranges.push_back(std::make_unique<NodeRange>());
    std::memset(ranges.back()->take(), i, 100);
  }
}

TEST(NodeRangeDeathTest, DiesWhereNoChunkIsLeft) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  NodeRange range(2 * kChunk);
  (void)range.take();
  (void)range.take();
  EXPECT_DEATH((void)range.take(), "admission leaves room");
}

TEST(NodeRangeDeathTest, DiesOfANodeThatIsNotInside) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  NodeRange range(kChunk);
  const NodeBase base = range.base();
  const auto* begin = static_cast<const char*>(range.take());
  const auto handle = [&base](const char* at) {
    return base.handle(reinterpret_cast<const KeyNode*>(at));
  };
  EXPECT_DEATH((void)handle(begin), "its own heap") << "handle 0 is none";
  EXPECT_DEATH((void)handle(begin - 8), "its own heap");
  EXPECT_DEATH((void)handle(begin + NodeBase::kSpan), "its own heap");
}

}  // namespace
}  // namespace synod::core
