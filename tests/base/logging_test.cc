// SPDX-License-Identifier: Apache-2.0
#include "base/logging.h"

#include <gtest/gtest.h>
#include <stdlib.h>
#include <unistd.h>

#include <fstream>
#include <iterator>
#include <string>

namespace synod::base {
namespace {

/// A log file of its own; the process goes back to plain standard error afterwards.
class Logging : public testing::Test {
 protected:
  void SetUp() override {
    char name[] = "/tmp/synod_log_XXXXXX";
    const int file = mkstemp(name);
    ASSERT_GE(file, 0);
    close(file);
    path_ = name;
  }
  void TearDown() override {
    configure_logging({});
    unlink(path_.c_str());
  }
  std::string written() const {
    std::ifstream file(path_);
    return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  }

  std::string path_;
};

TEST_F(Logging, TextLinesNameLevelAndComponent) {
  configure_logging({LogLevel::kInfo, false, path_});
  log_warning("storage", "disk is slow");
  EXPECT_NE(written().find(" W "), std::string::npos);
  EXPECT_NE(written().find("storage: disk is slow\n"), std::string::npos);
}

TEST_F(Logging, MessagesBelowTheLevelAreNotWritten) {
  configure_logging({LogLevel::kWarning, false, path_});
  log_info("net", "hidden");
  log_debug("net", "hidden");
  EXPECT_EQ(written(), "");
  EXPECT_FALSE(log_enabled(LogLevel::kInfo));
  EXPECT_TRUE(log_enabled(LogLevel::kError));
}

TEST_F(Logging, JsonEscapesWhatWouldBreakTheObject) {
  configure_logging({LogLevel::kInfo, true, path_});
  log_info("net", "a \"quoted\" \\ text\nwith {} lines");
  const std::string line = written();
  EXPECT_TRUE(line.starts_with("{\"ts\":\""));
  EXPECT_TRUE(line.ends_with("}\n"));
  EXPECT_NE(line.find(R"("msg":"a \"quoted\" \\ text with {} lines")"), std::string::npos) << line;
}

TEST_F(Logging, AMessageCannotForgeASecondLine) {
  configure_logging({LogLevel::kInfo, false, path_});
  log_info("net", "name\n2026-01-01 E 1 storage: forged");
  const std::string text = written();
  EXPECT_EQ(text.find('\n'), text.size() - 1);
}

TEST_F(Logging, AFileThatCannotBeOpenedIsSaidAndSurvived) {
  testing::internal::CaptureStderr();
  configure_logging({LogLevel::kInfo, false, path_ + "/below/a/file"});
  log_info("net", "still here");
  const std::string text = testing::internal::GetCapturedStderr();
  EXPECT_NE(text.find("only standard error"), std::string::npos);
  EXPECT_NE(text.find("still here"), std::string::npos);
}

using LoggingDeathTest = Logging;

TEST_F(LoggingDeathTest, FailStopWritesOneLineAndEndsWithCodeFive) {
  EXPECT_EXIT(fail_stop("storage", "fdatasync: EIO"), testing::ExitedWithCode(5),
              "storage: FAIL-STOP fdatasync: EIO");
}

TEST_F(LoggingDeathTest, FailStopStaysJson) {
  const auto stop = [] {
    configure_logging({LogLevel::kInfo, true, ""});
    fail_stop("storage", "EIO");
  };
  EXPECT_EXIT(stop(), testing::ExitedWithCode(5),
              "\"component\":\"storage\",\"msg\":\"FAIL-STOP EIO\"\\}");
}

}  // namespace
}  // namespace synod::base
