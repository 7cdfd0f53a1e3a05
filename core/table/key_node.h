// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "base/bytes.h"
#include "core/types.h"

namespace synod::core {

/// What a record holds. Part of the stored format: never renumber.
enum class RecordType : std::uint8_t {
  kTombstone = 0,  ///< The key was removed at this version.
  kBytes = 1,
};

/// The fields of a record without its value.
struct RecordHeader {
  Version version{0};            ///< Of the write that made it.
  TimeMs expiry{0};              ///< 0: never.
  std::uint64_t digest = 0;      ///< Keyed digest of the value, kept when the value leaves memory.
  std::uint32_t generation = 0;  ///< Of structured values; 0 otherwise.
  RecordType type = RecordType::kBytes;
};

/// One version of one key: 20 bytes, then what this record has of a larger size, a pointer to the
/// older one, an expiry and a generation, then the value's bytes, all in one allocation of a
/// RecordHeap.
///
/// Immutable after publication but for the pointer to the older one, which the writer cuts when no
/// reader can need what lies behind it, and for `was_read`.
/// A cold record has dropped its bytes: size and digest stay, `value()` may not be called.
struct Record {
  Version version{0};
  std::uint64_t digest = 0;
  RecordType type : 7 = RecordType::kBytes;
  bool is_cold : 1 = false;
  std::uint8_t parts = 0;  ///< Which of the optional fields follow; RecordHeap's notes.
  /// Set by readers, cleared by the hand that looks for values to drop.
  mutable std::atomic<bool> was_read{false};

  [[nodiscard]] std::uint32_t value_size() const;
  [[nodiscard]] base::BytesView value() const;
  [[nodiscard]] bool is_tombstone() const { return type == RecordType::kTombstone; }
  [[nodiscard]] TimeMs expiry() const;
  [[nodiscard]] std::uint32_t generation() const;
  [[nodiscard]] RecordHeader header() const;
  /// The record this one took the place of, until the writer cuts it off.
  [[nodiscard]] Record* older() const {
    return has(kOlder) ? older_slot().load(std::memory_order_acquire) : nullptr;
  }
  /// Writer. Cuts off and returns what lies behind.
  Record* cut() {
    return has(kOlder) ? older_slot().exchange(nullptr, std::memory_order_acq_rel) : nullptr;
  }

  /// Bytes of a record with such fields and its value.
  [[nodiscard]] static std::size_t bytes_for(const RecordHeader& header, std::size_t value_size,
                                             bool has_older);
  /// The same without the value's bytes.
  [[nodiscard]] static std::size_t cold_bytes_for(const RecordHeader& header,
                                                  std::size_t value_size);
  [[nodiscard]] std::size_t bytes() const {
    return offset_of_value() + (is_cold ? 0 : std::size_t{value_size()});
  }
  /// Makes a record in `memory`, which has the bytes it needs. It has a place for an older one iff
  /// `older` isn't null.
  static Record* construct(void* memory, const RecordHeader& header, base::BytesView value,
                           Record* older);
  static Record* construct_cold(void* memory, const RecordHeader& header, std::uint32_t value_size);

  static constexpr std::uint8_t kOlder = 1;
  static constexpr std::uint8_t kExpiry = 2;
  static constexpr std::uint8_t kGeneration = 4;
  static constexpr std::uint8_t kInNode = 8;   ///< Lies in its node's allocation.
  static constexpr std::uint8_t kVacant = 16;  ///< No record: a node's room for one.
  static constexpr std::uint8_t kLong = 32;    ///< The size is none that one byte holds.
  [[nodiscard]] bool has(std::uint8_t part) const { return (parts & part) != 0; }

 private:
  static constexpr std::size_t kFixedBytes = 20;
  static constexpr std::size_t kShortMax = UINT8_MAX;

  [[nodiscard]] static constexpr std::size_t offset_of_expiry(std::uint8_t parts);
  [[nodiscard]] static constexpr std::size_t offset_of_value(std::uint8_t parts);
  [[nodiscard]] std::size_t offset_of_value() const { return offset_of_value(parts); }
  [[nodiscard]] static std::uint8_t parts_for(const RecordHeader& header, std::size_t value_size,
                                              bool has_older);
  [[nodiscard]] const char* at(std::size_t offset) const {
    return reinterpret_cast<const char*>(this) + offset;
  }
  template <class Number>
  [[nodiscard]] Number load(std::size_t offset) const {
    Number number;
    std::memcpy(&number, at(offset), sizeof number);
    return number;
  }
  template <class Number>
  void store(std::size_t offset, Number number) {
    std::memcpy(const_cast<char*>(at(offset)), &number, sizeof number);
  }
  [[nodiscard]] std::atomic<Record*>& older_slot() const {
    return *reinterpret_cast<std::atomic<Record*>*>(const_cast<Record*>(this) + 1);
  }
  void lay_out(const RecordHeader& header, std::uint32_t value_size, Record* older);

