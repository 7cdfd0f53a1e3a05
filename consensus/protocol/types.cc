// SPDX-License-Identifier: Apache-2.0
#include "consensus/protocol/types.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "base/assert.h"
#include "base/crc32c.h"

namespace synod::consensus {
namespace {

std::uint32_t checksum(EntryKind kind, base::BytesView command) {
  const char head = static_cast<char>(kind);
  return base::crc32c(command, base::crc32c(base::BytesView(&head, 1)));
}

}  // namespace

Entry make_entry(const Ballot& origin, EntryKind kind, base::Bytes command) {
  SYNOD_ASSERT(origin.owner != ReplicaId(),
               "P1: a value is proposed in a ballot that has an owner");
  const std::uint32_t crc = checksum(kind, command);
  return Entry{origin, kind, std::make_shared<const base::Bytes>(std::move(command)), crc};
}

bool is_intact(const Entry& entry) {
  return entry.command != nullptr && entry.crc == checksum(entry.kind, *entry.command);
}

bool Configuration::is_voter(const Member& member) const {
  return std::find(voters.begin(), voters.end(), member) != voters.end();
}

bool Configuration::is_voter(ReplicaId replica) const {
  return std::any_of(voters.begin(), voters.end(),
                     [replica](const Member& voter) { return voter.id == replica; });
}

bool Configuration::is_member(const Member& member) const {
  return is_voter(member) || std::find(learners.begin(), learners.end(), member) != learners.end();
}

const Configuration& Chain::governing(Slot slot) const {
  SYNOD_ASSERT(!configurations.empty(), "C1: a group has a configuration");
  auto governs = configurations.rbegin();
  while (governs->first > slot && std::next(governs) != configurations.rend()) ++governs;
  return *governs;
}

bool Chain::knows(const Member& member) const {
  return std::any_of(configurations.begin(), configurations.end(),
                     [&](const Configuration& each) { return each.is_member(member); });
}

std::string to_string(const Ballot& ballot) {
  return std::to_string(ballot.config.value()) + "." + std::to_string(ballot.round.value()) + "." +
         std::to_string(ballot.owner.value());
}

std::string_view entry_kind_name(EntryKind kind) {
  switch (kind) {
    case EntryKind::kCommand:
      return "command";
    case EntryKind::kBarrier:
      return "barrier";
    case EntryKind::kFill:
      return "fill";
    case EntryKind::kStopSign:
      return "stop-sign";
    case EntryKind::kLearner:
      return "learner";
  }
  SYNOD_ASSERT(false, "an entry kind without a name");
  return "";
}

}  // namespace synod::consensus
