// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/random.h"
#include "consensus/protocol/acceptor.h"
#include "consensus/protocol/configuration_history.h"
#include "consensus/protocol/election.h"
#include "consensus/protocol/learner.h"
#include "consensus/protocol/lease.h"
#include "consensus/protocol/messages.h"
#include "consensus/protocol/phase_one.h"
#include "consensus/protocol/pipeline.h"
#include "consensus/protocol/read_index.h"
#include "consensus/protocol/replica_io.h"
#include "consensus/protocol/retention.h"
#include "consensus/protocol/snapshot_pull.h"
#include "consensus/protocol/snapshot_task.h"
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

  /// Proposes the end of this configuration and the next one. Voters of the next are voters or
  /// learners of this one. kBusy while another change or a transfer is under way.
  [[nodiscard]] Proposed reconfigure(const NextConfiguration& next);
  /// Adds or removes a learner; it takes part in no majority.
  [[nodiscard]] Proposed change_learner(const Member& learner, bool is_added);
  /// Begins to hand over to this voter; true if it was begun. Proposals are refused with kBusy
  /// until it is done or has failed.
  bool transfer(ReplicaId to);

  /// The newest durable snapshot of the own state; at start too.
  void snapshot_taken(const SnapshotManifest& manifest);
  /// Answers BeginStaging: what is staged already, one for each file of the manifest.
  void snapshot_begun(SnapshotId snapshot, const std::vector<StagedFile>& staged);
  /// Answers ReadSnapshot; none: that snapshot is gone.
  void snapshot_bytes(const ReadSnapshot& request, std::optional<base::Bytes> bytes);
  /// The staging area failed: what was staged is worth nothing.
  void snapshot_failed(SnapshotId snapshot);
  /// The state machine was replaced by this image; all of it is durable, and so are the chain and
  /// the base in the superblock. Does nothing if the state is there already.
  void install_snapshot(const SnapshotManifest& label);
  /// Slots up to here are in a durable snapshot and need not be kept.
  void trim(Slot slot);
  /// What is above, peers that were heard of lately still need; kOpenEnd: nothing.
  [[nodiscard]] Slot needed_above() const {
    return retention_.needed_above(acceptor_.log().base(), now_);
  }
  [[nodiscard]] Output take_output();

  [[nodiscard]] Role role() const { return role_; }
  /// Leading, and the barrier is decided.
  [[nodiscard]] bool is_established() const;
  /// Reads have their index and wait for applied().
  [[nodiscard]] bool waits_for_progress() const { return !unapplied_reads_.empty(); }
  [[nodiscard]] std::optional<ReplicaId> leader() const { return leader_; }
  /// The newest configuration this replica has entered.
  [[nodiscard]] const Configuration& configuration() const { return history_.current(); }
  /// Not part of the configuration, and a majority of it does without this replica: it may go.
  [[nodiscard]] bool is_retired() const;
  /// While it leads: how far this follower has acknowledged the log.
  [[nodiscard]] std::optional<Slot> match(ReplicaId follower) const {
    return leadership_ ? leadership_->pipeline.match(follower) : std::nullopt;
  }
  /// Every configuration it knows.
  [[nodiscard]] const Chain& chain() const { return history_.chain(); }
  [[nodiscard]] const Acceptor& acceptor() const { return acceptor_; }
  [[nodiscard]] const Learner& learner() const { return learner_; }

 private:
  /// What exists only while this replica leads.
  struct Leadership {
    Pipeline pipeline;
    ReadIndex reads;
    Lease lease;
    Slot barrier;              ///< kOpenEnd: the adopted log ends the configuration, there is none.
    bool is_stopping = false;  ///< A stop-sign is proposed: nothing goes behind it (P6).
    std::deque<std::pair<Slot, std::size_t>> unexecuted;  ///< Own proposals and their bytes.
    std::size_t unexecuted_bytes = 0;
    Instant next_heartbeat{};
    struct HandOver {
      ReplicaId to;
      Instant give_up{};
      bool is_sent = false;
    };
    std::optional<HandOver> hand_over;
  };
  struct Candidacy {
    PhaseOne phase_one;
    std::optional<Ballot> token;  ///< Of a transfer.
    bool is_first = false;        ///< First leader of its configuration: no phase 1.
    Instant give_up{};
    Instant next_resend{};
    RequestId inquiry;  ///< About slots that phase 1 waits for; the answers say which.
    std::optional<PhaseOne::Adoption> adoption;  ///< Set while learning.
  };
  /// Fetching decided entries from one replica, part by part.
  struct CatchUp {
    ReplicaId source;
    Slot until;
    RequestId fetch;  ///< For everything from `low` on.
    Slot low;
    Instant next_resend{};
    Instant give_up{};
  };
  struct ForwardedRead {
    ReadContext context;
    Instant give_up{};
  };
  struct Frame {
    Ticket ticket;
    Instant handed_out{};
    bool is_in_superblock = false;
  };
  struct Peer {
    ProcessId process;                     ///< The newest that said Hello.
    std::uint64_t superblock_version = 0;  ///< The greatest it has shown.
    ProcessId refused;                     ///< It came with an older disk.
    Instant next_question{};               ///< When another process is asked to show its disk.
  };

  // Elections (replica_election.cc).
  void on(ReplicaId from, const PreVote& message);
  void on(ReplicaId from, const PreVoteReply& message);
  void on(ReplicaId from, const Prepare& message);
  void on(ReplicaId from, const Promise& message);
  void on(ReplicaId from, const Nack& message);
  void on(ReplicaId from, const Transfer& message);
  void ask();
  void prepare(const std::optional<Ballot>& token);
  void prepare_first();
  void send_prepare();
  void try_to_lead();
  void go_on_learning();
  void lead(const std::vector<Entry>& adopted, Slot first);
  void step_down();
  void complain_of_damage();
  void tick_candidate();
  void add_own_promise();

  // The log (replica_log.cc).
  void on(ReplicaId from, const Accept& message);
  void on(ReplicaId from, const Accepted& message);
  void on(ReplicaId from, const Heartbeat& message);
  void on(ReplicaId from, const Commit& message);
  void append(const Entry& entry);
  void advance_commit();
  void forget_executed();
  void tick_leader();
  void send_heartbeats();
  void go_on_handing_over();

  // Reads (replica_reads.cc).
  void on(ReplicaId from, const ReadIndexRequest& message);
  void on(ReplicaId from, const ReadIndexReply& message);
  void serve_reads();
  void fail_read(const ReadRequest& request);
  void fail_forwarded_reads(Instant until);
  [[nodiscard]] bool holds_lease() const;
  void release_applied_reads();

  // Configurations (replica_configuration.cc).
  void settle();
  void end_roles();
  void begin_configuration();
  void greet();
  void greet_silent_members();
  [[nodiscard]] std::set<ReplicaId> peers_of_last_configurations() const;
  void say_hello(ReplicaId to, ProcessId answers);
  [[nodiscard]] std::optional<Proposed> refuse_change() const;
  [[nodiscard]] Proposed propose_change(EntryKind kind, base::Bytes body);

  // What was missed, lost or damaged (replica_catch_up.cc).
  [[nodiscard]] bool has_shown_disk(const Envelope& envelope);
  void on_hello(const Envelope& head, const Hello& message);
  void on(ReplicaId from, const Fetch& message);
  void on(ReplicaId from, const Entries& message);
  void on(ReplicaId from, const SnapshotOffer& message);
  void on(ReplicaId from, const SnapshotFetch& message);
  void on(ReplicaId from, const SnapshotData& message);
  void on(ReplicaId from, const SnapshotDone& message);
  void on_introduction(const Envelope& head);
  void begin_catch_up(ReplicaId source, Slot until);
  void go_on_catching_up();
  void fetch_next();
  void tick_catch_up();
  void outbid(const Ballot& promised);
  void inquire();
  void hear_of_decided(const Entries& message);
  void offer_snapshot(ReplicaId to);
  void note_has(ReplicaId peer, Slot through);
  void tick_pull();
  void drain_pull();
  void end_tail_if_known();
  [[nodiscard]] bool is_behind() const;

  // All of them (replica.cc).
  [[nodiscard]] bool is_heard(const Envelope& envelope);
  [[nodiscard]] bool may_own(ReplicaId from, const Ballot& ballot) const;
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
  ConfigurationHistory history_;
  Acceptor acceptor_;
  Learner learner_;
  Election election_;
  Guard guard_;
  Role role_ = Role::kFollower;
  std::optional<ReplicaId> leader_;
  std::optional<Candidacy> candidacy_;
  std::optional<Leadership> leadership_;
  ProcessId process_;
  RequestId next_request_;
  std::uint64_t superblock_version_;

  std::map<Member, Peer> peers_;
  std::set<ReplicaId> entered_;  ///< Voters of the configuration that have entered it, durably.
  ConfigId newest_seen_;         ///< In any header.
  Instant next_greeting_{};
  std::optional<CatchUp> catch_up_;
  /// The damaged end is known again when everything up to this slot is safe in this ballot.
  std::optional<std::pair<Ballot, Slot>> tail_goal_;
  std::optional<SnapshotManifest> snapshot_;  ///< The newest own one.
  SnapshotPull pull_;
  Retention retention_;

  std::map<RequestId, ForwardedRead> forwarded_;
  std::multimap<Slot, ReadContext> unapplied_reads_;
  std::deque<Frame> frames_;           ///< Handed out and not yet durable.
  bool owes_acknowledgement_ = false;  ///< To the leader, for Accepts of this batch.
  std::optional<Slot> gap_;
  ReadSequence read_seen_;
  Output output_;
  std::vector<std::pair<ReplicaId, Message>> deferred_;
};

}  // namespace synod::consensus
