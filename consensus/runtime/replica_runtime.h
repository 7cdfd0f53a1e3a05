// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "base/dispatcher.h"
#include "base/function.h"
#include "base/random.h"
#include "base/status.h"
#include "consensus/log/paxos_log.h"
#include "consensus/protocol/replica.h"
#include "consensus/runtime/apply_backlog.h"
#include "consensus/runtime/apply_worker.h"
#include "consensus/runtime/inbox.h"
#include "consensus/runtime/log_writer.h"
#include "consensus/runtime/proposals.h"
#include "consensus/runtime/state_machine.h"
#include "consensus/runtime/transport.h"

namespace synod::consensus {

/// Who wants to know what happens: metrics, traces, the simulator's oracles. Each call says on
/// which strand it comes; it must not wait and not call back.
class RuntimeObserver {
 public:
  virtual ~RuntimeObserver() = default;
  /// Log strand: the frame is durable; nobody has been told yet.
  virtual void on_durable(const Persist& /*frame*/) {}
  /// Consensus strand: a batch of so many inputs was worked in, its output not yet carried out.
  virtual void on_batch(const Replica& /*replica*/, const Output& /*output*/,
                        std::size_t /*inputs*/) {}
  /// Consensus strand: the state was replaced by this image, or had all of it.
  virtual void on_installed(const SnapshotManifest& /*label*/) {}
  /// Consensus strand: a line for people. What a peer sent that cannot be right, what went wrong
  /// with a snapshot.
  virtual void on_complaint(std::string_view line) = 0;
};

/// What the log takes, and so what of it stays that a snapshot holds as well.
enum class LogSize : std::uint8_t {
  kNormal,     ///< The newest slots, for who is a little behind, and what a follower needs.
  kLarge,      ///< Only what a follower needs that is catching up.
  kExcessive,  ///< Nothing.
};

/// Everything a replica touches beyond itself. All of it outlives the runtime.
struct RuntimeSeams {
  base::Dispatcher& consensus;
  base::Dispatcher& log_strand;
  base::Dispatcher& apply;
  base::Dispatcher& background;  ///< Makes the next segment ready; may be the log strand.
  Transport& transport;
  StateMachine& machine;
  PaxosLog& log;
  RuntimeObserver& observer;
  /// Once, on any strand: the disk broke its promise. The process must end; nothing is sent,
  /// written or executed after that.
  base::Function<void(const base::Status&)> on_fatal;
};

struct RuntimeOptions {
  Options replica;
  StatePolicy state;
  Instant tick = base::Millis(10);
  std::size_t frame_bytes = 4 << 20;        ///< Frames are merged up to here.
  Instant space_retry = base::Millis(100);  ///< On a full disk.
  /// Slots below the newest snapshot that are kept in any case, for who may come back.
  std::uint64_t keep_slots = 10'000;
  /// Decided and not executed here; beyond it this replica takes no new entries (W3).
  std::size_t backlog_bytes = 128 << 20;
  /// For how long a deposed leader waits to learn what became of its proposals.
  Instant outcome_patience = base::Millis(2000);
};

/// kClosed if this replica is no longer of the group that its disk tells of: a learner that was
/// removed. Ask before a ReplicaRuntime is made.
[[nodiscard]] base::Status check_membership(const Member& self, const RecoveredState& state);

/// One member of a group at work: a Replica on the consensus strand, its log on the log strand, its
/// state machine on the apply strand. The same object runs in the server and in the simulator.
///
/// What waits for the consensus strand is worked in as one batch with one reading of the clock,
/// taken after the last input was dequeued; what waits for the log becomes one frame.
///
/// Invariants
///   D1  a message that waits for a ticket leaves after that ticket's sync;
///   R3  the clock is read after the requests of the batch were taken from the queue;
///   O1  each proposal and each read is answered exactly once, unless the process ends first;
///   T1  the log is cut behind nothing that is not both flushed and in a durable snapshot;
///   W3  what is decided and waits for the state machine is bounded, see ApplyBacklog;
///   F1  after an error of the log or the state nothing leaves this replica.
///
/// Threads: public calls come from any thread and never wait; their callbacks run on the consensus
/// strand. Construction and destruction: while none of the strands runs a task of this object.
/// Failure: see RuntimeSeams::on_fatal.
class ReplicaRuntime {
 public:
  /// `state` is what the log found when it was opened.
  ReplicaRuntime(RuntimeSeams seams, RuntimeOptions options, const RecoveredState& state,
                 base::Random random);
  ReplicaRuntime(const ReplicaRuntime&) = delete;
  ReplicaRuntime& operator=(const ReplicaRuntime&) = delete;

