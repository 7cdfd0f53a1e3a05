// SPDX-License-Identifier: Apache-2.0
// A log that goes on behind damage (DamagePolicy::kReport): every later open must find the same
// damage again, and nothing else.
#include <gtest/gtest.h>

#include <functional>
#include <set>

#include "storage/log/format.h"
#include "tests/storage/log_fixture.h"

namespace synod::storage {
namespace {

using base::Random;

constexpr std::uint64_t kSegmentBytes = 32 << 10;
constexpr std::uint64_t kFrames = 4;

LogOptions reporting() {
  LogOptions options = small_segments(kSegmentBytes);
  options.damage = DamagePolicy::kReport;
  return options;
}

TestLog open_reporting(FileSystem& files, std::uint64_t seed) {
  return open_log(files, reporting(), seed);
}

std::string segment(std::uint64_t number) {
  return std::string(kLogDirectory) + "/" + segment_name(number);
}

/// Frames 1.. in the first segment, which is the last and has no seal.
std::unique_ptr<SimFileSystem> make_log(std::uint64_t frames = kFrames) {
  auto files = std::make_unique<SimFileSystem>(Random(1));
  EXPECT_TRUE(append_up_to(*open_reporting(*files, 1).log, frames).ok());
  return files;
}

/// Three segments with a few frames each, as three processes leave them.
std::unique_ptr<SimFileSystem> make_segments() {
  auto files = std::make_unique<SimFileSystem>(Random(1));
  for (std::uint64_t process = 1; process <= 3; ++process) {
    EXPECT_TRUE(append_up_to(*open_reporting(*files, process).log, 3 * process).ok());
  }
  return files;
}

bool is_reported(const LogRecovery& recovery, std::uint64_t seq) {
  for (const LogDamage& damage : recovery.damages) {
    if (damage.first.value() <= seq && seq <= damage.last.value()) return true;
  }
  return false;
}

/// What must be there: every frame of `written` is delivered as it was, or named by a damage.
/// Returns those that are lost.
std::set<std::uint64_t> check_open(const TestLog& log, const std::set<std::uint64_t>& written,
                                   const std::string& what) {
  EXPECT_TRUE(log.status.ok()) << what << log.status.to_string();
  EXPECT_TRUE(log.log != nullptr) << what;
  std::set<std::uint64_t> seen;
  for (const SeenFrame& frame : log.frames) {
    EXPECT_EQ(frame, frame_number(frame.seq)) << what;
    EXPECT_TRUE(written.contains(frame.seq)) << what << ": invented " << frame.seq;
    EXPECT_TRUE(seen.insert(frame.seq).second) << what;
    EXPECT_FALSE(is_reported(log.recovery, frame.seq)) << what << ": " << frame.seq;
  }
  std::set<std::uint64_t> lost;
  for (const std::uint64_t seq : written) {
    if (seen.contains(seq)) continue;
    lost.insert(seq);
    EXPECT_TRUE(is_reported(log.recovery, seq)) << what << ": frame " << seq << " vanished";
  }
  return lost;
}

/// Opens three times, with a new frame each time: what the first open lost, all of them report,
/// with the same summaries, and nothing more.
void expect_stable(SimFileSystem& files, std::set<std::uint64_t> written, const std::string& what) {
  std::set<std::uint64_t> lost;
  std::size_t damages = 0;
  for (std::uint64_t process = 0; process < 3; ++process) {
    const std::string at = what + ", open " + std::to_string(process) + " ";
    const TestLog log = open_reporting(files, 20 + process);
    const std::set<std::uint64_t> now = check_open(log, written, at);
    ASSERT_FALSE(testing::Test::HasFailure());
    if (process > 0) {
      ASSERT_EQ(now, lost) << at;
      ASSERT_EQ(log.recovery.damages.size(), damages) << at;
      ASSERT_FALSE(log.recovery.torn_tail) << at;
    }
    lost = now;
    damages = log.recovery.damages.size();
    const std::uint64_t seq = log.log->next_seq().value();
    ASSERT_FALSE(is_reported(log.recovery, seq) && seq < kLostFrames) << at;
    ASSERT_TRUE(append_frame(*log.log, frame_number(seq)).ok()) << at;
    ASSERT_TRUE(written.insert(seq).second) << at << ": a number was given out twice";
  }
}

std::set<std::uint64_t> numbers(std::uint64_t last) {
  std::set<std::uint64_t> all;
  for (std::uint64_t seq = 1; seq <= last; ++seq) all.insert(seq);
  return all;
}

TEST(LogReport, AnyFlippedByteIsReportedAgainByEveryOpen) {
  for (std::uint64_t offset = 0; offset < kSegmentBytes; offset += 1 + offset % 3) {
    const auto files = make_log();
    files->corrupt(segment(1), offset, static_cast<char>(1 << (offset % 8)));
    expect_stable(*files, numbers(kFrames), "flip at " + std::to_string(offset));
    if (HasFailure()) return;
  }
}

TEST(LogReport, AnUnreadableSectorIsReportedAgainAlsoWhenItCanBeReadLater) {
  for (std::uint64_t sector = 0; sector < kSegmentBytes / 512; ++sector) {
    const auto files = make_log();
    files->set_unreadable(segment(1), sector * 512, sector * 512 + 512);
    std::set<std::uint64_t> written = numbers(kFrames);
    {
      const TestLog log = open_reporting(*files, 7);
      check_open(log, written, "unreadable " + std::to_string(sector));
      ASSERT_FALSE(HasFailure()) << sector;
      const std::uint64_t seq = log.log->next_seq().value();
      ASSERT_TRUE(append_frame(*log.log, frame_number(seq)).ok());
      written.insert(seq);
    }
    files->restart();
    check_open(open_reporting(*files, 8), written, "readable " + std::to_string(sector));
    ASSERT_FALSE(HasFailure()) << sector;
  }
}

TEST(LogReport, ADroppedTornTailStaysDropped) {
  for (std::uint64_t length = kFramesOffset; length < kFramesOffset + (20 << 10); length += 61) {
    const auto files = make_log();
    ASSERT_TRUE((*files->open(segment(1), OpenMode::kReadWrite))->truncate(length).ok());
    TestLog log = open_reporting(*files, 2);
    ASSERT_TRUE(log.recovery.damages.empty()) << length;
    std::set<std::uint64_t> written = numbers(log.frames.size());
    log.log.reset();
    expect_stable(*files, written, "cut at " + std::to_string(length));
    ASSERT_TRUE(open_reporting(*files, 3).recovery.damages.empty()) << length;
  }
}

TEST(LogReport, ALostSegmentIsReportedAgainWhereverItWas) {
  for (const std::uint64_t number : {2U, 3U}) {
    const auto files = make_segments();
    ASSERT_TRUE(files->remove(segment(number)).ok());
    ASSERT_TRUE(files->sync_directory(kLogDirectory).ok());
    expect_stable(*files, numbers(9), "without segment " + std::to_string(number));
  }
}

TEST(LogReport, AnUnreadableHeaderIsReportedAgainWhereverItWas) {
  for (const std::uint64_t number : {1U, 2U, 3U}) {
    const auto files = make_segments();
    files->corrupt(segment(number), 20, 1);
    files->corrupt(segment(number), kLogBlockBytes + 20, 1);
    expect_stable(*files, numbers(9), "without header " + std::to_string(number));
  }
}

TEST(LogReport, AllHeadersLostLeaveEverythingUnknownForEver) {
  const auto files = make_log();
  files->corrupt(segment(1), 20, 1);
  files->corrupt(segment(1), kLogBlockBytes + 20, 1);
  expect_stable(*files, numbers(kFrames), "the only header");
}

/// Where frame 4 begins.
std::uint64_t fourth_frame() {
  std::uint64_t offset = kFramesOffset;
  for (std::uint64_t seq = 1; seq < 4; ++seq) {
    const std::size_t before = seq == 1 ? 0 : frame_number(seq - 1).summary.size();
    offset += frame_disk_bytes(kFrameHeadBytes + frame_number(seq).summary.size() + before +
                               frame_number(seq).body.size());
  }
  return offset;
}

TEST(LogReport, ASummaryIsNotTakenFromAFrameBehindAGap) {
  // Frame 4 is lost with an unknown number of others; the next process writes behind the gap. Its
  // first frame must not claim that what it repeats is the summary of frame 4.
  const auto files = make_log();
  files->corrupt(segment(1), fourth_frame() + 10, 1);
  {
    const TestLog log = open_reporting(*files, 2);
    ASSERT_EQ(log.recovery.damages.size(), 1U);
    EXPECT_EQ(log.recovery.damages[0].last, kUnknownTail);
    ASSERT_TRUE(append_frame(*log.log, frame_number(log.log->next_seq().value())).ok());
  }
  const TestLog log = open_reporting(*files, 3);
  ASSERT_EQ(log.recovery.damages.size(), 1U);
  EXPECT_EQ(log.recovery.damages[0].first, FrameSeq(4));
  EXPECT_EQ(log.recovery.damages[0].last, FrameSeq(3 + kLostFrames));
  EXPECT_EQ(log.recovery.damages[0].summary, "");
}

TEST(LogReport, TheSummaryOfADamagedLastFrameIsRepeatedByTheNextProcess) {
  const auto files = make_log();
  const std::uint64_t offset = fourth_frame();
  files->corrupt(segment(1), offset + 600, 1);  // Its body only.
  {
    const TestLog log = open_reporting(*files, 2);
    ASSERT_EQ(log.recovery.damages.size(), 1U);
    EXPECT_EQ(log.recovery.damages[0].summary, frame_number(4).summary);
    ASSERT_TRUE(append_frame(*log.log, frame_number(5)).ok());
  }
  files->corrupt(segment(1), offset + 10, 1);  // Now the head as well.
  const TestLog log = open_reporting(*files, 3);
  ASSERT_EQ(log.recovery.damages.size(), 1U);
  EXPECT_EQ(log.recovery.damages[0].summary, frame_number(4).summary);
}

TEST(LogReport, DamageGoesWithTheSegmentsAroundIt) {
  const auto files = make_segments();
  files->corrupt(segment(2), 20, 1);
  files->corrupt(segment(2), kLogBlockBytes + 20, 1);
  {
    const TestLog log = open_reporting(*files, 9);
    ASSERT_EQ(log.recovery.damages.size(), 1U);
    ASSERT_TRUE(log.log->delete_before(FrameSeq(6)).ok());
    EXPECT_TRUE(files->exists(segment(2))) << "frame 6 was in it";
    ASSERT_TRUE(log.log->delete_before(FrameSeq(7)).ok());
    EXPECT_FALSE(files->exists(segment(1)));
    EXPECT_FALSE(files->exists(segment(2)));
  }
  const TestLog log = open_reporting(*files, 10);
  EXPECT_TRUE(log.recovery.damages.empty());
  EXPECT_EQ(log.frames, frames_between(7, 9));
}

TEST(LogReport, ACrashAtAnyPointOfTheOpenForgetsNoDamage) {
  const auto lose_header = [](SimFileSystem& files) {
    files.corrupt(segment(3), 20, 1);
    files.corrupt(segment(3), kLogBlockBytes + 20, 1);
  };
  const auto rot_head = [](SimFileSystem& files) {
    files.corrupt(segment(3), kFramesOffset + 10, 1);
    files.corrupt(segment(3), kFramesOffset + 4096 + 10, 1);
    files.corrupt(segment(3), kFramesOffset + 8192 + 10, 1);
  };
  const auto rot_seal = [](SimFileSystem& files) {
    files.corrupt(segment(3), kSegmentBytes - 4096 + 3, 1);
  };
  const std::function<void(SimFileSystem&)> faults[] = {lose_header, rot_head, rot_seal};
  std::uint64_t points = 0;
  for (std::size_t fault = 0; fault < 3; ++fault) {
    bool reached = true;
    for (std::uint64_t point = 1; reached; ++point) {
      for (const CrashPolicy policy :
           {CrashPolicy::kLost, CrashPolicy::kTorn, CrashPolicy::kReordered}) {
        const auto files = make_segments();
        faults[fault](*files);
        files->set_fail_at(files->io_count() + point, FaultRepeat::kForEver);
        reached = !open_reporting(*files, 30).status.ok();
        files->crash(policy);
        files->restart();
        ++points;
        expect_stable(*files, numbers(9),
                      "fault " + std::to_string(fault) + " point " + std::to_string(point));
        ASSERT_FALSE(HasFailure());
      }
    }
  }
  EXPECT_GT(points, 150U);
}

}  // namespace
}  // namespace synod::storage
