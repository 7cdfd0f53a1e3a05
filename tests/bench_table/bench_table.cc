// SPDX-License-Identifier: Apache-2.0
// Our two tables beside libcuckoo and absl::btree_map, in one run on one machine, by the time a
// thread was running, in interleaved repetitions.
//   bench_table [--benchmark_…]     every mark: ratios, readers beside a writer, pauses of growth
//   bench_table --overhead          what a key takes beside its bytes
//   bench_table --growth [keys]     the longest pauses while the tables grow from nothing
//   bench_table --readers [keys]    readers beside a writer of 50,000 updates a second
#include <benchmark/benchmark.h>
#include <malloc.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "core/ranked_nodes.h"
#include "tests/bench_table/concurrent.h"
#include "tests/bench_table/measure.h"
#include "tests/bench_table/subjects.h"
#include "tests/support/marks.h"

namespace synod::bench {
namespace {

constexpr std::size_t kKeys = 1'000'000;
constexpr std::size_t kGrowthKeys = 10'000'000;
constexpr std::size_t kScanKeys = 100;
constexpr std::size_t kBlock = 4'096;  ///< Queries of one iteration; a multiple of the batch.

/// The same keys in everything that is compared, built when the first benchmark asks.
class Subjects {
 public:
  explicit Subjects(bool numbered) : keys(make_keys(kKeys, numbered)) {
    std::vector<std::string> sorted = keys;
    std::sort(sorted.begin(), sorted.end());
    loaded.load(sorted, value);
    for (const std::string& key : keys) grown.insert(key, value);
    for (const std::string& key : keys) rivals.insert(key, value);
    queries = make_queries(keys, kKeys / kBlock * kBlock, 2);
  }

  const std::vector<std::string> keys;
  const std::string value = std::string(kValueBytes, 'v');
  std::vector<std::string> queries;
  Tables grown;
  Tables loaded;  ///< As a start loads them: in huge pages where they are granted.
  Rivals rivals;
};

Subjects& subjects(bool numbered) {
  static std::unique_ptr<Subjects> made[2];
  auto& mine = made[numbered ? 1 : 0];
  if (mine == nullptr) mine = std::make_unique<Subjects>(numbered);
  return *mine;
}

using Queries = std::span<const std::string>;

/// Runs `work` over block after block of the queries and tells the time the thread was running.
template <class Work>
void over_queries(benchmark::State& state, Subjects& all, Work work) {
  std::size_t at = 0;
  std::size_t found = 0;
  for (auto iteration : state) {
    const Queries block = Queries(all.queries).subspan(at, kBlock);
    state.SetIterationTime(thread_seconds([&] { found += work(block); }));
    at = (at + kBlock) % all.queries.size();
  }
  if (found == 0) state.SkipWithError("no key was found");
  state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(kBlock));
}

template <class Table>
std::size_t read_each(Table& table, Queries block) {
  std::string out;
  std::size_t found = 0;
  for (const std::string& query : block) found += table.read(query, out) ? 1 : 0;
  return found;
}

std::size_t read_batches(const Tables& table, Queries block) {
  std::string out;
  std::size_t found = 0;
  for (std::size_t i = 0; i < block.size(); i += Tables::kBatch) {
    found += table.read_batch(block.subspan(i, Tables::kBatch), out);
  }
  return found;
}

template <class Table>
std::size_t scan_some(Table& table, Queries block) {
  std::string out;
  std::size_t seen = 0;
  for (std::size_t i = 0; i < block.size() / kScanKeys; ++i) {
    seen += table.scan(block[i], kScanKeys, out);
  }
  return seen;
}

class Registry {
 public:
  template <class Ours, class Rival>
  void compare(const std::string& name, double aim, Ours ours, Rival rival) {
    marks.push_back({name, aim});
    add(name + "/ours", ours);
    add(name + "/rival", rival);
  }

  std::vector<tests::Mark> marks;

