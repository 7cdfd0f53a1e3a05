// SPDX-License-Identifier: Apache-2.0
// The way of a write in one process, in one run on one machine.
//   bench_commit                      the marks, in a new directory below this one
//   bench_commit sync DIRECTORY [rounds] [new|update]   groups of 64 x 100 bytes through the router
//       of a standalone store with durability sync, against a bare loop of pwrite and fdatasync of
//       the bytes such a group takes on disk; interleaved group for group
//   bench_commit execute - [operations] [new|update]    CPU of the applying thread for each SET
//   bench_commit behind DIRECTORY [operations] [rows]   CPU of the persistence thread and of
//       RocksDB's own threads for each SET, written in batches of so many operations
// Keys are 16 random bytes, values 100; `update` draws the keys from a million that exist.
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <future>
#include <string>
#include <vector>

#include "base/random.h"
#include "core/kv_store_executor.h"
#include "net/worker.h"
#include "router/standalone.h"
#include "tests/support/bench_disk.h"
#include "tests/support/marks.h"

namespace synod::router {
namespace {

constexpr std::size_t kGroup = 64;
constexpr std::size_t kKeyBytes = 16;
constexpr std::size_t kValueBytes = 100;
constexpr std::size_t kPopulation = 1'000'000;
constexpr std::size_t kRounds = 9;

using Clock = std::chrono::steady_clock;
using tests::BareFile;
using tests::check;
using tests::die;

double micros_of(clockid_t clock) {
  timespec now{};
  ::clock_gettime(clock, &now);
  return static_cast<double>(now.tv_sec) * 1e6 + static_cast<double>(now.tv_nsec) * 1e-3;
}
double thread_cpu() { return micros_of(CLOCK_THREAD_CPUTIME_ID); }
double process_cpu() { return micros_of(CLOCK_PROCESS_CPUTIME_ID); }

void fill(base::Bytes& bytes, base::Random& random) {
  for (std::size_t at = 0; at < bytes.size(); at += 8) {
    char word[8];
    base::store_le64(word, random.next());
    std::memcpy(bytes.data() + at, word, std::min<std::size_t>(8, bytes.size() - at));
  }
}

/// SETs of random values under new keys, or under keys of the population.
class Sets {
 public:
  explicit Sets(bool is_update) : is_update_(is_update) {}

  core::KvOperation next() { return make(is_update_ ? random_.below(kPopulation) : next_new_++); }
  core::KvOperation make(std::uint64_t number) {
    core::KvOperation operation;
    core::Step step;
    step.key.assign(kKeyBytes, '\0');
    base::Random of_key(number + 1);
    fill(step.key, of_key);
    step.value.assign(kValueBytes, '\0');
    fill(step.value, random_);
    operation.steps.push_back(std::move(step));
    operation.stamp = core::TimeMs(static_cast<std::int64_t>(1 + made_++ / 50));
    return operation;
  }
  [[nodiscard]] bool is_update() const { return is_update_; }

 private:
  const bool is_update_;
  std::uint64_t next_new_ = kPopulation;
  std::uint64_t made_ = 0;
  base::Random random_{1};
};

/// The applying thread's dispatcher: the benchmark's own thread runs what was posted.
class PumpedDispatcher final : public base::Dispatcher {
 public:
  void post(Task task) override {
    const std::lock_guard lock(mutex_);
    tasks_.push_back(std::move(task));
  }
  /// No timer is due within a group; ticks and timeouts have their own tests.
  base::TimerId run_after(base::Nanos, Task) override { return {}; }
  void cancel(base::TimerId) override {}
  [[nodiscard]] bool is_current() const override { return true; }
  [[nodiscard]] const base::Clock& clock() const override { return clock_; }
  void run_posted() {
    for (;;) {
      std::deque<Task> tasks;
      {
        const std::lock_guard lock(mutex_);
        tasks.swap(tasks_);
      }
      if (tasks.empty()) return;
      for (Task& task : tasks) task();
    }
  }

 private:
  base::SystemClock clock_;
  std::mutex mutex_;
  std::deque<Task> tasks_;
};

/// How many bytes the log wrote.
class ByteMeter final : public storage::LogObserver {
 public:
  void on_append(std::uint64_t bytes) override { last = bytes; }
  void on_sync_begins() override { sync_cpu_ -= thread_cpu(); }
  void on_sync_ends() override { sync_cpu_ += thread_cpu(); }
  std::uint64_t last = 0;
  [[nodiscard]] double sync_cpu() const { return sync_cpu_; }

