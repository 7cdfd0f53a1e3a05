// SPDX-License-Identifier: Apache-2.0
#include "router/operation_group.h"

#include "base/assert.h"

namespace synod::router {
namespace {
constexpr std::size_t kHeaderBytes = 12;
}  // namespace

OperationGroup::OperationGroup(core::LogIndex first) : first_(first), body_(kHeaderBytes, '\0') {}

void OperationGroup::add(const core::KvOperation& operation) {
  const std::size_t length_at = body_.size();
  body_.append(4, '\0');
  core::encode_operation(operation, body_);
  const std::size_t length = body_.size() - length_at - 4;
  SYNOD_ASSERT(length <= UINT32_MAX, "admission bounds operations");
  base::store_le32(&body_[length_at], static_cast<std::uint32_t>(length));
  ++count_;
}

base::BytesView OperationGroup::body() {
  base::store_le64(body_.data(), first_.value());
  base::store_le32(body_.data() + 8, count_);
  return body_;
}

base::BytesView OperationGroup::summary() { return body().substr(0, kHeaderBytes); }

base::Status read_operation_group(
    base::BytesView body,
    base::Function<base::Status(core::LogIndex index, base::BytesView operation)> operation) {
  const base::Status malformed(base::StatusCode::kCorruption, "an operation group is malformed");
  if (body.size() < kHeaderBytes) return malformed;
  std::uint64_t index = base::load_le64(body.data());
  const std::uint32_t count = base::load_le32(body.data() + 8);
  body.remove_prefix(kHeaderBytes);
  for (std::uint32_t i = 0; i < count; ++i, ++index) {
    if (body.size() < 4) return malformed;
    const std::uint32_t length = base::load_le32(body.data());
    body.remove_prefix(4);
    if (body.size() < length) return malformed;
    SYNOD_RETURN_IF_ERROR(operation(core::LogIndex(index), body.substr(0, length)));
    body.remove_prefix(length);
  }
  if (!body.empty()) return malformed;
  return {};
}

}  // namespace synod::router
