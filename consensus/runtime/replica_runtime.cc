// SPDX-License-Identifier: Apache-2.0
#include "consensus/runtime/replica_runtime.h"

#include <algorithm>

#include "base/assert.h"
#include "base/text.h"

namespace synod::consensus {

base::Status check_membership(const Member& self, const RecoveredState& state) {
  if (state.chain.knows(self)) return base::Status();
  return base::Status(base::StatusCode::kClosed,
                      base::concat("replica ", self.id.value(), " was removed from its group"));
}

ReplicaRuntime::ReplicaRuntime(RuntimeSeams seams, RuntimeOptions options,
                               const RecoveredState& state, base::Random random)
    : seams_(std::move(seams)),
      options_(options),
      replica_(options.replica, state, random, seams_.consensus.clock().boot_time()),
      inbox_(seams_.consensus, [this](std::vector<Input>& inputs) { handle(inputs); }),
      log_(seams_.log_strand, seams_.background, seams_.log,
           {options.frame_bytes, options.space_retry},
           {[this](const Persist& frame) {
              seams_.observer.on_durable(frame);
              inbox_.push(frame.ticket);
            },
            [this](const base::Status& status) { fail(status); }}),
      apply_(
          seams_.apply, seams_.machine, log_, options.state,
          [this](ApplyEvent event) {
            // Whoever waits for a result learns it on the apply strand; here a tick is early
            // enough.
            const bool is_progress = std::holds_alternative<AppliedThrough>(event);
            is_progress ? inbox_.push_quietly(std::move(event)) : inbox_.push(std::move(event));
          },
          [this](const base::Status& status) { fail(status); }),
      backlog_(options.backlog_bytes),
      flushed_(seams_.machine.durable_applied()),
      trimmed_(state.base) {
  if (const auto newest = seams_.machine.newest_snapshot()) {
    snapshot_ = newest->slot;
    replica_.snapshot_taken(*newest);
  }
}

void ReplicaRuntime::start() {
  inbox_.push(Tick());
  arm_tick();
}

void ReplicaRuntime::arm_tick() {
  seams_.consensus.run_after(options_.tick, [this] {
    if (has_ended_) return;
    inbox_.push(Tick());
    arm_tick();
  });
}

void ReplicaRuntime::stop(base::Function<void()> done) {
  inbox_.push(Task([this, done = std::move(done)](Replica*) mutable {
    if (std::exchange(is_stopped_, true)) return done();
    has_ended_ = true;
    proposals_.forget_all();
    for (Proposal& each : std::exchange(batch_, {})) refuse(each, Proposed());
    for (auto& [context, read] : std::exchange(reads_, {})) read(std::nullopt);
    done();
  }));
}

void ReplicaRuntime::fail(const base::Status& status) {
  if (!has_ended_.exchange(true)) seams_.on_fatal(status);
}

void ReplicaRuntime::reconfigure(NextConfiguration next, base::Function<void(Proposed)> done) {
  inbox_.push(Task([next = std::move(next), done = std::move(done)](Replica* replica) mutable {
    done(replica == nullptr ? Proposed() : replica->reconfigure(next));
  }));
}

void ReplicaRuntime::change_learner(Member learner, bool is_added,
                                    base::Function<void(Proposed)> done) {
  inbox_.push(Task([learner, is_added, done = std::move(done)](Replica* replica) mutable {
    done(replica == nullptr ? Proposed() : replica->change_learner(learner, is_added));
  }));
}

void ReplicaRuntime::transfer(ReplicaId to, base::Function<void(bool)> done) {
  inbox_.push(Task([to, done = std::move(done)](Replica* replica) mutable {
    done(replica != nullptr && replica->transfer(to));
  }));
}

void ReplicaRuntime::inspect(base::Function<void(const Replica*)> look) {
  inbox_.push(Task([look = std::move(look)](Replica* replica) mutable { look(replica); }));
}

void ReplicaRuntime::note_log_size(LogSize size) {
  inbox_.push(Task([this, size](Replica* replica) {
    if (replica == nullptr) return;
    log_size_ = size;
    if (size != LogSize::kNormal) apply_.relieve_log();
  }));
}

void ReplicaRuntime::handle(std::vector<Input>& inputs) {
  if (is_stopped_) return turn_away(inputs, 0);
  if (has_ended_) return;
  replica_.advance(seams_.consensus.clock().boot_time());
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    std::visit([this](auto& each) { take(each); }, inputs[i]);
    if (is_stopped_) return turn_away(inputs, i + 1);
    if (has_ended_) return;
  }
  submit_proposals();
  Output output = replica_.take_output();
  seams_.observer.on_batch(replica_, output, inputs.size());
  carry_out(output);
  note_leadership();
  trim();
  const bool waits = replica_.waits_for_progress();
  if (std::exchange(is_attentive_, waits) != waits) inbox_.set_attentive(waits);
}

