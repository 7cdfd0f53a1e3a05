// SPDX-License-Identifier: Apache-2.0
// A whole group on one simulated loop: what clients are told, whatever happens to nodes and ways.
#include <gtest/gtest.h>

#include <set>

#include "router/replicated_state_machine.h"
#include "router/standalone.h"
#include "storage/sim_backend.h"
#include "tests/router/sim_group.h"
#include "tests/router/sim_server.h"

namespace synod::router {
namespace {

using core::OutcomeCode;

/// What the increments of a group say together: who was told "done" counts once, who was told
/// nothing counts at most once, who was refused counts never.
struct Ledger {
  std::set<std::int64_t> numbers;
  std::size_t done = 0;
  std::size_t unknown = 0;
  std::size_t refused = 0;

  void add(const SimCall& call) {
    if (!call.outcome || call.outcome->code == OutcomeCode::kOutcomeUnknown) {
      ++unknown;
    } else if (call.outcome->ok()) {
      ++done;
      EXPECT_TRUE(numbers.insert(call.outcome->results.at(0).number).second)
          << "two increments saw the same number";
    } else {
      ++refused;
    }
  }
  void expect(const std::optional<std::string>& value) const {
    ASSERT_TRUE(value.has_value());
    const std::size_t counted = std::stoul(*value);
    EXPECT_GE(counted, done);
    EXPECT_LE(counted, done + unknown);
  }
};

std::size_t other_than(std::size_t node) { return node == 0 ? 1 : 0; }

TEST(ReplicatedSim, FormsFromBlankAndServesAtEveryNode) {
  SimGroup group(1);
  ASSERT_TRUE(group.form());
  for (std::size_t node = 0; node < 3; ++node) {
    const std::string key = "k" + std::to_string(node);
    const core::Outcome outcome = group.execute(node, write(key, "v"));
    EXPECT_TRUE(outcome.ok()) << outcome.message;
    for (std::size_t reader = 0; reader < 3; ++reader) EXPECT_EQ(group.get(reader, key), "v");
  }
  EXPECT_TRUE(group.converge());
  const auto status = group.status(0);
  ASSERT_TRUE(status && status->group);
  EXPECT_EQ(status->group->members.size(), 3U);
  EXPECT_EQ(status->cluster_id.size(), 16U);
}

TEST(ReplicatedSim, WaitsForEveryMemberAndRefusesMeanwhile) {
  SimGroup group(2);
  ASSERT_TRUE(group.start(0).ok());
  ASSERT_TRUE(group.start(1).ok());
  const std::size_t position = group.submit(0, write("k", "v"));
  group.run_for(std::chrono::seconds(10));
  ASSERT_TRUE(group.call(position).outcome.has_value());
  EXPECT_EQ(group.call(position).outcome->code, OutcomeCode::kNoQuorum);
  EXPECT_EQ(group.status(0)->group->role, "forming");
  ASSERT_TRUE(group.start(2).ok());
  ASSERT_TRUE(group.wait_for_leader());
  EXPECT_TRUE(group.execute(0, write("k", "v")).ok());
}

TEST(ReplicatedSim, ACrashWhileFormingLosesNothing) {
  for (std::uint64_t seed = 10; seed < 30; ++seed) {
    SimGroup group(seed);
    base::Random random(seed);
    for (std::size_t node = 0; node < 3; ++node) ASSERT_TRUE(group.start(node).ok());
    for (int i = 0; i < 4; ++i) {
      group.run_for(base::Millis(random.between(1, 80)));
      const std::size_t node = random.below(3);
      group.power_cut(node, static_cast<storage::CrashPolicy>(random.below(3)));
      const base::Status started = group.start(node);
      ASSERT_TRUE(started.ok()) << seed << " " << started.to_string();
    }
    ASSERT_TRUE(group.wait_for_leader()) << seed;
    EXPECT_TRUE(group.execute(seed % 3, write("k", "v")).ok()) << seed;
  }
}

TEST(ReplicatedSim, ACrashOfTheLeaderDecidesEveryPendingCommandOnceOrNever) {
  for (std::uint64_t seed = 40; seed < 60; ++seed) {
    SimGroup group(seed);
    ASSERT_TRUE(group.form()) << seed;
    ASSERT_TRUE(group.execute(0, write("x", "y")).ok());
    base::Random random(seed);
    std::vector<std::size_t> positions;
    for (int round = 0; round < 3; ++round) {
      const auto leader = group.leader();
      ASSERT_TRUE(leader.has_value()) << seed;
      for (int i = 0; i < 30; ++i) {
        positions.push_back(group.submit(random.below(3), increment("n")));
        if (random.chance(0.3)) group.run_for(base::Micros(random.between(10, 3000)));
      }
      group.power_cut(*leader, static_cast<storage::CrashPolicy>(random.below(3)));
      group.run_for(base::Millis(random.between(0, 600)));
      ASSERT_TRUE(group.start(*leader).ok());
      ASSERT_TRUE(group.wait_for_leader()) << seed;
    }
    group.run_for(std::chrono::seconds(6));
    Ledger ledger;
    for (const std::size_t position : positions) ledger.add(group.call(position));
    ledger.expect(group.get(0, "n"));
    EXPECT_GT(ledger.done, 0U);
    EXPECT_TRUE(group.converge()) << seed;
  }
}

/// Whoever survives knows: only callers of the node that crashed may be left without an answer.
TEST(ReplicatedSim, AFollowersCommandsHaveAnOutcomeAfterTheLeaderIsGone) {
  std::size_t unknown = 0;
  for (std::uint64_t seed = 70; seed < 90; ++seed) {
    SimGroup group(seed);
    ASSERT_TRUE(group.form());
    const std::size_t leader = *group.leader();
    const std::size_t follower = other_than(leader);
    std::vector<std::size_t> positions;
    for (int i = 0; i < 20; ++i) positions.push_back(group.submit(follower, increment("n")));
    group.run_for(base::Micros(static_cast<std::int64_t>(seed % 7) * 500));
    group.crash(leader);
    group.run_for(std::chrono::seconds(5));
    Ledger ledger;
    for (const std::size_t position : positions) {
      ASSERT_TRUE(group.call(position).outcome.has_value());
      ledger.add(group.call(position));
    }
    unknown += ledger.unknown;
    EXPECT_EQ(ledger.done, 20U) << seed;
    ledger.expect(group.get(follower, "n"));
  }
  EXPECT_EQ(unknown, 0U);
}

TEST(ReplicatedSim, AnAttemptWithATokenCountsOnceHoweverOftenItIsSent) {
  SimGroup group(91);
  for (std::size_t node = 0; node < 3; ++node) {
    group.options(node).policy.conflict_window_ms = 600'000;
  }
  ASSERT_TRUE(group.form());
  const core::Version begun = group.execute(0, write("x", "y")).version;
  base::Random random(91);
  for (std::int64_t sequence = 1; sequence <= 30; ++sequence) {
    bool is_done = false;
    std::string last;
    for (int attempt = 0; attempt < 20 && !is_done; ++attempt) {
      const std::size_t node = random.below(3);
      const std::size_t position = group.submit(node, increment_once("n", 7, sequence, begun));
      group.run_for(base::Micros(random.between(0, 8000)));
      if (random.chance(0.2)) {
        const std::size_t victim = random.below(3);
        group.crash(victim);
        ASSERT_TRUE(group.start(victim).ok());
      }
      group.run_until([&] { return group.call(position).outcome.has_value(); }, base::Millis(1500));
      is_done = group.call(position).outcome && group.call(position).outcome->ok();
      if (group.call(position).outcome) last = group.call(position).outcome->message;
    }
    ASSERT_TRUE(is_done) << sequence << " " << last;
  }
  ASSERT_TRUE(group.wait_for_leader());
  EXPECT_EQ(group.get(0, "n"), "30");
}

TEST(ReplicatedSim, AMinorityAnswersNoReadButLocalOnes) {
  SimGroup group(92);
  ASSERT_TRUE(group.form());
  ASSERT_TRUE(group.execute(0, write("k", "old")).ok());
  ASSERT_TRUE(group.converge());
  const std::size_t alone = *group.leader();
  group.isolate(alone);
  const std::size_t other = other_than(alone);
  core::Outcome outcome;
  for (int i = 0; i < 5 && !outcome.ok(); ++i) outcome = group.execute(other, write("k", "new"));
  for (int i = 0; i < 10 && group.get(other, "k") != "new"; ++i) {
    outcome = group.execute(other, write("k", "new"));
  }
  ASSERT_EQ(group.get(other, "k"), "new");
  EXPECT_EQ(group.get(alone, "k", ReadLevel::kLocal), "old");
  const auto refused = group.read(alone, "k");
  ASSERT_TRUE(refused.has_value());
  EXPECT_EQ(refused->code, OutcomeCode::kNoQuorum);
  group.heal();
  group.run_for(std::chrono::seconds(3));
  EXPECT_EQ(group.get(alone, "k"), "new");
}

/// To answer with an older version would let a transaction overwrite what it has not seen.
TEST(ReplicatedSim, AVersionThatIsNotHereYetIsWaitedForAtEveryLevel) {
  SimGroup group(93);
  ASSERT_TRUE(group.form());
  ASSERT_TRUE(group.execute(0, write("k", "old")).ok());
  ASSERT_TRUE(group.converge());
  const std::size_t behind = other_than(*group.leader());
  group.isolate(behind);
  const core::Outcome newer = group.execute(*group.leader(), write("k", "new"));
  ASSERT_TRUE(newer.ok());
  for (const ReadLevel level : {ReadLevel::kLocal, ReadLevel::kLeader}) {
    const auto refused = group.read(behind, "k", level, newer.version);
    ASSERT_TRUE(refused.has_value());
    EXPECT_EQ(refused->code, OutcomeCode::kNoQuorum);
  }
  group.heal();
  const auto reply = group.read(behind, "k", ReadLevel::kLocal, newer.version);
  ASSERT_TRUE(reply.has_value());
  EXPECT_EQ(reply->value, "new");
}

TEST(ReplicatedSim, ARestartOfAllKeepsWhatWasAcknowledged) {
  for (std::uint64_t seed = 100; seed < 110; ++seed) {
    SimGroup group(seed);
    ASSERT_TRUE(group.form());
    for (int i = 0; i < 40; ++i) {
      ASSERT_TRUE(group.execute(static_cast<std::size_t>(i) % 3, increment("n")).ok());
    }
    for (std::size_t node = 0; node < 3; ++node) {
      group.power_cut(node, static_cast<storage::CrashPolicy>((seed + node) % 3));
    }
    for (std::size_t node = 0; node < 3; ++node) {
      const base::Status started = group.start(node);
      ASSERT_TRUE(started.ok()) << started.to_string();
    }
    ASSERT_TRUE(group.wait_for_leader()) << seed;
    EXPECT_EQ(group.get(seed % 3, "n"), "40") << seed;
    EXPECT_TRUE(group.converge());
  }
}

TEST(ReplicatedSim, ALaggardInstallsASnapshotAndGoesOn) {
  SimGroup group(120);
  for (std::size_t node = 0; node < 3; ++node) {
    group.options(node).runtime.state.flush_every_slots = 20;
    group.options(node).runtime.state.snapshot_every_slots = 40;
    group.options(node).runtime.keep_slots = 10;
  }
  ASSERT_TRUE(group.form());
  ASSERT_TRUE(group.execute(0, increment("n")).ok());
  const std::size_t leader = *group.leader();
  const std::size_t laggard = other_than(leader);
  group.crash(laggard);
  for (int i = 0; i < 200; ++i) ASSERT_TRUE(group.execute(leader, increment("n")).ok());
  ASSERT_GT(group.status(leader)->group->log_base, 100U);
  ASSERT_TRUE(group.start(laggard).ok());
  ASSERT_TRUE(group.converge());
  EXPECT_GT(group.status(laggard)->group->log_base, 100U);
  EXPECT_EQ(group.get(laggard, "n", ReadLevel::kLocal), "201");
  ASSERT_TRUE(group.execute(laggard, increment("n")).ok());
  group.power_cut(laggard, storage::CrashPolicy::kLost);
  ASSERT_TRUE(group.start(laggard).ok());
  ASSERT_TRUE(group.converge());
  EXPECT_EQ(group.get(laggard, "n", ReadLevel::kLocal), "202");
}

/// Clients who never stop: for `span`, or until `done`.
bool write_until(SimGroup& group, std::size_t node, base::Nanos span,
                 const std::function<bool()>& done) {
  constexpr std::size_t kAtOnce = 8;
  std::vector<std::size_t> running;
  return group.run_until(
      [&] {
        std::erase_if(running, [&](std::size_t each) { return group.call(each).outcome; });
        while (running.size() < kAtOnce) running.push_back(group.submit(node, increment("n")));
        return done();
      },
      span);
}

// Each row: how long the disk of who comes back takes for whatever it does to an image.
TEST(ReplicatedSim, WhoComesBackCatchesUpWhileTheGroupGoesOnWritingAndTakingSnapshots) {
  for (const int delay : {0, 20}) {
    SCOPED_TRACE("delay of ms: " + std::to_string(delay));
    SimGroup group(130);
    for (std::size_t node = 0; node < 3; ++node) {
      group.options(node).runtime.state.flush_every_slots = 10;
      group.options(node).runtime.state.snapshot_every_slots = 20;
      group.options(node).runtime.keep_slots = 0;
    }
    ASSERT_TRUE(group.form());
    const std::size_t leader = *group.leader();
    const std::size_t laggard = other_than(leader);
    for (int i = 0; i < 50; ++i) {
      const std::string key = "k" + std::to_string(i);
      ASSERT_TRUE(group.execute(leader, write(key, std::string(2000, 'x'))).ok());
    }
    group.crash(laggard);
    const auto never = [] { return false; };
    EXPECT_FALSE(write_until(group, leader, std::chrono::seconds(1), never));
    group.delay_storage(laggard, base::Millis(delay));
    ASSERT_TRUE(group.start(laggard).ok());
    EXPECT_FALSE(write_until(group, leader, std::chrono::seconds(2), never));
    // An image tells no results: who executed it by the log says that it was done.
    const std::size_t asked = group.submit(laggard, increment("m"));
    EXPECT_TRUE(write_until(group, leader, std::chrono::seconds(3),
                            [&] { return group.call(asked).outcome.has_value(); }));
    const auto& outcome = group.call(asked).outcome;
    EXPECT_TRUE(outcome && outcome->ok()) << (outcome ? outcome->message : "no answer");
    group.delay_storage(laggard, base::Nanos(0));
    ASSERT_TRUE(group.converge());
  }
}

TEST(ReplicatedSim, WhoIsGoneHoldsNoLogForLong) {
  SimGroup group(131);
  for (std::size_t node = 0; node < 3; ++node) {
    group.options(node).runtime.state.flush_every_slots = 10;
    group.options(node).runtime.state.snapshot_every_slots = 20;
    group.options(node).runtime.keep_slots = 0;
    group.options(node).runtime.replica.snapshot_pull.patience = base::Millis(2000);
  }
  ASSERT_TRUE(group.form());
  const std::size_t leader = *group.leader();
  const std::size_t laggard = other_than(leader);
  const auto never = [] { return false; };
  const auto is_cut = [&] {
    const auto status = group.status(leader);
    return status->group->log_base + 1'000 > status->applied_index.value();
  };
  // It follows, it pulls, it is gone.
  EXPECT_FALSE(write_until(group, leader, base::Millis(500), never));
  EXPECT_TRUE(is_cut());
  group.crash(laggard);
  EXPECT_FALSE(write_until(group, leader, base::Millis(1500), never));
  EXPECT_TRUE(is_cut());
  group.delay_storage(laggard, base::Millis(500));
  ASSERT_TRUE(group.start(laggard).ok());
  EXPECT_FALSE(write_until(group, leader, base::Millis(1200), never));
  EXPECT_FALSE(is_cut()) << "what follows the image that it makes ready for is kept";
  group.crash(laggard);
  EXPECT_FALSE(write_until(group, leader, base::Millis(3000), never));
  EXPECT_TRUE(is_cut());
}

TEST(ReplicatedSim, ASnapshotIsServedAndInstalledWhileTheBackendsAreCompacted) {
  SimGroup group(125);
  for (std::size_t node = 0; node < 3; ++node) {
    group.options(node).runtime.state.flush_every_slots = 20;
    group.options(node).runtime.state.snapshot_every_slots = 40;
    group.options(node).runtime.keep_slots = 10;
    group.hold_compaction(node, true);
  }
  ASSERT_TRUE(group.form());
  const std::size_t leader = *group.leader();
  const std::size_t laggard = other_than(leader);
  group.crash(laggard);
  for (int i = 0; i < 200; ++i) ASSERT_TRUE(group.execute(leader, increment("n")).ok());
  ASSERT_TRUE(group.start(laggard).ok());
  std::size_t compacted = 0;
  for (std::size_t node = 0; node < 3; ++node) {
    group.store(node).compact([&compacted](const base::Status& status) {
      EXPECT_TRUE(status.ok()) << status.to_string();
      ++compacted;
    });
  }
  ASSERT_TRUE(group.converge());
  EXPECT_GT(group.status(laggard)->group->log_base, 100U);
  EXPECT_EQ(compacted, 0U);
  for (std::size_t node = 0; node < 3; ++node) group.hold_compaction(node, false);
  EXPECT_TRUE(group.run_until([&] { return compacted == 3; }));
}

TEST(ReplicatedSim, AFollowerWhoseBackendStandsStillHoldsNoMoreThanItsBound) {
  SimGroup group(122);
  for (std::size_t node = 0; node < 3; ++node) {
    group.options(node).backlog_bytes_max = 10'000;
    group.options(node).runtime.backlog_bytes = 100'000;
  }
  ASSERT_TRUE(group.form());
  const std::size_t leader = *group.leader();
  const std::size_t follower = other_than(leader);
  group.refuse_rows(follower, true);
  const std::string large(5'000, 'x');
  for (int i = 0; i < 100; ++i) {
    const core::Outcome outcome = group.execute(leader, write("k", large));
    ASSERT_TRUE(outcome.ok()) << i << " " << outcome.message;
  }
  group.run_for(std::chrono::seconds(2));
  const auto slow = group.status(follower);
  const std::uint64_t waiting = slow->group->log_last - slow->group->applied_index;
  EXPECT_GE(waiting, 20U);
  EXPECT_LE(waiting, 30U);
  EXPECT_EQ(group.leader(), leader) << "a slow follower is no reason for an election";
  group.refuse_rows(follower, false);
  ASSERT_TRUE(group.converge());
  EXPECT_EQ(group.get(follower, "k", ReadLevel::kLocal), large);
}

TEST(ReplicatedSim, AGroupWhoseBackendsStandStillRefusesAndGoesOnAfterwards) {
  SimGroup group(123);
  for (std::size_t node = 0; node < 3; ++node) {
    group.options(node).backlog_bytes_max = 10'000;
    group.options(node).runtime.backlog_bytes = 100'000;
  }
  ASSERT_TRUE(group.form());
  for (std::size_t node = 0; node < 3; ++node) group.refuse_rows(node, true);
  const std::string large(5'000, 'x');
  for (int i = 0; i < 200; ++i) {
    group.submit(0, write("k", large));
    group.run_for(base::Millis(10));
  }
  group.run_for(std::chrono::seconds(6));
  for (std::size_t node = 0; node < 3; ++node) {
    const auto seen = group.status(node);
    EXPECT_LE(seen->group->log_last - seen->group->applied_index, 40U) << node;
  }
  group.crash(*group.leader());
  group.run_for(std::chrono::seconds(1));
  for (std::size_t node = 0; node < 3; ++node) group.refuse_rows(node, false);
  ASSERT_TRUE(group.wait_for_leader());
  for (std::size_t node = 0; node < 3; ++node) {
    const base::Status started = group.is_up(node) ? base::Status() : group.start(node);
    ASSERT_TRUE(started.ok()) << started.to_string();
  }
  ASSERT_TRUE(group.converge());
  EXPECT_TRUE(group.execute(0, write("k", "v")).ok());
}

TEST(ReplicatedSim, ANodeThatIsBehindItsLeaderSaysSoAndNotThatThereIsNone) {
  SimGroup group(129);
  for (std::size_t node = 0; node < 3; ++node) group.options(node).backlog_bytes_max = 10'000;
  ASSERT_TRUE(group.form());
  const std::size_t behind = other_than(*group.leader());
  group.refuse_rows(behind, true);
  const std::string large(5'000, 'x');
  for (int i = 0; i < 10; ++i) {
    ASSERT_TRUE(group.execute(*group.leader(), write("k" + std::to_string(i), large)).ok());
  }
  const auto unread = group.read(behind, "k9");
  ASSERT_TRUE(unread.has_value());
  EXPECT_EQ(unread->code, OutcomeCode::kBusy);
  EXPECT_NE(unread->message.find("caught up"), std::string::npos) << unread->message;
  // Behind a newer leader it has nobody to hand a command to.
  const std::size_t old_leader = *group.leader();
  const std::size_t third = 3 - old_leader - behind;
  std::optional<base::Status> moved;
  group.store(old_leader)
      .transfer_leadership(static_cast<std::uint32_t>(third + 1),
                           [&moved](base::Status status) { moved = std::move(status); });
  ASSERT_TRUE(group.run_until([&] { return moved.has_value(); }));
  ASSERT_TRUE(moved->ok()) << moved->to_string();
  ASSERT_TRUE(group.run_until([&] { return group.leader() == third; }));
  const core::Outcome refused = group.execute(behind, write("k", "v"));
  EXPECT_EQ(refused.code, OutcomeCode::kBusy) << refused.message;
  EXPECT_GT(refused.retry_after_ms, 0);
  group.refuse_rows(behind, false);
  ASSERT_TRUE(group.run_until([&] { return group.execute(behind, write("k", "v")).ok(); }));
}

TEST(ReplicatedSim, ALogBeyondHalfOfItsBoundIsCutBeforeItIsTime) {
  SimGroup group(121);
  for (std::size_t node = 0; node < 3; ++node) group.options(node).log_bytes_max = 1U << 20;
  ASSERT_TRUE(group.form());
  const std::string large(20'000, 'x');
  for (int i = 0; i < 80; ++i) {
    const core::Outcome outcome = group.execute(0, write("k" + std::to_string(i % 4), large));
    ASSERT_TRUE(outcome.ok()) << i << " " << outcome.message;
    group.run_for(base::Millis(20));
  }
  group.run_for(std::chrono::seconds(2));
  EXPECT_LT(group.status(0)->log_bytes, 1U << 20);
  EXPECT_GT(group.status(0)->group->log_base, 0U);
}

TEST(ReplicatedSim, ADeepVerifyBeforeTheFirstSlotFindsNothing) {
  SimGroup group(131);
  for (std::size_t node = 0; node < 3; ++node) ASSERT_TRUE(group.start(node).ok());
  ASSERT_TRUE(group.run_until([&] { return group.status(0)->group->role != "forming"; }));
  group.isolate(0);
  ASSERT_EQ(group.status(0)->applied_index.value(), 0U);
  const auto report = group.verify(0, true);
  ASSERT_TRUE(report.has_value());
  EXPECT_NE(report->status.code(), base::StatusCode::kCorruption) << report->status.to_string();
  EXPECT_EQ(report->lines.at(0), "node 1: tables and backend at slot 0: OK");
}

TEST(ReplicatedSim, VerifyNamesTheReplicaThatDiffers) {
  SimGroup group(130);
  ASSERT_TRUE(group.form());
  ASSERT_TRUE(group.execute(0, write("k", "v")).ok());
  ASSERT_TRUE(group.converge());
  auto report = group.verify(0, true);
  ASSERT_TRUE(report.has_value());
  EXPECT_TRUE(report->status.ok()) << report->status.to_string();
  EXPECT_EQ(report->lines.size(), 4U);
  group.on_apply(2, [&] {
    core::TransactionalKvDatabase& database = *group.store(2).machine().current().database;
    database.put({core::NamespaceId(1), core::kUserSpace, "k"}, "rot", core::TimeMs(0),
                 core::Version(database.state().newest_version().value() + 1));
  });
  report = group.verify(0, false);
  ASSERT_TRUE(report.has_value());
  EXPECT_EQ(report->status.code(), base::StatusCode::kCorruption);
  EXPECT_NE(report->status.message().find("node 3 differs"), std::string::npos)
      << report->status.message();
}

TEST(ReplicatedSim, VerifyNamesWhoDoesNotAnswer) {
  SimGroup group(131);
  ASSERT_TRUE(group.form());
  ASSERT_TRUE(group.execute(0, write("k", "v")).ok());
  const std::size_t leader = *group.leader();
  const std::size_t gone = other_than(leader);
  group.crash(gone);
  const auto report = group.verify(leader, false);
  ASSERT_TRUE(report.has_value());
  EXPECT_TRUE(report->status.ok()) << report->status.to_string();
  std::string all;
  for (const std::string& line : report->lines) all += line + "\n";
  EXPECT_NE(all.find("node " + std::to_string(gone + 1) + ": did not answer"), std::string::npos)
      << all;
}

TEST(ReplicatedSim, ABackupOpensAsAStoreThatStandsAlone) {
  SimGroup group(140);
  ASSERT_TRUE(group.form());
  for (int i = 0; i < 10; ++i) ASSERT_TRUE(group.execute(0, increment("n")).ok());
  std::optional<base::Result<std::string>> path;
  group.store(0).backup("b1", [&](base::Result<std::string> done) { path = std::move(done); });
  ASSERT_TRUE(group.run_until([&] { return path.has_value(); }));
  ASSERT_TRUE(path->ok()) << path->status().to_string();
  base::SimLoop loop(1);
  base::SimDispatcher& thread = loop.add_dispatcher();
  StandaloneOptions options;
  options.directory = **path;
  options.node.node_id = 1;
  options.log.segment_bytes = 64U << 10;
  StandaloneSeams seams{group.files(0),
                        thread,
                        thread,
                        thread,
                        base::Random(1),
                        [&](const std::string& directory) {
                          return storage::open_sim_backend(group.files(0), directory, 7);
                        },
                        [](const std::string&) {}};
  auto opened = Standalone::open(std::move(seams), options);
  ASSERT_TRUE(opened.ok()) << opened.status().to_string();
  std::string value;
  core::PointReadRequest request;
  request.key = "n";
  (*opened)->router().read(request, {}, [&](core::PointReadReply reply) { value = reply.value; });
  EXPECT_EQ(value, "10");
}

TEST(ReplicatedSim, AStopAnswersEverythingThatWaits) {
  SimGroup group(150);
  ASSERT_TRUE(group.form());
  const std::size_t leader = *group.leader();
  std::vector<std::size_t> positions;
  for (int i = 0; i < 10; ++i) positions.push_back(group.submit(leader, increment("n")));
  bool has_verified = false;
  std::optional<base::Status> changed;
  group.store(leader).verify(true, [&](const VerifyReport&) { has_verified = true; });
  group.store(leader).change_member(MemberChange::kAdd, 9, 0,
                                    [&](base::Status status) { changed = std::move(status); });
  ASSERT_TRUE(group.shut_down(leader).ok());
  for (const std::size_t position : positions) {
    EXPECT_TRUE(group.call(position).outcome.has_value());
  }
  EXPECT_TRUE(has_verified);
  ASSERT_TRUE(changed.has_value());
  EXPECT_EQ(changed->code(), base::StatusCode::kClosed);
}

TEST(ReplicatedSim, TheSameSeedIsTheSameLife) {
  const auto live = [](std::uint64_t seed) {
    SimGroup group(seed);
    EXPECT_TRUE(group.form());
    for (int i = 0; i < 20; ++i) group.submit(static_cast<std::size_t>(i) % 3, increment("n"));
    group.run_for(base::Millis(300));
    group.crash(*group.leader());
    group.run_for(std::chrono::seconds(2));
    return group.loop().trace_hash();
  };
  EXPECT_EQ(live(160), live(160));
  EXPECT_NE(live(160), live(161));
}

}  // namespace
}  // namespace synod::router
