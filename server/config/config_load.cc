// SPDX-License-Identifier: Apache-2.0
#include "server/config/config_load.h"

#include <algorithm>
#include <cctype>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "base/bytes.h"
#include "base/text.h"
#include "server/config/config_builder.h"
#include "server/config/key_registry.h"
#include "server/config/legacy_keys.h"

namespace synod::server {

using base::concat;
using base::Status;
using base::StatusCode;

namespace {

constexpr std::size_t kFileBytesMax = 1U << 20;
constexpr std::string_view kPrefix = "SYNOD__";

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return out;
}

void apply_file(ConfigBuilder& builder, const std::string& path) {
  std::error_code failed;
  if (std::filesystem::is_directory(path, failed)) {
    builder.error(path, "is a folder, not a configuration file");
    return;
  }
  std::ifstream file(path, std::ios::binary);
  if (!file) {
    builder.error(path, "cannot be read");
    return;
  }
  std::string text(kFileBytesMax + 1, '\0');
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  if (file.bad()) {
    builder.error(path, "cannot be read");
  } else if (file.gcount() > static_cast<std::streamsize>(kFileBytesMax)) {
    builder.error(path, concat("is larger than ", base::format_bytes(kFileBytesMax)));
  } else {
    text.resize(static_cast<std::size_t>(file.gcount()));
    apply_toml(builder, text, path);
  }
}

// SYNOD__SERVER__PORT -> server.port
std::string path_of_variable(std::string_view name) {
  const std::string_view rest = name.substr(kPrefix.size());
  const std::size_t split = rest.find("__");
  if (split == std::string_view::npos) return lower(rest);
  return lower(concat(rest.substr(0, split), ".", rest.substr(split + 2)));
}

void apply_replicated_mode(ConfigBuilder& builder, std::string_view value) {
  const std::string mode = lower(value);
  if (mode.empty()) return;
  const bool is_on = mode == "true" || mode == "1" || mode == "yes" || mode == "on";
  const bool is_off = mode == "false" || mode == "0" || mode == "no" || mode == "off";
  if (is_on || is_off) {
    builder.set(*find_key("cluster.replicated"), is_on, "REPLICATED_MODE");
  } else {
    builder.error("REPLICATED_MODE",
                  concat("expected true or false, got \"", base::escape(value), "\""));
  }
}

void apply_legacy_variable(ConfigBuilder& builder, const LegacyVariable& variable,
                           std::string_view value) {
  const std::string name(variable.name);
  if (variable.use != LegacyUse::kDuration) {
    builder.set_text({std::string(variable.target), std::string(value), name});
    return;
  }
  const auto millis = parse_duration(value);
  if (millis.ok()) {
    builder.set(*find_key(variable.target), *millis, name);
  } else {
    builder.error(name, millis.status().message());
  }
}

void apply_variable(ConfigBuilder& builder, std::string_view name, std::string_view value) {
  if (name.starts_with(kPrefix)) {
    builder.set_text({path_of_variable(name), std::string(value), std::string(name)});
  } else if (name == "REPLICATED_MODE") {
    apply_replicated_mode(builder, value);
  } else {
    for (const LegacyVariable& variable : all_legacy_variables()) {
      if (name == variable.name) apply_legacy_variable(builder, variable, value);
    }
  }
}

// The contract of older servers: it beats even --port, and is ignored if it is no port.
void apply_thrift_port(ConfigBuilder& builder, std::string_view value) {
  const Key& port = *find_key("server.port");
  const auto parsed = parse_value(port, value);
  if (parsed.ok()) {
    builder.set(port, *parsed, "THRIFT_PORT");
  } else {
    builder.note(base::LogLevel::kWarning,
                 concat("THRIFT_PORT is ignored: ", parsed.status().message()));
  }
}

struct Variable {
  std::string_view name;
  std::string_view value;
};

std::vector<Variable> split_environment(const std::vector<std::string>& environment) {
  std::vector<Variable> variables;
  for (const std::string& entry : environment) {
    const std::string_view view(entry);
    const std::size_t equals = view.find('=');
    if (equals == std::string_view::npos) continue;
    variables.push_back({view.substr(0, equals), view.substr(equals + 1)});
  }
  return variables;
}

void apply_files(ConfigBuilder& builder, const ConfigSources& sources,
                 const std::vector<Variable>& variables) {
  if (!sources.command.config_file.empty()) {
    apply_file(builder, sources.command.config_file);
    return;
  }
  for (const auto& [name, value] : variables) {
    if (name != "REPLICATED_DB_CONFIG_PATH" || value.empty()) continue;
    apply_file(builder, std::string(value));
    return;
  }
  if (sources.executable_dir.empty()) return;
  const std::string optional_file = sources.executable_dir + "/db_config.toml";
  std::error_code failed;
  if (std::filesystem::exists(optional_file, failed)) apply_file(builder, optional_file);
}

void apply_log_dir(ConfigBuilder& builder, const std::string& folder) {
  if (folder.empty()) return;
  const std::string file =
      concat(folder, "/synod-server-node-", builder.config().server.node_id, ".log");
  builder.set_text({"log.file", file, "--log-dir"});
}

}  // namespace

