// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "server/config/key_value.h"

namespace synod::server {

/// What becomes of a key of the files that older shard servers read.
enum class LegacyUse : std::uint8_t {
  kNoEffect,   ///< Known, tunes something this server does not have.
  kDataDir,    ///< A base path: data_dir is <base>-thrift.
  kMebibytes,  ///< A number of MiB for `target`.
  kMode,       ///< "standalone" or "replicated": cluster.replicated.
  kSame,       ///< Means what `target` means.
  kDuration,   ///< "10s", "100ms" or a number of milliseconds, for `target` in milliseconds.
  kEndpoints,  ///< The nodes of a cluster: refused, as they are numbered from 0.
};

struct LegacyKey {
  std::string_view table;
  std::string_view name;
  LegacyUse use;
  std::string_view target;  ///< Path of the key of ours that takes the value; may be empty.
};

[[nodiscard]] const std::vector<LegacyKey>& all_legacy_keys();
/// The row of "table.name", or nullptr.
[[nodiscard]] const LegacyKey* find_legacy_key(std::string_view path);

/// Translates a legacy value to one for find_key(row.target). REQUIRES: row.target is not empty.
[[nodiscard]] base::Result<KeyValue> translate_legacy(const LegacyKey& row, const KeyValue& value);

/// A variable of the environment that older servers read, and the key it stands for.
struct LegacyVariable {
  std::string_view name;
  LegacyUse use;
  std::string_view target;
};
[[nodiscard]] const std::vector<LegacyVariable>& all_legacy_variables();

/// "10s", "1500ms", "2m", "7": milliseconds.
[[nodiscard]] base::Result<KeyValue> parse_duration(std::string_view text);

/// ok() if this build can serve a file with this row; else why not.
[[nodiscard]] base::Status check_legacy(const LegacyKey& row, const KeyValue& value);

}  // namespace synod::server
