// SPDX-License-Identifier: Apache-2.0
#include "tests/sim/founding.h"

#include <algorithm>
#include <utility>

#include "base/text.h"
#include "consensus/wire/codec.h"

namespace synod::sim {

using base::concat;
using consensus::ClusterId;
using consensus::ClusterRecord;
using consensus::Envelope;
using consensus::Formation;
using consensus::FormationMemory;
using consensus::Incarnation;
using consensus::Introduction;

namespace {

constexpr Nanos kTick = base::Millis(20);
constexpr Nanos kPatience = base::Millis(8000);

bool names(const ClusterRecord& record, const Member& member) {
  return record.chain.configurations.front().is_voter(member);
}

}  // namespace

Founding::Founding(World& world, Network& network, std::vector<std::unique_ptr<SimNode>>& nodes,
                   Operator& op)
    : world_(world), network_(network), nodes_(nodes), operator_(op) {}

void Founding::begin(Nanos guard) {
  base::Random& random = world_.scheduler.random();
  options_.guard = guard;
  options_.retry_after = base::Millis(100);
  options_.fresh_for = base::Millis(600);
  options_.forget_after = base::Millis(2000);
  places_.resize(world_.profile.voters);
  for (std::size_t i = 0; i < places_.size(); ++i) {
    options_.members.push_back(operator_.next_id());
    nodes_[i]->install_blank(Member{options_.members.back(), {}});
    places_[i].disk.incarnation = Incarnation(random.next() | 1U);
  }
  if (random.chance(0.5)) options_.first_leader = options_.members.front();
  NetworkFaults faults;
  faults.loss = 0.3 * random.unit() * random.unit();
  faults.duplication = 0.2 * random.unit();
  if (random.chance(0.6)) {
    faults.delay_high = base::Millis(static_cast<std::int64_t>(1 + random.below(1500)));
  }
  network_.set_faults(faults);
  stops_ = random.chance(0.5) ? 0.002 : 0.03;
  wipes_ = random.chance(0.3) ? 0 : stops_ / 2;
  harm_end_ = world_.scheduler.now() + base::Millis(static_cast<std::int64_t>(random.below(6000)));
  patience_end_ = harm_end_ + kPatience;
  world_.scheduler.after(kTick, [this] { tick(); });
}

bool Founding::is_harmful() const {
  return !is_founded_ && !is_second_try_ && world_.scheduler.now() < harm_end_;
}

bool Founding::hears(std::size_t node) const {
  return node < places_.size() && nodes_[node]->is_founding();
}

Member Founding::pair_of(std::size_t node) const {
  return Member{options_.members[node], places_[node].disk.incarnation};
}

void Founding::tick() {
  bool is_over = true;
  for (std::size_t i = 0; i < places_.size(); ++i) {
    if (!hears(i)) continue;
    is_over = false;
    if (is_harmful()) harm(i);
    if (!places_[i].process) {
      if (is_harmful() && world_.scheduler.random().chance(0.9)) continue;
      start(i);
    }
    places_[i].process->tick(world_.scheduler.now());
    collect(i);
    if (is_founded_) replace_outsider(i);
  }
  if (is_over) return;
  world_.scheduler.after(kTick, [this] { tick(); });
  if (is_founded_ || world_.scheduler.now() < patience_end_) return;
  if (is_second_try_) return world_.oracle.fail("no group forms:" + describe());
  begin_again();
}

void Founding::harm(std::size_t node) {
  base::Random& random = world_.scheduler.random();
  if (random.chance(stops_)) {
    world_.tally.add_fault(Count::kCrashes);
    stop(node);
  }
  if (random.chance(wipes_)) wipe(node);
}

void Founding::start(std::size_t node) {
  consensus::FormationOptions options = options_;
  options.self = options_.members[node];
  options.process = consensus::ProcessId(world_.scheduler.random().next() | 1U);
  places_[node].process.emplace(options, places_[node].disk, world_.scheduler.random().fork());
}

/// What is being written got there or not.
void Founding::stop(std::size_t node) {
  Place& place = places_[node];
  ++place.write;
  if (place.writing && world_.scheduler.random().chance(0.5)) {
    place.disk = *std::exchange(place.writing, std::nullopt);
    check(node);
  }
  place.writing.reset();
  place.process.reset();
}

void Founding::wipe(std::size_t node) {
  world_.tally.add_fault(Count::kFoundersWiped);
  world_.note(concat("node ", node, " loses its disk before there is a group"));
  stop(node);
  places_[node].disk = FormationMemory{Incarnation(world_.scheduler.random().next() | 1U), {}, {}};
}

void Founding::begin_again() {
  is_second_try_ = true;
  patience_end_ = world_.scheduler.now() + kPatience;
  network_.set_faults(NetworkFaults());
  world_.tally.add(Count::kFoundingsRepeated);
  for (std::size_t i = 0; i < places_.size(); ++i) wipe(i);
}

void Founding::receive(std::size_t node, const base::Bytes& frame, bool is_damaged) {
  Place& place = places_[node];
  if (!place.process) return world_.tally.add(Count::kDropped);
  auto envelope = consensus::decode_frame(world_.cluster, frame);
  // What replicas say to their group is not for who has none.
  if (!envelope.ok() || !std::holds_alternative<Introduction>(envelope->message)) {
    return world_.tally.add(Count::kDropped);
  }
  if (is_damaged) world_.oracle.fail("a damaged frame was taken for a good one");
  world_.tally.add(Count::kDelivered);
  place.process->step(*envelope, world_.scheduler.now());
  collect(node);
}

void Founding::collect(std::size_t node) {
  Place& place = places_[node];
  if (auto memory = place.process->take_persist()) {
    place.writing = std::move(memory);
    const std::uint64_t write = ++place.write;
    const auto micros = static_cast<std::int64_t>(1 + world_.scheduler.random().below(5000));
    world_.scheduler.after(base::Micros(micros), [this, node, write] {
      if (places_[node].write == write && hears(node)) written(node);
    });
  }
  for (const Envelope& out : place.process->take_messages()) send(node, out);
}

void Founding::send(std::size_t node, const Envelope& envelope) {
  const auto& shown = std::get<Introduction>(envelope.message).record;
  const auto& own = places_[node].disk.record;
  if (shown && (!own || own->cluster != shown->cluster)) {
    world_.oracle.fail("a record leaves before it is durable");
  }
  network_.send(node, world_.places[envelope.to.value()],
                consensus::encode_frame(own ? own->cluster : ClusterId(), envelope));
}

void Founding::written(std::size_t node) {
  Place& place = places_[node];
  const bool is_first = !place.disk.record;
  place.disk = *std::exchange(place.writing, std::nullopt);
  check(node);
  place.process->persisted();
  collect(node);
  if (!place.disk.record || !is_first) return;
  if (is_founded_) return join(node);
  if (has_majority(*place.disk.record)) return found(*place.disk.record);
  // The worst moment: the record is under way to everybody, and nobody has it.
  if (node == 0 && wipes_ > 0 && is_harmful() && world_.scheduler.random().chance(0.4)) wipe(node);
}

void Founding::check(std::size_t node) {
  const auto& record = places_[node].disk.record;
  if (!record) return;
  if (!names(*record, pair_of(node))) world_.oracle.fail("a disk has the record of another");
  if (record->chain.current().voters.size() != options_.members.size()) {
    world_.oracle.fail("a record does not name all members");
  }
  for (const Place& other : places_) {
    const bool is_same = !other.disk.record || other.disk.record->cluster == record->cluster;
    if (!is_same) world_.oracle.fail("two groups form");
  }
}

bool Founding::has_majority(const ClusterRecord& record) const {
  const auto holders = std::count_if(places_.begin(), places_.end(), [](const Place& place) {
    return place.disk.record.has_value();
  });
  return static_cast<std::size_t>(holders) >= record.chain.current().majority();
}

void Founding::found(const ClusterRecord& record) {
  is_founded_ = true;
  world_.cluster = record.cluster;
  world_.oracle.begin(record.chain);
  world_.note("there is a group");
  for (std::size_t i = 0; i < places_.size(); ++i) {
    nodes_[i]->name_blank(pair_of(i));
    if (places_[i].disk.record) join(i);
  }
}

/// It has the record: from now on it is a replica.
void Founding::join(std::size_t node) {
  const Chain chain = places_[node].disk.record->chain;
  nodes_[node]->name_blank(pair_of(node));
  nodes_[node]->form(chain, chain);
  places_[node].process.reset();
  if (!nodes_[node]->start()) world_.oracle.fail(nodes_[node]->last_failure());
}

/// The group does not know this disk: it comes in as everybody who comes later.
void Founding::replace_outsider(std::size_t node) {
  const Place& place = places_[node];
  if (!hears(node) || !place.process || place.process->state() == Formation::State::kWaiting) {
    return;
  }
  Chain const& chain = world_.oracle.chain();
  if (chain.configurations.front().is_voter(pair_of(node))) return;
  world_.tally.add(Count::kOutsiders);
  operator_.lose_disk(*nodes_[node]);
}

std::string Founding::describe() const {
  std::string out;
  for (std::size_t i = 0; i < places_.size(); ++i) {
    const Place& place = places_[i];
    out += concat(
        " node ", i,
        place.process ? concat(" in state ", static_cast<int>(place.process->state())) : " down",
        place.disk.record ? " with a record" : " blank");
  }
  return out;
}

}  // namespace synod::sim
