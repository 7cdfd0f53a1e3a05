// SPDX-License-Identifier: Apache-2.0
#include "router/command.h"

#include "base/assert.h"
#include "base/text.h"

namespace synod::router {
namespace {

constexpr char kFormat = 1;
constexpr std::size_t kProcessAt = 2;
constexpr std::size_t kSequenceAt = 10;
constexpr std::size_t kStampAt = 18;
constexpr std::size_t kHeadBytes = 26;

base::Status malformed(const char* what) { return {base::StatusCode::kCorruption, what}; }

}  // namespace

base::Bytes encode_command(const CommandId& id, CommandKind kind, base::BytesView payload) {
  base::Bytes out;
  out.reserve(kHeadBytes + payload.size());
  out.push_back(kFormat);
  out.push_back(static_cast<char>(kind));
  base::append_le64(out, id.process.value());
  base::append_le64(out, id.sequence);
  base::append_le64(out, 0);
  out.append(payload);
  return out;
}

void number_command(base::Bytes& command, std::uint64_t sequence) {
  SYNOD_ASSERT(command.size() >= kHeadBytes, "made by encode_command");
  base::store_le64(command.data() + kSequenceAt, sequence);
}

void stamp_command(base::Bytes& command, core::TimeMs stamp) {
  SYNOD_ASSERT(command.size() >= kHeadBytes, "made by encode_command");
  base::store_le64(command.data() + kStampAt, static_cast<std::uint64_t>(stamp.value()));
}

base::Result<CommandView> decode_command(base::BytesView bytes) {
  if (bytes.empty()) return malformed("a command without a format");
  if (bytes[0] != kFormat) {
    return base::Status(base::StatusCode::kUnsupported,
                        base::concat("a command of format ", static_cast<int>(bytes[0])));
  }
  if (bytes.size() < kHeadBytes) return malformed("a command ends in its head");
  CommandView view;
  view.kind = static_cast<CommandKind>(bytes[1]);
  view.id.process = RouterProcess(base::load_le64(bytes.data() + kProcessAt));
  view.id.sequence = base::load_le64(bytes.data() + kSequenceAt);
  view.stamp = core::TimeMs(static_cast<std::int64_t>(base::load_le64(bytes.data() + kStampAt)));
  view.payload = bytes.substr(kHeadBytes);
  const bool is_mark = view.kind == CommandKind::kHashMark;
  if (!is_mark && view.kind != CommandKind::kOperation) return malformed("a command of no kind");
  if (is_mark && !view.payload.empty()) return malformed("bytes follow a hash mark");
  return view;
}

}  // namespace synod::router
