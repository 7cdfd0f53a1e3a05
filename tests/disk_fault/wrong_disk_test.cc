// SPDX-License-Identifier: Apache-2.0
// A replica's directory is gone, another's, another cluster's, or an old copy of its own.
#include <gtest/gtest.h>
#include <signal.h>

#include "base/text.h"
#include "tests/disk_fault/disk_group.h"

namespace synod::disk_fault {
namespace {

namespace fs = std::filesystem;

constexpr int kServeSeconds = 10;
constexpr const char* kOtherCluster = "it belongs to another cluster";
constexpr Seconds kSilence(3);  ///< In which a group without a majority acknowledges nothing.

class WrongDisk : public testing::Test {
 protected:
  void SetUp() override {
    const base::Status begun = nodes_.begin(1500);
    ASSERT_TRUE(begun.ok()) << begun.to_string();
  }
  void settled() {
    const base::Status settled = nodes_.settle(true);
    ASSERT_TRUE(settled.ok()) << settled.to_string();
  }
  [[nodiscard]] fs::path data(std::size_t node) { return nodes_.nodes().data_of(node); }

  WorkDirectory work_{"wrong-disk"};
  DiskGroup nodes_{work_.path()};
};

TEST_F(WrongDisk, ThatIsEmptyVotesForNothingUntilTheOperatorLetsItIn) {
  for (std::size_t lost = 0; lost < kNodes; ++lost) {
    const std::size_t up = (lost + 1) % kNodes;
    const std::size_t down = (lost + 2) % kNodes;
    nodes_.nodes().kill(lost);
    fs::remove_all(data(lost));
    const base::Status served = nodes_.write_some(50, lost);
    ASSERT_TRUE(served.ok()) << served.to_string();
    ASSERT_TRUE(nodes_.start(lost).serves);
    // With it and one other there is no majority.
    nodes_.nodes().kill(down);
    EXPECT_FALSE(nodes_.nodes().time_to_write(up, kSilence).ok()) << "a blank disk voted";
    ASSERT_TRUE(nodes_.start(down).serves);
    const auto back = nodes_.nodes().time_to_write(up, Seconds(kServeSeconds));
    ASSERT_TRUE(back.ok()) << back.status().to_string();
    const auto members = nodes_.nodes().ctl(up, {"members"});
    EXPECT_NE(members.output.find("asks to join"), std::string::npos) << members.output;
    const base::Status in = nodes_.let_in(lost);
    ASSERT_TRUE(in.ok()) << in.to_string();
    settled();
    // Now it is one of the two that are enough.
    nodes_.nodes().kill(down);
    const auto with = nodes_.nodes().time_to_write(lost, Seconds(kServeSeconds));
    ASSERT_TRUE(with.ok()) << with.status().to_string();
    ASSERT_TRUE(nodes_.start(down).serves);
    settled();
    if (HasFailure()) return;
  }
}

TEST_F(WrongDisk, OfAnotherNodeIsRefused) {
  nodes_.nodes().kill(1);
  nodes_.nodes().kill(2);
  const auto swap = [&] {
    fs::rename(data(1), work_.path() / "aside");
    fs::rename(data(2), data(1));
    fs::rename(work_.path() / "aside", data(2));
  };
  swap();
  for (const std::size_t node : {1U, 2U}) {
    const auto started = nodes_.start(node);
    EXPECT_TRUE(started.is_refused) << started.said;
    const std::string reason =
        base::concat("belongs to node ", 4 - node, ", this is node ", node + 1);
    EXPECT_NE(started.said.find(reason), std::string::npos) << started.said;
  }
  swap();
  ASSERT_TRUE(nodes_.start(1).serves);
  ASSERT_TRUE(nodes_.start(2).serves);
  settled();
}

TEST_F(WrongDisk, OfAnotherClusterIsRefused) {
  WorkDirectory elsewhere("other-cluster");
  {
    DiskGroup other(elsewhere.path());
    const base::Status begun = other.begin(200);
    ASSERT_TRUE(begun.ok()) << begun.to_string();
  }
  nodes_.nodes().kill(2);
  fs::rename(data(2), work_.path() / "aside");
  fs::rename(elsewhere.path() / "node_3", data(2));
  const std::size_t log = nodes_.log_size(0);
  const std::size_t own_log = nodes_.log_size(2);
  ASSERT_TRUE(nodes_.start(2).serves);
  EXPECT_TRUE(nodes_.wait_for_log(2, own_log, kOtherCluster, Seconds(kServeSeconds)));
  EXPECT_TRUE(nodes_.wait_for_log(0, log, kOtherCluster, Seconds(kServeSeconds)));
  const base::Status served = nodes_.write_some(100, 2);
  EXPECT_TRUE(served.ok()) << served.to_string();
  nodes_.nodes().kill(1);
  EXPECT_FALSE(nodes_.nodes().time_to_write(0, kSilence).ok()) << "a stranger voted";
  EXPECT_FALSE(nodes_.nodes().time_to_write(2, kSilence).ok()) << "a stranger serves";
  nodes_.nodes().kill(2);
  fs::remove_all(data(2));
  fs::rename(work_.path() / "aside", data(2));
  ASSERT_TRUE(nodes_.start(1).serves);
  ASSERT_TRUE(nodes_.start(2).serves);
  settled();
}

/// What a backup tool of files would keep: no sockets.
void copy_files(const fs::path& from, const fs::path& to) {
  fs::create_directories(to);
  for (const auto& entry : fs::directory_iterator(from)) {
    const fs::path target = to / entry.path().filename();
    if (entry.is_directory()) copy_files(entry.path(), target);
    if (entry.is_regular_file()) fs::copy_file(entry.path(), target);
  }
}

/// Node 3 gets an old copy of its directory. What was acknowledged since lies on it and on node 2
/// alone, which is down: node 1 and the old copy are a majority that knows nothing of it.
void put_old_copy_back(DiskGroup& nodes, const fs::path& aside, bool restarts_since) {
  const fs::path own = nodes.nodes().data_of(2);
  nodes.nodes().kill(2);
  copy_files(own, aside);
  ASSERT_TRUE(nodes.start(2).serves);
  const base::Status equal = nodes.settle();
  ASSERT_TRUE(equal.ok()) << equal.to_string();
  ASSERT_TRUE(nodes.wait_for_leader(std::nullopt, Seconds(kServeSeconds)).ok());
  if (restarts_since) {
    nodes.nodes().kill(2);
    ASSERT_TRUE(nodes.start(2).serves);
    ASSERT_TRUE(nodes.settle().ok());
  }
  nodes.nodes().signal(0, SIGSTOP);
  const base::Status written = nodes.write_some(200, 0);
  nodes.nodes().kill(1);
  nodes.nodes().kill(2);
  ASSERT_TRUE(written.ok()) << written.to_string();
  fs::remove_all(own);
  fs::rename(aside, own);
  nodes.nodes().signal(0, SIGCONT);
}

class OldCopy : public WrongDisk, public testing::WithParamInterface<bool> {};

TEST_P(OldCopy, ThatIsPutBackIsNoticedByWhoSawTheNewer) {
  put_old_copy_back(nodes_, work_.path() / "copy", GetParam());
  if (HasFatalFailure()) return;
  const std::size_t log = nodes_.log_size(0);
  ASSERT_TRUE(nodes_.start(2).serves);
  EXPECT_TRUE(nodes_.wait_for_log(0, log, "older disk", Seconds(kServeSeconds)))
      << nodes_.log_since(0, log);
  EXPECT_FALSE(nodes_.nodes().time_to_write(0, kSilence).ok())
      << "a majority that forgot what was acknowledged serves";
  ASSERT_TRUE(nodes_.start(1).serves);
  const base::Status in = nodes_.replace_disk(2);
  ASSERT_TRUE(in.ok()) << in.to_string();
  settled();
}

INSTANTIATE_TEST_SUITE_P(, OldCopy, testing::Bool(),
                         [](const auto& each) { return each.param ? "WithRestarts" : "Plain"; });

}  // namespace
}  // namespace synod::disk_fault
