// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "base/text.h"
#include "router/snapshot_files.h"
#include "tests/router/machine_rig.h"

namespace synod::router {
namespace {

using consensus::SnapshotId;
using consensus::SnapshotManifest;
using storage::CrashPolicy;

/// A source with a snapshot of slot 40 of a log of 80, and an empty replica.
class SnapshotPulls : public testing::Test {
 protected:
  SnapshotPulls() : loop(11), source(loop, 11, log), target(loop, 12, log) {
    log.random_entries(11, 80);
    last = log.size();
  }
  void SetUp() override {
    ASSERT_TRUE(source.open().ok());
    ASSERT_TRUE(target.open().ok());
    source.apply_until(40);
    auto taken = source.snapshot();
    ASSERT_TRUE(taken.ok()) << taken.status().to_string();
    manifest = std::move(*taken);
  }
  [[nodiscard]] std::string staged_file() const {
    return base::concat("/data/staging/", id_name(manifest.id.value()), "/",
                        manifest.files[0].name);
  }

  DecidedLog log;
  base::SimLoop loop;
  MachineRig source;
  MachineRig target;
  SnapshotManifest manifest;
  std::uint64_t last = 0;
};

TEST_F(SnapshotPulls, ASnapshotSaysWhatIsInIt) {
  EXPECT_EQ(manifest.slot.value(), 40U);
  EXPECT_TRUE(is_same_label({manifest.slot, manifest.fence, manifest.chain}, log.label(40)));
  ASSERT_TRUE(source.machine().newest_snapshot().has_value());
  EXPECT_EQ(source.machine().newest_snapshot()->id, manifest.id);
  source.power_cut(CrashPolicy::kLost);
  ASSERT_TRUE(source.open().ok());
  ASSERT_TRUE(source.machine().newest_snapshot().has_value());
  EXPECT_EQ(source.machine().newest_snapshot()->id, manifest.id);
}

TEST_F(SnapshotPulls, AReplicaBecomesWhatItPulledAndGoesOnFromThere) {
  ASSERT_TRUE(target.pull(source, manifest, 97));
  const auto image = target.finish(manifest);
  ASSERT_TRUE(image.ok()) << image.status().to_string();
  ASSERT_TRUE(target.switch_to(*image).ok());
  EXPECT_EQ(target.applied(), 40U);
  EXPECT_EQ(target.machine().durable_applied().value(), 40U);
  EXPECT_TRUE(target.agrees_with_log());
  EXPECT_EQ(target.heard(), (std::vector<std::string>{"skipped to 40"}));
  target.apply_until(last);
  ASSERT_TRUE(target.flush().ok());
  target.settle();
  EXPECT_FALSE(target.files().exists("/data/db"));
  target.power_cut(CrashPolicy::kLost);
  ASSERT_TRUE(target.open(image->directory).ok());
  EXPECT_EQ(target.applied(), last);
  EXPECT_TRUE(target.agrees_with_log());
}

TEST_F(SnapshotPulls, AReaderKeepsTheOldImageWhole) {
  target.apply_until(20);
  ASSERT_TRUE(target.pull(source, manifest, 4096));
  const auto image = target.finish(manifest);
  ASSERT_TRUE(image.ok());
  auto reader = target.machine().image();
  ASSERT_TRUE(target.switch_to(*image).ok());
  target.apply_until(last);
  target.settle();
  EXPECT_EQ(reader->database->hash(), log.hash(20));
  EXPECT_TRUE(reader->database->verify_tables().ok());
  EXPECT_TRUE(target.files().exists("/data/db/ROWS"));
  reader.reset();
  target.settle();
  EXPECT_FALSE(target.files().exists("/data/db"));
  EXPECT_TRUE(target.agrees_with_log());
}

TEST_F(SnapshotPulls, AReaderMayOutliveTheMachine) {
  target.apply_until(20);
  auto reader = target.machine().image();
  target.stop();
  EXPECT_EQ(reader->database->hash(), log.hash(20));
  reader.reset();
  ASSERT_TRUE(target.open().ok());
  EXPECT_TRUE(target.agrees_with_log());
}

TEST_F(SnapshotPulls, GoesOnWhereItEndedAlsoAfterACrash) {
  for (std::size_t parts = 1; parts < 12; ++parts) {
    if (target.pull(source, manifest, 64, parts)) break;
    if (parts % 3 == 0) {
      target.files().kill();
      target.stop();
      target.files().restart();
      ASSERT_TRUE(target.open().ok());
      const auto staged = target.begin(manifest);
      ASSERT_TRUE(staged.ok());
      EXPECT_GT((*staged)[0].bytes, 0U);
    }
  }
  ASSERT_TRUE(target.pull(source, manifest, 4096));
  const auto image = target.finish(manifest);
  ASSERT_TRUE(image.ok()) << image.status().to_string();
  ASSERT_TRUE(target.switch_to(*image).ok());
  EXPECT_TRUE(target.agrees_with_log());
}

TEST_F(SnapshotPulls, WhatIsDamagedOnTheWayIsRefusedAndMayBeginAnew) {
  ASSERT_TRUE(target.pull(source, manifest, 4096));
  target.files().corrupt(staged_file(), 9, 1);
  const auto staged = target.begin(manifest);
  ASSERT_TRUE(staged.ok());
  EXPECT_NE((*staged)[0].crc, manifest.files[0].crc);
  ASSERT_TRUE(target.restart({manifest.id, 0}).ok());
  ASSERT_TRUE(target.pull(source, manifest, 4096));
  target.files().corrupt(staged_file(), 9, 1);
  EXPECT_EQ(target.finish(manifest).status().code(), base::StatusCode::kCorruption);
  EXPECT_TRUE(target.list("/data/staging").empty());
  EXPECT_TRUE(target.agrees_with_log());
  ASSERT_TRUE(target.pull(source, manifest, 4096));
  EXPECT_TRUE(target.finish(manifest).ok());
}

TEST_F(SnapshotPulls, AManifestThatSaysMoreThanTheImageIsRefused) {
  const auto refuses = [this](const SnapshotManifest& wrong) {
    EXPECT_TRUE(target.pull(source, wrong, 4096));
    EXPECT_EQ(target.finish(wrong).status().code(), base::StatusCode::kCorruption);
    EXPECT_TRUE(target.list("/data/staging").empty());
  };
  SnapshotManifest wrong = manifest;
  wrong.slot = wrong.slot.next();
  refuses(wrong);
  wrong = manifest;
  wrong.fence.round = wrong.fence.round.next();
  refuses(wrong);
  wrong = manifest;
  wrong.chain.as_of = wrong.chain.as_of.next();
  refuses(wrong);
  EXPECT_EQ(target.list("/data"), (std::vector<std::string>{"db", "snap", "staging"}));
}

TEST_F(SnapshotPulls, NamesThatLeadElsewhereAreRefused) {
  for (const char* name : {"", ".", "..", "../x", "/etc/x", "a/b", ".hidden", "a b", "a\nb"}) {
    SnapshotManifest wrong = manifest;
    wrong.files[0].name = name;
    EXPECT_EQ(target.begin(wrong).status().code(), base::StatusCode::kInvalidArgument) << name;
  }
  SnapshotManifest twice = manifest;
  twice.files.push_back(twice.files[0]);
  EXPECT_FALSE(target.begin(twice).ok());
}

TEST_F(SnapshotPulls, APartThatLeavesAGapOrExceedsItsFileIsRefused) {
  ASSERT_TRUE(target.begin(manifest).ok());
  EXPECT_FALSE(target.stage({manifest.id, 0, 1, "x"}).ok());
  EXPECT_FALSE(
      target.stage({manifest.id, 0, 0, base::Bytes(manifest.files[0].bytes + 1, 'x')}).ok());
  EXPECT_FALSE(target.stage({manifest.id, 9, 0, "x"}).ok());
  EXPECT_FALSE(target.stage({SnapshotId(1), 0, 0, "x"}).ok());
  EXPECT_TRUE(target.stage({manifest.id, 0, 0, "x"}).ok());
}

TEST_F(SnapshotPulls, AQuestionThatIsRepeatedWhileItWaitsIsReadOnce) {
  const consensus::ReadSnapshot question{
      consensus::ReplicaId(2), consensus::RequestId(7), manifest.id, 0, 0, 97};
  consensus::ReadSnapshot other = question;
  other.to = consensus::ReplicaId(3);
  int answers = 0;
  const auto count = [&answers](const std::optional<base::Bytes>& bytes) {
    if (bytes) ++answers;
  };
  for (int round = 1; round <= 2; ++round) {
    source.on_apply([&] {
      for (int i = 0; i < 5; ++i) source.machine().read_snapshot(question, count);
      source.machine().read_snapshot(other, count);
    });
    source.settle();
    EXPECT_EQ(answers, 2 * round) << "one for each that asks, and again when it is asked again";
  }
}

TEST_F(SnapshotPulls, ADamagedSnapshotIsGoneAndReplacedByTheNext) {
  source.files().corrupt(
      base::concat("/data/snap/", id_name(manifest.id.value()), "/db/", manifest.files[0].name), 3,
      4);
  EXPECT_FALSE(source.read({consensus::ReplicaId(2), {}, manifest.id, 0, 0, 10}).has_value());
  EXPECT_FALSE(source.machine().newest_snapshot().has_value());
  const auto next = source.snapshot();
  ASSERT_TRUE(next.ok());
  EXPECT_TRUE(target.pull(source, *next, 4096));
}

TEST_F(SnapshotPulls, AnOlderSnapshotStaysWhileItIsRead) {
  const auto read = [this](SnapshotId id) {
    return source.read({consensus::ReplicaId(2), {}, id, 0, 0, 10}).has_value();
  };
  ASSERT_TRUE(read(manifest.id));
  source.apply_until(60);
  const auto next = source.snapshot();
  ASSERT_TRUE(next.ok());
  EXPECT_TRUE(read(manifest.id));
  EXPECT_EQ(source.machine().newest_snapshot()->id, next->id);
  source.machine().release_snapshot({consensus::ReplicaId(2), manifest.id});
  source.settle();
  EXPECT_FALSE(read(manifest.id));
  EXPECT_EQ(source.list("/data/snap").size(), 1U);
  EXPECT_TRUE(read(next->id));
}

TEST_F(SnapshotPulls, WhatWasOfferedStaysUntilItIsRead) {
  const consensus::ReplicaId reader(2);
  source.machine().keep_snapshot({reader, manifest.id});
  for (const std::uint64_t slot : {50U, 60U, 70U}) {
    source.apply_until(slot);
    ASSERT_TRUE(source.snapshot().ok());
  }
  source.settle();
  EXPECT_EQ(source.list("/data/snap").size(), 2U) << "it and the newest";
  EXPECT_TRUE(target.pull(source, manifest, 97));
  source.machine().release_snapshot({reader, manifest.id});
  source.settle();
  EXPECT_EQ(source.list("/data/snap").size(), 1U);
}

TEST_F(SnapshotPulls, WhatWasOfferedToWhoNeverComesGoes) {
  source.machine().keep_snapshot({consensus::ReplicaId(2), manifest.id});
  loop.run_for(SnapshotStore::kLease + std::chrono::seconds(1));
  source.apply_until(60);
  ASSERT_TRUE(source.snapshot().ok());
  source.settle();
  EXPECT_EQ(source.list("/data/snap").size(), 1U);
}

TEST_F(SnapshotPulls, ASilentReaderDoesNotKeepSnapshotsForEver) {
  ASSERT_TRUE(source.read({consensus::ReplicaId(2), {}, manifest.id, 0, 0, 10}).has_value());
  loop.run_for(SnapshotStore::kLease + std::chrono::seconds(1));
  source.apply_until(60);
  ASSERT_TRUE(source.snapshot().ok());
  source.settle();
  EXPECT_EQ(source.list("/data/snap").size(), 1U);
}

TEST_F(SnapshotPulls, AnImageThatIsNotWantedLeavesNothingBehind) {
  ASSERT_TRUE(target.pull(source, manifest, 4096));
  ASSERT_TRUE(target.finish(manifest).ok());
  target.machine().discard_staging(manifest.id);
  target.settle();
  EXPECT_EQ(target.list("/data"), (std::vector<std::string>{"db", "snap", "staging"}));
  EXPECT_TRUE(target.list("/data/staging").empty());
}

TEST_F(SnapshotPulls, LeftoversAreRemovedAtTheStart) {
  ASSERT_TRUE(target.pull(source, manifest, 4096));
  ASSERT_TRUE(target.finish(manifest).ok());
  ASSERT_TRUE(target.files().create_directories("/data/snap/0000000000000005/db").ok());
  ASSERT_TRUE(target.files().create_directories("/data/snap/strange").ok());
  target.power_cut(CrashPolicy::kLost);
  ASSERT_TRUE(target.open().ok());
  EXPECT_EQ(target.list("/data"), (std::vector<std::string>{"db", "snap", "staging"}));
  EXPECT_TRUE(target.list("/data/snap").empty());
  EXPECT_TRUE(target.agrees_with_log());
}

TEST_F(SnapshotPulls, AnImageThatDoesNotFitIsNotBegunUntilThereIsRoom) {
  std::uint64_t bytes = 0;
  for (const consensus::SnapshotFile& file : manifest.files) bytes += file.bytes;
  const auto limit_free = [&](std::uint64_t free) {
    const auto space = target.files().space("/data");
    target.files().set_capacity(space->total_bytes - space->free_bytes + free);
  };
  target.stop();
  target.options().disk_reserve_bytes = 10'000;
  ASSERT_TRUE(target.open().ok());
  limit_free(10'000 + bytes - 1);
  const auto refused = target.begin(manifest);
  EXPECT_EQ(refused.status().code(), base::StatusCode::kNoSpace) << refused.status().to_string();
  EXPECT_NE(refused.status().message().find("not pulled before there is room"), std::string::npos);
  EXPECT_TRUE(target.list("/data/staging").empty());
  limit_free(20'000 + bytes);
  EXPECT_TRUE(target.pull(source, manifest, 97));
}

TEST_F(SnapshotPulls, WhatWasStagedMakesRoomAtTheStartOfAShortDisk) {
  ASSERT_FALSE(target.pull(source, manifest, 97, 2));
  target.power_cut(CrashPolicy::kLost);
  ASSERT_TRUE(target.open().ok());
  EXPECT_EQ(target.list("/data/staging").size(), 1U) << "with room it is gone on with";
  target.stop();
  const auto space = target.files().space("/data");
  target.files().set_capacity(space->total_bytes - space->free_bytes + 9'999);
  target.options().disk_reserve_bytes = 10'000;
  ASSERT_TRUE(target.open().ok());
  EXPECT_TRUE(target.list("/data/staging").empty());
}

TEST_F(SnapshotPulls, AfterACrashAnywhereInAnInstallOneOfBothImagesIsWhole) {
  for (const auto cut : {CrashPolicy::kLost, CrashPolicy::kTorn, CrashPolicy::kReordered}) {
    for (std::uint64_t point = 1;; ++point) {
      MachineRig rig(loop, point, log);
      ASSERT_TRUE(rig.open().ok());
      rig.apply_until(10);
      ASSERT_TRUE(rig.flush().ok());
      ASSERT_TRUE(rig.pull(source, manifest, 4096));
      const std::uint64_t first = rig.files().io_count() + point;
      rig.files().set_fail_at(first, storage::FaultRepeat::kForEver);
      const auto image = rig.finish(manifest);
      // The superblock names the image once it is finished.
      if (image.ok()) (void)rig.switch_to(*image);
      rig.settle();
      const bool is_reached = rig.files().io_count() >= first;
      rig.power_cut(cut);
      ASSERT_TRUE(rig.open(image.ok() ? image->directory : "db").ok()) << "point " << point;
      ASSERT_EQ(rig.applied(), image.ok() ? 40U : 10U) << "point " << point;
      ASSERT_TRUE(rig.agrees_with_log()) << "point " << point;
      if (!is_reached) break;
    }
  }
}

}  // namespace
}  // namespace synod::router