  std::uint8_t short_size_ = 0;
  /// Where what follows begins; a pointer to an older record comes no earlier than behind it.
  [[maybe_unused]] std::array<char, 4> rest_;
};
static_assert(sizeof(Record) == 24 && alignof(Record) == 8, "20 bytes and the first that follow");

constexpr std::size_t Record::offset_of_expiry(std::uint8_t parts) {
  if ((parts & kOlder) != 0) return sizeof(Record) + sizeof(std::atomic<Record*>);
  return (parts & kLong) != 0 ? kFixedBytes + sizeof(std::uint32_t) : kFixedBytes;
}
constexpr std::size_t Record::offset_of_value(std::uint8_t parts) {
  static_assert(4 * kExpiry == sizeof(std::int64_t) && kGeneration == sizeof(std::uint32_t));
  return offset_of_expiry(parts) + 4U * (parts & kExpiry) + (parts & kGeneration);
}
inline std::uint32_t Record::value_size() const {
  return has(kLong) ? load<std::uint32_t>(kFixedBytes) : short_size_;
}

/// The one object both indexes point at: a key and the head of its version chain, newest first.
///
/// Owned by the writer through RecordHeap; freed only after both indexes dropped it and no reader
/// can hold it. Key bytes follow the struct in the same allocation and never change; those of a
/// long key lie apart, and a pointer to them follows, so that every node fits into a slot. Behind
/// them there may be room for a small record (RecordHeap).
struct KeyNode {
  static constexpr std::size_t kKeyBytesMax = (std::size_t{1} << 23) - 1;
  /// Longer keys lie apart.
  static constexpr std::size_t kBesideMax = std::size_t{32} << 10;

  std::atomic<Record*> head{nullptr};

  [[nodiscard]] NamespaceId ns() const { return ns_; }
  [[nodiscard]] Space space() const { return Space(static_cast<std::uint8_t>(space_)); }
  [[nodiscard]] std::uint32_t key_size() const { return key_size_; }
  [[nodiscard]] base::BytesView key() const {
    const auto* bytes = reinterpret_cast<const char*>(this + 1);
    if (is_apart()) [[unlikely]] {
      bytes = *reinterpret_cast<const char* const*>(bytes);
    }
    return {bytes, key_size_};
  }
  /// The key's bytes are an allocation of their own.
  [[nodiscard]] bool is_apart() const { return key_size_ > kBesideMax; }
  [[nodiscard]] KeyRef ref() const { return KeyRef{ns_, space(), key()}; }

  /// Bytes of a node before the room for a record.
  [[nodiscard]] static constexpr std::size_t bytes_for(std::size_t key_size);
  [[nodiscard]] std::size_t bytes() const { return bytes_for(key_size_); }
  [[nodiscard]] bool has_room() const { return has_room_ != 0; }
  /// Where the room begins. REQUIRES: has_room().
  [[nodiscard]] void* room() { return reinterpret_cast<char*>(this) + bytes(); }
  /// `apart` is where the bytes of a long key go; it is not looked at for others.
  static KeyNode* construct(void* memory, const KeyRef& ref, bool has_room, void* apart = nullptr);

 private:
  NamespaceId ns_{0};
  std::uint32_t key_size_ : 23 = 0;
  std::uint32_t has_room_ : 1 = 0;
  std::uint32_t space_ : 8 = 0;
};
static_assert(sizeof(KeyNode) == 16, "what every key pays for its node");

constexpr std::size_t KeyNode::bytes_for(std::size_t key_size) {
  constexpr std::size_t kAlignment = alignof(Record);
  const std::size_t beside = key_size > kBesideMax ? sizeof(const char*) : key_size;
  return (sizeof(KeyNode) + beside + kAlignment - 1) / kAlignment * kAlignment;
}

}  // namespace synod::core
