// SPDX-License-Identifier: Apache-2.0
#include "tests/sim/clients.h"

#include <algorithm>
#include <utility>

#include "base/text.h"

namespace synod::sim {

using consensus::CommandOutcome;

namespace {
constexpr Nanos kPatience = base::Millis(400);
constexpr std::size_t kFinalClient = kClients - 1;
}  // namespace

Clients::Clients(Scheduler& scheduler, Oracle& oracle, Tally& tally, const Profile& profile,
                 std::vector<std::unique_ptr<SimNode>>& nodes)
    : scheduler_(scheduler), oracle_(oracle), tally_(tally), profile_(profile), nodes_(nodes) {
  clients_.resize(kClients);
  for (std::uint32_t id = 0; id < kClients; ++id) clients_[id].id = id;
}

void Clients::start() {
  for (std::size_t i = 0; i < profile_.clients; ++i) think(clients_[i]);
}

bool Clients::is_idle() const {
  return std::none_of(clients_.begin(), clients_.end(),
                      [](const Client& each) { return each.is_busy; });
}

std::size_t Clients::any_node() { return scheduler_.random().below(nodes_.size()); }

void Clients::think(Client& client) {
  const bool is_bursting = scheduler_.now() < burst_until_;
  const std::uint64_t most = is_bursting ? 200'000 : 2 * profile_.think_nanos;
  const Nanos pause(static_cast<std::int64_t>(scheduler_.random().below(most + 1)));
  scheduler_.after(pause, [this, &client] { begin(client); });
}

void Clients::begin(Client& client) {
  if (is_winding_down_) return;
  base::Random& random = scheduler_.random();
  const bool is_pressing = scheduler_.now() < press_until_;
  client.is_busy = true;
  client.floor = oracle_.floor();
  client.is_write = is_pressing || !random.chance(profile_.reads);
  client.command.key = static_cast<std::uint8_t>(random.below(kKeys));
  if (client.is_write) {
    client.command.client = client.id;
    client.command.sequence = ++client.sequence;
    client.command.attempt = 0;
    client.command.kind = static_cast<Command::Kind>(random.below(3));
    client.command.argument = random.next();
  }
  // Most know who leads.
  if (is_pressing) {
    aim(client);
  } else if (random.chance(0.2)) {
    client.target = any_node();
  }
  send(client);
}

void Clients::aim(Client& client) {
  for (const auto& node : nodes_) {
    if (node->leads()) client.target = node->index();
  }
}

void Clients::press(Nanos span) {
  burst(span);
  press_until_ = burst_until_;
}

void Clients::write_final() {
  Client& client = clients_[kFinalClient];
  client.is_busy = true;
  client.is_write = true;
  client.floor = oracle_.floor();
  client.command = Command{client.id, ++client.sequence, 0, Command::Kind::kSet, 0, 1};
  send(client);
}

void Clients::send(Client& client) {
  tally_.add(Count::kClientCalls);
  ++client.turn;
  client.sent = scheduler_.now();
  arm_timeout(client);
  SimNode& node = *nodes_[client.target];
  if (!node.is_up()) {
    client.target = any_node();
    return;  // The connection is refused; the timeout tries another.
  }
  if (client.is_write) return send_write(client, node);
  send_read(client, node);
}

void Clients::arm_timeout(Client& client) {
  scheduler_.after(kPatience, [this, &client, turn = client.turn] {
    if (!client.is_busy || client.turn != turn) return;
    client.target = any_node();
    retry(client);
  });
}

void Clients::retry(Client& client) {
  if (!client.is_write) {
    tally_.add(Count::kReadsFailed);
    return finish(client);
  }
  tally_.add(Count::kWritesRetried);
  ++client.command.attempt;
  send(client);
}

void Clients::finish(Client& client) {
  client.is_busy = false;
  ++client.turn;
  if (client.id != kFinalClient) think(client);
}

void Clients::send_write(Client& client, SimNode& node) {
  const std::size_t filler = scheduler_.random().below(profile_.filler + 1);
  node.runtime().propose(
      encode_command(client.command, filler),
      [this, &client, command = client.command, turn = client.turn](CommandOutcome outcome) {
        on_outcome(client, command, turn, outcome);
      });
}

void Clients::on_outcome(Client& client, const Command& command, std::uint64_t turn,
                         const CommandOutcome& outcome) {
  const bool is_late = !client.is_busy || client.turn != turn;
  switch (outcome.kind) {
    case CommandOutcome::Kind::kApplied:
      return acknowledge(client, command, outcome.slot, outcome.result);
    case CommandOutcome::Kind::kUnknown:
      tally_.add(Count::kOutcomesUnknown);
      break;
    case CommandOutcome::Kind::kNotExecuted:
      oracle_.on_not_executed(command);
      tally_.add(outcome.reason == CommandOutcome::Reason::kOvertaken ? Count::kOvertaken
                                                                      : Count::kWritesRefused);
      break;
  }
  if (is_late) return;
  // Ask again soon, where the leader is said to be.
  ++client.turn;
  client.target = any_node();
  for (std::size_t i = 0; outcome.leader && i < nodes_.size(); ++i) {
    if (nodes_[i]->member().id == *outcome.leader) client.target = i;
  }
  const Nanos pause = base::Millis(1 + static_cast<std::int64_t>(scheduler_.random().below(30)));
  scheduler_.after(pause, [this, &client, next = client.turn] {
    if (client.is_busy && client.turn == next) retry(client);
  });
}

void Clients::acknowledge(Client& client, const Command& command, Slot slot,
                          base::BytesView result) {
  const bool is_waiting =
      client.is_busy && client.is_write && client.command.sequence == command.sequence;
  if (!is_waiting) return;
  if (result.size() != 8) return oracle_.fail("acknowledged without a result");
  oracle_.on_acknowledged(command, slot, base::load_le64(result.data()), client.floor);
  tally_.add(Count::kWritesAcknowledged);
  if (client.id == kFinalClient) final_slot_ = slot;
  finish(client);
}

void Clients::send_read(Client& client, SimNode& node) {
  if (scheduler_.random().chance(profile_.local_reads)) {
    tally_.add(Count::kLocalReads);
    const SimMachine& machine = node.machine();
    oracle_.on_local_read(machine.applied(), client.command.key, machine.value(client.command.key));
    return finish(client);
  }
  node.runtime().read([this, &client, turn = client.turn, target = client.target,
                       floor = client.floor](std::optional<Slot> index) {
    on_index(client, target, turn, floor, index);
  });
}

void Clients::on_index(Client& client, std::size_t node, std::uint64_t turn, Slot floor,
                       std::optional<Slot> index) {
  const bool is_late = !client.is_busy || client.turn != turn;
  if (!index) {
    if (is_late) return;
    tally_.add(Count::kReadsFailed);
    client.target = any_node();
    return finish(client);
  }
  const SimMachine& machine = nodes_[node]->machine();
  oracle_.on_read(*index, machine.applied(), client.command.key, machine.value(client.command.key),
                  floor);
  tally_.add(Count::kReadsServed);
  // Faster than any message: nobody was asked.
  const bool is_alone = scheduler_.now() - client.sent < 2 * profile_.network.delay_low;
  if (!is_late && is_alone) tally_.add(Count::kLeaseReads);
  if (!nodes_[node]->leads()) tally_.add(Count::kReadsAtFollowers);
  if (!is_late) finish(client);
}

void Clients::probe(Nanos span) {
  for (const auto& node : nodes_) {
    if (node->leads()) last_leader_ = node->index();
  }
  probe_until(scheduler_.now() + span);
}

void Clients::probe_until(Nanos end) {
  if (is_winding_down_ || scheduler_.now() >= end) return;
  base::Random& random = scheduler_.random();
  read_once(random.chance(0.5) ? last_leader_ : any_node());
  const Nanos pause = base::Micros(static_cast<std::int64_t>(500 + random.below(5000)));
  scheduler_.after(pause, [this, end] { probe_until(end); });
}

void Clients::read_once(std::size_t node) {
  if (!nodes_[node]->is_up()) return;
  tally_.add(Count::kClientCalls);
  const std::size_t key = scheduler_.random().below(kKeys);
  nodes_[node]->runtime().read(
      [this, node, key, floor = oracle_.floor()](std::optional<Slot> index) {
        if (!index) return tally_.add(Count::kReadsFailed);
        const SimMachine& machine = nodes_[node]->machine();
        oracle_.on_read(*index, machine.applied(), key, machine.value(key), floor);
        tally_.add(Count::kReadsServed);
      });
}

std::string Clients::describe() const {
  std::string text;
  for (const Client& each : clients_) {
    if (each.is_busy) text += base::concat(" client ", each.id, " waits");
  }
  return text;
}

}  // namespace synod::sim
