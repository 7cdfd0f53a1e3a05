// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cctype>

#include "base/text.h"
#include "server/config/config_load.h"
#include "server/config/key_registry.h"
#include "server/config/memory_plan.h"

namespace synod::server {

using base::concat;

namespace {

constexpr std::size_t kColumnsMax = 96;

/// `text` as comment lines of bounded width.
std::string comment(std::string_view text) {
  std::string out;
  std::string line(1, '#');
  while (!text.empty()) {
    const std::size_t end = std::min(text.find(' '), text.size());
    if (line.size() + 1 + end > kColumnsMax) {
      out += line + "\n";
      line.assign(1, '#');
    }
    line += concat(" ", text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return out + line + "\n";
}

std::string environment_name(const Key& key) {
  std::string name = concat("SYNOD__", key.table, "__", key.name);
  for (char& c : name) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  return name;
}

/// What was left to the plan, as it is planned.
Config with_plan(const Config& config) {
  const MemoryPlan plan = plan_memory(config);
  Config planned = config;
  planned.database.write_buffer_bytes = plan.write_buffer_bytes;
  planned.database.block_cache_bytes = plan.block_cache_bytes;
  planned.database.persistence_buffer_bytes_max = plan.persistence_buffer_bytes_max;
  planned.database.pending_bytes_max = plan.pending_bytes_max;
  return planned;
}

}  // namespace

std::string version_text() { return concat("synod-server ", SYNOD_VERSION); }

std::string sample_config() {
  const Config defaults;
  std::string out =
      "# Configuration of synod-server: every setting with its default.\n"
      "#\n"
      "# A setting comes from, first wins: the command line (--set table.key=value and the flags\n"
      "# of --help), the environment (SYNOD__TABLE__KEY), this file (--config), the default.\n"
      "# The one exception: THRIFT_PORT wins over --port. A change needs a restart.\n";
  for (const KeyTable& table : all_tables()) {
    out += concat("\n", comment(table.doc), "[", table.name, "]\n");
    for (const Key& key : all_keys()) {
      if (key.table != table.name) continue;
      const std::string value = format_value(key, key.load(defaults, key));
      out += concat(
          "\n", comment(key.doc),
          comment(concat(describe_kind(key), "; default ", value, "; ", environment_name(key))),
          key.name, " = ", value, "\n");
    }
  }
  return out;
}

std::string explain_config(const LoadedConfig& loaded) {
  const Config in_effect = with_plan(loaded.config);
  const bool has_limit = loaded.config.database.memory_limit != 0;
  std::string out;
  for (const KeyTable& table : all_tables()) {
    out += concat(out.empty() ? "" : "\n", "[", table.name, "]\n");
    for (const Key& key : all_keys()) {
      if (key.table != table.name) continue;
      const auto origin = loaded.origins.find(key.path());
      const KeyValue given = key.load(loaded.config, key);
      const KeyValue planned = key.load(in_effect, key);
      const bool is_default = origin == loaded.origins.end();
      // As it was given, so that what is printed can be loaded and means the same.
      out += concat(key.name, " = ", format_value(key, given), "  # ",
                    is_default ? "default" : origin->second);
      if (planned != given) out += concat(": ", format_value(key, planned));
      if (planned != given && has_limit) out += " by database.memory_limit";
      out += '\n';
    }
  }
  return out;
}

}  // namespace synod::server