void ConfigBuilder::set(const Key& key, const KeyValue& value, const std::string& origin) {
  const Status status = check_value(key, value);
  if (!status.ok()) {
    error(origin, concat(key.path(), ": ", status.message()));
    return;
  }
  key.store(loaded_.config, key, value);
  loaded_.origins[key.path()] = origin;
}

void ConfigBuilder::set_text(const Setting& setting) {
  const Key* key = find_key(setting.path);
  if (key == nullptr) {
    error(setting.origin, concat("unknown key ", base::escape(setting.path),
                                 nearest_hint(setting.path, key_paths())));
    return;
  }
  auto value = parse_value(*key, setting.text);
  if (value.ok()) {
    set(*key, *value, setting.origin);
  } else {
    error(setting.origin, concat(key->path(), ": ", value.status().message()));
  }
}

void ConfigBuilder::error(std::string_view origin, std::string_view text) {
  errors_.push_back(concat(base::escape(origin, 512), ": ", text));
}

void ConfigBuilder::note(base::LogLevel level, std::string text) {
  loaded_.notes.push_back({level, std::move(text)});
}

bool ConfigBuilder::is_set(const Key& key) const { return loaded_.origins.contains(key.path()); }

base::Result<LoadedConfig> ConfigBuilder::finish() {
  if (errors_.empty()) errors_ = broken_rules(loaded_.config);
  if (!errors_.empty()) {
    std::string text;
    for (const std::string& line : errors_) text += (text.empty() ? "" : "\n") + line;
    return Status(StatusCode::kInvalidArgument, std::move(text));
  }
  if (!is_loopback(loaded_.config.server.bind)) {
    note(base::LogLevel::kWarning,
         concat("listening on ", loaded_.config.server.bind,
                " without encryption or authentication: whoever reaches the port can read and "
                "write everything"));
  }
  if (loaded_.config.cluster.replicated && loaded_.config.cluster.insecure_peers) {
    note(base::LogLevel::kWarning,
         "peers talk without encryption or authentication: whoever reaches their ports can write "
         "everything");
  }
  if (loaded_.config.fault_injection.enabled) {
    note(base::LogLevel::kWarning, "fault injection is enabled: clients can make requests fail");
  }
  return std::move(loaded_);
}

base::Result<LoadedConfig> load_toml(std::string_view text, const std::string& name) {
  ConfigBuilder builder;
  apply_toml(builder, text, name);
  return builder.finish();
}

base::Result<LoadedConfig> load_config(const ConfigSources& sources) {
  ConfigBuilder builder;
  const auto variables = split_environment(sources.environment);
  apply_files(builder, sources, variables);
  // Older names first, so that our own win.
  for (const bool own : {false, true}) {
    for (const auto& [name, value] : variables) {
      if (name.starts_with(kPrefix) == own) apply_variable(builder, name, value);
    }
  }
  for (const Setting& setting : sources.command.settings) builder.set_text(setting);
  for (const auto& [name, value] : variables) {
    if (name == "THRIFT_PORT") apply_thrift_port(builder, value);
  }
  apply_log_dir(builder, sources.command.log_dir);
  return builder.finish();
}

}  // namespace synod::server
