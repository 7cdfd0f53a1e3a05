// SPDX-License-Identifier: Apache-2.0
#include "server/config/memory_plan.h"

#include <gtest/gtest.h>

#include "base/text.h"
#include "server/config/config_load.h"

namespace synod::server {
namespace {

constexpr std::uint64_t kMiB = 1U << 20;
constexpr std::uint64_t kGiB = 1U << 30;

Config with_limit(std::uint64_t limit) {
  Config config;
  config.database.memory_limit = limit;
  return config;
}

TEST(MemoryPlan, WithoutALimitEverythingHasItsDefault) {
  const MemoryPlan plan = plan_memory(Config());
  EXPECT_EQ(plan.write_buffer_bytes, 64 * kMiB);
  EXPECT_EQ(plan.block_cache_bytes, 64 * kMiB);
  EXPECT_EQ(plan.persistence_buffer_bytes_max, 64 * kMiB);
  EXPECT_EQ(plan.pending_bytes_max, 64 * kMiB);
  EXPECT_EQ(plan.table_bytes, 0U);
  EXPECT_EQ(plan.fixed_bytes_max, 0U);
}

TEST(MemoryPlan, TheLimitHoldsAllThatIsPlanned) {
  for (const std::uint64_t limit : {32 * kMiB, 64 * kMiB, 256 * kMiB, 3 * kGiB, 64 * kGiB}) {
    const MemoryPlan plan = plan_memory(with_limit(limit));
    const std::uint64_t sum = plan.table_bytes + plan.write_buffer_bytes + plan.block_cache_bytes;
    EXPECT_LT(sum, limit);
    EXPECT_GE(sum, limit / 2) << limit;
    EXPECT_GE(plan.table_bytes, kTableBytesMin) << limit;
    EXPECT_LT(plan.fixed_bytes_max, plan.table_bytes) << limit;
    // Rows that wait are counted in the tables: a small part of them.
    EXPECT_LT(plan.persistence_buffer_bytes_max, plan.table_bytes / 4) << limit;
    EXPECT_LT(plan.linger_bytes, plan.persistence_buffer_bytes_max) << limit;
  }
}

TEST(MemoryPlan, ReplicasOfOneProcessShareTheLimit) {
  Config config = with_limit(768 * kMiB);
  config.cluster.replicated = true;
  const MemoryPlan third = plan_memory(config);
  EXPECT_LE(3 * (third.table_bytes + third.write_buffer_bytes + third.block_cache_bytes +
                 2 * third.log_memory_bytes_max),
            768 * kMiB);
  EXPECT_EQ(third.write_buffer_bytes, 8 * kMiB);
  EXPECT_EQ(third.block_cache_bytes, 8 * kMiB);
  EXPECT_EQ(third.log_memory_bytes_max, 32 * kMiB);
}

TEST(MemoryPlan, WhatIsGivenStands) {
  Config config = with_limit(256 * kMiB);
  config.database.write_buffer_bytes = 5 * kMiB;
  config.database.block_cache_bytes = 7 * kMiB;
  config.database.persistence_buffer_bytes_max = 20 * kMiB;
  config.database.pending_bytes_max = 40 * kMiB;
  const MemoryPlan plan = plan_memory(config);
  EXPECT_EQ(plan.write_buffer_bytes, 5 * kMiB);
  EXPECT_EQ(plan.block_cache_bytes, 7 * kMiB);
  EXPECT_EQ(plan.persistence_buffer_bytes_max, 20 * kMiB);
  EXPECT_EQ(plan.pending_bytes_max, 40 * kMiB);
  EXPECT_NE(plan.table_bytes, plan_memory(with_limit(256 * kMiB)).table_bytes);
}

TEST(MemoryPlan, TheLargestCommitFindsRoomUnderASmallLimit) {
  const Config config = with_limit(32 * kMiB);
  EXPECT_GE(plan_memory(config).pending_bytes_max, 2 * config.limits.commit_bytes_max);
}

TEST(MemoryPlan, ALimitThatLeavesNothingToTheTablesIsRefused) {
  const auto tiny = load_toml("[database]\nmemory_limit = '4MiB'\n", "t");
  ASSERT_FALSE(tiny.ok());
  EXPECT_NE(tiny.status().message().find("database.memory_limit"), std::string::npos);
  const auto crowded =
      load_toml("[database]\nmemory_limit = '256MiB'\nwrite_buffer_bytes = '250MiB'\n", "t");
  EXPECT_FALSE(crowded.ok());
  EXPECT_TRUE(load_toml("[database]\nmemory_limit = '32MiB'\n", "t").ok());
}

TEST(MemoryPlan, TheConfigurationInEffectShowsWhatIsPlanned) {
  const auto loaded = load_toml("[database]\nmemory_limit = '256MiB'\n", "t");
  ASSERT_TRUE(loaded.ok());
  const std::string text = explain_config(*loaded);
  EXPECT_NE(text.find("write_buffer_bytes = 0  # default: \"8 MiB\" by database.memory_limit"),
            std::string::npos)
      << text;
  const auto unlimited = load_toml("", "t");
  ASSERT_TRUE(unlimited.ok());
  EXPECT_NE(explain_config(*unlimited).find("write_buffer_bytes = 0  # default: \"64 MiB\"\n"),
            std::string::npos);
}

}  // namespace
}  // namespace synod::server
