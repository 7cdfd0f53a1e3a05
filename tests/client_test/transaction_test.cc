// SPDX-License-Identifier: Apache-2.0
#include "client/cpp/transaction.h"

#include <gtest/gtest.h>

#include "client/cpp/client.h"
#include "tests/suite/model_server.h"

namespace synod::client {
namespace {

class TransactionTest : public ::testing::Test {
 protected:
  Client connect() {
    auto client = Client::connect("127.0.0.1", server_.port());
    EXPECT_TRUE(client.ok()) << client.status().to_string();
    return std::move(client).value();
  }
  static Transaction begin(Client& client) {
    auto begun = client.begin();
    EXPECT_TRUE(begun.ok()) << begun.status().to_string();
    return std::move(begun).value();
  }
  static RangeQuery query(base::Bytes from, base::Bytes to, std::uint32_t limit = 0) {
    return {.begin = std::move(from), .end = std::move(to), .limit = limit, .ns = ""};
  }
  static RetryOptions retries(std::vector<base::Millis>* pauses = nullptr) {
    RetryOptions options;
    options.pause = [pauses](base::Millis pause) {
      if (pauses != nullptr) pauses->push_back(pause);
    };
    return options;
  }

  suite::ModelServer server_;
  Client client_ = connect();
  Client other_ = connect();
};

TEST_F(TransactionTest, CommitsEverythingAtOneVersion) {
  Transaction txn = begin(client_);
  txn.set("a", "1");
  txn.set("b", "2");
  const CommitOutcome outcome = txn.commit();
  ASSERT_TRUE(outcome.committed()) << outcome.message;
  EXPECT_GT(outcome.version, txn.read_version());
  EXPECT_EQ(client_.get_at("a", outcome.version - 1).value(), std::nullopt);
  EXPECT_EQ(client_.get_at("a", outcome.version).value(), "1");
  EXPECT_EQ(client_.get_at("b", outcome.version).value(), "2");
}

TEST_F(TransactionTest, WritesNothingWithoutACommit) {
  {
    Transaction txn = begin(client_);
    txn.set("a", "1");
  }
  EXPECT_EQ(client_.get("a").value(), std::nullopt);
}

TEST_F(TransactionTest, ReadsSeeOwnWritesOnTopOfOneVersion) {
  ASSERT_TRUE(client_.set("n", "5").ok());
  Transaction txn = begin(client_);
  ASSERT_TRUE(other_.set("n", "100").ok());
  EXPECT_EQ(txn.get("n").value(), "5");
  txn.increment("n", 2);
  EXPECT_EQ(txn.get("n").value(), "7");
  txn.remove("n");
  EXPECT_EQ(txn.get("n").value(), std::nullopt);
}

TEST_F(TransactionTest, AChangedReadConflicts) {
  ASSERT_TRUE(client_.set("k", "1").ok());
  Transaction txn = begin(client_);
  ASSERT_TRUE(txn.get("k").ok());
  txn.set("result", "from 1");
  ASSERT_TRUE(other_.set("k", "2").ok());
  const CommitOutcome outcome = txn.commit();
  EXPECT_EQ(outcome.state, CommitState::kConflict);
  EXPECT_EQ(outcome.detail, "READ");
  EXPECT_EQ(client_.get("result").value(), std::nullopt);
}

TEST_F(TransactionTest, ABlindWriteNeverConflicts) {
  Transaction txn = begin(client_);
  txn.set("k", "mine");
  ASSERT_TRUE(other_.set("k", "theirs").ok());
  EXPECT_TRUE(txn.commit().committed());
}

TEST_F(TransactionTest, AReadOfOnlyOwnWritesDoesNotConflict) {
  Transaction txn = begin(client_);
  txn.set("k", "mine");
  EXPECT_EQ(txn.get("k").value(), "mine");
  ASSERT_TRUE(other_.set("k", "theirs").ok());
  EXPECT_TRUE(txn.commit().committed());
}

TEST_F(TransactionTest, APhantomInAReadRangeConflicts) {
  Transaction txn = begin(client_);
  EXPECT_TRUE(txn.get_range(query("p/", "p0")).value().empty());
  txn.set("p/mine", "1");
  ASSERT_TRUE(other_.set("p/theirs", "1").ok());
  EXPECT_EQ(txn.commit().state, CommitState::kConflict);
}

TEST_F(TransactionTest, BehindTheLimitOfARangeNothingConflicts) {
  ASSERT_TRUE(client_.set("p/1", "v").ok());
  ASSERT_TRUE(client_.set("p/5", "v").ok());
  Transaction txn = begin(client_);
  EXPECT_EQ(txn.get_range(query("p/", "p0", 1)).value().size(), 1u);
  txn.set("x", "1");
  ASSERT_TRUE(other_.set("p/3", "v").ok());
  EXPECT_TRUE(txn.commit().committed());
}

TEST_F(TransactionTest, RangesMergeOwnWrites) {
  for (const char* key : {"a", "b", "d", "e"}) ASSERT_TRUE(client_.set(key, "old").ok());
  Transaction txn = begin(client_);
  txn.remove("a");
  txn.set("b", "new");
  txn.set("c", "new");
  EXPECT_EQ(txn.get_range(query("a", "z")).value(),
            (std::vector<Row>{{"b", "new"}, {"c", "new"}, {"d", "old"}, {"e", "old"}}));
  EXPECT_EQ(txn.get_range(query("a", "z", 2)).value(),
            (std::vector<Row>{{"b", "new"}, {"c", "new"}}));
  txn.clear_range("b", "e");
  EXPECT_EQ(txn.get_range(query("a", "z", 1)).value(), (std::vector<Row>{{"e", "old"}}));
}

TEST_F(TransactionTest, IncrementsOfTwoClientsBothCount) {
  Transaction first = begin(client_);
  Transaction second = begin(other_);
  first.increment("n", 1);
  second.increment("n", 10);
  EXPECT_TRUE(first.commit().committed());
  const CommitOutcome outcome = second.commit();
  ASSERT_TRUE(outcome.committed());
  ASSERT_EQ(outcome.results.size(), 1u);
  EXPECT_EQ(outcome.results[0].number, 11);
  EXPECT_TRUE(outcome.results[0].existed);
}

TEST_F(TransactionTest, AStampedKeyIsReturnedWithItsCommit) {
  Transaction txn = begin(client_);
  txn.set_versionstamped_key("log/" + base::Bytes(10, '\0'), "entry");
  const CommitOutcome outcome = txn.commit();
  ASSERT_TRUE(outcome.committed()) << outcome.message;
  ASSERT_EQ(outcome.results.size(), 1u);
  EXPECT_EQ(base::load_be64(outcome.results[0].generated.data() + 4),
            static_cast<std::uint64_t>(outcome.version));
  EXPECT_EQ(client_.get(outcome.results[0].generated).value(), "entry");
}

TEST_F(TransactionTest, AFailedVersionCheckIsAConflict) {
  const auto version = client_.set("lock", "me");
  ASSERT_TRUE(other_.set("lock", "them").ok());
  Transaction txn = begin(client_);
  txn.check_version("lock", *version);
  txn.set("x", "1");
  const CommitOutcome outcome = txn.commit();
  EXPECT_EQ(outcome.state, CommitState::kConflict);
  EXPECT_EQ(outcome.detail, "CHECK");
}

TEST_F(TransactionTest, AReadOnlyTransactionAsksNobody) {
  Transaction txn = begin(client_);
  ASSERT_TRUE(txn.get("k").ok());
  ASSERT_TRUE(other_.set("k", "v").ok());
  const CommitOutcome outcome = txn.commit();
  EXPECT_TRUE(outcome.committed());
  EXPECT_EQ(outcome.version, txn.read_version());
}

TEST_F(TransactionTest, ARepeatedCommitTakesEffectOnce) {
  Transaction txn = begin(client_);
  txn.increment("n", 1);
  server_.spoil_commit_replies(1);
  EXPECT_EQ(txn.commit().state, CommitState::kUnknown);
  EXPECT_TRUE(txn.commit_again().committed());
  EXPECT_TRUE(txn.commit_again().committed());
  EXPECT_EQ(client_.get("n").value(), "1");
}

TEST_F(TransactionTest, RunTransactionRetriesConflicts) {
  ASSERT_TRUE(client_.set("n", "0").ok());
  int runs = 0;
  std::vector<base::Millis> pauses;
  const auto outcome = run_transaction(
      client_,
      [&](Transaction& txn) -> base::Status {
        SYNOD_ASSIGN_OR_RETURN(const auto value, txn.get("n"));
        if (++runs <= 3) SYNOD_RETURN_IF_ERROR(other_.set("n", std::to_string(runs)).status());
        txn.set("n", *value + "!");
        return {};
      },
      retries(&pauses));
  ASSERT_TRUE(outcome.ok()) << outcome.status().to_string();
  EXPECT_EQ(runs, 4);
  EXPECT_EQ(pauses.size(), 3u);
  EXPECT_EQ(client_.get("n").value(), "3!");
}

TEST_F(TransactionTest, RunTransactionSettlesAnUnknownOutcomeWithoutRunningAgain) {
  int runs = 0;
  server_.spoil_commit_replies(2);
  const auto outcome = run_transaction(
      client_,
      [&](Transaction& txn) {
        ++runs;
        txn.increment("n", 1);
        return base::Status();
      },
      retries());
  ASSERT_TRUE(outcome.ok()) << outcome.status().to_string();
  EXPECT_EQ(runs, 1);
  EXPECT_EQ(client_.get("n").value(), "1");
}

TEST_F(TransactionTest, RunTransactionGivesUpAfterItsAttempts) {
  server_.refuse_commits(1'000);
  RetryOptions options = retries();
  options.attempts_max = 3;
  const auto outcome = run_transaction(
      client_,
      [&](Transaction& txn) {
        txn.set("k", "v");
        return base::Status();
      },
      options);
  EXPECT_EQ(outcome.status().code(), base::StatusCode::kBusy);
}

TEST_F(TransactionTest, RunTransactionNeverTurnsAnUnknownOutcomeIntoARefusal) {
  server_.spoil_commit_replies(1'000);
  RetryOptions options = retries();
  options.attempts_max = 4;
  const auto outcome = run_transaction(
      client_,
      [&](Transaction& txn) {
        txn.set("k", "v");
        return base::Status();
      },
      options);
  EXPECT_EQ(outcome.status().code(), base::StatusCode::kOutcomeUnknown);
}

TEST_F(TransactionTest, AnErrorOfTheBodyEndsIt) {
  int runs = 0;
  const auto outcome = run_transaction(
      client_,
      [&](Transaction& txn) {
        ++runs;
        txn.set("k", "v");
        return base::Status(base::StatusCode::kInvalidArgument, "no");
      },
      retries());
  EXPECT_EQ(outcome.status().message(), "no");
  EXPECT_EQ(runs, 1);
  EXPECT_EQ(client_.get("k").value(), std::nullopt);
}

}  // namespace
}  // namespace synod::client
