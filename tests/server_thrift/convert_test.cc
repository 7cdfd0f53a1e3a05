// SPDX-License-Identifier: Apache-2.0
#include "server/thrift/convert.h"

#include <gtest/gtest.h>

#include <limits>

#include "base/random.h"

namespace synod::server {
namespace {

using std::string_literals::operator""s;

/// One step up and down as the contract's table words them.
std::string step_up(std::string key) {
  if (key.empty()) return "\x01";
  for (std::size_t i = key.size(); i-- > 0;) {
    if (key[i] != '\xff') {
      key[i] = static_cast<char>(key[i] + 1);
      std::fill(key.begin() + static_cast<std::ptrdiff_t>(i) + 1, key.end(), '\0');
      return key;
    }
  }
  return key + '\0';
}
std::string step_down(std::string key) {
  for (std::size_t i = key.size(); i-- > 0;) {
    if (key[i] != '\0') {
      key[i] = static_cast<char>(key[i] - 1);
      std::fill(key.begin() + static_cast<std::ptrdiff_t>(i) + 1, key.end(), '\xff');
      return key;
    }
  }
  return "";
}

TEST(ShiftEndKey, FollowsTheTableOfTheContract) {
  EXPECT_EQ(shift_end_key("", 1), "\x01");
  EXPECT_EQ(shift_end_key("ab", 1), "ac");
  EXPECT_EQ(shift_end_key("a\xff", 1), "b\0"s);
  EXPECT_EQ(shift_end_key("\xff\xff", 1), "\xff\xff\0"s);
  EXPECT_EQ(shift_end_key("", -1), "");
  EXPECT_EQ(shift_end_key("ab", -1), "aa");
  EXPECT_EQ(shift_end_key("b\0"s, -1), "a\xff");
  EXPECT_EQ(shift_end_key("\0\0"s, -1), "");
  EXPECT_EQ(shift_end_key("a", -1), "`");
  EXPECT_EQ(shift_end_key("endoff005", -1), "endoff004");
  EXPECT_EQ(shift_end_key("any", 0), "any");
}

TEST(ShiftEndKey, EqualsRepeatedSteps) {
  base::Random random(11);
  for (int i = 0; i < 3000; ++i) {
    std::string key(random.below(4), '\0');
    for (char& c : key) {
      c = random.chance(0.4)   ? '\xff'
          : random.chance(0.4) ? '\0'
                               : static_cast<char>(random.next());
    }
    const std::int64_t offset = random.between(-1500, 1500);
    std::string expected = key;
    for (std::int64_t k = 0; k < offset; ++k) expected = step_up(expected);
    for (std::int64_t k = 0; k > offset; --k) expected = step_down(expected);
    ASSERT_EQ(shift_end_key(key, offset), expected) << base::escape(key) << " by " << offset;
  }
}

TEST(ShiftEndKey, TakesTheLargestOffsetsWithoutWork) {
  const std::int64_t most = std::numeric_limits<std::int32_t>::max();
  const std::int64_t least = std::numeric_limits<std::int32_t>::min();
  EXPECT_EQ(shift_end_key("\0\0\0\0\0"s, most), "\0\x7f\xff\xff\xff"s);
  EXPECT_EQ(shift_end_key("\x01\0\0\0\0"s, least), "\0\x80\0\0\0"s);
  EXPECT_EQ(shift_end_key("\xff", least), "");
  const std::string huge = shift_end_key("\xff", most);
  EXPECT_LE(huge.size(), 70'000U);
  EXPECT_GT(huge, std::string(65'000, '\xff'));
}

TEST(Printable, KeepsUtf8AndEscapesEverythingElse) {
  EXPECT_EQ(printable("caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80"),
            "caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80");
  for (const std::string& bad : {"\xff"s, "\xc0\x80"s, "\xe0\x80\x80"s, "\xed\xa0\x80"s,
                                 "\xf4\x90\x80\x80"s, "\xc3"s, "a\x80"s, "\xf0\x80\x80\x80"s}) {
    EXPECT_EQ(printable(bad).find('\\'), bad[0] == 'a' ? 1U : 0U) << base::escape(bad);
  }
  EXPECT_LE(printable(std::string(5000, 'x')).size(), 260U);
}

TEST(ToContext, TakesTheEarlierOfTimeoutAndDeadline) {
  const base::SystemClock clock;
  api::RequestOptions options;
  EXPECT_FALSE(to_context(options, clock, std::nullopt).deadline.has_value());
  options.__set_deadline_ms(1000);
  const auto before = clock.boot_time();
  const auto first = to_context(options, clock, std::chrono::seconds(60)).deadline;
  const auto second = to_context(options, clock, base::Millis(10)).deadline;
  ASSERT_TRUE(first.has_value() && second.has_value());
  EXPECT_GE(*first, before + base::Millis(1000));
  EXPECT_LT(*first, before + std::chrono::seconds(50));
  EXPECT_LT(*second, *first);
  options.__set_deadline_ms(0);
  EXPECT_FALSE(to_context(options, clock, std::nullopt).deadline.has_value());
  options.__set_deadline_ms(std::numeric_limits<std::int64_t>::max());
  EXPECT_GT(*to_context(options, clock, std::nullopt).deadline, before);
}

TEST(ToContext, ReadsLevelPriorityAndTrace) {
  const base::SystemClock clock;
  api::RequestOptions options;
  options.__set_read_level("local");
  options.__set_priority("high");
  options.__set_trace_id("t\x01");
  const auto context = to_context(options, clock, std::nullopt);
  EXPECT_EQ(context.read_level, router::ReadLevel::kLocal);
  EXPECT_EQ(context.priority, base::Priority::kHigh);
  EXPECT_EQ(context.trace_id, "t\x01");
  options.__set_read_level("leader");
  EXPECT_EQ(to_context(options, clock, std::nullopt).read_level, router::ReadLevel::kLeader);
  options.__set_read_level("no such level");
  EXPECT_EQ(to_context(options, clock, std::nullopt).read_level, router::ReadLevel::kDefault);
}

TEST(CommitTimeout, IsSixtySecondsUnlessPositive) {
  api::AtomicCommitRequest request;
  EXPECT_EQ(commit_timeout(request), std::chrono::seconds(60));
  for (const std::int64_t none : {std::int64_t{0}, std::numeric_limits<std::int64_t>::min()}) {
    request.__set_timeout_seconds(none);
    EXPECT_EQ(commit_timeout(request), std::chrono::seconds(60));
  }
  request.__set_timeout_seconds(5);
  EXPECT_EQ(commit_timeout(request), std::chrono::seconds(5));
  request.__set_timeout_seconds(std::numeric_limits<std::int64_t>::max());
  EXPECT_EQ(commit_timeout(request), std::chrono::hours(24 * 365));
}

}  // namespace
}  // namespace synod::server
