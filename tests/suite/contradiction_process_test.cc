// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>
#include <signal.h>

#include "base/text.h"
#include "tests/suite/node_group.h"

// Nodes whose configurations cannot all be right.
namespace synod::suite {
namespace {

using base::concat;

class ContradictionProcess : public ::testing::Test {
 protected:
  void SetUp() override {
    // A request does not wait long for a leader that never comes.
    for (int node = 1; node <= 3; ++node) {
      group_.setup(node).flags = {"--set", "consensus.hold_ms=500"};
    }
  }
  void start_all() {
    for (int node = 1; node <= 3; ++node) ASSERT_TRUE(group_.start(node).ok());
  }
  void form() {
    const base::Status started = group_.start_members();
    ASSERT_TRUE(started.ok()) << started.to_string();
    group_.put(1, "k", "v");
  }
  bool log_says(int node, const std::string& what) {
    return eventually([&] { return group_.log(node).find(what) != std::string::npos; });
  }
  bool health_says(int node, const std::string& what) {
    return eventually([&] {
      const auto health = group_.ctl(node, {"health"});
      return health.code != 0 && health.output.find(what) != std::string::npos;
    });
  }
  void expect_no_service(int node) {
    EXPECT_NE(group_.ctl(node, {"health"}).code, 0);
    Peer peer(group_.endpoint(node));
    api::SetRequest request;
    request.__set_key("k");
    api::SetResponse reply;
    peer->setKey(reply, request);
    EXPECT_FALSE(reply.success);
  }

