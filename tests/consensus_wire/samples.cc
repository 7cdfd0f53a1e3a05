// SPDX-License-Identifier: Apache-2.0
#include "tests/consensus_wire/samples.h"

#include <utility>

namespace synod::consensus {
namespace {

Ballot ballot(std::uint64_t round, std::uint32_t owner) {
  return Ballot{ConfigId(3), Round(round), ReplicaId(owner)};
}

Member member(std::uint32_t id) {
  return Member{ReplicaId(id), Incarnation(0xA000000000000000 + id)};
}

Chain chain() {
  Configuration first{
      ConfigId(1), {member(1), member(2), member(3)}, {}, Slot(1), base::Millis(1000), {}};
  first.first_leader = ReplicaId(1);
  Configuration second{ConfigId(2),       {member(2), member(3), member(4)},
                       {member(5)},       Slot(100),
                       base::Millis(700), {}};
  return Chain{{first, second}, Slot(120)};
}

std::vector<Entry> entries() {
  return {make_entry(ballot(7, 2), EntryKind::kCommand, "a command"),
          make_entry(ballot(8, 3), EntryKind::kBarrier, {}),
          make_entry(ballot(8, 3), EntryKind::kFill, {}),
          make_entry(ballot(8, 3), EntryKind::kStopSign, std::string("\0\xff\0", 3)),
          make_entry(ballot(8, 3), EntryKind::kLearner, std::string(300, 'x'))};
}

SnapshotManifest manifest() {
  return SnapshotManifest{SnapshotId(99),
                          Slot(1000),
                          ballot(4, 1),
                          chain(),
                          {{"000012.sst", 1U << 20U, 0xDEADBEEF}, {"CURRENT", 16, 1}, {"x", 0, 0}}};
}

void add(std::vector<Sample>& samples, std::string name, Message message) {
  samples.push_back(Sample{std::move(name), wire_envelope(std::move(message))});
}

void add_elections(std::vector<Sample>& out) {
  add(out, "hello", Hello{ProcessId(5), ballot(7, 2), Slot(1), Slot(2), Slot(3), ballot(9, 1), 44});
  add(out, "hello_empty", Hello{});
  add(out, "pre_vote", PreVote{RequestId(1), ballot(7, 2), Slot(8), Slot(9), ballot(6, 1)});
  add(out, "pre_vote_reply",
      PreVoteReply{RequestId(1), true, ballot(7, 2), Slot(8), Slot(9), ballot(6, 1)});
  add(out, "prepare", Prepare{ballot(7, 2), Slot(8), std::nullopt});
  add(out, "prepare_token", Prepare{ballot(7, 2), Slot(8), ballot(6, 1)});
  Promise promise{ballot(7, 2), Slot(8), Slot(5), Slot(8), Slot(11), {}, std::nullopt};
  add(out, "promise_empty", promise);
  promise.slots = {{Slot(9), ballot(6, 1), entries()[0]},
                   {Slot(10), ballot(5, 1), std::nullopt},
                   {Slot(11), ballot(6, 1), entries()[4]}};
  add(out, "promise", promise);
  promise.covers_to = kOpenEnd;
  promise.unknown_tail = ballot(6, 3);
  add(out, "promise_tail", promise);
  add(out, "nack", Nack{ballot(7, 2), ballot(8, 1), NackReason::kGuard, ReplicaId(1)});
  add(out, "nack_empty", Nack{ballot(7, 2), ballot(8, 1), NackReason::kConfig, std::nullopt});
}

void add_replication(std::vector<Sample>& out) {
  add(out, "fetch", Fetch{RequestId(77), Slot(3), Slot(9)});
  add(out, "entries", Entries{RequestId(77), Slot(3), entries(), Slot(8), Slot(1), ballot(8, 3)});
  add(out, "entries_empty", Entries{RequestId(77), Slot(3), {}, Slot(8), Slot(5), ballot(8, 3)});
  add(out, "accept", Accept{ballot(8, 3), Slot(12), entries(), Slot(11), ReadSequence(6)});
  add(out, "accept_empty", Accept{ballot(8, 3), Slot(12), {}, Slot(11), ReadSequence(6)});
  add(out, "accepted",
      Accepted{ballot(8, 3), Slot(12), Slot(11), Slot(10), ReadSequence(6), Slot(14),
               LeaseSequence(2)});
  add(out, "accepted_no_gap",
      Accepted{ballot(8, 3), Slot(12), Slot(11), Slot(10), ReadSequence(6), std::nullopt,
               LeaseSequence(2)});
  add(out, "heartbeat",
      Heartbeat{ballot(8, 3), Slot(11), Slot(12), ReadSequence(6), LeaseSequence(2)});
  add(out, "commit", Commit{ballot(8, 3), Slot(11)});
  add(out, "transfer", Transfer{ballot(8, 3)});
  add(out, "read_index_request", ReadIndexRequest{RequestId(UINT64_MAX)});
  add(out, "read_index_reply", ReadIndexReply{RequestId(UINT64_MAX), Slot(11)});
  add(out, "read_index_none", ReadIndexReply{RequestId(UINT64_MAX), std::nullopt});
}

void add_state(std::vector<Sample>& out) {
  add(out, "snapshot_offer", SnapshotOffer{manifest()});
  SnapshotManifest empty = manifest();
  empty.files.clear();
  add(out, "snapshot_offer_empty", SnapshotOffer{empty});
  add(out, "snapshot_fetch", SnapshotFetch{RequestId(5), SnapshotId(99), 2, 1U << 20U, 65536});
  add(out, "snapshot_data",
      SnapshotData{RequestId(5), SnapshotId(99), 2, 1U << 20U, false, std::string(100, 'd')});
  add(out, "snapshot_gone", SnapshotData{RequestId(5), SnapshotId(99), 2, 0, true, {}});
  add(out, "snapshot_done", SnapshotDone{SnapshotId(99), true});
  add(out, "introduction_blank", Introduction{});
  add(out, "introduction_answer", Introduction{std::nullopt, Incarnation(12)});
  add(out, "introduction", Introduction{ClusterRecord{ClusterId(31), chain()}, Incarnation(12)});
}

}  // namespace

Envelope wire_envelope(Message message) {
  return Envelope{member(2), ProcessId(0xBEEF), ReplicaId(1), ConfigId(3), std::move(message)};
}

Accept wire_accept(std::size_t entries, std::size_t command_bytes) {
  Accept accept{ballot(8, 3), Slot(12), {}, Slot(11), ReadSequence(6)};
  for (std::size_t i = 0; i < entries; ++i) {
    accept.entries.push_back(
        make_entry(ballot(8, 3), EntryKind::kCommand, std::string(command_bytes, 'c')));
  }
  return accept;
}

std::vector<Sample> wire_samples() {
  std::vector<Sample> samples;
  add_elections(samples);
  add_replication(samples);
  add_state(samples);
  return samples;
}

}  // namespace synod::consensus
