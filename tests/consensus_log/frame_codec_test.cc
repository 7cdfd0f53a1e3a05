// SPDX-License-Identifier: Apache-2.0
#include "consensus/log/frame_codec.h"

#include <gtest/gtest.h>

#include "base/random.h"
#include "tests/consensus_log/fixture.h"

namespace synod::consensus {
namespace {

base::Bytes joined(std::span<const base::BytesView> pieces) {
  base::Bytes all;
  for (const base::BytesView piece : pieces) all += piece;
  return all;
}

TEST(FrameCodec, ReadsBackTheRecordsItWrote) {
  std::vector<SlotRecord> records = entries_at(5, 9, ballot_of(3));
  records.push_back(restamp_at(10, ballot_of(3), ballot_of(1)));
  records.push_back(restamp_at(11, ballot_of(3), ballot_of(2)));
  records.push_back({Slot(12), ballot_of(3), make_entry(ballot_of(3), EntryKind::kBarrier, "")});
  PersistEncoder encoder;
  for (int repeat = 0; repeat < 2; ++repeat) {
    encoder.encode(persist_of(ballot_of(4), records, 4));
    const base::Bytes body = joined(encoder.body());
    FrameBodyReader reader(body);
    FoundRecord found;
    for (const SlotRecord& record : records) {
      ASSERT_TRUE(reader.next(found));
      EXPECT_EQ(found.slot, record.slot);
      EXPECT_EQ(found.ballot, record.ballot);
      EXPECT_EQ(found.origin, record.entry.origin);
      EXPECT_EQ(found.crc, record.entry.crc);
      EXPECT_EQ(found.is_restamp, record.is_restamp);
      EXPECT_EQ(found.command, record.is_restamp ? "" : *record.entry.command);
      if (!record.is_restamp) {
        EXPECT_EQ(found.kind, record.entry.kind);
      }
    }
    EXPECT_FALSE(reader.next(found));
    EXPECT_FALSE(reader.is_malformed());
  }
}

TEST(FrameCodec, SummaryNamesUpToEightRunsElseOneThatCoversAll) {
  std::vector<SlotRecord> records;
  PersistEncoder encoder;
  for (std::uint64_t run = 0; run < 9; ++run) {
    records.push_back(entry_at(10 + 3 * run, ballot_of(2 + run % 3)));
    records.push_back(entry_at(11 + 3 * run, ballot_of(2 + run % 3)));
    encoder.encode(persist_of(ballot_of(9), records, 7));
    const auto summary = decode_summary(encoder.summary_bytes());
    ASSERT_TRUE(summary.ok());
    EXPECT_LE(encoder.summary_bytes().size(), storage::kFrameSummaryBytesMax);
    EXPECT_EQ(summary->promised, ballot_of(9));
    EXPECT_EQ(summary->commit_hint, Slot(7));
    EXPECT_EQ(summary->last_slot(), records.back().slot);
    ASSERT_EQ(summary->run_count, run < 8 ? run + 1 : 1);
    EXPECT_EQ(summary->runs[0].lo, Slot(10));
    EXPECT_EQ(summary->runs[0].hi, run < 8 ? Slot(11) : Slot(35));
    EXPECT_EQ(summary->runs[0].ballot, run < 8 ? ballot_of(2) : ballot_of(4));
  }
}

TEST(FrameCodec, AnyBytesAreReadWithinTheirBounds) {
  base::Random random(7);
  PersistEncoder encoder;
  std::vector<SlotRecord> records = entries_at(1, 6, ballot_of(2));
  records.push_back(restamp_at(7, ballot_of(2), ballot_of(1)));
  encoder.encode(persist_of(ballot_of(2), records));
  const base::Bytes body = joined(encoder.body());
  const base::Bytes summary(encoder.summary_bytes());
  for (std::uint64_t round = 0; round < 20000; ++round) {
    base::Bytes bent = body.substr(0, random.below(body.size() + 1));
    for (std::uint64_t flips = random.below(4); flips > 0 && !bent.empty(); --flips) {
      bent[random.below(std::min<std::size_t>(bent.size(), 60))] = static_cast<char>(random.next());
    }
    FrameBodyReader reader(bent);
    FoundRecord found;
    std::uint64_t count = 0;
    while (reader.next(found)) {
      ASSERT_LE(found.command.size(), bent.size());
      ASSERT_LE(++count, bent.size());
    }
    base::Bytes head = summary.substr(0, random.below(summary.size() + 1));
    if (!head.empty()) head[random.below(head.size())] = static_cast<char>(random.next());
    const auto decoded = decode_summary(head);
    if (decoded.ok()) {
      ASSERT_LE(decoded->run_count, kSummaryRunsMax);
    }
  }
}

}  // namespace
}  // namespace synod::consensus