  NodeGroup group_{"contradiction", 5, 3};
};

TEST_F(ContradictionProcess, AListThatLacksAMemberEndsItsNodeAndSaysWhatDiffers) {
  group_.setup(2).peers = group_.peers(2);
  start_all();
  EXPECT_GT(group_.exit_code(2), 0);
  EXPECT_NE(group_.log(2).find("contradicting configurations: the group was formed of the members "
                               "1, 2, 3, this node is configured with 1, 2"),
            std::string::npos)
      << group_.log(2);
  // The others agree, and are a majority of what they agree on.
  EXPECT_TRUE(group_.wait_until_ready(1).ok());
  group_.put(3, "k", "v");
  // It may come as soon as it agrees.
  group_.setup(2).peers = group_.peers(3);
  ASSERT_TRUE(group_.start(2).ok());
  EXPECT_TRUE(group_.wait_until_ready(2).ok()) << group_.log(2);
  EXPECT_EQ(group_.read(2, "k"), "v");
}

TEST_F(ContradictionProcess, NobodyServesWhenTheWriterOfTheRecordIsAloneWithItsList) {
  group_.setup(1).peers = group_.peers(2);
  start_all();
  EXPECT_GT(group_.exit_code(2), 0);
  EXPECT_NE(group_.log(2).find("contradicting configurations"), std::string::npos) << group_.log(2);
  EXPECT_TRUE(log_says(1,
                       "node 3 wants to form a group with this node, but the members configured "
                       "here are 1, 2") ||
              log_says(3, "this disk is not of the group"));
  expect_no_service(1);
  expect_no_service(3);
}

TEST_F(ContradictionProcess, ListsOfDifferentNodesNeverBecomeOneGroup) {
  group_.setup(1).peers = group_.peers(3);
  group_.setup(2).peers = group_.peers(4);
  group_.setup(3).peers = group_.peers(5);
  start_all();
  // Node 1 wrote the record that the others cannot take.
  for (const int node : {2, 3}) {
    EXPECT_GT(group_.exit_code(node), 0);
    EXPECT_NE(group_.log(node).find("contradicting configurations"), std::string::npos)
        << group_.log(node);
  }
  expect_no_service(1);
}

TEST_F(ContradictionProcess, AStrangerAmongTheFoundersIsNamedByTheOthers) {
  // Node 3 is not in the lists of 1 and 2, which wait for 4 instead.
  const std::string without = group_.peers(2) + concat(",4=127.0.0.1:", group_.peer_port(4));
  group_.setup(1).peers = without;
  group_.setup(2).peers = without;
  start_all();
  const std::string said =
      "node 3 wants to form a group with this node, but the members configured here are 1, 2, 4";
  EXPECT_TRUE(log_says(1, said)) << group_.log(1);
  EXPECT_TRUE(health_says(1, said)) << group_.ctl(1, {"health"}).output;
  EXPECT_TRUE(health_says(2, said)) << group_.ctl(2, {"health"}).output;
  for (int node = 1; node <= 3; ++node) expect_no_service(node);
}

TEST_F(ContradictionProcess, TwoNodesOfOneNumberDoNotMakeAGroup) {
  group_.setup(3).number = 2;
  group_.setup(3).peers =
      concat("1=127.0.0.1:", group_.peer_port(1), ",2=127.0.0.1:", group_.peer_port(3),
             ",3=127.0.0.1:", group_.peer_port(2));
  start_all();
  EXPECT_TRUE(log_says(1, "this is node 2, wanted was node 3")) << group_.log(1);
  for (int node = 1; node <= 3; ++node) {
    EXPECT_EQ(group_.log(node).find("the group is formed"), std::string::npos);
    expect_no_service(node);
  }
}

TEST_F(ContradictionProcess, AnAddressOfAnotherNodeIsNoticedAndTheGroupServes) {
  form();
  group_.process(3).kill_and_wait();
  group_.setup(3).peers =
      concat("1=127.0.0.1:", group_.peer_port(2), ",2=127.0.0.1:", group_.peer_port(1),
             ",3=127.0.0.1:", group_.peer_port(3));
  ASSERT_TRUE(group_.start(3).ok());
  // The others say where they are.
  EXPECT_TRUE(group_.wait_until_ready(3).ok());
  EXPECT_TRUE(log_says(3, "this is node 2, wanted was node 1") ||
              log_says(3, "this is node 1, wanted was node 2"))
      << group_.log(3);
  EXPECT_EQ(group_.read(3, "k"), "v");
  EXPECT_EQ(group_.ctl(3, {"verify"}).code, 0);
}

TEST_F(ContradictionProcess, ADirectoryOfAnotherNumberIsRefused) {
  form();
  for (const int node : {2, 3}) group_.process(node).kill_and_wait();
  std::swap(group_.setup(2).directory, group_.setup(3).directory);
  for (const int node : {2, 3}) {
    ASSERT_TRUE(group_.start(node).ok());
    EXPECT_EQ(group_.exit_code(node), 3);
    EXPECT_NE(group_.log(node).find(concat("node ", node)), std::string::npos) << group_.log(node);
  }
  std::swap(group_.setup(2).directory, group_.setup(3).directory);
  for (const int node : {2, 3}) {
    ASSERT_TRUE(group_.start(node).ok());
    EXPECT_TRUE(group_.wait_until_ready(node).ok());
  }
  EXPECT_EQ(group_.read(2, "k"), "v");
}

TEST_F(ContradictionProcess, AMemberOfAnotherGroupIsRefusedOnBothSides) {
  form();
  NodeGroup other("contradiction-other", 3, 3);
  ASSERT_TRUE(other.start_members().ok());
  other.put(1, "k", "other");
  // Node 3 of the other group comes with its disk, configured as node 3 of ours.
  other.process(3).kill_and_wait();
  group_.process(3).kill_and_wait();
  const auto ours = group_.setup(3).directory;
  group_.setup(3).directory = other.setup(3).directory;
  ASSERT_TRUE(group_.start(3).ok());
  EXPECT_TRUE(log_says(3, "it belongs to another cluster")) << group_.log(3);
  EXPECT_TRUE(log_says(1, "it belongs to another cluster")) << group_.log(1);
  expect_no_service(3);
  EXPECT_EQ(group_.read(1, "k"), "v");
  group_.process(3).kill_and_wait();
  group_.setup(3).directory = ours;
  ASSERT_TRUE(group_.start(3).ok());
  EXPECT_TRUE(group_.wait_until_ready(3).ok());
  EXPECT_EQ(group_.read(3, "k"), "v");
}

/// What each node admits may differ; what one has admitted, all of them execute.
TEST_F(ContradictionProcess, LimitsOfOneNodeDoNotHurtItWhenTheOthersAreMoreGenerous) {
  group_.setup(2).flags = {
      "--set", "limits.commit_bytes_max=1MiB",    "--set", "limits.value_bytes_max=64KiB",
      "--set", "database.log_segment_bytes=2MiB", "--set", "database.log_bytes_max=64MiB"};
  form();
  const std::string large(6U << 20U, 'x');
  group_.put(1, "large", large);
  group_.put(3, "large", large);
  EXPECT_EQ(group_.read(2, "large"), large);
  EXPECT_EQ(group_.ctl(1, {"verify"}).code, 0);
  // Also after it came back, and had to read them from its log.
  group_.process(2).kill_and_wait();
  ASSERT_TRUE(group_.start(2).ok());
  EXPECT_TRUE(group_.wait_until_ready(2).ok()) << group_.log(2);
  EXPECT_EQ(group_.read(2, "large"), large);
  EXPECT_EQ(group_.log(2).find("FAIL-STOP"), std::string::npos) << group_.log(2);
}

TEST_F(ContradictionProcess, WhatContradictsItselfIsRefusedAtTheStart) {
  group_.setup(1).peers = group_.peers(3) + concat(",3=127.0.0.1:", group_.peer_port(4));
  ASSERT_TRUE(group_.start(1).ok());
  EXPECT_EQ(group_.exit_code(1), 2);
  EXPECT_NE(group_.log(1).find("node 3 is listed twice"), std::string::npos) << group_.log(1);
  group_.setup(2).number = 5;
  ASSERT_TRUE(group_.start(2).ok());
  EXPECT_EQ(group_.exit_code(2), 2);
  EXPECT_NE(group_.log(2).find("server.node_id: 5 is not in cluster.peers"), std::string::npos);
  group_.setup(3).flags = {"--set", "cluster.name=a"};
  ASSERT_TRUE(group_.start(3).ok());
  EXPECT_EQ(group_.exit_code(3), 2);
  EXPECT_NE(group_.log(3).find("cluster.name"), std::string::npos) << group_.log(3);
}

}  // namespace
}  // namespace synod::suite
