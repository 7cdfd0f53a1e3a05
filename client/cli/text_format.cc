// SPDX-License-Identifier: Apache-2.0
#include "client/cli/text_format.h"

#include "base/text.h"

namespace synod::client {
namespace {

constexpr std::string_view kDigits = "0123456789abcdef";

int digit_of(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

/// -1 unless text[position..+2] are two hexadecimal digits.
int hex_byte(std::string_view text, std::size_t position) {
  if (position + 2 > text.size()) return -1;
  const int high = digit_of(text[position]);
  const int low = digit_of(text[position + 1]);
  return high < 0 || low < 0 ? -1 : high * 16 + low;
}

void append_hex(std::string& out, char c) {
  const auto byte = static_cast<unsigned char>(c);
  out += kDigits[byte >> 4];
  out += kDigits[byte & 15];
}

void append_escaped(std::string& out, char c) {
  switch (c) {
    case '\\':
      out += "\\\\";
      return;
    case '\n':
      out += "\\n";
      return;
    case '\t':
      out += "\\t";
      return;
    case '\r':
      out += "\\r";
      return;
    default:
      break;
  }
  if (c >= 0x20 && c < 0x7f) {
    out += c;
  } else {
    out += "\\x";
    append_hex(out, c);
  }
}

base::Status bad(const std::string& why, std::string_view text) {
  return {base::StatusCode::kInvalidArgument,
          base::concat(why, " in \"", base::escape(text), "\"")};
}

}  // namespace

std::string format_bytes_text(base::BytesView bytes, ByteFormat format) {
  if (format == ByteFormat::kRaw) return std::string(bytes);
  std::string out;
  for (const char c : bytes) {
    if (format == ByteFormat::kHex) {
      append_hex(out, c);
    } else {
      append_escaped(out, c);
    }
  }
  return out;
}

base::Result<char> parse_escape(std::string_view text, std::size_t& position) {
  if (position + 1 >= text.size()) return bad("a backslash at the end", text);
  const char kind = text[position + 1];
  position += 2;
  switch (kind) {
    case '\\':
      return '\\';
    case '"':
      return '"';
    case 'n':
      return '\n';
    case 't':
      return '\t';
    case 'r':
      return '\r';
    case 'x': {
      const int byte = hex_byte(text, position);
      if (byte < 0) return bad("\\x without two hexadecimal digits", text);
      position += 2;
      return static_cast<char>(byte);
    }
    default:
      return bad(base::concat("unknown escape \\", base::escape(std::string_view(&kind, 1))), text);
  }
}

base::Result<base::Bytes> parse_bytes_text(std::string_view text, ByteFormat format) {
  if (format == ByteFormat::kRaw) return base::Bytes(text);
  base::Bytes out;
  if (format == ByteFormat::kHex) {
    for (std::size_t i = 0; i < text.size(); i += 2) {
      const int byte = hex_byte(text, i);
      if (byte < 0) return bad("not pairs of hexadecimal digits", text);
      out += static_cast<char>(byte);
    }
    return out;
  }
  for (std::size_t i = 0; i < text.size();) {
    if (text[i] == '\\') {
      SYNOD_ASSIGN_OR_RETURN(const char c, parse_escape(text, i));
      out += c;
    } else {
      out += text[i++];
    }
  }
  return out;
}

std::string json_string(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (c >= 0x20 && c < 0x7f) {
      out += c;
    } else {
      out += "\\u00";
      append_hex(out, c);
    }
  }
  return out + '"';
}

}  // namespace synod::client
