// SPDX-License-Identifier: Apache-2.0
#include "core/state/token_table.h"

#include <gtest/gtest.h>

#include "tests/core/recorded_rows.h"

namespace synod::core {
namespace {

using Verdict = TokenTable::Verdict;

class Tokens : public testing::Test {
 protected:
  Tokens() { policy_.tokens_per_client = 4; }

  static ClientToken token(char client, std::int64_t sequence) {
    ClientToken token;
    token.client_id[3] = client;
    token.sequence = sequence;
    return token;
  }
  void commit(char client, std::int64_t sequence, std::int64_t clock = 0) {
    Outcome outcome;
    outcome.version = Version(++version_);
    outcome.results.push_back({true, 7, "stamp"});
    table_.remember(token(client, sequence), outcome, TimeMs(clock), policy_);
  }
  Verdict verdict(char client, std::int64_t sequence, std::int64_t read_version = INT64_MAX) {
    return table_.find(token(client, sequence), Version(read_version)).verdict;
  }

  Policy policy_;
  RecordedRows rows_;
  StateHasher hasher_{std::array<char, 16>{'h'}};
  const StateHasher* hasher_view_ = &hasher_;
  TokenTable table_{rows_, &hasher_view_};
  std::int64_t version_ = 0;
};

TEST_F(Tokens, ReturnTheStoredResultOfAKnownSequence) {
  commit('a', 5);
  const auto found = table_.find(token('a', 5), Version(0));
  ASSERT_EQ(found.verdict, Verdict::kRepeat);
  EXPECT_EQ(found.stored.version, Version(1));
  ASSERT_EQ(found.stored.results.size(), 1U);
  EXPECT_EQ(found.stored.results[0].generated, "stamp");
  EXPECT_EQ(verdict('b', 5), Verdict::kExecute);
}

TEST_F(Tokens, ExecuteGapsInsideTheWindowAndForgetWhatLiesBelow) {
  commit('a', 10);
  EXPECT_EQ(verdict('a', 11), Verdict::kExecute);
  EXPECT_EQ(verdict('a', 7), Verdict::kExecute);
  EXPECT_EQ(verdict('a', 6), Verdict::kForgotten);
  commit('a', 8);
  commit('a', 12);
  EXPECT_EQ(verdict('a', 8), Verdict::kForgotten);
  EXPECT_EQ(verdict('a', 9), Verdict::kExecute);
  EXPECT_EQ(verdict('a', 10), Verdict::kRepeat);
}

TEST_F(Tokens, NeverExecuteAForgottenSequenceAfterThePolicyWidensTheWindow) {
  for (std::int64_t sequence = 1; sequence <= 10; ++sequence) commit('a', sequence);
  ASSERT_EQ(verdict('a', 3), Verdict::kForgotten);
  policy_.tokens_per_client = 64;
  EXPECT_EQ(verdict('a', 3), Verdict::kForgotten);  // T2
  commit('a', 11);
  EXPECT_EQ(verdict('a', 3), Verdict::kForgotten);
  EXPECT_EQ(verdict('a', 8), Verdict::kRepeat);
}

TEST_F(Tokens, KeepTheExtremesOfTheSequenceSpaceApart) {
  commit('a', INT64_MIN);
  EXPECT_EQ(verdict('a', INT64_MIN), Verdict::kRepeat);
  EXPECT_EQ(verdict('a', INT64_MAX), Verdict::kExecute);
  commit('a', INT64_MAX);
  EXPECT_EQ(verdict('a', INT64_MIN), Verdict::kForgotten);
  EXPECT_EQ(verdict('a', INT64_MAX), Verdict::kRepeat);
  EXPECT_EQ(verdict('a', INT64_MAX - 4), Verdict::kForgotten);
  EXPECT_EQ(verdict('a', INT64_MAX - 3), Verdict::kExecute);
}

TEST_F(Tokens, DropIdleClientsAndRaiseTheFloorToTheirNewestCommit) {
  policy_.client_idle_ms = 100;
  commit('a', 1, 0);
  commit('b', 1, 50);
  commit('a', 2, 60);
  table_.expire(TimeMs(150), policy_, 10);
  EXPECT_EQ(table_.clients(), 2U);
  table_.expire(TimeMs(151), policy_, 10);
  EXPECT_EQ(table_.clients(), 1U);
  EXPECT_EQ(table_.token_floor(), Version(2));
  EXPECT_EQ(verdict('b', 1, 1), Verdict::kForgotten);  // T3
  EXPECT_EQ(verdict('b', 1, 2), Verdict::kExecute);
  EXPECT_EQ(verdict('a', 2, 1), Verdict::kRepeat);
}

TEST_F(Tokens, DropTheOldestCommitFirstAboveTheBoundInBoundedSteps) {
  policy_.clients_max = 2;
  for (char client = 'a'; client <= 'f'; ++client) commit(client, 1);
  commit('a', 2);
  table_.expire(TimeMs(0), policy_, 2);
  EXPECT_EQ(table_.clients(), 4U);
  table_.expire(TimeMs(0), policy_, 100);
  EXPECT_EQ(table_.clients(), 2U);
  EXPECT_EQ(verdict('a', 1), Verdict::kRepeat);
  EXPECT_EQ(verdict('f', 1), Verdict::kRepeat);
  EXPECT_EQ(table_.token_floor(), Version(5));
}

TEST_F(Tokens, HashToTheSameFromTheirRows) {
  policy_.clients_max = 2;
  for (int round = 0; round < 20; ++round) {
    commit(static_cast<char>('a' + round % 3), round);
    table_.expire(TimeMs(0), policy_, 1);
  }
  TokenTable loaded(rows_, &hasher_view_);
  for (const auto& [key, value] : rows_.rows()) ASSERT_TRUE(loaded.load_row(key, value).ok());
  ASSERT_TRUE(loaded.check_loaded().ok());
  EXPECT_EQ(loaded.hash(), table_.hash());
  EXPECT_EQ(loaded.clients(), table_.clients());
  loaded.restore_token_floor(table_.token_floor());
  for (char client = 'a'; client <= 'c'; ++client) {
    for (std::int64_t sequence = 0; sequence < 22; ++sequence) {
      EXPECT_EQ(loaded.find(token(client, sequence), Version(3)).verdict,
                table_.find(token(client, sequence), Version(3)).verdict);
    }
  }
}

TEST_F(Tokens, HashToZeroWhenEveryClientIsGone) {
  policy_.client_idle_ms = 0;
  for (char client = 'a'; client <= 'f'; ++client) commit(client, 1);
  table_.expire(TimeMs(1), policy_, 100);
  EXPECT_EQ(table_.clients(), 0U);
  EXPECT_EQ(table_.hash(), StateHash());
  EXPECT_TRUE(rows_.rows().empty());
}

TEST_F(Tokens, RefuseDamagedRows) {
  commit('a', 1);
  const auto rows = rows_.rows();
  for (const auto& [key, value] : rows) {
    for (std::size_t size = 0; size < value.size(); ++size) {
      TokenTable loaded(rows_, &hasher_view_);
      const base::BytesView part = base::BytesView(value).substr(0, size);
      EXPECT_EQ(loaded.load_row(key, part).code(), base::StatusCode::kCorruption);
    }
    for (std::size_t size = 1; size < key.size(); ++size) {
      TokenTable loaded(rows_, &hasher_view_);
      const base::BytesView part = base::BytesView(key).substr(0, size);
      EXPECT_EQ(loaded.load_row(part, value).code(), base::StatusCode::kCorruption) << size;
    }
    TokenTable loaded(rows_, &hasher_view_);
    EXPECT_EQ(loaded.load_row(key + "x", value).code(), base::StatusCode::kCorruption);
  }
}

TEST_F(Tokens, RefuseResultsWithoutAClientAndClientsThatShareACommit) {
  commit('a', 1);
  TokenTable orphan(rows_, &hasher_view_);
  base::Bytes client_key;
  base::Bytes client_value;
  for (const auto& [key, value] : rows_.rows()) {
    if (key[0] == kTokenResultRow) {
      ASSERT_TRUE(orphan.load_row(key, value).ok());
    }
    if (key[0] == kTokenRow) std::tie(client_key, client_value) = std::tie(key, value);
  }
  EXPECT_EQ(orphan.check_loaded().code(), base::StatusCode::kCorruption);
  TokenTable twice(rows_, &hasher_view_);
  ASSERT_TRUE(twice.load_row(client_key, client_value).ok());
  client_key.back() = 'z';
  EXPECT_EQ(twice.load_row(client_key, client_value).code(), base::StatusCode::kCorruption);
}

}  // namespace
}  // namespace synod::core
