// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <sstream>

#include "client/cli/data_commands.h"
#include "tests/suite/model_server.h"

namespace synod::client {
namespace {

class CliCommands : public ::testing::Test {
 protected:
  DataContext context(ByteFormat format = ByteFormat::kEscaped) {
    out_.str("");
    err_.str("");
    return {client_, "", format, out_, err_};
  }

  suite::ModelServer server_;
  Client client_ = Client::connect("127.0.0.1", server_.port()).value();
  std::ostringstream out_;
  std::ostringstream err_;
};

TEST_F(CliCommands, GetPrintsTheValueWithEscapes) {
  ASSERT_TRUE(client_.set(std::string_view("k\0", 2), "v\n").ok());
  DataContext c = context();
  EXPECT_EQ(run_get(c, "k\\x00", false), kExitOk);
  EXPECT_EQ(out_.str(), "v\\n\n");
}

TEST_F(CliCommands, AMissingKeyIsAFailureOnlyIfAskedFor) {
  DataContext c = context();
  EXPECT_EQ(run_get(c, "k", false), kExitOk);
  EXPECT_EQ(run_get(c, "k", true), kExitNotFound);
  EXPECT_EQ(out_.str(), "");
}

TEST_F(CliCommands, PutAndDeletePrintTheVersion) {
  DataContext c = context(ByteFormat::kHex);
  EXPECT_EQ(run_put(c, "6b", "ff00", 0), kExitOk);
  EXPECT_EQ(out_.str().substr(0, 8), "version=");
  EXPECT_EQ(client_.get("k").value(), base::Bytes("\xff\0", 2));
  EXPECT_EQ(run_delete(c, "6b"), kExitOk);
  EXPECT_EQ(client_.get("k").value(), std::nullopt);
}

TEST_F(CliCommands, AKeyThatCannotBeReadIsAUsageError) {
  DataContext c = context(ByteFormat::kHex);
  EXPECT_EQ(run_get(c, "xyz", false), kExitUsage);
  EXPECT_EQ(run_put(c, "6b", "0", 0), kExitUsage);
}

TEST_F(CliCommands, RangePrintsRowsInOrder) {
  for (const char* key : {"a/2", "a/1", "b/1"}) ASSERT_TRUE(client_.set(key, "v\t").ok());
  DataContext c = context();
  RangeArguments arguments;
  arguments.prefix = "a/";
  EXPECT_EQ(run_range(c, arguments), kExitOk);
  EXPECT_EQ(out_.str(), "a/1\tv\\t\na/2\tv\\t\n");

  DataContext keys = context(ByteFormat::kHex);
  arguments = {.begin = "612f32", .end = "", .prefix = "", .limit = 1, .keys_only = true};
  EXPECT_EQ(run_range(keys, arguments), kExitOk);
  EXPECT_EQ(out_.str(), "612f32\n");
}

TEST_F(CliCommands, APrefixExcludesBeginAndEnd) {
  DataContext c = context();
  EXPECT_EQ(run_range(c, {.begin = "a", .end = "", .prefix = "b", .limit = 1, .keys_only = false}),
            kExitUsage);
}

TEST_F(CliCommands, ATransactionPrintsReadsResultsAndVersion) {
  ASSERT_TRUE(client_.set("n", "41").ok());
  DataContext c = context();
  EXPECT_EQ(run_txn(c, "read n\nincr n 1\nread n\nread m\nset m x\n"), kExitOk);
  EXPECT_EQ(out_.str().substr(0, out_.str().find("committed")),
            "read n = 41\nread n = 42\nread m: not found\nincr n = 42\n");
  EXPECT_NE(out_.str().find("committed version="), std::string::npos);
  EXPECT_EQ(client_.get("m").value(), "x");
}

TEST_F(CliCommands, AFailedCheckIsReported) {
  ASSERT_TRUE(client_.set("k", "v").ok());
  DataContext c = context();
  EXPECT_EQ(run_txn(c, "check k 0\nset k w\n"), kExitError);
  EXPECT_EQ(out_.str(), "conflict detail=CHECK\n");
  EXPECT_EQ(client_.get("k").value(), "v");
}

TEST_F(CliCommands, AScriptErrorTouchesNothing) {
  DataContext c = context();
  EXPECT_EQ(run_txn(c, "set k v\nfrob\n"), kExitUsage);
  EXPECT_NE(err_.str().find("line 2"), std::string::npos);
  EXPECT_EQ(client_.get("k").value(), std::nullopt);
}

TEST_F(CliCommands, ALostReplyIsSettledByRepeating) {
  server_.spoil_commit_replies(1);
  DataContext c = context();
  EXPECT_EQ(run_txn(c, "incr n 1"), kExitOk);
  EXPECT_EQ(client_.get("n").value(), "1");
}

TEST_F(CliCommands, ABusyServerIsNotReady) {
  server_.refuse_commits(1);
  DataContext c = context();
  EXPECT_EQ(run_txn(c, "incr n 1"), kExitNotReady);
}

}  // namespace
}  // namespace synod::client
