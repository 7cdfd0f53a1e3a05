// SPDX-License-Identifier: Apache-2.0
#include "core/kv_store_executor.h"

#include "base/assert.h"
#include "base/text.h"

namespace synod::core {

ExecutionResult KvStoreExecutor::apply(LogIndex index, const KvOperation& operation) {
  SYNOD_ASSERT(index == applied_index().next(), "X1");
  return core_.execute(index, operation);
}

base::Result<ExecutionResult> KvStoreExecutor::apply_encoded(LogIndex index,
                                                             base::BytesView operation) {
  auto decoded = decode_operation(operation);
  if (!decoded.ok()) {
    return decoded.status().with_context(base::concat("operation ", index.value()));
  }
  return apply(index, *decoded);
}

void KvStoreExecutor::skip(LogIndex index) {
  SYNOD_ASSERT(index == applied_index().next(), "X1");
  database_.finish(index);
}

}  // namespace synod::core
