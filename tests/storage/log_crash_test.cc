// SPDX-License-Identifier: Apache-2.0
// The moving failure point: a scripted run of the log fails at I/O 1, 2, 3 ... and must recover.
#include <gtest/gtest.h>

#include "tests/storage/log_fixture.h"

namespace synod::storage {
namespace {

using base::Random;
using base::Status;

constexpr CrashPolicy kPolicies[] = {CrashPolicy::kLost, CrashPolicy::kTorn,
                                     CrashPolicy::kReordered};
constexpr FaultRepeat kRepeats[] = {FaultRepeat::kOnce, FaultRepeat::kForEver};
constexpr std::uint64_t kFrames = 120;

/// What the script was told: the facts that recovery is held to.
struct Ledger {
  std::uint64_t synced = 0;   ///< Frames up to here were acknowledged.
  std::uint64_t started = 0;  ///< Frames up to here were handed to the log.
  std::uint64_t deleted = 0;  ///< Frames up to here may be gone.
};

/// Goes on after an error as a careless owner would: the log itself must refuse.
void run_script(SegmentedLog& log, Ledger& ledger) {
  for (std::uint64_t step = 0; step < kFrames; ++step) {
    const std::uint64_t seq = log.next_seq().value();
    const SeenFrame frame = frame_number(seq);
    const base::BytesView body[] = {frame.body};
    if (step % 9 == 4) log.prepare_segment().ignore();  // Its failure shows in append.
    if (!log.append(frame.summary, body).ok()) {
      if (log.next_seq().value() != seq) ledger.started = seq;
      ledger.started = std::max(ledger.started, seq);
      if (!log.sync().ok()) continue;
      continue;
    }
    ledger.started = seq;
    if (!log.sync().ok()) continue;
    ASSERT_EQ(seq, ledger.synced + 1) << "a frame was acknowledged behind a failed one";
    ledger.synced = seq;
    if (step % 25 == 24) {
      ledger.deleted = seq - 12;
      log.delete_before(FrameSeq(seq - 11)).ignore();
    }
  }
}

void expect_recovered(const TestLog& log, const Ledger& ledger, const std::string& what) {
  ASSERT_TRUE(log.status.ok()) << what << ": " << log.status.to_string();
  for (const LogDamage& damage : log.recovery.damages) {
    FAIL() << what << ": " << damage.file << " " << damage.reason << " " << damage.first.value();
  }
  ASSERT_TRUE(log.log != nullptr) << what;
  if (log.frames.empty()) {
    ASSERT_EQ(ledger.synced, 0U) << what;
    return;
  }
  const std::uint64_t first = log.frames.front().seq;
  const std::uint64_t last = log.frames.back().seq;
  ASSERT_LE(first, ledger.deleted + 1) << what;
  ASSERT_GE(last, ledger.synced) << what << ": an acknowledged frame is gone";
  ASSERT_LE(last, ledger.started) << what << ": a frame was invented";
  ASSERT_EQ(log.frames, frames_between(first, last)) << what;
}

std::string describe(std::uint64_t point, CrashPolicy policy, FaultRepeat repeat) {
  return "point " + std::to_string(point) + " policy " + std::to_string(static_cast<int>(policy)) +
         " repeat " + std::to_string(static_cast<int>(repeat));
}

/// Runs the script on a disk that fails at `point` and then loses power. False once the script
/// ends before that I/O.
bool run_until(SimFileSystem& files, std::uint64_t point, CrashPolicy policy, FaultRepeat repeat,
               Ledger& ledger) {
  files.set_fail_at(point, repeat);
  {
    TestLog log = open_log(files, small_segments(32 << 10), point);
    if (log.log != nullptr) run_script(*log.log, ledger);
  }
  const bool reached = files.io_count() >= point;
  files.crash(policy);
  files.restart();
  return reached;
}

TEST(LogCrash, NoPointOfFailureLosesAnAcknowledgedFrame) {
  std::uint64_t points = 0;
  bool reached = true;
  for (std::uint64_t point = 1; reached; ++point) {
    for (const CrashPolicy policy : kPolicies) {
      for (const FaultRepeat repeat : kRepeats) {
        const std::string what = describe(point, policy, repeat);
        SimFileSystem files{Random(point * 7 + static_cast<std::uint64_t>(policy))};
        Ledger ledger;
        reached = run_until(files, point, policy, repeat, ledger);
        expect_recovered(open_log(files, small_segments(32 << 10), 99), ledger, what);
        ASSERT_FALSE(HasFailure());
        ++points;
      }
    }
  }
  std::printf("%llu crash points\n", static_cast<unsigned long long>(points));
  EXPECT_GE(points, 1500U);
}

TEST(LogCrash, AFaultDuringRecoveryLosesNothingEither) {
  std::uint64_t doubles = 0;
  Random random(4711);
  for (std::uint64_t round = 0; round < 120; ++round) {
    const CrashPolicy policy = kPolicies[round % 3];
    const std::uint64_t point = 20 + random.below(300);
    bool recovering = true;
    for (std::uint64_t second = 1; recovering; second += 1 + random.below(6)) {
      SimFileSystem files{Random(round)};
      Ledger ledger;
      run_until(files, point, policy, kRepeats[round % 2], ledger);
      const std::uint64_t before = files.io_count();
      files.set_fail_at(before + second, kRepeats[second % 2]);
      { const TestLog broken = open_log(files, small_segments(32 << 10), 5); }
      recovering = files.io_count() >= before + second;
      files.crash(kPolicies[(round + second) % 3]);
      files.restart();
      expect_recovered(open_log(files, small_segments(32 << 10), 99), ledger,
                       describe(point, policy, kRepeats[round % 2]) + " second " +
                           std::to_string(second) + " round " + std::to_string(round));
      ASSERT_FALSE(HasFailure());
      ++doubles;
    }
  }
  std::printf("%llu double faults\n", static_cast<unsigned long long>(doubles));
  EXPECT_GE(doubles, 200U);
}

TEST(LogCrash, RecoveredFramesStayAfterTheNextPowerCut) {
  // What one recovery delivered, its owner acts upon: the next must deliver it as well (G5).
  for (std::uint64_t point = 30; point < 400; point += 3) {
    SimFileSystem files{Random(point)};
    Ledger ledger;
    files.set_fail_at(point, kRepeats[point % 2]);
    {
      TestLog log = open_log(files, small_segments(32 << 10), point);
      if (log.log != nullptr) run_script(*log.log, ledger);
    }
    files.kill();  // The page cache stays, with what a failed sync left in it.
    files.restart();
    TestLog second = open_log(files, small_segments(32 << 10), 7);
    expect_recovered(second, ledger, "kill at " + std::to_string(point));
    const std::vector<SeenFrame> believed = second.frames;
    second.log.reset();
    files.crash(CrashPolicy::kLost);
    files.restart();
    const TestLog third = open_log(files, small_segments(32 << 10), 8);
    ASSERT_TRUE(third.log != nullptr);
    ASSERT_EQ(third.frames, believed) << point;
    ASSERT_FALSE(HasFailure());
  }
}

}  // namespace
}  // namespace synod::storage
