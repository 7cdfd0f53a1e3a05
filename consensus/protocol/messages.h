// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "consensus/protocol/types.h"

// The messages of docs/PROTOCOL.md section 3. They are visited with std::visit only, so that code
// which forgets one does not compile.
namespace synod::consensus {

/// Sent when a process starts or a connection opens, and as the answer to one. Shows laggards,
/// wrong disks and new processes.
struct Hello {
  ProcessId answers;  ///< The process whose Hello this answers; 0: it is a question.
  Ballot promised;
  Slot commit;
  Slot base;
  Slot last;
  std::optional<Ballot> leads;  ///< The ballot in which the sender is established.
  std::uint64_t superblock_version = 0;
};

struct PreVote {
  RequestId probe;
  Ballot ballot;  ///< The one it would use.
  Slot commit;
  Slot last;
  Ballot last_ballot;
};

struct PreVoteReply {
  RequestId probe;
  bool is_granted = false;
  Ballot promised;
  Slot commit;
  Slot last;
  Ballot last_ballot;
};

struct Prepare {
  Ballot ballot;
  Slot commit;
  std::optional<Ballot> token;  ///< Of a transfer: the ballot whose guard it may pass.
};

/// One slot as an acceptor reports it. Without an entry it is unknown and `ballot` is the bound.
struct ReportedSlot {
  Slot slot;
  Ballot ballot;
  std::optional<Entry> entry;
};

/// One part of a promise: it speaks for the slots (covers_after, covers_to] and for no others.
struct Promise {
  Ballot ballot;
  Slot commit;
  Slot base;
  Slot covers_after;
  Slot covers_to;  ///< kOpenEnd in the last part.
  std::vector<ReportedSlot> slots;
  /// In the last part: what is behind the last slot may have been lost, in at most this ballot.
  std::optional<Ballot> unknown_tail;
};

enum class NackReason : std::uint8_t {
  kBallot = 1,  ///< A higher ballot was promised.
  kGuard = 2,   ///< A leader was heard and is protected for a while.
  kConfig = 3,  ///< The sender's configuration has ended.
};

struct Nack {
  Ballot refused;
  Ballot promised;
  NackReason reason = NackReason::kBallot;
  std::optional<ReplicaId> leader;  ///< Whom the refusing replica follows.
};

struct Fetch {
  RequestId id;
  Slot low;
  Slot high;
};

/// Decided entries from `low` on; only slots that the sender's commit covers.
struct Entries {
  RequestId id;
  Slot low;
  std::vector<Entry> entries;
  Slot commit;
  Slot base;  ///< If the slots asked for are at or below it, only a snapshot has them.
  Ballot promised;
};

struct Accept {
  Ballot ballot;
  Slot first;
  std::vector<Entry> entries;
  Slot commit;
  ReadSequence read_sequence;
};

struct Accepted {
  Ballot ballot;
  Slot through_durable;
  Slot commit;
  Slot applied;
  ReadSequence read_sequence;
  std::optional<Slot> gap_from;  ///< The first slot that is missing.
  LeaseSequence lease_sequence;  ///< Of the heartbeat this answers; the guard is armed.
};

struct Heartbeat {
  Ballot ballot;
  Slot commit;
  Slot last;  ///< What the leader has streamed to this follower.
  ReadSequence read_sequence;
  LeaseSequence lease_sequence;
};

struct Commit {
  Ballot ballot;
  Slot commit;
};

/// Hand over: the target prepares at once, with this ballot as its token.
struct Transfer {
  Ballot ballot;
};

struct ReadIndexRequest {
  RequestId id;
};

struct ReadIndexReply {
  RequestId id;
  std::optional<Slot> index;  ///< None: this replica cannot tell.
};

/// The sender's log no longer reaches back to what the receiver needs: pull this snapshot.
struct SnapshotOffer {
  SnapshotManifest manifest;
};

struct SnapshotFetch {
  RequestId id;
  SnapshotId snapshot;
  std::uint32_t file = 0;  ///< Index in the manifest.
  std::uint64_t offset = 0;
  std::uint32_t bytes = 0;  ///< At most this many.
};

struct SnapshotData {
  RequestId id;
  SnapshotId snapshot;
  std::uint32_t file = 0;
  std::uint64_t offset = 0;
  bool is_gone = false;  ///< The sender no longer has this snapshot.
  base::Bytes bytes;
};

/// The receiver needs it no longer: it has installed the snapshot, or given up.
struct SnapshotDone {
  SnapshotId snapshot;
  bool is_installed = false;
};

/// What a formed group is; the answer to a replica without memory, and how a group forms.
struct ClusterRecord {
  ClusterId cluster;
  Chain chain;
};

/// A replica without a record says who it would be; one with a record shows it.
struct Introduction {
  std::optional<ClusterRecord> record;  ///< None: blank.
  Incarnation asked_by{};               ///< Whose question this answers; 0: it is a question.
};

using Message =
    std::variant<Hello, PreVote, PreVoteReply, Prepare, Promise, Nack, Fetch, Entries, Accept,
                 Accepted, Heartbeat, Commit, Transfer, ReadIndexRequest, ReadIndexReply,
                 SnapshotOffer, SnapshotFetch, SnapshotData, SnapshotDone, Introduction>;

/// A message with the part of its header that the protocol looks at.
struct Envelope {
  Member from;
  ProcessId process;  ///< Of the sender.
  ReplicaId to;
  ConfigId config;  ///< The newest the sender has entered, durably; 0: it has none.
  Message message;
};

/// One line for traces and scenario tests; the same message gives the same text.
std::string to_string(const Message& message);

/// Calls the overload for each type: overloaded{[](const A&) {...}, [](const B&) {...}}.
template <class... Handlers>
struct Overloaded : Handlers... {
  using Handlers::operator()...;
};
template <class... Handlers>
Overloaded(Handlers...) -> Overloaded<Handlers...>;

}  // namespace synod::consensus
