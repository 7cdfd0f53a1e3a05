// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/function.h"
#include "base/status.h"
#include "core/operation.h"
#include "core/types.h"

// Grammar of a frame body of the standalone log: the operations of one group commit.
//
//   body    = first_index:le64 count:le32 item*
//   item    = length:le32 operation        (core/operation.h)
//   summary = first_index:le64 count:le32
namespace synod::router {

/// Builds one frame body.
class OperationGroup {
 public:
  /// The first operation added gets `first`; the following consecutive indexes.
  explicit OperationGroup(core::LogIndex first);
  void add(const core::KvOperation& operation);
  [[nodiscard]] std::uint32_t count() const { return count_; }
  [[nodiscard]] core::LogIndex first() const { return first_; }
  /// The index of the last operation. REQUIRES: count() > 0.
  [[nodiscard]] core::LogIndex last() const { return core::LogIndex(first_.value() + count_ - 1); }
  [[nodiscard]] base::BytesView body();
  [[nodiscard]] base::BytesView summary();
  [[nodiscard]] std::size_t bytes() const { return body_.size(); }

 private:
  core::LogIndex first_;
  std::uint32_t count_ = 0;
  base::Bytes body_;
};

/// Calls `operation` for each operation of a frame body, in order, until it fails. kCorruption if
/// the body does not follow the grammar.
[[nodiscard]] base::Status read_operation_group(
    base::BytesView body,
    base::Function<base::Status(core::LogIndex index, base::BytesView operation)> operation);

}  // namespace synod::router
