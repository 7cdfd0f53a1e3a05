// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "consensus/log/paxos_log.h"
#include "storage/log/format.h"
#include "storage/sim_file.h"

namespace synod::consensus {

inline constexpr const char* kDirectory = "/data";
inline constexpr ReplicaId kSelf{2};
inline constexpr Incarnation kDisk{77};
inline constexpr ClusterId kCluster{4242};

[[nodiscard]] Ballot ballot_of(std::uint64_t round, std::uint32_t config = 1);
/// Configuration 1, and for each of `firsts` one more that begins there.
[[nodiscard]] Chain chain_of(const std::vector<std::uint64_t>& firsts = {});
[[nodiscard]] Entry value_of(const std::string& text, const Ballot& origin);
/// An entry for `slot` whose value depends on slot and ballot alone.
[[nodiscard]] SlotRecord entry_at(std::uint64_t slot, const Ballot& ballot);
/// The same value as entry_at(slot, origin), accepted in `ballot`.
[[nodiscard]] SlotRecord restamp_at(std::uint64_t slot, const Ballot& ballot, const Ballot& origin);
[[nodiscard]] Persist persist_of(const Ballot& promised, std::vector<SlotRecord> records,
                                 std::uint64_t commit_hint = 0);
[[nodiscard]] std::vector<SlotRecord> entries_at(std::uint64_t first, std::uint64_t last,
                                                 const Ballot& ballot);

[[nodiscard]] storage::LogOptions small_log(std::uint64_t segment_bytes = 32 << 10);
[[nodiscard]] std::string segment_path(std::uint64_t number);
[[nodiscard]] std::string superblock_path(char file);

/// An opened replica's disk.
struct TestLog {
  base::Status status;
  std::unique_ptr<PaxosLog> log;
  RecoveredState state;
  std::vector<storage::LogDamage> damages;

  /// append and sync.
  [[nodiscard]] base::Status write(const Persist& persist) const;
};

struct OpenWith {
  storage::LogOptions options = small_log();
  Chain chain = chain_of();  ///< Forms a blank superblock.
  std::uint64_t seed = 1;
  std::uint64_t applied = 0;
  SuperblockStore::Expected expected{kSelf, std::nullopt, std::nullopt};
};
[[nodiscard]] TestLog open_log(storage::FileSystem& files, const OpenWith& with = {});

/// What was written and synced: the newest record of each slot.
struct Truth {
  Ballot promised;
  std::map<std::uint64_t, SlotRecord> slots;
  std::uint64_t committed = 0;  ///< Values up to here never change.

  void add(const Persist& persist);
};

/// Empty if `state` says nothing that contradicts `truth`: known slots hold what was written last,
/// every other one is unknown with a bound, and nothing is silently missing.
[[nodiscard]] std::string contradiction(const RecoveredState& state, const Truth& truth);
/// Nothing is unknown.
[[nodiscard]] bool is_whole(const RecoveredState& state);
[[nodiscard]] const RecoveredSlot* find(const RecoveredState& state, std::uint64_t slot);
[[nodiscard]] std::string text_of(const RecoveredSlot* slot);  ///< "?", "-" or the command.

/// Where the frames of a segment lie, in order, as found by their heads.
[[nodiscard]] std::vector<std::uint64_t> frame_offsets(storage::FileSystem& files,
                                                       const std::string& path);
/// Destroys one sector of the head, or one byte of the body, of the `index`-th frame.
void rot_head(storage::SimFileSystem& files, const std::string& path, std::size_t index);
void rot_body(storage::SimFileSystem& files, const std::string& path, std::size_t index);

}  // namespace synod::consensus
