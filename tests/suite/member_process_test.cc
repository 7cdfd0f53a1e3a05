// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>
#include <signal.h>

#include <atomic>
#include <chrono>
#include <thread>

#include "base/text.h"
#include "tests/suite/node_group.h"

// A group whose members change and stop, while clients go on.
namespace synod::suite {
namespace {

using base::concat;
using SteadyClock = std::chrono::steady_clock;

/// Writes one key after the other at one node. What is refused, or perhaps done, is written again.
class BusyWriter {
 public:
  explicit BusyWriter(const NodeEndpoint& endpoint)
      : endpoint_(endpoint), thread_([this] { run(); }) {}
  ~BusyWriter() { stop(); }

  void stop() {
    is_over_ = true;
    if (thread_.joinable()) thread_.join();
  }
  [[nodiscard]] int acknowledged() const { return acknowledged_; }
  [[nodiscard]] std::chrono::milliseconds longest_pause() const { return longest_; }
  /// Until `more` writes were acknowledged.
  [[nodiscard]] bool goes_on(int more) const {
    const int from = acknowledged_;
    return eventually([&] { return acknowledged_ >= from + more; });
  }
  static std::string key(int number) { return concat("written/", number); }

 private:
  void run() {
    auto last = SteadyClock::now();
    while (!is_over_) {
      if (!write_one(acknowledged_)) continue;
      const auto now = SteadyClock::now();
      longest_ =
          std::max(longest_, std::chrono::duration_cast<std::chrono::milliseconds>(now - last));
      last = now;
      ++acknowledged_;
    }
  }
  bool write_one(int number) {
    try {
      if (!peer_) peer_ = std::make_unique<Peer>(endpoint_);
      api::SetRequest request;
      request.__set_key(key(number));
      request.__set_value(std::to_string(number));
      api::SetResponse reply;
      (*peer_)->setKey(reply, request);
      return reply.success;
    } catch (const std::exception&) {
      peer_.reset();
      return false;
    }
  }

  const NodeEndpoint endpoint_;
  std::unique_ptr<Peer> peer_;
  std::atomic<bool> is_over_{false};
  std::atomic<int> acknowledged_{0};
  std::chrono::milliseconds longest_{0};
  std::thread thread_;
};

class MemberProcess : public ::testing::Test {
 protected:
  void start() {
    const base::Status started = group_.start_members();
    ASSERT_TRUE(started.ok()) << started.to_string();
  }

  /// Says it to whoever leads, as long as that changes.
  void change(const std::vector<std::string>& arguments, int asked) {
    Finished answer;
    const bool is_done = eventually([&] {
      const int leader = group_.leader_at(asked);
      if (leader == 0) return false;
      answer = group_.ctl(leader, arguments);
      return answer.code == 0;
    });
    EXPECT_TRUE(is_done) << answer.output;
  }

  void expect_all_there(int node, const BusyWriter& writer) {
    Peer peer(group_.endpoint(node));
    for (int number = 0; number < writer.acknowledged(); ++number) {
      api::GetRequest request;
      request.__set_key(BusyWriter::key(number));
      api::GetResponse reply;
      peer->get(reply, request);
      ASSERT_FALSE(reply.__isset.error) << reply.error;
      ASSERT_TRUE(reply.found) << "acknowledged and lost: " << number << " at node " << node;
      ASSERT_EQ(reply.value, std::to_string(number));
    }
  }

  std::string line_of(int asked, int member) {
    const std::string text = group_.ctl(asked, {"members"}).output;
    const std::size_t at = text.find(concat("node ", member, " "));
    return at == std::string::npos ? "" : text.substr(at, text.find('\n', at) - at);
  }

