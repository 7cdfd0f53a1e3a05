// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <string>

#include "base/text.h"
#include "tests/router/sim_server.h"

namespace synod::router {
namespace {

/// A seeded run with reads, conflicts, expiries and a restart; returns the trace of everything.
std::uint64_t traced_run(std::uint64_t seed) {
  SimServer server(seed);
  EXPECT_TRUE(server.open().ok());
  base::Random random(seed);
  for (int i = 0; i < 300; ++i) {
    auto operation = operation_of({set_step(base::concat("k", random.below(20)), base::concat(i),
                                            random.chance(0.3) ? random.between(1, 100) : 0)});
    operation.read_version = random.between(1, 60);
    if (random.chance(0.5)) {
      operation.read_keys.push_back({std::string(), base::concat("k", random.below(20))});
    }
    (void)server.submit(std::move(operation));
    if (random.chance(0.2)) server.loop().run_for(std::chrono::milliseconds(random.below(80)));
    if (i == 150) {
      server.settle();
      server.power_cut(storage::CrashPolicy::kTorn);
      EXPECT_TRUE(server.open().ok());
    }
  }
  server.settle();
  for (const auto& outcome : server.outcomes()) {
    server.loop().trace(
        outcome ? base::concat(static_cast<int>(outcome->code), ":", outcome->version.value())
                : "unknown");
  }
  server.loop().trace(server.store().database().hash().to_string());
  return server.loop().trace_hash();
}

TEST(StandaloneSim, TheSameSeedGivesTheSameTrace) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    EXPECT_EQ(traced_run(seed), traced_run(seed)) << "seed " << seed;
  }
  EXPECT_NE(traced_run(1), traced_run(2));
}

TEST(StandaloneSim, AnswersInSyncModeOnlyAfterTheFrameIsDurable) {
  SimServer server(5);
  ASSERT_TRUE(server.open().ok());
  for (int i = 0; i < 20; ++i) {
    const auto position = server.submit(operation_of({set_step(base::concat("k", i), "v")}));
    while (!server.outcomes()[position]) ASSERT_TRUE(server.loop().step());
    ASSERT_TRUE(server.outcomes()[position]->ok());
    server.power_cut(storage::CrashPolicy::kLost);
    ASSERT_TRUE(server.open().ok());
    ASSERT_EQ(server.get(base::concat("k", i)), "v");
  }
}

TEST(StandaloneSim, VersionsGoOnAfterARestart) {
  SimServer server(6);
  ASSERT_TRUE(server.open().ok());
  const auto first = server.submit(operation_of({set_step("k", "1")}));
  server.settle();
  ASSERT_TRUE(server.store().close().ok());
  ASSERT_TRUE(server.open().ok());
  const auto second = server.submit(operation_of({set_step("k", "2")}));
  server.settle();
  EXPECT_GT(server.outcomes()[second]->version, server.outcomes()[first]->version);
}

class UnsyncedMode : public testing::TestWithParam<Durability> {};

TEST_P(UnsyncedMode, NeverReusesAVersionThatAClientSaw) {
  SimServer server(7, GetParam());
  ASSERT_TRUE(server.open().ok());
  core::Version seen{0};
  for (int round = 0; round < 5; ++round) {
    for (int i = 0; i < 10; ++i) {
      const auto position = server.submit(operation_of({set_step("k", base::concat(round, i))}));
      while (!server.outcomes()[position]) ASSERT_TRUE(server.loop().step());
      ASSERT_GT(server.outcomes()[position]->version, seen) << "round " << round;
      seen = server.outcomes()[position]->version;
    }
    server.power_cut(storage::CrashPolicy::kLost);
    ASSERT_TRUE(server.open().ok());
    // A transaction that read before the crash may not be compared with what was lost.
    auto stale = operation_of({set_step("k", "stale")});
    stale.read_version = seen.value();
    stale.read_keys.push_back({std::nullopt, "other"});
    const auto position = server.submit(std::move(stale));
    server.settle();
    EXPECT_EQ(server.outcomes()[position]->detail, core::ConflictDetail::kTooOld);
  }
}

