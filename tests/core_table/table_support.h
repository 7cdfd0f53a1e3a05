// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "base/random.h"
#include "core/table/epoch.h"
#include "core/table/key_node.h"
#include "core/table/slab_allocator.h"

#if defined(__SANITIZE_ADDRESS__)
extern "C" void __asan_poison_memory_region(const volatile void* start, std::size_t bytes);
extern "C" void __asan_unpoison_memory_region(const volatile void* start, std::size_t bytes);
#endif

namespace synod::core::test {

#if defined(__SANITIZE_ADDRESS__)
inline constexpr std::size_t kModelOperations = 10'000'000;
#elif defined(__SANITIZE_THREAD__)
inline constexpr std::size_t kModelOperations = 1'000'000;
#else
inline constexpr std::size_t kModelOperations = 1'000'000;
#endif

/// How many operations a test does in all: SYNOD_TEST_OPS or what suits the build.
inline std::size_t operations(std::size_t by_default) {
  const char* text = std::getenv("SYNOD_TEST_OPS");
  return text == nullptr ? by_default : static_cast<std::size_t>(std::strtoull(text, nullptr, 10));
}

/// A key that owns its bytes. Ordered by comparing the parts, on its own.
struct TestKey {
  std::uint32_t ns = 1;
  std::uint8_t space = 0;
  std::string bytes;

  [[nodiscard]] KeyRef ref() const { return {NamespaceId(ns), Space(space), bytes}; }
  bool operator<(const TestKey& other) const {
    return std::tie(ns, space, bytes) < std::tie(other.ns, other.space, other.bytes);
  }
  bool operator==(const TestKey& other) const {
    return std::tie(ns, space, bytes) == std::tie(other.ns, other.space, other.bytes);
  }
};

inline std::string numbered(std::uint64_t number) {
  char text[32];
  std::snprintf(text, sizeof text, "key:%012llu", static_cast<unsigned long long>(number));
  return text;
}

/// Keys chosen to be hard to tell apart: paddings that look like bytes, prefixes of each other,
/// shared starts longer than a node keeps, neighbouring namespaces and spaces.
inline TestKey tricky_key(base::Random& random) {
  static constexpr char kAlphabet[] = {'\0', '\x01', 'a', '\x7f', '\x80', '\xff'};
  TestKey key;
  if (random.chance(0.2)) key.ns = static_cast<std::uint32_t>(random.below(3)) * 0x7fffffffU;
  if (random.chance(0.2)) key.space = static_cast<std::uint8_t>(random.below(3) * 127);
  switch (random.below(5)) {
    case 0:
      key.bytes = numbered(random.below(20'000));
      break;
    case 1:
      key.bytes = std::string(random.below(20), '\0');
      break;
    case 2:
      key.bytes = std::string(40 + random.below(40), 'p');
      break;
    case 3:
      key.bytes = std::string(200, 'l');
      break;
    default:
      break;
  }
  for (std::uint64_t left = random.below(7); left > 0; --left) {
    key.bytes += kAlphabet[random.below(sizeof kAlphabet)];
  }
  return key;
}

/// `count` different keys in order.
template <class Make>
std::vector<TestKey> distinct_keys(std::size_t count, Make&& make) {
  std::vector<TestKey> keys;
  while (keys.size() < count) {
    while (keys.size() < count + count / 8) keys.push_back(make());
    std::sort(keys.begin(), keys.end());
    keys.erase(std::unique(keys.begin(), keys.end()), keys.end());
  }
  return keys;
}

/// Where the tests' nodes live, in one range for all tables of the process. What was destroyed
/// waits before it is used again, so that a sanitizer sees who comes too late. Threads: one writer.
class NodeYard {
 public:
  static NodeYard& instance() {
    static NodeYard yard;
    return yard;
  }
  [[nodiscard]] NodeBase base() const { return range_.base(); }

  KeyNode* create(const KeyRef& ref) {
    return KeyNode::construct(slabs_.allocate(KeyNode::bytes_for(ref.key.size())), ref, false);
  }
  void destroy(KeyNode* node) {
    const std::size_t bytes = node->bytes();
#if defined(__SANITIZE_ADDRESS__)
    __asan_poison_memory_region(node, bytes);
#endif
    waiting_.emplace_back(node, bytes);
    if (waiting_.size() <= kWaitingMax) return;
    const auto [oldest, oldest_bytes] = waiting_.front();
    waiting_.pop_front();
#if defined(__SANITIZE_ADDRESS__)
    __asan_unpoison_memory_region(oldest, oldest_bytes);
#endif
    SlabAllocator::release(oldest, oldest_bytes);
  }

 private:
  static constexpr std::size_t kWaitingMax = 10'000;

  NodeRange range_;
  SlabAllocator slabs_{nullptr, &range_};
  std::deque<std::pair<KeyNode*, std::size_t>> waiting_;
};

inline NodeBase node_base() { return NodeYard::instance().base(); }
/// A node without records. The key is of those that lie in their node.
inline KeyNode* create_node(const KeyRef& ref) { return NodeYard::instance().create(ref); }
inline void destroy_node(KeyNode* node) { NodeYard::instance().destroy(node); }
inline void retire_node(EpochManager& epochs, KeyNode* node) {
  epochs.retire(node, [](void* dead) { destroy_node(static_cast<KeyNode*>(dead)); });
}

/// How likely an insertion is at this point of a run: the table fills, swings and empties in turn,
/// so that splits and merges, growth and displacement all have their time.
inline double insert_share(std::size_t operation, std::size_t period) {
  switch (operation / period % 4) {
    case 0:
      return 0.9;
    case 1:
      return 0.5;
    case 2:
      return 0.1;
    default:
      return 0.45;
  }
}

}  // namespace synod::core::test
