// SPDX-License-Identifier: Apache-2.0
#include "storage/sim_file.h"

#include <gtest/gtest.h>

namespace synod::storage {
namespace {

using base::Random;
using base::StatusCode;

std::string contents(FileSystem& files, const std::string& path) {
  auto read = read_file(files, path);
  return read.ok() ? *read : read.status().to_string();
}

std::unique_ptr<File> synced_file(SimFileSystem& files, const std::string& text) {
  EXPECT_TRUE(files.create_directories("/d").ok());
  auto file = files.open("/d/f", OpenMode::kCreate);
  EXPECT_TRUE((*file)->write_at(0, text).ok());
  EXPECT_TRUE((*file)->sync().ok());
  EXPECT_TRUE(files.sync_directory("/d").ok());
  return std::move(*file);
}

TEST(SimFileSystem, LosesUnsyncedBytesAndKeepsSyncedOnes) {
  SimFileSystem files{Random(1)};
  const auto file = synced_file(files, "durable");
  ASSERT_TRUE(file->write_at(0, "changed").ok());
  EXPECT_EQ(contents(files, "/d/f"), "changed");
  files.crash(CrashPolicy::kLost);
  EXPECT_FALSE(files.open("/d/f", OpenMode::kRead).ok()) << "dead until restart";
  files.restart();
  EXPECT_EQ(contents(files, "/d/f"), "durable");
  EXPECT_FALSE(file->sync().ok()) << "a handle of the dead process";
}

TEST(SimFileSystem, LosesANameWithoutADirectorySync) {
  SimFileSystem files{Random(1)};
  ASSERT_TRUE(files.create_directories("/d").ok());
  {
    auto file = files.open("/d/f", OpenMode::kCreate);
    ASSERT_TRUE((*file)->write_at(0, "x").ok());
    ASSERT_TRUE((*file)->sync().ok());
  }
  files.crash(CrashPolicy::kLost);
  files.restart();
  EXPECT_FALSE(files.exists("/d/f"));
  EXPECT_TRUE(files.exists("/d"));
}

TEST(SimFileSystem, RenameIsOldOrNewAfterACrash) {
  std::set<std::string> seen;
  for (std::uint64_t seed = 0; seed < 30; ++seed) {
    SimFileSystem files{Random(seed)};
    synced_file(files, "old");
    auto fresh = files.open("/d/g", OpenMode::kCreate);
    ASSERT_TRUE((*fresh)->write_at(0, "new").ok());
    ASSERT_TRUE((*fresh)->sync().ok());
    ASSERT_TRUE(files.sync_directory("/d").ok());
    ASSERT_TRUE(files.rename("/d/g", "/d/f").ok());
    files.crash(CrashPolicy::kTorn);
    files.restart();
    seen.insert(contents(files, "/d/f"));
  }
  EXPECT_EQ(seen, (std::set<std::string>{"old", "new"}));
}

TEST(SimFileSystem, TearsAtSectorsAndNowhereElse) {
  bool mixed = false;
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    SimFileSystem files{Random(seed)};
    const auto file = synced_file(files, std::string(4096, 'a'));
    ASSERT_TRUE(file->write_at(0, std::string(4096, 'b')).ok());
    files.crash(CrashPolicy::kTorn);
    files.restart();
    const std::string after = contents(files, "/d/f");
    ASSERT_EQ(after.size(), 4096U);
    for (std::size_t at = 0; at < after.size(); at += 512) {
      ASSERT_EQ(after.substr(at, 512), std::string(512, after[at]));
    }
    mixed = mixed || (after.find('a') != after.npos && after.find('b') != after.npos);
  }
  EXPECT_TRUE(mixed);
}

TEST(SimFileSystem, ReorderedKeepsLaterWritesOverEarlierOnes) {
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    SimFileSystem files{Random(seed)};
    const auto file = synced_file(files, std::string(2048, 'a'));
    for (std::uint64_t at = 0; at < 2048; at += 512) {
      ASSERT_TRUE(file->write_at(at, std::string(512, 'b')).ok());
    }
    files.crash(CrashPolicy::kReordered);
    files.restart();
    const std::string after = contents(files, "/d/f");
    EXPECT_EQ(after.back(), 'b');
    EXPECT_EQ(after.find('a', after.find('b')), after.npos);
  }
}

TEST(SimFileSystem, SyncAfterAFailedSyncLies) {
  bool lost = false;
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    SimFileSystem files{Random(seed)};
    const auto file = synced_file(files, "old");
    ASSERT_TRUE(file->write_at(0, "new").ok());
    files.set_fail_at(files.io_count() + 1, FaultRepeat::kOnce);
    EXPECT_FALSE(file->sync().ok());
    EXPECT_TRUE(file->sync().ok());
    EXPECT_EQ(contents(files, "/d/f"), "new") << "the cache still shows it";
    char medium[3];
    ASSERT_TRUE((*files.open("/d/f", OpenMode::kReadUncached))->read_at(0, medium, 3).ok());
    files.crash(CrashPolicy::kLost);
    files.restart();
    EXPECT_EQ(contents(files, "/d/f"), std::string(medium, 3)) << "the medium does not lie";
    lost = lost || contents(files, "/d/f") == "old";
  }
  EXPECT_TRUE(lost);
}

TEST(SimFileSystem, FailsAtTheNumberedRequestOnceOrForEver) {
  for (const FaultRepeat repeat : {FaultRepeat::kOnce, FaultRepeat::kForEver}) {
    SimFileSystem files{Random(1)};
    const auto file = synced_file(files, "x");
    files.set_fail_at(files.io_count() + 2, repeat, StatusCode::kNoSpace);
    EXPECT_TRUE(file->write_at(0, "1").ok());
    EXPECT_EQ(file->write_at(0, "2").code(), StatusCode::kNoSpace);
    EXPECT_EQ(file->write_at(0, "3").ok(), repeat == FaultRepeat::kOnce);
  }
}

TEST(SimFileSystem, RefusesToGrowBeyondItsCapacity) {
  SimFileSystem files{Random(1)};
  const auto file = synced_file(files, std::string(100, 'x'));
  files.set_capacity(150);
  EXPECT_EQ(files.space("/d").value().free_bytes, 50U);
  EXPECT_EQ(file->write_at(100, std::string(51, 'y')).code(), StatusCode::kNoSpace);
  EXPECT_TRUE(file->write_at(100, std::string(50, 'y')).ok());
  EXPECT_TRUE(file->write_at(0, "overwriting needs no space").ok());
  ASSERT_TRUE(files.remove("/d/f").ok());
  EXPECT_EQ(files.space("/d").value().free_bytes, 150U);
}

TEST(SimFileSystem, LockEndsWithItsProcess) {
  SimFileSystem files{Random(1)};
  ASSERT_TRUE(files.create_directories("/d").ok());
  auto lock = files.lock("/d/LOCK");
  ASSERT_TRUE(lock.ok());
  EXPECT_EQ(files.lock("/d/LOCK").status().code(), StatusCode::kBusy);
  files.kill();
  files.restart();
  auto second = files.lock("/d/LOCK");
  ASSERT_TRUE(second.ok());
  lock->reset();
  EXPECT_EQ(files.lock("/d/LOCK").status().code(), StatusCode::kBusy)
      << "the dead process's handle must not release the new holder's lock";
}

}  // namespace
}  // namespace synod::storage
