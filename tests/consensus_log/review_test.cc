// SPDX-License-Identifier: Apache-2.0
// What the review of the durable parts found: each test states what should hold.
#include <gtest/gtest.h>

#include "base/sim_loop.h"
#include "consensus/protocol/configuration_codec.h"
#include "consensus/runtime/apply_worker.h"
#include "consensus/runtime/replica_runtime.h"
#include "tests/consensus_log/fixture.h"

namespace synod::consensus {
namespace {

using storage::CrashPolicy;
using storage::SimFileSystem;

const Ballot b1 = ballot_of(1);
const Ballot b2 = ballot_of(2);

Chain with_learner(Chain chain, std::uint32_t id, std::uint64_t as_of) {
  chain.configurations.back().learners.push_back({ReplicaId(id), Incarnation(id * 1000)});
  chain.as_of = Slot(as_of);
  return chain;
}

Persist with_chain(Persist persist, const Chain& chain) {
  persist.chain = chain;
  return persist;
}

// 1. An installed state's chain is overwritten by an older one that was on its way.
TEST(Review, AChainOnItsWayDoesNotReplaceThatOfAnInstalledState) {
  SimFileSystem files{base::Random(1)};
  {
    TestLog log = open_log(files);
    ASSERT_TRUE(log.status.ok());
    ASSERT_TRUE(log.write(persist_of(b1, entries_at(1, 60, b1), 50)).ok());
    const Chain newer = with_learner(with_learner(chain_of(), 8, 60), 9, 90);
    ASSERT_TRUE(log.log->set_state_directory("state-2", Slot(100), newer).ok());
    const Chain older = with_learner(chain_of(), 8, 60);
    ASSERT_TRUE(log.write(with_chain(persist_of(b1, {}, 60), older)).ok());
  }
  files.crash(CrashPolicy::kLost);
  files.restart();
  TestLog log = open_log(files, {.seed = 2, .applied = 100});
  ASSERT_TRUE(log.status.ok());
  EXPECT_EQ(log.state.base, Slot(100));
  EXPECT_EQ(log.state.chain.as_of, Slot(90)) << "the state contains slot 90, the superblock not";
  EXPECT_EQ(log.state.chain.current().learners.size(), 2U);
}

TEST(Review, AnEndedConfigurationOnItsWayDoesNotKillWhoInstalledALaterOne) {
  SimFileSystem files{base::Random(1)};
  TestLog log = open_log(files);
  Chain third = chain_of({61, 91});
  third.as_of = Slot(90);
  Chain second = chain_of({61});
  second.as_of = Slot(60);
  ASSERT_TRUE(log.log->set_state_directory("state-2", Slot(100), third).ok());
  EXPECT_TRUE(log.write(with_chain(persist_of(b1, {}, 60), second)).ok());
}

// 2. Void unknown tail: nothing is ever cut again.
TEST(Review, AnUnknownTailOfAnEndedConfigurationDoesNotKeepTheLogForEver) {
  SimFileSystem files{base::Random(1)};
  {
    TestLog log = open_log(files);
    ASSERT_TRUE(log.write(persist_of(b1, entries_at(1, 5, b1), 0)).ok());
    ASSERT_TRUE(log.write(persist_of(b1, entries_at(6, 9, b1), 0)).ok());
    ASSERT_TRUE(log.write(persist_of(b1, entries_at(10, 10, b1), 9)).ok());
  }
  files.restart();
  rot_head(files, segment_path(1), 2);  // The tail is unknown.
  {
    TestLog log = open_log(files, {.seed = 2});
    ASSERT_TRUE(log.state.unknown_tail.has_value());
    Persist promise = persist_of(b2, {}, 9);
    promise.is_new_ballot = true;
    ASSERT_TRUE(log.write(promise).ok());
    // Configuration 2 begins at slot 10 and is entered.
    Chain second = chain_of({10});
    second.as_of = Slot(9);
    Persist enter = persist_of(null_ballot(ConfigId(2)), {}, 9);
    enter.is_new_ballot = true;
    ASSERT_TRUE(log.write(with_chain(enter, second)).ok());
  }
  files.restart();
  const Ballot c2 = ballot_of(1, 2);
  TestLog log = open_log(files, {.seed = 3});
  ASSERT_TRUE(log.status.ok());
  ASSERT_FALSE(log.state.unknown_tail.has_value()) << "void";
  std::uint64_t slot = 10;
  for (int i = 0; i < 200; ++i, slot += 5) {
    ASSERT_TRUE(log.write(persist_of(c2, entries_at(slot, slot + 4, c2), slot - 1)).ok());
  }
  const std::uint64_t before_cut = log.log->disk_bytes();
  ASSERT_TRUE(log.log->cut(Slot(slot - 1)).ok());
  EXPECT_LT(log.log->disk_bytes(), before_cut / 4) << "of " << before_cut;
  EXPECT_GT(log.log->superblock().log_begin.value(), 10U);
}

// 3. Two power cuts, no damage: the superblock is gone.
TEST(Review, TwoPowerCutsInARowDoNotLoseTheSuperblock) {
  std::uint64_t lost = 0;
  std::uint64_t older = 0;
  std::uint64_t runs = 0;
  std::vector<std::uint64_t> firsts;
  for (std::uint64_t first = 10; first < 200; first += 10) firsts.push_back(first);
  for (std::uint64_t seed = 1; seed <= 40; ++seed) {
    for (std::uint64_t cut_one = 1; cut_one <= 8; ++cut_one) {
      for (std::uint64_t cut_two = 1; cut_two <= 24; ++cut_two) {
        SimFileSystem files{base::Random(seed)};
        Chain chain = chain_of(firsts);
        for (Configuration& each : chain.configurations) {
          for (Member& voter : each.voters) {
            voter.incarnation = Incarnation(voter.incarnation.value() + (std::uint64_t{1} << 60));
          }
        }
        const SuperblockStore::Expected who{kSelf, std::nullopt, std::nullopt};
        std::uint64_t promised = 0;
        {
          auto store = SuperblockStore::open(files, kDirectory, who, base::Random(seed));
          ASSERT_TRUE((*store)->form(kCluster, chain).ok());
          Superblock next = (*store)->current();
          next.promised = ballot_of(5, 20);
          ASSERT_TRUE((*store)->write(next).ok());
          promised = 5;
          files.set_fail_at(files.io_count() + cut_one, storage::FaultRepeat::kForEver);
          next.promised = ballot_of(6, 20);
          next.base = Slot(5);  // Lies in another sector than the version.
          if ((*store)->write(next).ok()) promised = 6;
        }
        files.crash(CrashPolicy::kTorn);
        files.restart();
        files.set_fail_at(files.io_count() + cut_two, storage::FaultRepeat::kForEver);
        { auto store = SuperblockStore::open(files, kDirectory, who, base::Random(seed)); }
        files.crash(CrashPolicy::kTorn);
        files.restart();
        auto store = SuperblockStore::open(files, kDirectory, who, base::Random(seed));
        ++runs;
        if (!store.ok()) {
          ++lost;
          if (lost == 1) {
            ADD_FAILURE() << "seed " << seed << " cuts " << cut_one << ", " << cut_two << ": "
                          << store.status().to_string();
          }
        } else if ((*store)->current().promised.round.value() < promised) {
          ++older;
        }
      }
    }
  }
  EXPECT_EQ(lost, 0U) << "of " << runs;
  EXPECT_EQ(older, 0U);
}

// 4. The fence of what was handed over does not fall to that of the image.
TEST(Review, AnImageOlderThanWhatWasHandedOverDoesNotStopTheReplica) {
  RecoveredState state;
  state.chain = chain_of();
  state.promised = b2;
  state.applied = Slot(2);
  state.commit_hint = Slot(8);
  for (std::uint64_t slot = 1; slot <= 8; ++slot) {
    SlotRecord record = entry_at(slot, slot < 7 ? b1 : b2);
    if (slot == 7) record.entry = make_entry(b2, EntryKind::kBarrier, {});
    state.slots.push_back({record.slot, record.ballot, record.entry});
  }
  const Acceptor acceptor(state);
  Learner learner(Slot(2), b1);
  EXPECT_EQ(learner.deliver(acceptor).size(), 6U);  // Held by the apply strand: it installs 5.
  learner.install_snapshot(Slot(5), b1);
  EXPECT_EQ(learner.fence(), b2);
}

/// A state machine that completes when it is told to.
class SlowMachine final : public StateMachine {
 public:
  StateLabel label_now;
  std::vector<std::pair<std::size_t, Done<base::Result<std::vector<base::Bytes>>>>> running;
  std::vector<std::string> calls;
  bool is_slow = true;
  std::optional<SnapshotManifest> newest;

