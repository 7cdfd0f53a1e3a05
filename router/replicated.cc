// SPDX-License-Identifier: Apache-2.0
#include "router/replicated.h"

#include <algorithm>
#include <utility>

#include "base/assert.h"
#include "base/logging.h"
#include "base/text.h"
#include "router/admin_calls.h"
#include "router/apply_gate.h"
#include "router/consensus_router.h"
#include "router/formation_driver.h"
#include "router/group_admin.h"
#include "router/peer_link.h"
#include "router/replicated_state_machine.h"

// A replica from its directory to its place in the group. What operators ask is in
// replicated_admin.cc.
namespace synod::router {

using base::concat;
using base::Status;
using base::StatusCode;
using consensus::Chain;
using consensus::Replica;
using consensus::ReplicaId;

namespace {

constexpr const char* kFirstImage = "db";
constexpr base::Nanos kComplaintEvery = std::chrono::seconds(1);
/// That the log is large makes the backend flush each time it is said.
constexpr base::Nanos kSaidAgainAfter = std::chrono::seconds(1);
constexpr base::Nanos kForgetEvery = std::chrono::seconds(1);
constexpr base::Nanos kForgetAfter = std::chrono::seconds(10);
constexpr const char* kLostMemory =
    "this replica has lost its memory and must not speak under its old name: move the directory "
    "away, start this node with an empty one, and replace it at the leader by itself "
    "(member replace NODE NODE)";

/// The chain that the state of slot 0 knows. Learners of the first configuration came by entries;
/// those of a later one it began with.
Chain first_of(const Chain& chain) {
  consensus::Configuration first = chain.configurations.front();
  if (first.id == consensus::ConfigId(1)) first.learners.clear();
  const consensus::Slot as_of = consensus::before(first.first);
  return Chain{{std::move(first)}, as_of};
}

/// Until there is a group. Nothing is executed under it.
Chain chain_of_nobody(ReplicaId self) {
  consensus::Configuration nobody;
  nobody.id = consensus::ConfigId(1);
  nobody.voters = {consensus::Member{self, consensus::Incarnation(1)}};
  nobody.first = consensus::Slot(1);
  return Chain{{std::move(nobody)}, consensus::kNoSlot};
}

std::vector<ReplicaId> ids_of(const std::vector<std::uint32_t>& members) {
  std::vector<ReplicaId> ids;
  for (const std::uint32_t member : members) ids.emplace_back(member);
  std::sort(ids.begin(), ids.end());
  return ids;
}

Status check_options(const ReplicatedOptions& options) {
  const std::vector<ReplicaId> ids = ids_of(options.members);
  const ReplicaId self(static_cast<std::uint32_t>(options.node.node_id));
  const bool is_twice = std::adjacent_find(ids.begin(), ids.end()) != ids.end();
  const bool has_self = std::binary_search(ids.begin(), ids.end(), self);
  if (options.node.node_id > 0 && has_self && !is_twice && ids.front() != ReplicaId()) return {};
  return {StatusCode::kInvalidArgument,
          concat("the members of the group are ", list_of(ids), "; this is node ",
                 options.node.node_id, ": each node counts from 1, once, this one among them")};
}

}  // namespace

Replicated::Replicated(ReplicatedSeams seams, ReplicatedOptions options)
    : seams_(std::move(seams)),
      options_(std::move(options)),
      self_(static_cast<std::uint32_t>(options_.node.node_id)),
      calls_(std::make_unique<AdminCalls>()),
      view_(std::make_unique<GroupView>()) {}

Replicated::~Replicated() = default;

base::Result<std::unique_ptr<Replicated>> Replicated::open(ReplicatedSeams seams,
                                                           ReplicatedOptions options) {
  SYNOD_RETURN_IF_ERROR(check_options(options));
  std::unique_ptr<Replicated> store(new Replicated(std::move(seams), std::move(options)));
  SYNOD_RETURN_IF_ERROR(store->recover());
  return store;
}

Status Replicated::recover() {
  SYNOD_ASSIGN_OR_RETURN(
      auto directory,
      storage::DataDirectory::open(seams_.files, options_.directory,
                                   storage::DirectoryNodeId(self_.value()), seams_.random.fork(),
                                   seams_.consensus.clock(), storage::DirectoryUse::kReplica));
  data_directory_ = std::make_unique<storage::DataDirectory>(std::move(directory));
  SYNOD_RETURN_IF_ERROR(open_superblock());
  const consensus::Superblock& disk = superblock_->current();
  const bool is_formed = disk.formation == consensus::DiskState::kFormed;
  StateMachineOptions state;
  state.directory = options_.directory;
  state.active = is_formed ? disk.state_directory : kFirstImage;
  // Of a blank disk it is known later; of a log that was cut it is in the image.
  if (!is_formed) state.first_chain = chain_of_nobody(self_);
  if (is_formed && disk.base == consensus::kNoSlot) state.first_chain = first_of(disk.chain);
  state.backlog_bytes_max = options_.backlog_bytes_max;
  state.disk_reserve_bytes = options_.disk_reserve_bytes;
  state.observer = options_.commits;
  state.database = options_.database;
  state.persistence = options_.persistence;
  SYNOD_ASSIGN_OR_RETURN(machine_, ReplicatedStateMachine::open(
                                       {seams_.files, seams_.apply, seams_.persistence,
                                        seams_.storage, seams_.random.fork(), seams_.open_backend},
                                       std::move(state)));
  gate_ = std::make_unique<ApplyGate>(*machine_);
  router_ =
      std::make_unique<ConsensusRouter>(options_, seams_.consensus, seams_.apply, seams_.transport,
                                        *machine_, seams_.random.fork(), seams_.cold_reads);
  machine_->set_listener(*router_);
  link_ = std::make_unique<PeerLink>(
      seams_.transport, self_, seams_.consensus.clock(),
      [this](consensus::Envelope envelope) { take_envelope(std::move(envelope)); });
  seams_.transport.on_frame(
      net::PeerClass::kForward,
      [this](net::PeerId from, const base::Bytes& frame) { router_->on_peer_frame(from, frame); });
  seams_.transport.on_connected(net::PeerClass::kForward,
                                [this](net::PeerId peer) { router_->on_peer_connected(peer); });
  if (!is_formed) {
    prepare_forming();
    return {};
  }
  found_state();
  SYNOD_RETURN_IF_ERROR(join_group());
  attach_router();
  return {};
}

/// A directory that has a superblock, or nothing that one would speak of.
Status Replicated::check_memory() const {
  const std::string& path = options_.directory;
  storage::FileSystem& files = seams_.files;
  if (files.exists(path + "/superblock.a") || files.exists(path + "/superblock.b")) return {};
  SYNOD_ASSIGN_OR_RETURN(const auto names, files.list(path));
  for (const std::string& name : names) {
    const bool is_own =
        name == "IDENTITY" || name == "LOCK" || name == "lost+found" || name.ends_with(".new");
    if (is_own) continue;
    return {StatusCode::kCorruption, concat(path, "/superblock.a: missing, but the directory ",
                                            "holds ", name, ": ", kLostMemory)};
  }
  return {};
}

Status Replicated::open_superblock() {
  SYNOD_RETURN_IF_ERROR(check_memory());
  auto opened = consensus::SuperblockStore::open(
      seams_.files, options_.directory, {self_, std::nullopt, std::nullopt}, seams_.random.fork());
  if (!opened.ok()) {
    const Status status = opened.status();
    if (status.code() != StatusCode::kCorruption) return status;
    return {status.code(), concat(status.message(), "; ", kLostMemory)};
  }
  superblock_ = std::move(*opened);
  return {};
}

void Replicated::prepare_forming() {
  consensus::FormationOptions options;
  options.self = self_;
  options.process = consensus::ProcessId(seams_.random.next() | 1U);
  options.members = ids_of(options_.members);
  options.guard = options_.runtime.replica.timing.election_min;
  options.first_leader = ReplicaId(options_.first_leader);
  forming_ = std::make_unique<FormationDriver>(
      FormationSeams{seams_.consensus, seams_.log, seams_.transport}, options, *superblock_,
      kFirstImage, seams_.random.fork(), options_.tick_interval,
      FormationEvents{[this] { on_formed(); },
                      [this](const std::string& reason) { fail(reason); }});
}

/// Transport's dispatcher.
void Replicated::take_envelope(consensus::Envelope envelope) {
  if (auto* runtime = live_.load()) return runtime->receive(std::move(envelope));
  if (!std::holds_alternative<consensus::Introduction>(envelope.message)) return;
  seams_.consensus.post([this, envelope = std::move(envelope)] {
    if (is_stopped_) return;
    if (forming_) {
      forming_->step(envelope);
    } else if (runtime_) {
      runtime_->receive(envelope);
    }
  });
}

/// The tables belong to the apply strand, the replica to the consensus strand: from one to the
/// other and back. Nothing is executed before the last step.
void Replicated::on_formed() {
  seams_.apply.post([this] {
    found_state();
    seams_.consensus.post([this] {
      if (is_stopped_) return;
      if (const Status status = join_group(); !status.ok()) return fail(status.to_string());
      forming_.reset();
      seams_.apply.post([this] {
        attach_router();
        seams_.consensus.post([this] {
          if (!is_stopped_) runtime_->start();
        });
      });
    });
  });
}

/// Apply strand, or before it runs; the superblock is formed and nobody writes it.
void Replicated::found_state() {
  if (machine_->label().applied != consensus::kNoSlot) return;
  machine_->found(first_of(superblock_->current().chain));
}

/// Apply strand, or before it runs.
void Replicated::attach_router() {
  router_->attach(*runtime_, consensus::ClusterId(cluster_.load()), machine_->label());
}

consensus::RuntimeOptions Replicated::runtime_options() const {
  const consensus::Superblock& disk = superblock_->current();
  consensus::RuntimeOptions options = options_.runtime;
  options.replica.self = consensus::Member{self_, disk.incarnation};
  options.replica.cluster = disk.cluster;
  options.replica.reads_by_lease = options_.read_mode == ReadMode::kLease;
  return options;
}

Status Replicated::join_group() {
  const consensus::RuntimeOptions options = runtime_options();
  SYNOD_ASSIGN_OR_RETURN(
      auto opened,
      consensus::PaxosLog::open(seams_.files, options_.directory, std::move(superblock_),
                                options_.log, seams_.random.fork(), machine_->durable_applied()));
  for (const storage::LogDamage& damage : opened.damages) {
    base::log_error("log", concat(damage.file, ": damaged at offset ", damage.offset, ": ",
                                  damage.reason, "; what it held comes from the other replicas"));
  }
  opened.state.fence = machine_->label().fence;
  log_ = std::move(opened.log);
  SYNOD_RETURN_IF_ERROR(consensus::check_membership(options.replica.self, opened.state)
                            .with_context("this directory is of no use to the group any more"));
  log_bytes_ = log_->disk_bytes();  // Until it is looked at again.
  cluster_ = options.replica.cluster.value();
  link_->admit(options.replica.cluster);
  runtime_ = std::make_unique<consensus::ReplicaRuntime>(
      consensus::RuntimeSeams{seams_.consensus, seams_.log, seams_.apply, seams_.persistence,
                              *link_, *gate_, *log_, *this,
                              [this](const Status& status) { fail(status.to_string()); }},
      options, opened.state, seams_.random.fork());
  group_admin_ =
      std::make_unique<GroupAdmin>(seams_.consensus, *runtime_, *link_, self_, GroupAdminOptions());
  if (seams_.on_cluster) seams_.on_cluster(options.replica.cluster.value());
  live_log_ = log_.get();
  live_ = runtime_.get();
  return {};
}

void Replicated::fail(const std::string& reason) {
  if (!has_failed_.exchange(true)) seams_.fatal(reason);
}

Status Replicated::start() {
  router_->start();
  if (forming_) {
    seams_.consensus.post([this] {
      if (forming_ && !is_stopped_) forming_->start();
    });
  } else {
    runtime_->start();
  }
  seams_.persistence.post([this] { watch_space(); });
  return {};
}

void Replicated::watch_space() {
  if (is_stopped_) return;
  RequestGate& gate = router_->gate();
  gate.set_compaction_pending(machine_->image()->backend->stats().compaction_pending_bytes);
  const auto space = seams_.files.space(options_.directory);
  if (space.ok()) {
    gate.set_no_space(space->free_bytes <
                      disk_reserve(options_.disk_reserve_bytes, space->total_bytes));
  } else {
    base::log_warning("storage", "free space is unknown: " + space.status().to_string());
  }
  if (const auto* log = live_log_.load()) watch_log(*log);
  seams_.persistence.run_after(options_.space_interval, [this] { watch_space(); });
}

/// Beyond half of what the log may take on disk, or all it may take in memory, it is cut before it
/// is time.
void Replicated::watch_log(const consensus::PaxosLog& log) {
  const std::uint64_t bytes = log.disk_bytes();
  log_bytes_ = bytes;
  router_->set_log_bytes(bytes);
  const std::uint64_t memory_max = options_.log_memory_bytes_max;
  // Without this a follower whose snapshot takes longer than the log to fill would never catch up.
  constexpr std::uint64_t kCatchingUp = 4;
  using consensus::LogSize;
  LogSize size = LogSize::kNormal;
  if (memory_max != 0 && log_memory_.bytes() > memory_max) size = LogSize::kLarge;
  if (memory_max != 0 && log_memory_.bytes() / kCatchingUp > memory_max) size = LogSize::kExcessive;
  if (bytes > options_.log_bytes_max / 2) size = LogSize::kExcessive;
  const base::Nanos now = seams_.persistence.clock().boot_time();
  const bool is_same = size == log_size_;
  if (is_same && size == LogSize::kNormal) return;
  if (is_same && size == LogSize::kLarge && now - log_size_said_at_ < kSaidAgainAfter) return;
  live_.load()->note_log_size(size);
  log_size_ = size;
  log_size_said_at_ = now;
}

void Replicated::on_durable(const consensus::Persist& frame) {
  if (options_.observer != nullptr) options_.observer->on_durable(frame);
}

void Replicated::on_installed(const consensus::SnapshotManifest& label) {
  if (options_.observer != nullptr) options_.observer->on_installed(label);
}

void Replicated::on_batch(const Replica& replica, const consensus::Output& output,
                          std::size_t inputs) {
  if (options_.observer != nullptr) options_.observer->on_batch(replica, output, inputs);
  note_members(replica);
  note_retirement(replica);
  if (options_.log_memory_bytes_max != 0) log_memory_.note(replica.acceptor().log());
  const GroupView now{replica.acceptor().promised(), replica.leader(), replica.is_established()};
  const bool is_same =
      now.promised == view_->promised && now.leader == view_->leader && now.leads == view_->leads;
  if (is_same) return;
  *view_ = now;
  router_->on_group(now);
}

void Replicated::note_retirement(const Replica& replica) {
  if (is_retired_ || !replica.is_retired()) return;
  is_retired_ = true;
  base::log_warning("consensus",
                    "this node was removed from its group, which goes on without it: stop it; its "
                    "directory is of no use to the group any more");
}

void Replicated::note_members(const Replica& replica) {
  const consensus::Configuration& now = replica.configuration();
  if (now.id != members_of_ || replica.chain().as_of != members_as_of_) {
    members_of_ = now.id;
    members_as_of_ = replica.chain().as_of;
    for (const consensus::Member& each : now.voters) known_.insert(each.id);
    for (const consensus::Member& each : now.learners) known_.insert(each.id);
    for (const consensus::Configuration& older : replica.chain().configurations) {
      for (const consensus::Member& each : older.voters) known_.insert(each.id);
    }
    former_ = known_;
    for (const consensus::Member& each : now.voters) former_.erase(each.id);
    for (const consensus::Member& each : now.learners) former_.erase(each.id);
  }
  const base::Nanos time = seams_.consensus.clock().boot_time();
  if (former_.empty() || time < next_forget_) return;
  next_forget_ = time + kForgetEvery;
  forget_former(time);
}

/// RE4. One that lives, to learn that it was removed or to come back with a new disk, is heard.
void Replicated::forget_former(base::Nanos now) {
  for (const net::PeerView& peer : seams_.transport.views()) {
    const bool is_former = former_.contains(ReplicaId(peer.id.value()));
    if (!is_former || now < peer.last_heard + kForgetAfter) continue;
    base::log_info("consensus",
                   concat("node ", peer.id.value(),
                          " is no longer a member and is silent: not dialed any more"));
    seams_.transport.forget_peer(peer.id);
  }
}

void Replicated::on_complaint(std::string_view line) {
  if (options_.observer != nullptr) options_.observer->on_complaint(line);
  const base::Nanos now = seams_.consensus.clock().boot_time();
  if (complained_at_ && now - *complained_at_ < kComplaintEvery) return;
  complained_at_ = now;
  base::log_warning("consensus", line);
}

RequestRouter& Replicated::router() { return *router_; }

void Replicated::interrupt() { machine_->interrupt(); }

void Replicated::set_endpoint(std::string endpoint) { router_->set_endpoint(std::move(endpoint)); }

void Replicated::stop(base::Function<void()> done) {
  seams_.consensus.post([this, done = std::move(done)]() mutable {
    is_stopped_ = true;
    router_->close();
    calls_->end_all();
    if (forming_) forming_->stop();
    if (!runtime_) return done();
    runtime_->stop(std::move(done));
  });
}

Status Replicated::close() {
  is_stopped_ = true;
  router_->close();
  calls_->end_all();
  const Status closed = machine_->close();
  // The log holds everything: the next start executes it again.
  if (!closed.ok()) base::log_warning("persistence", "final flush: " + closed.to_string());
  return {};
}

}  // namespace synod::router
