// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <map>
#include <utility>

#include "base/text.h"
#include "router/admin_calls.h"
#include "router/apply_gate.h"
#include "router/consensus_router.h"
#include "router/formation_driver.h"
#include "router/group_admin.h"
#include "router/peer_link.h"
#include "router/replicated.h"
#include "router/replicated_state_machine.h"

// What an operator may ask of a replica.
namespace synod::router {

using base::concat;
using base::Result;
using base::Status;
using base::StatusCode;
using consensus::Member;
using consensus::Replica;
using consensus::ReplicaId;

namespace {

constexpr base::Nanos kCandidateFor = std::chrono::seconds(10);

Status stopping() { return {StatusCode::kClosed, "this node is stopping"}; }
Status not_formed() {
  return {StatusCode::kUnavailable, "this node is not yet a member of a formed group"};
}

bool is_safe_name(std::string_view name) {
  const auto allowed = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '_' || c == '-';
  };
  return !name.empty() && name.size() <= 64 && name.front() != '.' &&
         std::all_of(name.begin(), name.end(), allowed);
}

std::string role_of(const Replica& replica, ReplicaId self) {
  const consensus::Configuration& now = replica.configuration();
  if (!now.is_voter(self)) {
    const bool learns = std::any_of(now.learners.begin(), now.learners.end(),
                                    [self](const Member& each) { return each.id == self; });
    return learns ? "learner" : "removed";
  }
  if (replica.is_established()) return "leader";
  return replica.role() == consensus::Role::kFollower ? "follower" : "candidate";
}

std::string hex(std::uint64_t value) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string text(16, '0');
  for (std::size_t i = 0; i < 16; ++i) text[15 - i] = kDigits[(value >> (4 * i)) & 0xf];
  return text;
}

}  // namespace

void Replicated::with_group(base::Function<void(GroupAdmin&)> work,
                            base::Function<void()> otherwise) {
  seams_.consensus.post([this, work = std::move(work), otherwise = std::move(otherwise)]() mutable {
    if (group_admin_ && !is_stopped_) return work(*group_admin_);
    otherwise();
  });
}

// ---- status

void Replicated::status(base::Function<void(StoreStatus)> done) {
  auto answer = calls_->track<StoreStatus>(std::move(done), StoreStatus());
  seams_.consensus.post([this, answer = std::move(answer)]() mutable {
    auto go_on = [this, answer = std::move(answer)](const Replica* replica) mutable {
      StoreStatus status;
      add_group(replica, status);
      seams_.apply.post([this, status = std::move(status), answer = std::move(answer)]() mutable {
        add_tables(status);
        answer(std::move(status));
      });
    };
    if (!runtime_) return go_on(nullptr);
    runtime_->inspect(std::move(go_on));
  });
}

void Replicated::add_group(const Replica* replica, StoreStatus& status) const {
  GroupStatus group;
  group.node_id = self_.value();
  if (const std::uint64_t cluster = cluster_.load(); cluster != 0) status.cluster_id = hex(cluster);
  if (replica != nullptr) {
    const auto& acceptor = replica->acceptor();
    const auto leader = replica->leader();
    group.role = role_of(*replica, self_);
    group.has_leader = replica->is_established() || (leader && *leader != self_);
    if (group.has_leader) {
      group.leader_id = replica->is_established() ? self_.value() : leader->value();
    }
    group.ballot = consensus::to_string(acceptor.promised());
    group.term = acceptor.promised().round.value();
    group.config_id = replica->configuration().id.value();
    group.commit_index = acceptor.commit().value();
    group.applied_index = replica->learner().applied().value();
    group.log_base = acceptor.log().base().value();
    group.log_last = acceptor.log().last().value();
    group.is_caught_up = group.has_leader && group.applied_index >= group.commit_index;
    add_members(*replica, group);
  } else if (forming_) {
    group.role = forming_->role();
    group.problem = forming_->problem();
  } else {
    group.role = "stopping";
  }
  add_candidates(group);
  for (const net::PeerView& peer : seams_.transport.views()) {
    for (MemberView& member : group.members) {
      if (member.node_id == peer.id.value()) member.peer_endpoint = peer.endpoint;
    }
  }
  status.group = std::move(group);
}

void Replicated::add_members(const Replica& replica, GroupStatus& group) const {
  const consensus::Configuration& now = replica.configuration();
  const auto add = [&](const Member& member, bool is_voter) {
    MemberView view;
    view.node_id = member.id.value();
    view.incarnation = member.incarnation.value();
    view.is_voter = is_voter;
    view.is_self = member.id == self_;
    view.is_leader = group.has_leader && group.leader_id == member.id.value();
    const std::uint64_t last = replica.acceptor().through().value();
    if (const auto match = replica.match(member.id)) {
      view.lag_slots = last - std::min(last, match->value());
    } else if (view.is_self && replica.is_established()) {
      view.lag_slots = 0;
    }
    group.members.push_back(std::move(view));
  };
  for (const Member& voter : now.voters) add(voter, true);
  for (const Member& learner : now.learners) add(learner, false);
}

