// SPDX-License-Identifier: Apache-2.0
#include "server/config/start_up.h"

#include <cstdio>
#include <filesystem>

#include "base/text.h"

namespace synod::server {
namespace {

std::string executable_dir() {
  std::error_code failed;
  const auto path = std::filesystem::read_symlink("/proc/self/exe", failed);
  return failed ? std::string() : path.parent_path().string();
}

StartUp leave(ExitCode code, std::FILE* stream, const std::string& text) {
  std::fputs(text.c_str(), stream);
  if (!text.ends_with('\n')) std::fputc('\n', stream);
  return {std::nullopt, code};
}

}  // namespace

StartUp start_up(int argc, const char* const* argv, const char* const* environment) {
  ConfigSources sources;
  auto command = parse_command_line({argv + (argc > 0 ? 1 : 0), argv + argc});
  if (!command.ok()) return leave(ExitCode::kUsage, stderr, command.status().message());
  sources.command = *std::move(command);
  if (sources.command.print) return leave(ExitCode::kOk, stdout, *sources.command.print);
  for (; *environment != nullptr; ++environment) sources.environment.emplace_back(*environment);
  sources.executable_dir = executable_dir();
  auto loaded = load_config(sources);
  if (!loaded.ok()) return leave(ExitCode::kUsage, stderr, loaded.status().message());
  if (sources.command.check_config) return leave(ExitCode::kOk, stdout, explain_config(*loaded));
  return {*std::move(loaded), ExitCode::kOk};
}

base::LogOptions log_options(const Config& config) {
  return {config.log.level, config.log.format == LogFormat::kJson, config.log.file};
}

void log_notes(const LoadedConfig& loaded) {
  for (const ConfigNote& note : loaded.notes) base::log(note.level, "config", note.text);
  base::log_info("config", base::concat(loaded.origins.size(),
                                        " settings differ from the defaults or repeat them; "
                                        "--check-config shows them all"));
}

}  // namespace synod::server
