// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstdint>

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

/// One version of one key: a header and the value's bytes in one allocation.
///
/// Immutable after publication but for `older`, which the writer cuts when no reader can need what
/// lies behind it, and which readers follow.
/// A cold record has dropped its bytes: size and digest stay, `value()` may not be called.
struct Record {
  std::atomic<Record*> older{nullptr};
  RecordHeader header;
  std::uint32_t value_size = 0;
  bool is_cold = false;
  /// Set by readers, cleared by the hand that looks for values to drop.
  mutable std::atomic<bool> was_read{false};

  [[nodiscard]] base::BytesView value() const;
  [[nodiscard]] bool is_tombstone() const { return header.type == RecordType::kTombstone; }
  [[nodiscard]] static Record* create(const RecordHeader& header, base::BytesView value);
  /// A record whose value of `value_size` bytes is elsewhere.
  [[nodiscard]] static Record* create_cold(const RecordHeader& header, std::uint32_t value_size);
  static void destroy(Record* record);
};

/// The one object both indexes point at: a key and the head of its version chain, newest first.
///
/// Owned by the writer through TransactionalKvDatabase; freed through EpochManager only after both
/// indexes dropped it. Key bytes follow the struct in the same allocation and never change.
struct KeyNode {
  std::atomic<Record*> head{nullptr};
  NamespaceId ns{0};
  std::uint32_t key_size = 0;
  Space space{0};

  [[nodiscard]] base::BytesView key() const {
    return {reinterpret_cast<const char*>(this + 1), key_size};
  }
  [[nodiscard]] KeyRef ref() const { return KeyRef{ns, space, key()}; }
  [[nodiscard]] static KeyNode* create(const KeyRef& ref);
  /// Frees the node alone; its records are freed one by one.
  static void destroy(KeyNode* node);
};

}  // namespace synod::core
