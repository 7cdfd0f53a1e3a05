// SPDX-License-Identifier: Apache-2.0
// Ratios of our two tables to libcuckoo and absl::btree_map, in one run on one machine, by the time
// a thread was running, over interleaved rounds: median (least - greatest).
//   bench_table [keys] [rounds]     ratios, for random and for numbered keys
//   bench_table --growth [keys]     the longest pauses while the tables grow from nothing
//   bench_table --readers [keys]    readers beside a writer of 50,000 updates a second
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "tests/bench_table/concurrent.h"
#include "tests/bench_table/measure.h"
#include "tests/bench_table/subjects.h"

namespace synod::bench {
namespace {

constexpr std::size_t kScanKeys = 100;

struct Marks {
  Ratio insertion{"new key into both", 1.5};
  Ratio point{"point read, grown", 2.5};
  Ratio batch{"reads in 16s, grown", 4.0};
  Ratio scan{"scan of 100, grown, per key", 1.5};
  Ratio loaded_point{"point read, loaded", 2.5};
  Ratio loaded_batch{"reads in 16s, loaded", 4.0};
  Ratio loaded_scan{"scan of 100, loaded, per key", 1.5};
  Ratio update{"update of an existing key", 1.3};

  void print() {
    for (Ratio* ratio :
         {&insertion, &point, &batch, &scan, &loaded_point, &loaded_batch, &loaded_scan, &update})
      ratio->print();
  }
};

void print_memory(const Tables& tables, std::size_t keys, std::size_t key_bytes) {
  const auto each = [keys](std::size_t bytes) {
    return static_cast<double>(bytes) / static_cast<double>(keys);
  };
  const double payload = static_cast<double>(key_bytes + kValueBytes);
  const double reserved = each(tables.heap().bytes_reserved());
  const double cuckoo = each(tables.table().memory_bytes());
  const double tree = each(tables.tree().memory_bytes());
  std::printf("  overhead per key: cuckoo %.1f + B-tree %.1f + node and record %.1f = %.1f bytes\n",
              cuckoo, tree, reserved - payload, cuckoo + tree + reserved - payload);
}

struct ReadTimes {
  double point = 0;
  double batch = 0;
  double scan = 0;
};

ReadTimes measure_reads(const Tables& tables, const std::vector<std::string>& queries) {
  ReadTimes times;
  std::string out;
  std::size_t found = 0;
  times.point = thread_nanoseconds_each(queries.size(), [&] {
    for (const std::string& query : queries) found += tables.read(query, out) ? 1 : 0;
  });
  times.batch = thread_nanoseconds_each(queries.size(), [&] {
    for (std::size_t i = 0; i < queries.size(); i += Tables::kBatch) {
      found += tables.read_batch(std::span(queries).subspan(i, Tables::kBatch), out);
    }
  });
  std::size_t seen = 0;
  const std::size_t scans = queries.size() / kScanKeys;
  times.scan = thread_nanoseconds_each(scans * kScanKeys, [&] {
    for (std::size_t i = 0; i < scans; ++i) seen += tables.scan(queries[i], kScanKeys, out);
  });
  if (found != 2 * queries.size() || seen == 0) std::printf("  a key was not found\n");
  return times;
}

ReadTimes measure_reads(Rivals& rivals, const std::vector<std::string>& queries) {
  ReadTimes times;
  std::string out;
  std::size_t found = 0;
  times.point = thread_nanoseconds_each(queries.size(), [&] {
    for (const std::string& query : queries) found += rivals.read(query, out) ? 1 : 0;
  });
  times.batch = times.point;
  const std::size_t scans = queries.size() / kScanKeys;
  times.scan = thread_nanoseconds_each(scans * kScanKeys, [&] {
    for (std::size_t i = 0; i < scans; ++i) found += rivals.scan(queries[i], kScanKeys, out);
  });
  if (found < queries.size()) std::printf("  a key was not found\n");
  return times;
}

/// `loaded` holds the same keys as `grown`.
void measure_reads(const Tables& grown, const Tables& loaded, Rivals& rivals,
                   const std::vector<std::string>& queries, Marks& marks) {
  const ReadTimes rival = measure_reads(rivals, queries);
  const ReadTimes ours = measure_reads(grown, queries);
  marks.point.add(ours.point, rival.point);
  marks.batch.add(ours.batch, rival.batch);
  marks.scan.add(ours.scan, rival.scan);
  const ReadTimes huge = measure_reads(loaded, queries);
  marks.loaded_point.add(huge.point, rival.point);
  marks.loaded_batch.add(huge.batch, rival.batch);
  marks.loaded_scan.add(huge.scan, rival.scan);
}

void measure_updates(Tables& tables, Rivals& rivals, const std::vector<std::string>& keys,
                     std::uint64_t seed, Marks& marks) {
  const std::vector<std::string> queries = make_queries(keys, keys.size() / 2, seed);
  const std::string value(kValueBytes, 'u');
  const double rival = thread_nanoseconds_each(queries.size(), [&] {
    for (const std::string& query : queries) rivals.update(query, value);
  });
  const double ours = thread_nanoseconds_each(queries.size(), [&] {
    for (const std::string& query : queries) tables.update(query, value);
    tables.settle();
  });
  marks.update.add(ours, rival);
}

void ratios(std::size_t count, int rounds) {
  for (const bool numbered : {false, true}) {
    const std::vector<std::string> keys = make_keys(count, numbered);
    std::vector<std::string> sorted = keys;
    std::sort(sorted.begin(), sorted.end());
    const std::string value(kValueBytes, 'v');
    std::printf("%zu %s keys, %zu-byte values\n", count, numbered ? "numbered" : "random",
                kValueBytes);
    Marks marks;
    for (int round = 0; round < rounds; ++round) {
      Tables tables;
      Rivals rivals;
      const double rival = thread_nanoseconds_each(count, [&] {
        for (const std::string& key : keys) rivals.insert(key, value);
      });
      const double ours = thread_nanoseconds_each(count, [&] {
        for (const std::string& key : keys) tables.insert(key, value);
      });
      marks.insertion.add(ours, rival);
      const auto seed = static_cast<std::uint64_t>(round) + 2;
      Tables loaded;
      loaded.load(sorted, value);
      measure_reads(tables, loaded, rivals, make_queries(keys, count / 16 * 16, seed), marks);
      measure_updates(tables, rivals, keys, seed, marks);
      if (round == 0) print_memory(tables, count, keys.front().size());
    }
    marks.print();
  }
}

}  // namespace
}  // namespace synod::bench

int main(int argc, char** argv) {
  const bool has_mode = argc > 1 && argv[1][0] == '-';
  const std::string mode = has_mode ? argv[1] : "";
  const int first = has_mode ? 2 : 1;
  const std::size_t keys = argc > first ? std::strtoull(argv[first], nullptr, 10) : 1'000'000;
  const int rounds = argc > first + 1 ? std::atoi(argv[first + 1]) : 5;
  if (keys < 1'000 || rounds < 1) {
    std::fprintf(stderr, "at least 1000 keys and one round\n");
    return 2;
  }
  if (mode == "--growth") {
    synod::bench::measure_growth(keys);
  } else if (mode == "--readers") {
    synod::bench::measure_readers(keys);
  } else {
    synod::bench::ratios(keys, rounds);
  }
  return 0;
}