 private:
  double sync_cpu_ = 0;
};

class SyncBench {
 public:
  SyncBench(const std::string& directory, bool is_update) : sets_(is_update) {
    StandaloneOptions options;
    options.directory = directory + "/store";
    options.log.observer = &meter_;
    StandaloneSeams seams{*files_,
                          commit_,
                          persistence_.dispatcher(),
                          storage_.dispatcher(),
                          base::Random(7),
                          [](const std::string& path) {
                            return storage::open_rocksdb_backend(path, storage::BackendOptions());
                          },
                          [](const std::string& reason) { die("log", reason); }};
    auto opened = Standalone::open(std::move(seams), std::move(options));
    check(opened.status(), "open");
    store_ = std::move(*opened);
    check(store_->start(), "start");
    persistence_.start();
    storage_.start();
    if (is_update) {
      for (std::size_t at = 0; at < kPopulation;) {
        std::vector<core::KvOperation> group;
        for (std::size_t i = 0; i < 4'000; ++i) group.push_back(sets_.make(at++));
        commit(group);
      }
    }
  }
  ~SyncBench() {
    for (net::Worker* worker : {&persistence_, &storage_}) {
      worker->stop();
      worker->join();
    }
    check(store_->close(), "close");
  }
  SyncBench(const SyncBench&) = delete;
  SyncBench& operator=(const SyncBench&) = delete;

  [[nodiscard]] std::vector<core::KvOperation> make_group() {
    std::vector<core::KvOperation> group;
    for (std::size_t i = 0; i < kGroup; ++i) group.push_back(sets_.next());
    return group;
  }
  void commit(std::vector<core::KvOperation>& group) {
    std::size_t answered = 0;
    for (auto& operation : group) {
      store_->router().submit(std::move(operation), {}, [&answered](const core::Outcome& outcome) {
        if (!outcome.ok()) die("commit", outcome.message);
        ++answered;
      });
    }
    commit_.run_posted();
    if (answered != group.size()) die("commit", "not everything was answered");
  }
  [[nodiscard]] std::uint64_t group_bytes() const { return meter_.last; }
  [[nodiscard]] double sync_cpu() const { return meter_.sync_cpu(); }

 private:
  ByteMeter meter_;
  Sets sets_;
  const std::unique_ptr<storage::FileSystem> files_ = storage::make_posix_file_system();
  PumpedDispatcher commit_;
  net::Worker persistence_{"persistence"};
  net::Worker storage_{"storage"};
  std::unique_ptr<Standalone> store_;
};

double micros_since(Clock::time_point start) {
  return std::chrono::duration<double, std::micro>(Clock::now() - start).count();
}

void bench_sync(const std::string& directory, std::size_t rounds, bool is_update) {
  constexpr std::size_t kGroupsInARound = 100;
  SyncBench bench(directory, is_update);
  auto first = bench.make_group();
  bench.commit(first);
  const base::Bytes block(bench.group_bytes(), 'x');
  BareFile bare(directory + "/bare", 64 << 20);
  std::vector<double> ratios;
  std::vector<double> ours;
  std::vector<double> bares;
  std::vector<double> cpu;
  for (std::size_t round = 0; round <= rounds; ++round) {
    std::vector<std::vector<core::KvOperation>> groups;
    for (std::size_t i = 0; i < kGroupsInARound; ++i) groups.push_back(bench.make_group());
    double mine = 0;
    double theirs = 0;
    double busy = 0;
    for (auto& group : groups) {
      const double cpu_before = thread_cpu() - bench.sync_cpu();
      auto start = Clock::now();
      bench.commit(group);
      mine += micros_since(start);
      busy += thread_cpu() - bench.sync_cpu() - cpu_before;
      start = Clock::now();
      bare.write_synced(block);
      theirs += micros_since(start);
    }
    if (round == 0) continue;  // Warm-up.
    ratios.push_back(theirs / mine);
    ours.push_back(mine / kGroupsInARound);
    bares.push_back(theirs / kGroupsInARound);
    cpu.push_back(busy / kGroupsInARound / kGroup);
  }
  std::printf("%zu bytes on disk for each group\n", block.size());
  tests::print_figure("a group of 64 with its sync, us", ours);
  tests::print_figure("write and sync of the same bytes, us", bares);
  tests::print_figure("CPU of an operation beside the sync, us", cpu);
  tests::print_mark("sync commits of 64 x 100 bytes, group by group, against pwrite + fdatasync",
                    ">=0.8", ratios);
}

/// A database alone, with a policy.
struct Tables {
  Tables() : core(database), executor(core, database) {
    core::KvOperation policy;
    policy.kind = core::OperationKind::kPolicy;
    policy.policy.emplace();
    apply({std::move(policy)});
  }
  void apply(const std::vector<core::KvOperation>& group) {
    for (const auto& operation : group) {
      const auto result = executor.apply(executor.applied_index().next(), operation);
      if (!result.outcome.ok()) die("apply", result.outcome.message);
    }
    executor.seal();
  }
  void populate(Sets& sets) {
    for (std::size_t at = 0; at < kPopulation; ++at) {
      apply({sets.make(at)});
      if (at % 4'096 == 0) (void)database.write_behind().take();
    }
    (void)database.write_behind().take();
  }

  core::TransactionalKvDatabase database{core::DatabaseOptions{}};
  core::KvServiceCore core;
  core::KvStoreExecutor executor;
};

void bench_execute(std::size_t operations, bool is_update) {
  Tables tables;
  Sets sets(is_update);
  if (is_update) tables.populate(sets);
  const base::SystemClock clock;
  std::vector<double> apply_us;
  std::vector<double> house_us;
  std::vector<double> take_us;
  for (std::size_t round = 0; round <= kRounds; ++round) {
    double applying = 0;
    double housekeeping = 0;
    double taking = 0;
    for (std::size_t done = 0; done < operations / kRounds; done += kGroup) {
      std::vector<core::KvOperation> group;
      for (std::size_t i = 0; i < kGroup; ++i) group.push_back(sets.next());
      double start = thread_cpu();
      tables.apply(group);
      double end = thread_cpu();
      applying += end - start;
      tables.database.housekeep(clock.boot_time());
      start = end;
      end = thread_cpu();
      housekeeping += end - start;
      if (done % (40 * kGroup) == 0) (void)tables.database.write_behind().take();
      taking += thread_cpu() - end;
    }
    if (round == 0) continue;
    const double count = static_cast<double>(operations / kRounds / kGroup * kGroup);
    apply_us.push_back(applying / count);
    house_us.push_back(housekeeping / count);
    take_us.push_back(taking / count);
  }
  tests::print_figure(
      is_update ? "execute a SET of a known key, us" : "execute a SET of a new key, us", apply_us);
  tests::print_figure("housekeeping for an operation, us", house_us);
  tests::print_figure("taking and sorting its rows, us", take_us);
}

/// Runs `task` on the worker, waits, and says how much CPU its thread used.
double run_on(net::Worker& worker, std::function<void()> task) {
  std::promise<double> used;
  worker.dispatcher().post([&] {
    const double begun = thread_cpu();
    task();
    used.set_value(thread_cpu() - begun);
  });
  return used.get_future().get();
}

void bench_behind(const std::string& directory, std::size_t operations, std::size_t batch) {
  auto backend = storage::open_rocksdb_backend(directory + "/db", storage::BackendOptions());
  check(backend.status(), "open");
  net::Worker worker("persistence");
  Tables tables;
  Sets sets(false);
  core::Persistence persistence(worker.dispatcher(), tables.database.write_behind(), **backend, {},
                                nullptr);
  worker.start();
  std::vector<double> written_us;
  std::vector<double> all_us;
  const base::SystemClock clock;
  for (std::size_t round = 0; round < kRounds; ++round) {
    const double own_before = thread_cpu();
    const double all_before = process_cpu();
    double writing = 0;
    std::size_t done = 0;
    for (; done < operations / kRounds; done += batch) {
      for (std::size_t i = 0; i < batch; i += kGroup) {
        std::vector<core::KvOperation> group;
        for (std::size_t j = 0; j < kGroup; ++j) group.push_back(sets.next());
        tables.apply(group);
      }
      tables.database.housekeep(clock.boot_time());
      writing += run_on(worker, [&] { check(persistence.drain_now(false), "drain"); });
    }
    const double own = thread_cpu() - own_before;
    written_us.push_back(writing / static_cast<double>(done));
    all_us.push_back((process_cpu() - all_before - own) / static_cast<double>(done));
  }
  tests::print_figure("the same without flush and compaction", written_us);
  double sum = 0;
  for (const double round : all_us) sum += round;
  // Flushes and compactions come in bursts: only the mean holds all of them.
  tests::print_mark("write-behind and RocksDB, us of CPU for an operation", "<=2",
                    {sum / static_cast<double>(kRounds)});
  worker.stop();
  worker.join();
}

/// All of them, in a directory of their own below this one: on a disk, not in memory.
int bench_marks() {
  const tests::BenchDirectory directory;
  constexpr std::size_t kRowsAtOnce = 2'560;
  bench_sync(directory.path() + "/sync", kRounds, false);
  bench_execute(kPopulation, false);
  bench_behind(directory.path() + "/behind", kPopulation, kRowsAtOnce);
  return 0;
}

int run(int argc, char** argv) {
  if (argc == 1) return bench_marks();
  const std::string mode = argc > 2 ? argv[1] : "";
  const std::string last = argc > 4 ? argv[4] : "new";
  const auto number = [&](int at, std::size_t otherwise) {
    return argc > at ? std::strtoull(argv[at], nullptr, 10) : otherwise;
  };
  if (mode == "sync") {
    bench_sync(argv[2], number(3, kRounds), last == "update");
  } else if (mode == "execute") {
    bench_execute(number(3, kPopulation), last == "update");
  } else if (mode == "behind") {
    bench_behind(argv[2], number(3, kPopulation), number(4, 2'560));
  } else {
    std::fputs("bench_commit sync|execute|behind DIRECTORY [number] [new|update|rows]\n", stderr);
    return 2;
  }
  return 0;
}

}  // namespace
}  // namespace synod::router

int main(int argc, char** argv) { return synod::router::run(argc, argv); }