/// Blank disks that introduced themselves, this one too. A member's number with another disk is
/// one.
void Replicated::add_candidates(GroupStatus& group) const {
  auto candidates = link_->candidates(kCandidateFor);
  if (forming_) {
    const Member self = forming_->self();
    candidates[self.id] = {self.incarnation, base::Nanos(0)};
  }
  for (const auto& [id, candidate] : candidates) {
    const bool is_member =
        std::any_of(group.members.begin(), group.members.end(), [&](const MemberView& member) {
          return member.node_id == id.value() &&
                 member.incarnation == candidate.incarnation.value();
        });
    if (is_member) continue;
    MemberView view;
    view.node_id = id.value();
    view.incarnation = candidate.incarnation.value();
    view.is_self = id == self_;
    view.is_candidate = true;
    group.members.push_back(std::move(view));
  }
}

/// Apply strand.
void Replicated::add_tables(StoreStatus& status) {
  const ReplicaImage& image = machine_->current();
  core::TransactionalKvDatabase& database = *image.database;
  status.backend = image.backend->name();
  status.durability = Durability::kSync;
  status.newest_version = database.state().newest_version();
  status.conflict_floor = database.state().conflict_floor();
  status.snapshot_floor = database.snapshot_floor();
  status.applied_index = database.applied_index();
  status.written_index = image.persistence->written_index();
  status.durable_index = image.persistence->durable_index();
  status.state_hash = database.hash();
  status.keys = database.key_count();
  status.live_bytes = database.live_bytes();
  status.memory_bytes = database.memory_bytes();
  status.memory = database.memory_status();
  status.waits = router_->storage_waits();
  status.log_bytes = log_bytes_.load();
  status.pending = static_cast<std::size_t>(std::max<std::int64_t>(0, router_->counters().pending));
}

// ---- verify

void Replicated::verify(bool deep, base::Function<void(VerifyReport)> done) {
  VerifyReport at_end;
  at_end.status = stopping();
  auto answer = calls_->track<VerifyReport>(std::move(done), std::move(at_end));
  verify_tables(deep, [this, deep, answer = std::move(answer)](const Status& status) mutable {
    VerifyReport report;
    report.status = status;
    report.state_hash = machine_->current().database->hash();
    report.lines.push_back(
        concat("node ", self_.value(), ": tables", deep ? " and backend" : "", " at slot ",
               machine_->current().database->applied_index().value(), ": ", status.to_string()));
    compare_replicas(std::move(report), std::move(answer));
  });
}

/// `done` runs on the apply strand.
void Replicated::verify_tables(bool deep, base::Function<void(Status)> done) {
  seams_.apply.post([this, deep, done = std::move(done)]() mutable {
    const Status tables = machine_->current().database->verify_tables();
    // Before the first slot there are no rows but the label's, which is written with that slot.
    const bool is_new = machine_->current().database->applied_index() == core::LogIndex(0);
    if (!tables.ok() || !deep || is_new) return done(tables);
    // The tables stand still while the backend catches up and is compared.
    gate_->pause([this, done = std::move(done)]() mutable {
      seams_.persistence.post([this, done = std::move(done)]() mutable {
        const Status drained = machine_->image()->persistence->drain_now(false);
        seams_.apply.post([this, drained, done = std::move(done)]() mutable {
          const ReplicaImage& image = machine_->current();
          done(drained.ok() ? image.database->verify_backend(*image.backend) : drained);
          gate_->resume();
        });
      });
    });
  });
}

void Replicated::compare_replicas(VerifyReport report, base::Function<void(VerifyReport)> done) {
  if (live_.load() == nullptr) {
    report.lines.emplace_back("the other replicas: not compared, the group is not formed");
    return done(std::move(report));
  }
  router_->compare_hashes([this, report = std::move(report), done = std::move(done)](
                              std::vector<ConsensusRouter::HashReport> hashes) mutable {
    std::map<std::string, std::size_t> votes;
    for (const auto& each : hashes) ++votes[each.hash.to_string()];
    const auto most =
        std::max_element(votes.begin(), votes.end(),
                         [](const auto& a, const auto& b) { return a.second < b.second; });
    std::string differing;
    for (const auto& each : hashes) {
      const std::string hash = each.hash.to_string();
      report.lines.push_back(concat("node ", each.node_id, ": ", hash, " at slot ", each.slot));
      if (hash != most->first) differing += concat(differing.empty() ? "" : ", ", each.node_id);
    }
    if (hashes.empty()) {
      report.lines.emplace_back("the other replicas: not compared, nothing could be decided");
      if (report.status.ok()) {
        report.status = {StatusCode::kUnavailable, "no majority answers: replicas not compared"};
      }
    }
    for (const std::uint32_t member : options_.members) {
      const bool has_answered = std::any_of(
          hashes.begin(), hashes.end(), [&](const auto& each) { return each.node_id == member; });
      if (!has_answered && !hashes.empty()) {
        report.lines.push_back(concat("node ", member, ": did not answer, not compared"));
      }
    }
    if (!differing.empty()) {
      const bool has_majority = 2 * most->second > hashes.size();
      report.status = {StatusCode::kCorruption,
                       has_majority
                           ? concat("node ", differing, " differs from the majority")
                           : concat("the replicas differ, and no state has a majority: node ",
                                    differing, " from ", most->first)};
    }
    done(std::move(report));
  });
}