  void complete_all() {
    for (auto& [size, done] : std::exchange(running, {})) done(std::vector<base::Bytes>(size));
  }
  StateLabel label() const override { return label_now; }
  Slot durable_applied() const override { return Slot(); }
  std::optional<SnapshotManifest> newest_snapshot() const override { return newest; }
  void apply(std::vector<Delivery> deliveries, const StateLabel&,
             Done<base::Result<std::vector<base::Bytes>>> done) override {
    const std::size_t size = deliveries.size();
    calls.push_back("apply");
    if (!is_slow) return done(std::vector<base::Bytes>(size));
    running.emplace_back(size, std::move(done));
  }
  void flush(Done<base::Status> done) override { done(base::Status()); }
  void take_snapshot(Done<base::Result<SnapshotManifest>> done) override {
    calls.push_back("snapshot");
    done(base::Status(base::StatusCode::kNoSpace, "no"));
  }
  void keep_snapshot(const KeepSnapshot&) override {}
  void read_snapshot(const ReadSnapshot&, Done<std::optional<base::Bytes>> done) override {
    done(std::nullopt);
  }
  void release_snapshot(const ReleaseSnapshot&) override {}
  void begin_staging(const SnapshotManifest&,
                     Done<base::Result<std::vector<StagedFile>>> done) override {
    done(std::vector<StagedFile>());
  }
  void stage(const StageBytes&, Done<base::Status> done) override { done(base::Status()); }
  void restart_file(const RestartFile&, Done<base::Status> done) override { done(base::Status()); }
  void finish_staging(const SnapshotManifest& manifest,
                      Done<base::Result<StagedImage>> done) override {
    done(StagedImage{manifest, "image"});
  }
  void discard_staging(SnapshotId) override { calls.push_back("discard"); }
  void switch_state(const StagedImage&, Done<base::Status> done) override { done(base::Status()); }
};

std::vector<Delivery> deliveries_of(std::uint64_t first, std::uint64_t last) {
  std::vector<Delivery> all;
  for (std::uint64_t slot = first; slot <= last; ++slot) {
    all.push_back({Slot(slot), entry_at(slot, b1).entry, false});
  }
  return all;
}

struct Bench {
  base::SimLoop loop{1};
  base::SimDispatcher& consensus = loop.add_dispatcher();
  base::SimDispatcher& log_strand = loop.add_dispatcher();
  base::SimDispatcher& apply = loop.add_dispatcher();
  SimFileSystem files{base::Random(1)};
  TestLog log = open_log(files);
  SlowMachine machine;
  std::vector<Ticket> durable;
  std::vector<std::string> fatal;
};

// 5. "Contained already" is said of deliveries that are handed to the machine and not executed.
TEST(Review, AnImageIsContainedOnlyInWhatWasExecuted) {
  Bench bench;
  bench.machine.label_now.chain = chain_of();
  LogWriter writer(bench.log_strand, bench.log_strand, *bench.log.log, {},
                   {[&](const Persist&) {}, [&](const base::Status&) {}});
  Slot executed;
  std::vector<std::string> wrong;
  ApplyWorker worker(
      bench.apply, bench.machine, writer, {},
      [&](ApplyEvent event) {
        if (auto* applied = std::get_if<AppliedThrough>(&event)) {
          executed = Slot(applied->first.value() + applied->results.size() - 1);
        }
        if (auto* installed = std::get_if<SnapshotInstalled>(&event)) {
          if (executed < installed->label.slot) {
            wrong.push_back("said to contain slot " +
                            std::to_string(installed->label.slot.value()) + ", executed " +
                            std::to_string(executed.value()));
          }
        }
      },
      [&](const base::Status&) {});
  worker.apply(deliveries_of(1, 20));  // Takes its time.
  SnapshotManifest manifest{SnapshotId(7), Slot(10), b1, chain_of(), {}};
  worker.carry_out(FinishStaging{manifest});
  bench.loop.run_for(base::Millis(10));
  bench.machine.complete_all();
  bench.loop.run_for(base::Millis(10));
  EXPECT_TRUE(wrong.empty()) << wrong.front();
}

// 9. The snapshot that was there at the start is gone too, sometimes.
TEST(Review, ASnapshotOfAnEarlierProcessThatIsGoneIsReplaced) {
  Bench bench;
  bench.machine.label_now.chain = chain_of();
  bench.machine.newest = SnapshotManifest{SnapshotId(5), Slot(0), b1, chain_of(), {}};
  LogWriter writer(bench.log_strand, bench.log_strand, *bench.log.log, {},
                   {[&](const Persist&) {}, [&](const base::Status&) {}});
  ApplyWorker worker(
      bench.apply, bench.machine, writer, {}, [&](ApplyEvent) {}, [&](const base::Status&) {});
  worker.carry_out(ReadSnapshot{ReplicaId(1), RequestId(1), SnapshotId(5), 0, 0, 10});
  bench.loop.run_for(base::Millis(10));
  EXPECT_EQ(bench.machine.calls, std::vector<std::string>{"snapshot"});
}

// 6. What frees space waits behind what needs it.
TEST(Review, AFullDiskDoesNotHoldBackTheCutThatFreesIt) {
  Bench bench;
  LogWriter writer(
      bench.log_strand, bench.log_strand, *bench.log.log,
      {.frame_bytes = 1, .space_retry = base::Millis(100)},
      {[&](const Persist& frame) { bench.durable.push_back(frame.ticket); },
       [&](const base::Status& status) { bench.fatal.push_back(status.to_string()); }});
  bench.files.set_capacity(1600 << 10);
  std::uint64_t slot = 1;
  for (std::uint64_t i = 1; i <= 600 && bench.fatal.empty(); ++i, slot += 1) {
    Persist persist = persist_of(b1, entries_at(slot, slot, b1), slot - 1);
    persist.ticket = Ticket(i);
    writer.write(persist);
    bench.loop.run_for(base::Millis(1));
  }
  ASSERT_TRUE(bench.fatal.empty()) << bench.fatal.front();
  ASSERT_LT(bench.durable.size(), 600U) << "the disk should be full";
  const std::size_t stuck = bench.durable.size();
  ASSERT_GT(stuck, 20U);
  writer.cut(Slot(stuck - 5));  // Flushed and in a snapshot, on another disk.
  bench.loop.run_for(std::chrono::seconds(10));
  EXPECT_GT(bench.durable.size(), stuck + 10) << "stuck at " << stuck << " for ever";
}

class NoTransport final : public Transport {
 public:
  void send(Envelope) override {}
};
class Watch final : public RuntimeObserver {
 public:
  void on_complaint(std::string_view) override {}
};

struct Single {
  explicit Single(Bench& bench) : bench_(bench) {
    chain.configurations = {
        Configuration{ConfigId(1), {{kSelf, kDisk}}, {}, Slot(1), base::Millis(1000), ReplicaId()}};
    bench.log = {};
    files = std::make_unique<SimFileSystem>(base::Random(3));
    bench.log = open_log(*files, {.chain = chain});
    bench.machine.label_now.chain = chain;
    bench.machine.is_slow = false;
    RuntimeOptions options;
    options.replica.self = {kSelf, kDisk};
    options.replica.cluster = kCluster;
    options.replica.limits.unexecuted_bytes = 64 << 10;
    options.frame_bytes = 256 << 10;
    RuntimeSeams seams{
        bench.consensus,
        bench.log_strand,
        bench.apply,
        bench.log_strand,
        transport,
        bench.machine,
        *bench.log.log,
        watch,
        [&bench](const base::Status& status) { bench.fatal.push_back(status.to_string()); }};
    runtime = std::make_unique<ReplicaRuntime>(std::move(seams), options, bench.log.state,
                                               base::Random(5));
    runtime->start();
    bench.loop.run_for(std::chrono::seconds(20));
  }
  Bench& bench_;
  Chain chain;
  std::unique_ptr<SimFileSystem> files;
  NoTransport transport;
  Watch watch;
  std::unique_ptr<ReplicaRuntime> runtime;
};

// 7. Proposals that wait together become one frame that the log refuses: the leader dies.
TEST(Review, ProposalsThatWaitTogetherDoNotStopTheLeader) {
  Bench bench;
  Single single(bench);
  ASSERT_TRUE(bench.fatal.empty());
  std::size_t answered = 0;
  std::size_t applied = 0;
  for (int i = 0; i < 40; ++i) {
    single.runtime->propose(base::Bytes(30 << 10, 'x'), [&](const CommandOutcome& outcome) {
      ++answered;
      applied += outcome.kind == CommandOutcome::Kind::kApplied ? 1 : 0;
    });
  }
  bench.loop.run_for(std::chrono::seconds(5));
  EXPECT_TRUE(bench.fatal.empty()) << bench.fatal.front();
  EXPECT_EQ(answered, 40U);
  EXPECT_GT(applied, 0U);
}

// Probe: how much a leader takes in while its state machine stands still.
TEST(Review, AStateMachineThatStandsStillStopsAdmission) {
  Bench bench;
  Single single(bench);
  bench.machine.is_slow = true;
  std::size_t refused = 0;
  for (int i = 0; i < 3000; ++i) {
    single.runtime->propose(base::Bytes(30 << 10, 'x'), [&](const CommandOutcome& outcome) {
      refused += outcome.reason == CommandOutcome::Reason::kBusy ? 1 : 0;
    });
    bench.loop.run_for(base::Millis(1));
  }
  EXPECT_GT(refused, 0U) << "90 MB decided and not executed, unexecuted_bytes is 64 KiB";
}

// 8. O1 at shutdown.
TEST(Review, ShutdownAnswersWhatWaits) {
  Bench bench;
  Single single(bench);
  ASSERT_TRUE(bench.fatal.empty());
  std::size_t proposals = 0;
  std::size_t reads = 0;
  bool is_done = false;
  const auto ask = [&] {
    single.runtime->propose("x", [&](const CommandOutcome&) { ++proposals; });
    single.runtime->read([&](std::optional<Slot>) { ++reads; });
  };
  ask();
  single.runtime->stop([&] { is_done = true; });
  ask();
  bench.loop.run_for(std::chrono::seconds(1));
  ask();
  bench.loop.run_for(std::chrono::seconds(1));
  EXPECT_TRUE(is_done);
  EXPECT_EQ(proposals, 3U);
  EXPECT_EQ(reads, 3U);
}

}  // namespace
}  // namespace synod::consensus
