// SPDX-License-Identifier: Apache-2.0
#include "core/table/record_heap.h"

#include <algorithm>

#include "base/assert.h"

namespace synod::core {
namespace {

Record& room_of(KeyNode& node) { return *static_cast<Record*>(node.room()); }

/// The same record in other memory, with nothing behind it.
Record* copy_to(void* memory, const Record& record) {
  Record* copy = record.is_cold
                     ? Record::construct_cold(memory, record.header(), record.value_size())
                     : Record::construct(memory, record.header(), record.value(), nullptr);
  copy->was_read.store(record.was_read.load(std::memory_order_relaxed), std::memory_order_relaxed);
  return copy;
}

std::size_t bytes_apart(const Record& record) {
  return record.is_cold ? Record::cold_bytes_for(record.header(), record.value_size())
                        : Record::bytes_for(record.header(), record.value_size(), false);
}

}  // namespace

KeyNode* RecordHeap::make_node(const KeyRef& ref, bool has_room, std::size_t room_bytes) {
  constexpr std::size_t kRoomMax = 256;
  static_assert(KeyNode::bytes_for(KeyNode::kBesideMax) + kRoomMax <= SlabAllocator::kSlotBytesMax,
                "every node with its room fits into a slot");
  const bool is_apart = ref.key.size() > KeyNode::kBesideMax;
  void* apart = is_apart ? records_.allocate(ref.key.size()) : nullptr;
  void* memory = nodes_.allocate(KeyNode::bytes_for(ref.key.size()) + (has_room ? room_bytes : 0));
  KeyNode* node = KeyNode::construct(memory, ref, has_room, apart);
  count_node(static_cast<std::ptrdiff_t>(node->bytes()));
  return node;
}

/// Half of the range holds nodes with room, which may be a ninth of what they would be without. The
/// other half must hold all the others without: these bytes, and an eighth for rounding (S1).
bool RecordHeap::is_nearly_full() const {
  constexpr std::size_t kChunk = NodeRange::kChunkBytes;
  const std::size_t chunks = range_.chunks();
  const std::size_t free = range_.chunks_free();
  if (least_bytes_.load(std::memory_order_relaxed) > chunks * kChunk / 16 * 7) return true;
  // Chunks that are sparse take the next keys, if they are of their size.
  const bool is_dense = nodes_.bytes_in_use() > chunks * kChunk / 4 * 3;
  return free <= std::max<std::size_t>(chunks / 32, 2) || (free < chunks / 8 && is_dense);
}

bool RecordHeap::is_full() const {
  return range_.chunks_free() <= std::max<std::size_t>(range_.chunks() / 64, 1);
}

KeyNode* RecordHeap::create_node(const KeyRef& ref, const RecordHeader& header,
                                 base::BytesView value) {
  const bool has_room = value.size() <= kBesideMax && may_have_room();
  KeyNode* node = make_node(ref, has_room, Record::bytes_for(header, value.size(), false));
  Record* record = nullptr;
  if (has_room) {
    record = Record::construct(node->room(), header, value, nullptr);
    record->parts |= Record::kInNode;
  } else {
    record = create(header, value);
  }
  node->head.store(record, std::memory_order_relaxed);
  return node;
}

KeyNode* RecordHeap::create_cold_node(const KeyRef& ref, const RecordHeader& header,
                                      std::uint32_t value_size) {
  const bool has_room = may_have_room();
  KeyNode* node = make_node(ref, has_room, Record::cold_bytes_for(header, value_size));
  Record* record = nullptr;
  if (has_room) {
    record = Record::construct_cold(node->room(), header, value_size);
    record->parts |= Record::kInNode;
  } else {
    record = create_cold(header, value_size);
  }
  node->head.store(record, std::memory_order_relaxed);
  return node;
}

std::size_t RecordHeap::room_bytes(const KeyNode& node) {
  return SlabAllocator::slot_bytes(&node) - node.bytes();
}

Record* RecordHeap::supersede(KeyNode& node, const RecordHeader& header, base::BytesView value) {
  Record* const old = node.head.load(std::memory_order_relaxed);
  const std::size_t bytes = Record::bytes_for(header, value.size(), true);
  const bool fits = node.has_room() && room_of(node).has(Record::kVacant) &&
                    value.size() <= kBesideMax && bytes <= room_bytes(node);
  void* memory = fits ? node.room() : records_.allocate(bytes);
  Record* record = Record::construct(memory, header, value, old);
  if (fits) record->parts |= Record::kInNode;
  node.head.store(record, std::memory_order_release);
  return record;
}

Record* RecordHeap::create(const RecordHeader& header, base::BytesView value) {
  return Record::construct(records_.allocate(Record::bytes_for(header, value.size(), false)),
                           header, value, nullptr);
}

Record* RecordHeap::create_cold(const RecordHeader& header, std::uint32_t value_size) {
  return Record::construct_cold(records_.allocate(Record::cold_bytes_for(header, value_size)),
                                header, value_size);
}

void RecordHeap::replace_head(KeyNode& node, Record* record) {
  Record* const old = node.head.load(std::memory_order_relaxed);
  SYNOD_ASSERT(old->older() == nullptr && old->version == record->version,
               "only a record with nothing behind it is replaced by its like (H2)");
  node.head.store(record, std::memory_order_release);
  retire(old);
}

void RecordHeap::cut_behind(Record& keep) {
  Record* drop = keep.cut();
  while (drop != nullptr) {
    Record* older = drop->older();
    retire(drop);
    drop = older;
  }
}

void RecordHeap::retire_node(KeyNode& node) {
  Record* const head = node.head.exchange(nullptr, std::memory_order_acq_rel);  // H3
  cut_behind(*head);
  retire(head);
  epochs_.retire(&node, destroy_node);
}

bool RecordHeap::settle(KeyNode& node) {
  Record* const head = node.head.load(std::memory_order_relaxed);
  if (head == nullptr || head->has(Record::kInNode) || head->older() != nullptr) return false;
  const std::size_t bytes = bytes_apart(*head);
  const bool may_be_beside = head->is_cold || head->value_size() <= kBesideMax;
  Record* moved = nullptr;
  if (may_be_beside && node.has_room() && room_of(node).has(Record::kVacant) &&
      bytes <= room_bytes(node)) {
    moved = copy_to(node.room(), *head);
    moved->parts |= Record::kInNode;
  } else if (records_.is_worth_leaving(head, head->bytes())) {
    moved = copy_to(records_.allocate(bytes), *head);
  } else {
    return false;
  }
  replace_head(node, moved);
  return true;
}

void RecordHeap::prefetch(const KeyNode& node, const Record& record) {
  constexpr std::size_t kLine = 64;
  const auto* of_node = reinterpret_cast<const char*>(&node);
  const auto* of_record = reinterpret_cast<const char*>(&record);
  for (std::size_t line = 0; line < 3 * kLine; line += kLine) {
    __builtin_prefetch(of_node + line);
    __builtin_prefetch(of_record + line);
  }
}

void RecordHeap::retire(Record* record) {
  if (!record->has(Record::kInNode)) count_retired(static_cast<std::ptrdiff_t>(record->bytes()));
  epochs_.retire(record, record->has(Record::kInNode) ? destroy_record_beside : destroy_record);
}

void RecordHeap::destroy_record(void* record) {
  const std::size_t bytes = static_cast<Record*>(record)->bytes();
  static_cast<RecordHeap*>(SlabAllocator::user_of(record, bytes))
      ->count_retired(-static_cast<std::ptrdiff_t>(bytes));
  SlabAllocator::release(record, bytes);
}

void RecordHeap::count_retired(std::ptrdiff_t bytes) {
  // One writer: no need of a locked instruction.
  bytes_retired_.store(bytes_retired() + static_cast<std::size_t>(bytes),
                       std::memory_order_relaxed);
}

void RecordHeap::count_node(std::ptrdiff_t bytes) {
  least_bytes_.store(least_bytes_.load(std::memory_order_relaxed) + static_cast<std::size_t>(bytes),
                     std::memory_order_relaxed);
}

void RecordHeap::destroy_record_beside(void* record) {
  // H1: no reader is left in the room.
  static_cast<Record*>(record)->parts = Record::kInNode | Record::kVacant;
  auto* node = static_cast<KeyNode*>(SlabAllocator::slot_of(record));
  static_cast<RecordHeap*>(SlabAllocator::user_of(record))->settle(*node);
}

void RecordHeap::destroy_node(void* node) {
  const auto& known = *static_cast<KeyNode*>(node);
  static_cast<RecordHeap*>(SlabAllocator::user_of(node))
      ->count_node(-static_cast<std::ptrdiff_t>(known.bytes()));
  if (known.is_apart()) {
    SlabAllocator::release(const_cast<char*>(known.key().data()), known.key_size());
  }
  SlabAllocator::release(node, known.bytes());
}

}  // namespace synod::core