TEST_P(UnsyncedMode, LosesNoMoreThanItsInterval) {
  SimServer server(8, GetParam());
  ASSERT_TRUE(server.open().ok());
  (void)server.submit(operation_of({set_step("old", "kept")}));
  server.settle();
  server.loop().run_for(std::chrono::milliseconds(500));
  (void)server.submit(operation_of({set_step("new", "perhaps lost")}));
  server.settle();
  server.power_cut(storage::CrashPolicy::kLost);
  ASSERT_TRUE(server.open().ok());
  EXPECT_EQ(server.get("old"), "kept");
}

TEST_P(UnsyncedMode, ACleanStopLosesNothing) {
  SimServer server(9, GetParam());
  ASSERT_TRUE(server.open().ok());
  const auto position = server.submit(operation_of({set_step("k", "v")}));
  server.settle();
  ASSERT_TRUE(server.store().close().ok());
  const core::Version last = server.outcomes()[position]->version;
  server.power_cut(storage::CrashPolicy::kLost);
  ASSERT_TRUE(server.open().ok());
  EXPECT_EQ(server.get("k"), "v");
  EXPECT_LT(server.store().database().visible_version().value(), last.value() + 100);
}

INSTANTIATE_TEST_SUITE_P(Modes, UnsyncedMode,
                         testing::Values(Durability::kBatched, Durability::kAsync));

TEST(StandaloneSim, AFullDiskRefusesWritesServesReadsAndResumes) {
  SimServer server(10);
  ASSERT_TRUE(server.open().ok());
  (void)server.submit(operation_of({set_step("k", "v")}));
  server.settle();
  server.files().set_capacity(1);
  server.loop().run_for(std::chrono::seconds(1));
  const auto refused = server.submit(operation_of({set_step("k", "w")}));
  server.settle();
  EXPECT_EQ(server.outcomes()[refused]->code, core::OutcomeCode::kNoSpace);
  EXPECT_EQ(server.get("k"), "v");
  server.files().set_capacity(1ULL << 40);
  server.loop().run_for(std::chrono::seconds(1));
  const auto admitted = server.submit(operation_of({set_step("k", "x")}));
  server.settle();
  EXPECT_TRUE(server.outcomes()[admitted]->ok());
  EXPECT_EQ(server.get("k"), "x");
}

