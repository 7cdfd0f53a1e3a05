// SPDX-License-Identifier: Apache-2.0
#include "core/table/key_node.h"

#include <cstdlib>
#include <cstring>
#include <new>

#include "base/assert.h"

namespace synod::core {
namespace {

void* allocate(std::size_t size) {
  void* memory = std::malloc(size);
  SYNOD_ASSERT(memory != nullptr, "memory is admitted before the log, never refused after it");
  return memory;
}

}  // namespace

base::BytesView Record::value() const {
  SYNOD_ASSERT(!is_cold, "the bytes of a cold record are fetched through the storage pool");
  return {reinterpret_cast<const char*>(this + 1), value_size};
}

Record* Record::create(const RecordHeader& header, base::BytesView value) {
  SYNOD_ASSERT(value.size() <= UINT32_MAX, "admission bounds values far below 4 GiB");
  auto* record = new (allocate(sizeof(Record) + value.size())) Record;
  record->header = header;
  record->value_size = static_cast<std::uint32_t>(value.size());
  if (!value.empty()) std::memcpy(static_cast<void*>(record + 1), value.data(), value.size());
  return record;
}

Record* Record::create_cold(const RecordHeader& header, std::uint32_t value_size) {
  auto* record = new (allocate(sizeof(Record))) Record;
  record->header = header;
  record->value_size = value_size;
  record->is_cold = true;
  return record;
}

void Record::destroy(Record* record) {
  record->~Record();
  std::free(record);
}

KeyNode* KeyNode::create(const KeyRef& ref) {
  SYNOD_ASSERT(ref.key.size() <= UINT32_MAX, "admission bounds keys far below 4 GiB");
  auto* node = new (allocate(sizeof(KeyNode) + ref.key.size())) KeyNode;
  node->ns = ref.ns;
  node->space = ref.space;
  node->key_size = static_cast<std::uint32_t>(ref.key.size());
  if (!ref.key.empty()) std::memcpy(static_cast<void*>(node + 1), ref.key.data(), ref.key.size());
  return node;
}

void KeyNode::destroy(KeyNode* node) {
  node->~KeyNode();
  std::free(node);
}

}  // namespace synod::core
