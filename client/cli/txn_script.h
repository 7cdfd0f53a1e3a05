// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/status.h"

namespace synod::client {

/// One line of a transaction script.
struct ScriptStep {
  enum class Kind : std::uint8_t { kCheck, kRead, kSet, kDelete, kIncrement, kAppend, kClear };
  Kind kind = Kind::kRead;
  base::Bytes key;          ///< kClear: where the range begins.
  base::Bytes value;        ///< kSet, kAppend.
  base::Bytes end;          ///< kClear: empty means to the last key.
  std::int64_t number = 0;  ///< kCheck: version; kIncrement: what to add.
  std::int64_t ttl_ms = 0;  ///< kSet; 0: none.
  std::size_t line = 0;     ///< Counted from 1.
  bool operator==(const ScriptStep&) const = default;
};

/// Reads the script of `synodctl txn`:
///
///   script = { line "\n" }
///   line   = [ step ] [ "#" comment ]
///   step   = "check" KEY VERSION | "read" KEY | "set" KEY VALUE [ "ttl=" MILLISECONDS ]
///          | "delete" KEY | "incr" KEY NUMBER | "append" KEY VALUE | "clear" BEGIN END
///
/// Words are separated by blanks; a word in double quotes may contain blanks and '#'. In both,
/// \n \t \r \\ \" \xNN stand for bytes. kInvalidArgument names the line.
[[nodiscard]] base::Result<std::vector<ScriptStep>> parse_txn_script(std::string_view text);

}  // namespace synod::client
