// SPDX-License-Identifier: Apache-2.0
#include "core/recent_writes.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include "base/random.h"

namespace synod::core {
namespace {

struct Destroy {
  void operator()(KeyNode* node) const { std::free(node); }
};
using Node = std::unique_ptr<KeyNode, Destroy>;

Node node_of(const std::string& key, std::uint32_t ns = 1, std::uint8_t space = 0) {
  void* memory = std::malloc(KeyNode::bytes_for(key.size()));
  return Node(KeyNode::construct(memory, KeyRef{NamespaceId(ns), Space(space), key}, false));
}

TEST(RecentWrites, ComparesKeysBeyondTheirPrefix) {
  RecentWrites recent;
  const Node node = node_of("12345678b");
  recent.add(Version(5), Version(5), *node);
  const auto touched = [&](const char* begin, const char* end) {
    return recent.touched(NamespaceId(1), kUserSpace, begin, end, Version(4));
  };
  EXPECT_TRUE(touched("12345678b", "12345678c"));
  EXPECT_TRUE(touched("", ""));
  EXPECT_FALSE(touched("12345678c", ""));
  EXPECT_FALSE(touched("12345678a", "12345678b"));
  EXPECT_FALSE(recent.touched(NamespaceId(2), kUserSpace, "", "", Version(4)));
  EXPECT_FALSE(recent.touched(NamespaceId(1), Space(1), "", "", Version(4)));
  EXPECT_FALSE(recent.touched(NamespaceId(1), kUserSpace, "", "", Version(5)));
}

TEST(RecentWrites, CountsAnExpirySweptLateByTheVersionItCarries) {
  RecentWrites recent;
  const Node node = node_of("k");
  recent.add(Version(9), Version(3), *node);  // Swept at 9, expired at 3.
  EXPECT_TRUE(recent.touched(NamespaceId(1), kUserSpace, "", "", Version(2)));
  EXPECT_FALSE(recent.touched(NamespaceId(1), kUserSpace, "", "", Version(3)));
  EXPECT_EQ(recent.count_after(Version(3)), 1U);
  EXPECT_EQ(recent.count_after(Version(9)), 0U);
}

TEST(RecentWrites, ForgetsOnReset) {
  RecentWrites recent;
  const Node node = node_of("k");
  recent.add(Version(1), Version(1), *node);
  recent.reset(Version(7));
  EXPECT_EQ(recent.covered_from(), Version(7));
  EXPECT_EQ(recent.count_after(Version(7)), 0U);
  recent.add(Version(8), Version(8), *node);
  EXPECT_TRUE(recent.touched(NamespaceId(1), kUserSpace, "", "", Version(7)));
  EXPECT_DEATH((void)recent.count_after(Version(6)), "W1");
}

TEST(RecentWrites, AgreesWithBruteForceAroundItsRing) {
  struct Write {
    std::int64_t applied;
    std::int64_t written;
    const KeyNode* node;
  };
  RecentWrites recent;
  base::Random random(11);
  std::vector<Node> nodes;
  for (int i = 0; i < 300; ++i) {
    nodes.push_back(node_of("key" + std::to_string(random.below(1'000'000)),
                            1 + static_cast<std::uint32_t>(i % 2),
                            static_cast<std::uint8_t>(i % 3 == 0)));
  }
  std::vector<Write> writes;
  std::int64_t version = 0;
  while (writes.size() < 3 * RecentWrites::kCapacity) {
    ++version;
    for (std::uint64_t i = random.below(5); i > 0; --i) {
      const std::int64_t written =
          random.chance(0.1) ? version - random.between(0, std::min<std::int64_t>(version - 1, 9))
                             : version;
      const KeyNode* node = nodes[random.below(nodes.size())].get();
      recent.add(Version(version), Version(written), *node);
      writes.push_back({version, written, node});
    }
    // Writes that fell out of the ring are those the bound may deny.
    if (writes.size() > RecentWrites::kCapacity) {
      const Write& newest_gone = writes[writes.size() - RecentWrites::kCapacity - 1];
      ASSERT_EQ(recent.covered_from(), Version(newest_gone.applied));
    }
    if (!random.chance(0.01)) continue;
    const std::int64_t oldest = recent.covered_from().value();
    const std::int64_t after =
        random.chance(0.3) ? oldest : random.between(std::max(oldest, version - 30), version);
    const NamespaceId ns(1 + static_cast<std::uint32_t>(random.below(2)));
    const Space space(static_cast<std::uint8_t>(random.below(2)));
    const std::string begin = "key" + std::to_string(random.below(1'000'000));
    const std::string end = random.chance(0.1) ? "" : begin + std::string(random.below(2), '9');
    std::size_t count = 0;
    bool touched = false;
    for (const Write& write : writes) {
      if (write.applied <= after) continue;
      ++count;
      const KeyRef ref = write.node->ref();
      touched = touched || (write.written > after && ref.ns == ns && ref.space == space &&
                            ref.key >= begin && (end.empty() || ref.key < end));
    }
    ASSERT_EQ(recent.count_after(Version(after)), count);
    ASSERT_EQ(recent.touched(ns, space, begin, end, Version(after)), touched);
  }
}

}  // namespace
}  // namespace synod::core
