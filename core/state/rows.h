// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "base/bytes.h"
#include "base/status.h"
#include "core/state/state_hash.h"
#include "core/table/key_node.h"
#include "core/types.h"

// clang-format off
// The rows of replicated state as the storage backend holds them (values in base/codec.h's form).
//
//   'a'                              applied row: index and state hash
//   'd' ns:be32 space:u8 key...      entry: version, expiry, generation, type, digest, value
//   'l'                              label: bytes of the log's owner, no part of the state
//   'm' version:be64                 clock mark: the clock from this version on
//   'n' name...                      namespace: id, created, version of its last clear
//   'o' id:be32                      cleared namespace that is still being swept
//   'r' client:16 sequence:be64      stored result of a tokened commit
//   's'                              scalars: newest version, clock, floors, policy
//   't' client:16                    token row of a client
//
// Big-endian numbers make the backend's order the order of the tables.
// clang-format on
namespace synod::core {

inline constexpr char kAppliedRow = 'a';
inline constexpr char kEntryRow = 'd';
inline constexpr char kLabelRow = 'l';
inline constexpr char kMarkRow = 'm';
inline constexpr char kNamespaceRow = 'n';
inline constexpr char kSweptNamespaceRow = 'o';
inline constexpr char kTokenResultRow = 'r';
inline constexpr char kScalarsRow = 's';
inline constexpr char kTokenRow = 't';

/// Where replicated state writes its rows: the write-behind buffer, or nothing in pure tests.
class RowSink {
 public:
  virtual ~RowSink() = default;
  virtual void put_row(base::BytesView key, base::BytesView value) = 0;
  virtual void erase_row(base::BytesView key) = 0;
};

/// What stands before the key or before the value in an entry row.
struct EntryRowHead {
  std::array<char, 48> bytes;
  std::size_t size = 0;
  [[nodiscard]] base::BytesView view() const { return {bytes.data(), size}; }
};
[[nodiscard]] EntryRowHead entry_row_key_head(const KeyRef& ref);
[[nodiscard]] EntryRowHead entry_row_value_head(const RecordHeader& header);
[[nodiscard]] base::Bytes entry_row_key(const KeyRef& ref);
/// The key an entry row holds; nullopt if `row_key` is no entry row. Views into `row_key`.
[[nodiscard]] std::optional<KeyRef> parse_entry_row_key(base::BytesView row_key);
[[nodiscard]] base::Bytes entry_row_value(const RecordHeader& header, base::BytesView value);

struct EntryRow {
  RecordHeader header;
  base::Bytes value;
};
[[nodiscard]] base::Result<EntryRow> parse_entry_row_value(base::BytesView row_value);

[[nodiscard]] base::Bytes mark_row_key(Version version);
[[nodiscard]] base::Bytes number_row_value(std::int64_t number);
[[nodiscard]] base::Result<std::int64_t> parse_number_row_value(base::BytesView row_value);

/// The head row: what the rows cover and what they must hash to.
struct AppliedRow {
  LogIndex index{0};
  StateHash hash;
};
[[nodiscard]] base::Bytes applied_row_value(const AppliedRow& row);
[[nodiscard]] base::Result<AppliedRow> parse_applied_row(base::BytesView row_value);

}  // namespace synod::core
