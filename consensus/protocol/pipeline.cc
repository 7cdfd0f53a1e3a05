// SPDX-License-Identifier: Apache-2.0
#include "consensus/protocol/pipeline.h"

#include <algorithm>
#include <functional>
#include <utility>

#include "base/assert.h"
#include "base/plant.h"

namespace synod::consensus {

Pipeline::Pipeline(Ballot ballot, Configuration configuration, Limits limits, Instant now)
    : ballot_(ballot), configuration_(std::move(configuration)), limits_(limits) {
  SYNOD_ASSERT(configuration_.is_voter(ballot_.owner), "E2: only a voter leads");
  SYNOD_ASSERT(ballot_.config == configuration_.id, "C1: a ballot leads in its configuration");
  for (const Member& voter : configuration_.voters) {
    if (voter.id != ballot_.owner) followers_[voter.id].heard = now;
  }
  set_learners(configuration_.learners);
}

void Pipeline::begin_behind(ReplicaId replica, Slot commit) {
  const auto found = followers_.find(replica);
  if (found != followers_.end()) found->second.next = commit.next();
}

bool Pipeline::on_accepted(ReplicaId from, const Accepted& accepted, Slot last, Instant now,
                           Instant resend_after) {
  const auto found = followers_.find(from);
  if (found == followers_.end() || accepted.ballot != ballot_) return false;
  if (accepted.through_durable > last) return false;
  Follower& follower = found->second;
  follower.heard = std::max(follower.heard, now);
  follower.read = std::max(follower.read, accepted.read_sequence);
  acknowledge(follower, accepted.through_durable);
  if (!follower.next) {
    follower.next = accepted.gap_from.value_or(accepted.through_durable.next());
  } else if (accepted.gap_from) {
    rewind(follower, *accepted.gap_from, now, resend_after);
  }
  // What it knows to be decided, by a snapshot perhaps, it does not need.
  follower.next = std::min(std::max(*follower.next, accepted.commit.next()), last.next());
  return true;
}

void Pipeline::acknowledge(Follower& follower, Slot through) {
  follower.match = std::max(follower.match, through);
  while (!follower.in_flight.empty() && follower.in_flight.front().through <= follower.match) {
    SYNOD_ASSERT(follower.bytes_in_flight >= follower.in_flight.front().bytes, "W1: bytes add up");
    follower.bytes_in_flight -= follower.in_flight.front().bytes;
    follower.in_flight.pop_front();
  }
}

void Pipeline::rewind(Follower& follower, Slot gap, Instant now, Instant resend_after) {
  // Every Accept behind a lost one reports the same gap: one answer to all of them.
  const bool is_repeat = gap == follower.rewound_to && now < follower.rewound_at + resend_after;
  if (is_repeat || gap >= *follower.next) return;
  follower.next = gap;
  follower.rewound_to = gap;
  follower.rewound_at = now;
  follower.in_flight.clear();
  follower.bytes_in_flight = 0;
}

Slot Pipeline::majority_through(Slot own_durable) const {
  std::vector<Slot> prefixes{own_durable};
  for (const auto& [id, follower] : followers_) {
    if (follower.is_voter) prefixes.push_back(follower.match);
  }
  SYNOD_ASSERT(prefixes.size() == configuration_.voters.size(), "P5: voters count, no others");
  std::sort(prefixes.begin(), prefixes.end(), std::greater<>());
  return prefixes[configuration_.majority() - 1];
}

ReadSequence Pipeline::majority_read(ReadSequence own) const {
  std::vector<ReadSequence> sequences{own};
  for (const auto& [id, follower] : followers_) {
    if (follower.is_voter) sequences.push_back(follower.read);
  }
  std::sort(sequences.begin(), sequences.end(), std::greater<>());
  return sequences[configuration_.majority() - 1];
}

bool Pipeline::has_quorum(Instant since) const {
  std::size_t heard = 1;
  for (const auto& [id, follower] : followers_) {
    if (follower.is_voter && follower.heard >= since) ++heard;
  }
  return heard >= configuration_.majority();
}

void Pipeline::set_learners(const std::vector<Member>& learners) {
  std::erase_if(followers_, [&](const auto& follower) {
    return !follower.second.is_voter &&
           std::none_of(learners.begin(), learners.end(),
                        [&](const Member& learner) { return learner.id == follower.first; });
  });
  for (const Member& learner : learners) {
    const auto [place, is_new] = followers_.try_emplace(learner.id);
    if (is_new) place->second.is_voter = false;
  }
}

bool Pipeline::is_caught_up(ReplicaId replica, Slot last) const {
  const auto found = followers_.find(replica);
  return found != followers_.end() && found->second.is_voter && found->second.match == last;
}

std::optional<Slot> Pipeline::match(ReplicaId replica) const {
  const auto found = followers_.find(replica);
  if (found == followers_.end()) return std::nullopt;
  return found->second.match;
}

std::optional<ReplicaId> Pipeline::caught_up(Slot last) const {
  for (const auto& [id, follower] : followers_) {
    if (is_caught_up(id, last)) return id;
  }
  return std::nullopt;
}

Accept Pipeline::next_accept(Follower& follower, const SlotLog& log, Slot last) const {
  Accept accept{ballot_, *follower.next, {}, Slot(), ReadSequence()};
  std::size_t bytes = 0;
  Slot slot = *follower.next;
  while (slot <= last && (bytes == 0 || bytes < limits_.message_bytes)) {
    const SlotLog::Record* record = log.find(slot);
    SYNOD_ASSERT(record != nullptr && record->entry, "P3: a leader has what it proposes");
    bytes += record->entry->bytes();
    accept.entries.push_back(*record->entry);
    slot = slot.next();
  }
  follower.next = slot;
  follower.in_flight.push_back(InFlight{before(slot), bytes});
  follower.bytes_in_flight += bytes;
  return accept;
}

Pipeline::Sends Pipeline::fill(const SlotLog& log, Slot last, Slot commit, ReadSequence read) {
  Sends sends;
  for (auto& [id, follower] : followers_) {
    if (!follower.next) continue;
    if (*follower.next <= log.base()) {
      if (!std::exchange(follower.is_offered, true)) {
        sends.too_far_behind.push_back(id);
      }
      continue;
    }
    while (*follower.next <= last && follower.in_flight.size() < limits_.window_messages &&
           follower.bytes_in_flight < limits_.window_bytes) {
      Accept accept = next_accept(follower, log, last);
      accept.commit = commit;
      accept.read_sequence = read;
      follower.commit_sent = commit;
      sends.messages.push_back(Send{id, std::move(accept)});
    }
    SYNOD_ASSERT(follower.in_flight.size() <= limits_.window_messages, "W1: the window holds");
  }
  return sends;
}

std::vector<Pipeline::Send> Pipeline::announce(Slot commit) {
  std::vector<Send> sends;
  for (auto& [id, follower] : followers_) {
    if (!follower.next || follower.commit_sent >= commit) continue;
    follower.commit_sent = commit;
    sends.push_back(Send{id, Commit{ballot_, commit}});
  }
  return sends;
}

std::vector<Pipeline::Send> Pipeline::heartbeats(Slot commit, Slot last, ReadSequence read,
                                                 LeaseSequence lease) {
  std::vector<Send> sends;
  for (auto& [id, follower] : followers_) {
    const Slot streamed = follower.next ? before(*follower.next) : last;
    follower.commit_sent = std::max(follower.commit_sent, commit);
    follower.is_offered = false;
    sends.push_back(Send{id, Heartbeat{ballot_, commit, streamed, read, lease}});
  }
  return sends;
}

}  // namespace synod::consensus
