// SPDX-License-Identifier: Apache-2.0
#include "server/config/key_value.h"

#include <algorithm>
#include <charconv>

#include "base/bytes.h"
#include "base/text.h"

namespace synod::server {

using base::concat;
using base::Status;
using base::StatusCode;

namespace {

Status expected(const Key& key, std::string_view got) {
  return Status(StatusCode::kInvalidArgument,
                concat("expected ", describe_kind(key), ", got ", got));
}

bool is_printable(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return byte >= 0x20 && byte != 0x7f;
  });
}

std::string quoted(std::string_view text) { return concat("\"", base::escape(text), "\""); }

Status check_number(const Key& key, std::uint64_t number) {
  if (key.kind != KeyKind::kInteger && key.kind != KeyKind::kBytes) {
    return expected(key, concat(number));
  }
  if (number < key.min || number > key.max) return expected(key, concat(number));
  return Status();
}

Status check_text(const Key& key, const std::string& text) {
  if (key.kind == KeyKind::kChoice) {
    if (std::find(key.choices.begin(), key.choices.end(), text) == key.choices.end()) {
      return expected(key, quoted(text));
    }
    return Status();
  }
  if (key.kind != KeyKind::kText && key.kind != KeyKind::kList) {
    return expected(key, quoted(text));
  }
  // They become paths, addresses and log lines.
  if (!is_printable(text)) {
    return Status(StatusCode::kInvalidArgument,
                  concat("control characters are not allowed in ", quoted(text)));
  }
  return Status();
}

}  // namespace

std::string Key::path() const { return concat(table, ".", name); }

std::string describe_kind(const Key& key) {
  switch (key.kind) {
    case KeyKind::kBool:
      return "true or false";
    case KeyKind::kInteger:
      return concat("an integer from ", key.min, " to ", key.max);
    case KeyKind::kBytes:
      return concat("a size from ", base::format_bytes(key.min), " to ",
                    base::format_bytes(key.max), ", as bytes or text like \"64MiB\"");
    case KeyKind::kText:
      return "text";
    case KeyKind::kList:
      return "text with commas, or a list of texts";
    case KeyKind::kChoice:
      break;
  }
  std::string names = "one of";
  for (const auto choice : key.choices) names += concat(" \"", choice, "\"");
  return names;
}

Status check_value(const Key& key, const KeyValue& value) {
  if (const auto* number = std::get_if<std::uint64_t>(&value)) return check_number(key, *number);
  if (const auto* text = std::get_if<std::string>(&value)) return check_text(key, *text);
  if (key.kind != KeyKind::kBool) return expected(key, std::get<bool>(value) ? "true" : "false");
  return Status();
}

base::Result<KeyValue> parse_value(const Key& key, std::string_view text) {
  KeyValue value(std::in_place_type<std::string>, text);
  if (key.kind == KeyKind::kBool) {
    if (text != "true" && text != "false" && text != "1" && text != "0") {
      return expected(key, quoted(text));
    }
    value = text == "true" || text == "1";
  } else if (key.kind == KeyKind::kBytes) {
    std::uint64_t bytes = 0;
    if (!base::parse_bytes(text, bytes)) return expected(key, quoted(text));
    value = bytes;
  } else if (key.kind == KeyKind::kInteger) {
    std::uint64_t number = 0;
    const char* end = text.data() + text.size();
    const auto parsed = std::from_chars(text.data(), end, number);
    if (parsed.ec != std::errc() || parsed.ptr != end) return expected(key, quoted(text));
    value = number;
  }
  SYNOD_RETURN_IF_ERROR(check_value(key, value));
  return value;
}

std::string quote_toml(std::string_view text) {
  static constexpr char kHex[] = "0123456789ABCDEF";
  std::string out = "\"";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (byte < 0x20 || byte == 0x7f) {
      out += "\\u00";
      out += kHex[byte >> 4];
      out += kHex[byte & 15];
    } else {
      out += c;
    }
  }
  return out + "\"";
}

std::string format_value(const Key& key, const KeyValue& value) {
  if (const auto* flag = std::get_if<bool>(&value)) return *flag ? "true" : "false";
  if (const auto* text = std::get_if<std::string>(&value)) return quote_toml(*text);
  const std::uint64_t number = std::get<std::uint64_t>(value);
  // Only sizes that read back exactly are written with a unit.
  if (key.kind == KeyKind::kBytes && number > 0 && number % 1024 == 0) {
    std::string text = base::format_bytes(number);
    if (text.find('.') == std::string::npos) return quote_toml(text);
  }
  return concat(number);
}

}  // namespace synod::server
