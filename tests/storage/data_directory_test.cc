// SPDX-License-Identifier: Apache-2.0
#include "storage/data_directory.h"

#include <gtest/gtest.h>

#include "storage/sim_file.h"

namespace synod::storage {
namespace {

using base::Random;
using base::StatusCode;

class FixedClock final : public base::Clock {
 public:
  base::Nanos boot_time() const override { return base::Nanos(1); }
  base::Nanos wall_time() const override { return std::chrono::seconds(1'700'000'000); }
};

base::Result<DataDirectory> open_directory(FileSystem& files, std::uint64_t node = 3,
                                           std::uint64_t seed = 1) {
  return DataDirectory::open(files, "/data", DirectoryNodeId(node), Random(seed), FixedClock());
}

TEST(DataDirectory, FormatsAnAbsentDirectoryAndKeepsItsIdentity) {
  SimFileSystem files{Random(1)};
  std::string cluster;
  {
    auto directory = open_directory(files);
    ASSERT_TRUE(directory.ok()) << directory.status().to_string();
    EXPECT_TRUE(directory->is_new());
    EXPECT_EQ(directory->identity().created_unix_seconds, 1'700'000'000U);
    cluster = directory->identity().cluster_id_hex();
    EXPECT_EQ(cluster.size(), 32U);
    EXPECT_TRUE(files.exists(directory->log_path()));
    EXPECT_TRUE(files.exists(directory->db_path()));
  }
  files.crash(CrashPolicy::kLost);
  files.restart();
  auto again = open_directory(files, 3, 99);
  ASSERT_TRUE(again.ok());
  EXPECT_FALSE(again->is_new());
  EXPECT_EQ(again->identity().cluster_id_hex(), cluster);
}

TEST(DataDirectory, IsBusyWhileAnotherHoldsIt) {
  SimFileSystem files{Random(1)};
  auto first = open_directory(files);
  ASSERT_TRUE(first.ok());
  EXPECT_EQ(open_directory(files).status().code(), StatusCode::kBusy);
}

TEST(DataDirectory, RefusesAnotherNode) {
  SimFileSystem files{Random(1)};
  ASSERT_TRUE(open_directory(files).ok());
  const auto other = open_directory(files, 4);
  EXPECT_EQ(other.status().code(), StatusCode::kCorruption);
  EXPECT_NE(other.status().message().find("/data/IDENTITY"), std::string::npos);
}

TEST(DataDirectory, RefusesAnIdentityWithAnyFlippedByte) {
  SimFileSystem files{Random(1)};
  ASSERT_TRUE(open_directory(files).ok());
  const std::uint64_t size = read_file(files, "/data/IDENTITY").value().size();
  for (std::uint64_t offset = 0; offset < size; ++offset) {
    files.corrupt("/data/IDENTITY", offset, 1);
    EXPECT_EQ(open_directory(files).status().code(), StatusCode::kCorruption) << offset;
    files.corrupt("/data/IDENTITY", offset, 1);
  }
  EXPECT_TRUE(open_directory(files).ok());
}

TEST(DataDirectory, RefusesADirectoryWithForeignContents) {
  SimFileSystem files{Random(1)};
  ASSERT_TRUE(files.create_directories("/data/lost+found").ok());
  ASSERT_TRUE(open_directory(files).ok()) << "mkfs's own directory is not foreign";
  SimFileSystem others{Random(1)};
  ASSERT_TRUE(others.create_directories("/data/photos").ok());
  EXPECT_EQ(open_directory(others).status().code(), StatusCode::kCorruption);
  EXPECT_FALSE(others.exists("/data/IDENTITY"));
}

TEST(DataDirectory, FormattingSurvivesAFailureAtEveryRequest) {
  bool reached = true;
  for (std::uint64_t point = 1; reached; ++point) {
    for (const CrashPolicy policy :
         {CrashPolicy::kLost, CrashPolicy::kTorn, CrashPolicy::kReordered}) {
      SimFileSystem files{Random(point)};
      files.set_fail_at(point, FaultRepeat::kForEver);
      std::string cluster;
      if (auto directory = open_directory(files); directory.ok()) {
        cluster = directory->identity().cluster_id_hex();
      }
      reached = files.io_count() >= point;
      files.crash(policy);
      files.restart();
      auto after = open_directory(files, 3, 2);
      ASSERT_TRUE(after.ok()) << point << ": " << after.status().to_string();
      ASSERT_TRUE(cluster.empty() || after->identity().cluster_id_hex() == cluster) << point;
    }
  }
}

TEST(DataDirectory, GivesEachNodeOfAClusterAnotherLogIdentity) {
  SimFileSystem one{Random(1)};
  SimFileSystem two{Random(1)};
  EXPECT_NE(open_directory(one, 1)->log_identity(), open_directory(two, 2)->log_identity());
}

TEST(DataDirectory, ServesOneUseForEver) {
  SimFileSystem files{base::Random(1)};
  const auto open_as = [&files](DirectoryUse use) {
    return DataDirectory::open(files, "/data", DirectoryNodeId(1), Random(3), FixedClock(), use);
  };
  {
    const auto made = open_as(DirectoryUse::kReplica);
    ASSERT_TRUE(made.ok());
    EXPECT_FALSE(files.exists("/data/db"));
  }
  EXPECT_EQ(open_as(DirectoryUse::kStandalone).status().code(), base::StatusCode::kCorruption);
  const auto again = open_as(DirectoryUse::kReplica);
  ASSERT_TRUE(again.ok());
  EXPECT_EQ(again->identity().use, DirectoryUse::kReplica);
}

}  // namespace
}  // namespace synod::storage
