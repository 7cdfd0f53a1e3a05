// SPDX-License-Identifier: Apache-2.0
#include "client/cli/restore.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>
#include <sstream>

namespace synod::client {
namespace {

namespace fs = std::filesystem;

class Restore : public ::testing::Test {
 protected:
  void SetUp() override {
    fs::create_directories(backup_ / "db");
    write(backup_ / "IDENTITY", "cluster 1 node 0");
    write(backup_ / "LOCK", "");
    write(backup_ / "db" / "000001.sst", std::string(3 << 20, 'x'));
    write(backup_ / "db" / "EMPTY", "");
  }
  void TearDown() override { fs::remove_all(root_); }

  static void write(const fs::path& path, const std::string& text) {
    std::ofstream(path, std::ios::binary) << text;
  }
  static std::string read(const fs::path& path) {
    std::ostringstream text;
    text << std::ifstream(path, std::ios::binary).rdbuf();
    return text.str();
  }

  const fs::path root_ =
      fs::path(::testing::TempDir()) / ("synod_restore_" + std::to_string(::getpid()));
  const fs::path backup_ = root_ / "backup";
  const fs::path data_ = root_ / "data";
};

TEST_F(Restore, CopiesTheWholeTreeButWhatBelongsToAProcess) {
  const auto done = restore_backup(backup_, data_);
  ASSERT_TRUE(done.ok()) << done.to_string();
  EXPECT_EQ(read(data_ / "IDENTITY"), "cluster 1 node 0");
  EXPECT_EQ(read(data_ / "db" / "000001.sst"), std::string(3 << 20, 'x'));
  EXPECT_TRUE(fs::exists(data_ / "db" / "EMPTY"));
  EXPECT_FALSE(fs::exists(data_ / "LOCK"));
  EXPECT_FALSE(fs::exists(root_ / "data.restoring"));
  EXPECT_TRUE(fs::exists(backup_ / "db" / "000001.sst")) << "the backup stays";
}

TEST_F(Restore, TakesAnEmptyDirectoryAndATrailingSlash) {
  fs::create_directory(data_);
  const auto done = restore_backup(backup_, data_.string() + "/");
  ASSERT_TRUE(done.ok()) << done.to_string();
  EXPECT_TRUE(fs::exists(data_ / "IDENTITY"));
}

TEST_F(Restore, RefusesATargetThatHoldsAnything) {
  fs::create_directory(data_);
  write(data_ / "something", "precious");
  EXPECT_EQ(restore_backup(backup_, data_).code(), base::StatusCode::kAlreadyExists);
  EXPECT_EQ(read(data_ / "something"), "precious");
  EXPECT_FALSE(fs::exists(data_ / "IDENTITY"));
}

TEST_F(Restore, RefusesWhatIsNoBackup) {
  EXPECT_EQ(restore_backup(root_ / "nowhere", data_).code(), base::StatusCode::kInvalidArgument);
  EXPECT_EQ(restore_backup(backup_ / "db", data_).code(), base::StatusCode::kInvalidArgument);
  EXPECT_FALSE(fs::exists(data_));
}

TEST_F(Restore, RefusesLinks) {
  fs::create_symlink("/etc/passwd", backup_ / "db" / "link");
  EXPECT_EQ(restore_backup(backup_, data_).code(), base::StatusCode::kInvalidArgument);
  EXPECT_FALSE(fs::exists(data_));
}

TEST_F(Restore, NeverRemovesTheWorkOfAnInterruptedOne) {
  fs::create_directory(root_ / "data.restoring");
  const auto done = restore_backup(backup_, data_);
  EXPECT_EQ(done.code(), base::StatusCode::kAlreadyExists);
  EXPECT_NE(done.message().find("data.restoring"), std::string::npos);
}

}  // namespace
}  // namespace synod::client
