// SPDX-License-Identifier: Apache-2.0
// Who is of the group: directories that are refused, disks that join, members that change.
#include <gtest/gtest.h>

#include <algorithm>

#include "router/standalone.h"
#include "storage/sim_backend.h"
#include "tests/router/sim_group.h"
#include "tests/router/sim_server.h"

namespace synod::router {
namespace {

using base::StatusCode;

std::vector<std::uint32_t> voters_of(SimGroup& group, std::size_t node) {
  std::vector<std::uint32_t> voters;
  const auto status = group.status(node);
  if (!status || !status->group) return voters;
  for (const MemberView& member : status->group->members) {
    if (member.is_voter) voters.push_back(member.node_id);
  }
  std::sort(voters.begin(), voters.end());
  return voters;
}

std::size_t follower_of(std::size_t leader) { return leader == 2 ? 1 : 2; }

base::Result<std::unique_ptr<Standalone>> open_standalone(storage::SimFileSystem& files,
                                                          base::SimDispatcher& thread) {
  StandaloneOptions options;
  options.directory = "/data";
  options.node.node_id = 1;
  options.log.segment_bytes = 64U << 10;
  StandaloneSeams seams{files,
                        thread,
                        thread,
                        thread,
                        base::Random(1),
                        [&files](const std::string& directory) {
                          return storage::open_sim_backend(files, directory, 7);
                        },
                        [](const std::string&) {}};
  return Standalone::open(std::move(seams), options);
}

TEST(ReplicatedMembers, ADirectoryServesOneModeOnly) {
  SimGroup group(201);
  base::SimLoop loop(1);
  base::SimDispatcher& thread = loop.add_dispatcher();
  ASSERT_TRUE(open_standalone(group.files(0), thread).ok());
  group.files(0).restart();
  base::Status refused = group.start(0);
  EXPECT_EQ(refused.code(), StatusCode::kCorruption);
  EXPECT_NE(refused.message().find("stands alone"), std::string::npos) << refused.message();
  group.lose_disk(0);
  ASSERT_TRUE(group.start(0).ok());
  group.crash(0);
  refused = open_standalone(group.files(0), thread).status();
  EXPECT_EQ(refused.code(), StatusCode::kCorruption);
  EXPECT_NE(refused.message().find("replica of a group"), std::string::npos) << refused.message();
}

TEST(ReplicatedMembers, ADirectoryWithDataAndNoSuperblockIsRefused) {
  SimGroup group(202);
  ASSERT_TRUE(group.form());
  ASSERT_TRUE(group.execute(0, write("k", "v")).ok());
  const std::size_t victim = follower_of(*group.leader());
  group.crash(victim);
  for (const char* name : {"/data/superblock.a", "/data/superblock.b"}) {
    ASSERT_TRUE(group.files(victim).remove(name).ok());
  }
  const base::Status refused = group.start(victim);
  EXPECT_EQ(refused.code(), StatusCode::kCorruption);
  EXPECT_NE(refused.message().find("lost its memory"), std::string::npos) << refused.message();
  EXPECT_NE(refused.message().find("member replace"), std::string::npos) << refused.message();
}

TEST(ReplicatedMembers, ContradictingListsOfMembersAreNamed) {
  SimGroup group(203, 3, 4);
  group.options(1).members = {1, 2, 3, 4};
  for (std::size_t node = 0; node < 3; ++node) ASSERT_TRUE(group.start(node).ok());
  ASSERT_TRUE(group.run_until([&] { return !group.fatal(1).empty(); }));
  EXPECT_NE(group.fatal(1).find("contradicting configurations"), std::string::npos);
  EXPECT_NE(group.fatal(1).find("1, 2, 3, 4"), std::string::npos) << group.fatal(1);
  EXPECT_FALSE(group.is_up(1));
  // With the right list it is the member that the record names.
  group.options(1).members = {1, 2, 3};
  ASSERT_TRUE(group.start(1).ok());
  ASSERT_TRUE(group.wait_for_leader());
  group.run_for(std::chrono::seconds(2));
  EXPECT_EQ(group.status(1)->group->role == "forming", false);
}

TEST(ReplicatedMembers, ANodeIsAddedCatchesUpAndVotes) {
  SimGroup group(210, 3, 4);
  ASSERT_TRUE(group.form());
  for (int i = 0; i < 50; ++i) ASSERT_TRUE(group.execute(0, increment("n")).ok());
  ASSERT_TRUE(group.start(3).ok());
  group.run_for(std::chrono::seconds(2));
  EXPECT_EQ(group.status(3)->group->role, "joining");
  const std::size_t leader = *group.leader();
  const base::Status refused = group.change_member(follower_of(leader), MemberChange::kAdd, 4);
  EXPECT_EQ(refused.code(), StatusCode::kUnavailable);
  EXPECT_NE(refused.message().find("ask node " + std::to_string(leader + 1)), std::string::npos)
      << refused.message();
  const base::Status added = group.change_member(leader, MemberChange::kAdd, 4);
  ASSERT_TRUE(added.ok()) << added.to_string();
  EXPECT_EQ(voters_of(group, leader), (std::vector<std::uint32_t>{1, 2, 3, 4}));
  ASSERT_TRUE(group.wait_for_leader());
  EXPECT_TRUE(group.execute(3, increment("n")).ok());
  EXPECT_EQ(group.get(3, "n"), "51");
  EXPECT_TRUE(group.converge());
  EXPECT_EQ(group.change_member(*group.leader(), MemberChange::kAdd, 4).code(),
            StatusCode::kAlreadyExists);
}

TEST(ReplicatedMembers, ANodeThatNeverAskedIsNotAdded) {
  SimGroup group(211, 3, 4);
  ASSERT_TRUE(group.form());
  const base::Status refused = group.change_member(*group.leader(), MemberChange::kAdd, 4);
  EXPECT_EQ(refused.code(), StatusCode::kNotFound) << refused.to_string();
  EXPECT_EQ(voters_of(group, *group.leader()), (std::vector<std::uint32_t>{1, 2, 3}));
}

TEST(ReplicatedMembers, AMemberIsRemovedTheLeaderToo) {
  SimGroup group(212, 4, 4);
  ASSERT_TRUE(group.form());
  ASSERT_TRUE(group.execute(0, write("k", "v")).ok());
  const std::size_t first = *group.leader();
  base::Status removed =
      group.change_member(first, MemberChange::kRemove, static_cast<std::uint32_t>(first + 1));
  ASSERT_TRUE(removed.ok()) << removed.to_string();
  group.run_for(std::chrono::seconds(1));
  EXPECT_EQ(group.status(first)->group->role, "removed");
  ASSERT_TRUE(group.wait_for_leader());
  const std::size_t second = *group.leader();
  EXPECT_NE(second, first);
  EXPECT_EQ(voters_of(group, second).size(), 3U);
  EXPECT_TRUE(group.execute(second, write("k", "w")).ok());
  EXPECT_EQ(group.change_member(second, MemberChange::kRemove, 9).code(), StatusCode::kNotFound);
}

TEST(ReplicatedMembers, ARemovedMemberThatIsGoneIsNotDialedForEver) {
  SimGroup group(213, 4, 4);
  ASSERT_TRUE(group.form());
  const std::size_t leader = *group.leader();
  const std::size_t gone = follower_of(leader);
  const net::PeerId number(static_cast<std::uint32_t>(gone + 1));
  const auto is_known_to = [&](std::size_t node) {
    const auto peers = group.peers(node);
    return std::any_of(peers.begin(), peers.end(),
                       [&](const auto& each) { return each.id == number; });
  };
  ASSERT_TRUE(group.change_member(leader, MemberChange::kRemove, number.value()).ok());
  group.run_for(std::chrono::seconds(15));
  EXPECT_TRUE(is_known_to(leader)) << "it lives, and may have to hear that it was removed";
  group.crash(gone);
  group.run_for(std::chrono::seconds(15));
  for (std::size_t node = 0; node < 4; ++node) {
    EXPECT_FALSE(node != gone && is_known_to(node)) << node;
  }
  // A member that is down is another matter.
  const std::size_t down = gone == 1 ? (leader == 0 ? 2 : 0) : (leader == 0 ? 1 : 0);
  group.crash(down);
  group.run_for(std::chrono::seconds(15));
  EXPECT_EQ(group.peers(leader).size(), 2U);
}

TEST(ReplicatedMembers, ALostDiskComesBackUnderTheSameNumber) {
  for (std::uint64_t seed = 220; seed < 225; ++seed) {
    SimGroup group(seed);
    ASSERT_TRUE(group.form());
    for (int i = 0; i < 30; ++i) ASSERT_TRUE(group.execute(0, increment("n")).ok());
    const std::size_t leader = *group.leader();
    const std::size_t lost = follower_of(leader);
    const auto number = static_cast<std::uint32_t>(lost + 1);
    group.crash(lost);
    group.lose_disk(lost);
    ASSERT_TRUE(group.start(lost).ok());
    group.run_for(std::chrono::seconds(2));
    EXPECT_EQ(group.status(lost)->group->role, "joining");
    const base::Status replaced =
        group.change_member(*group.leader(), MemberChange::kReplace, number, number);
    ASSERT_TRUE(replaced.ok()) << seed << " " << replaced.to_string();
    EXPECT_EQ(voters_of(group, *group.leader()), (std::vector<std::uint32_t>{1, 2, 3}));
    ASSERT_TRUE(group.converge()) << seed;
    EXPECT_EQ(group.get(lost, "n"), "30");
    group.crash(leader);
    ASSERT_TRUE(group.wait_for_leader()) << seed;
    EXPECT_TRUE(group.execute(lost, increment("n")).ok());
  }
}

TEST(ReplicatedMembers, AnotherNodeTakesTheLostOnesPlace) {
  SimGroup group(230, 3, 4);
  ASSERT_TRUE(group.form());
  for (int i = 0; i < 30; ++i) ASSERT_TRUE(group.execute(0, increment("n")).ok());
  const std::size_t leader = *group.leader();
  const std::size_t lost = follower_of(leader);
  group.crash(lost);
  ASSERT_TRUE(group.start(3).ok());
  group.run_for(std::chrono::seconds(1));
  const base::Status replaced =
      group.change_member(leader, MemberChange::kReplace, static_cast<std::uint32_t>(lost + 1), 4);
  ASSERT_TRUE(replaced.ok()) << replaced.to_string();
  const auto voters = voters_of(group, leader);
  EXPECT_EQ(voters.size(), 3U);
  EXPECT_EQ(std::count(voters.begin(), voters.end(), 4U), 1);
  EXPECT_EQ(group.get(3, "n"), "30");
}

TEST(ReplicatedMembers, LeadershipMovesWhereItIsSent) {
  SimGroup group(240);
  ASSERT_TRUE(group.form());
  ASSERT_TRUE(group.converge());
  const std::size_t leader = *group.leader();
  const std::size_t target = follower_of(leader);
  std::optional<base::Status> moved;
  const auto keep = [&moved](base::Status status) { moved = std::move(status); };
  group.store(target).transfer_leadership(static_cast<std::uint32_t>(leader + 1), keep);
  ASSERT_TRUE(group.run_until([&] { return moved.has_value(); }));
  EXPECT_EQ(moved->code(), StatusCode::kUnavailable);
  moved.reset();
  group.store(leader).transfer_leadership(static_cast<std::uint32_t>(target + 1), keep);
  ASSERT_TRUE(group.run_until([&] { return moved.has_value(); }));
  EXPECT_TRUE(moved->ok()) << moved->to_string();
  group.run_for(base::Millis(500));
  EXPECT_EQ(group.leader(), target);
  moved.reset();
  group.store(target).transfer_leadership(0, keep);
  ASSERT_TRUE(group.run_until([&] { return moved.has_value(); }));
  EXPECT_TRUE(moved->ok()) << moved->to_string();
}

TEST(ReplicatedMembers, AnOperatorsSnapshotNamesItsSlot) {
  SimGroup group(250);
  ASSERT_TRUE(group.form());
  for (int i = 0; i < 10; ++i) ASSERT_TRUE(group.execute(0, increment("n")).ok());
  std::optional<base::Result<std::uint64_t>> slot;
  group.store(0).snapshot([&](base::Result<std::uint64_t> done) { slot = std::move(done); });
  ASSERT_TRUE(group.run_until([&] { return slot.has_value(); }));
  ASSERT_TRUE(slot->ok()) << slot->status().to_string();
  EXPECT_GT(**slot, 10U);
}

}  // namespace
}  // namespace synod::router