// ---- storage

void Replicated::flush(base::Function<void(Result<core::LogIndex>)> done) {
  auto answer = calls_->track<Result<core::LogIndex>>(std::move(done), stopping());
  auto image = machine_->image();
  core::Persistence& persistence = *image->persistence;
  persistence.request_flush(
      [image = std::move(image), answer = std::move(answer)](const Status& status) mutable {
        if (!status.ok()) return answer(status);
        answer(image->persistence->durable_index());
      });
}

void Replicated::compact(base::Function<void(Status)> done) {
  auto answer = calls_->track<Status>(std::move(done), stopping());
  seams_.persistence.post([this, answer = std::move(answer)]() mutable {
    auto image = machine_->image();
    if (const Status drained = image->persistence->drain_now(true); !drained.ok()) {
      return answer(drained);
    }
    // It may take minutes, and snapshots are served and installed meanwhile.
    seams_.compaction.post([image = std::move(image), answer = std::move(answer)]() mutable {
      answer(image->backend->compact());
    });
  });
}

void Replicated::backup(const std::string& name, base::Function<void(Result<std::string>)> done) {
  auto answer = calls_->track<Result<std::string>>(std::move(done), stopping());
  if (!is_safe_name(name)) {
    return answer(Status(StatusCode::kInvalidArgument,
                         "a backup name is 1 to 64 of [A-Za-z0-9._-], not starting with a dot"));
  }
  const std::string path = options_.directory + "/backup/" + name;
  seams_.persistence.post([this, path, answer = std::move(answer)]() mutable {
    auto image = machine_->image();
    if (const Status drained = image->persistence->drain_now(false); !drained.ok()) {
      return answer(drained);
    }
    seams_.storage.post(
        [this, path, image = std::move(image), answer = std::move(answer)]() mutable {
          const Status written = write_backup(*image->backend, path);
          if (!written.ok()) return answer(written);
          answer(path);
        });
  });
}

/// A replica's memory cannot be backed up: what is saved is the data, as a store that stands alone.
Status Replicated::write_backup(storage::StorageBackend& backend, const std::string& path) {
  storage::FileSystem& files = seams_.files;
  if (files.exists(path)) return {StatusCode::kAlreadyExists, path + " exists"};
  SYNOD_RETURN_IF_ERROR(files.create_directories(path));
  SYNOD_RETURN_IF_ERROR(backend.checkpoint(path + "/db"));
  storage::DataIdentity identity = data_directory_->identity();
  identity.use = storage::DirectoryUse::kStandalone;
  // Written last: a backup without an identity is not one.
  SYNOD_RETURN_IF_ERROR(storage::replace_file(files, path, "IDENTITY",
                                              storage::DataDirectory::identity_text(identity)));
  return files.sync_directory(options_.directory + "/backup");
}

// ---- the group

void Replicated::snapshot(base::Function<void(Result<std::uint64_t>)> done) {
  auto answer = calls_->track<Result<std::uint64_t>>(std::move(done), stopping());
  auto* runtime = live_.load();
  if (runtime == nullptr) return answer(not_formed());
  runtime->take_snapshot([answer = std::move(answer)](const Result<consensus::Slot>& slot) mutable {
    if (!slot.ok()) return answer(slot.status());
    answer(slot->value());
  });
}

void Replicated::transfer_leadership(std::uint32_t to, base::Function<void(Status)> done) {
  auto answer = std::make_shared<base::Function<void(Status)>>(
      calls_->track<Status>(std::move(done), stopping()));
  with_group(
      [to, answer](GroupAdmin& group) {
        group.transfer(ReplicaId(to), [answer](const Status& status) { (*answer)(status); });
      },
      [answer] { (*answer)(not_formed()); });
}

void Replicated::change_member(MemberChange change, std::uint32_t node, std::uint32_t by,
                               base::Function<void(Status)> done) {
  auto answer = std::make_shared<base::Function<void(Status)>>(
      calls_->track<Status>(std::move(done), stopping()));
  with_group(
      [=](GroupAdmin& group) {
        group.change_member(change, ReplicaId(node), ReplicaId(by),
                            [answer](const Status& status) { (*answer)(status); });
      },
      [answer] { (*answer)(not_formed()); });
}

}  // namespace synod::router
