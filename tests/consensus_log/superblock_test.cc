// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "consensus/log/superblock_store.h"
#include "tests/consensus_log/fixture.h"

namespace synod::consensus {
namespace {

using storage::CrashPolicy;
using storage::FaultRepeat;
using storage::SimFileSystem;

constexpr CrashPolicy kPolicies[] = {CrashPolicy::kLost, CrashPolicy::kTorn,
                                     CrashPolicy::kReordered};

base::Result<std::unique_ptr<SuperblockStore>> open_store(SimFileSystem& files,
                                                          std::uint64_t seed = 1) {
  return SuperblockStore::open(files, kDirectory, {kSelf, {}, {}}, base::Random(seed));
}

Superblock promised_in(const SuperblockStore& store, std::uint64_t round) {
  Superblock next = store.current();
  next.promised = ballot_of(round);
  return next;
}

/// A formed superblock that promised ballot 1.
void make_formed(SimFileSystem& files) {
  auto store = open_store(files);
  ASSERT_TRUE(store.ok());
  ASSERT_TRUE((*store)->form(kCluster, chain_of({9})).ok());
  ASSERT_TRUE((*store)->write(promised_in(**store, 1)).ok());
}

/// Flips a byte in each of the copies named by `copies`, bit 0 for copy 0.
void rot(SimFileSystem& files, unsigned copies) {
  for (unsigned copy = 0; copy < 4; ++copy) {
    if ((copies >> copy & 1) == 0) continue;
    files.corrupt(superblock_path(copy < 2 ? 'a' : 'b'), copy % 2 * kSuperblockCopyBytesMax + 40,
                  1);
  }
}

TEST(Superblock, SurvivesARoundTripWithEverythingInIt) {
  Superblock written;
  written.version = 9;
  written.replica = kSelf;
  written.incarnation = kDisk;
  written.formation = DiskState::kFormed;
  written.cluster = kCluster;
  written.promised = ballot_of(7, 2);
  written.chain = chain_of({40, 90});
  written.chain.configurations[1].learners = {{ReplicaId(4), Incarnation(44)}};
  written.chain.configurations[2].first_leader = ReplicaId(3);
  written.chain.as_of = Slot(95);
  written.base = Slot(60);
  written.state_directory = "state.60.abc";
  written.log_begin = storage::FrameSeq(33);
  const base::Bytes body = encode_superblock_body(written);
  const auto read = decode_superblock_body(body, 9);
  ASSERT_TRUE(read.ok());
  EXPECT_EQ(encode_superblock_body(*read), body);
  EXPECT_EQ(read->promised, written.promised);
  EXPECT_EQ(read->chain.configurations.size(), 3U);
  EXPECT_EQ(read->chain.configurations[1].learners, written.chain.configurations[1].learners);
  EXPECT_EQ(read->chain.configurations[2].first_leader, ReplicaId(3));
  EXPECT_EQ(read->chain.as_of, Slot(95));
  EXPECT_EQ(read->state_directory, "state.60.abc");
  EXPECT_EQ(read->log_begin, storage::FrameSeq(33));
  for (std::size_t size = 0; size < body.size(); ++size) {
    EXPECT_FALSE(decode_superblock_body(body.substr(0, size), 9).ok()) << size;
  }
}

TEST(Superblock, BeginsBlankWithAnIncarnationAndIsFormedOnce) {
  SimFileSystem files{base::Random(1)};
  Incarnation incarnation;
  {
    auto store = open_store(files);
    ASSERT_TRUE(store.ok());
    EXPECT_EQ((*store)->current().formation, DiskState::kBlank);
    incarnation = (*store)->current().incarnation;
    EXPECT_NE(incarnation, Incarnation());
  }
  auto store = open_store(files, 2);
  ASSERT_TRUE(store.ok());
  EXPECT_EQ((*store)->current().incarnation, incarnation);
  ASSERT_TRUE((*store)->form(kCluster, chain_of()).ok());
  store = open_store(files, 3);
  ASSERT_TRUE(store.ok());
  EXPECT_EQ((*store)->current().formation, DiskState::kFormed);
  EXPECT_EQ((*store)->current().cluster, kCluster);
}

TEST(Superblock, RemembersHowItsGroupForms) {
  SimFileSystem files{base::Random(1)};
  {
    auto store = open_store(files);
    ASSERT_TRUE(store.ok());
    ASSERT_TRUE((*store)->remember({Incarnation(77), Incarnation(5), {}}, "db").ok());
  }
  files.crash(storage::CrashPolicy::kLost);
  files.restart();
  auto store = open_store(files, 2);
  ASSERT_TRUE(store.ok());
  EXPECT_EQ((*store)->current().formation, DiskState::kBlank);
  EXPECT_EQ((*store)->current().incarnation, Incarnation(77));
  EXPECT_EQ((*store)->current().answered, Incarnation(5));
  const ClusterRecord record{kCluster, chain_of()};
  ASSERT_TRUE((*store)->remember({Incarnation(77), Incarnation(5), record}, "db").ok());
  EXPECT_EQ((*store)->current().formation, DiskState::kFormed);
  EXPECT_EQ((*store)->current().cluster, kCluster);
  EXPECT_EQ((*store)->current().state_directory, "db");
}

TEST(Superblock, RefusesAnotherReplicaClusterOrIncarnation) {
  SimFileSystem files{base::Random(1)};
  make_formed(files);
  const auto open = [&files](SuperblockStore::Expected expected) {
    return SuperblockStore::open(files, kDirectory, expected, base::Random(1)).status().code();
  };
  using base::StatusCode;
  EXPECT_EQ(open({ReplicaId(3), {}, {}}), StatusCode::kCorruption);
  EXPECT_EQ(open({kSelf, ClusterId(1), {}}), StatusCode::kCorruption);
  EXPECT_EQ(open({kSelf, {}, Incarnation(5)}), StatusCode::kCorruption);
  EXPECT_EQ(open({kSelf, kCluster, {}}), StatusCode::kOk);
}

TEST(Superblock, AnyTwoDamagedCopiesAreRepairedAndThreeAreALostMemory) {
  for (unsigned copies = 0; copies < 16; ++copies) {
    SimFileSystem files{base::Random(1)};
    make_formed(files);
    rot(files, copies);
    auto store = open_store(files, 2);
    const int bad = __builtin_popcount(copies);
    if (bad > 2) {
      EXPECT_EQ(store.status().code(), base::StatusCode::kCorruption) << copies;
      EXPECT_NE(store.status().message().find("lost its memory"), std::string::npos);
      continue;
    }
    ASSERT_TRUE(store.ok()) << copies;
    EXPECT_EQ((*store)->current().promised, ballot_of(1));
    store->reset();
    rot(files, ~copies & 3U);  // The open rewrote all four: two others may go now.
    store = open_store(files, 3);
    ASSERT_TRUE(store.ok()) << copies;
    EXPECT_EQ((*store)->current().promised, ballot_of(1));
  }
}

TEST(Superblock, ALostFileIsMadeAgain) {
  for (const char file : {'a', 'b'}) {
    SimFileSystem files{base::Random(1)};
    make_formed(files);
    ASSERT_TRUE(files.remove(superblock_path(file)).ok());
    auto store = open_store(files, 2);
    ASSERT_TRUE(store.ok());
    EXPECT_EQ((*store)->current().promised, ballot_of(1));
    EXPECT_TRUE(files.exists(superblock_path(file)));
  }
}

TEST(Superblock, MissingBesideALogIsALostMemory) {
  SimFileSystem files{base::Random(1)};
  ASSERT_TRUE(open_log(files).status.ok());
  ASSERT_TRUE(files.remove(superblock_path('a')).ok());
  ASSERT_TRUE(files.remove(superblock_path('b')).ok());
  const auto store = open_store(files, 2);
  EXPECT_EQ(store.status().code(), base::StatusCode::kCorruption);
  EXPECT_NE(store.status().message().find("lost its memory"), std::string::npos);
}

TEST(Superblock, EveryFlippedByteIsSurvivedOrSaidAloud) {
  SimFileSystem sample{base::Random(1)};
  make_formed(sample);
  const auto size = storage::read_file(sample, superblock_path('a'))->size();
  for (const char file : {'a', 'b'}) {
    for (std::size_t offset = 0; offset < size; ++offset) {
      if (offset > 400 && offset + 400 < kSuperblockCopyBytesMax) continue;
      SimFileSystem files{base::Random(1)};
      make_formed(files);
      files.corrupt(superblock_path(file), offset, static_cast<char>(1 << offset % 8));
      const auto store = open_store(files, 2);
      ASSERT_TRUE(store.ok()) << offset;
      ASSERT_EQ((*store)->current().promised, ballot_of(1)) << offset;
      ASSERT_EQ((*store)->current().chain.configurations.size(), 2U) << offset;
    }
  }
}

/// Writes promises until the disk fails; returns the last acknowledged and the last tried round.
std::pair<std::uint64_t, std::uint64_t> promise_until_failure(SimFileSystem& files) {
  auto store = open_store(files, 5);
  std::uint64_t acknowledged = 0;
  std::uint64_t round = 1;
  if (!store.ok()) return {0, 0};
  if ((*store)->current().formation == DiskState::kBlank &&
      !(*store)->form(kCluster, chain_of()).ok()) {
    return {0, 0};
  }
  for (; round <= 4; ++round) {
    if (!(*store)->write(promised_in(**store, round)).ok()) break;
    acknowledged = round;
  }
  return {acknowledged, std::min<std::uint64_t>(round, 4)};
}

TEST(Superblock, NoPointOfFailureTakesBackAnAcknowledgedPromise) {
  std::uint64_t points = 0;
  bool reached = true;
  for (std::uint64_t point = 1; reached; ++point) {
    for (const CrashPolicy policy : kPolicies) {
      for (const FaultRepeat repeat : {FaultRepeat::kOnce, FaultRepeat::kForEver}) {
        for (unsigned rotten = 0; rotten < 5; ++rotten) {
          SimFileSystem files{base::Random(point)};
          files.set_fail_at(point, repeat);
          const auto [acknowledged, tried] = promise_until_failure(files);
          reached = files.io_count() >= point;
          files.crash(policy);
          files.restart();
          Ballot seen;
          for (std::uint64_t open = 0; open < 3; ++open) {
            auto store = open_store(files, 7 + open);
            ASSERT_TRUE(store.ok()) << point << store.status().to_string();
            const Superblock& current = (*store)->current();
            ASSERT_GE(current.promised.round.value(), acknowledged) << point;
            ASSERT_LE(current.promised.round.value(), tried) << point;
            // What one process acted on, no later one may forget, also after one more damage.
            if (open > 0) {
              ASSERT_EQ(current.promised, seen) << point;
            }
            seen = current.promised;
            store->reset();
            if (rotten < 4) rot(files, 1U << rotten);
          }
          ++points;
        }
      }
    }
  }
  EXPECT_GT(points, 1000U);
}

TEST(Superblock, AFailedWriteClosesTheStore) {
  SimFileSystem files{base::Random(1)};
  make_formed(files);
  auto store = open_store(files, 2);
  files.set_fail_at(files.io_count() + 3, FaultRepeat::kOnce, base::StatusCode::kNoSpace);
  EXPECT_EQ((*store)->write(promised_in(**store, 2)).code(), base::StatusCode::kIoError);
  EXPECT_EQ((*store)->write(promised_in(**store, 3)).code(), base::StatusCode::kIoError);
  EXPECT_EQ((*store)->current().promised, ballot_of(1));
}

TEST(Superblock, AChainThatDoesNotFitIsRefusedBeforeAnythingIsWritten) {
  SimFileSystem files{base::Random(1)};
  make_formed(files);
  auto store = open_store(files, 2);
  Superblock next = promised_in(**store, 2);
  next.state_directory.assign(kSuperblockCopyBytesMax, 'x');
  EXPECT_EQ((*store)->write(next).code(), base::StatusCode::kLimitExceeded);
  EXPECT_TRUE((*store)->write(promised_in(**store, 2)).ok());
}

}  // namespace
}  // namespace synod::consensus
