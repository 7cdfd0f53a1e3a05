// SPDX-License-Identifier: Apache-2.0
// How long a start takes: rows of the storage backend into the tables, whole and phase by phase.
//   bench_load                        the marks, with five million keys in a new directory
//   bench_load <directory> [keys]     fills the directory if it is empty, then loads it
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "base/random.h"
#include "core/kv_service_core.h"
#include "core/transactional_kv_database.h"
#include "storage/storage_backend.h"
#include "tests/bench_table/measure.h"
#include "tests/support/bench_disk.h"
#include "tests/support/marks.h"

namespace synod::core {
namespace {

constexpr std::size_t kValueBytes = 100;

KvOperation commit_of(std::uint64_t first, std::uint64_t end) {
  KvOperation operation;
  operation.stamp = TimeMs(1'000 + static_cast<std::int64_t>(first));
  for (std::uint64_t i = first; i < end; ++i) {
    char text[32];
    std::snprintf(text, sizeof text, "key:%012llu", static_cast<unsigned long long>(i));
    Step step;
    step.kind = StepKind::kSet;
    step.key = text;
    step.value = std::string(kValueBytes, static_cast<char>('a' + i % 26));
    operation.steps.push_back(std::move(step));
  }
  return operation;
}

void fill(storage::StorageBackend& backend, std::uint64_t keys) {
  constexpr std::uint64_t kCommitKeys = 1'000;
  TransactionalKvDatabase database{DatabaseOptions()};
  KvServiceCore core(database);
  KvOperation first;
  first.kind = OperationKind::kPolicy;
  first.policy = Policy();
  first.stamp = TimeMs(1);
  static_cast<void>(core.execute(LogIndex(1), first));
  for (std::uint64_t i = 0; i * kCommitKeys < keys; ++i) {
    const KvOperation commit = commit_of(i * kCommitKeys, (i + 1) * kCommitKeys);
    tests::check(core.execute(LogIndex(i + 2), commit).outcome.ok()
                     ? base::Status()
                     : base::Status(base::StatusCode::kCorruption, "a commit failed"));
    database.seal();
    if (i % 16 == 0) tests::check(backend.write(database.write_behind().take().rows));
  }
  tests::check(backend.write(database.write_behind().take().rows));
  tests::check(backend.flush());
  tests::check(backend.compact());
}

/// The parts of a load that can be told apart from outside.
void phases(const storage::StorageBackend& backend) {
  const StateHasher hasher({});
  std::uint64_t rows = 0;
  const double scan = bench::thread_seconds([&] {
    tests::check(backend.scan({}, {}, [&](base::BytesView, base::BytesView) {
      ++rows;
      return true;
    }));
  });
  StateHash sum;
  std::uint64_t digests = 0;
  const double digest = bench::thread_seconds([&] {
    tests::check(backend.scan({}, {}, [&](base::BytesView key, base::BytesView value) {
      const auto ref = parse_entry_row_key(key);
      if (!ref) return true;
      const auto row = parse_entry_row_value(value);
      digests += hasher.digest(row->value);
      sum.add(hasher.entry(*ref, row->header));
      return true;
    }));
  });
  const double each = 1e9 / static_cast<double>(rows);
  std::printf("  scan %.0f ns a row; parsing, digests and state hash %.0f ns more (%llu)\n",
              scan * each, (digest - scan) * each, static_cast<unsigned long long>(digests & 1));
}

void load(const storage::StorageBackend& backend, bool prints_marks) {
  std::vector<double> seconds;
  std::vector<double> rates;
  for (int round = 0; round < 3; ++round) {
    TransactionalKvDatabase database{DatabaseOptions()};
    const double wall_before = bench::now_seconds();
    const double taken =
        bench::thread_seconds([&] { tests::check(database.load(backend).status()); });
    const double wall = bench::now_seconds() - wall_before;
    const auto keys = static_cast<double>(database.key_count());
    std::printf(
        "  load %.0f keys: %.2f s of processor, %.2f s of wall, %.2f M keys/s, %.1f bytes a key\n",
        keys, taken, wall, keys / taken / 1e6, static_cast<double>(database.memory_bytes()) / keys);
    seconds.push_back(wall);
    rates.push_back(keys / taken / 1e6);
  }
  if (!prints_marks) return;
  tests::print_mark("start: million keys a second of one processor", ">=1", rates);
  tests::print_mark("start: seconds for 5 M keys, tables and backend", "<=10", seconds);
}

int run(const std::string& directory, std::uint64_t keys, bool prints_marks) {
  auto backend = storage::open_rocksdb_backend(directory, {});
  tests::check(backend.status());
  const char applied = kAppliedRow;
  const auto known = (*backend)->get({&applied, 1});
  tests::check(known.status());
  if (!known->has_value()) fill(**backend, keys);
  phases(**backend);
  load(**backend, prints_marks);
  return 0;
}

}  // namespace
}  // namespace synod::core

int main(int argc, char** argv) {
  constexpr std::uint64_t kMarkKeys = 5'000'000;
  constexpr std::uint64_t kKeys = 1'000'000;
  if (argc > 1) {
    return synod::core::run(argv[1], argc > 2 ? std::strtoull(argv[2], nullptr, 10) : kKeys, false);
  }
  const synod::tests::BenchDirectory directory;
  return synod::core::run(directory.path(), kMarkKeys, true);
}
