// SPDX-License-Identifier: Apache-2.0
// Every byte and every length: what recovery makes of damage (R1-R5 of storage/log/format.h).
#include <gtest/gtest.h>

#include <set>

#include "storage/log/format.h"
#include "tests/storage/log_fixture.h"

namespace synod::storage {
namespace {

using base::Random;

constexpr std::uint64_t kSegmentBytes = 128 << 10;
/// A frame of 18 sectors without a zero byte to spare.
constexpr std::uint64_t kLongFrame = 13;

std::string first_segment() { return std::string(kLogDirectory) + "/" + segment_name(1); }

/// A log of few small frames, ended without a seal unless it is opened again.
std::unique_ptr<SimFileSystem> small_log(std::uint64_t frames, bool sealed,
                                         std::uint64_t segment_bytes = kSegmentBytes) {
  auto files = std::make_unique<SimFileSystem>(Random(1));
  EXPECT_TRUE(append_up_to(*open_log(*files, small_segments(segment_bytes)).log, frames).ok());
  if (sealed) {
    EXPECT_TRUE(open_log(*files, small_segments(segment_bytes), 2).log != nullptr);
  }
  return files;
}

/// No frame may differ from what was written, and each missing one must be named by a damage.
void expect_honest(const TestLog& log, std::uint64_t last, const std::string& what) {
  if (!log.status.ok()) {
    EXPECT_EQ(log.status.code(), base::StatusCode::kCorruption) << what;
    return;
  }
  std::set<std::uint64_t> seen;
  for (const SeenFrame& frame : log.frames) {
    ASSERT_EQ(frame, frame_number(frame.seq)) << what;
    ASSERT_LE(frame.seq, last) << what;
    ASSERT_TRUE(seen.insert(frame.seq).second) << what;
  }
  for (std::uint64_t seq = 1; seq <= last; ++seq) {
    bool reported = false;
    for (const LogDamage& damage : log.recovery.damages) {
      reported = reported || (damage.first.value() <= seq && seq <= damage.last.value());
    }
    ASSERT_TRUE(seen.contains(seq) || reported) << what << ": frame " << seq << " vanished";
    ASSERT_FALSE(seen.contains(seq) && reported) << what << ": frame " << seq << " is not lost";
  }
}

void flip_every_byte(bool sealed) {
  const std::uint64_t size = 32 << 10;
  std::uint64_t reported = 0;
  const auto files = small_log(4, sealed, size);
  for (std::uint64_t offset = 0; offset < size; ++offset) {
    const char mask = static_cast<char>(1 << (offset % 8));
    files->corrupt(first_segment(), offset, mask);
    TestLog log;
    // Inspection reads by the same rules as open and leaves the log as it is.
    auto report = inspect_log(*files, kLogDirectory, [&log](const LogFrame& frame) {
      log.frames.push_back(
          {frame.seq.value(), std::string(frame.summary), std::string(frame.body)});
      return base::Status();
    });
    log.status = report.status();
    if (report.ok()) log.recovery = std::move(*report);
    if (!log.recovery.damages.empty()) ++reported;
    expect_honest(log, 4, "flip at " + std::to_string(offset));
    EXPECT_FALSE(log.recovery.torn_tail && log.frames.size() < 4) << offset;
    files->corrupt(first_segment(), offset, mask);
    if (testing::Test::HasFailure()) return;
  }
  std::printf("%llu of %llu flips reported\n", static_cast<unsigned long long>(reported),
              static_cast<unsigned long long>(size));
  EXPECT_GT(reported, 1000U);
}

TEST(LogDamage, FlipOfAnyByteOfAnOpenSegmentIsReportedOrHarmless) { flip_every_byte(false); }

TEST(LogDamage, FlipOfAnyByteOfASealedSegmentIsReportedOrHarmless) { flip_every_byte(true); }

/// The bytes of the last frame, for tests that cut it.
struct LastFrame {
  std::uint64_t offset = 0;
  std::uint64_t disk_bytes = 0;
  std::uint64_t data_bytes = 0;
};

LastFrame last_frame_of(std::uint64_t frames) {
  LastFrame last;
  std::uint64_t offset = kFramesOffset;
  for (std::uint64_t seq = 1; seq <= frames; ++seq) {
    const SeenFrame frame = frame_number(seq);
    const std::uint64_t previous = seq == 1 ? 0 : frame_number(seq - 1).summary.size();
    const std::uint64_t payload =
        kFrameHeadBytes + frame.summary.size() + previous + frame.body.size();
    last = {offset, frame_disk_bytes(payload), frame_data_bytes(payload)};
    offset += last.disk_bytes;
  }
  return last;
}

TEST(LogDamage, LastFrameCutAtAnyByteLengthIsDroppedOrWhole) {
  for (const std::uint64_t frames : {2U, 3U, 5U, 6U}) {
    const LastFrame last = last_frame_of(frames);
    for (std::uint64_t length = 0; length <= last.disk_bytes; ++length) {
      const auto files = small_log(frames, false);
      auto file = files->open(first_segment(), OpenMode::kReadWrite);
      ASSERT_TRUE((*file)->truncate(last.offset + length).ok());
      const TestLog log = open_log(*files, small_segments(kSegmentBytes), 2);
      ASSERT_TRUE(log.status.ok());
      ASSERT_TRUE(log.recovery.damages.empty()) << frames << " cut at " << length;
      ASSERT_TRUE(log.recovery.torn_tail);
      const bool whole = log.frames.size() == frames;
      ASSERT_EQ(log.frames, frames_between(1, whole ? frames : frames - 1));
      ASSERT_TRUE(whole || length < last.data_bytes);
    }
  }
}

/// Overwrites one sector with zeros, in cache and on the medium.
void zero_sector(SimFileSystem& files, std::uint64_t offset) {
  auto file = files.open(first_segment(), OpenMode::kReadWrite);
  ASSERT_TRUE((*file)->write_at(offset, std::string(512, '\0')).ok());
  ASSERT_TRUE((*file)->sync().ok());
}

TEST(LogDamage, LastFrameWithAnyMissingSectorIsTorn) {
  const std::uint64_t frames = kLongFrame;
  const LastFrame last = last_frame_of(frames);
  for (std::uint64_t sector = 0; sector < last.disk_bytes / 512; ++sector) {
    const auto files = small_log(frames, false);
    zero_sector(*files, last.offset + sector * 512);
    const TestLog log = open_log(*files, small_segments(kSegmentBytes), 2);
    ASSERT_TRUE(log.recovery.damages.empty()) << sector;
    const bool padding = sector >= last.data_bytes / 512;
    EXPECT_EQ(log.frames, frames_between(1, padding ? frames : frames - 1)) << sector;
    EXPECT_EQ(log.recovery.torn_tail, !padding) << sector;
  }
}

TEST(LogDamage, RottenLastFrameWithAllSectorsWrittenIsCorruptNotTorn) {
  const std::uint64_t frames = kLongFrame;
  const auto files = small_log(frames, false);
  files->corrupt(first_segment(), last_frame_of(frames).offset + 2000, 1);
  const TestLog log = open_log(*files, small_segments(kSegmentBytes), 2);
  ASSERT_EQ(log.recovery.damages.size(), 1U);
  EXPECT_EQ(log.recovery.damages[0].first, FrameSeq(frames));
  EXPECT_EQ(log.recovery.damages[0].last, FrameSeq(frames));
  EXPECT_EQ(log.recovery.damages[0].summary, frame_number(frames).summary);
  EXPECT_EQ(log.recovery.damages[0].file, first_segment());
}

TEST(LogDamage, RottenHeadOfTheLastFrameLeavesTheTailUnknown) {
  const auto files = small_log(4, false);
  files->corrupt(first_segment(), last_frame_of(4).offset + 10, 1);
  const TestLog log = open_log(*files, small_segments(kSegmentBytes), 2);
  ASSERT_EQ(log.recovery.damages.size(), 1U);
  EXPECT_EQ(log.recovery.damages[0].first, FrameSeq(4));
  EXPECT_EQ(log.recovery.damages[0].last, kUnknownTail);
}

TEST(LogDamage, SectorLostBeforeALaterFrameIsCorruptNotTorn) {
  // A zero sector alone would look torn; the frame behind proves that it had been synced.
  const auto files = small_log(6, false);
  const LastFrame fifth = last_frame_of(5);
  zero_sector(*files, fifth.offset);
  const TestLog log = open_log(*files, small_segments(kSegmentBytes), 2);
  ASSERT_EQ(log.recovery.damages.size(), 1U);
  EXPECT_EQ(log.recovery.damages[0].first, FrameSeq(5));
  EXPECT_EQ(log.recovery.damages[0].last, FrameSeq(5));
  EXPECT_EQ(log.frames.back(), frame_number(6)) << "the frame behind is still delivered";
}

TEST(LogDamage, SummaryOfALostFrameComesFromTheNextOne) {
  const auto files = small_log(4, false);
  files->corrupt(first_segment(), last_frame_of(3).offset + 10, 1);  // The head: unreadable.
  const TestLog log = open_log(*files, small_segments(kSegmentBytes), 2);
  ASSERT_EQ(log.recovery.damages.size(), 1U);
  EXPECT_EQ(log.recovery.damages[0].summary, frame_number(3).summary);
}

TEST(LogDamage, UnreadableSectorCountsAsWrittenAndBad) {
  const auto files = small_log(4, false);
  const LastFrame third = last_frame_of(3);
  files->set_unreadable(first_segment(), third.offset, third.offset + 512);
  const TestLog log = open_log(*files, small_segments(kSegmentBytes), 2);
  ASSERT_EQ(log.recovery.damages.size(), 1U);
  EXPECT_EQ(log.recovery.damages[0].first, FrameSeq(3));
  EXPECT_EQ(log.recovery.damages[0].last, FrameSeq(3));
}

TEST(LogDamage, DamageMakesOpenWriteNothing) {
  const auto files = small_log(4, false);
  files->corrupt(first_segment(), last_frame_of(3).offset + 100, 1);
  bool wrote = false;
  files->set_trace([&wrote](std::uint64_t, const char* action, const std::string&) {
    const std::string_view name = action;
    if (name == "write" || name == "sync" || name == "rename" || name == "remove") wrote = true;
  });
  EXPECT_TRUE(open_log(*files, small_segments(kSegmentBytes), 2).log == nullptr);
  EXPECT_FALSE(wrote);
}

}  // namespace
}  // namespace synod::storage
