// SPDX-License-Identifier: Apache-2.0
#include "core/operation.h"

#include <gtest/gtest.h>

#include "core/admission.h"
#include "tests/core/operation_stream.h"

namespace synod::core {
namespace {

TEST(Operation, EncodesAndDecodesToTheSameBytes) {
  OperationStream stream(3);
  for (int i = 0; i < 2'000; ++i) {
    const base::Bytes bytes = encode_operation(stream.next(Version(100 + i)));
    const auto decoded = decode_operation(bytes);
    ASSERT_TRUE(decoded.ok()) << decoded.status().to_string();
    ASSERT_EQ(encode_operation(*decoded), bytes);
  }
}

TEST(Operation, EveryTruncationAndEveryTrailingByteIsRefused) {
  OperationStream stream(4);
  for (int i = 0; i < 200; ++i) {
    const base::Bytes bytes = encode_operation(stream.next(Version(100 + i)));
    for (std::size_t size = 0; size < bytes.size(); ++size) {
      ASSERT_FALSE(decode_operation(base::BytesView(bytes).substr(0, size)).ok());
    }
    ASSERT_FALSE(decode_operation(bytes + '\0').ok());
  }
}

TEST(Operation, AnUnknownFormatIsRefused) {
  base::Bytes bytes = encode_operation(KvOperation());
  bytes[0] = 2;
  EXPECT_EQ(decode_operation(bytes).status().code(), base::StatusCode::kCorruption);
}

TEST(Admission, TheEncodedSizeIsNeverUnderestimated) {
  OperationStream stream(5);
  for (int i = 0; i < 2'000; ++i) {
    KvOperation operation = stream.next(Version(INT64_MAX / 2));
    operation.stamp = TimeMs(INT64_MAX / 4);
    ASSERT_LE(encode_operation(operation).size(), encoded_bytes_max(operation));
  }
}

TEST(Admission, NamesOfNamespacesAreBoundLikeKeys) {
  Limits limits;
  limits.key_bytes_max = 4;
  KvOperation keys;
  keys.read_keys.push_back({std::string("12345"), "k"});
  EXPECT_EQ(check_limits(keys, limits)->code, OutcomeCode::kLimitExceeded);
  KvOperation ranges;
  ranges.read_ranges.push_back({"12345", "a", "b"});
  EXPECT_EQ(check_limits(ranges, limits)->code, OutcomeCode::kLimitExceeded);
}

TEST(Admission, NamesTheLimitAndTheValue) {
  Limits limits;
  limits.key_bytes_max = 4;
  limits.value_bytes_max = 8;
  limits.commit_bytes_max = 20;
  KvOperation operation;
  operation.steps.emplace_back();
  operation.steps[0].key = "1234";
  operation.steps[0].value = "12345678";
  EXPECT_EQ(check_limits(operation, limits), std::nullopt);
  operation.steps[0].key = "12345";
  EXPECT_EQ(check_limits(operation, limits)->message,
            "A key has 5, over the limit key_bytes_max = 4");
  operation.steps[0].key = "1";
  operation.steps[0].value = "123456789";
  EXPECT_EQ(check_limits(operation, limits)->code, OutcomeCode::kLimitExceeded);
  operation.steps[0].value = "12345678";
  operation.steps.push_back(operation.steps[0]);
  operation.steps.push_back(operation.steps[0]);
  EXPECT_EQ(check_limits(operation, limits)->message,
            "The commit has 27, over the limit commit_bytes_max = 20");
}

}  // namespace
}  // namespace synod::core
