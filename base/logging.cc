// SPDX-License-Identifier: Apache-2.0
#include "base/logging.h"

#include <spdlog/sinks/rotating_file_sink.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <unistd.h>
#include <memory>
#include <vector>

namespace synod::base {
namespace {

constexpr int kFailStopExitCode = 5;
constexpr std::size_t kLogFileBytesMax = 64U << 20;
constexpr std::size_t kLogFilesMax = 5;

spdlog::level::level_enum to_spdlog(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug:
      return spdlog::level::debug;
    case LogLevel::kInfo:
      return spdlog::level::info;
    case LogLevel::kWarning:
      return spdlog::level::warn;
    case LogLevel::kError:
      return spdlog::level::err;
  }
  return spdlog::level::info;
}

struct Sink {
  std::shared_ptr<spdlog::logger> logger;
  bool json = false;

  Sink()
      : logger(std::make_shared<spdlog::logger>(
            "synod", std::make_shared<spdlog::sinks::stderr_sink_mt>())) {
    logger->set_pattern("%Y-%m-%dT%H:%M:%S.%f%z %L %t %v");
  }
};

Sink& sink() {
  static Sink instance;
  return instance;
}

// One event is one line, whatever a message holds: nobody can forge a second one.
std::string one_line(std::string_view text, bool json) {
  std::string out;
  for (const char c : text) {
    if (json && (c == '"' || c == '\\')) out += '\\';
    out += static_cast<unsigned char>(c) < 0x20 ? ' ' : c;
  }
  return out;
}

void write(spdlog::level::level_enum level, std::string_view component, std::string_view message) {
  const Sink& target = sink();
  if (target.json) {
    target.logger->log(level, "\"component\":\"{}\",\"msg\":\"{}\"", one_line(component, true),
                       one_line(message, true));
  } else {
    target.logger->log(level, "{}: {}", component, one_line(message, false));
  }
}

}  // namespace

void configure_logging(const LogOptions& options) {
  std::vector<spdlog::sink_ptr> sinks{std::make_shared<spdlog::sinks::stderr_sink_mt>()};
  std::string file_error;
  if (!options.file.empty()) {
    try {
      sinks.push_back(std::make_shared<spdlog::sinks::rotating_file_sink_mt>(
          options.file, kLogFileBytesMax, kLogFilesMax));
    } catch (const spdlog::spdlog_ex& error) {
      file_error = error.what();
    }
  }
  Sink& target = sink();
  target.logger = std::make_shared<spdlog::logger>("synod", sinks.begin(), sinks.end());
  target.logger->set_level(to_spdlog(options.level));
  target.logger->flush_on(spdlog::level::info);
  target.json = options.json;
  target.logger->set_pattern(options.json
                                 ? R"({"ts":"%Y-%m-%dT%H:%M:%S.%f%z","level":"%l","thread":%t,%v})"
                                 : "%Y-%m-%dT%H:%M:%S.%f%z %L %t %v");
  if (!file_error.empty()) {
    log_error("log", "only standard error is logged to: " + file_error);
  }
}

bool log_enabled(LogLevel level) { return sink().logger->should_log(to_spdlog(level)); }

void log(LogLevel level, std::string_view component, std::string_view message) {
  const auto wanted = to_spdlog(level);
  if (sink().logger->should_log(wanted)) write(wanted, component, message);
}

void fail_stop(std::string_view component, std::string_view message) {
  write(spdlog::level::critical, component, "FAIL-STOP " + std::string(message));
  sink().logger->flush();
  _exit(kFailStopExitCode);
}

}  // namespace synod::base
