// SPDX-License-Identifier: Apache-2.0
#include "tests/suite/contract_test.h"

namespace synod::suite {
namespace {

SYNOD_CONTRACT(Volume);

TEST_P(Volume, TwoHundredMegabytesPassOverOneConnectionEachWay) {
  const std::string value(4 << 20, 'x');
  for (int i = 0; i < 52; ++i) {
    ASSERT_GT(set(key("big"), value), 0) << i;
    const auto got = get(key("big"));
    ASSERT_TRUE(got.has_value() && got->size() == value.size()) << i;
  }
  remove(key("big"));
}

TEST_P(Volume, ARangeOfAHundredThousandRowsIsComplete) {
  constexpr int kRows = 100'000;
  constexpr int kRowsPerCommit = 10'000;
  std::vector<std::string> keys;
  std::vector<api::Operation> steps;
  for (int i = 0; i < kRows; ++i) {
    keys.push_back(key(std::to_string(1'000'000 + i)));
    steps.push_back(op_set(keys.back(), "v" + std::to_string(i)));
    if (steps.size() == kRowsPerCommit) {
      ASSERT_GT(must_commit(steps), 0);
      steps.clear();
    }
  }
  api::GetRangeRequest request;
  request.__set_begin_key(key(""));
  request.__set_end_key(key("z"));
  request.__set_limit(0);
  api::GetRangeResponse reply;
  kv()->getRange(reply, request);
  ASSERT_TRUE(reply.success) << reply.error;
  EXPECT_FALSE(reply.has_more);
  ASSERT_EQ(reply.key_values.size(), keys.size());
  for (std::size_t i = 0; i < keys.size(); ++i) {
    ASSERT_EQ(reply.key_values[i].key, keys[i]);
    ASSERT_EQ(reply.key_values[i].value, "v" + std::to_string(i));
  }
}

TEST_P(Volume, ARangeTooLargeForOneReplySaysSoAndContinues) {
  constexpr int kRows = 40;
  const std::string value(4 << 20, 'y');
  for (int i = 0; i < kRows; ++i) set(key(std::to_string(100 + i)), value);
  api::GetRangeRequest request;
  request.__set_begin_key(key(""));
  request.__set_end_key(key("z"));
  request.__set_limit(0);
  int seen = 0;
  for (;;) {
    api::GetRangeResponse reply;
    kv()->getRange(reply, request);
    ASSERT_TRUE(reply.success) << reply.error;
    for (const auto& row : reply.key_values) {
      ASSERT_EQ(row.key, key(std::to_string(100 + seen)));
      ASSERT_EQ(row.value.size(), value.size());
      ++seen;
    }
    if (!reply.has_more) break;
    ASSERT_FALSE(reply.key_values.empty());
    request.__set_begin_key(reply.key_values.back().key);
    request.__set_begin_or_equal(false);
  }
  EXPECT_EQ(seen, kRows);
  for (int i = 0; i < kRows; ++i) remove(key(std::to_string(100 + i)));
}

}  // namespace
}  // namespace synod::suite
