// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/status.h"

namespace synod::client {

/// How keys and values are written on the command line and on the screen.
enum class ByteFormat : std::uint8_t {
  kEscaped,  ///< Printable ASCII as it is, the rest as \n \t \r \\ \" \xNN.
  kHex,      ///< Two hexadecimal digits a byte.
  kRaw,      ///< The bytes themselves.
};

[[nodiscard]] std::string format_bytes_text(base::BytesView bytes, ByteFormat format);

/// The inverse. kInvalidArgument names what is wrong.
[[nodiscard]] base::Result<base::Bytes> parse_bytes_text(std::string_view text, ByteFormat format);

/// Reads one escape sequence at text[position], which is a backslash, and moves position past it.
[[nodiscard]] base::Result<char> parse_escape(std::string_view text, std::size_t& position);

/// A JSON string literal with quotes; bytes that are not ASCII become \u00NN.
[[nodiscard]] std::string json_string(std::string_view text);

}  // namespace synod::client
