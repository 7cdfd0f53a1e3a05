// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/status.h"

namespace synod::server {

struct Config;

/// A setting on its way from text or TOML to its field; choices travel as their name.
using KeyValue = std::variant<bool, std::uint64_t, std::string>;

enum class KeyKind : std::uint8_t {
  kBool,
  kInteger,
  kBytes,  ///< A number of bytes, or text such as "64MiB".
  kText,
  kList,    ///< Texts with commas between; in TOML a list of texts is the same.
  kChoice,  ///< One of `choices`; the field is an enum counted from 0 in that order.
};

/// One row of the registry: everything that file, environment, command line, sample and checks
/// need to know about one setting.
struct Key {
  std::string_view table;
  std::string_view name;
  KeyKind kind;
  std::uint64_t min;  ///< Integers and bytes.
  std::uint64_t max;
  std::vector<std::string_view> choices;
  std::string_view doc;  ///< Sentences for people, unit included.
  void (*store)(Config&, const Key&, const KeyValue&);
  KeyValue (*load)(const Config&, const Key&);

  /// "table.name".
  [[nodiscard]] std::string path() const;
};

/// Reads `text` (environment, --set) as a value of this key; the error says what was expected.
[[nodiscard]] base::Result<KeyValue> parse_value(const Key& key, std::string_view text);

/// kInvalidArgument unless `value` has the key's kind and lies in its range.
[[nodiscard]] base::Status check_value(const Key& key, const KeyValue& value);

/// What a value of this key looks like, for error texts: "an integer from 1 to 64".
[[nodiscard]] std::string describe_kind(const Key& key);

/// The value as TOML: quoted text, plain numbers, sizes such as "64 MiB".
[[nodiscard]] std::string format_value(const Key& key, const KeyValue& value);

/// `text` as a TOML basic string.
[[nodiscard]] std::string quote_toml(std::string_view text);

}  // namespace synod::server
