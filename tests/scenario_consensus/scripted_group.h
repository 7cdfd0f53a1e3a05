// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <sstream>
#include <string>
#include <vector>

#include "consensus/protocol/replica.h"

namespace synod::consensus {

/// A group in memory that does only what it is told, and tells what happened.
///
///   group N            N replicas with empty disks; E_min 100 ms, heartbeat 20 ms
///   time MS            everybody's clock and timers
///   wake ID MS         time passes, only ID's timers run
///   deliver A B        all messages on the way from A to B
///   drop A B           the same, lost
///   hold A B           until `free`, settle leaves this link alone
///   free               no link is held
///   sync ID            ID's disk finishes all frames
///   settle             delivers and syncs until nothing is left; tells executions and reads only
///   propose ID words   one command for each word
///   read ID NAME       NAME is a number
///   rot ID SLOT        while ID is down
///   tail ID            while ID is down: what is behind its last slot may be lost
///   learner ID X       leader ID proposes X, a new blank disk, as a learner
///   join X             X starts, with the chain that somebody who executed it knows
///   change ID X Y…     leader ID proposes the voters X, Y…; X may lead first
///   transfer ID X
///   greetings          from now on the Hellos of new processes are sent; left out otherwise
///   crash ID, start ID
///   status
class ScriptedGroup {
 public:
  /// Runs one line and returns what it has to tell, lines ended by '\n'.
  std::string run(const std::string& line);

 private:
  struct Node {
    Member self;
    std::optional<Replica> replica;
    Chain chain;
    Ballot promised;
    std::optional<Ballot> unknown_tail;
    std::map<Slot, RecoveredSlot> slots;
    Slot commit_hint;
    std::deque<Persist> writing;
    std::deque<Output::Deferred> waiting;
    Ticket completed;
    Slot applied;
  };
  using Link = std::pair<std::uint32_t, std::uint32_t>;

  void make_group(std::uint32_t replicas);
  bool run_change(const std::string& command, std::istringstream& in);
  void tell(const Proposed& proposed);
  void start(Node& node);
  void crash(Node& node);
  void collect(Node& node);
  void sync(Node& node);
  void deliver(const Link& link);
  bool settle_once();
  void pass(std::int64_t ms);
  void tick(Node& node);
  void status();
  void say(const std::string& text) { told_ += text + "\n"; }
  void trace(const std::string& text) {
    if (!is_quiet_) say(text);
  }
  Node& node(std::uint32_t id) { return nodes_.at(id); }

  std::map<std::uint32_t, Node> nodes_;
  std::map<Link, std::deque<Envelope>> links_;
  std::map<Link, bool> held_;
  Instant now_{};
  std::string told_;
  bool greets_ = false;
  bool is_quiet_ = false;
};

}  // namespace synod::consensus
