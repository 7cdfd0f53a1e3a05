// SPDX-License-Identifier: Apache-2.0
// The moving failure point, and random histories with crashes and rot against a model.
#include <gtest/gtest.h>

#include "tests/consensus_log/fixture.h"

namespace synod::consensus {
namespace {

using base::Random;
using storage::CrashPolicy;
using storage::FaultRepeat;
using storage::SimFileSystem;

constexpr CrashPolicy kPolicies[] = {CrashPolicy::kLost, CrashPolicy::kTorn,
                                     CrashPolicy::kReordered};

/// What an owner was told, and what it was doing when it failed.
struct Ledger {
  Truth truth;
  std::optional<Persist> in_flight;
  std::uint64_t cut = 0;            ///< Acknowledged.
  std::uint64_t cut_in_flight = 0;  ///< Tried.
  std::uint64_t version = 0;        ///< Of the superblock, as last seen.
  std::uint32_t config = 1;
};

/// Writes one Persist; false once the log has failed, as an owner that fail-stops.
bool write(const TestLog& log, Ledger& ledger, Persist persist) {
  ledger.in_flight = persist;
  if (!log.write(persist).ok()) return false;
  ledger.truth.add(persist);
  if (persist.chain) ledger.config = persist.chain->current().id.value();
  ledger.in_flight.reset();
  ledger.version = log.log->superblock().version;
  return true;
}

bool cut(const TestLog& log, Ledger& ledger, std::uint64_t slot) {
  ledger.cut_in_flight = slot;
  if (!log.log->cut(Slot(slot)).ok()) return false;
  ledger.cut = slot;
  ledger.version = log.log->superblock().version;
  return true;
}

/// Promises, entries, restamps, cuts, a snapshot and a new configuration.
void run_script(const TestLog& log, Ledger& ledger) {
  std::uint64_t last = 0;
  for (std::uint64_t round = 1; round <= 6; ++round) {
    const std::uint32_t config = round < 5 ? 1 : 2;
    const Ballot ballot = ballot_of(round, config);
    Persist promise = persist_of(ballot, {}, last);
    promise.is_new_ballot = true;
    if (round == 5) promise.chain = chain_of({last + 1});
    if (!write(log, ledger, promise)) return;
    if (round % 2 == 0 && !log.log->prepare_segment().ok()) return;
    if (last > 1 && round != 5) {
      const SlotRecord& old = ledger.truth.slots.at(last);
      const SlotRecord stamp{old.slot, ballot, old.entry, true};
      if (!write(log, ledger, persist_of(ballot, {stamp}, last - 1))) return;
    }
    for (std::uint64_t frame = 0; frame < 4; ++frame) {
      if (!write(log, ledger, persist_of(ballot, entries_at(last + 1, last + 3, ballot), last))) {
        return;
      }
      last += 3;
    }
    if (round % 2 == 0 && !cut(log, ledger, last - 5)) return;
  }
  ledger.cut_in_flight = last - 2;
  if (!log.log->set_state_directory("state", Slot(last - 2), chain_of({49})).ok()) return;
  ledger.cut = last - 2;
}

/// True once the script ended before that I/O.
bool run_until(SimFileSystem& files, std::uint64_t point, CrashPolicy policy, FaultRepeat repeat,
               Ledger& ledger) {
  files.set_fail_at(point, repeat);
  {
    const TestLog log = open_log(files, {.seed = point});
    if (log.status.ok()) run_script(log, ledger);
  }
  const bool reached = files.io_count() >= point;
  files.crash(policy);
  files.restart();
  return reached;
}

std::string check_recovered(const TestLog& log, const Ledger& ledger) {
  if (!log.status.ok()) return log.status.to_string();
  if (!log.damages.empty()) return "damage: " + log.damages.front().reason;
  if (!is_whole(log.state)) return "something is unknown";
  if (log.state.base.value() < ledger.cut) return "the base went back";
  if (log.log->superblock().version < ledger.version) return "the superblock went back";
  if (log.state.chain.current().id.value() < ledger.config) return "the chain went back";
  std::string what = contradiction(log.state, ledger.truth);
  if (what.empty() || !ledger.in_flight) return what;
  Truth longer = ledger.truth;
  longer.add(*ledger.in_flight);
  longer.promised = ledger.truth.promised;
  return contradiction(log.state, longer).empty() ? "" : what;
}

TEST(LogCrashes, TheScriptEndsIfNothingFails) {
  SimFileSystem files{Random(1)};
  Ledger ledger;
  EXPECT_FALSE(run_until(files, UINT64_MAX, CrashPolicy::kLost, FaultRepeat::kOnce, ledger));
  EXPECT_EQ(ledger.cut, 70U);
  const TestLog log = open_log(files, {.seed = 2, .applied = 70});
  EXPECT_EQ(check_recovered(log, ledger), "");
  EXPECT_EQ(log.state.slots.size(), 2U);
  EXPECT_EQ(log.log->superblock().state_directory, "state");
}

TEST(LogCrashes, NoPointOfFailureTakesBackWhatWasSynced) {
  std::uint64_t points = 0;
  bool reached = true;
  for (std::uint64_t point = 1; reached; ++point) {
    for (const CrashPolicy policy : kPolicies) {
      for (const FaultRepeat repeat : {FaultRepeat::kOnce, FaultRepeat::kForEver}) {
        SimFileSystem files{Random(point * 7 + static_cast<std::uint64_t>(policy))};
        Ledger ledger;
        reached = run_until(files, point, policy, repeat, ledger);
        for (std::uint64_t open = 0; open < 2; ++open) {
          const TestLog log = open_log(files, {.seed = 90 + open, .applied = ledger.cut_in_flight});
          ASSERT_EQ(check_recovered(log, ledger), "")
              << "point " << point << " policy " << static_cast<int>(policy) << " open " << open;
        }
        ++points;
      }
    }
  }
  std::printf("%llu crash points\n", static_cast<unsigned long long>(points));
  EXPECT_GT(points, 1200U);
}

TEST(LogCrashes, AFaultDuringRecoveryTakesNothingBackEither) {
  Random random(4711);
  std::uint64_t doubles = 0;
  for (std::uint64_t round = 0; round < 60; ++round) {
    const CrashPolicy policy = kPolicies[round % 3];
    const std::uint64_t point = 30 + random.below(300);
    bool recovering = true;
    for (std::uint64_t second = 1; recovering; second += 1 + random.below(4)) {
      SimFileSystem files{Random(round)};
      Ledger ledger;
      run_until(files, point, policy, FaultRepeat::kOnce, ledger);
      files.set_fail_at(files.io_count() + second, FaultRepeat::kForEver);
      recovering = !open_log(files, {.seed = 5, .applied = ledger.cut_in_flight}).status.ok();
      files.crash(kPolicies[second % 3]);
      files.restart();
      const TestLog log = open_log(files, {.seed = 6, .applied = ledger.cut_in_flight});
      ASSERT_EQ(check_recovered(log, ledger), "") << point << " then " << second;
      ++doubles;
    }
  }
  EXPECT_GT(doubles, 500U);
}

/// A replica's disk under random use, as its acceptor would use it, against what was synced.
class RandomHistory {
 public:
  explicit RandomHistory(std::uint64_t seed) : random_(seed), files_(Random(seed + 1)) {}

