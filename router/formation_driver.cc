// SPDX-License-Identifier: Apache-2.0
#include "router/formation_driver.h"

#include <algorithm>
#include <utility>

#include "base/logging.h"
#include "base/text.h"
#include "consensus/wire/codec.h"

namespace synod::router {

using base::concat;
using consensus::ClusterRecord;
using consensus::Configuration;
using consensus::Formation;
using consensus::FormationMemory;
using consensus::ReplicaId;

std::string list_of(const std::vector<ReplicaId>& ids) {
  std::string list;
  for (const ReplicaId id : ids) list += concat(list.empty() ? "" : ", ", id.value());
  return list;
}

std::string list_of(const std::vector<consensus::Member>& members) {
  std::vector<ReplicaId> ids;
  for (const consensus::Member& member : members) ids.push_back(member.id);
  return list_of(ids);
}

namespace {

FormationMemory memory_of(const consensus::Superblock& superblock) {
  return FormationMemory{superblock.incarnation, superblock.answered, std::nullopt};
}

}  // namespace

FormationDriver::FormationDriver(FormationSeams seams, const consensus::FormationOptions& options,
                                 consensus::SuperblockStore& superblock,
                                 std::string state_directory, base::Random random,
                                 base::Nanos tick_interval, FormationEvents events)
    : seams_(seams),
      options_(options),
      superblock_(superblock),
      state_directory_(std::move(state_directory)),
      tick_interval_(tick_interval),
      events_(std::move(events)),
      formation_(options, memory_of(superblock.current()), random) {}

FormationDriver::~FormationDriver() { seams_.consensus.cancel(timer_); }

void FormationDriver::start() {
  base::log_info("consensus", concat("this replica is blank; the group forms when all of ",
                                     list_of(options_.members), " have met"));
  tick();
}

std::string_view FormationDriver::role() const {
  return formation_.state() == Formation::State::kMustJoin ? "joining" : "forming";
}

void FormationDriver::tick() {
  if (is_over_) return;
  // While a disk that joins writes its record, the decision is made.
  if (!is_writing_) {
    formation_.tick(seams_.consensus.clock().boot_time());
    pump();
  }
  timer_ = seams_.consensus.run_after(tick_interval_, [this] { tick(); });
}

void FormationDriver::step(const consensus::Envelope& envelope) {
  if (is_over_ || is_writing_) return;  // Who asks, asks again.
  complain_of_stranger(envelope);
  formation_.step(envelope, seams_.consensus.clock().boot_time());
  pump();
}

/// Two lists of members never become one by waiting: say which differ.
void FormationDriver::complain_of_stranger(const consensus::Envelope& envelope) {
  const auto* message = std::get_if<consensus::Introduction>(&envelope.message);
  if (message == nullptr || message->record) return;
  const auto& members = options_.members;
  const bool is_known =
      std::find(members.begin(), members.end(), envelope.from.id) != members.end();
  if (is_known || !strangers_.insert(envelope.from.id).second) return;
  problem_ =
      concat("node ", envelope.from.id.value(), " wants to form a group with this node, but ",
             "the members configured here are ", list_of(members),
             ": a group forms only of nodes whose lists are equal");
  base::log_warning("consensus", problem_);
}

void FormationDriver::pump() {
  for (const std::string& line : formation_.take_complaints()) {
    base::log_warning("consensus", "formation: " + line);
    problem_ = line;
  }
  for (consensus::Envelope& envelope : formation_.take_messages()) {
    const consensus::ClusterId cluster = formation_.state() == Formation::State::kFormed
                                             ? formation_.record()->cluster
                                             : consensus::ClusterId();
    // Nobody there yet: it is said again.
    static_cast<void>(seams_.transport.send(net::PeerId(envelope.to.value()),
                                            net::PeerClass::kConsensus,
                                            consensus::encode_frame(cluster, envelope)));
  }
  if (auto memory = formation_.take_persist()) return write(std::move(*memory), false);
  judge();
}

void FormationDriver::judge() {
  if (formation_.state() == Formation::State::kConflict) {
    return refuse(concat("this node cannot take part in its group: ", problem_));
  }
  if (formation_.state() != Formation::State::kMustJoin) return;
  const ClusterRecord& record = *formation_.record();
  const Configuration& first = record.chain.configurations.front();
  if (first.id == consensus::ConfigId(1) && first.is_voter(formation_.self())) {
    // FD2: Formation did not take it, though it names this very disk.
    return refuse(concat("contradicting configurations: the group was formed of the members ",
                         list_of(first.voters), ", this node is configured with ",
                         list_of(options_.members)));
  }
  if (!formation_.is_added()) return;
  FormationMemory memory = memory_of(superblock_.current());
  memory.record = record;
  write(std::move(memory), true);
}

void FormationDriver::write(FormationMemory memory, bool is_joining) {
  is_writing_ = true;
  seams_.log.post([this, memory = std::move(memory), is_joining] {
    const base::Status status = superblock_.remember(memory, state_directory_);
    seams_.consensus.post([this, status, is_joining] { on_written(status, is_joining); });
  });
}

void FormationDriver::on_written(const base::Status& status, bool is_joining) {
  if (is_over_) return;
  is_writing_ = false;
  if (!status.ok()) return refuse(status.to_string());
  if (!is_joining) {
    formation_.persisted();
    if (formation_.state() != Formation::State::kFormed) return pump();
    pump();
  }
  is_over_ = true;
  base::log_info("consensus",
                 is_joining ? "the group has taken this replica in" : "the group is formed");
  events_.on_formed();
}

void FormationDriver::refuse(const std::string& reason) {
  if (std::exchange(is_over_, true)) return;
  events_.on_refused(reason);
}

}  // namespace synod::router
