// SPDX-License-Identifier: Apache-2.0
#include "consensus/wire/body.h"

#include <memory>

namespace synod::consensus {

void BodyReader::complain(const char* what) {
  if (complaint_ == nullptr) complaint_ = what;
  in_ = {};
}

base::BytesView BodyReader::take_bytes(std::size_t bytes) {
  if (bytes > in_.size()) {
    complain("the body ends too early");
    return {};
  }
  const base::BytesView taken = in_.substr(0, bytes);
  in_.remove_prefix(bytes);
  return taken;
}

std::uint8_t BodyReader::take_u8() {
  const base::BytesView taken = take_bytes(1);
  return taken.empty() ? std::uint8_t{0} : static_cast<std::uint8_t>(taken[0]);
}

std::uint8_t BodyReader::take_enum(std::uint8_t min, std::uint8_t max) {
  const std::uint8_t value = take_u8();
  if (value >= min && value <= max) return value;
  complain("an enumeration has no such value");
  return min;
}

std::size_t BodyReader::take_count(std::size_t bytes_min) {
  SYNOD_ASSERT(bytes_min > 0, "an element takes at least a byte, or a count says nothing");
  std::uint32_t count = 0;
  take(count);
  if (count <= in_.size() / bytes_min) return count;
  complain("a list is longer than the body");
  return 0;
}

void BodyReader::take(bool& value) {
  const std::uint8_t byte = take_u8();
  if (byte > 1) complain("a boolean is neither 0 nor 1");
  value = byte == 1;
}

void BodyReader::take(NackReason& reason) {
  reason = static_cast<NackReason>(take_enum(kNackReasonMin, kNackReasonMax));
}

void BodyReader::take(std::uint32_t& value) {
  const base::BytesView taken = take_bytes(4);
  value = taken.empty() ? 0 : base::load_le32(taken.data());
}

void BodyReader::take(std::uint64_t& value) {
  const base::BytesView taken = take_bytes(8);
  value = taken.empty() ? 0 : base::load_le64(taken.data());
}

void BodyReader::take(Instant& span) {
  std::uint64_t nanoseconds = 0;
  take(nanoseconds);
  if (nanoseconds > static_cast<std::uint64_t>(Instant::max().count())) {
    complain("a span of time is negative");
    nanoseconds = 0;
  }
  span = Instant(static_cast<std::int64_t>(nanoseconds));
}

void BodyReader::take(base::Bytes& text) {
  std::uint32_t bytes = 0;
  take(bytes);
  text.assign(take_bytes(bytes));
}

void BodyReader::take(Entry& entry) {
  take(entry.origin);
  if (entry.origin.owner == ReplicaId()) complain("nobody proposed an entry");
  entry.kind = static_cast<EntryKind>(take_enum(kEntryKindMin, kEntryKindMax));
  take(entry.crc);
  std::uint32_t bytes = 0;
  take(bytes);
  entry.command = std::make_shared<const base::Bytes>(take_bytes(bytes));
}

}  // namespace synod::consensus