/// O1: what comes too late was never proposed and is not executed.
void ReplicaRuntime::turn_away(std::vector<Input>& inputs, std::size_t first) {
  for (std::size_t i = first; i < inputs.size(); ++i) {
    if (auto* proposal = std::get_if<Proposal>(&inputs[i])) refuse(*proposal, Proposed());
    if (auto* read = std::get_if<ReadDone>(&inputs[i])) (*read)(std::nullopt);
    if (auto* task = std::get_if<Task>(&inputs[i])) (*task)(nullptr);
  }
}

void ReplicaRuntime::take(Tick) {
  replica_.tick();
  proposals_.on_tick(seams_.consensus.clock().boot_time());
  if (snapshot_wanted_) apply_.take_snapshot(*std::exchange(snapshot_wanted_, std::nullopt));
}

void ReplicaRuntime::take(Envelope& envelope) {
  backlog_.limit(envelope.message, replica_.acceptor());
  replica_.step(envelope);
}

void ReplicaRuntime::take(Ticket ticket) {
  replica_.persisted(ticket);
  durable_ = ticket;
  release();
}

void ReplicaRuntime::take(ReadDone& done) {
  next_read_ = next_read_.next();
  reads_.emplace(next_read_, std::move(done));
  replica_.read(next_read_);
}

void ReplicaRuntime::take(ApplyEvent& event) {
  std::visit([this](auto& each) { on(each); }, event);
}

void ReplicaRuntime::on(AppliedThrough& event) {
  Slot slot = event.first;
  for (base::Bytes& result : event.results) {
    proposals_.on_applied(slot, std::move(result));
    slot = slot.next();
  }
  replica_.applied(before(slot));
  backlog_.on_executed(before(slot));
}

void ReplicaRuntime::on(const StateFlushed& event) { flushed_ = std::max(flushed_, event.through); }

void ReplicaRuntime::on(const SnapshotTaken& event) {
  snapshot_ = std::max(snapshot_, event.manifest.slot);
  replica_.snapshot_taken(event.manifest);
}

void ReplicaRuntime::on(const SnapshotAttemptFailed& event) {
  seams_.observer.on_complaint(base::concat("no snapshot: ", event.status.to_string()));
}

void ReplicaRuntime::on(const SnapshotBegun& event) {
  replica_.snapshot_begun(event.snapshot, event.staged);
}

void ReplicaRuntime::on(SnapshotBytesRead& event) {
  replica_.snapshot_bytes(event.request, std::move(event.bytes));
}

void ReplicaRuntime::on(const StagingFailed& event) {
  seams_.observer.on_complaint(base::concat("staging failed: ", event.status.to_string()));
  replica_.snapshot_failed(event.snapshot);
}

void ReplicaRuntime::on(const SnapshotInstalled& event) {
  proposals_.on_skipped(event.label.slot);
  replica_.install_snapshot(event.label);
  backlog_.on_executed(event.label.slot);
  seams_.observer.on_installed(event.label);
}

/// Who proposes for others in the name of a ballot must know that it is that ballot.
void ReplicaRuntime::refuse_other_ballots() {
  const bool leads = replica_.role() == Role::kLeading;
  const Ballot ballot = replica_.acceptor().promised();
  std::erase_if(batch_, [&](Proposal& each) {
    if (!each.only_in || (leads && *each.only_in == ballot)) return false;
    refuse(each, Proposed());
    return true;
  });
}