 private:
  template <class Work>
  static void add(const std::string& name, Work work) {
    benchmark::RegisterBenchmark(name.c_str(), work)->UseManualTime();
  }
};

void register_reads(Registry& registry, bool numbered, bool is_loaded) {
  const std::string with =
      std::string(numbered ? ", numbered keys" : ", random keys") + (is_loaded ? ", loaded" : "");
  const auto table = [=]() -> Tables& {
    return is_loaded ? subjects(numbered).loaded : subjects(numbered).grown;
  };
  const auto ours = [=](auto work) {
    return [=](benchmark::State& state) {
      over_queries(state, subjects(numbered), [&](Queries block) { return work(table(), block); });
    };
  };
  const auto rival = [=](auto work) {
    return [=](benchmark::State& state) {
      Subjects& all = subjects(numbered);
      over_queries(state, all, [&](Queries block) { return work(all.rivals, block); });
    };
  };
  registry.compare("point read against libcuckoo" + with, 2.5, ours(read_each<Tables>),
                   rival(read_each<Rivals>));
  registry.compare("reads in 16s against libcuckoo" + with, 4.0, ours(read_batches),
                   rival(read_each<Rivals>));
  registry.compare("scan of 100 against absl::btree_map" + with, 1.5, ours(scan_some<Tables>),
                   rival(scan_some<Rivals>));
}

template <class Table>
void insert_all(benchmark::State& state, bool numbered) {
  const std::vector<std::string> keys = make_keys(kKeys, numbered);
  const std::string value(kValueBytes, 'v');
  for (auto iteration : state) {
    Table table;
    state.SetIterationTime(thread_seconds([&] {
      for (const std::string& key : keys) table.insert(key, value);
    }));
  }
}

void register_writes(Registry& registry, bool numbered) {
  const std::string with = numbered ? ", numbered keys" : ", random keys";
  registry.compare(
      "new key into both against libcuckoo and absl::btree_map" + with, 1.5,
      [=](benchmark::State& state) { insert_all<Tables>(state, numbered); },
      [=](benchmark::State& state) { insert_all<Rivals>(state, numbered); });
  const auto update = [=](auto table) {
    return [=](benchmark::State& state) {
      Subjects& all = subjects(numbered);
      over_queries(state, all, [&](Queries block) {
        for (const std::string& query : block) table(all).update(query, all.value);
        return block.size();
      });
    };
  };
  registry.compare("update against libcuckoo insert_or_assign" + with, 1.3,
                   update([](Subjects& all) -> Tables& { return all.grown; }),
                   update([](Subjects& all) -> Rivals& { return all.rivals; }));
}

double each(std::size_t bytes) { return static_cast<double>(bytes) / static_cast<double>(kKeys); }

/// What keys with an expiry, at random within a day, take for node and record and in the index of
/// expiries, as malloc counts that.
double bytes_with_expiry(const Subjects& all) {
  core::EpochManager epochs;
  core::RecordHeap heap(epochs);
  core::RankedNodes<core::TimeMs> expiries(heap.base());
  base::Random random(3);
  const std::size_t before = mallinfo2().uordblks;
  for (const std::string& key : all.keys) {
    core::RecordHeader header;
    header.expiry = core::TimeMs(1'700'000'000'000 + static_cast<int>(random.below(86'400'000)));
    const core::KeyRef ref{core::NamespaceId(1), core::Space(0), key};
    expiries.add(header.expiry, *heap.create_node(ref, header, all.value));
  }
  return each(heap.bytes_in_use() + mallinfo2().uordblks - before);
}

/// All but the bytes of keys and values.
void measure_overhead(bool numbered) {
  Subjects& all = subjects(numbered);
  const auto data = static_cast<double>(all.keys.front().size() + kValueBytes);
  const double node = each(all.grown.heap().bytes_in_use()) - data;
  const double cuckoo = each(all.grown.table().memory_bytes());
  const double tree = each(all.grown.tree().memory_bytes());
  std::printf("overhead: cuckoo %.1f + B-tree %.1f + node and record %.1f bytes\n", cuckoo, tree,
              node);
  tests::print_mark(std::string("overhead of a key without TTL, bytes") +
                        (numbered ? ", numbered keys" : ", random keys"),
                    "<=64", {cuckoo + tree + node});
  tests::print_mark(std::string("overhead of a key with TTL, bytes") +
                        (numbered ? ", numbered keys" : ", random keys"),
                    "<=88", {cuckoo + tree + bytes_with_expiry(all) - data});
}

int measure_all(int argc, char** argv) {
  Registry registry;
  for (const bool numbered : {false, true}) {
    register_writes(registry, numbered);
    register_reads(registry, numbered, false);
    register_reads(registry, numbered, true);
  }
  const int code = tests::run_marks(argc, argv, std::move(registry.marks));
  if (code != 0 || argc > 1) return code;
  for (const bool numbered : {false, true}) measure_overhead(numbered);
  measure_readers(kKeys);
  measure_growth(kGrowthKeys);
  return 0;
}

}  // namespace
}  // namespace synod::bench

int main(int argc, char** argv) {
  const std::string mode = argc > 1 ? argv[1] : "";
  const std::size_t keys = argc > 2 ? std::strtoull(argv[2], nullptr, 10) : 0;
  if (mode == "--growth") {
    synod::bench::measure_growth(keys > 0 ? keys : synod::bench::kGrowthKeys);
  } else if (mode == "--readers") {
    synod::bench::measure_readers(keys > 0 ? keys : synod::bench::kKeys);
  } else if (mode == "--overhead") {
    for (const bool numbered : {false, true}) synod::bench::measure_overhead(numbered);
  } else {
    return synod::bench::measure_all(argc, argv);
  }
  return 0;
}