  /// Begins to tick. Once.
  void start();
  /// Ends all waiting with an unknown outcome; then `done`. The strands are stopped after that.
  void stop(base::Function<void()> done);

  void receive(Envelope envelope) { inbox_.push(std::move(envelope)); }
  void propose(base::Bytes command, Proposals::Done done) {
    inbox_.push(Proposal{std::move(command), std::move(done), std::nullopt});
  }
  /// Proposes in exactly this ballot, or not at all (kNotLeading).
  void propose_in(const Ballot& ballot, base::Bytes command, Proposals::Done done) {
    inbox_.push(Proposal{std::move(command), std::move(done), ballot});
  }
  /// Answers with an index: a state that contains it is as new as this call. None: ask again or
  /// elsewhere.
  using ReadDone = base::Function<void(std::optional<Slot>)>;
  void read(ReadDone done) { inbox_.push(std::move(done)); }

  // After stop() these answer as a replica that does not lead.
  void reconfigure(NextConfiguration next, base::Function<void(Proposed)> done);
  void change_learner(Member learner, bool is_added, base::Function<void(Proposed)> done);
  void transfer(ReplicaId to, base::Function<void(bool)> done);
  /// Looks at the replica on its strand; null after stop().
  void inspect(base::Function<void(const Replica*)> look);

  /// A snapshot now; `done` runs on the apply strand.
  void take_snapshot(ApplyWorker::SnapshotDone done) { apply_.take_snapshot(std::move(done)); }
  /// Said again for as long as it is not normal, and once when it is.
  void note_log_size(LogSize size);

 private:
  struct Proposal {
    base::Bytes command;
    Proposals::Done done;
    std::optional<Ballot> only_in;
  };
  struct Tick {};
  using Task = base::Function<void(Replica*)>;  ///< Null: stopped.
  using Input = std::variant<Tick, Envelope, Ticket, ApplyEvent, Proposal, ReadDone, Task>;

  void handle(std::vector<Input>& inputs);
  void turn_away(std::vector<Input>& inputs, std::size_t first);
  void take(Tick tick);
  void take(Envelope& envelope);
  void take(Ticket ticket);
  void take(ApplyEvent& event);
  void take(Proposal& proposal) { batch_.push_back(std::move(proposal)); }
  void take(ReadDone& done);
  void take(Task& task) { task(&replica_); }
  void on(AppliedThrough& event);
  void on(const StateFlushed& event);
  void on(const SnapshotTaken& event);
  void on(const SnapshotAttemptFailed& event);
  void on(const SnapshotBegun& event);
  void on(SnapshotBytesRead& event);
  void on(const StagingFailed& event);
  void on(const SnapshotInstalled& event);
  void submit_proposals();
  void refuse_other_ballots();
  void refuse(Proposal& proposal, const Proposed& answer);
  void carry_out(Output& output);
  void note_leadership();
  void release();
  void trim();
  void arm_tick();
  void fail(const base::Status& status);

  RuntimeSeams seams_;
  RuntimeOptions options_;
  std::atomic<bool> has_ended_ = false;
  bool is_stopped_ = false;  ///< Consensus strand.
  Replica replica_;
  Inbox<Input> inbox_;
  LogWriter log_;
  ApplyWorker apply_;
  ApplyBacklog backlog_;
  Proposals proposals_;
  std::vector<Proposal> batch_;  ///< Proposed in this batch of inputs.
  std::map<ReadContext, ReadDone> reads_;
  ReadContext next_read_;
  bool is_attentive_ = false;             ///< What the inbox was told.
  std::deque<Output::Deferred> waiting_;  ///< For their tickets, which only grow.
  Ticket durable_;
  std::optional<Ballot> leading_;  ///< The ballot in which this process led last.
  Slot flushed_;
  Slot snapshot_;
  Slot trimmed_;
  LogSize log_size_ = LogSize::kNormal;
  std::optional<Slot> snapshot_wanted_;
};

}  // namespace synod::consensus
