// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "base/bytes.h"
#include "base/status.h"
#include "consensus/protocol/types.h"
#include "storage/log/segmented_log.h"

namespace synod::consensus {

// What one frame of the log holds, framed by hand because it is on the hot path. All integers are
// little endian; the segmented log adds the checksums.
//
//   ballot  = config u32 | owner u32 | round u64
//   summary = format u8 | 0 u8 | runs u8 | 0 u8 | promised ballot | commit_hint u64 | { run }
//   run     = lo u64 | hi u64 | ballot            at most 8, else one that covers all slots with
//             the greatest ballot: what a damaged frame may have touched
//   body    = { group }
//   group   = type u8 | 0 0 0 | count u32 | ballot | origin ballot | first u64 | { item }
//             consecutive slots of one ballot and one origin
//   item    = bytes u32 | crc u32 | kind u8 | command      type 1, entries
//           | crc u32                                      type 2, restamps: the value is further
//             up in the log; origin and crc say which it is
//   group   = 3 u8 | 0 0 0 | count u32 | { first u64 | last u64 }    lost frames whose unknown tail
//             ends here

inline constexpr std::size_t kSummaryRunsMax = 8;

struct SlotRun {
  Slot lo;
  Slot hi;
  Ballot ballot;
};

/// Numbers of frames that are lost, and with them what they touched.
struct LostFrames {
  storage::FrameSeq first;
  storage::FrameSeq last;
};

/// Readable when the body is not, and repeated in the next frame.
struct FrameSummary {
  Ballot promised;
  Slot commit_hint;
  std::array<SlotRun, kSummaryRunsMax> runs{};
  std::size_t run_count = 0;

  [[nodiscard]] std::span<const SlotRun> touched() const { return {runs.data(), run_count}; }
  [[nodiscard]] Slot last_slot() const;
};

[[nodiscard]] base::Result<FrameSummary> decode_summary(base::BytesView summary);

/// Lays out a Persist as summary and body without copying a command. The views live until the next
/// encode() and as long as the Persist. Buffers are reused.
class PersistEncoder {
 public:
  /// `ended`: the lost frames that a Persist with ends_unknown_tail speaks of.
  void encode(const Persist& persist, std::span<const LostFrames> ended = {});
  [[nodiscard]] const FrameSummary& summary() const { return summary_; }
  [[nodiscard]] base::BytesView summary_bytes() const { return summary_bytes_; }
  [[nodiscard]] std::span<const base::BytesView> body() const { return pieces_; }

 private:
  void summarize(const Persist& persist);
  void put_group(std::span<const SlotRecord> group);
  void put_ended(std::span<const LostFrames> ended);

  FrameSummary summary_;
  base::Bytes summary_bytes_;
  base::Bytes heads_;  ///< Everything but the commands; reserved before views are taken.
  std::vector<base::BytesView> pieces_;
};

/// A record as it lies in a frame.
struct FoundRecord {
  Slot slot;
  Ballot ballot;
  Ballot origin;
  bool is_restamp = false;
  EntryKind kind = EntryKind::kFill;  ///< Of an entry.
  std::uint32_t crc = 0;
  base::BytesView command;
};

/// Reads the records of a body one by one; every length is checked against what is left.
class FrameBodyReader {
 public:
  explicit FrameBodyReader(base::BytesView body) : left_(body) {}
  /// False at the end, and where the body is malformed.
  [[nodiscard]] bool next(FoundRecord& record);
  [[nodiscard]] bool is_malformed() const { return is_malformed_; }
  /// After the last record.
  [[nodiscard]] const std::vector<LostFrames>& ended() const { return ended_; }

 private:
  bool fail();
  bool read_group();
  bool read_ended();

  base::BytesView left_;
  std::uint32_t count_ = 0;  ///< Items of the current group that are still to come.
  FoundRecord group_;        ///< Its slot is that of the next item.
  std::vector<LostFrames> ended_;
  bool is_malformed_ = false;
};

}  // namespace synod::consensus
