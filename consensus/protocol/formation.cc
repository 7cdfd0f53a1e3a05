// SPDX-License-Identifier: Apache-2.0
#include "consensus/protocol/formation.h"

#include <algorithm>
#include <utility>

#include "base/assert.h"
#include "base/plant.h"

namespace synod::consensus {
namespace {

/// The record as it was when the group formed. Whoever was blank until now has nothing of what came
/// later, and a chain on disk says that its stop slots are there.
ClusterRecord initial(const ClusterRecord& record) {
  Configuration first = record.chain.configurations.front();
  first.learners.clear();
  return ClusterRecord{record.cluster, Chain{{std::move(first)}, kNoSlot}};
}

bool is_newer(const ClusterRecord& one, const ClusterRecord& other) {
  return std::pair(one.chain.current().id, one.chain.as_of) >
         std::pair(other.chain.current().id, other.chain.as_of);
}

bool is_blank_question(const Introduction& message) {
  return !message.record && message.asked_by == Incarnation();
}

}  // namespace

Formation::Formation(FormationOptions options, FormationMemory memory, base::Random random)
    : options_(std::move(options)), memory_(std::move(memory)), random_(random) {
  std::sort(options_.members.begin(), options_.members.end());
  SYNOD_ASSERT(std::adjacent_find(options_.members.begin(), options_.members.end()) ==
                   options_.members.end(),
               "F1: a member is configured once");
  SYNOD_ASSERT(is_configured(options_.self), "F1: a replica is one of the configured members");
  SYNOD_ASSERT(memory_.incarnation != Incarnation(),
               "F2: an incarnation is durable from the start");
  if (!memory_.record) return;
  SYNOD_ASSERT(memory_.record->chain.knows(self()), "F4: the record of a disk names the disk");
  state_ = State::kFormed;
}

const std::optional<ClusterRecord>& Formation::record() const {
  return state_ == State::kFormed ? memory_.record : shown_;
}

bool Formation::is_added() const {
  return state_ == State::kMustJoin && shown_ && shown_->chain.knows(self());
}

bool Formation::is_configured(ReplicaId id) const {
  return std::binary_search(options_.members.begin(), options_.members.end(), id);
}

bool Formation::all_blank(Instant now) const {
  const auto is_fresh = [&](ReplicaId id) {
    const auto answer = answers_.find(id);
    return id == options_.self ||
           (answer != answers_.end() && now - answer->second.at <= options_.fresh_for);
  };
  return std::all_of(options_.members.begin(), options_.members.end(), is_fresh);
}

/// F4
bool Formation::takes(const ClusterRecord& record) const {
  const Configuration& first = record.chain.configurations.front();
  if (first.id != ConfigId(1) || first.first != Slot(1) || record.cluster == ClusterId()) {
    return false;
  }
  if (SYNOD_PLANT("blank_takes_any_record")) return true;
  const bool names_all = std::equal(
      first.voters.begin(), first.voters.end(), options_.members.begin(), options_.members.end(),
      [](const Member& voter, ReplicaId id) { return voter.id == id; });
  const bool is_bound = first.voters.front().incarnation == memory_.answered;
  return names_all && first.is_voter(self()) && !is_writer() &&
         (is_bound || SYNOD_PLANT("answers_unbound"));
}

void Formation::step(const Envelope& envelope, Instant now) {
  const Introduction* message = std::get_if<Introduction>(&envelope.message);
  SYNOD_ASSERT(message != nullptr, "F5: who is not formed listens to Introductions only");
  // While a write is under way nothing is said; whoever asks will ask again.
  if (is_persisting_ || envelope.from.id == options_.self) return;
  if (message->record) {
    on_record(envelope.from, *message, now);
  } else if (state_ == State::kFormed) {
    auto shown = answer(*memory_.record, self(), options_.process, envelope);
    if (shown) messages_.push_back(std::move(*shown));
  } else if (state_ == State::kWaiting && is_configured(envelope.from.id)) {
    if (is_blank_question(*message)) {
      on_blank_question(envelope.from, now);
    } else if (message->asked_by == memory_.incarnation || SYNOD_PLANT("answer_to_any_disk")) {
      on_blank_answer(envelope.from, now);
    }
  }
}

void Formation::on_record(const Member& from, const Introduction& message, Instant now) {
  const ClusterRecord& record = *message.record;
  if (record.chain.configurations.empty() || !record.chain.knows(from)) return;
  if (state_ == State::kFormed) {
    if (record.cluster == memory_.record->cluster || record.cluster == complained_of_) return;
    complained_of_ = record.cluster;
    complaints_.push_back("replica " + std::to_string(from.id.value()) +
                          " shows the record of another cluster");
    return;
  }
  const bool is_other = shown_ && shown_->cluster != record.cluster;
  if (state_ != State::kConflict && !is_other && takes(record)) {
    memory_.record = initial(record);
    shown_.reset();
    persist();
  } else if (message.asked_by == memory_.incarnation) {
    on_stranger(record, now);
  }
  // Anything else is late: an answer to a disk that was here before.
}

/// A formed member showed, just now, a record that this disk cannot take.
void Formation::on_stranger(const ClusterRecord& record, Instant now) {
  if (shown_ && shown_->cluster != record.cluster) {
    // It lasts as long as somebody shows the first one, too: that may be an echo of lost disks.
    conflict("two clusters answer");
    return;
  }
  const Configuration& first = record.chain.configurations.front();
  if (is_writer() && first.id == ConfigId(1) && first.is_voter(self())) {
    conflict("this disk wrote a record and does not have it: an old copy was put back");
  } else if (state_ == State::kWaiting) {
    complaints_.push_back("this disk is not of the group: it has to be added");
    state_ = State::kMustJoin;
  }
  if (!shown_ || is_newer(record, *shown_)) shown_ = record;
  shown_at_ = now;
}

void Formation::conflict(const std::string& what) {
  if (state_ != State::kConflict) complaints_.push_back("conflict: " + what);
  state_ = State::kConflict;
}

void Formation::on_blank_answer(const Member& from, Instant now) {
  answers_[from.id] = Answer{from.incarnation, now};
  try_write(now);
}

void Formation::on_blank_question(const Member& from, Instant now) {
  if (from.id != writer() || memory_.answered == from.incarnation) {
    send(from.id, Introduction{std::nullopt, from.incarnation});
    return;
  }
  // F2: the disk of the writer is new, or the first that asks. A new incarnation is of no use to a
  // group that named the old one; so it is drawn only while nobody has seen a group.
  if (memory_.answered != Incarnation()) {
    if (!all_blank(now)) return;
    if (!SYNOD_PLANT("answers_unbound")) {
      memory_.incarnation = Incarnation(random_.next() | 1U);
    }
    answers_.clear();
  }
  memory_.answered = from.incarnation;
  persist();
}

void Formation::try_write(Instant now) {
  if (state_ != State::kWaiting || !is_writer() || is_persisting_) return;
  const bool is_enough = SYNOD_PLANT("form_by_majority")
                             ? answers_.size() + 1 > options_.members.size() / 2
                             : all_blank(now);
  if (!is_enough) return;
  Configuration first{ConfigId(1), {}, {}, Slot(1), options_.guard, options_.first_leader};
  for (const ReplicaId id : options_.members) {
    const auto answer = answers_.find(id);
    if (id == options_.self) first.voters.push_back(self());
    if (answer != answers_.end()) first.voters.push_back(Member{id, answer->second.incarnation});
  }
  SYNOD_ASSERT(first.voters.size() == options_.members.size() || SYNOD_PLANT("form_by_majority"),
               "F1: all members are named");
  memory_.record =
      ClusterRecord{ClusterId(random_.next() | 1U), Chain{{std::move(first)}, kNoSlot}};
  persist();
  if (SYNOD_PLANT("record_sent_before_durable")) show_to_all();
}

void Formation::tick(Instant now) {
  if (is_persisting_ || state_ == State::kFormed) return;
  if (shown_ && now - shown_at_ > options_.forget_after) {
    // Nobody shows it any more: its last disk may be lost as well, and all blank members will do.
    shown_.reset();
    state_ = State::kWaiting;
  }
  try_write(now);
  const bool is_due = !asked_at_ || now - *asked_at_ >= options_.retry_after;
  if (is_due && !is_persisting_) ask(now);
}

void Formation::ask(Instant now) {
  asked_at_ = now;
  for (const ReplicaId id : options_.members) {
    if (id != options_.self) send(id, Introduction{});
  }
  if (!shown_) return;
  // Whoever leads the group takes this disk in, and may have come later than the list was written.
  for (const Member& voter : shown_->chain.current().voters) {
    if (!is_configured(voter.id)) send(voter.id, Introduction{});
  }
}

void Formation::persist() {
  SYNOD_ASSERT(!is_persisting_ && state_ != State::kFormed, "F3: a disk has one record at most");
  is_persisting_ = true;
  is_handed_out_ = false;
}

std::optional<FormationMemory> Formation::take_persist() {
  if (!is_persisting_ || is_handed_out_) return std::nullopt;
  is_handed_out_ = true;
  return memory_;
}

void Formation::persisted() {
  SYNOD_ASSERT(is_persisting_ && is_handed_out_, "F3: what was handed out is durable");
  is_persisting_ = false;
  if (memory_.record) {
    state_ = State::kFormed;
    if (is_writer()) show_to_all();
  } else {
    send(writer(), Introduction{std::nullopt, memory_.answered});
  }
}

void Formation::show_to_all() {
  for (const ReplicaId id : options_.members) {
    if (id != options_.self) send(id, Introduction{memory_.record, Incarnation()});
  }
}

void Formation::send(ReplicaId to, Introduction message) {
  const ConfigId config = message.record ? message.record->chain.current().id : ConfigId();
  messages_.push_back(Envelope{self(), options_.process, to, config, std::move(message)});
}

std::optional<Envelope> Formation::answer(const ClusterRecord& record, const Member& self,
                                          ProcessId process, const Envelope& question) {
  const Introduction* message = std::get_if<Introduction>(&question.message);
  if (message == nullptr || !is_blank_question(*message)) return std::nullopt;
  return Envelope{self, process, question.from.id, record.chain.current().id,
                  Introduction{record, question.from.incarnation}};
}

std::vector<Envelope> Formation::take_messages() { return std::exchange(messages_, {}); }
std::vector<std::string> Formation::take_complaints() { return std::exchange(complaints_, {}); }

}  // namespace synod::consensus