  NodeGroup group_{"members", 4, 3};
};

TEST_F(MemberProcess, MembersComeGoAndAreReplacedUnderWrites) {
  start();
  BusyWriter writer(group_.endpoint(3));
  ASSERT_TRUE(writer.goes_on(20));

  ASSERT_TRUE(group_.start(4).ok());
  ASSERT_TRUE(eventually([&] { return line_of(1, 4).find("asks to join") != std::string::npos; }));
  change({"member", "add", "4"}, 3);
  EXPECT_TRUE(eventually([&] { return line_of(3, 4).find("voter") != std::string::npos; }));
  ASSERT_TRUE(writer.goes_on(20));

  change({"member", "remove", "1"}, 3);
  EXPECT_TRUE(eventually([&] { return line_of(3, 1).find("voter") == std::string::npos; }));
  EXPECT_TRUE(eventually(
      [&] { return group_.log(1).find("was removed from its group") != std::string::npos; }));
  group_.process(1).signal(SIGTERM);
  EXPECT_EQ(group_.exit_code(1), 0);
  ASSERT_TRUE(writer.goes_on(20));

  // The list of node 2 does not have the one who will take it in.
  if (group_.leader_at(3) != 4) change({"transfer-leader", "4"}, 3);
  ASSERT_TRUE(eventually([&] { return group_.leader_at(3) == 4; }));
  group_.process(2).kill_and_wait();
  std::filesystem::remove_all(group_.setup(2).directory);
  ASSERT_TRUE(group_.start(2).ok());
  change({"member", "replace", "2", "2"}, 3);
  EXPECT_TRUE(group_.wait_until_ready(2).ok());
  ASSERT_TRUE(writer.goes_on(20));

  writer.stop();
  for (const int node : {2, 3, 4}) expect_all_there(node, writer);
  const auto verified = group_.ctl(3, {"verify"});
  EXPECT_EQ(verified.code, 0) << verified.output;
}

TEST_F(MemberProcess, EveryMemberIsShownWithItsAddress) {
  start();
  for (int asked = 1; asked <= 3; ++asked) {
    for (int member = 1; member <= 3; ++member) {
      const std::string line = line_of(asked, member);
      EXPECT_NE(line.find(concat("127.0.0.1:", group_.peer_port(member))), std::string::npos)
          << "node " << asked << " says: " << line;
    }
  }
}

TEST_F(MemberProcess, ALeaderThatIsStoppedHandsOverFirst) {
  for (int node = 1; node <= 3; ++node) {
    // Without being told, the others would find out late.
    group_.setup(node).flags = {"--set", "consensus.election_timeout_ms=5000"};
  }
  start();
  // A replica that has just started lets nobody take over for as long as an election would wait.
  ASSERT_TRUE(eventually([&] {
    for (int node = 1; node <= 3; ++node) {
      if (std::stoi(group_.field(node, "uptime_seconds")) < 7) return false;
    }
    return true;
  }));
  const int leader = group_.leader_at(1);
  ASSERT_NE(leader, 0);
  const int follower = leader % 3 + 1;
  const std::string ballot = group_.field(follower, "ballot");
  BusyWriter writer(group_.endpoint(follower));
  ASSERT_TRUE(writer.goes_on(20));
  group_.process(leader).signal(SIGTERM);
  EXPECT_EQ(group_.exit_code(leader), 0);
  ASSERT_TRUE(writer.goes_on(20));
  writer.stop();
  EXPECT_NE(group_.field(follower, "ballot"), ballot);
  EXPECT_NE(group_.leader_at(follower), leader);
  EXPECT_NE(group_.log(leader).find("another node leads from here on"), std::string::npos);
  EXPECT_LT(writer.longest_pause(), std::chrono::seconds(4));
  expect_all_there(follower, writer);
  // The last one but one has nobody left to hand over to, and ends all the same.
  for (int node = 1; node <= 3; ++node) group_.process(node).signal(SIGTERM);
  for (int node = 1; node <= 3; ++node) {
    if (!group_.process(node).running()) continue;
    EXPECT_EQ(group_.exit_code(node), 0);
  }
}

TEST_F(MemberProcess, AHealthyStartWarnsOfNoFrame) {
  start();
  group_.put(2, "k", "v");
  for (int node = 1; node <= 3; ++node) {
    EXPECT_EQ(group_.log(node).find("was refused"), std::string::npos) << group_.log(node);
    EXPECT_EQ(group_.log(node).find("cannot be read"), std::string::npos) << group_.log(node);
  }
}

TEST_F(MemberProcess, TheLogHasASizeAsSoonAsANodeServes) {
  start();
  for (int node = 1; node <= 3; ++node) EXPECT_NE(group_.field(node, "log_bytes"), "0");
}

}  // namespace
}  // namespace synod::suite
