// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/random.h"
#include "consensus/protocol/messages.h"

namespace synod::consensus {

/// What a disk remembers of how its group forms. Written as a whole, all or nothing.
struct FormationMemory {
  Incarnation incarnation;  ///< Drawn at random, and durable before anything is said.
  Incarnation answered{};   ///< Of the writer that `incarnation` was told to; 0: to none yet.
  std::optional<ClusterRecord> record;  ///< None: blank.
};

struct FormationOptions {
  ReplicaId self;
  ProcessId process;
  std::vector<ReplicaId> members;  ///< As configured, self among them.
  Instant guard = base::Millis(1000);
  ReplicaId first_leader{};
  Instant retry_after = base::Millis(500);     ///< Questions are repeated.
  Instant fresh_for = base::Millis(3000);      ///< For how long an answer counts.
  Instant forget_after = base::Millis(10000);  ///< A record of others that nobody shows any more.
};

/// How a group forms from blank disks, and what a blank disk does when the group is there already.
///
/// Every blank replica asks the others. The configured member with the lowest id, the writer,
/// writes the record once all others have answered it that they are blank; it shows it when it is
/// durable; each other member takes it if it is named in it. Whoever has the record shows it to who
/// asks. A member that cannot be reached is waited for without end.
///
/// Owned by whoever starts a replica, until the state is kFormed; nothing of a replica may run
/// before that. Pure: the caller writes what take_persist() hands out, and says persisted().
///
/// Invariants
///   F1  a record names all configured members, each with the incarnation it answered the writer
///       with, and no answer counts that was given to an earlier disk of the writer;
///   F2  an incarnation is told to one disk of the writer, durably: for another disk a new one is
///       drawn. So an incarnation stands in one record at most, and a record that was written
///       before the writer lost its disk names nobody who has answered the new disk;
///   F3  a record leaves only when it is durable at the sender, and a disk has one record at most;
///   F4  a replica takes only the record that names exactly its incarnation, all configured members
///       and, as the writer, the disk it answered; a writer takes none: it would have remembered;
///   F5  who has no record of its own never gets to kFormed, and never votes.
///
/// F1 to F4 together: if a second record is written, every disk that could take the first one is
/// lost, so two groups never exist side by side. See
/// docs/decisions/0011-formation-answers-are-bound.md.
///
/// Threads: confined to whoever owns it. Failure: complaints are lines for the log.
class Formation {
 public:
  enum class State : std::uint8_t {
    kWaiting,   ///< Not every member has answered.
    kFormed,    ///< The record is durable here and names this disk.
    kMustJoin,  ///< There is a group, this disk is not of it, see record(): wait for being added.
    kConflict,  ///< What others show cannot be: two groups, or a disk that was put back.
  };

  /// `memory` is what the disk holds, durably. `random` draws the ids.
  Formation(FormationOptions options, FormationMemory memory, base::Random random);

  /// An Introduction from somebody. REQUIRES: it is one.
  void step(const Envelope& envelope, Instant now);
  void tick(Instant now);
  /// What to write, if anything; nothing more comes of this object until persisted().
  [[nodiscard]] std::optional<FormationMemory> take_persist();
  void persisted();
  [[nodiscard]] std::vector<Envelope> take_messages();
  [[nodiscard]] std::vector<std::string> take_complaints();

  [[nodiscard]] State state() const { return state_; }
  /// Who this disk is; a new incarnation may be drawn as long as it is blank.
  [[nodiscard]] Member self() const { return Member{options_.self, memory_.incarnation}; }
  /// kFormed: the own record. kMustJoin: the newest one shown. Otherwise none.
  [[nodiscard]] const std::optional<ClusterRecord>& record() const;
  /// In kMustJoin: the group has taken this disk in meanwhile, as a learner or voter.
  [[nodiscard]] bool is_added() const;

  /// What a formed replica answers: the record, if somebody blank asks.
  [[nodiscard]] static std::optional<Envelope> answer(const ClusterRecord& record,
                                                      const Member& self, ProcessId process,
                                                      const Envelope& question);

 private:
  struct Answer {
    Incarnation incarnation;
    Instant at;
  };

  [[nodiscard]] ReplicaId writer() const { return options_.members.front(); }
  [[nodiscard]] bool is_writer() const { return options_.self == writer(); }
  [[nodiscard]] bool is_configured(ReplicaId id) const;
  [[nodiscard]] bool all_blank(Instant now) const;
  [[nodiscard]] bool takes(const ClusterRecord& record) const;

  void on_record(const Member& from, const Introduction& message, Instant now);
  void on_stranger(const ClusterRecord& record, Instant now);
  void on_blank_answer(const Member& from, Instant now);
  void on_blank_question(const Member& from, Instant now);
  void try_write(Instant now);
  void ask(Instant now);
  void persist();
  void send(ReplicaId to, Introduction message);
  void show_to_all();
  void conflict(const std::string& what);

  FormationOptions options_;  ///< Members in order.
  FormationMemory memory_;    ///< As the disk has it, or will when `is_persisting_` ends.
  base::Random random_;
  State state_ = State::kWaiting;
  bool is_persisting_ = false;
  bool is_handed_out_ = false;
  std::map<ReplicaId, Answer> answers_;  ///< Blank ones, to questions of this incarnation.
  std::optional<ClusterRecord> shown_;   ///< Of a group that this disk is not of.
  Instant shown_at_{};
  std::optional<Instant> asked_at_;
  ClusterId complained_of_;
  std::vector<Envelope> messages_;
  std::vector<std::string> complaints_;
};

}  // namespace synod::consensus
