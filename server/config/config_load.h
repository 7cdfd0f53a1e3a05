// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/logging.h"
#include "base/status.h"
#include "server/config/config.h"

namespace synod::server {

/// One setting as text, and who asked for it ("--port", "SYNOD__SERVER__PORT").
struct Setting {
  std::string path;
  std::string text;
  std::string origin;
};

/// What the command line asks for.
struct CommandLine {
  std::optional<std::string> print;  ///< Help, version or sample: print it and exit with 0.
  bool check_config = false;         ///< Load, print the result and exit.
  std::string config_file;           ///< Empty: only `<dir of executable>/db_config.toml`, if any.
  std::string log_dir;               ///< Empty, or the folder log.file is put in.
  std::vector<Setting> settings;
};

/// Reads the arguments after the program's name. kInvalidArgument (exit code 2) says what is wrong
/// with them.
[[nodiscard]] base::Result<CommandLine> parse_command_line(std::vector<std::string> arguments);

/// Something the log should say once it is set up.
struct ConfigNote {
  base::LogLevel level;
  std::string text;
};

struct LoadedConfig {
  Config config;
  std::map<std::string, std::string> origins;  ///< Of every key that is not at its default.
  std::vector<ConfigNote> notes;
};

struct ConfigSources {
  CommandLine command;
  std::vector<std::string> environment;  ///< "NAME=value", as in environ.
  std::string executable_dir;            ///< Where db_config.toml may lie; empty: nowhere.
};

/// Merges, key by key: command line over environment over file over default. The one exception is
/// the contract's: THRIFT_PORT wins over --port.
///
/// Failure: kInvalidArgument or kUnsupported with one line for each mistake, naming file and line
/// (or flag, or variable); nothing is half applied. Starting with such a configuration is exit
/// code 2.
[[nodiscard]] base::Result<LoadedConfig> load_config(const ConfigSources& sources);

/// The same for one TOML text; `name` stands for the file in errors.
[[nodiscard]] base::Result<LoadedConfig> load_toml(std::string_view text, const std::string& name);

/// A TOML file with every key, its meaning, range and default; loads to the defaults.
[[nodiscard]] std::string sample_config();

/// The settings in effect as TOML, each with where it comes from.
[[nodiscard]] std::string explain_config(const LoadedConfig& loaded);

/// "synod-server 0.1.0".
[[nodiscard]] std::string version_text();

}  // namespace synod::server
