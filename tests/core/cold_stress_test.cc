// SPDX-License-Identifier: Apache-2.0
// Readers that wait for the disk beside a writer that drops and takes back values, while snapshots
// come and go on a third thread.
#include <gtest/gtest.h>

#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include "base/random.h"
#include "base/text.h"
#include "tests/core/store.h"
#include "tests/core/test_scale.h"

namespace synod::core {
namespace {

constexpr std::uint64_t kKeys = 600;
constexpr std::uint64_t kRoom = 120'000;

std::string key_of(std::uint64_t number) { return base::concat("key", 1'000 + number); }

/// Tells its key and its number, and is long enough to leave memory.
std::string value_of(const std::string& key, std::uint64_t number) {
  const std::string head = base::concat(key, ":", number, ":");
  return head + std::string(200 + number % 300, static_cast<char>('a' + number % 26));
}

bool is_sound(const std::string& key, const base::Bytes& value) {
  const std::size_t at = key.size() + 1;
  if (value.compare(0, at, key + ":") != 0) return false;
  return value == value_of(key, std::strtoull(value.c_str() + at, nullptr, 10));
}

DatabaseOptions options() {
  DatabaseOptions options;
  options.snapshot_window = std::chrono::milliseconds(2);
  options.memory_bytes_max = TransactionalKvDatabase(options).memory_status().used_bytes + kRoom;
  return options;
}

class Spilling {
 public:
  explicit Spilling(std::uint64_t operations) : operations_(operations) {}

  void run() {
    std::thread persistence([this] { persist(); });
    std::vector<std::thread> readers;
    for (std::uint64_t i = 0; i < 2; ++i) {
      readers.emplace_back([this, i] { read(base::Random(50 + i)); });
    }
    write(base::Random(49));
    for (auto& reader : readers) reader.join();
    is_over_.store(true);
    persistence.join();
    const MemoryStatus status = store_.database().memory_status();
    EXPECT_GT(status.values_dropped, operations_ / 100);
    EXPECT_GT(status.cold_reads, operations_ / 100);
    EXPECT_GT(status.values_warmed, 0U);
    EXPECT_GT(old_answered_.load(), 0U);
    const base::Status tables = store_.database().verify_tables();
    EXPECT_TRUE(tables.ok()) << tables.to_string();
    store_.persist();
    const base::Status rows = store_.database().verify_backend(store_.backend());
    EXPECT_TRUE(rows.ok()) << rows.to_string();
  }

 private:
  [[nodiscard]] bool is_done() const {
    return reads_.load(std::memory_order_relaxed) >= operations_ &&
           writes_.load(std::memory_order_relaxed) >= operations_ / 4;
  }

  /// What Persistence does, as fast as it can.
  void persist() {
    ColdValues& cold = store_.database().cold_values();
    while (!is_over_.load(std::memory_order_relaxed)) {
      const WriteBehind::Batch batch = store_.database().write_behind().take();
      if (batch.last != LogIndex(0)) {
        if (!store_.backend().write(batch.rows).ok()) ADD_FAILURE() << "the backend refuses";
        if (batch.version > cold.covered()) {
          cold.add(batch.version, *store_.backend().snapshot());
        }
      }
      cold.release();
      std::this_thread::yield();
    }
  }

  void write(base::Random random) {
    while (!is_done() && !testing::Test::HasFailure()) {
      const std::uint64_t number = writes_.fetch_add(1, std::memory_order_relaxed) + 1;
      const KvOperation operation = next_write(random, number);
      if (random.chance(0.5) && store_.core().needs_disk(operation)) {
        store_.core().fetch_for(operation);
      }
      const Outcome outcome = store_.run(operation);
      if (!outcome.ok()) ADD_FAILURE() << outcome.message;
      if (number % 4 != 0) continue;
      store_.database().seal();
      const auto now = std::chrono::microseconds(static_cast<std::int64_t>(10 * number));
      store_.database().housekeep(now);
      while (store_.database().must_wait()) {
        std::this_thread::yield();
        store_.database().housekeep(now);
      }
    }
    store_.database().seal();
  }

  static KvOperation next_write(base::Random& random, std::uint64_t number) {
    const std::string key = key_of(random.below(kKeys));
    const std::uint64_t kind = random.below(20);
    if (kind == 0) return commit_of({step_on(StepKind::kDelete, key)});
    // Writes the value it has once more: it may have to be fetched.
    if (kind < 4) return commit_of({step_on(StepKind::kPersist, key)});
    return commit_of({set_step(key, value_of(key, number))});
  }

  void read(base::Random random) {
    while (!is_done() && !testing::Test::HasFailure()) {
      reads_.fetch_add(1, std::memory_order_relaxed);
      if (random.chance(0.02)) {
        scan(random);
      } else {
        point(random);
      }
    }
  }

  void point(base::Random& random) {
    PointReadRequest request;
    request.key = key_of(random.below(kKeys));
    const Version visible = store_.core().visible_version();
    if (random.chance(0.3)) {
      request.at = Version(visible.value() - static_cast<std::int64_t>(random.below(60)));
    }
    const PointReadReply reply = store_.core().read(request, ReadWait::kForDisk);
    if (reply.code == OutcomeCode::kTooOld) return;
    ASSERT_EQ(reply.code, OutcomeCode::kOk) << reply.message;
    ASSERT_FALSE(reply.is_cold);
    if (request.at && *request.at < visible) old_answered_.fetch_add(1, std::memory_order_relaxed);
    EXPECT_TRUE(!reply.found || is_sound(request.key, reply.value)) << reply.value;
    request.at = reply.read_at;
    const PointReadReply again = store_.core().read(request, ReadWait::kForDisk);
    if (again.code == OutcomeCode::kTooOld) return;
    EXPECT_EQ(again.found, reply.found);
    EXPECT_EQ(again.value, reply.value);
    EXPECT_EQ(again.version, reply.version);
  }

  void scan(base::Random& random) {
    RangeReadRequest request;
    request.begin = key_of(random.below(kKeys));
    request.limit = 40;
    const RangeReadReply reply = store_.core().read_range(request, ReadWait::kForDisk);
    ASSERT_EQ(reply.code, OutcomeCode::kOk) << reply.message;
    ASSERT_FALSE(reply.is_cold);
    for (const auto& [key, value] : reply.rows) ASSERT_TRUE(is_sound(key, value)) << value;
    request.at = reply.read_at;
    const RangeReadReply again = store_.core().read_range(request, ReadWait::kForDisk);
    if (again.code == OutcomeCode::kTooOld) return;
    EXPECT_EQ(again.rows, reply.rows);
  }

  Store store_{Policy(), options()};
  const std::uint64_t operations_;
  std::atomic<bool> is_over_{false};
  std::atomic<std::uint64_t> reads_{0};
  std::atomic<std::uint64_t> writes_{0};
  std::atomic<std::uint64_t> old_answered_{0};
};

TEST(ColdStress, EveryReadFindsItsValueWhereverItIs) {
  Spilling spilling(test_operations(100'000));
  spilling.run();
}

/// Keys are written, deleted, forgotten and freed while others ask what an operation on them needs.
TEST(ColdStress, AskingForTheDiskMeetsKeysThatAreBeingRemoved) {
  Policy policy;
  policy.conflict_window_ms = 1;
  DatabaseOptions options;
  options.snapshot_window = base::Nanos(0);
  Store store(policy, options);
  std::vector<KvOperation> increments;
  std::vector<Step> puts;
  std::vector<Step> deletes;
  for (std::uint64_t i = 0; i < 64; ++i) {
    puts.push_back(set_step(key_of(i), "1"));
    deletes.push_back(step_on(StepKind::kDelete, key_of(i)));
    increments.push_back(commit_of({step_on(StepKind::kIncrement, key_of(i))}));
  }
  std::atomic<bool> is_over{false};
  std::vector<std::thread> readers;
  for (std::size_t reader = 0; reader < 2; ++reader) {
    readers.emplace_back([&, reader] {
      for (std::size_t at = reader; !is_over.load(); at += 7) {
        EXPECT_FALSE(store.core().needs_disk(increments[at % increments.size()]));
      }
    });
  }
  for (std::uint64_t round = 0; round < test_operations(100'000) / 64; ++round) {
    ASSERT_TRUE(store.commit(puts).ok());
    ASSERT_TRUE(store.commit(deletes).ok());
    (void)store.tick(5);
    (void)store.tick(5);
    for (std::uint64_t i = 0; i < 3; ++i) {
      store.database().housekeep(std::chrono::seconds(3 * round + i));
    }
    store.persist();
  }
  is_over.store(true);
  for (auto& reader : readers) reader.join();
}

}  // namespace
}  // namespace synod::core
