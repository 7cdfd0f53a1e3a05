// SPDX-License-Identifier: Apache-2.0
#include "core/table/cuckoo_table.h"

#include <algorithm>
#include <bit>
#include <utility>

#include "base/assert.h"
#include "core/table/cuckoo_memory.h"

namespace synod::core {
namespace {

std::uint8_t tag_of(std::uint64_t hash) {
  const auto tag = static_cast<std::uint8_t>(hash);
  return tag == 0 ? std::uint8_t{1} : tag;
}

/// The hash as the second place of its key is computed from.
std::uint64_t second_place(std::uint64_t hash) { return std::rotl(hash, 32); }

bool holds(const KeyNode& node, const KeyRef& ref) {
  return node.ns() == ref.ns && node.space() == ref.space && node.key() == ref.key;
}

/// Brings a node towards the cache, and what lies behind its key: nearly always the newest record.
void prefetch_node(const KeyNode* node) {
  constexpr std::size_t kLine = 64;
  const auto* begin = reinterpret_cast<const char*>(node);
  __builtin_prefetch(begin);
  __builtin_prefetch(begin + kLine);
  __builtin_prefetch(begin + 2 * kLine);
}

/// The slot that bit `bit` of a pair mask stands for. No branch: which bucket has the key is a coin
/// toss, and a processor that guesses wrong waits for one key's memory before it asks for the
/// next's.
const std::atomic<NodeHandle>& slot_at(const CuckooBucket& first, const CuckooBucket& second,
                                       int bit) {
  const auto index = static_cast<std::size_t>(bit);
  const auto is_second = ~((index >> 4) - 1);  // All bits or none.
  const auto begin = reinterpret_cast<std::uintptr_t>(&first);
  const auto distance = reinterpret_cast<std::uintptr_t>(&second) - begin;
  const auto* bucket = reinterpret_cast<const CuckooBucket*>(begin + (distance & is_second));
  return bucket->slots[index & 15];
}

}  // namespace

CuckooTable::CuckooTable(base::SipKey key, EpochManager& epochs, NodeBase nodes,
                         std::size_t initial_capacity, TagSearch search)
    : key_(key), nodes_(nodes), epochs_(epochs), search_(search) {
  CuckooLayout* layout = create_layout(initial_capacity);
  memory_bytes_ = layout->bucket_count * sizeof(CuckooBucket);
  layout_.store(layout, std::memory_order_release);
}

CuckooLayout* CuckooTable::create_layout(std::size_t capacity) {
  constexpr std::size_t kBucketsMin = 16;
  auto* layout = new CuckooLayout;
  layout->bucket_count =
      std::bit_ceil(std::max(kBucketsMin, capacity / (CuckooBucket::kSlots - 1) + 1));
  layout->shift = 64 - static_cast<unsigned>(std::countr_zero(layout->bucket_count));
  layout->main = allocate_cuckoo_buckets(layout->bucket_count);
  advise_huge_pages(layout->main, layout->bucket_count);
  return layout;
}

CuckooTable::~CuckooTable() {
  CuckooLayout* layout = layout_.load(std::memory_order_relaxed);
  free_cuckoo_buckets(layout->main, layout->bucket_count);
  if (layout->next != nullptr) free_cuckoo_buckets(layout->next, 2 * layout->bucket_count);
  if (prepared_ != nullptr) free_cuckoo_buckets(prepared_, 2 * layout->bucket_count);
  delete layout;
}

std::uint64_t CuckooTable::hash(const KeyRef& ref) const {
  // Namespace and space are no client's to choose freely; each pair has a hash key of its own.
  const std::uint64_t tweak = (std::uint64_t{ref.ns.value()} << 8) | ref.space.value();
  return base::siphash13({key_.k0 ^ tweak, key_.k1}, ref.key);
}

KeyNode* CuckooTable::find(const KeyRef& ref) const { return find_hashed(ref, hash(ref)); }

KeyNode* CuckooTable::find_hashed(const KeyRef& ref, std::uint64_t hashed) const {
  if (search_ == TagSearch::kScalar) return find_with<TagSearch::kScalar>(ref, hashed);
  return find_with<TagSearch::kSse2>(ref, hashed);
}

template <TagSearch kSearch>
KeyNode* CuckooTable::find_with(const KeyRef& ref, std::uint64_t hashed) const {
  const std::atomic<std::uint32_t>& moves = stripe(hashed);
  const std::uint8_t tag = tag_of(hashed);
  for (;;) {
    const std::uint32_t moves_before = moves.load(std::memory_order_acquire);
    const CuckooLayout* layout = layout_.load(std::memory_order_acquire);
    const CuckooBucket& first = *layout->bucket(hashed);
    const CuckooBucket& second = *layout->bucket(second_place(hashed));
    unsigned mask = match_tag_pair<kSearch>(first.tag_line(), second.tag_line(), tag);
    for (; mask != 0; mask &= mask - 1) {
      const NodeHandle handle =
          slot_at(first, second, std::countr_zero(mask)).load(std::memory_order_acquire);
      if (handle == NodeHandle()) continue;
      KeyNode* node = nodes_.node(handle);
      prefetch_node(node);
      if (holds(*node, ref)) return node;
    }
    // T2: every load above acquires, so this one comes after them; and who saw a cleared slot sees
    // the count that preceded the clearing.
    if (moves.load(std::memory_order_acquire) == moves_before) return nullptr;
  }
}

void CuckooTable::prefetch(const KeyRef& ref) const {
  const std::uint64_t hashed = hash(ref);
  const CuckooLayout* layout = layout_.load(std::memory_order_acquire);
  __builtin_prefetch(layout->bucket(hashed));
  __builtin_prefetch(layout->bucket(second_place(hashed)));
}

void CuckooTable::find_batch(std::span<const KeyRef> refs, std::span<KeyNode*> out) const {
  SYNOD_ASSERT(out.size() >= refs.size(), "a batch has room for every answer");
  for (std::size_t i = 0; i < refs.size(); i += kBatch) {
    find_group(refs.subspan(i, std::min(kBatch, refs.size() - i)), out.data() + i);
  }
}

void CuckooTable::find_group(std::span<const KeyRef> refs, KeyNode** out) const {
  std::array<std::uint64_t, kBatch> hashes;
  std::array<const CuckooBucket*, 2 * kBatch> buckets;
  std::array<TagLine, 2 * kBatch> lines;
  std::array<std::uint8_t, 2 * kBatch> tags{};
  std::array<std::uint16_t, 2 * kBatch> masks{};
  const CuckooLayout* layout = layout_.load(std::memory_order_acquire);
  for (std::size_t i = 0; i < refs.size(); ++i) {
    hashes[i] = hash(refs[i]);
    tags[2 * i] = tags[2 * i + 1] = tag_of(hashes[i]);
    buckets[2 * i] = layout->bucket(hashes[i]);
    buckets[2 * i + 1] = layout->bucket(second_place(hashes[i]));
    __builtin_prefetch(buckets[2 * i]);
    __builtin_prefetch(buckets[2 * i + 1]);
  }
  const std::size_t places = 2 * refs.size();
  for (std::size_t i = 0; i < places; ++i) lines[i] = buckets[i]->tag_line();
  match_tags_many(search_, lines.data(), tags.data(), masks.data(), places);
  for (std::size_t i = 0; i < refs.size(); ++i) {
    const unsigned mask = masks[2 * i] | (static_cast<unsigned>(masks[2 * i + 1]) << 16);
    out[i] = nullptr;
    if (mask == 0) continue;
    const NodeHandle handle = slot_at(*buckets[2 * i], *buckets[2 * i + 1], std::countr_zero(mask))
                                  .load(std::memory_order_acquire);
    if (handle == NodeHandle()) continue;
    out[i] = nodes_.node(handle);
    prefetch_node(out[i]);
  }
  // The first candidate is nearly always the one; what it is not goes the careful way.
  for (std::size_t i = 0; i < refs.size(); ++i) {
    if (out[i] == nullptr || !holds(*out[i], refs[i])) out[i] = find_hashed(refs[i], hashes[i]);
  }
}

void CuckooTable::insert(KeyNode* node) {
  housekeep();
  const std::uint64_t hashed = hash(node->ref());
  SYNOD_ASSERT(find_hashed(node->ref(), hashed) == nullptr, "insert() takes absent keys only");
  place(node, hashed);
}

void CuckooTable::place(KeyNode* node, std::uint64_t hashed) {
  const Found room = make_room(hashed);
  room.bucket->put(room.slot, nodes_.handle(node), tag_of(hashed));
  size_.store(size() + 1, std::memory_order_relaxed);
}

void CuckooTable::build(std::span<KeyNode* const> nodes) {
  SYNOD_ASSERT(size() == 0, "a table is built from nothing");
  CuckooLayout* layout = layout_.load(std::memory_order_relaxed);
  if (layout->next == nullptr && nodes.size() > layout->bucket_count) {
    if (prepared_ != nullptr) {
      retire_buckets(std::exchange(prepared_, nullptr), 2 * layout->bucket_count);
    }
    CuckooLayout* larger = create_layout(nodes.size());
    memory_bytes_ += larger->bucket_count * sizeof(CuckooBucket);
    layout_.store(larger, std::memory_order_release);
    retire_buckets(layout->main, layout->bucket_count);
    epochs_.retire(layout, [](void* old) { delete static_cast<CuckooLayout*>(old); });
  }
  std::array<std::uint64_t, kBatch> hashes;
  for (std::size_t begin = 0; begin < nodes.size(); begin += kBatch) {
    const std::size_t end = std::min(begin + kBatch, nodes.size());
    const CuckooLayout& current = *layout_.load(std::memory_order_relaxed);
    for (std::size_t i = begin; i < end; ++i) {
      const std::uint64_t hashed = hash(nodes[i]->ref());
      hashes[i - begin] = hashed;
      __builtin_prefetch(current.bucket(hashed));
      __builtin_prefetch(current.bucket(second_place(hashed)));
    }
    for (std::size_t i = begin; i < end; ++i) place(nodes[i], hashes[i - begin]);
  }
}

void CuckooTable::erase(KeyNode* node) {
  housekeep();
  const Found found = locate(node);
  SYNOD_ASSERT(found.bucket != nullptr, "erase() takes present nodes only (T1)");
  found.bucket->clear(found.slot);
  size_.store(size() - 1, std::memory_order_relaxed);
}

CuckooTable::Found CuckooTable::locate(const KeyNode* node) const {
  const std::uint64_t hashed = hash(node->ref());
  const NodeHandle handle = nodes_.handle(node);
  const CuckooLayout* layout = layout_.load(std::memory_order_relaxed);
  for (CuckooBucket* bucket : {layout->bucket(hashed), layout->bucket(second_place(hashed))}) {
    for (std::size_t slot = 0; slot < CuckooBucket::kSlots; ++slot) {
      if (bucket->slots[slot].load(std::memory_order_relaxed) == handle) return {bucket, slot};
    }
  }
  return {nullptr, 0};
}

std::size_t CuckooTable::gather(std::uint64_t& cursor, std::span<KeyNode*> out) const {
  const CuckooLayout& layout = *layout_.load(std::memory_order_relaxed);
  const std::size_t migrated = layout.migrated.load(std::memory_order_relaxed);
  std::size_t count = 0;
  // The cursor is a place: its top bits are the bucket's number in an array of any size.
  for (std::size_t i = 0; i < kSweepBuckets; ++i) {
    const std::size_t number = cursor >> layout.shift;
    const bool is_split = layout.next != nullptr && number < migrated;
    const unsigned shift = is_split ? layout.shift - 1 : layout.shift;
    const CuckooBucket& bucket = is_split ? layout.next[cursor >> shift] : layout.main[number];
    for (const auto& slot : bucket.slots) {
      const NodeHandle handle = slot.load(std::memory_order_relaxed);
      if (handle == NodeHandle()) continue;
      out[count] = nodes_.node(handle);
      __builtin_prefetch(out[count++]);
    }
    cursor = ((cursor >> shift) + 1) << shift;
    if (cursor == 0) break;
  }
  for (std::size_t i = 0; i < count; ++i) {
    __builtin_prefetch(out[i]->head.load(std::memory_order_relaxed));
  }
  return count;
}

/// One bucket reached by the search for room: by moving the node in `slot` of the parent's bucket.
struct CuckooTable::Step {
  static constexpr std::uint32_t kNoParent = UINT32_MAX;
  CuckooBucket* bucket;
  std::uint64_t hash;  // Of the node that moves.
  std::uint32_t parent;
  std::uint32_t slot;
};

CuckooTable::Found CuckooTable::make_room(std::uint64_t hashed) {
  constexpr std::size_t kSteps = 256;
  constexpr std::size_t kMoreBuckets = 64;
  std::array<Step, kSteps> steps;
  for (;;) {
    const CuckooLayout* layout = layout_.load(std::memory_order_relaxed);
    CuckooBucket* first = layout->bucket(hashed);
    CuckooBucket* second = layout->bucket(second_place(hashed));
    // Slots fill from the front: the lower free slot is, nearly, in the emptier bucket.
    const std::size_t free_first = first->free_slot();
    const std::size_t free_second = second->free_slot();
    if (std::min(free_first, free_second) < CuckooBucket::kSlots) {
      return free_second < free_first ? Found{second, free_second} : Found{first, free_first};
    }
    const std::size_t last = search_path(hashed, steps);
    if (last < kSteps) return displace_along(steps, last);
    // Chance leads here only above the growth mark; a crowd of equal hashes may at any load.
    if (layout->next != nullptr) {
      migrate(kMoreBuckets);
    } else {
      start_growth();
    }
  }
}

/// Breadth first, so that the fewest nodes move. Answers the step whose bucket has a free slot, or
/// steps.size().
std::size_t CuckooTable::search_path(std::uint64_t hashed, std::span<Step> steps) const {
  const CuckooLayout& layout = *layout_.load(std::memory_order_relaxed);
  steps[0] = {layout.bucket(hashed), 0, Step::kNoParent, 0};
  steps[1] = {layout.bucket(second_place(hashed)), 0, Step::kNoParent, 0};
  std::size_t reached = 2;
  const auto on_the_way = [&steps](const CuckooBucket* bucket, std::uint32_t from) {
    for (; from != Step::kNoParent; from = steps[from].parent) {
      if (steps[from].bucket == bucket) return true;
    }
    return false;
  };
  for (std::uint32_t at = 0; at < reached; ++at) {
    for (std::uint32_t slot = 0; slot < CuckooBucket::kSlots; ++slot) {
      if (reached == steps.size()) return steps.size();
      CuckooBucket* bucket = steps[at].bucket;
      const NodeHandle handle = bucket->slots[slot].load(std::memory_order_relaxed);
      const std::uint64_t moved = hash(nodes_.node(handle)->ref());
      CuckooBucket* other = layout.bucket(moved);
      if (other == bucket) other = layout.bucket(second_place(moved));
      if (on_the_way(other, at)) continue;
      steps[reached] = {other, moved, at, slot};
      if (other->free_slot() < CuckooBucket::kSlots) return reached;
      ++reached;
    }
  }
  return steps.size();
}

CuckooTable::Found CuckooTable::displace_along(std::span<const Step> steps, std::size_t last) {
  Found room{steps[last].bucket, steps[last].bucket->free_slot()};
  for (std::size_t at = last; steps[at].parent != Step::kNoParent; at = steps[at].parent) {
    CuckooBucket* from = steps[steps[at].parent].bucket;
    const std::size_t slot = steps[at].slot;
    // T1: there first, then counted, then gone here.
    room.bucket->put(room.slot, from->slots[slot].load(std::memory_order_relaxed), from->tag(slot));
    stripe(steps[at].hash).fetch_add(1, std::memory_order_release);
    from->clear(slot);
    room = {from, slot};
  }
  return room;
}

}  // namespace synod::core
