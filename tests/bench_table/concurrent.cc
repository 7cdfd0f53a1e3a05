// SPDX-License-Identifier: Apache-2.0
#include "tests/bench_table/concurrent.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdio>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "tests/bench_table/measure.h"
#include "tests/bench_table/subjects.h"
#include "tests/support/marks.h"

namespace synod::bench {
namespace {

constexpr std::size_t kWorst = 5;

/// The longest of many times.
class Longest {
 public:
  void add(double seconds) {
    if (seconds <= worst_.back()) return;
    worst_.back() = seconds;
    std::sort(worst_.begin(), worst_.end(), std::greater<>());
  }
  void print(const char* what) const {
    std::printf("longest %-8s", what);
    for (const double seconds : worst_) std::printf(" %.0f", seconds * 1e6);
    std::printf(" us of processor time\n");
  }
  [[nodiscard]] double longest_us() const { return worst_.front() * 1e6; }

 private:
  std::array<double, kWorst> worst_{};
};

std::string numbered_key(std::size_t number) {
  char text[32];
  std::snprintf(text, sizeof text, "key:%012zu", number);
  return text;
}

/// Reads a second of processor time until `done`.
double read_until(const Tables& tables, const std::vector<std::string>& queries,
                  const std::atomic<bool>& done) {
  std::string out;
  std::size_t reads = 0;
  const double seconds = thread_seconds([&] {
    for (std::size_t at = 0; !done.load(std::memory_order_relaxed); ++reads) {
      tables.read(queries[at], out);
      if (++at == queries.size()) at = 0;
    }
  });
  return static_cast<double>(reads) / seconds;
}

/// Updates at a rate for a while.
void write_for(Tables& tables, const std::vector<std::string>& queries, double seconds) {
  constexpr double kPerSecond = 50'000;
  const std::string value(kValueBytes, 'w');
  const double start = now_seconds();
  std::size_t written = 0;
  for (double now = start; now < start + seconds; now = now_seconds()) {
    const auto due = static_cast<std::size_t>((now - start) * kPerSecond);
    for (; written < due; ++written) tables.update(queries[written % queries.size()], value);
    std::this_thread::yield();
  }
}

struct Run {
  int readers;
  bool has_writer;
};

/// Reads a second of all readers together.
double run_readers(Tables& tables, const std::vector<std::string>& keys, const Run& run) {
  constexpr double kSeconds = 1.5;
  std::atomic<bool> done{false};
  std::vector<double> rates(static_cast<std::size_t>(run.readers));
  std::vector<std::thread> readers;
  for (std::size_t i = 0; i < rates.size(); ++i) {
    readers.emplace_back(
        [&, i] { rates[i] = read_until(tables, make_queries(keys, 200'000, i + 10), done); });
  }
  if (run.has_writer) {
    write_for(tables, make_queries(keys, 200'000, 99), kSeconds);
  } else {
    const double end = now_seconds() + kSeconds;
    while (now_seconds() < end) std::this_thread::yield();
  }
  done.store(true, std::memory_order_relaxed);
  for (std::thread& reader : readers) reader.join();
  double sum = 0;
  for (const double rate : rates) sum += rate;
  return sum;
}

}  // namespace

void measure_growth(std::size_t keys) {
  Tables tables;
  std::atomic<std::size_t> present{0};
  std::atomic<bool> done{false};
  Longest reads;
  std::thread reader([&] {
    base::Random random(4);
    std::string out;
    while (!done.load(std::memory_order_acquire)) {
      const std::size_t known = present.load(std::memory_order_acquire);
      if (known == 0) continue;
      const std::string key = numbered_key(random.below(known) * 7919 % keys);
      reads.add(thread_seconds([&] { tables.read(key, out); }));
    }
  });
  const std::string value(kValueBytes, 'v');
  Longest writes;
  // What the machine does to work that touches nothing of ours: what both exceed is the tables'.
  Longest nothing;
  std::uint64_t hashes = 0;
  for (std::size_t i = 0; i < keys; ++i) {
    const std::string key = numbered_key(i * 7919 % keys);
    writes.add(thread_seconds([&] { tables.insert(key, value); }));
    present.store(i + 1, std::memory_order_release);
    nothing.add(thread_seconds([&] {
      for (int round = 0; round < 64; ++round) hashes += base::siphash13(kSipKey, key);
    }));
  }
  done.store(true, std::memory_order_release);
  reader.join();
  std::printf("growth from 0 to %zu keys, beside work that touches no table\n", keys);
  writes.print("write");
  reads.print("read");
  nothing.print(hashes == 0 ? "" : "nothing");
  tests::print_mark("longest pause of the writer while the tables grow, us", "<=1000",
                    {writes.longest_us()});
  tests::print_mark("longest pause of a reader meanwhile, us", "<=1000", {reads.longest_us()});
}

void measure_readers(std::size_t count) {
  const std::vector<std::string> keys = make_keys(count, true);
  const std::string value(kValueBytes, 'v');
  Tables tables;
  for (const std::string& key : keys) tables.insert(key, value);
  std::vector<double> beside;
  std::vector<double> two;
  for (int round = 0; round < 5; ++round) {
    const double alone = run_readers(tables, keys, {1, false});
    const double one = run_readers(tables, keys, {1, true});
    two.push_back(run_readers(tables, keys, {2, true}) / one);
    beside.push_back(one / alone);
  }
  std::printf("%zu keys, a writer of 50,000 updates a second\n", count);
  tests::print_mark("one reader beside the writer, to alone", ">=0.8", beside);
  tests::print_mark("two readers beside the writer, to one", ">=1.8", two);
}

}  // namespace synod::bench
