// SPDX-License-Identifier: Apache-2.0
#include "base/status.h"

#include <gtest/gtest.h>

#include <memory>
#include <set>
#include <string>

namespace synod::base {
namespace {

TEST(Status, IsOkByDefaultAndSaysSo) {
  const Status status;
  EXPECT_TRUE(status.ok());
  EXPECT_EQ(status.to_string(), "OK");
  EXPECT_TRUE(status.message().empty());
}

TEST(Status, PrintsCodeBeforeMessage) {
  const Status status(StatusCode::kNoSpace, "disk reserve reached");
  EXPECT_FALSE(status.ok());
  EXPECT_EQ(status.to_string(), "NO_SPACE: disk reserve reached");
}

TEST(Status, ContextGoesInFrontAndKeepsTheCode) {
  const Status status = Status(StatusCode::kIoError, "EIO").with_context("segment 7");
  EXPECT_EQ(status.code(), StatusCode::kIoError);
  EXPECT_EQ(status.message(), "segment 7: EIO");
  EXPECT_TRUE(Status().with_context("segment 7").ok());
}

TEST(Status, EveryCodeHasItsOwnName) {
  std::set<std::string> names;
  for (int code = 0; code <= static_cast<int>(StatusCode::kInternal); ++code) {
    names.emplace(status_code_name(static_cast<StatusCode>(code)));
  }
  EXPECT_EQ(names.size(), static_cast<std::size_t>(StatusCode::kInternal) + 1);
}

TEST(StatusDeathTest, AnErrorNeedsAnErrorCode) {
  EXPECT_DEATH(Status(StatusCode::kOk, "no").ignore(), "an error status needs an error code");
}

TEST(Result, HoldsAMoveOnlyValue) {
  Result<std::unique_ptr<int>> result(std::make_unique<int>(7));
  ASSERT_TRUE(result.ok());
  EXPECT_TRUE(result.status().ok());
  const std::unique_ptr<int> taken = *std::move(result);
  EXPECT_EQ(*taken, 7);
}

TEST(Result, HoldsTheStatusThatExplainsItsAbsence) {
  const Result<int> result(Status(StatusCode::kNotFound, "no such key"));
  EXPECT_FALSE(result.ok());
  EXPECT_EQ(result.status().code(), StatusCode::kNotFound);
}

TEST(ResultDeathTest, ValueOfAFailureIsAProgrammerError) {
  const Result<int> result(Status(StatusCode::kNotFound, "none"));
  EXPECT_DEATH(static_cast<void>(result.value()), "value\\(\\) of a failed Result");
}

Result<int> half(int number) {
  if (number % 2 != 0) return Status(StatusCode::kInvalidArgument, "odd");
  return number / 2;
}

Result<int> quarter(int number) {
  SYNOD_ASSIGN_OR_RETURN(const int first, half(number));
  SYNOD_ASSIGN_OR_RETURN(const int second, half(first));
  return second;
}

Status check_even(int number) {
  SYNOD_RETURN_IF_ERROR(half(number).status());
  return Status();
}

TEST(Result, MacrosPassValuesOnAndErrorsUp) {
  EXPECT_EQ(quarter(12).value(), 3);
  EXPECT_EQ(quarter(6).status().message(), "odd");
  EXPECT_TRUE(check_even(2).ok());
  EXPECT_EQ(check_even(3).code(), StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace synod::base
