// SPDX-License-Identifier: Apache-2.0
#include "tests/sim/node.h"

#include <algorithm>
#include <cstdio>
#include <utility>

#include "base/text.h"
#include "consensus/wire/codec.h"
#include "storage/log/format.h"

namespace synod::sim {

using base::concat;
using base::Status;
using base::StatusCode;
using consensus::Replica;
using consensus::SuperblockStore;
using storage::SimFileSystem;

namespace {

constexpr Nanos kElectionMin = base::Millis(100);
constexpr const char* kMeta = "/meta";
constexpr const char* kRoot = "/data";
constexpr const char* kFirstState = "state-0";

storage::LogOptions log_options(const Profile& profile) {
  storage::LogOptions options;
  options.segment_bytes = profile.segment_bytes;
  options.frame_bytes_max = 1U << 20U;
  return options;
}

}  // namespace

void World::note(const std::string& line) const {
  if (!notes) return;
  std::printf("%12.6f %s\n", static_cast<double>(scheduler.now().count()) / 1e9, line.c_str());
}

SimNode::SimNode(World& world, std::size_t index)
    : world_(world),
      index_(index),
      clock_(world.scheduler),
      consensus_(world.scheduler, clock_, [this] { after_task(); }),
      log_strand_(world.scheduler, clock_, [this] { after_task(); }),
      apply_(world.scheduler, clock_, [this] { after_task(); }) {
  set_disk_latency(base::Micros(20), base::Micros(400));
  const Profile& profile = world.profile;
  if (profile.clock_spread > 0) {
    clock_.set_rate(1 + profile.clock_spread * (2 * world.scheduler.random().unit() - 1));
  }
}

SimNode::~SimNode() { end_process(); }

void SimNode::install_blank(const Member& member) {
  if (is_up()) {
    end_process();
    process_.reset();
  }
  files_ = std::make_unique<SimFileSystem>(world_.scheduler.random().fork());
  calls_seen_ = 0;
  is_formed_ = false;
  power_cut_.reset();
  is_founding_ = true;
  member_ = member;
  if (world_.places.size() <= member.id.value()) world_.places.resize(member.id.value() + 1);
  world_.places[member.id.value()] = index_;
}

void SimNode::install_disk(ReplicaId id) {
  install_blank(Member{id, {}});
  is_founding_ = false;
  auto made = SuperblockStore::open(*files_, kMeta, {id, {}, {}}, world_.scheduler.random().fork());
  if (!made.ok()) return world_.oracle.fail(made.status().to_string());
  member_.incarnation = (*made)->current().incarnation;
}

void SimNode::form(const Chain& chain, const Chain& first) {
  const auto made = [&]() -> Status {
    SYNOD_RETURN_IF_ERROR(files_->create_directories(kRoot));
    SimMachine::Context context{*files_, world_.oracle, world_.tally, member_, kRoot, 0};
    SYNOD_RETURN_IF_ERROR(SimMachine::format(context, kFirstState, {Slot(), Ballot(), first}));
    SYNOD_ASSIGN_OR_RETURN(
        const auto store,
        SuperblockStore::open(*files_, kMeta, {member_.id, {}, member_.incarnation},
                              world_.scheduler.random().fork()));
    SYNOD_RETURN_IF_ERROR(store->form(world_.cluster, chain));
    consensus::Superblock named = store->current();
    named.state_directory = kFirstState;
    return store->write(named);
  }();
  if (!made.ok()) world_.oracle.fail(made.to_string());
  is_formed_ = true;
  is_founding_ = false;
}

bool SimNode::start() {
  files_->restart();
  if (world_.profile.has(Fault::kTransitRot)) rot_staged();
  is_fatal_ = false;
  power_cut_.reset();
  if (std::exchange(fails_next_start_, false)) {
    files_->set_fail_at(files_->io_count() + 1 + world_.scheduler.random().below(40),
                        storage::FaultRepeat::kOnce);
  }
  auto process = std::make_unique<Process>();
  last_failure_ = open_process(*process);
  if (!last_failure_.ok()) return false;
  process_ = std::move(process);
  process_->runtime->start();
  world_.tally.add(Count::kRestarts);
  world_.note(concat("node ", index_, " starts as replica ", member_.id.value()));
  return true;
}

Status SimNode::open_process(Process& process) {
  base::Random& random = world_.scheduler.random();
  SYNOD_ASSIGN_OR_RETURN(
      auto store,
      SuperblockStore::open(*files_, kMeta, {member_.id, world_.cluster, member_.incarnation},
                            random.fork()));
  SimMachine::Context context{*files_,
                              world_.oracle,
                              world_.tally,
                              member_,
                              kRoot,
                              world_.profile.snapshot_filler,
                              world_.profile.has(Fault::kTransitRot) ? 0.02 : 0};
  SYNOD_ASSIGN_OR_RETURN(
      process.machine,
      SimMachine::open(std::move(context), store->current().state_directory, random.fork()));
  SYNOD_ASSIGN_OR_RETURN(
      auto opened,
      consensus::PaxosLog::open(*files_, kMeta, std::move(store), log_options(world_.profile),
                                random.fork(), process.machine->applied()));
  process.log = std::move(opened.log);
  consensus::RecoveredState& state = opened.state;
  state.fence = process.machine->label().fence;
  world_.oracle.on_recovered(member_, state);
  for (const consensus::RecoveredSlot& each : state.slots) {
    if (!each.entry) world_.tally.add(Count::kUnknownSlots);
  }
  if (state.unknown_tail) world_.tally.add(Count::kUnknownTails);
  SYNOD_RETURN_IF_ERROR(consensus::check_membership(member_, state));
  consensus::RuntimeSeams seams{consensus_,
                                log_strand_,
                                apply_,
                                log_strand_,
                                *this,
                                *process.machine,
                                *process.log,
                                *this,
                                [this](const Status& status) {
                                  last_failure_ = status;
                                  is_fatal_ = true;
                                }};
  process.runtime = std::make_unique<consensus::ReplicaRuntime>(std::move(seams), options(), state,
                                                                random.fork());
  view_ = View();
  view_.unknown = static_cast<std::size_t>(
      std::count_if(state.slots.begin(), state.slots.end(),
                    [](const auto& each) { return !each.entry.has_value(); }));
  return Status();
}

consensus::RuntimeOptions SimNode::options() const {
  const Profile& profile = world_.profile;
  consensus::RuntimeOptions options;
  options.replica.self = member_;
  options.replica.cluster = world_.cluster;
  options.replica.timing.election_min = kElectionMin;
  options.replica.timing.heartbeat = base::Millis(20);
  options.replica.timing.priority_rank = static_cast<std::uint32_t>(index_ % 3);
  options.replica.limits.message_bytes = profile.message_bytes;
  options.replica.limits.window_messages = 4;
  options.replica.limits.window_bytes = 64 << 10;
  options.replica.limits.unexecuted_bytes = 64 << 10;
  options.replica.reads_by_lease = profile.reads_by_lease;
  options.replica.snapshot_pull.chunk_bytes = 1000;
  options.replica.snapshot_pull.retry_after = base::Millis(100);
  options.replica.snapshot_pull.stuck_after = base::Millis(500);
  options.replica.snapshot_pull.patience = base::Millis(3000);
  options.state.flush_every_slots = profile.flush_every;
  options.state.snapshot_every_slots = profile.snapshot_every;
  options.tick = base::Millis(10);
  options.frame_bytes = 64 << 10;
  options.keep_slots = profile.keep_slots;
  options.outcome_patience = base::Millis(300);
  return options;
}

void SimNode::end_process() {
  consensus_.drop();
  log_strand_.drop();
  apply_.drop();
  if (!process_) return;
  // Answers that are under way die with it.
  process_.reset();
  view_ = View();
  image_ = Slot();
}

void SimNode::kill() {
  if (!is_up()) return;
  world_.note(concat("node ", index_, " is killed"));
  end_process();
  files_->kill();
  files_->restart();
  world_.on_ended(index_);
}

void SimNode::cut_power(storage::CrashPolicy policy) {
  if (!is_up()) return;
  world_.note(concat("node ", index_, " loses power"));
  end_process();
  files_->crash(policy);
  files_->restart();
  world_.on_ended(index_);
}

void SimNode::cut_power_at(std::uint64_t calls, storage::CrashPolicy policy) {
  power_cut_ = PowerCut{files_->io_count() + calls, policy};
  files_->set_fail_at(power_cut_->at, storage::FaultRepeat::kForEver);
}

/// Runs after every task of the process: what must not happen in the middle of one happens here.
void SimNode::after_task() {
  const std::uint64_t calls = files_->io_count();
  world_.tally.add(Count::kDiskCalls, calls - calls_seen_);
  calls_seen_ = calls;
  const std::uint64_t timers = consensus_.timers_fired();
  world_.tally.add(Count::kTicks, timers - timers_seen_);
  timers_seen_ = timers;
  if (power_cut_ && calls >= power_cut_->at) {
    const storage::CrashPolicy policy = power_cut_->policy;
    power_cut_.reset();
    return cut_power(policy);
  }
  if (is_pull_cut()) return kill();
  if (!is_fatal_) return;
  is_fatal_ = false;
  world_.tally.add(Count::kFatalStops);
  world_.note(concat("node ", index_, " stops: ", last_failure_.to_string()));
  kill();
}

bool SimNode::is_pull_cut() {
  if (pull_cut_ == 0 || !process_ || process_->machine->pieces_staged() < pull_cut_) return false;
  pull_cut_ = 0;
  world_.tally.add_fault(Count::kPullCuts);
  return true;
}

void SimNode::pause_until(Nanos time) {
  consensus_.hold_until(time);
  log_strand_.hold_until(time);
  apply_.hold_until(time);
}

void SimNode::hang_disk_until(Nanos time) {
  log_strand_.hold_until(time);
  if (world_.scheduler.random().chance(0.5)) apply_.hold_until(time);
}

void SimNode::set_disk_latency(Nanos low, Nanos high) {
  log_strand_.set_latency(low, std::max(low, high));
  apply_.set_latency(base::Micros(1), base::Micros(50));
}

void SimNode::fill_disk(Nanos span) {
  const auto space = files_->space("/");
  if (!space.ok()) return;
  const std::uint64_t used = space->total_bytes - space->free_bytes;
  files_->set_capacity(used + world_.scheduler.random().below(50'000));
  world_.scheduler.after(span, [this] { files_->set_capacity(UINT64_MAX); });
}

void SimNode::heal() {
  fails_next_start_ = false;
  pull_cut_ = 0;
  power_cut_.reset();
  files_->clear_faults();
  files_->set_capacity(UINT64_MAX);
  set_disk_latency(base::Micros(20), base::Micros(400));
}

std::vector<std::string> SimNode::log_files() {
  std::vector<std::string> paths;
  const std::string directory = SuperblockStore::log_directory(kMeta);
  const auto names = files_->list(directory);
  if (!names.ok()) return paths;
  for (const std::string& name : *names) paths.push_back(concat(directory, "/", name));
  return paths;
}

std::size_t SimNode::rot_log(std::size_t bytes) {
  base::Random& random = world_.scheduler.random();
  const std::vector<std::string> paths = log_files();
  std::size_t done = 0;
  for (std::size_t i = 0; i < bytes && !paths.empty(); ++i) {
    const std::string& path = paths[random.below(paths.size())];
    const auto contents = storage::read_file(*files_, path);
    if (!contents.ok() || contents->empty()) continue;
    // Where something was written: rot in empty space proves nothing.
    const std::size_t end = contents->find_last_not_of('\0');
    if (end == base::Bytes::npos) continue;
    const auto mask = static_cast<char>(1U << random.below(8));
    files_->corrupt(path, random.below(end + 1), mask);
    ++done;
  }
  return done;
}

bool SimNode::rot_log_tail(std::size_t blocks) {
  base::Random& random = world_.scheduler.random();
  std::vector<std::string> paths = log_files();
  std::erase_if(paths, [](const std::string& path) { return !path.ends_with(".seg"); });
  std::sort(paths.begin(), paths.end());
  for (; !paths.empty(); paths.pop_back()) {
    const auto contents = storage::read_file(*files_, paths.back());
    if (!contents.ok() || contents->size() < storage::kSegmentBytesMin) continue;
    // The last block is the seal.
    const std::size_t end =
        contents->find_last_not_of('\0', contents->size() - storage::kLogBlockBytes - 1);
    if (end == base::Bytes::npos || end < storage::kFramesOffset) continue;
    const bool is_sector = random.chance(0.5);
    std::uint64_t at = end / storage::kLogBlockBytes * storage::kLogBlockBytes;
    for (; blocks > 0 && at >= storage::kFramesOffset; --blocks, at -= storage::kLogBlockBytes) {
      rot_sector(paths.back(), at, is_sector);
    }
    return true;
  }
  return false;
}

void SimNode::rot_sector(const std::string& path, std::uint64_t at, bool is_whole) {
  base::Random& random = world_.scheduler.random();
  if (!is_whole) return files_->corrupt(path, at + random.below(200), 1);
  for (std::size_t i = 0; i < storage::kLogSectorBytes; ++i) {
    files_->corrupt(path, at + i, static_cast<char>(1 + random.below(255)));
  }
}

/// What lies there of a snapshot that was being pulled, from time to time.
void SimNode::rot_staged() {
  if (!world_.scheduler.random().chance(0.3)) return;
  const auto paths = SimMachine::staged_paths(*files_, kRoot);
  if (paths.empty()) return;
  const std::string& path = paths[world_.scheduler.random().below(paths.size())];
  const auto contents = storage::read_file(*files_, path);
  if (!contents.ok() || contents->empty()) return;
  world_.tally.add_fault(Count::kTransitRot);
  files_->corrupt(path, world_.scheduler.random().below(contents->size()), 16);
}

/// A sector lands in the place of another one of the same log. Not a sector of zeros: over the last
/// frame it looks like one that never reached the disk, and a disk that loses what it has synced is
/// outside of what one copy of a log can notice.
bool SimNode::misdirect_log_write() {
  constexpr std::size_t kSector = 512;
  base::Random& random = world_.scheduler.random();
  const std::vector<std::string> paths = log_files();
  if (paths.empty()) return false;
  const std::string& from = paths[random.below(paths.size())];
  const std::string& to = paths[random.below(paths.size())];
  const auto source = storage::read_file(*files_, from);
  const auto target = storage::read_file(*files_, to);
  if (!source.ok() || !target.ok() || source->size() < kSector || target->size() < kSector) {
    return false;
  }
  const std::size_t end = target->find_last_not_of('\0');
  if (end == base::Bytes::npos) return false;
  const std::size_t at = random.below(end / kSector + 1) * kSector;
  const std::size_t origin = random.below(source->size() / kSector) * kSector;
  if (source->find_first_not_of('\0', origin) >= origin + kSector) return false;
  for (std::size_t i = 0; i < kSector && at + i < target->size(); ++i) {
    const auto mask = static_cast<char>((*source)[origin + i] ^ (*target)[at + i]);
    if (mask != 0) files_->corrupt(to, at + i, mask);
  }
  return true;
}

bool SimNode::rot_superblock() {
  base::Random& random = world_.scheduler.random();
  const std::string path = concat(kMeta, random.chance(0.5) ? "/superblock.a" : "/superblock.b");
  const std::uint64_t copy = random.below(2) * consensus::kSuperblockCopyBytesMax;
  const auto contents = storage::read_file(*files_, path);
  const std::uint64_t at = copy + random.below(212);
  if (!contents.ok() || at >= contents->size()) return false;
  files_->corrupt(path, at, static_cast<char>(1U << random.below(8)));
  return true;
}

bool SimNode::rot_snapshot() {
  if (!is_up()) return false;
  base::Random& random = world_.scheduler.random();
  const std::vector<std::string> paths = machine().snapshot_paths();
  if (paths.empty()) return false;
  const std::string& path = paths[random.below(paths.size())];
  const auto contents = storage::read_file(*files_, path);
  if (!contents.ok() || contents->empty()) return false;
  files_->corrupt(path, random.below(contents->size()), 4);
  return true;
}

void SimNode::receive(const base::Bytes& frame, bool is_damaged) {
  if (!is_up()) return world_.tally.add(Count::kDropped);
  auto envelope = consensus::decode_frame(world_.cluster, frame);
  if (!envelope.ok()) {
    if (!is_damaged) world_.oracle.fail(concat("a frame refused: ", envelope.status().message()));
    return world_.tally.add(Count::kDropped);
  }
  if (is_damaged) world_.oracle.fail("a damaged frame was taken for a good one");
  world_.tally.add(Count::kDelivered);
  world_.scheduler.trace(base::load_le64(frame.data() + consensus::kFrameHeaderBytes - 8));
  if (world_.traces) {
    trace(concat("<- ", envelope->from.id.value(), " ", to_string(envelope->message)));
  }
  runtime().receive(std::move(*envelope));
}

void SimNode::send(consensus::Envelope envelope) {
  const std::size_t to = envelope.to.value();
  if (to >= world_.places.size()) return world_.oracle.fail("a message to nobody");
  world_.network->send(index_, world_.places[to], encode_frame(world_.cluster, envelope));
}

void SimNode::on_durable(const consensus::Persist& frame) {
  world_.tally.add(Count::kFrames);
  world_.oracle.on_promised(member_, frame.promised);
  if (frame.ends_unknown_tail) world_.oracle.on_tail_ended(member_, frame.promised);
  if (frame.chain) world_.oracle.on_chain(member_, *frame.chain);
  for (const consensus::SlotRecord& each : frame.records) {
    world_.oracle.on_accepted(member_, each.slot, each.ballot, each.entry);
  }
}

void SimNode::look(const Replica& replica) {
  const consensus::Acceptor& acceptor = replica.acceptor();
  view_.role = replica.role();
  view_.is_established = replica.is_established();
  view_.promised = acceptor.promised();
  view_.base = acceptor.log().base();
  view_.commit = acceptor.commit();
  view_.through = acceptor.through();
  view_.durable = acceptor.durable();
  view_.last = acceptor.log().last();
  view_.applied = replica.learner().applied();
  const consensus::Configuration& now = replica.configuration();
  const bool is_same =
      now.id == view_.configuration.id && now.learners == view_.configuration.learners;
  if (!is_same) view_.configuration = now;
}

void SimNode::on_batch(const Replica& replica, const consensus::Output& output,
                       std::size_t inputs) {
  const Slot base = view_.base;
  look(replica);
  if (base != consensus::kNoSlot && view_.base > base) world_.tally.add(Count::kLogsCut);
  if (view_.unknown > 0) note_unknown(replica);
  if (inputs > 1 && output.persist) world_.tally.add(Count::kFramesMerged);
  world_.oracle.on_commit(view_.commit);
  if (view_.role != consensus::Role::kLeading || view_.promised == led_) return;
  led_ = view_.promised;
  world_.oracle.on_leader(member_, led_);
  world_.tally.add(Count::kElections);
  trace(concat("leads in ", to_string(led_)));
}

void SimNode::note_unknown(const Replica& replica) {
  const consensus::SlotLog& log = replica.acceptor().log();
  std::size_t unknown = 0;
  for (Slot slot = log.base().next(); slot <= log.last(); slot = slot.next()) {
    if (!log.find(slot)->entry) ++unknown;
  }
  if (unknown < view_.unknown) world_.tally.add(Count::kUnknownRepaired, view_.unknown - unknown);
  view_.unknown = unknown;
}

void SimNode::on_installed(const consensus::SnapshotManifest& label) {
  world_.tally.add(Count::kSnapshotsInstalled);
  image_ = label.slot;
  world_.oracle.on_chain(member_, label.chain);
  trace(concat("has installed a snapshot of slot ", label.slot.value()));
}

void SimNode::on_complaint(std::string_view line) {
  world_.tally.add(Count::kComplaints);
  const bool is_mismatch = line.find("does not match its checksum") != std::string_view::npos;
  if (is_mismatch && !world_.profile.may_damage_snapshots()) {
    world_.oracle.fail(concat("nothing damaged it, and yet: ", line));
  }
  if (world_.traces) trace(line);
}

void SimNode::trace(std::string_view what) const {
  world_.note(concat("node ", index_, " ", what));
}

std::string SimNode::describe() const {
  if (!is_up()) {
    return concat("\n  node ", index_, is_formed_ ? " down: " : " spare ",
                  last_failure_.to_string());
  }
  return concat("\n  node ", index_, " replica ", member_.id.value(), " ", role_name(view_.role),
                view_.is_established ? " established " : " ", to_string(view_.promised), " config ",
                view_.configuration.id.value(), " base ", view_.base.value(), " applied ",
                view_.applied.value(), " commit ", view_.commit.value(), " through ",
                view_.through.value(), " durable ", view_.durable.value(), " last ",
                view_.last.value(), " unknown ", view_.unknown);
}

}  // namespace synod::sim
