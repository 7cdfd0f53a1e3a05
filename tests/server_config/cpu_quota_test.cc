// SPDX-License-Identifier: Apache-2.0
#include "server/config/cpu_quota.h"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>
#include <string>

namespace synod::server {
namespace {

/// A pretended /proc/self/cgroup and /sys/fs/cgroup.
class CpuQuota : public testing::Test {
 protected:
  void SetUp() override {
    char name[] = "/tmp/synod_cgroup_XXXXXX";
    ASSERT_NE(mkdtemp(name), nullptr);
    places_.mount = std::string(name) + "/cgroup";
    places_.membership = std::string(name) + "/self";
    folder_ = name;
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  void write(const std::string& file, const std::string& text) {
    const std::filesystem::path path = places_.mount + "/" + file;
    std::filesystem::create_directories(path.parent_path());
    std::ofstream(path) << text;
  }
  void member_of(const std::string& text) { std::ofstream(places_.membership) << text; }

  CgroupPlaces places_;
  std::string folder_;
};

TEST_F(CpuQuota, NoFilesNoQuota) { EXPECT_EQ(cpu_quota(places_), std::nullopt); }

TEST_F(CpuQuota, VersionTwoReadsCpuMax) {
  member_of("0::/app\n");
  write("app/cpu.max", "150000 100000\n");
  EXPECT_DOUBLE_EQ(cpu_quota(places_).value(), 1.5);
  write("app/cpu.max", "max 100000\n");
  EXPECT_EQ(cpu_quota(places_), std::nullopt);
}

TEST_F(CpuQuota, TheTightestGroupOnTheWayUpCounts) {
  member_of("0::/outer/inner\n");
  write("outer/inner/cpu.max", "400000 100000\n");
  write("outer/cpu.max", "200000 100000\n");
  EXPECT_DOUBLE_EQ(cpu_quota(places_).value(), 2);
}

TEST_F(CpuQuota, InAContainerTheMountItselfAnswers) {
  member_of("0::/system.slice/docker-123.scope\n");
  write("cpu.max", "50000 100000\n");
  EXPECT_DOUBLE_EQ(cpu_quota(places_).value(), 0.5);
}

TEST_F(CpuQuota, VersionOneReadsItsTwoFiles) {
  member_of("12:memory:/m\n4:cpu,cpuacct:/app\n1:name=systemd:/x\n");
  write("cpu,cpuacct/app/cpu.cfs_quota_us", "300000\n");
  write("cpu,cpuacct/app/cpu.cfs_period_us", "100000\n");
  EXPECT_DOUBLE_EQ(cpu_quota(places_).value(), 3);
}

TEST_F(CpuQuota, VersionOneKnowsTheShortFolderNameAndNoQuota) {
  member_of("4:cpuacct,cpu:/\n");
  write("cpu/cpu.cfs_quota_us", "-1\n");
  write("cpu/cpu.cfs_period_us", "100000\n");
  EXPECT_EQ(cpu_quota(places_), std::nullopt);
  write("cpu/cpu.cfs_quota_us", "250000\n");
  EXPECT_DOUBLE_EQ(cpu_quota(places_).value(), 2.5);
}

TEST_F(CpuQuota, NonsenseIsNoQuota) {
  member_of("0::/app\nnonsense\n::\n0:cpu\n");
  for (const char* text : {"", "x y", "100000", "100000 0", "-5 100000", "100000 -1"}) {
    write("app/cpu.max", text);
    EXPECT_EQ(cpu_quota(places_), std::nullopt) << text;
  }
}

TEST(UsableProcessors, AreWholeProcessorsOfTheQuota) {
  EXPECT_EQ(usable_processors(8, std::nullopt), 8U);
  EXPECT_EQ(usable_processors(8, 2.0), 2U);
  EXPECT_EQ(usable_processors(8, 2.9), 2U);
  EXPECT_EQ(usable_processors(8, 0.3), 1U);
  EXPECT_EQ(usable_processors(2, 64.0), 2U);
  EXPECT_EQ(usable_processors(0, std::nullopt), 1U);
  EXPECT_GE(usable_processors(), 1U);
}

}  // namespace
}  // namespace synod::server
