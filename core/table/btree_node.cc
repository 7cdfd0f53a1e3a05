// SPDX-License-Identifier: Apache-2.0
#include "core/table/btree_node.h"

#include <algorithm>
#include <bit>
#include <cstdlib>
#include <cstring>
#include <new>

#include "base/assert.h"

namespace synod::core {
namespace {

std::uint64_t load_big_endian(const char* bytes) {
  std::uint64_t word;
  std::memcpy(&word, bytes, sizeof word);
  if constexpr (std::endian::native == std::endian::little) word = __builtin_bswap64(word);
  return word;
}

void* allocate(std::size_t bytes) {
  void* memory = std::malloc(bytes);
  SYNOD_ASSERT(memory != nullptr, "memory is admitted before the log, never refused after it");
  return memory;
}

std::size_t common_length(base::BytesView left, base::BytesView right) {
  const std::size_t size = std::min(left.size(), right.size());
  return static_cast<std::size_t>(
      std::mismatch(left.begin(), left.begin() + static_cast<std::ptrdiff_t>(size), right.begin())
          .first -
      left.begin());
}

/// What is laid out of a key, without the padding.
base::BytesView laid_out(const BTreeKey& key) {
  return {key.head.data(), std::min(key.size(), BTreeKey::kCommonMax)};
}

/// First index in [0, count) whose value is not below `wanted`; no branch depends on the values.
std::size_t lower_index(const std::uint64_t* values, std::size_t count, std::uint64_t wanted) {
  std::size_t base = 0;
  while (count > 1) {
    const std::size_t half = count / 2;
    base += static_cast<std::size_t>(values[base + half - 1] < wanted) * half;
    count -= half;
  }
  return base + static_cast<std::size_t>(count == 1 && values[base] < wanted);
}

/// The end of the run of `wanted` that starts at `begin`.
std::size_t run_end(const std::uint64_t* values, std::size_t begin, std::size_t count,
                    std::uint64_t wanted) {
  while (begin < count && values[begin] == wanted) ++begin;
  return begin;
}

std::uint64_t separator_prefix(base::BytesView separator, std::size_t skip) {
  std::array<char, BTreeKey::kPrefixBytes> padded{};
  if (separator.size() > skip) {
    std::memcpy(padded.data(), separator.data() + skip,
                std::min(padded.size(), separator.size() - skip));
  }
  return load_big_endian(padded.data());
}

}  // namespace

BTreeKey::BTreeKey(const KeyRef& key_ref) : ref(key_ref) {
  const std::uint32_t ns = ref.ns.value();
  for (std::size_t i = 0; i < 4; ++i) head[i] = static_cast<char>(ns >> (24 - 8 * i));
  head[4] = static_cast<char>(ref.space.value());
  if (!ref.key.empty()) {
    std::memcpy(head.data() + kFixedBytes, ref.key.data(),
                std::min(ref.key.size(), head.size() - kFixedBytes));
  }
}

std::uint64_t BTreeKey::prefix(std::size_t skip) const {
  return load_big_endian(head.data() + skip);
}

int BTreeKey::compare(base::BytesView separator) const {
  const int fixed =
      base::BytesView(head.data(), kFixedBytes).compare(separator.substr(0, kFixedBytes));
  if (fixed != 0 || separator.size() < kFixedBytes) return fixed;
  return ref.key.compare(separator.substr(kFixedBytes));
}

base::Bytes btree_separator(const KeyRef& left, const KeyRef& right) {
  const BTreeKey low(left);
  const BTreeKey high(right);
  const base::BytesView low_fixed(low.head.data(), BTreeKey::kFixedBytes);
  const base::BytesView high_fixed(high.head.data(), BTreeKey::kFixedBytes);
  const std::size_t shared = common_length(low_fixed, high_fixed);
  if (shared < BTreeKey::kFixedBytes) return base::Bytes(high_fixed.substr(0, shared + 1));
  base::Bytes separator(high_fixed);
  separator += right.key.substr(0, common_length(left.key, right.key) + 1);
  return separator;
}

int BTreeNode::compare_common(const BTreeKey& key) const {
  // A key that ends inside the common bytes may be equal by its padding; its prefix is then 0, and
  // the comparison with the entries of that prefix puts it before all.
  return std::memcmp(key.head.data(), common.data(), skip);
}

std::uint64_t BTreeNode::rebase(std::uint64_t prefix, std::size_t new_skip) const {
  const std::size_t more = skip - new_skip;
  if (more == 0) return prefix;
  const std::uint64_t front = separator_prefix({common.data(), skip}, new_skip);
  if (more >= BTreeKey::kPrefixBytes) return front;
  return front | (prefix >> (8 * more));
}

std::size_t BTreeNode::shared_skip(const BTreeKey& key) const {
  return common_length({common.data(), skip}, laid_out(key));
}

void BTreeNode::destroy(void* node) { std::free(node); }

BTreeLeaf* BTreeLeaf::create(std::size_t count) {
  constexpr std::size_t kPerEntry = sizeof(std::uint64_t) + sizeof(NodeHandle);
  const std::size_t bytes = sizeof(BTreeLeaf) + count * kPerEntry;
  auto* leaf = new (allocate(bytes)) BTreeLeaf;
  leaf->bytes = static_cast<std::uint32_t>(bytes);
  leaf->count = static_cast<std::uint16_t>(count);
  leaf->is_leaf = true;
  return leaf;
}

BTreeLeaf* BTreeLeaf::create_from(std::span<const NodeHandle> entries, NodeBase nodes) {
  BTreeLeaf* leaf = create(entries.size());
  if (entries.empty()) return leaf;
  const BTreeKey first(nodes.node(entries.front())->ref());
  const BTreeKey last(nodes.node(entries.back())->ref());
  const std::size_t skip = common_length(laid_out(first), laid_out(last));
  leaf->skip = static_cast<std::uint8_t>(skip);
  std::memcpy(leaf->common.data(), first.head.data(), skip);
  for (std::size_t i = 0; i < entries.size(); ++i) {
    leaf->prefixes()[i] = BTreeKey(nodes.node(entries[i])->ref()).prefix(skip);
    leaf->nodes()[i] = entries[i];
  }
  return leaf;
}

BTreeLeaf::Position BTreeLeaf::search(const BTreeKey& key, NodeBase base) const {
  const int order = compare_common(key);
  if (order < 0) return {0, false};
  if (order > 0) return {count, false};
  const std::uint64_t wanted = key.prefix(skip);
  std::size_t low = lower_index(prefixes(), count, wanted);
  std::size_t high = run_end(prefixes(), low, count, wanted);
  while (low < high) {
    const std::size_t middle = low + (high - low) / 2;
    const auto compared = base.node(nodes()[middle])->ref() <=> key.ref;
    if (compared == 0) return {middle, true};
    if (compared < 0) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return {low, false};
}

BTreeInner* BTreeInner::create(std::span<BTreeNode* const> children,
                               std::span<const base::BytesView> separators) {
  SYNOD_ASSERT(children.size() == separators.size() + 1, "a separator between every two children");
  std::size_t text = 0;
  for (const base::BytesView separator : separators) text += separator.size();
  const std::size_t bytes = sizeof(BTreeInner) + children.size() * sizeof(std::atomic<BTreeNode*>) +
                            separators.size() * (sizeof(std::uint64_t) + sizeof(std::uint32_t)) +
                            text;
  SYNOD_ASSERT(bytes <= UINT32_MAX, "admission bounds keys far below 4 GiB");
  auto* inner = new (allocate(bytes)) BTreeInner;
  inner->bytes = static_cast<std::uint32_t>(bytes);
  inner->count = static_cast<std::uint16_t>(children.size());
  for (std::size_t i = 0; i < children.size(); ++i) {
    new (inner->children() + i) std::atomic<BTreeNode*>(children[i]);
  }
  if (separators.empty()) return inner;
  const std::size_t skip =
      std::min(common_length(separators.front(), separators.back()), BTreeKey::kCommonMax);
  inner->skip = static_cast<std::uint8_t>(skip);
  std::memcpy(inner->common.data(), separators.front().data(), skip);
  auto* prefix = const_cast<std::uint64_t*>(inner->prefixes());
  auto* end = const_cast<std::uint32_t*>(inner->ends());
  auto* out = reinterpret_cast<char*>(end + separators.size());
  std::uint32_t written = 0;
  for (const base::BytesView separator : separators) {
    *prefix++ = separator_prefix(separator, skip);
    std::memcpy(out + written, separator.data(), separator.size());
    written += static_cast<std::uint32_t>(separator.size());
    *end++ = written;
  }
  return inner;
}

base::BytesView BTreeInner::separator(std::size_t index) const {
  const std::uint32_t begin = index == 0 ? 0 : ends()[index - 1];
  const auto* text = reinterpret_cast<const char*>(ends() + count - 1);
  return {text + begin, ends()[index] - begin};
}

std::size_t BTreeInner::search(const BTreeKey& key) const {
  const std::size_t separators = std::size_t{count} - 1;
  if (separators == 0) return 0;
  const int order = compare_common(key);
  if (order < 0) return 0;
  if (order > 0) return separators;
  const std::uint64_t wanted = key.prefix(skip);
  std::size_t low = lower_index(prefixes(), separators, wanted);
  std::size_t high = run_end(prefixes(), low, separators, wanted);
  while (low < high) {
    const std::size_t middle = low + (high - low) / 2;
    if (key.compare(separator(middle)) >= 0) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low;
}

}  // namespace synod::core
