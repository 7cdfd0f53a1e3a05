// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <compare>
#include <cstdint>

#include "base/bytes.h"
#include "base/status.h"
#include "base/strong_id.h"
#include "core/types.h"

// The body of an entry of the replicated log: whose it is, and what it is.
//
//   command = format:u8 kind:u8 process:le64 sequence:le64 stamp_ms:le64 payload
//   payload = operation (core/operation.h) for kOperation; nothing for kHashMark
namespace synod::router {

/// One run of one node; random. 0: nobody's.
using RouterProcess = base::StrongId<struct RouterProcessTag, std::uint64_t>;

/// Names one command for ever: the process that submitted it, and its count there.
struct CommandId {
  RouterProcess process;
  std::uint64_t sequence = 0;
  auto operator<=>(const CommandId&) const = default;
};

enum class CommandKind : std::uint8_t {
  kOperation = 1,  ///< Executed by core.
  kHashMark = 2,   ///< Changes nothing; every replica notes its state hash at this slot.
};

struct CommandView {
  CommandId id;
  CommandKind kind = CommandKind::kOperation;
  core::TimeMs stamp{0};    ///< Of whoever proposed it; takes the place of the operation's own.
  base::BytesView payload;  ///< Into the bytes that were read.
};

[[nodiscard]] base::Bytes encode_command(const CommandId& id, CommandKind kind,
                                         base::BytesView payload);
/// Gives the command its number. REQUIRES: as stamp_command.
void number_command(base::Bytes& command, std::uint64_t sequence);
/// The proposer's clock. REQUIRES: `command` was made by encode_command.
void stamp_command(base::Bytes& command, core::TimeMs stamp);
/// kCorruption for anything encode_command cannot have made; kUnsupported for another format.
[[nodiscard]] base::Result<CommandView> decode_command(base::BytesView bytes);

}  // namespace synod::router
