// SPDX-License-Identifier: Apache-2.0
// Bits of a stopped replica's files are flipped; it starts again.
#include <gtest/gtest.h>
#include <signal.h>

#include <map>

#include "base/text.h"
#include "tests/disk_fault/damage.h"
#include "tests/disk_fault/disk_group.h"

namespace synod::disk_fault {
namespace {

constexpr int kServeSeconds = 10;
constexpr int kHaltSeconds = 6;
constexpr std::uint64_t kBetween = 40;  ///< Transactions before and during each round.

/// What may happen to a replica whose files were damaged so.
enum class Outcome : std::uint8_t { kRepaired, kRefused, kEither };

struct Class {
  Target target;
  Outcome outcome;
};

class BitFlip : public testing::Test {
 protected:
  void SetUp() override {
    const base::Status begun = nodes_.begin(2500);
    ASSERT_TRUE(begun.ok()) << begun.to_string();
  }

  /// Stops a replica, flips, starts it: it is repaired from the others, or refuses and says where.
  void round(const Class& what, int number) {
    const std::size_t node = random_.below(kNodes);
    nodes_.write_around(node);
    ASSERT_TRUE(nodes_.ledger().wait_for(kBetween, kServeSeconds)) << "before";
    // Killed, its last frames are not in the state; stopped, they are.
    if (random_.chance(0.5)) {
      nodes_.nodes().kill(node);
    } else {
      ASSERT_TRUE(nodes_.nodes().stop(node).ok());
    }
    const auto flips = choose(nodes_.nodes().data_of(node), what.target, random_);
    ASSERT_FALSE(flips.empty()) << name_of(what.target);
    std::string where = base::concat(name_of(what.target), ", round ", number, ":");
    for (const Flip& flip : flips) {
      apply(flip);
      where += " " + flip.text();
    }
    SCOPED_TRACE(where);
    ASSERT_TRUE(nodes_.ledger().wait_for(kBetween, kServeSeconds)) << "one node down";
    const DiskGroup::Started started = nodes_.start(node);
    if (!started.serves) {
      refused(what, node, flips, started);
    } else {
      EXPECT_NE(what.outcome, Outcome::kRefused) << "it serves";
      ++tally_[what.target].first;
      const bool is_said = started.said.find("damaged at offset") != std::string::npos;
      said_[what.target] += is_said ? 1 : 0;
    }
    if (HasFatalFailure()) return;
    const base::Status settled = nodes_.settle();
    ASSERT_TRUE(settled.ok()) << settled.to_string();
    EXPECT_TRUE(nodes_.nodes().process(node).running()) << nodes_.log_since(node, 0);
  }

  void refused(const Class& what, std::size_t node, const std::vector<Flip>& flips,
               const DiskGroup::Started& started) {
    EXPECT_NE(what.outcome, Outcome::kRepaired) << started.said;
    EXPECT_TRUE(started.is_refused) << started.said;
    const std::string file = flips.front().file.filename().string();
    EXPECT_NE(started.said.find(file), std::string::npos) << "it does not name the file:\n"
                                                          << started.said;
    if (++tally_[what.target].second == 1) {
      const base::Status replaced = nodes_.replace_disk(node);
      ASSERT_TRUE(replaced.ok()) << replaced.to_string();
    } else {
      for (const Flip& flip : flips) apply(flip);
      const auto again = nodes_.start(node);
      ASSERT_TRUE(again.serves) << again.said;
    }
  }

  void rounds(const std::vector<Class>& classes) {
    const int count = rounds_of("SYNOD_FLIP_ROUNDS", 10);
    for (const Class& what : classes) {
      for (int number = 0; number < count; ++number) {
        round(what, number);
        if (HasFailure()) return;
      }
      const auto& [repaired, refused] = tally_[what.target];
      std::printf("[   FLIP   ] %-24s %d served again (%d said so), %d refused\n",
                  name_of(what.target), repaired, said_[what.target], refused);
    }
    const base::Status settled = nodes_.settle(true);
    EXPECT_TRUE(settled.ok()) << settled.to_string();
    const auto finished = nodes_.nodes().ctl(0, {"verify", "--deep"});
    EXPECT_EQ(finished.code, 0) << finished.output;
    std::printf("[   FLIP   ] %llu acknowledged transactions, none lost\n",
                static_cast<unsigned long long>(nodes_.ledger().acknowledged()));
  }

  void damage_all_copies(const std::string& value, std::vector<Flip>& flips,
                         std::vector<std::size_t>& logs);
  void is_halted(const std::vector<std::size_t>& logs);

