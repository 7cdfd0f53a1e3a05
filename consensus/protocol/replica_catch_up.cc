// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <utility>

#include "base/assert.h"
#include "base/plant.h"
#include "consensus/protocol/formation.h"
#include "consensus/protocol/replica.h"

// How a replica gets what it missed, lost or has damaged: docs/PROTOCOL.md sections 8, 10 and 12.
namespace synod::consensus {

/// Hellos are lost while connections come up, so whoever speaks without one is asked for it. What
/// a new process of a known disk says meanwhile counts as lost: its disk may be an old copy.
bool Replica::has_shown_disk(const Envelope& envelope) {
  Peer& peer = peers_[envelope.from];
  if (peer.process == envelope.process) return true;
  if (now_ >= peer.next_question) {
    peer.next_question = now_ + options_.timing.heartbeat;
    say_hello(envelope.from.id, ProcessId());
  }
  return peer.process == ProcessId();
}

/// Shows processes and disks to each other. Every start of a disk writes its superblock before it
/// speaks, so a process that shows no more than another one has shown runs on an older copy: that
/// is noticed as far as this process remembers.
void Replica::on_hello(const Envelope& head, const Hello& message) {
  Peer& peer = peers_[head.from];
  const bool is_other = peer.process != ProcessId() && head.process != peer.process;
  if (is_other && message.superblock_version <= peer.superblock_version) {
    peer.refused = head.process;
    return complain(head.from.id, "came back with an older disk");
  }
  peer.superblock_version = std::max(peer.superblock_version, message.superblock_version);
  peer.process = head.process;
  // Who was only told of the configuration cannot give what was decided before it.
  const bool has_entered =
      head.config >= configuration().id && message.commit >= before(configuration().first);
  if (has_entered && configuration().is_voter(head.from)) entered_.insert(head.from.id);
  if (message.answers == ProcessId()) {
    // Who has just entered the configuration need not wait for the next heartbeat.
    if (leadership_ && head.config == history_.entered()) send_heartbeats();
    return say_hello(head.from.id, head.process);
  }
  const bool is_own_leader = message.leads && *message.leads == acceptor_.promised();
  if (message.answers == process_ && is_own_leader && acceptor_.unknown_tail()) {
    tail_goal_ = {*message.leads, message.last};
  }
}

/// What the damaged end held was either proposed below this ballot, and then its phase 1 had a
/// certain majority for everything above its log; or in it, and then it is accepted again here.
void Replica::end_tail_if_known() {
  if (!acceptor_.unknown_tail()) return;
  const bool is_reached = tail_goal_ && tail_goal_->first == acceptor_.promised() &&
                          acceptor_.acknowledged() >= tail_goal_->second;
  if (is_established() || is_reached) acceptor_.end_unknown_tail();
}

/// A newer configuration is known to exist, or slots before this one are missing.
bool Replica::is_behind() const {
  const Slot decided = before(configuration().first);
  return newest_seen_ > history_.entered() || acceptor_.commit() < decided;
}

void Replica::begin_catch_up(ReplicaId source, Slot until) {
  const bool is_same = catch_up_ && catch_up_->source == source && catch_up_->until == until;
  if (!is_same) catch_up_ = CatchUp{source, until, RequestId(), kNoSlot, {}, {}};
  catch_up_->give_up = now_ + options_.timing.election_min;
  fetch_next();
}

/// A question that is repeated keeps its number: over a way that is slower than the repetitions the
/// answer to the first one comes behind the next.
void Replica::fetch_next() {
  catch_up_->next_resend = now_ + options_.timing.heartbeat;
  const Slot low = acceptor_.commit().next();
  if (low != catch_up_->low) {
    next_request_ = next_request_.next();
    catch_up_->fetch = next_request_;
    catch_up_->low = low;
  }
  send(catch_up_->source, Fetch{catch_up_->fetch, low, catch_up_->until});
}

void Replica::go_on_catching_up() {
  if (role_ == Role::kLearning) return go_on_learning();
  if (!catch_up_ || history_.is_between()) return;
  if (!is_behind()) return catch_up_.reset();
  if (now_ >= catch_up_->next_resend) fetch_next();
}

void Replica::tick_catch_up() {
  if (role_ == Role::kLearning) return;  // the candidate has a clock of its own
  if (catch_up_ && now_ >= catch_up_->give_up) catch_up_.reset();
  if (catch_up_) return go_on_catching_up();
  if (history_.is_between() || !is_behind()) return;
  // Whoever answered last may be gone; anybody of the chain may have it. Also a learner: by now
  // they may be the voters, and all voters that are known here may be gone.
  std::vector<ReplicaId> sources;
  for (const Configuration& each : history_.chain().configurations) {
    for (const auto* members : {&each.voters, &each.learners}) {
      for (const Member& member : *members) {
        if (member.id != options_.self.id) sources.push_back(member.id);
      }
    }
  }
  if (!sources.empty()) begin_catch_up(sources[random_.below(sources.size())], kOpenEnd);
}

void Replica::on(ReplicaId from, const Fetch& message) {
  const SlotLog& log = acceptor_.log();
  Entries reply{message.id, message.low,         {}, acceptor_.announced_commit(),
                log.base(), acceptor_.promised()};
  std::size_t bytes = 0;
  for (Slot slot = message.low; slot <= message.high; slot = slot.next()) {
    const Entry* entry = acceptor_.decided(slot);
    if (entry == nullptr || bytes > options_.limits.message_bytes) break;
    reply.entries.push_back(*entry);
    reply.commit = std::max(reply.commit, slot);
    bytes += entry->bytes();
  }
  note_has(from, before(message.low));
  if (message.low <= log.base()) offer_snapshot(from);
  send(from, std::move(reply));
}

void Replica::on(ReplicaId from, const Entries& message) {
  if (candidacy_ && message.id == candidacy_->inquiry) return hear_of_decided(message);
  if (!catch_up_ || message.id != catch_up_->fetch || message.entries.empty()) return;
  if (history_.is_between()) return;  // the next configuration is entered first
  const Slot last(message.low.value() + message.entries.size() - 1);
  if (message.commit < last) return complain(from, "sends what it does not know to be decided");
  // Others decided what this leader has not: its ballot is over.
  if (leadership_ && last > acceptor_.commit()) step_down();
  const Slot old = acceptor_.commit();
  const Slot known = acceptor_.learned();
  Acceptor::Verdict verdict = acceptor_.learn(message.low, message.entries);
  if (verdict == Acceptor::Verdict::kOutbid) {
    outbid(message.promised);
    verdict = acceptor_.learn(message.low, message.entries);
  }
  if (verdict == Acceptor::Verdict::kConflict) {
    return complain(from, "says decided what contradicts this log");
  }
  // The next part is asked for when this one is durable and commit has moved over it.
  const bool is_progress = acceptor_.learned() > known;
  if (candidacy_ && is_progress) candidacy_->give_up = now_ + options_.timing.election_min;
  if (candidacy_) candidacy_->next_resend = now_;
  if (!catch_up_) return;
  if (is_progress) catch_up_->give_up = now_ + options_.timing.election_min;
  catch_up_->next_resend = now_;
  settle();
  if (acceptor_.commit() > old) go_on_catching_up();
}

/// Phase 1 waits because of damage, but some slots it asks for are known to be decided, by
/// replicas of the next configuration too, which promise nothing in this one any more.
void Replica::inquire() {
  const auto slot = candidacy_->phase_one.blocked_at();
  if (!slot) return;
  if (candidacy_->inquiry == RequestId()) {
    next_request_ = next_request_.next();
    candidacy_->inquiry = next_request_;
  }
  for (const ReplicaId id : peers_of_last_configurations()) {
    send(id, Fetch{candidacy_->inquiry, *slot, kOpenEnd});
  }
}

void Replica::hear_of_decided(const Entries& message) {
  Slot slot = message.low;
  for (const Entry& entry : message.entries) {
    if (!is_intact(entry) || slot > message.commit) return;
    candidacy_->phase_one.note_decided(slot, entry);
    slot = slot.next();
  }
  try_to_lead();
}

/// A value accepted here in the promised ballot has lost: that ballot is over. Promising more is
/// always safe, and what is learned can then stand beside what was accepted (A4).
void Replica::outbid(const Ballot& promised) {
  const Ballot& own = acceptor_.promised();
  const Ballot next{own.config, own.round.next(), ReplicaId()};
  const bool is_usable = promised > own && promised.config == own.config;
  enter(is_usable ? promised : next);
}

void Replica::trim(Slot slot) { acceptor_.trim(slot); }

/// A replica without memory asks who this is.
void Replica::on_introduction(const Envelope& head) {
  const ClusterRecord record{options_.cluster, history_.chain()};
  auto answer = Formation::answer(record, options_.self, process_, head);
  if (answer) output_.send_now.push_back(std::move(*answer));
}

}  // namespace synod::consensus