TEST(StandaloneSim, FullMemoryRefusesGrowthButNotReadsAndDeletes) {
  SimServer server(15);
  server.options().table_bytes_max = 1U << 20;
  ASSERT_TRUE(server.open().ok());
  std::size_t position = 0;
  int key = 0;
  do {
    position =
        server.submit(operation_of({set_step(base::concat("k", key++), std::string(5'000, 'v'))}));
    server.settle();
  } while (server.outcomes()[position]->ok() && key < 1'000);
  EXPECT_EQ(server.outcomes()[position]->code, core::OutcomeCode::kMemoryFull);
  EXPECT_GT(key, 50);
  EXPECT_TRUE(server.get("k0").has_value());
  for (int i = 0; i < key / 2; ++i) {
    core::Step erase;
    erase.kind = core::StepKind::kDelete;
    erase.key = base::concat("k", i);
    position = server.submit(operation_of({erase}));
    server.settle();
    ASSERT_TRUE(server.outcomes()[position]->ok());
  }
  // Superseded values go with the snapshot window; then there is room again.
  server.loop().run_for(std::chrono::seconds(10));
  position = server.submit(operation_of({set_step("again", "v")}));
  server.settle();
  EXPECT_TRUE(server.outcomes()[position]->ok());
}

TEST(StandaloneSim, KeysThatTakeAllAddressesAreRefusedBeforeTheLog) {
  SimServer server(16);
  server.options().database.node_range_bytes = 16 * core::NodeRange::kChunkBytes;
  ASSERT_TRUE(server.open().ok());
  const auto key_of = [](int i) { return base::concat("k", i, std::string(20'000, 'k')); };
  std::size_t position = 0;
  int keys = 0;
  do {
    position = server.submit(operation_of({set_step(key_of(keys++), "v")}));
    server.settle();
  } while (server.outcomes()[position]->ok() && keys < 3'000);
  EXPECT_EQ(server.outcomes()[position]->code, core::OutcomeCode::kMemoryFull);
  EXPECT_GT(keys, 600);
  EXPECT_EQ(server.get(key_of(0)), "v");
  core::Step erase;
  erase.kind = core::StepKind::kDelete;
  erase.key = key_of(1);
  position = server.submit(operation_of({erase}));
  server.settle();
  EXPECT_TRUE(server.outcomes()[position]->ok());
  ASSERT_TRUE(server.store().close().ok());
  ASSERT_TRUE(server.open().ok()) << "what was admitted is loaded again";
  EXPECT_EQ(server.get(key_of(2)), "v");
}

TEST(StandaloneSim, AFlippedByteInTheLogIsRefusedWithFileAndOffset) {
  SimServer server(11);
  ASSERT_TRUE(server.open().ok());
  for (int i = 0; i < 5; ++i) {
    (void)server.submit(operation_of({set_step(base::concat("k", i), std::string(3'000, 'v'))}));
    server.settle();
  }
  server.stop_process();
  server.files().kill();
  server.files().restart();
  server.files().corrupt("/data/log/0000000000000001.seg", 3 * 4096 + 700, 0x10);
  const base::Status opened = server.open();
  ASSERT_EQ(opened.code(), base::StatusCode::kCorruption) << opened.to_string();
  EXPECT_NE(opened.message().find("0000000000000001.seg"), std::string::npos);
  EXPECT_NE(opened.message().find("offset"), std::string::npos);
}

TEST(StandaloneSim, AFrameWriteThatFindsNoSpaceEndsTheProcess) {
  SimServer server(17);
  ASSERT_TRUE(server.open().ok());
  (void)server.submit(operation_of({set_step("k", "v")}));
  server.settle();
  server.loop().run_for(std::chrono::seconds(1));
  // Idle now: the next write of the log's active segment is the frame.
  auto next_io = server.files().io_count() + 1;
  server.files().set_fail_at(next_io, storage::FaultRepeat::kOnce, base::StatusCode::kNoSpace);
  const auto position = server.submit(operation_of({set_step("k", "w")}));
  server.settle();
  EXPECT_TRUE(server.died());
  EXPECT_FALSE(server.outcomes()[position].has_value()) << "its outcome is unknown";
}

TEST(StandaloneSim, UnsyncedModesRefuseWritesWhileTheLogWaitsForSpace) {
  for (const Durability mode : {Durability::kBatched, Durability::kAsync}) {
    SimServer server(18, mode);
    ASSERT_TRUE(server.open().ok());
    server.settle();
    server.loop().run_for(std::chrono::seconds(1));
    const auto room = server.files().space("/data");
    ASSERT_TRUE(room.ok());
    // Room for the reserve of one byte, not for another segment.
    server.files().set_capacity(room->total_bytes - room->free_bytes + 30'000);
    std::size_t acknowledged = 0;
    for (int i = 0; i < 400; ++i) {
      const auto position =
          server.submit(operation_of({set_step(base::concat("k", i), std::string(1'000, 'v'))}));
      server.loop().run_for(std::chrono::milliseconds(20));
      const auto& outcome = server.outcomes()[position];
      if (outcome && outcome->ok()) ++acknowledged;
    }
    EXPECT_FALSE(server.died());
    EXPECT_EQ(server.outcomes().back()->code, core::OutcomeCode::kNoSpace);
    server.power_cut(storage::CrashPolicy::kLost);
    server.files().set_capacity(1ULL << 40);
    ASSERT_TRUE(server.open().ok());
    std::size_t kept = 0;
    for (int i = 0; i < 400; ++i) kept += server.get(base::concat("k", i)) ? 1 : 0;
    EXPECT_LE(acknowledged - kept, 20U) << "more was lost than one interval and one buffer";
  }
}

TEST(StandaloneSim, ClosesWhileTheBackendIsFarBehind) {
  SimServer server(19);
  server.options().pipeline.backlog_bytes_max = 1;
  ASSERT_TRUE(server.open().ok());
  for (int i = 0; i < 50; ++i) (void)server.submit(operation_of({set_step("k", base::concat(i))}));
  for (int i = 0; i < 3; ++i) server.loop().step();
  ASSERT_TRUE(server.store().close().ok());
  for (const auto& outcome : server.outcomes()) EXPECT_TRUE(outcome.has_value() && outcome->ok());
}

TEST(StandaloneSim, DeepVerifiesMayOverlapUnderWrites) {
  for (std::uint64_t seed = 1; seed <= 30; ++seed) {
    SimServer server(seed);
    ASSERT_TRUE(server.open().ok());
    int finished = 0;
    for (int i = 0; i < 60; ++i) {
      (void)server.submit(operation_of({set_step(base::concat("k", i), "v")}));
      if (i % 20 == 5) {
        server.store().verify(true, [&](const VerifyReport& report) {
          EXPECT_TRUE(report.status.ok()) << "seed " << seed << ": " << report.status.to_string();
          ++finished;
        });
      }
      if (i % 3 == 0) server.loop().step();
    }
    server.settle();
    server.loop().run_for(std::chrono::seconds(1));
    EXPECT_EQ(finished, 3);
  }
}

TEST(StandaloneSim, AdmissionOpensAgainWhenTheLogCouldShrink) {
  SimServer server(20);
  server.options().pipeline.log_bytes_max = 200'000;
  ASSERT_TRUE(server.open().ok());
  std::size_t position = 0;
  std::uint64_t refused = 0;
  for (int i = 0; i < 200; ++i) {
    position = server.submit(operation_of({set_step("hot", std::string(4'000, 'v'))}));
    server.loop().run_for(std::chrono::milliseconds(1));
    if (server.outcomes()[position] && !server.outcomes()[position]->ok()) ++refused;
  }
  server.settle();
  EXPECT_GT(refused, 0U);
  server.loop().run_for(std::chrono::seconds(5));
  position = server.submit(operation_of({set_step("hot", "again")}));
  server.settle();
  EXPECT_TRUE(server.outcomes()[position]->ok());
}

TEST(StandaloneSim, AMissingLogIsRefusedNotForgotten) {
  SimServer server(16);
  ASSERT_TRUE(server.open().ok());
  (void)server.submit(operation_of({set_step("k", "v")}));
  server.settle();
  server.files().kill();
  server.stop_process();
  server.files().restart();
  const auto names = server.files().list("/data/log");
  ASSERT_TRUE(names.ok());
  for (const auto& name : *names) ASSERT_TRUE(server.files().remove("/data/log/" + name).ok());
  EXPECT_EQ(server.open().code(), base::StatusCode::kCorruption);
}

TEST(StandaloneSim, ExpiredKeysGoWithoutAnyWrite) {
  SimServer server(12);
  ASSERT_TRUE(server.open().ok());
  (void)server.submit(operation_of({set_step("k", "v", 200)}));
  server.settle();
  EXPECT_EQ(server.get("k"), "v");
  server.loop().run_for(std::chrono::milliseconds(400));
  EXPECT_EQ(server.get("k"), std::nullopt);
  server.loop().jump_wall_clock(std::chrono::hours(-2));
  EXPECT_EQ(server.get("k"), std::nullopt);
}

TEST(StandaloneSim, ADeadlineThatPassedIsRefusedBeforeTheLog) {
  SimServer server(13);
  ASSERT_TRUE(server.open().ok());
  RequestContext context;
  context.deadline = server.loop().now() - base::Nanos(1);
  std::optional<core::Outcome> outcome;
  server.store().router().submit(operation_of({set_step("k", "v")}), context,
                                 [&outcome](core::Outcome result) { outcome = result; });
  server.loop().run_for(std::chrono::milliseconds(10));
  ASSERT_TRUE(outcome.has_value());
  EXPECT_EQ(outcome->code, core::OutcomeCode::kTimeout);
  EXPECT_EQ(server.get("k"), std::nullopt);
}

TEST(StandaloneSim, ABackupOpensAsAStoreOfItsOwn) {
  SimServer server(14);
  ASSERT_TRUE(server.open().ok());
  for (int i = 0; i < 30; ++i) {
    (void)server.submit(operation_of({set_step(base::concat("k", i), "v")}));
  }
  server.settle();
  std::optional<base::Result<std::string>> path;
  server.store().backup("first", [&path](base::Result<std::string> made) { path = made; });
  server.loop().run_for(std::chrono::seconds(1));
  ASSERT_TRUE(path.has_value() && path->ok());
  EXPECT_TRUE(server.files().exists(**path + "/IDENTITY"));
  EXPECT_TRUE(server.files().exists(**path + "/db/ROWS"));
  server.store().backup("../evil", [&path](base::Result<std::string> made) { path = made; });
  EXPECT_EQ((*path).status().code(), base::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace synod::router