  WorkDirectory work_{"bit-flip"};
  DiskGroup nodes_{work_.path()};
  base::Random random_{static_cast<std::uint64_t>(rounds_of("SYNOD_FLIP_SEED", 20'261'121))};
  std::map<Target, std::pair<int, int>> tally_;
  std::map<Target, int> said_;
};

TEST_F(BitFlip, InTheLogIsRepairedFromTheOthers) {
  rounds({{Target::kLogMiddle, Outcome::kRepaired},
          {Target::kLogTail, Outcome::kRepaired},
          {Target::kLogAnywhere, Outcome::kRepaired}});
}

TEST_F(BitFlip, InTheStateIsRefusedWithTheFileNamedOrHarmless) {
  rounds({{Target::kTable, Outcome::kEither},
          {Target::kTableManifest, Outcome::kEither},
          {Target::kSnapshot, Outcome::kRepaired}});
}

TEST_F(BitFlip, OfOneSuperblockCopyIsRepairedAndOfAllALostDisk) {
  rounds({{Target::kOneSuperblock, Outcome::kRepaired},
          {Target::kSuperblocks, Outcome::kRefused},
          {Target::kIdentity, Outcome::kRefused}});
}

/// Flips one bit of one entry in all three logs, and starts them.
void BitFlip::damage_all_copies(const std::string& value, std::vector<Flip>& flips,
                                std::vector<std::size_t>& logs) {
  for (std::size_t node = 0; node < kNodes; ++node) nodes_.nodes().kill(node);
  for (std::size_t node = 0; node < kNodes; ++node) {
    logs.push_back(nodes_.log_size(node));
    const auto flip = find_in_log(nodes_.nodes().data_of(node), value);
    ASSERT_TRUE(flip.has_value()) << "node " << node + 1;
    apply(flips.emplace_back(*flip));
  }
  for (std::size_t node = 0; node < kNodes; ++node) {
    ASSERT_TRUE(nodes_.start(node).serves) << nodes_.log_since(node, logs[node]);
  }
}

/// Nobody invents the value, nobody goes on without it, and somebody says so.
void BitFlip::is_halted(const std::vector<std::size_t>& logs) {
  const auto written = nodes_.nodes().time_to_write(0, Seconds(kHaltSeconds));
  EXPECT_FALSE(written.ok()) << "the group goes on without an entry it acknowledged";
  EXPECT_FALSE(nodes_.read_at(1, "linearizable").ok()) << "reads go on without it";
  std::string said;
  for (std::size_t node = 0; node < kNodes; ++node) {
    said += base::concat("node ", node + 1, ":\n", nodes_.log_since(node, logs[node]));
  }
  EXPECT_NE(said.find("damaged at offset"), std::string::npos) << said;
  EXPECT_NE(said.find("it cannot lead: slot "), std::string::npos) << said;
}

TEST_F(BitFlip, OfEveryCopyOfAnEntryHaltsTheGroupUntilOneIsGoodAgain) {
  for (int round = 0; round < rounds_of("SYNOD_ALL_COPIES_ROUNDS", 2); ++round) {
    const std::string value = base::concat("the only value of round ", round);
    auto client = client::Client::connect(nodes_.nodes().endpoints());
    ASSERT_TRUE(client.ok() && client->set("time-to-write", "x").ok());
    ASSERT_TRUE(client->set("all-copies", value).ok());
    // Everybody has it then.
    ASSERT_TRUE(nodes_.settle().ok());
    std::vector<Flip> flips;
    std::vector<std::size_t> logs;
    damage_all_copies(value, flips, logs);
    if (HasFatalFailure()) return;
    is_halted(logs);
    // One good copy is enough.
    const std::size_t healed = static_cast<std::size_t>(round) % kNodes;
    nodes_.nodes().kill(healed);
    apply(flips[healed]);
    ASSERT_TRUE(nodes_.start(healed).serves);
    const auto served = nodes_.nodes().time_to_write(0, Seconds(kServeSeconds));
    ASSERT_TRUE(served.ok()) << served.status().to_string();
    const base::Status settled = nodes_.settle(true);
    ASSERT_TRUE(settled.ok()) << settled.to_string();
    auto again = client::Client::connect(nodes_.nodes().endpoints());
    ASSERT_TRUE(again.ok());
    const auto found = again->get("all-copies");
    ASSERT_TRUE(found.ok() && *found) << found.status().to_string();
    EXPECT_EQ(**found, value);
    std::printf("[   DISK   ] all copies damaged: halted %d s, served %lld ms after one was good\n",
                kHaltSeconds, static_cast<long long>(served->count()));
  }
}

}  // namespace
}  // namespace synod::disk_fault
