// SPDX-License-Identifier: Apache-2.0
#include "server/config/start_up.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace synod::server {
namespace {

StartUp start(std::vector<const char*> arguments, std::vector<const char*> environment = {}) {
  arguments.insert(arguments.begin(), "synod-server");
  environment.push_back(nullptr);
  return start_up(static_cast<int>(arguments.size()), arguments.data(), environment.data());
}

TEST(StartUp, RunsWithWhatItRead) {
  const StartUp result = start({"--port", "7"}, {"SYNOD__LOG__FORMAT=json"});
  ASSERT_TRUE(result.loaded);
  EXPECT_EQ(result.loaded->config.server.port, 7);
  EXPECT_TRUE(log_options(result.loaded->config).json);
}

TEST(StartUp, MistakesGoToStandardErrorAndEndWithTwo) {
  for (const char* argument : {"--prot=1", "--port=x", "--config=/nonexistent/synod.toml"}) {
    testing::internal::CaptureStderr();
    const StartUp result = start({argument});
    EXPECT_FALSE(testing::internal::GetCapturedStderr().empty()) << argument;
    EXPECT_FALSE(result.loaded);
    EXPECT_EQ(result.exit_code, ExitCode::kUsage);
  }
}

TEST(StartUp, WhatWasAskedForGoesToStandardOutputAndEndsWithZero) {
  for (const char* argument : {"--help", "--version", "--print-sample-config", "--check-config"}) {
    testing::internal::CaptureStdout();
    const StartUp result = start({argument});
    EXPECT_FALSE(testing::internal::GetCapturedStdout().empty()) << argument;
    EXPECT_FALSE(result.loaded);
    EXPECT_EQ(result.exit_code, ExitCode::kOk);
  }
}

TEST(StartUp, NotesAreLogged) {
  const StartUp result = start({"--bind", "0.0.0.0", "--insecure-plaintext"});
  ASSERT_TRUE(result.loaded);
  testing::internal::CaptureStderr();
  log_notes(*result.loaded);
  EXPECT_NE(testing::internal::GetCapturedStderr().find("without encryption"), std::string::npos);
}

TEST(StartUp, NoArgumentVectorAtAllIsTheDefaults) {
  const char* const nothing[] = {nullptr};
  EXPECT_TRUE(start_up(0, nothing, nothing).loaded);
}

}  // namespace
}  // namespace synod::server
