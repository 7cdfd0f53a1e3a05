// SPDX-License-Identifier: Apache-2.0
#include "core/table/key_node.h"

#include <cstring>
#include <new>

#include "base/assert.h"

namespace synod::core {

base::BytesView Record::value() const {
  SYNOD_ASSERT(!is_cold, "the bytes of a cold record are fetched through the storage pool");
  return {at(offset_of_value()), value_size()};
}

TimeMs Record::expiry() const {
  return TimeMs(has(kExpiry) ? load<std::int64_t>(offset_of_expiry(parts)) : 0);
}

std::uint32_t Record::generation() const {
  if (!has(kGeneration)) return 0;
  return load<std::uint32_t>(offset_of_value() - sizeof(std::uint32_t));
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

std::uint8_t Record::parts_for(const RecordHeader& header, std::size_t value_size, bool has_older) {
  return static_cast<std::uint8_t>(
      (has_older ? kOlder : 0) | (header.expiry != TimeMs(0) ? kExpiry : 0) |
      (header.generation != 0 ? kGeneration : 0) | (value_size > kShortMax ? kLong : 0));
}

std::size_t Record::bytes_for(const RecordHeader& header, std::size_t value_size, bool has_older) {
  return offset_of_value(parts_for(header, value_size, has_older)) + value_size;
}

std::size_t Record::cold_bytes_for(const RecordHeader& header, std::size_t value_size) {
  return offset_of_value(parts_for(header, value_size, false));
}

void Record::lay_out(const RecordHeader& header, std::uint32_t value_size, Record* older) {
  version = header.version;
  digest = header.digest;
  type = header.type;
  parts = parts_for(header, value_size, older != nullptr);
  if (has(kLong)) {
    store(kFixedBytes, value_size);
  } else {
    short_size_ = static_cast<std::uint8_t>(value_size);
  }
  if (has(kOlder)) new (&older_slot()) std::atomic<Record*>(older);
  if (has(kExpiry)) store(offset_of_expiry(parts), header.expiry.value());
  if (has(kGeneration)) store(offset_of_value() - sizeof header.generation, header.generation);
}

Record* Record::construct(void* memory, const RecordHeader& header, base::BytesView value,
                          Record* older) {
  SYNOD_ASSERT(value.size() <= UINT32_MAX, "admission bounds values far below 4 GiB");
  auto* record = new (memory) Record;
  record->lay_out(header, static_cast<std::uint32_t>(value.size()), older);
  if (!value.empty()) {
    std::memcpy(const_cast<char*>(record->at(record->offset_of_value())), value.data(),
                value.size());
  }
  return record;
}

Record* Record::construct_cold(void* memory, const RecordHeader& header, std::uint32_t value_size) {
  auto* record = new (memory) Record;
  record->lay_out(header, value_size, nullptr);
  record->is_cold = true;
  return record;
}

KeyNode* KeyNode::construct(void* memory, const KeyRef& ref, bool has_room, void* apart) {
  SYNOD_ASSERT(ref.key.size() <= kKeyBytesMax, "admission bounds keys far below 8 MiB");
  auto* node = new (memory) KeyNode;
  node->ns_ = ref.ns;
  node->space_ = ref.space.value();
  node->key_size_ = static_cast<std::uint32_t>(ref.key.size()) & kKeyBytesMax;
  node->has_room_ = has_room ? 1 : 0;
  void* bytes = node + 1;
  if (node->is_apart()) {
    SYNOD_ASSERT(apart != nullptr, "a long key has memory of its own");
    std::memcpy(bytes, &apart, sizeof apart);
    bytes = apart;
  }
  if (!ref.key.empty()) std::memcpy(bytes, ref.key.data(), ref.key.size());
  return node;
}

}  // namespace synod::core
