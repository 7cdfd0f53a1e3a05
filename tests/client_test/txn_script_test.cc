// SPDX-License-Identifier: Apache-2.0
#include "client/cli/txn_script.h"

#include <gtest/gtest.h>

#include "base/random.h"

namespace synod::client {
namespace {

using Kind = ScriptStep::Kind;

std::string error_of(std::string_view script) {
  const auto steps = parse_txn_script(script);
  return steps.ok() ? "" : steps.status().message();
}

TEST(TxnScript, ReadsEveryStep) {
  const auto steps = parse_txn_script(
      "check k 12\n"
      "read k\n"
      "set k v\n"
      "set k v ttl=1500\n"
      "delete k\n"
      "incr k -3\n"
      "append k tail\n"
      "clear a b\n");
  ASSERT_TRUE(steps.ok()) << steps.status().to_string();
  ASSERT_EQ(steps->size(), 8u);
  EXPECT_EQ((*steps)[0], (ScriptStep{Kind::kCheck, "k", "", "", 12, 0, 1}));
  EXPECT_EQ((*steps)[1], (ScriptStep{Kind::kRead, "k", "", "", 0, 0, 2}));
  EXPECT_EQ((*steps)[2], (ScriptStep{Kind::kSet, "k", "v", "", 0, 0, 3}));
  EXPECT_EQ((*steps)[3], (ScriptStep{Kind::kSet, "k", "v", "", 0, 1500, 4}));
  EXPECT_EQ((*steps)[4], (ScriptStep{Kind::kDelete, "k", "", "", 0, 0, 5}));
  EXPECT_EQ((*steps)[5], (ScriptStep{Kind::kIncrement, "k", "", "", -3, 0, 6}));
  EXPECT_EQ((*steps)[6], (ScriptStep{Kind::kAppend, "k", "tail", "", 0, 0, 7}));
  EXPECT_EQ((*steps)[7], (ScriptStep{Kind::kClear, "a", "", "b", 0, 0, 8}));
}

TEST(TxnScript, IgnoresCommentsBlanksAndCarriageReturns) {
  const auto steps = parse_txn_script("\n  # all of it\n\t read  k # why\r\n\n");
  ASSERT_TRUE(steps.ok()) << steps.status().to_string();
  ASSERT_EQ(steps->size(), 1u);
  EXPECT_EQ((*steps)[0].key, "k");
  EXPECT_EQ((*steps)[0].line, 3u);
}

TEST(TxnScript, QuotedWordsHoldBlanksHashesAndEscapes) {
  const auto steps = parse_txn_script("set \"a # b\" \"\\x00\\\"\\\\\"\nset a\\x20b \"\"");
  ASSERT_TRUE(steps.ok()) << steps.status().to_string();
  EXPECT_EQ((*steps)[0].key, "a # b");
  EXPECT_EQ((*steps)[0].value, base::Bytes("\0\"\\", 3));
  EXPECT_EQ((*steps)[1].key, "a b");
  EXPECT_EQ((*steps)[1].value, "");
}

TEST(TxnScript, AHashInsideAWordBelongsToIt) {
  const auto steps = parse_txn_script("read a#b");
  ASSERT_TRUE(steps.ok());
  EXPECT_EQ((*steps)[0].key, "a#b");
}

TEST(TxnScript, EveryErrorNamesItsLine) {
  for (const char* script :
       {"read a\nfrob b", "read a\nread", "read a\nread b c", "read a\nincr k one",
        "read a\ncheck k 99999999999999999999", "read a\nset k v ttl=0", "read a\nset k v later",
        "read a\nset \"k", "read a\nset \"k\"v x", "read a\nread \\q"}) {
    EXPECT_EQ(error_of(script).substr(0, 8), "line 2: ") << script << " gave " << error_of(script);
  }
}

TEST(TxnScript, NoTextMakesItCrash) {
  base::Random random(11);
  const std::string_view alphabet = "set read incr\\x\"# \t\n\r0ttl=-\xff";
  for (int round = 0; round < 20'000; ++round) {
    std::string script;
    for (std::uint64_t i = random.below(40); i > 0; --i) {
      script += alphabet[random.below(alphabet.size())];
    }
    const auto steps = parse_txn_script(script);
    if (!steps.ok()) {
      EXPECT_EQ(steps.status().code(), base::StatusCode::kInvalidArgument);
    }
  }
}

}  // namespace
}  // namespace synod::client