void ReplicaRuntime::submit_proposals() {
  refuse_other_ballots();
  if (batch_.empty()) return;
  // W3. A leader may have inherited more than it ever proposed.
  if (backlog_.is_full() && replica_.role() == Role::kLeading) {
    const Proposed busy{Proposed::Code::kBusy, {}, {}, replica_.leader()};
    for (Proposal& each : std::exchange(batch_, {})) refuse(each, busy);
    return;
  }
  std::vector<base::Bytes> commands;
  commands.reserve(batch_.size());
  for (Proposal& each : batch_) commands.push_back(std::move(each.command));
  const Proposed answer = replica_.propose(std::move(commands));
  std::vector<Proposal> batch = std::exchange(batch_, {});
  Slot slot = answer.first;
  for (Proposal& each : batch) {
    if (answer.code != Proposed::Code::kTaken) {
      refuse(each, answer);
      continue;
    }
    proposals_.add(slot, answer.origin, std::move(each.done));
    slot = slot.next();
  }
}

void ReplicaRuntime::refuse(Proposal& proposal, const Proposed& answer) {
  CommandOutcome outcome;
  outcome.kind = CommandOutcome::Kind::kNotExecuted;
  outcome.leader = answer.leader;
  switch (answer.code) {
    case Proposed::Code::kNotLeading:
      outcome.reason = CommandOutcome::Reason::kNotLeading;
      break;
    case Proposed::Code::kBusy:
      outcome.reason = CommandOutcome::Reason::kBusy;
      break;
    case Proposed::Code::kTaken:
    case Proposed::Code::kRefused:
      outcome.reason = CommandOutcome::Reason::kRefused;
      break;
  }
  proposal.done(std::move(outcome));
}

void ReplicaRuntime::carry_out(Output& output) {
  if (output.persist) log_.write(std::move(*output.persist));
  for (Envelope& envelope : output.send_now) seams_.transport.send(std::move(envelope));
  for (Output::Deferred& each : output.send_after_durable) waiting_.push_back(std::move(each));
  release();
  if (!output.apply.empty()) {
    for (const Delivery& each : output.apply) proposals_.on_decided(each);
    backlog_.on_handed_over(output.apply);
    apply_.apply(std::move(output.apply));
  }
  for (const Output::Read& each : output.reads) {
    auto found = reads_.extract(each.context);
    SYNOD_ASSERT(!found.empty(), "O1: a read is answered once");
    found.mapped()(each.index);
  }
  for (SnapshotTask& task : output.snapshot_tasks) apply_.carry_out(std::move(task));
  // At the next tick: whoever needs it asks until it is there.
  if (output.snapshot_needed) snapshot_wanted_ = output.snapshot_needed;
  for (const std::string& line : output.complaints) seams_.observer.on_complaint(line);
}

/// D1: what waited for a ticket that is durable leaves.
void ReplicaRuntime::release() {
  while (!waiting_.empty() && waiting_.front().ticket <= durable_) {
    seams_.transport.send(std::move(waiting_.front().envelope));
    waiting_.pop_front();
  }
}

void ReplicaRuntime::note_leadership() {
  const Ballot promised = replica_.acceptor().promised();
  const bool leads = replica_.role() == Role::kLeading;
  if (leading_ && (!leads || *leading_ != promised)) {
    const Instant now = seams_.consensus.clock().boot_time();
    proposals_.on_deposed(Ballot{promised.config, promised.round.next(), ReplicaId()},
                          now + options_.outcome_patience);
    leading_.reset();
  }
  if (leads) leading_ = promised;
}

void ReplicaRuntime::trim() {
  Slot slot = std::min(flushed_, snapshot_);
  if (log_size_ == LogSize::kNormal) {
    if (slot.value() <= trimmed_.value() + options_.keep_slots) return;
    slot = Slot(slot.value() - options_.keep_slots);
  }
  if (log_size_ != LogSize::kExcessive) slot = std::min(slot, replica_.needed_above());
  if (slot <= trimmed_) return;
  trimmed_ = slot;
  replica_.trim(trimmed_);
  log_.cut(trimmed_);
}

}  // namespace synod::consensus
