// SPDX-License-Identifier: Apache-2.0
#include "router/consensus_router.h"

#include <algorithm>
#include <utility>

#include "base/assert.h"
#include "base/text.h"
#include "router/consensus_router_state.h"

// Requests in, outcomes out of the log. Reads are in consensus_router_reads.cc, what routers say to
// each other in consensus_router_peers.cc.
namespace synod::router {
namespace {

/// Handed out by one node and not executed yet. Three nodes stay below what a leader holds.
constexpr std::uint64_t kWindowBytes = 16U << 20;
constexpr std::int64_t kHeldRetryMs = 500;

}  // namespace

ConsensusRouter::State::State(const ReplicatedOptions& router_options,
                              base::Dispatcher& timer_dispatcher,
                              base::Dispatcher& apply_dispatcher,
                              net::PeerTransport& peer_transport,
                              ReplicatedStateMachine& state_machine, base::Random seed,
                              const std::vector<base::Dispatcher*>& pool)
    : options(router_options),
      self(static_cast<std::uint32_t>(router_options.node.node_id)),
      process(seed.next() | 1U),
      timers(timer_dispatcher),
      apply(apply_dispatcher),
      transport(peer_transport),
      machine(state_machine),
      started(timer_dispatcher.clock().boot_time()),
      random(seed.fork()),
      gate(router_options.limits, {router_options.log_bytes_max, router_options.table_bytes_max}),
      cold(pool),
      warming(cold, {router_options.pending_max, router_options.pending_bytes_max}),
      pending(kWindowBytes),
      endpoint(router_options.node.endpoint) {}

ConsensusRouter::ConsensusRouter(const ReplicatedOptions& options, base::Dispatcher& timers,
                                 base::Dispatcher& apply, net::PeerTransport& transport,
                                 ReplicatedStateMachine& machine, base::Random random,
                                 const std::vector<base::Dispatcher*>& pool)
    : state_(std::make_unique<State>(options, timers, apply, transport, machine, random, pool)) {}

ConsensusRouter::~ConsensusRouter() = default;

void ConsensusRouter::attach(consensus::ReplicaRuntime& runtime, consensus::ClusterId cluster,
                             const consensus::StateLabel& label) {
  const std::lock_guard lock(state_->mutex);
  state_->cluster.store(cluster.value());
  state_->runtime = &runtime;
  state_->fence = label.fence;
  state_->own_fence();
  state_->note_policy();
}

void ConsensusRouter::start() { state_->on_timer(); }

void ConsensusRouter::close() {
  State& state = *state_;
  state.gate.close();
  std::vector<PendingCommands::Finished> ended;
  std::vector<std::uint64_t> comparisons;
  {
    const std::lock_guard lock(state.mutex);
    state.is_closed = true;
    ended = state.pending.end_all();
    for (const auto& [sequence, each] : state.comparisons) comparisons.push_back(sequence);
  }
  state.finish(std::move(ended));
  for (const std::uint64_t sequence : comparisons) state.end_comparison(sequence);
  state.reads.end_all();
  state.cold.close();
}

StorageWaits ConsensusRouter::storage_waits() const {
  StorageWaits waits;
  state_->warming.add_to(waits);
  return waits;
}

Fullness ConsensusRouter::State::fullness() const {
  const auto image = machine.image();
  return {log_bytes.load(std::memory_order_relaxed),
          gate.bounds_tables() ? image->database->unevictable_bytes() : 0,
          image->persistence->is_paused(), image->database->has_full_keys(),
          image->database->has_no_room_for_tombstones()};
}

/// A replica that hears no leader forgets it within a moment, so that one which is known has a
/// majority, or had it then. A node that is behind takes commands, too, and hands them to the owner
/// of the newest fence it has executed; but not to a newer one: what became of them it could say
/// only when it has caught up, and a refusal that may be repeated is worth more to a client than an
/// outcome that nobody knows.
core::Outcome ConsensusRouter::State::held() const {
  std::optional<consensus::ReplicaId> leader;
  {
    const std::lock_guard lock(mutex);
    leader = view.leader;
  }
  if (!leader) {
    return core::refused(core::OutcomeCode::kNoQuorum,
                         "No leader with a majority is known to this node", kHeldRetryMs);
  }
  const std::string what = *leader == self
                               ? "This node leads its group, but has not caught up with its log"
                               : base::concat("The group is led by node ", leader->value(),
                                              ", but this node has not caught up with it");
  return core::refused(core::OutcomeCode::kBusy,
                       base::concat(what, " (executed: slot ", machine.applied().value(),
                                    "); try again, or at another node"),
                       kHeldRetryMs);
}

void ConsensusRouter::State::finish(std::vector<PendingCommands::Finished> finished) {
  if (finished.empty()) return;
  const base::Nanos time = now();
  for (PendingCommands::Finished& each : finished) {
    gate.count_end(each.outcome, time - each.submitted);
    observe(each.outcome, time - each.submitted);
    each.done(std::move(each.outcome));
  }
}

/// A conflict is an answer of the log like any other; what never got there is not.
void ConsensusRouter::State::observe(const core::Outcome& outcome, base::Nanos took) const {
  if (options.commits == nullptr) return;
  switch (outcome.code) {
    case core::OutcomeCode::kBusy:
    case core::OutcomeCode::kNoQuorum:
    case core::OutcomeCode::kTimeout:
    case core::OutcomeCode::kOutcomeUnknown:
      return options.commits->on_failed(1);
    default:
      return options.commits->on_committed(took);
  }
}

// ---- writes

void ConsensusRouter::submit(core::KvOperation operation, const RequestContext& context,
                             base::Function<void(core::Outcome)> done) {
  State& state = *state_;
  state.gate.count_begin();
  PendingCommands::Command command;
  command.submitted = state.now();
  command.deadline = context.deadline;
  command.done = std::move(done);
  if (auto refused = state.gate.check(operation, state.fullness())) {
    return state.refuse(std::move(command), std::move(*refused));
  }
  const auto image = state.machine.image();
  if (!state.warming.must_wait(*image->core, operation, context)) {
    return state.order(operation, std::move(command));
  }
  state.warming.wait(
      ColdReads::Source(image, image->core.get()), std::move(operation), context,
      [&state, command = std::move(command)](const core::KvOperation& warmed,
                                             std::optional<core::Outcome> refusal) mutable {
        if (refusal) return state.refuse(std::move(command), std::move(*refusal));
        state.order(warmed, std::move(command));
      });
}

void ConsensusRouter::State::refuse(PendingCommands::Command command, core::Outcome outcome) {
  std::vector<PendingCommands::Finished> refused;
  refused.push_back({std::move(command.done), std::move(outcome), command.submitted});
  finish(std::move(refused));
}

void ConsensusRouter::State::order(const core::KvOperation& operation,
                                   PendingCommands::Command command) {
  command.bytes =
      encode_command({process, 0}, CommandKind::kOperation, core::encode_operation(operation));
  const std::uint64_t bytes_max = options.runtime.replica.limits.command_bytes;
  if (command.bytes.size() > bytes_max) {
    const auto why = base::concat("The operation needs ", command.bytes.size(),
                                  " bytes of the log; the limit is ", bytes_max);
    return refuse(std::move(command), core::refused(core::OutcomeCode::kLimitExceeded, why));
  }
  {
    const std::lock_guard lock(mutex);
    const bool is_full = pending.size() >= options.pending_max ||
                         pending.bytes() + command.bytes.size() > options.pending_bytes_max;
    if (!is_full && !is_closed) {
      number_command(command.bytes, pending.next_sequence());
      pending.add(std::move(command));
      pump();
      return;
    }
  }
  refuse(std::move(command),
         core::refused(core::OutcomeCode::kBusy, "Too many operations are waiting", 10));
}

/// CR1, CR3: everything that waits goes to the owner of the fence, in order.
void ConsensusRouter::State::pump() {
  if (runtime == nullptr || is_closed || fence.owner == consensus::ReplicaId()) return;
  if (!has_policy) return;
  while (const auto next = pending.next()) {
    if (hand_out(*next)) continue;
    pending.take_back();
    is_blocked = true;
    return;
  }
}

bool ConsensusRouter::State::hand_out(const PendingCommands::HandOut& next) {
  if (owns_fence()) {
    propose_own(*next.bytes, next.number);
    return true;
  }
  return transport.send(net::PeerId(fence.owner.value()), net::PeerClass::kForward,
                        encode_forward(consensus::ClusterId(cluster.load()),
                                       ForwardSubmit{fence, process, next.number, *next.bytes}));
}

/// `number` 0: nobody waits for it.
void ConsensusRouter::State::propose_own(base::Bytes command, std::uint64_t number) {
  SYNOD_ASSERT(stamps.has_value(), "an owner of the fence has a clock for its commands");
  stamp_command(command, stamps->now());
  const consensus::Ballot ballot = fence;
  runtime->propose_in(ballot, std::move(command),
                      [this, ballot, number](const consensus::CommandOutcome& outcome) {
                        on_answer(ballot, number, outcome);
                      });
}

void ConsensusRouter::State::on_answer(const consensus::Ballot& ballot, std::uint64_t number,
                                       const consensus::CommandOutcome& outcome) {
  if (number == 0) {
    const std::lock_guard lock(mutex);
    has_upkeep = false;
  } else if (const auto reason = refusal_of(outcome)) {
    refuse_number(ballot, number, *reason);
  }
}

std::optional<ForwardRefused::Reason> refusal_of(const consensus::CommandOutcome& outcome) {
  using Reason = consensus::CommandOutcome::Reason;
  if (outcome.kind != consensus::CommandOutcome::Kind::kNotExecuted) return std::nullopt;
  switch (outcome.reason) {
    case Reason::kNotLeading:
      return ForwardRefused::Reason::kNotLeading;
    case Reason::kBusy:
      return ForwardRefused::Reason::kBusy;
    case Reason::kRefused:
      return ForwardRefused::Reason::kRefused;
    case Reason::kNone:
    case Reason::kOvertaken:
    case Reason::kFenced:
      return std::nullopt;
  }
  SYNOD_ASSERT(false, "a Reason outside its enumeration");
}

void ConsensusRouter::State::refuse_number(const consensus::Ballot& ballot, std::uint64_t number,
                                           ForwardRefused::Reason reason) {
  std::vector<PendingCommands::Finished> finished;
  {
    const std::lock_guard lock(mutex);
    if (ballot != fence) return;
    if (reason == ForwardRefused::Reason::kNotLeading) {
      pending.on_not_leading(number);
      return;
    }
    const bool is_busy = reason == ForwardRefused::Reason::kBusy;
    auto refused = pending.on_refused(
        number, is_busy ? core::refused(core::OutcomeCode::kBusy,
                                        "The leader has too much undecided, or hands over", 10)
                        : core::refused(core::OutcomeCode::kLimitExceeded,
                                        "The leader cannot take an operation of this size"));
    if (refused) finished.push_back(std::move(*refused));
    pump();
  }
  finish(std::move(finished));
}

// ---- what the log says; apply strand

void ConsensusRouter::on_executed(const CommandId& id, consensus::Slot /*slot*/,
                                  core::ExecutionResult& result) {
  State& state = *state_;
  std::vector<PendingCommands::Finished> finished;
  {
    const std::lock_guard lock(state.mutex);
    if (!state.has_policy) state.note_policy();
    if (id.process == state.process) {
      finished = state.pending.on_executed(id.sequence, std::move(result.outcome));
    }
    state.pump();
  }
  state.finish(std::move(finished));
}

/// The fence that passed it tells as much.
void ConsensusRouter::on_fenced(const CommandId& /*id*/, consensus::Slot /*slot*/) {}

void ConsensusRouter::on_fence(const consensus::Ballot& fence, consensus::Slot /*slot*/) {
  State& state = *state_;
  std::vector<PendingCommands::Finished> finished;
  {
    const std::lock_guard lock(state.mutex);
    if (fence <= state.fence) return;
    state.fence = fence;
    state.own_fence();
    state.is_blocked = false;
    state.has_upkeep = false;
    state.rewound_to = 0;
    state.stalled_since = state.now();
    state.stall_patience = {};
    finished = state.pending.pass_fence();  // CR2
    state.note_policy();
    state.propose_policy();
    state.pump();
  }
  state.finish(std::move(finished));
}

void ConsensusRouter::on_skipped(const consensus::StateLabel& label) {
  {
    const std::lock_guard lock(state_->mutex);
    state_->pending.on_skipped();
    state_->note_policy();
    state_->pump();  // The policy may have come with it.
  }
  on_fence(label.fence, label.applied);
}

/// Who owns the fence stamps commands with its own clock.
void ConsensusRouter::State::own_fence() {
  stamps.reset();
  if (owns_fence()) {
    stamps.emplace(timers.clock(), machine.current().database->state().clock());
  }
}

/// Apply strand: the tables are its. Reads wait for the policy, too: before it there is no version
/// that a transaction could begin at.
void ConsensusRouter::State::note_policy() {
  if (has_policy || runtime == nullptr) return;
  has_policy = machine.current().database->state().has_policy();
  if (has_policy) reads.attach(*runtime);
}

/// The first leader of a new group, before anything else.
void ConsensusRouter::State::propose_policy() {
  if (has_policy || !owns_fence() || runtime == nullptr) return;
  core::KvOperation creation;
  creation.kind = core::OperationKind::kPolicy;
  creation.policy = options.policy;
  base::store_le64(creation.policy->hash_seed.data(), random.next());
  base::store_le64(creation.policy->hash_seed.data() + 8, random.next());
  has_upkeep = true;
  propose_own(
      encode_command({process, 0}, CommandKind::kOperation, core::encode_operation(creation)), 0);
}

// ---- time

void ConsensusRouter::State::on_timer() {
  const base::Nanos time = now();
  std::vector<PendingCommands::Finished> finished;
  std::vector<std::uint64_t> late;
  const core::Outcome refusal = held();
  {
    const std::lock_guard lock(mutex);
    if (is_closed) return;
    finished = pending.expire(time, {options.hold, options.request_timeout}, refusal);
    if (std::exchange(is_blocked, false)) pump();
    look_for_stall(time);
    greet(time);
    for (const auto& [sequence, each] : comparisons) {
      if (time > each.give_up) late.push_back(sequence);
    }
  }
  finish(std::move(finished));
  for (const std::uint64_t sequence : late) end_comparison(sequence);
  reads.tick(time);
  tick_tables();
  timers.run_after(base::Millis(10), [this] { on_timer(); });
}

/// Time passes for the tables through the log, and only where something would change.
void ConsensusRouter::State::tick_tables() {
  {
    const std::lock_guard lock(mutex);
    if (!owns_fence() || has_upkeep || runtime == nullptr || now() < next_tick) return;
    next_tick = now() + options.tick_interval;
    if (!has_policy) return propose_policy();
  }
  apply.post([this] {
    const std::lock_guard lock(mutex);
    if (!owns_fence() || has_upkeep || is_closed) return;
    if (!machine.needs_tick(stamps->now())) return;
    has_upkeep = true;
    core::KvOperation tick;
    tick.kind = core::OperationKind::kTick;
    propose_own(encode_command({process, 0}, CommandKind::kOperation, core::encode_operation(tick)),
                0);
  });
}

}  // namespace synod::router
