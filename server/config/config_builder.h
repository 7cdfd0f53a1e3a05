// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "server/config/config_load.h"
#include "server/config/key_value.h"

namespace synod::server {

/// Collects settings, later ones over earlier ones, and every mistake instead of the first only.
///
/// Invariants
///   CB1  finish() gives a Config only if no mistake was reported and all rules between settings
///        hold.
///
/// Threads: externally synchronized.
class ConfigBuilder {
 public:
  void set(const Key& key, const KeyValue& value, const std::string& origin);
  void set_text(const Setting& setting);
  void error(std::string_view origin, std::string_view text);
  void note(base::LogLevel level, std::string text);
  [[nodiscard]] bool is_set(const Key& key) const;
  [[nodiscard]] const Config& config() const { return loaded_.config; }
  [[nodiscard]] base::Result<LoadedConfig> finish();

 private:
  LoadedConfig loaded_;
  std::vector<std::string> errors_;
};

/// Applies one TOML text; legacy keys first, so that our own names win in one file.
void apply_toml(ConfigBuilder& builder, std::string_view text, const std::string& name);

/// The rules between settings; one sentence for each that is broken.
[[nodiscard]] std::vector<std::string> broken_rules(const Config& config);

}  // namespace synod::server