  /// Empty, or what went wrong.
  std::string run() {
    for (std::uint64_t process = 0; process < 8; ++process) {
      const TestLog log = open_log(files_, {.seed = random_.next(), .applied = applied_});
      if (!log.status.ok()) {
        const bool may_be_lost = superblock_flips_ > 0;
        return may_be_lost && log.status.code() == base::StatusCode::kCorruption
                   ? ""
                   : log.status.to_string();
      }
      superblock_flips_ = 0;
      if (std::string what = compare(log); !what.empty()) {
        return base::Bytes("process ") + std::to_string(process) + ": " + what;
      }
      live(log);
      end();
    }
    return "";
  }

 private:
  std::string compare(const TestLog& log) {
    std::string what = contradiction(log.state, truth_);
    if (!what.empty() && in_flight_) {
      Truth longer = truth_;
      longer.add(*in_flight_);
      longer.promised = truth_.promised;
      if (contradiction(log.state, longer).empty()) {
        truth_ = longer;
        what.clear();
      }
    }
    in_flight_.reset();
    truth_.promised = log.state.promised;
    // As Acceptor begins: known slots, and the commit below the first unknown one.
    known_.clear();
    base_ = log.state.base.value();
    last_ = base_ + log.state.slots.size();
    commit_ = std::max(base_, applied_);
    bool is_whole = true;
    for (const RecoveredSlot& slot : log.state.slots) {
      if (slot.entry) known_[slot.slot.value()] = {slot.slot, slot.ballot, *slot.entry, false};
      is_whole = is_whole && slot.entry;
      if (is_whole && slot.slot <= log.state.commit_hint) {
        commit_ = std::max(commit_, slot.slot.value());
      }
    }
    durable_ = commit_;
    tail_is_unknown_ = log.state.unknown_tail.has_value();
    return what;
  }

