// SPDX-License-Identifier: Apache-2.0
// Any bytes as a superblock, or as the frames of a Paxos log with gaps between them: recovery may
// refuse, never crash, and what it says keeps its shape.
//
// Input: one byte, 0: a superblock's body; 1: a copy of one; 2: frames, each as u8 gap before it,
// u8 size of its summary, u16 size of its body, summary, body.
#include <cstddef>
#include <cstdint>
#include <string>

#include "consensus/log/log_replay.h"

namespace synod::consensus {
namespace {

constexpr std::size_t kInputBytesMax = 64 << 10;
/// Slots further up cost memory that a fuzzer would rather spend elsewhere.
constexpr Slot kSlotMax{1 << 16};

void read_superblock(base::BytesView bytes) {
  const auto decoded = decode_superblock_body(bytes, 1);
  if (!decoded.ok()) return;
  const auto again = decode_superblock_body(encode_superblock_body(*decoded), 1);
  SYNOD_ASSERT(again.ok() && encode_superblock_body(*again) == encode_superblock_body(*decoded),
               "a superblock survives a round trip");
}

bool is_affordable(const storage::LogFrame& frame) {
  const auto summary = decode_summary(frame.summary);
  if (summary.ok() && summary->last_slot() > kSlotMax) return false;
  FrameBodyReader reader(frame.body);
  FoundRecord record;
  while (reader.next(record)) {
    if (record.slot > kSlotMax) return false;
  }
  return true;
}

void check_shape(const RecoveredState& state) {
  Slot next = state.base.next();
  for (const RecoveredSlot& slot : state.slots) {
    SYNOD_ASSERT(slot.slot == next, "A7: no holes");
    SYNOD_ASSERT(!slot.entry || is_intact(*slot.entry), "a known value is intact");
    next = next.next();
  }
}

void replay_frames(base::BytesView bytes) {
  Superblock superblock;
  superblock.base = Slot(3);
  superblock.chain.configurations.resize(2);
  superblock.chain.configurations[0].id = ConfigId(1);
  superblock.chain.configurations[1].id = ConfigId(2);
  superblock.chain.configurations[1].first = Slot(20);
  LogReplay replay(superblock);
  storage::FrameSeq seq(1);
  std::vector<storage::LogDamage> damages;
  while (bytes.size() >= 4) {
    const auto gap = static_cast<std::uint8_t>(bytes[0]);
    const std::size_t summary = static_cast<std::uint8_t>(bytes[1]);
    const std::size_t body = base::load_le32(bytes.data()) >> 16;
    bytes.remove_prefix(4);
    if (bytes.size() < summary + body) break;
    storage::LogFrame frame{storage::FrameSeq(seq.value() + gap), bytes.substr(0, summary),
                            bytes.substr(summary, body)};
    if (!is_affordable(frame)) return;
    bytes.remove_prefix(summary + body);
    if (gap == 1) damages.push_back({seq, seq, "", 0, "", base::Bytes(frame.summary)});
    if (!replay.on_frame(frame).ok()) return;
    seq = frame.seq.next();
  }
  const auto state = replay.finish(seq.next(), damages, Slot(5));
  if (state.ok()) check_shape(*state);
}

}  // namespace
}  // namespace synod::consensus

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace synod::consensus;
  if (size == 0 || size > kInputBytesMax) return 0;
  const synod::base::BytesView bytes(reinterpret_cast<const char*>(data + 1), size - 1);
  if (data[0] == 0) read_superblock(bytes);
  if (data[0] == 1) {
    const SuperblockCopy copy = decode_superblock_copy(bytes, 0);
    if (copy.is_good) read_superblock(copy.body);
  }
  if (data[0] == 2) replay_frames(bytes);
  return 0;
}
