// SPDX-License-Identifier: Apache-2.0
#include "core/state/rows.h"

#include "base/codec.h"

namespace synod::core {

EntryRowHead entry_row_key_head(const KeyRef& ref) {
  EntryRowHead head;
  head.bytes[0] = kEntryRow;
  base::store_be32(&head.bytes[1], ref.ns.value());
  head.bytes[5] = static_cast<char>(ref.space.value());
  head.size = 6;
  return head;
}

/// As base::Encoder writes the same fields, without a string to grow.
EntryRowHead entry_row_value_head(const RecordHeader& header) {
  EntryRowHead head;
  char* at = head.bytes.data();
  at += base::store_varint(at, base::zigzag(header.version.value()));
  at += base::store_varint(at, base::zigzag(header.expiry.value()));
  at += base::store_varint(at, header.generation);
  *at++ = static_cast<char>(header.type);
  base::store_le64(at, header.digest);
  head.size = static_cast<std::size_t>(at + 8 - head.bytes.data());
  return head;
}

base::Bytes entry_row_key(const KeyRef& ref) {
  base::Bytes row(entry_row_key_head(ref).view());
  row += ref.key;
  return row;
}

std::optional<KeyRef> parse_entry_row_key(base::BytesView row_key) {
  if (row_key.size() < 6 || row_key[0] != kEntryRow) return std::nullopt;
  return KeyRef{NamespaceId(base::load_be32(row_key.data() + 1)),
                Space(static_cast<std::uint8_t>(row_key[5])), row_key.substr(6)};
}

base::Bytes entry_row_value(const RecordHeader& header, base::BytesView value) {
  base::Bytes row(entry_row_value_head(header).view());
  row += value;
  return row;
}

base::Result<EntryRow> parse_entry_row_value(base::BytesView row_value) {
  try {
    base::Decoder decoder(row_value);
    EntryRow row;
    std::int64_t version = 0;
    std::int64_t expiry = 0;
    decoder(version, expiry, row.header.generation, row.header.type);
    row.header.version = Version(version);
    row.header.expiry = TimeMs(expiry);
    row.header.digest = base::load_le64(decoder.take(8).data());
    row.value = base::Bytes(decoder.take(decoder.remaining()));
    const bool is_tombstone = row.header.type == RecordType::kTombstone;
    if (version <= 0 || expiry < 0 || row.header.type > RecordType::kBytes ||
        (is_tombstone && !row.value.empty())) {
      return base::Status(base::StatusCode::kCorruption, "an entry row holds impossible fields");
    }
    return row;
  } catch (const base::DecodeError& error) {
    return base::Status(base::StatusCode::kCorruption, error.what);
  }
}

base::Bytes mark_row_key(Version version) {
  base::Bytes row(1, kMarkRow);
  base::append_be64(row, static_cast<std::uint64_t>(version.value()));
  return row;
}

base::Bytes number_row_value(std::int64_t number) { return base::encode(number); }

base::Result<std::int64_t> parse_number_row_value(base::BytesView row_value) {
  return base::decode<std::int64_t>(row_value);
}

base::Bytes applied_row_value(const AppliedRow& row) {
  base::Bytes value;
  base::Encoder encoder(value);
  encoder(row.index.value(), row.hash.low, row.hash.high);
  return value;
}

base::Result<AppliedRow> parse_applied_row(base::BytesView row_value) {
  try {
    base::Decoder decoder(row_value);
    std::uint64_t index = 0;
    AppliedRow row;
    decoder(index, row.hash.low, row.hash.high);
    if (decoder.remaining() != 0) base::Decoder::fail("bytes follow the applied row");
    row.index = LogIndex(index);
    return row;
  } catch (const base::DecodeError& error) {
    return base::Status(base::StatusCode::kCorruption, error.what);
  }
}

}  // namespace synod::core