  void live(const TestLog& log) {
    if (random_.chance(0.5)) {
      files_.set_fail_at(files_.io_count() + 1 + random_.below(120), FaultRepeat::kForEver);
      fails_ = true;
    }
    Ballot ballot = truth_.promised;
    const std::uint64_t steps = 3 + random_.below(25);
    bool first = true;
    std::uint64_t through = commit_;
    for (std::uint64_t step = 0; step < steps; ++step) {
      Persist persist;
      if (first || random_.chance(0.1)) {  // enter() a higher ballot
        ballot.config = ConfigId(1);
        ballot.round = ballot.round.next();
        ballot.owner = ReplicaId(1);
        persist.is_new_ballot = true;
        through = commit_;
        first = false;
      }
      persist.promised = ballot;
      const std::uint64_t count = random_.below(6);
      for (std::uint64_t i = 0; i < count; ++i)
        persist.records.push_back(accept(++through, ballot));
      // Everything that may have been lost was accepted again: the leader's log ends at `through`.
      const std::uint64_t written = truth_.slots.empty() ? 0 : truth_.slots.rbegin()->first;
      if (tail_is_unknown_ && through >= written && random_.chance(0.3)) {
        persist.ends_unknown_tail = true;
      }
      commit_ = std::max(commit_, std::min(through, commit_ + random_.below(4)));
      persist.commit_hint = Slot(std::min(commit_, durable_));
      in_flight_ = persist;
      if (!log.write(persist).ok()) return;
      in_flight_.reset();
      truth_.add(persist);
      truth_.committed = std::max(truth_.committed, commit_);
      if (persist.ends_unknown_tail) tail_is_unknown_ = false;
      durable_ = std::max(durable_, through);
      last_ = std::max(last_, through);
      if (random_.chance(0.08) && commit_ <= durable_ && commit_ > base_) {
        const std::uint64_t to = base_ + random_.below(commit_ - base_ + 1);
        applied_ = std::max(applied_, to);
        if (!log.log->cut(Slot(to)).ok()) return;
      }
    }
  }

  /// A record for `slot` in `ballot`: what is chosen there, the old value, or a new one.
  SlotRecord accept(std::uint64_t slot, const Ballot& ballot) {
    const auto known = known_.find(slot);
    const auto written = truth_.slots.find(slot);
    SlotRecord record = entry_at(slot, ballot);
    const bool is_chosen = slot <= truth_.committed && written != truth_.slots.end();
    if (is_chosen) {
      record.entry = written->second.entry;
    } else if (known != known_.end() && random_.chance(0.6)) {
      record.entry = known->second.entry;
    }
    record.is_restamp = known != known_.end() && known->second.entry.same_value(record.entry);
    known_[slot] = record;
    return record;
  }

  /// A crash in the middle of something, or a quiet end and rot.
  void end() {
    if (fails_ || random_.chance(0.3)) {
      files_.crash(kPolicies[random_.below(3)]);
      files_.restart();
      fails_ = false;
      return;
    }
    files_.kill();
    files_.restart();
    for (std::uint64_t flips = random_.below(4); flips > 0; --flips) rot();
  }

  void rot() {
    const std::string directory = SuperblockStore::log_directory(kDirectory);
    if (random_.chance(0.1)) {
      ++superblock_flips_;
      files_.corrupt(superblock_path(random_.chance(0.5) ? 'a' : 'b'),
                     random_.below(2) * kSuperblockCopyBytesMax + random_.below(60), 4);
      return;
    }
    const auto names = files_.list(directory);
    std::vector<std::string> segments;
    for (const std::string& name : *names) {
      if (name.ends_with(".seg")) segments.push_back(directory + "/" + name);
    }
    if (segments.empty()) return;
    const std::string& path = segments[random_.below(segments.size())];
    if (random_.chance(0.05)) {
      files_.remove(path).ignore();  // The point: a file that is gone.
      return;
    }
    const std::uint64_t block = random_.below(8) * 4096;
    files_.corrupt(path, block + random_.below(random_.chance(0.5) ? 120 : 4096), 2);
  }

  Random random_;
  SimFileSystem files_;
  Truth truth_;
  std::optional<Persist> in_flight_;
  std::map<std::uint64_t, SlotRecord> known_;  ///< As the process sees them.
  std::uint64_t base_ = 0;
  std::uint64_t last_ = 0;
  std::uint64_t commit_ = 0;
  std::uint64_t durable_ = 0;
  std::uint64_t applied_ = 0;
  std::uint64_t superblock_flips_ = 0;
  bool tail_is_unknown_ = false;
  bool fails_ = false;
};

TEST(LogCrashes, RandomHistoriesWithCrashesAndRotNeverContradictTheModel) {
  for (std::uint64_t seed = 1; seed <= 1500; ++seed) {
    ASSERT_EQ(RandomHistory(seed).run(), "") << "seed " << seed;
  }
}

}  // namespace
}  // namespace synod::consensus
