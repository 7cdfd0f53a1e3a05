// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "base/status.h"

namespace synod::history {

/// The part of JSON that histories use: no fractions, and strings of bytes, each byte one code
/// point up to U+00FF, so that any key can be written.
struct Json {
  using Array = std::vector<Json>;
  using Object = std::vector<std::pair<std::string, Json>>;  ///< In order; names are unique.

  std::variant<std::monostate, bool, std::int64_t, std::string, Array, Object> value;

  [[nodiscard]] bool is_null() const { return value.index() == 0; }
  [[nodiscard]] const bool* boolean() const { return std::get_if<bool>(&value); }
  [[nodiscard]] const std::int64_t* number() const { return std::get_if<std::int64_t>(&value); }
  [[nodiscard]] const std::string* text() const { return std::get_if<std::string>(&value); }
  [[nodiscard]] const Array* array() const { return std::get_if<Array>(&value); }
  [[nodiscard]] const Object* object() const { return std::get_if<Object>(&value); }
};

/// Parses exactly one value. Nesting deeper than 8 and everything outside the subset is
/// kInvalidArgument.
[[nodiscard]] base::Result<Json> parse_json(std::string_view text);

/// Appends `bytes` as a quoted string.
void append_json_string(std::string& out, std::string_view bytes);

}  // namespace synod::history
