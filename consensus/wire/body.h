// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "base/assert.h"
#include "base/bytes.h"
#include "consensus/wire/fields.h"

// The walkers over fields.h: how many bytes, write them, read them. Only codec.cc needs them.
namespace synod::consensus {

inline constexpr std::size_t kEntryHeadBytes = 25;  ///< Of an entry without its command.

/// Counts the bytes of a body, so that it is written into a buffer of its size.
class BodySizer {
 public:
  template <class... Fields>
  void operator()(const Fields&... each) {
    (add(each), ...);
  }
  [[nodiscard]] std::size_t bytes() const { return bytes_; }

 private:
  template <class Tag, class Rep>
  void add(const base::StrongId<Tag, Rep>&) {
    bytes_ += sizeof(Rep);
  }
  void add(bool) { bytes_ += 1; }
  void add(NackReason) { bytes_ += 1; }
  void add(std::uint32_t) { bytes_ += 4; }
  void add(std::uint64_t) { bytes_ += 8; }
  void add(Instant) { bytes_ += 8; }
  void add(const base::Bytes& text) { bytes_ += 4 + text.size(); }
  void add(const Entry& entry) { bytes_ += kEntryHeadBytes + entry.command->size(); }
  template <class T>
  void add(const std::optional<T>& value) {
    bytes_ += 1;
    if (value) add(*value);
  }
  template <class T>
  void add(const std::vector<T>& list) {
    bytes_ += 4;
    for (const T& each : list) add(each);
  }
  template <class T>
  requires std::is_aggregate_v<T>
  void add(const T& part) { fields(*this, part); }

  std::size_t bytes_ = 0;
};

/// Writes a body to memory that has room for what BodySizer counted.
class BodyWriter {
 public:
  explicit BodyWriter(char* at) : at_(at) {}
  template <class... Fields>
  void operator()(const Fields&... each) {
    (put(each), ...);
  }
  [[nodiscard]] const char* at() const { return at_; }

 private:
  void put_u8(std::uint8_t value) { *at_++ = static_cast<char>(value); }
  void put_count(std::size_t count) {
    SYNOD_ASSERT(count <= UINT32_MAX, "a count has 32 bits");
    put(static_cast<std::uint32_t>(count));
  }
  template <class Tag, class Rep>
  void put(const base::StrongId<Tag, Rep>& id) {
    put(id.value());
  }
  void put(bool value) { put_u8(value ? 1 : 0); }
  void put(NackReason reason) { put_u8(static_cast<std::uint8_t>(reason)); }
  void put(std::uint32_t value) {
    base::store_le32(at_, value);
    at_ += 4;
  }
  void put(std::uint64_t value) {
    base::store_le64(at_, value);
    at_ += 8;
  }
  void put(Instant span) { put(static_cast<std::uint64_t>(span.count())); }
  void put(const base::Bytes& text) {
    put_count(text.size());
    at_ += text.copy(at_, text.size());
  }
  void put(const Entry& entry) {
    put(entry.origin);
    put_u8(static_cast<std::uint8_t>(entry.kind));
    put(entry.crc);
    put(*entry.command);
  }
  template <class T>
  void put(const std::optional<T>& value) {
    put(value.has_value());
    if (value) put(*value);
  }
  template <class T>
  void put(const std::vector<T>& list) {
    put_count(list.size());
    for (const T& each : list) put(each);
  }
  template <class T>
  requires std::is_aggregate_v<T>
  void put(const T& part) { fields(*this, part); }

  char* at_;
};

/// Reads a body that may hold anything. The first complaint stays, and from then on nothing is
/// read: numbers are 0, lists and bytes are empty.
class BodyReader {
 public:
  explicit BodyReader(base::BytesView in) : in_(in) {}
  template <class... Fields>
  void operator()(Fields&... each) {
    (take(each), ...);
  }
  [[nodiscard]] std::size_t left() const { return in_.size(); }
  /// Null: no complaint.
  [[nodiscard]] const char* complaint() const { return complaint_; }

 private:
  void complain(const char* what);
  /// Empty, with a complaint, if there is less.
  [[nodiscard]] base::BytesView take_bytes(std::size_t bytes);
  [[nodiscard]] std::uint8_t take_u8();
  [[nodiscard]] std::uint8_t take_enum(std::uint8_t min, std::uint8_t max);
  /// Of elements that need `bytes_min` each; 0, with a complaint, if they cannot be there.
  [[nodiscard]] std::size_t take_count(std::size_t bytes_min);

  template <class Tag, class Rep>
  void take(base::StrongId<Tag, Rep>& id) {
    Rep value{};
    take(value);
    id = base::StrongId<Tag, Rep>(value);
  }
  void take(bool& value);
  void take(NackReason& reason);
  void take(std::uint32_t& value);
  void take(std::uint64_t& value);
  void take(Instant& span);
  void take(base::Bytes& text);
  void take(Entry& entry);
  template <class T>
  void take(std::optional<T>& value) {
    bool is_there = false;
    take(is_there);
    if (is_there) take(value.emplace());
  }
  template <class T>
  void take(std::vector<T>& list) {
    // The least an element takes is what it takes when everything in it is empty.
    const std::size_t count = take_count(bytes_min(static_cast<const T*>(nullptr)));
    list.reserve(count);
    for (std::size_t i = 0; i < count && complaint_ == nullptr; ++i) take(list.emplace_back());
  }
  template <class T>
  requires std::is_aggregate_v<T>
  void take(T& part) { fields(*this, part); }

  static std::size_t bytes_min(const Entry*) { return kEntryHeadBytes; }
  template <class T>
  static std::size_t bytes_min(const T*) {
    BodySizer sizer;
    sizer(T{});
    return sizer.bytes();
  }

  base::BytesView in_;
  const char* complaint_ = nullptr;
};

}  // namespace synod::consensus
