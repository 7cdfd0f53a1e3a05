// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <compare>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/strong_id.h"

// The words of docs/PROTOCOL.md as types. No two of them mix by accident.
namespace synod::consensus {

using ReplicaId = base::StrongId<struct ReplicaIdTag, std::uint32_t>;      ///< Begins at 1.
using Incarnation = base::StrongId<struct IncarnationTag, std::uint64_t>;  ///< One per disk.
using ConfigId = base::StrongId<struct ConfigIdTag, std::uint32_t>;
using Round = base::StrongId<struct RoundTag, std::uint64_t>;
using Slot = base::StrongId<struct SlotTag, std::uint64_t>;      ///< Begins at 1; 0 is before.
using Ticket = base::StrongId<struct TicketTag, std::uint64_t>;  ///< One per frame, in order.
using ReadSequence = base::StrongId<struct ReadSequenceTag, std::uint64_t>;
using LeaseSequence = base::StrongId<struct LeaseSequenceTag, std::uint64_t>;
using RequestId = base::StrongId<struct RequestIdTag, std::uint64_t>;      ///< Begins at random.
using ProcessId = base::StrongId<struct ProcessIdTag, std::uint64_t>;      ///< Random; 0: none.
using ClusterId = base::StrongId<struct ClusterIdTag, std::uint64_t>;      ///< Random; 0: none.
using SnapshotId = base::StrongId<struct SnapshotIdTag, std::uint64_t>;    ///< Random; 0: none.
using ReadContext = base::StrongId<struct ReadContextTag, std::uint64_t>;  ///< The caller's name.

/// A point of the boot clock, and spans of it, in nanoseconds.
using Instant = base::Nanos;

inline constexpr Slot kNoSlot{0};
inline constexpr Slot kOpenEnd{UINT64_MAX};

[[nodiscard]] constexpr Slot before(Slot slot) {
  return slot == kNoSlot ? kNoSlot : Slot(slot.value() - 1);
}

/// Who may propose: compared by configuration, then round, then owner. (c, 0, 0) is nobody's.
struct Ballot {
  ConfigId config;
  Round round;
  ReplicaId owner;
  constexpr auto operator<=>(const Ballot&) const = default;
};

/// No group gets here; who names more than this is mistaken, and must not end anybody's counting.
inline constexpr Round kRoundMax{1ULL << 62U};

/// The ballot that a configuration begins with; nobody owns it.
[[nodiscard]] constexpr Ballot null_ballot(ConfigId config) {
  return Ballot{config, Round(), ReplicaId()};
}

enum class EntryKind : std::uint8_t {
  kCommand = 1,   ///< Opaque bytes of a client; subject to the fence.
  kBarrier = 2,   ///< First entry of a leader; raises the fence.
  kFill = 3,      ///< Takes the place of a slot nobody had.
  kStopSign = 4,  ///< Ends a configuration.
  kLearner = 5,   ///< Adds or removes a learner.
};

/// What a slot may hold. Immutable: the command is encoded once and shared by log, wire and apply;
/// the ballot it is accepted in stands beside it. (slot, origin) names the value, crc checks it.
struct Entry {
  Ballot origin;
  EntryKind kind = EntryKind::kFill;
  std::shared_ptr<const base::Bytes> command;
  std::uint32_t crc = 0;

  [[nodiscard]] std::size_t bytes() const { return command->size() + kOverhead; }
  [[nodiscard]] bool same_value(const Entry& other) const {
    return origin == other.origin && crc == other.crc;
  }
  static constexpr std::size_t kOverhead = 32;  ///< Framing, for windows and caps.
};

/// The one way to make an entry: the checksum covers kind and command.
[[nodiscard]] Entry make_entry(const Ballot& origin, EntryKind kind, base::Bytes command);
/// False if the checksum does not fit what it covers.
[[nodiscard]] bool is_intact(const Entry& entry);

/// A voter or learner is a replica on one disk.
struct Member {
  ReplicaId id;
  Incarnation incarnation;
  constexpr auto operator<=>(const Member&) const = default;
};

/// Who decides the slots from `first` on. Its learners may change; everything else only with the
/// next configuration.
struct Configuration {
  ConfigId id;
  std::vector<Member> voters;
  std::vector<Member> learners;
  Slot first;  ///< The first slot it governs.
  /// For how long a voter that hears its leader promises nobody else.
  Instant guard = base::Millis(1000);
  ReplicaId first_leader;  ///< May skip phase 1 once (docs/PROTOCOL.md section 12); 0: nobody.

