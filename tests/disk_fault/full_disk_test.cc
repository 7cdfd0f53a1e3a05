// SPDX-License-Identifier: Apache-2.0
// One replica's data directory lies on a small file system that becomes full.
#include <gtest/gtest.h>

#include "base/text.h"
#include "tests/disk_fault/disk_group.h"
#include "tests/disk_fault/loop_disk.h"

namespace synod::disk_fault {
namespace {

using SteadyClock = std::chrono::steady_clock;

constexpr int kDiskMebibytes = 96;
constexpr int kRecoverySeconds = 10;
constexpr std::uint64_t kServing = 300;  ///< Transactions that show that a group serves.

class FullDisk : public testing::Test {
 protected:
  void SetUp() override {
    const base::Status mounted =
        disk_.mount(work_.path() / "disk.img", work_.path() / "node_3", kDiskMebibytes);
    ASSERT_TRUE(mounted.ok()) << mounted.to_string();
    nodes_ = std::make_unique<DiskGroup>(
        work_.path(),
        std::vector<std::string>{"database.disk_reserve=8MiB", "database.write_buffer_bytes=4MiB"});
    const base::Status begun = nodes_->begin(500);
    ASSERT_TRUE(begun.ok()) << begun.to_string();
  }
  void TearDown() override { nodes_.reset(); }

  /// A write of the full node's own client, until it is refused as it should be.
  bool is_refused_for_space() {
    const auto end = SteadyClock::now() + Seconds(kRecoverySeconds);
    while (SteadyClock::now() < end) {
      auto client = client::Client::connect({nodes_->nodes().endpoint(kFull)});
      if (!client.ok()) continue;
      const auto version = client->set("refused", "x");
      last_ = version.ok() ? base::Status() : version.status();
      if (last_.code() == base::StatusCode::kNoSpace) return true;
    }
    return false;
  }

  void space_comes_back() {
    disk_.give_back();
    const auto took = nodes_->nodes().time_to_write(kFull, Seconds(kRecoverySeconds));
    ASSERT_TRUE(took.ok()) << took.status().to_string();
    const base::Status settled = nodes_->settle(true);
    ASSERT_TRUE(settled.ok()) << settled.to_string();
    std::printf("[   DISK   ] space is back: written at that node after %lld ms\n",
                static_cast<long long>(took->count()));
  }

  static constexpr std::size_t kFull = 2;
  WorkDirectory work_{"full-disk"};
  LoopDisk disk_;
  std::unique_ptr<DiskGroup> nodes_;
  base::Status last_;
};

TEST_F(FullDisk, OfAFollowerHoldsNobodyUpAndItGoesOnWhenThereIsSpace) {
  if (nodes_->nodes().leader() == kFull) {
    ASSERT_EQ(nodes_->nodes().ctl(kFull, {"transfer-leader", "1"}).code, 0);
  }
  nodes_->write_around(kNodes);
  const base::Status filled = disk_.fill();
  ASSERT_TRUE(filled.ok()) << filled.to_string();
  EXPECT_TRUE(is_refused_for_space()) << last_.to_string();
  nodes_->stop_writing();
  const base::Status served = nodes_->write_some(kServing, kFull);
  EXPECT_TRUE(served.ok()) << served.to_string();
  const base::Status linearizable = nodes_->read_at(0, "linearizable");
  EXPECT_TRUE(linearizable.ok()) << linearizable.to_string();
  const base::Status local = nodes_->read_at(kFull, "local");
  EXPECT_TRUE(local.ok()) << local.to_string();
  EXPECT_TRUE(nodes_->nodes().process(kFull).running());
  space_comes_back();
}

TEST_F(FullDisk, OfTheLeaderIsHandedOverAndReadsGoOn) {
  const auto leader = nodes_->nodes().leader();
  ASSERT_TRUE(leader.has_value());
  if (*leader != kFull) {
    ASSERT_EQ(nodes_->nodes().ctl(*leader, {"transfer-leader", "3"}).code, 0);
    ASSERT_TRUE(nodes_->wait_for_leader(std::nullopt, Seconds(kRecoverySeconds)).ok());
  }
  nodes_->write_around(kNodes);
  ASSERT_TRUE(nodes_->ledger().wait_for(100, kRecoverySeconds));
  const base::Status filled = disk_.fill();
  ASSERT_TRUE(filled.ok()) << filled.to_string();
  EXPECT_TRUE(is_refused_for_space()) << last_.to_string();
  const base::Status local = nodes_->read_at(kFull, "local");
  EXPECT_TRUE(local.ok()) << local.to_string();
  nodes_->stop_writing();
  // Until its log has no room left, a leader with a full disk still serves the others' clients.
  std::chrono::milliseconds longest{0};
  const auto end = SteadyClock::now() + Seconds(kRecoverySeconds);
  nodes_->write_around(kFull);
  while (SteadyClock::now() < end && nodes_->nodes().leader() == kFull) {
    const auto took = nodes_->nodes().time_to_write(0, Seconds(kRecoverySeconds));
    ASSERT_TRUE(took.ok()) << took.status().to_string();
    longest = std::max(longest, *took);
  }
  EXPECT_TRUE(nodes_->ledger().wait_for(kServing, kRecoverySeconds));
  nodes_->stop_writing();
  const auto now = nodes_->nodes().leader();
  std::printf("[   DISK   ] led by node %zu then; longest write %lld ms\n",
              now ? *now + 1 : std::size_t{0}, static_cast<long long>(longest.count()));
  const base::Status linearizable = nodes_->read_at(0, "linearizable");
  EXPECT_TRUE(linearizable.ok()) << linearizable.to_string();
  space_comes_back();
}

}  // namespace
}  // namespace synod::disk_fault
