// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <deque>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/random.h"
#include "consensus/protocol/acceptor.h"
#include "consensus/protocol/election.h"
#include "consensus/protocol/learner.h"
#include "consensus/protocol/lease.h"
#include "consensus/protocol/messages.h"
#include "consensus/protocol/phase_one.h"
#include "consensus/protocol/pipeline.h"
#include "consensus/protocol/read_index.h"
#include "consensus/protocol/types.h"

namespace synod::consensus {

enum class Role : std::uint8_t {
  kFollower,
  kAsking,     ///< PreVote is out.
  kPreparing,  ///< Prepare is out.
  kLearning,   ///< Promised by a majority; fetching decided slots it lacks.
  kLeading,
};
std::string_view role_name(Role role);

struct Options {
  Member self;
  Configuration configuration;
  Timing timing;
  Limits limits;
  bool reads_by_lease = false;  ///< Needs the clock assumption of docs/PROTOCOL.md section 9.
};

/// What one batch of inputs leads to. The caller writes `persist` as one frame, sends `send_now`
/// at once, and each of `send_after_durable` when its ticket is durable.
struct Output {
  struct Deferred {
    Ticket ticket;
    Envelope envelope;
  };
  struct Read {
    ReadContext context;
    std::optional<Slot> index;  ///< None: failed, ask again elsewhere.
  };
  std::optional<Persist> persist;
  std::vector<Envelope> send_now;
  std::vector<Deferred> send_after_durable;
  std::vector<Delivery> apply;
  std::vector<Read> reads;
  /// A snapshot of at least this slot is needed, and this replica has one.
  std::optional<std::pair<ReplicaId, Slot>> snapshot_wanted;
  /// What peers sent that cannot be right: one line each, for the log.
  std::vector<std::string> complaints;
};

struct Proposed {
  enum class Code : std::uint8_t { kTaken, kNotLeading, kBusy };
  Code code = Code::kNotLeading;
  Slot first;     ///< Taken: the commands have consecutive slots from here,
  Ballot origin;  ///< and this origin. Another origin applied there: definitely not executed.
  std::optional<ReplicaId> leader;
};

/// One member of a group: the roles of Multi-Paxos composed. Values in, values out.
///
/// A batch is: advance(now); any of step, persisted, applied, propose, read, tick; take_output().
/// `now` is read after the last input of the batch was dequeued.
///
/// Invariants: those of the roles, and
///   D1  Prepare leaves after the promise is durable;
///   D2  Promise and acknowledgements of new entries leave after their frame;
///   P1  after a restart an own ballot is never used again;
///   R1  a read is released by an established leader only, at applied >= index;
///   C2  who is not in the configuration changes nothing.
///
/// Threads: confined to the consensus strand. No clock, no I/O, no iteration without order.
class Replica {
 public:
  Replica(Options options, const RecoveredState& state, base::Random random, Instant now);

  void advance(Instant now);
  void step(const Envelope& envelope);
  void tick();
  void persisted(Ticket ticket);
  void applied(Slot slot);
  [[nodiscard]] Proposed propose(std::vector<base::Bytes> commands);
  void read(ReadContext context);
  /// The state machine was replaced by a snapshot that contains `slot`; all of it is durable.
  /// Does nothing if the state is there already.
  void install_snapshot(Slot slot, const Ballot& fence);
  /// Slots up to here are in a durable snapshot and need not be kept.
  void trim(Slot slot) { acceptor_.trim(slot); }
  [[nodiscard]] Output take_output();

  [[nodiscard]] Role role() const { return role_; }
  /// Leading, and the barrier is decided.
  [[nodiscard]] bool is_established() const;
  [[nodiscard]] std::optional<ReplicaId> leader() const { return leader_; }
  [[nodiscard]] const Acceptor& acceptor() const { return acceptor_; }
  [[nodiscard]] const Learner& learner() const { return learner_; }

 private:
  /// What exists only while this replica leads.
  struct Leadership {
    Pipeline pipeline;
    ReadIndex reads;
    Lease lease;
    Slot barrier;
    std::size_t undecided_bytes = 0;
    Instant next_heartbeat{};
  };
  struct Candidacy {
    PhaseOne phase_one;
    Instant give_up{};
    Instant next_resend{};
    std::optional<PhaseOne::Adoption> adoption;  ///< Set while learning.
    RequestId fetch;
  };
  struct ForwardedRead {
    ReadContext context;
    Instant give_up{};
  };

  // Elections (replica_election.cc).
  void on(ReplicaId from, const PreVote& message);
  void on(ReplicaId from, const PreVoteReply& message);
  void on(ReplicaId from, const Prepare& message);
  void on(ReplicaId from, const Promise& message);
  void on(ReplicaId from, const Nack& message);
  void ask();
  void prepare();
  void send_prepare();
  void try_to_lead();
  void go_on_learning();
  void lead(const std::vector<Entry>& adopted, Slot first);
  void step_down();
  void tick_candidate();
  void add_own_promise();

  // The log (replica_log.cc).
  void on(ReplicaId from, const Accept& message);
  void on(ReplicaId from, const Accepted& message);
  void on(ReplicaId from, const Heartbeat& message);
  void on(ReplicaId from, const Commit& message);
  void on(ReplicaId from, const Fetch& message);
  void on(ReplicaId from, const Entries& message);
  void on(ReplicaId from, const SnapshotOffer& message);
  void on(ReplicaId from, const ReadIndexRequest& message);
  void on(ReplicaId from, const ReadIndexReply& message);
  void append(const Entry& entry);
  void advance_commit();
  void serve_reads();
  void fail_read(const ReadRequest& request);
  void tick_leader();
  void send_heartbeats();
  [[nodiscard]] bool holds_lease() const;
  void release_applied_reads();

  // Both (replica.cc).
  bool follow(ReplicaId from, const Ballot& ballot);
  void enter(const Ballot& ballot);
  void send(ReplicaId to, Message message);
  void send_after_durable(ReplicaId to, Message message);
  void send_to_voters(const Message& message, bool is_deferred);
  void pump();
  void flush_acknowledgement();
  [[nodiscard]] bool is_disk_stalled() const;
  void complain(ReplicaId from, std::string_view what);

  Options options_;
  base::Random random_;
  Instant now_{};
  Acceptor acceptor_;
  Learner learner_;
  Election election_;
  Guard guard_;
  Role role_ = Role::kFollower;
  std::optional<ReplicaId> leader_;
  std::optional<Candidacy> candidacy_;
  std::optional<Leadership> leadership_;
  RequestId next_request_;

  std::map<RequestId, ForwardedRead> forwarded_;
  std::multimap<Slot, ReadContext> unapplied_reads_;
  std::deque<std::pair<Ticket, Instant>> frames_;  ///< Handed out and not yet durable.
  bool owes_acknowledgement_ = false;              ///< To the leader, for Accepts of this batch.
  std::optional<Slot> gap_;
  ReadSequence read_seen_;
  Output output_;
  std::vector<std::pair<ReplicaId, Message>> deferred_;
};

}  // namespace synod::consensus
