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

struct Configuration {
  ConfigId id;
  std::vector<Member> voters;
  std::vector<Member> learners;
  Slot first;  ///< The first slot it governs.
  /// For how long a voter that hears its leader promises nobody else.
  Instant guard = base::Millis(1000);

  [[nodiscard]] std::size_t majority() const { return voters.size() / 2 + 1; }
  [[nodiscard]] bool is_voter(const Member& member) const;
  [[nodiscard]] bool is_voter(ReplicaId id) const;
  [[nodiscard]] bool is_member(const Member& member) const;
};

/// A slot as recovery found it: an entry with the ballot it was accepted in, or damaged with a
/// bound on that ballot.
struct RecoveredSlot {
  Slot slot;
  Ballot ballot;               ///< If unknown: the greatest it may have had.
  std::optional<Entry> entry;  ///< None: unknown.
};

/// All that a replica gets from its disk.
struct RecoveredState {
  Ballot promised;
  Slot base;  ///< Slots up to here live in the state only.
  std::vector<RecoveredSlot> slots;
  Slot commit_hint;
  Slot applied;  ///< What the flushed state contains.
  Ballot fence;  ///< Part of that state.
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
};

std::string to_string(const Ballot& ballot);  ///< "config.round.owner"
std::string_view entry_kind_name(EntryKind kind);

}  // namespace synod::consensus
