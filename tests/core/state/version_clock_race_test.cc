// SPDX-License-Identifier: Apache-2.0
// clock_at on other threads beside the writer that adds and prunes marks.
#include <gtest/gtest.h>

#include <atomic>
#include <thread>
#include <vector>

#include "base/random.h"
#include "core/state/version_clock.h"
#include "tests/core/test_scale.h"

namespace synod::core {
namespace {

TEST(VersionClockRace, ReadersGetTheRightClockOrNone) {
  // Version v has the clock 10 * v, a mark lies at every even one.
  VersionClock clock;
  const auto marks = static_cast<std::int64_t>(test_operations(1'000'000));
  clock.add(Version(2), TimeMs(20));
  std::atomic<std::int64_t> newest{2};
  std::atomic<bool> done{false};
  std::atomic<std::uint64_t> answered{0};
  std::vector<std::thread> readers;
  for (std::uint64_t seed = 1; seed <= 2; ++seed) {
    readers.emplace_back([&, seed] {
      base::Random random(seed);
      while (!done.load()) {
        const std::int64_t top = newest.load();
        // The ring turns within the reach of these versions, so that slots are reused under them.
        const std::int64_t version = top - static_cast<std::int64_t>(random.below(400));
        const auto found = clock.clock_at(Version(version));
        if (!found) continue;
        answered.fetch_add(1, std::memory_order_relaxed);
        if (found->value() != 10 * (version - version % 2)) {
          ADD_FAILURE() << "version " << version << " has the clock " << found->value();
          return;
        }
      }
    });
  }
  for (std::int64_t i = 2; i <= marks; ++i) {
    clock.add(Version(2 * i), TimeMs(20 * i));
    newest.store(2 * i);
    while (clock.size() > 100) clock.pop_oldest();
    if (i % 4'096 == 0) std::this_thread::yield();
  }
  while (answered.load() == 0) std::this_thread::yield();
  done.store(true);
  for (auto& reader : readers) reader.join();
}

}  // namespace
}  // namespace synod::core
