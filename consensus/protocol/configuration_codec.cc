// SPDX-License-Identifier: Apache-2.0
#include "consensus/protocol/configuration_codec.h"

#include <set>
#include <utility>

#include "base/codec.h"

namespace synod::consensus {
namespace {

using base::Result;
using base::Status;
using base::StatusCode;

constexpr std::uint8_t kVersion = 1;
constexpr Instant kGuardMin = base::Millis(1);
constexpr Instant kGuardMax = base::Millis(3'600'000);

// The same values as plain integers: what the archives know.
struct FlatMember {
  std::uint32_t id = 0;
  std::uint64_t incarnation = 0;
  template <class Archive>
  void serialize(Archive& ar) {
    ar(id, incarnation);
  }
};
using FlatMembers = std::vector<FlatMember>;

struct FlatNext {
  std::uint8_t version = kVersion;
  FlatMembers voters;
  std::uint32_t first_leader = 0;
  std::int64_t guard_ns = 0;
  template <class Archive>
  void serialize(Archive& ar) {
    ar(version, voters, first_leader, guard_ns);
  }
};

struct FlatLearnerChange {
  std::uint8_t version = kVersion;
  FlatMember member;
  bool is_added = false;
  template <class Archive>
  void serialize(Archive& ar) {
    ar(version, member, is_added);
  }
};

struct FlatConfiguration {
  std::uint32_t id = 0;
  FlatMembers voters;
  FlatMembers learners;
  std::uint64_t first = 0;
  std::int64_t guard_ns = 0;
  std::uint32_t first_leader = 0;
  template <class Archive>
  void serialize(Archive& ar) {
    ar(id, voters, learners, first, guard_ns, first_leader);
  }
};

struct FlatChain {
  std::uint8_t version = kVersion;
  std::vector<FlatConfiguration> configurations;
  std::uint64_t as_of = 0;
  template <class Archive>
  void serialize(Archive& ar) {
    ar(version, configurations, as_of);
  }
};

FlatMember flat(const Member& member) { return {member.id.value(), member.incarnation.value()}; }

FlatMembers flat(const std::vector<Member>& members) {
  FlatMembers out;
  for (const Member& member : members) out.push_back(flat(member));
  return out;
}

Member rich(const FlatMember& member) {
  return Member{ReplicaId(member.id), Incarnation(member.incarnation)};
}

std::vector<Member> rich(const FlatMembers& members) {
  std::vector<Member> out;
  for (const FlatMember& member : members) out.push_back(rich(member));
  return out;
}

Status corrupt(const char* what) { return Status(StatusCode::kCorruption, what); }

Status check_voters(const std::vector<Member>& voters, ReplicaId first_leader, Instant guard) {
  std::set<ReplicaId> ids;
  for (const Member& voter : voters) ids.insert(voter.id);
  if (ids.empty() || ids.size() != voters.size() || ids.contains(ReplicaId())) {
    return corrupt("a configuration without voters, or with one twice");
  }
  if (first_leader != ReplicaId() && !ids.contains(first_leader)) {
    return corrupt("the first leader is no voter");
  }
  if (guard < kGuardMin || guard > kGuardMax) return corrupt("a guard outside 1 ms to 1 h");
  return Status();
}

template <class Flat>
Result<Flat> decode_flat(base::BytesView bytes) {
  SYNOD_ASSIGN_OR_RETURN(Flat value, base::decode<Flat>(bytes));
  if (value.version != kVersion) return corrupt("a configuration record of another version");
  return value;
}

}  // namespace

Status check_next(const NextConfiguration& next) {
  return check_voters(next.voters, next.first_leader, next.guard);
}

base::Bytes encode_next(const NextConfiguration& next) {
  return base::encode(
      FlatNext{kVersion, flat(next.voters), next.first_leader.value(), next.guard.count()});
}

Result<NextConfiguration> decode_next(base::BytesView bytes) {
  SYNOD_ASSIGN_OR_RETURN(const FlatNext flat_next, decode_flat<FlatNext>(bytes));
  NextConfiguration next{rich(flat_next.voters), ReplicaId(flat_next.first_leader),
                         Instant(flat_next.guard_ns)};
  SYNOD_RETURN_IF_ERROR(check_next(next));
  return next;
}

base::Bytes encode_learner_change(const LearnerChange& change) {
  return base::encode(FlatLearnerChange{kVersion, flat(change.member), change.is_added});
}

Result<LearnerChange> decode_learner_change(base::BytesView bytes) {
  SYNOD_ASSIGN_OR_RETURN(const FlatLearnerChange change, decode_flat<FlatLearnerChange>(bytes));
  if (change.member.id == 0) return corrupt("replica ids begin at 1");
  return LearnerChange{rich(change.member), change.is_added};
}

base::Bytes encode_chain(const Chain& chain) {
  FlatChain out;
  for (const Configuration& each : chain.configurations) {
    out.configurations.push_back({each.id.value(), flat(each.voters), flat(each.learners),
                                  each.first.value(), each.guard.count(),
                                  each.first_leader.value()});
  }
  out.as_of = chain.as_of.value();
  return base::encode(out);
}

Result<Chain> decode_chain(base::BytesView bytes) {
  SYNOD_ASSIGN_OR_RETURN(const FlatChain in, decode_flat<FlatChain>(bytes));
  Chain chain;
  for (const FlatConfiguration& each : in.configurations) {
    Configuration next{ConfigId(each.id), rich(each.voters),      rich(each.learners),
                       Slot(each.first),  Instant(each.guard_ns), ReplicaId(each.first_leader)};
    SYNOD_RETURN_IF_ERROR(check_voters(next.voters, next.first_leader, next.guard));
    const bool is_first = chain.configurations.empty();
    if (!is_first && (next.id <= chain.current().id || next.first <= chain.current().first)) {
      return corrupt("configurations do not follow each other");
    }
    chain.configurations.push_back(std::move(next));
  }
  if (chain.configurations.empty()) return corrupt("a chain without configurations");
  chain.as_of = Slot(in.as_of);
  return chain;
}

}  // namespace synod::consensus
