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

std::string json_escape(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (static_cast<unsigned char>(c) < 0x20) {
      out += ' ';
    } else {
      out += c;
    }
  }
  return out;
}

}  // namespace

void configure_logging(const LogOptions& options) {
  std::vector<spdlog::sink_ptr> sinks{std::make_shared<spdlog::sinks::stderr_sink_mt>()};
  if (!options.file.empty()) {
    sinks.push_back(std::make_shared<spdlog::sinks::rotating_file_sink_mt>(
        options.file, kLogFileBytesMax, kLogFilesMax));
  }
  Sink& target = sink();
  target.logger = std::make_shared<spdlog::logger>("synod", sinks.begin(), sinks.end());
  target.logger->set_level(to_spdlog(options.level));
  target.logger->flush_on(spdlog::level::info);
  target.json = options.json;
  target.logger->set_pattern(options.json
                                 ? R"({"ts":"%Y-%m-%dT%H:%M:%S.%f%z","level":"%l","thread":%t,%v})"
                                 : "%Y-%m-%dT%H:%M:%S.%f%z %L %t %v");
}

bool log_enabled(LogLevel level) { return sink().logger->should_log(to_spdlog(level)); }

void log(LogLevel level, std::string_view component, std::string_view message) {
  if (sink().json) {
    sink().logger->log(to_spdlog(level), "\"component\":\"{}\",\"msg\":\"{}\"",
                       json_escape(component), json_escape(message));
  } else {
    sink().logger->log(to_spdlog(level), "{}: {}", component, message);
  }
}

void fail_stop(std::string_view component, std::string_view message) {
  sink().logger->log(spdlog::level::critical, "{}: FAIL-STOP {}", component, message);
  sink().logger->flush();
  _exit(kFailStopExitCode);
}

}  // namespace synod::base