  [[nodiscard]] std::size_t majority() const { return voters.size() / 2 + 1; }
  [[nodiscard]] bool is_voter(const Member& member) const;
  [[nodiscard]] bool is_voter(ReplicaId id) const;
  [[nodiscard]] bool is_member(const Member& member) const;
};

/// The configurations of a group, oldest first; the last one is in force. A configuration ends
/// right before the first slot of its successor.
struct Chain {
  std::vector<Configuration> configurations;
  Slot as_of;  ///< Every configuration entry up to here has been taken in.

  [[nodiscard]] const Configuration& current() const { return configurations.back(); }
  /// The one that decides `slot`; the oldest known for slots before its first.
  [[nodiscard]] const Configuration& governing(Slot slot) const;
  /// True for a voter or learner of any configuration of the chain.
  [[nodiscard]] bool knows(const Member& member) const;
};

/// What a stop-sign asks the next configuration to be; its id, first slot and learners follow from
/// the log.
struct NextConfiguration {
  std::vector<Member> voters;
  ReplicaId first_leader;  ///< 0: nobody.
  Instant guard = base::Millis(1000);
};

/// What a learner entry does.
struct LearnerChange {
  Member member;
  bool is_added = false;
};

/// A slot as recovery found it: an entry with the ballot it was accepted in, or damaged with a
/// bound on that ballot.
struct RecoveredSlot {
  Slot slot;
  Ballot ballot;               ///< If unknown: the greatest it may have had.
  std::optional<Entry> entry;  ///< None: unknown.
};

/// All that a replica gets from its disk. Slots are contiguous from base+1; a slot whose newest
/// record is of an older configuration than the one that governs it is void and not among them.
struct RecoveredState {
  Chain chain;
  Ballot promised;
  Slot base;  ///< Slots up to here live in the state only.
  std::vector<RecoveredSlot> slots;
  /// The log's end is damaged: slots behind the last may have been accepted, in at most this
  /// ballot.
  std::optional<Ballot> unknown_tail;
  Slot commit_hint;
  Slot applied;  ///< What the flushed state contains.
  Ballot fence;  ///< Part of that state.
  std::uint64_t superblock_version = 0;
};

/// What to write in one frame, all or nothing.
struct SlotRecord {
  Slot slot;
  Ballot ballot;
  Entry entry;
  bool is_restamp = false;  ///< The same value is on disk already in a lower ballot.
};
struct Persist {
  Ticket ticket;
  Ballot promised;
  bool is_new_ballot = false;  ///< `promised` goes to the superblock too.
  Slot commit_hint;
  std::vector<SlotRecord> records;
  /// Goes to the superblock, before the frame.
  std::optional<Chain> chain;
  /// Everything the damaged end of the log may have held is known again.
  bool ends_unknown_tail = false;
};

struct SnapshotFile {
  std::string name;
  std::uint64_t bytes = 0;
  std::uint32_t crc = 0;  ///< CRC-32C of the contents.
};

/// A finished image of the state: what it contains, as read from it, and the files it is made of.
struct SnapshotManifest {
  SnapshotId id;
  Slot slot;  ///< Everything up to here.
  Ballot fence;
  Chain chain;
  std::vector<SnapshotFile> files;
};

std::string to_string(const Ballot& ballot);  ///< "config.round.owner"
std::string_view entry_kind_name(EntryKind kind);

}  // namespace synod::consensus
