// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "server/config/config.h"
#include "server/config/key_value.h"

namespace synod::server {

/// A table of the file with the sentence that introduces it.
struct KeyTable {
  std::string_view name;
  std::string_view doc;
};

/// Every setting, tables together and in the order of the sample.
[[nodiscard]] const std::vector<Key>& all_keys();
[[nodiscard]] const std::vector<KeyTable>& all_tables();

/// The row of "table.name", or nullptr.
[[nodiscard]] const Key* find_key(std::string_view path);

/// " (did you mean x?)" for the candidate nearest to `name`, or "" if none is near.
[[nodiscard]] std::string nearest_hint(std::string_view name,
                                       const std::vector<std::string>& candidates);

/// The paths of all keys, for hints.
[[nodiscard]] std::vector<std::string> key_paths();

}  // namespace synod::server
