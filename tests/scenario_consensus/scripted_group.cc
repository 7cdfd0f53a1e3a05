// SPDX-License-Identifier: Apache-2.0
#include "tests/scenario_consensus/scripted_group.h"

#include <sstream>
#include <utility>

#include "base/text.h"

namespace synod::consensus {

using base::concat;

std::string ScriptedGroup::run(const std::string& line) {
  told_.clear();
  std::istringstream in(line);
  std::string command;
  in >> command;
  if (run_change(command, in)) return told_;
  std::uint32_t a = 0;
  if (command != "greetings" && command != "settle" && command != "status" && command != "free")
    in >> a;
  std::uint32_t b = 0;
  const bool has_second = command == "deliver" || command == "drop" || command == "hold" ||
                          command == "wake" || command == "read" || command == "rot";
  if (has_second) in >> b;
  if (command == "greetings") {
    greets_ = true;
  } else if (command == "group") {
    make_group(a);
  } else if (command == "time") {
    pass(a);
    for (auto& [id, each] : nodes_) tick(each);
  } else if (command == "wake") {
    pass(b);
    tick(node(a));
  } else if (command == "deliver") {
    deliver({a, b});
  } else if (command == "drop") {
    links_[{a, b}].clear();
  } else if (command == "hold") {
    held_[{a, b}] = true;
  } else if (command == "free") {
    held_.clear();
  } else if (command == "sync") {
    sync(node(a));
  } else if (command == "settle") {
    is_quiet_ = true;
    while (settle_once()) {
    }
    is_quiet_ = false;
  } else if (command == "propose") {
    std::vector<base::Bytes> commands;
    for (std::string word; in >> word;) commands.push_back(word);
    const Proposed proposed = node(a).replica->propose(std::move(commands));
    tell(proposed);
    collect(node(a));
  } else if (command == "read") {
    node(a).replica->read(ReadContext(b));
    collect(node(a));
  } else if (command == "rot") {
    node(a).slots.at(Slot(b)).entry.reset();
  } else if (command == "crash") {
    crash(node(a));
  } else if (command == "start") {
    start(node(a));
  } else if (command == "status") {
    status();
  } else {
    say(concat("unknown command: ", line));
  }
  return told_;
}

void ScriptedGroup::make_group(std::uint32_t replicas) {
  Configuration first{ConfigId(1), {}, {}, Slot(1), base::Millis(100), ReplicaId()};
  for (std::uint32_t i = 1; i <= replicas; ++i) {
    first.voters.push_back(Member{ReplicaId(i), Incarnation(i)});
  }
  for (const Member& voter : first.voters) {
    Node& each = nodes_[voter.id.value()];
    each.self = voter;
    each.chain.configurations = {first};
    start(each);
  }
}

void ScriptedGroup::tell(const Proposed& proposed) {
  const bool is_taken = proposed.code == Proposed::Code::kTaken;
  say(is_taken ? concat("taken from slot ", proposed.first.value()) : std::string("not taken"));
}

/// The commands of membership and damage; false if it is none of them.
bool ScriptedGroup::run_change(const std::string& command, std::istringstream& in) {
  std::vector<std::uint32_t> ids;
  const bool is_known = command == "learner" || command == "join" || command == "change" ||
                        command == "transfer" || command == "tail";
  if (!is_known) return false;
  for (std::uint32_t id = 0; in >> id;) ids.push_back(id);
  Node& first = nodes_[ids.at(0)];
  if (command == "tail") {
    first.unknown_tail = first.promised;
  } else if (command == "join") {
    for (const auto& [id, other] : nodes_) {
      if (other.chain.as_of > first.chain.as_of) first.chain = other.chain;
    }
    start(first);
  } else if (command == "learner") {
    Node& other = nodes_[ids.at(1)];
    other.self = Member{ReplicaId(ids[1]), Incarnation(ids[1])};
    tell(first.replica->change_learner(other.self, true));
  } else if (command == "transfer") {
    say(first.replica->transfer(ReplicaId(ids.at(1))) ? "begun" : "refused");
  } else {
    NextConfiguration next{{}, ReplicaId(ids.at(1)), base::Millis(100)};
    for (std::size_t i = 1; i < ids.size(); ++i) next.voters.push_back(node(ids[i]).self);
    tell(first.replica->reconfigure(next));
  }
  if (first.replica) collect(first);
  return true;
}

void ScriptedGroup::start(Node& each) {
  Options options;
  options.self = each.self;
  options.timing.election_min = base::Millis(100);
  options.timing.heartbeat = base::Millis(20);
  RecoveredState state;
  state.chain = each.chain;
  state.promised = each.promised;
  state.unknown_tail = each.unknown_tail;
  state.commit_hint = each.commit_hint;
  for (const auto& [slot, found] : each.slots) {
    if (found.ballot.config < each.chain.governing(slot).id) break;  // void
    state.slots.push_back(found);
  }
  each.completed = Ticket();
  each.applied = kNoSlot;
  each.replica.emplace(options, state, base::Random(each.self.id.value()), now_);
  collect(each);
}

void ScriptedGroup::crash(Node& each) {
  each.replica.reset();
  each.writing.clear();
  each.waiting.clear();
  for (auto& [link, messages] : links_) {
    if (link.second == each.self.id.value()) messages.clear();
  }
}

void ScriptedGroup::collect(Node& each) {
  Output output = each.replica->take_output();
  const std::uint32_t id = each.self.id.value();
  for (Envelope& envelope : output.send_now) {
    const auto* hello = std::get_if<Hello>(&envelope.message);
    const bool is_greeting = hello != nullptr && hello->answers == ProcessId();
    if (is_greeting && !greets_) continue;
    links_[{id, envelope.to.value()}].push_back(std::move(envelope));
  }
  if (output.persist) each.writing.push_back(std::move(*output.persist));
  for (Output::Deferred& deferred : output.send_after_durable) {
    each.waiting.push_back(std::move(deferred));
  }
  while (!each.waiting.empty() && each.waiting.front().ticket <= each.completed) {
    Envelope& envelope = each.waiting.front().envelope;
    links_[{id, envelope.to.value()}].push_back(std::move(envelope));
    each.waiting.pop_front();
  }
  for (const Delivery& delivery : output.apply) {
    each.applied = delivery.slot;
    const bool is_command = delivery.entry.kind == EntryKind::kCommand;
    say(concat(
        id, " executes ", delivery.slot.value(), " ",
        is_command ? *delivery.entry.command : std::string(entry_kind_name(delivery.entry.kind)),
        delivery.is_fenced ? " (fenced)" : ""));
  }
  for (const Output::Read& read : output.reads) {
    say(concat(id, " read ", read.context.value(), " ",
               read.index ? concat("at ", read.index->value()) : std::string("failed")));
  }
  for (const std::string& complaint : output.complaints) say(concat(id, " complains: ", complaint));
  if (output.apply.empty()) return;
  each.replica->applied(each.applied);
  collect(each);
}

void ScriptedGroup::sync(Node& each) {
  while (each.replica && !each.writing.empty()) {
    const Persist frame = std::move(each.writing.front());
    each.writing.pop_front();
    each.promised = frame.promised;
    each.commit_hint = frame.commit_hint;
    std::string text = concat(each.self.id.value(), " wrote promise ", to_string(frame.promised));
    for (const SlotRecord& record : frame.records) {
      each.slots[record.slot] = RecoveredSlot{record.slot, record.ballot, record.entry};
      text += concat(", ", record.is_restamp ? "stamp " : "slot ", record.slot.value());
    }
    if (frame.chain) {
      each.chain = *frame.chain;
      text += concat(", configuration ", each.chain.current().id.value());
    }
    if (frame.ends_unknown_tail) {
      each.unknown_tail.reset();
      text += ", the end is known";
    }
    trace(text);
    each.completed = frame.ticket;
    each.replica->persisted(frame.ticket);
    collect(each);
  }
}

void ScriptedGroup::deliver(const Link& link) {
  std::deque<Envelope> messages = std::exchange(links_[link], {});
  for (const Envelope& envelope : messages) {
    Node& to = node(link.second);
    trace(concat(link.first, ">", link.second, " ", to_string(envelope.message)));
    if (!to.replica) continue;
    to.replica->step(envelope);
    collect(to);
  }
}

bool ScriptedGroup::settle_once() {
  bool did = false;
  for (auto& [id, each] : nodes_) {
    did = did || (each.replica && !each.writing.empty());
    sync(each);
  }
  for (std::uint32_t from = 1; from <= nodes_.size(); ++from) {
    for (std::uint32_t to = 1; to <= nodes_.size(); ++to) {
      if (held_.contains({from, to}) || links_[{from, to}].empty()) continue;
      did = true;
      deliver({from, to});
    }
  }
  return did;
}

void ScriptedGroup::pass(std::int64_t ms) {
  now_ += base::Millis(ms);
  for (auto& [id, each] : nodes_) {
    if (each.replica) each.replica->advance(now_);
  }
}

void ScriptedGroup::tick(Node& each) {
  if (!each.replica) return;
  each.replica->tick();
  collect(each);
}

void ScriptedGroup::status() {
  for (const auto& [id, each] : nodes_) {
    if (!each.replica) {
      if (!each.chain.configurations.empty()) say(concat(id, " down"));
      continue;
    }
    const Acceptor& acceptor = each.replica->acceptor();
    const Configuration& configuration = each.replica->configuration();
    const bool is_first = configuration.id == ConfigId(1);
    say(concat(id, is_first ? std::string() : concat(" of ", configuration.id.value()), " ",
               role_name(each.replica->role()), each.replica->is_retired() ? " retired" : "",
               each.replica->is_established() ? " established" : "", " promised ",
               to_string(acceptor.promised()), " commit ", acceptor.commit().value(), " through ",
               acceptor.through().value(), " durable ", acceptor.durable().value(), " last ",
               acceptor.log().last().value(), acceptor.unknown_tail() ? " end unknown" : ""));
  }
}

}  // namespace synod::consensus
