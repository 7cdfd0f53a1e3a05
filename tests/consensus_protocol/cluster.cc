// SPDX-License-Identifier: Apache-2.0
#include "tests/consensus_protocol/cluster.h"

#include <algorithm>
#include <utility>

#include "base/plant.h"
#include "base/text.h"
#include "consensus/protocol/configuration_codec.h"

namespace synod::consensus {
namespace {

using base::concat;

Options options_for(const Member& self, std::uint64_t seed) {
  Options options;
  options.self = self;
  options.timing.election_min = base::Millis(100);
  options.timing.heartbeat = base::Millis(20);
  // Small limits, so that windows close and promises come in parts.
  options.limits.message_bytes = seed % 3 == 0 ? 64 : 400;
  options.limits.window_messages = 4;
  options.reads_by_lease = seed % 2 == 0;
  return options;
}

}  // namespace

Cluster::Cluster(std::uint64_t seed, std::size_t replicas, std::size_t spares, const Faults& faults)
    : random_(seed), faults_(faults) {
  Configuration first{ConfigId(1), {}, {}, Slot(1), base::Millis(100), ReplicaId()};
  if (seed % 3 == 0) first.first_leader = ReplicaId(2);
  nodes_.resize(replicas + spares);
  for (std::uint32_t i = 1; i <= nodes_.size(); ++i) {
    nodes_[i - 1].self = Member{ReplicaId(i), Incarnation(100 + i)};
    if (i <= replicas) first.voters.push_back(nodes_[i - 1].self);
  }
  configurations_[first.id] = first;
  for (std::size_t i = 0; i < replicas; ++i) {
    Node& node = nodes_[i];
    node.chain = Chain{{first}, kNoSlot};
    node.flushed.chain = node.chain;
    start(node);
  }
}

void Cluster::fail(const std::string& what) {
  if (failure_.empty()) failure_ = concat("event ", events_, ": ", what);
}

void Cluster::mix(std::uint64_t value) { trace_ = (trace_ ^ value) * 1099511628211ULL; }

void Cluster::run(int events) {
  for (int i = 0; i < events && failure_.empty(); ++i) one_event();
}

void Cluster::one_event() {
  ++events_;
  if (random_.chance(faults_.crash)) {
    Node& node = any();
    node.replica ? crash(node) : start(node);
  }
  if (random_.chance(faults_.partition)) {
    const std::pair<ReplicaId, ReplicaId> link{any().self.id, any().self.id};
    if (random_.chance(0.6)) cut_.clear();
    if (random_.chance(0.6)) cut_.insert(link);
  }
  if (random_.chance(faults_.pause)) {
    any().paused_until = now_ + base::Millis(static_cast<std::int64_t>(200 + random_.below(400)));
  }
  if (random_.chance(faults_.change)) {
    Node* leader = &any();
    for (Node& node : nodes_) {
      if (node.replica && node.replica->is_established() && random_.chance(0.8)) leader = &node;
    }
    change(*leader);
  }
  const std::uint64_t dice = random_.below(100);
  Node& node = any();
  if (is_paused(node)) return pass_time();
  if (dice < 50) {
    deliver_any();
  } else if (dice < 72) {
    finish_write(node);
  } else if (dice < 82) {
    pass_time();
  } else if (dice < 88) {
    propose(node);
  } else if (dice < 92) {
    read(node);
  } else if (dice < 96) {
    fetch_snapshot(node);
  } else {
    flush(node);
  }
}

RecoveredState Cluster::recover(const Node& node) const {
  RecoveredState state;
  state.chain = node.chain;
  state.promised = node.promised;
  state.base = node.base;
  state.commit_hint = node.commit_hint;
  state.superblock_version = node.superblock_version;
  state.applied = node.flushed.applied;
  state.fence = node.flushed.fence;
  state.unknown_tail = node.unknown_tail;
  if (state.unknown_tail && state.unknown_tail->config < node.chain.current().id) {
    state.unknown_tail.reset();
  }
  for (const auto& [slot, found] : node.slots) {
    const bool is_void = found.ballot.config < node.chain.governing(slot).id;
    if (is_void && !SYNOD_PLANT("void_slots_return")) break;
    state.slots.push_back(found);
  }
  return state;
}

void Cluster::start(Node& node) {
  if (node.replica || node.chain.configurations.empty()) return;
  ++node.superblock_version;  // B3: every start writes it.
  const RecoveredState state = recover(node);
  node.machine = node.flushed;
  node.completed = Ticket();
  const std::uint64_t seed = random_.next();
  node.replica.emplace(options_for(node.self, seed), state, base::Random(seed), now_);
  if (node.flushed.applied != kNoSlot) show_snapshot(node);
  collect(node);
}

void Cluster::show_snapshot(Node& node) {
  const Machine& state = node.flushed;
  node.replica->snapshot_taken(
      {SnapshotId(random_.next()), state.applied, state.fence, state.chain, {}});
}

/// What is in flight to the disk arrives there up to some frame; everything volatile is gone.
void Cluster::crash(Node& node) {
  const std::uint64_t survivors = random_.below(node.writing.size() + 1);
  for (std::uint64_t i = 0; i < survivors; ++i) finish_write(node);
  // The superblock is written before the frame.
  if (!node.writing.empty() && random_.chance(0.3)) write_superblock(node, node.writing.front());
  node.replica.reset();
  node.writing.clear();
  node.waiting.clear();
  node.to_apply.clear();
  node.staging.reset();
  if (random_.chance(faults_.rot)) rot(node);
}

void Cluster::rot(Node& node) {
  // Two voters cannot tell what a third would have: one damaged copy is one too many.
  if (node.slots.empty() || node.chain.current().voters.size() < 3) return;
  if (rotten_.contains(kOpenEnd)) return;
  auto victim = node.slots.begin();
  std::advance(victim, static_cast<std::ptrdiff_t>(random_.below(node.slots.size())));
  if (node.chain.governing(victim->first).voters.size() < 3) return;
  const bool is_only_damage = rotten_.emplace(victim->first, victim->first).second;
  if (!is_only_damage) return;
  const bool is_only_tail = rotten_.size() == 1;
  if (is_only_tail && random_.chance(0.4)) {
    rotten_.emplace(kOpenEnd, kOpenEnd);
    for (auto each = std::next(victim); each != node.slots.end(); ++each) {
      if (!rotten_.emplace(each->first, each->first).second) return;
    }
    node.slots.erase(victim, node.slots.end());
    if (node.base < node.flushed.applied) {
      node.base = node.flushed.applied;
      node.slots.erase(node.slots.begin(), node.slots.upper_bound(node.base));
    }
    node.unknown_tail = node.promised;
    return;
  }
  victim->second.entry.reset();
  if (random_.chance(0.5)) victim->second.ballot = node.promised;
}

void Cluster::write_superblock(Node& node, const Persist& frame) {
  if (!frame.is_new_ballot && !frame.chain) return;
  ++node.superblock_version;
  node.promised = std::max(node.promised, frame.promised);
  if (frame.chain) node.chain = *frame.chain;
}

void Cluster::finish_write(Node& node) {
  if (!node.replica || node.writing.empty()) return;
  const Persist frame = std::move(node.writing.front());
  node.writing.pop_front();
  write_superblock(node, frame);
  for (const Configuration& each : node.chain.configurations)
    configurations_.emplace(each.id, each);
  node.promised = std::max(node.promised, frame.promised);
  node.commit_hint = std::max(node.commit_hint, frame.commit_hint);
  for (const SlotRecord& record : frame.records) {
    if (record.slot > node.base) {
      node.slots[record.slot] = RecoveredSlot{record.slot, record.ballot, record.entry};
    }
    // What an older commit says of the slot does not hold for a value that was written later.
    if (record.slot <= node.commit_hint) node.commit_hint = before(record.slot);
    note_accepted(node, record);
  }
  if (frame.ends_unknown_tail) node.unknown_tail.reset();
  node.completed = frame.ticket;
  node.replica->advance(now_);
  node.replica->persisted(frame.ticket);
  collect(node);
}

void Cluster::collect(Node& node) {
  Output output = node.replica->take_output();
  if (output.persist) node.writing.push_back(std::move(*output.persist));
  for (Envelope& envelope : output.send_now) bag_.push_back(std::move(envelope));
  for (Output::Deferred& each : output.send_after_durable) node.waiting.push_back(std::move(each));
  for (const Delivery& delivery : output.apply) node.to_apply.push_back(delivery);
  for (const Output::Read& each : output.reads) {
    const auto begun = reads_.find(each.context);
    if (begun == reads_.end()) {
      fail("a read was answered twice");
      continue;
    }
    if (each.index && *each.index < begun->second) fail("a stale read");
    if (each.index) ++reads_released_;
    reads_.erase(begun);
  }
  for (const SnapshotTask& task : output.snapshot_tasks) {
    const auto* begin = std::get_if<BeginStaging>(&task);
    if (begin != nullptr) node.replica->snapshot_begun(begin->manifest.id, {});
    if (const auto* end = std::get_if<FinishStaging>(&task)) node.staging = end->manifest;
  }
  if (output.snapshot_needed) {
    node.flushed = node.machine;
    show_snapshot(node);
  }
  for (const std::string& complaint : output.complaints) {
    // Damage is planted here; a greeting of a dead process may come behind its successor's; who
    // lags does not know who joined.
    const bool is_expected = complaint.find("damaged") != std::string::npos ||
                             complaint.find("older disk") != std::string::npos ||
                             (faults_.change > 0 && complaint.find("not of") != std::string::npos);
    if (!is_expected) fail(concat("complaint at ", node.self.id.value(), ": ", complaint));
  }
  for (const Slot commit = node.replica->acceptor().commit(); decided_ < commit;) {
    decided_ = decided_.next();
    if (!chosen_.contains(decided_)) {
      fail(concat("slot ", decided_.value(), " decided and not on the disks of a majority"));
    }
  }
  release(node);
  if (random_.chance(0.5)) apply_some(node);
}

void Cluster::apply_some(Node& node) {
  if (!node.replica || node.to_apply.empty()) return;
  const std::uint64_t count =
      is_healing_ ? node.to_apply.size() : 1 + random_.below(node.to_apply.size());
  for (std::uint64_t i = 0; i < count; ++i) {
    execute(node, node.to_apply.front());
    node.to_apply.pop_front();
  }
  node.replica->applied(node.machine.applied);
  collect(node);
}

void Cluster::release(Node& node) {
  std::vector<Output::Deferred> still;
  for (Output::Deferred& each : node.waiting) {
    if (each.ticket <= node.completed) {
      bag_.push_back(std::move(each.envelope));
    } else {
      still.push_back(std::move(each));
    }
  }
  node.waiting = std::move(still);
}

void Cluster::execute(Node& node, const Delivery& delivery) {
  if (delivery.slot != node.machine.applied.next()) fail("execution out of order");
  const Value value{delivery.entry.origin, delivery.entry.crc};
  note_chosen(delivery.slot, value);
  const auto [place, is_first] =
      executed_.emplace(delivery.slot, std::pair(value, delivery.is_fenced));
  if (!is_first && place->second != std::pair(value, delivery.is_fenced)) {
    fail(concat("slot ", delivery.slot.value(), " executed in two ways"));
  }
  const bool is_old = delivery.entry.origin < node.machine.fence;
  const bool may_be_fenced =
      delivery.entry.kind == EntryKind::kCommand || delivery.entry.kind == EntryKind::kBarrier;
  if (delivery.is_fenced != (is_old && may_be_fenced)) fail("the fence let the wrong one through");
  if (delivery.entry.kind == EntryKind::kBarrier) {
    node.machine.fence = std::max(node.machine.fence, delivery.entry.origin);
  }
  node.machine.applied = delivery.slot;
  if (delivery.is_fenced) return;
  change_chain(node.machine, delivery);
  const Configuration& current = node.machine.chain.current();
  const auto [known, is_new] = configurations_.emplace(current.id, current);
  const bool is_same =
      known->second.voters == current.voters && known->second.first == current.first;
  if (!is_new && !is_same) fail(concat("configuration ", current.id.value(), " in two ways"));
}

/// What docs/PROTOCOL.md section 12 says an executed entry does, once more.
void Cluster::change_chain(Machine& machine, const Delivery& delivery) const {
  std::vector<Configuration>& all = machine.chain.configurations;
  if (delivery.entry.kind == EntryKind::kLearner) {
    const auto change = decode_learner_change(*delivery.entry.command);
    std::vector<Member>& learners = all.back().learners;
    std::erase(learners, change->member);
    if (change->is_added) learners.push_back(change->member);
    machine.chain.as_of = delivery.slot;
  } else if (delivery.entry.kind == EntryKind::kStopSign) {
    const auto next = decode_next(*delivery.entry.command);
    Configuration configuration{all.back().id.next(), next->voters, all.back().learners,
                                delivery.slot.next(), next->guard,  next->first_leader};
    std::erase_if(configuration.learners,
                  [&](const Member& learner) { return configuration.is_voter(learner); });
    all.push_back(std::move(configuration));
    machine.chain.as_of = delivery.slot;
  }
}

const Chain& Cluster::newest() const {
  const Node* best = &nodes_.front();
  for (const Node& node : nodes_) {
    const bool is_started = !node.machine.chain.configurations.empty();
    if (is_started && node.machine.applied > best->machine.applied) best = &node;
  }
  return best->machine.chain;
}

void Cluster::deliver_any() {
  if (bag_.empty()) return;
  // Mostly in order: a bag without any order rarely gets anything done.
  const std::size_t reach =
      random_.chance(0.2) ? bag_.size() : std::min<std::size_t>(3, bag_.size());
  const std::size_t index = random_.below(reach);
  if (is_paused(node_of(bag_[index].to))) return;
  Envelope envelope = bag_[index];
  const bool is_duplicated = !is_healing_ && random_.chance(faults_.duplication);
  if (!is_duplicated) bag_.erase(bag_.begin() + static_cast<std::ptrdiff_t>(index));
  mix(index * 31 + envelope.message.index());
  if (!is_healing_) {
    if (random_.chance(faults_.loss)) return;
    if (is_cut(envelope.from.id, envelope.to)) return;
  }
  deliver(envelope);
}

void Cluster::deliver(const Envelope& envelope) {
  Node& node = node_of(envelope.to);
  if (!node.replica) return;
  node.replica->advance(now_);
  node.replica->step(envelope);
  if (random_.chance(0.7)) collect(node);  // otherwise the batch goes on
}

void Cluster::pass_time() {
  now_ += base::Millis(static_cast<std::int64_t>(1 + random_.below(is_healing_ ? 20 : 40)));
  for (Node& node : nodes_) {
    if (!node.replica || is_paused(node)) continue;
    node.replica->advance(now_);
    // Who just woke up may find requests before its timers run.
    if (node.paused_until != Instant() && !is_healing_) read(node);
    node.paused_until = Instant();
    node.replica->tick();
    collect(node);
    mix(static_cast<std::uint64_t>(node.replica->role()));
  }
}

void Cluster::propose(Node& node) {
  if (!node.replica || node.replica->role() != Role::kLeading) return;
  std::vector<base::Bytes> commands;
  for (std::uint64_t i = random_.below(3) + 1; i > 0; --i) {
    commands.push_back(concat("command ", ++commands_));
  }
  if (node.replica->propose(std::move(commands)).code == Proposed::Code::kTaken) collect(node);
}

void Cluster::change(Node& node) {
  if (!node.replica) return join(node);
  if (!node.replica->is_established()) return;
  const Configuration current = node.replica->configuration();
  const Node& other = any();
  switch (random_.below(4)) {
    case 0:
      (void)node.replica->transfer(other.self.id);
      break;
    case 1:
      change_members(node);
      break;
    default:
      (void)node.replica->change_learner(other.self, !current.is_member(other.self));
  }
  collect(node);
}

/// Any set of those who are there already.
void Cluster::change_members(Node& node) {
  const Configuration current = node.replica->configuration();
  std::vector<Member> members = current.voters;
  members.insert(members.end(), current.learners.begin(), current.learners.end());
  NextConfiguration next{{}, ReplicaId(), base::Millis(100)};
  for (const Member& member : members) {
    if (random_.chance(0.7)) next.voters.push_back(member);
  }
  if (next.voters.empty()) next.voters = current.voters;
  if (random_.chance(0.5)) next.first_leader = next.voters.front().id;
  (void)node.replica->reconfigure(next);
}

/// A blank disk that was made a learner gets the configurations from somebody who has executed it.
void Cluster::join(Node& node) {
  if (!node.chain.configurations.empty()) return;
  const Chain& chain = newest();
  if (!chain.current().is_member(node.self)) return;
  node.chain = chain;
  node.flushed.chain = Chain{{configurations_.begin()->second}, kNoSlot};
  start(node);
}

void Cluster::read(Node& node) {
  if (!node.replica) return;
  const ReadContext context(++next_read_);
  reads_[context] = decided_;
  node.replica->advance(now_);
  node.replica->read(context);
  collect(node);
}

/// The state reaches the disk; perhaps the log is cut behind it.
void Cluster::flush(Node& node) {
  if (!node.replica) return;
  node.flushed = node.machine;
  show_snapshot(node);
  if (!random_.chance(faults_.trim)) return;
  node.base = std::max(node.base, node.flushed.applied);
  node.slots.erase(node.slots.begin(), node.slots.upper_bound(node.base));
  node.replica->trim(node.base);
}

/// The files of a snapshot come in one piece here: the pull has tests of its own.
void Cluster::fetch_snapshot(Node& node) {
  if (!node.replica || !node.staging) return;
  const SnapshotManifest label = *std::exchange(node.staging, std::nullopt);
  if (label.slot <= node.machine.applied) return node.replica->install_snapshot(label);
  ++snapshots_;
  node.machine = Machine{label.slot, label.fence, label.chain};
  if (label.chain.as_of > node.chain.as_of) node.chain = label.chain;
  node.flushed = node.machine;
  while (!node.to_apply.empty() && node.to_apply.front().slot <= label.slot) {
    node.to_apply.pop_front();
  }
  node.base = label.slot;
  node.slots.erase(node.slots.begin(), node.slots.upper_bound(node.base));
  node.replica->install_snapshot(label);
  collect(node);
}

void Cluster::note_accepted(const Node& node, const SlotRecord& record) {
  const Value value{record.entry.origin, record.entry.crc};
  const auto governing = configurations_.find(record.ballot.config);
  if (governing == configurations_.end() || !governing->second.is_voter(node.self)) return;
  auto& holders = accepted_[{record.slot, record.ballot}][value];
  holders.insert(node.self.id);
  if (holders.size() >= governing->second.majority()) note_chosen(record.slot, value);
}

void Cluster::note_chosen(Slot slot, const Value& value) {
  const auto [place, is_first] = chosen_.emplace(slot, value);
  if (!is_first && place->second != value) {
    fail(concat("two values chosen at slot ", slot.value()));
  }
}

void Cluster::heal_and_progress() {
  is_healing_ = true;
  cut_.clear();
  for (Node& node : nodes_) start(node);
  const Instant deadline = now_ + base::Millis(20'000);
  Slot goal = kNoSlot;
  while (failure_.empty() && now_ < deadline) {
    for (Node& node : nodes_) {
      if (node.replica) continue;
      join(node);
    }
    ++events_;
    for (int i = 0; i < 12; ++i) deliver_any();
    for (Node& node : nodes_) {
      while (!node.writing.empty()) finish_write(node);
      fetch_snapshot(node);
      apply_some(node);
    }
    for (Node& node : nodes_) {
      if (node.replica) collect(node);
    }
    if (bag_.size() < 4) pass_time();
    const bool all_there = std::all_of(nodes_.begin(), nodes_.end(), [&](const Node& node) {
      if (!newest().current().is_member(node.self)) return true;
      return goal != kNoSlot && node.machine.applied >= goal;
    });
    if (all_there) return;
    for (Node& node : nodes_) {
      if (goal != kNoSlot || !node.replica || !node.replica->is_established()) continue;
      propose(node);
      goal = node.replica->acceptor().through();
    }
    // A leader may be deposed before the goal is decided: aim again.
    if (goal != kNoSlot && random_.chance(0.01)) goal = kNoSlot;
  }
  std::string state = concat("no progress after healing towards ", goal.value(), ":");
  for (const Node& node : nodes_) {
    if (!node.replica) continue;
    const Acceptor& acceptor = node.replica->acceptor();
    state +=
        concat(" ", node.self.id.value(), " of ", node.replica->configuration().id.value(),
               " with ", node.replica->configuration().voters.size(), " ",
               role_name(node.replica->role()), " ", to_string(acceptor.promised()), " commit ",
               acceptor.commit().value(), " through ", acceptor.through().value(), " durable ",
               acceptor.durable().value(), " last ", acceptor.log().last().value(), " base ",
               acceptor.log().base().value(), " applied ", node.machine.applied.value(), ";");
  }
  fail(state);
}

Faults draw_faults(std::uint64_t seed) {
  base::Random random(seed ^ 0x9e3779b97f4a7c15ULL);
  Faults faults;
  if (random.chance(0.6)) faults.loss = 0.02 + 0.2 * random.unit();
  if (random.chance(0.6)) faults.duplication = 0.3 * random.unit();
  if (random.chance(0.7)) faults.crash = 0.002 + 0.03 * random.unit();
  if (random.chance(0.5)) faults.partition = 0.05 * random.unit();
  if (random.chance(0.3)) faults.rot = 0.5;
  if (random.chance(0.4)) faults.trim = 0.5;
  if (random.chance(0.4)) faults.pause = 0.03 * random.unit();
  if (random.chance(0.5)) faults.change = 0.1 * random.unit();
  return faults;
}

std::string live(std::uint64_t seed) {
  Cluster cluster(seed, seed % 7 == 0 ? 5 : 3, 2, draw_faults(seed));
  cluster.run(1000);
  cluster.heal_and_progress();
  return cluster.failure();
}

}  // namespace synod::consensus
