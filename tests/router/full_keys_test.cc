// SPDX-License-Identifier: Apache-2.0
// A store whose keys come to the end of their addresses: what is admitted, and that it starts again
// whatever its history was.
#include <gtest/gtest.h>

#include <cstdio>
#include <string>
#include <vector>

#include "base/text.h"
#include "core/table/node_range.h"
#include "tests/router/sim_server.h"

namespace synod::router {
namespace {

constexpr int kStepsPerOperation = 500;

core::Step delete_step(std::string key) {
  core::Step step;
  step.kind = core::StepKind::kDelete;
  step.key = std::move(key);
  return step;
}

class FullKeys : public testing::Test {
 protected:
  FullKeys() { server_.options().database.node_range_bytes = 16 * core::NodeRange::kChunkBytes; }

  static std::string key_of(int number) {
    char text[17];
    std::snprintf(text, sizeof text, "key-%012d", number);
    return text;
  }
  core::OutcomeCode execute(std::vector<core::Step> steps) {
    const std::size_t position = server_.submit(operation_of(std::move(steps)));
    server_.settle();
    return server_.outcomes()[position]->code;
  }
  /// Keys from 0 on until `keys` are set or one is refused; how many were set.
  int set(int keys, const std::string& value) {
    for (int done = 0; done < keys;) {
      std::vector<core::Step> steps;
      int next = done;
      for (int i = 0; i < kStepsPerOperation && next < keys; ++i) {
        steps.push_back(set_step(key_of(next++), value));
      }
      const core::OutcomeCode code = execute(std::move(steps));
      if (code == core::OutcomeCode::kMemoryFull) return done;
      EXPECT_EQ(code, core::OutcomeCode::kOk);
      done = next;
    }
    return keys;
  }
  void restart() {
    ASSERT_TRUE(server_.store().close().ok());
    ASSERT_TRUE(server_.open().ok());
  }

  SimServer server_{16};
};

TEST_F(FullKeys, SmallValuesThatGrewBesideTheirKeysAreLoadedAgain) {
  ASSERT_TRUE(server_.open().ok());
  const std::string value(100, 'v');
  const int keys = set(240'000, "");
  ASSERT_EQ(keys, 240'000);
  ASSERT_EQ(set(keys, value), keys);
  restart();
  EXPECT_EQ(server_.get(key_of(keys - 1)), value);
  EXPECT_EQ(server_.get(key_of(0)), value);
}

TEST_F(FullKeys, AsManyKeysAsAreAdmittedAreLoadedAgain) {
  server_.options().database.memory_bytes_max = 256U << 20U;
  ASSERT_TRUE(server_.open().ok());
  const std::string value(200, 'v');
  const int keys = set(1'000'000, value);
  EXPECT_GT(keys, 200'000);
  EXPECT_LT(keys, 1'000'000);
  restart();
  EXPECT_EQ(server_.get(key_of(keys - 1)), value);
  restart();
  EXPECT_EQ(server_.get(key_of(0)), value);
}

TEST_F(FullKeys, EndsWhenKeysAreDeleted) {
  ASSERT_TRUE(server_.open().ok());
  const int keys = set(1'000'000, "");
  ASSERT_LT(keys, 1'000'000);
  std::vector<core::Step> steps;
  for (int number = 0; number < keys; ++number) {
    if (number % 10 != 0) steps.push_back(delete_step(key_of(number)));
    if (steps.size() < kStepsPerOperation) continue;
    ASSERT_EQ(execute(std::move(steps)), core::OutcomeCode::kOk);
    steps.clear();
  }
  server_.loop().run_for(std::chrono::seconds(90));  // Past the conflict window: tombstones go.
  EXPECT_EQ(execute({set_step("one more", "")}), core::OutcomeCode::kOk);
}

TEST_F(FullKeys, DeletesOfWhatIsNotThereAreRefusedBeforeTheLastAddress) {
  ASSERT_TRUE(server_.open().ok());
  const std::string tail(20'000, 'k');
  int keys = 0;
  while (execute({set_step(base::concat("k", keys, tail), "v")}) == core::OutcomeCode::kOk) ++keys;
  ASSERT_GT(keys, 100);
  core::OutcomeCode code = core::OutcomeCode::kOk;
  int deletes = 0;
  while (code == core::OutcomeCode::kOk && deletes < 5'000) {
    code = execute({delete_step(base::concat("absent", deletes++, tail))});
  }
  EXPECT_EQ(code, core::OutcomeCode::kMemoryFull);
  EXPECT_GT(deletes, 50);
  EXPECT_EQ(server_.get(base::concat("k", 0, tail)), "v");
  core::Step clear;
  clear.kind = core::StepKind::kClearRange;
  clear.key = "k";
  clear.end_key = "l";
  EXPECT_EQ(execute({clear}), core::OutcomeCode::kOk);
}

}  // namespace
}  // namespace synod::router
