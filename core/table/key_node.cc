// SPDX-License-Identifier: Apache-2.0
#include "core/table/key_node.h"

#include <cstring>
#include <new>

#include "base/assert.h"

namespace synod::core {

base::BytesView Record::value() const {
  SYNOD_ASSERT(!is_cold, "the bytes of a cold record are fetched through the storage pool");
  return {at(offset_of_value()), value_size};
}

TimeMs Record::expiry() const {
  if (!has(kExpiry)) return TimeMs(0);
  std::int64_t milliseconds;
  std::memcpy(&milliseconds, at(offset_of_expiry()), sizeof milliseconds);
  return TimeMs(milliseconds);
}

std::uint32_t Record::generation() const {
  if (!has(kGeneration)) return 0;
  std::uint32_t number;
  std::memcpy(&number, at(offset_of_value() - sizeof number), sizeof number);
  return number;
}

RecordHeader Record::header() const {
  RecordHeader header;
  header.version = version;
  header.expiry = expiry();
  header.digest = digest;
  header.generation = generation();
  header.type = type;
  return header;
}

std::size_t Record::bytes_for(const RecordHeader& header, std::size_t value_bytes, bool has_older) {
  return sizeof(Record) + (has_older ? sizeof(std::atomic<Record*>) : 0) +
         (header.expiry != TimeMs(0) ? sizeof(std::int64_t) : 0) +
         (header.generation != 0 ? sizeof(std::uint32_t) : 0) + value_bytes;
}

void Record::lay_out(const RecordHeader& header, Record* older) {
  version = header.version;
  digest = header.digest;
  type = header.type;
  if (older != nullptr) {
    parts |= kOlder;
    new (&older_slot()) std::atomic<Record*>(older);
  }
  if (header.expiry != TimeMs(0)) {
    parts |= kExpiry;
    const std::int64_t milliseconds = header.expiry.value();
    std::memcpy(const_cast<char*>(at(offset_of_expiry())), &milliseconds, sizeof milliseconds);
  }
  if (header.generation != 0) {
    parts |= kGeneration;
    std::memcpy(const_cast<char*>(at(offset_of_value() - sizeof header.generation)),
                &header.generation, sizeof header.generation);
  }
}

Record* Record::construct(void* memory, const RecordHeader& header, base::BytesView value,
                          Record* older) {
  SYNOD_ASSERT(value.size() <= UINT32_MAX, "admission bounds values far below 4 GiB");
  auto* record = new (memory) Record;
  record->lay_out(header, older);
  record->value_size = static_cast<std::uint32_t>(value.size());
  if (!value.empty()) {
    std::memcpy(const_cast<char*>(record->at(record->offset_of_value())), value.data(),
                value.size());
  }
  return record;
}

Record* Record::construct_cold(void* memory, const RecordHeader& header, std::uint32_t value_size) {
  auto* record = new (memory) Record;
  record->lay_out(header, nullptr);
  record->value_size = value_size;
  record->is_cold = true;
  return record;
}

KeyNode* KeyNode::construct(void* memory, const KeyRef& ref, bool has_room) {
  SYNOD_ASSERT(ref.key.size() <= kKeyBytesMax, "admission bounds keys far below 8 MiB");
  auto* node = new (memory) KeyNode;
  node->ns_ = ref.ns;
  node->space_ = ref.space.value();
  node->key_size_ = static_cast<std::uint32_t>(ref.key.size()) & kKeyBytesMax;
  node->has_room_ = has_room ? 1 : 0;
  if (!ref.key.empty()) std::memcpy(static_cast<void*>(node + 1), ref.key.data(), ref.key.size());
  return node;
}

}  // namespace synod::core
