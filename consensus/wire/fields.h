// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <concepts>
#include <cstdint>
#include <type_traits>

#include "consensus/protocol/messages.h"

// The bodies of frames. Each function names the fields of one struct in the order in which they
// stand in a frame; BodySizer, BodyWriter and BodyReader walk over them. A field that is added to a
// message and forgotten here does not compile, because the names bind all fields or none.
//
//   bool        u8, 0 or 1               ids, slots, numbers   at their width
//   enum        u8                       Instant               u64 nanoseconds, at most 2^63 - 1
//   optional    bool, then the value     list                  u32 count, then the elements
//   bytes       u32 length, then they    Entry                 origin, kind u8, crc u32, bytes
//
// Changing any of it is a new version (frame.h).
namespace synod::consensus {

template <class T, class Kind>
concept Is = std::same_as<std::remove_const_t<T>, Kind>;

/// The numbers of message types. A number is never given to another message.
constexpr std::uint16_t message_type(const Hello*) { return 1; }
constexpr std::uint16_t message_type(const PreVote*) { return 2; }
constexpr std::uint16_t message_type(const PreVoteReply*) { return 3; }
constexpr std::uint16_t message_type(const Prepare*) { return 4; }
constexpr std::uint16_t message_type(const Promise*) { return 5; }
constexpr std::uint16_t message_type(const Nack*) { return 6; }
constexpr std::uint16_t message_type(const Fetch*) { return 7; }
constexpr std::uint16_t message_type(const Entries*) { return 8; }
constexpr std::uint16_t message_type(const Accept*) { return 9; }
constexpr std::uint16_t message_type(const Accepted*) { return 10; }
constexpr std::uint16_t message_type(const Heartbeat*) { return 11; }
constexpr std::uint16_t message_type(const Commit*) { return 12; }
constexpr std::uint16_t message_type(const Transfer*) { return 13; }
constexpr std::uint16_t message_type(const ReadIndexRequest*) { return 14; }
constexpr std::uint16_t message_type(const ReadIndexReply*) { return 15; }
constexpr std::uint16_t message_type(const SnapshotOffer*) { return 16; }
constexpr std::uint16_t message_type(const SnapshotFetch*) { return 17; }
constexpr std::uint16_t message_type(const SnapshotData*) { return 18; }
constexpr std::uint16_t message_type(const SnapshotDone*) { return 19; }
constexpr std::uint16_t message_type(const Introduction*) { return 20; }

template <class Kind>
inline constexpr std::uint16_t kMessageType = message_type(static_cast<const Kind*>(nullptr));

inline constexpr std::uint8_t kEntryKindMin = static_cast<std::uint8_t>(EntryKind::kCommand);
inline constexpr std::uint8_t kEntryKindMax = static_cast<std::uint8_t>(EntryKind::kLearner);
inline constexpr std::uint8_t kNackReasonMin = static_cast<std::uint8_t>(NackReason::kBallot);
inline constexpr std::uint8_t kNackReasonMax = static_cast<std::uint8_t>(NackReason::kConfig);

// Parts of messages.

void fields(auto& visit, Is<Ballot> auto& part) {
  auto& [config, round, owner] = part;
  visit(config, round, owner);
}
void fields(auto& visit, Is<Member> auto& part) {
  auto& [id, incarnation] = part;
  visit(id, incarnation);
}
void fields(auto& visit, Is<ReportedSlot> auto& part) {
  auto& [slot, ballot, entry] = part;
  visit(slot, ballot, entry);
}
void fields(auto& visit, Is<Configuration> auto& part) {
  auto& [id, voters, learners, first, guard, first_leader] = part;
  visit(id, voters, learners, first, guard, first_leader);
}
void fields(auto& visit, Is<Chain> auto& part) {
  auto& [configurations, as_of] = part;
  visit(configurations, as_of);
}
void fields(auto& visit, Is<SnapshotFile> auto& part) {
  auto& [name, bytes, crc] = part;
  visit(name, bytes, crc);
}
void fields(auto& visit, Is<SnapshotManifest> auto& part) {
  auto& [id, slot, fence, chain, files] = part;
  visit(id, slot, fence, chain, files);
}
void fields(auto& visit, Is<ClusterRecord> auto& part) {
  auto& [cluster, chain] = part;
  visit(cluster, chain);
}

// Messages.

void fields(auto& visit, Is<Hello> auto& message) {
  auto& [answers, promised, commit, base, last, leads, superblock_version] = message;
  visit(answers, promised, commit, base, last, leads, superblock_version);
}
void fields(auto& visit, Is<PreVote> auto& message) {
  auto& [probe, ballot, commit, last, last_ballot] = message;
  visit(probe, ballot, commit, last, last_ballot);
}
void fields(auto& visit, Is<PreVoteReply> auto& message) {
  auto& [probe, is_granted, promised, commit, last, last_ballot] = message;
  visit(probe, is_granted, promised, commit, last, last_ballot);
}
void fields(auto& visit, Is<Prepare> auto& message) {
  auto& [ballot, commit, token] = message;
  visit(ballot, commit, token);
}
void fields(auto& visit, Is<Promise> auto& message) {
  auto& [ballot, commit, base, covers_after, covers_to, slots, unknown_tail] = message;
  visit(ballot, commit, base, covers_after, covers_to, slots, unknown_tail);
}
void fields(auto& visit, Is<Nack> auto& message) {
  auto& [refused, promised, reason, leader] = message;
  visit(refused, promised, reason, leader);
}
void fields(auto& visit, Is<Fetch> auto& message) {
  auto& [id, low, high] = message;
  visit(id, low, high);
}
void fields(auto& visit, Is<Entries> auto& message) {
  auto& [id, low, entries, commit, base, promised] = message;
  visit(id, low, entries, commit, base, promised);
}
void fields(auto& visit, Is<Accept> auto& message) {
  auto& [ballot, first, entries, commit, read_sequence] = message;
  visit(ballot, first, entries, commit, read_sequence);
}
void fields(auto& visit, Is<Accepted> auto& message) {
  auto& [ballot, durable, commit, applied, read_sequence, gap_from, lease_sequence] = message;
  visit(ballot, durable, commit, applied, read_sequence, gap_from, lease_sequence);
}
void fields(auto& visit, Is<Heartbeat> auto& message) {
  auto& [ballot, commit, last, read_sequence, lease_sequence] = message;
  visit(ballot, commit, last, read_sequence, lease_sequence);
}
void fields(auto& visit, Is<Commit> auto& message) {
  auto& [ballot, commit] = message;
  visit(ballot, commit);
}
void fields(auto& visit, Is<Transfer> auto& message) {
  auto& [ballot] = message;
  visit(ballot);
}
void fields(auto& visit, Is<ReadIndexRequest> auto& message) {
  auto& [id] = message;
  visit(id);
}
void fields(auto& visit, Is<ReadIndexReply> auto& message) {
  auto& [id, index] = message;
  visit(id, index);
}
void fields(auto& visit, Is<SnapshotOffer> auto& message) {
  auto& [manifest] = message;
  visit(manifest);
}
void fields(auto& visit, Is<SnapshotFetch> auto& message) {
  auto& [id, snapshot, file, offset, bytes] = message;
  visit(id, snapshot, file, offset, bytes);
}
void fields(auto& visit, Is<SnapshotData> auto& message) {
  auto& [id, snapshot, file, offset, is_gone, bytes] = message;
  visit(id, snapshot, file, offset, is_gone, bytes);
}
void fields(auto& visit, Is<SnapshotDone> auto& message) {
  auto& [snapshot, is_installed] = message;
  visit(snapshot, is_installed);
}
void fields(auto& visit, Is<Introduction> auto& message) {
  auto& [record, asked_by] = message;
  visit(record, asked_by);
}

}  // namespace synod::consensus
