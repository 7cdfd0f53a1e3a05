// SPDX-License-Identifier: Apache-2.0
// Hostile bytes as an operation: decoding allocates in proportion to the input, what decodes
// encodes to something that decodes alike, and executing it breaks no invariant.
#include <cstdint>
#include <cstdlib>

#include "core/kv_service_core.h"
#include "core/operation.h"
#include "core/transactional_kv_database.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using synod::core::KvOperation;
  const synod::base::BytesView bytes(reinterpret_cast<const char*>(data), size);
  const auto operation = synod::core::decode_operation(bytes);
  if (!operation.ok()) return 0;
  const auto encoded = synod::core::encode_operation(*operation);
  const auto again = synod::core::decode_operation(encoded);
  if (!again.ok() || synod::core::encode_operation(*again) != encoded) std::abort();
  synod::core::TransactionalKvDatabase database{synod::core::DatabaseOptions()};
  synod::core::KvServiceCore core(database);
  KvOperation policy;
  policy.kind = synod::core::OperationKind::kPolicy;
  policy.policy = synod::core::Policy();
  (void)core.execute(synod::core::LogIndex(1), policy);
  (void)core.execute(synod::core::LogIndex(2), *operation);
  (void)core.execute(synod::core::LogIndex(3), *again);
  database.housekeep(std::chrono::seconds(100));
  if (!database.verify_tables().ok()) std::abort();
  return 0;
}
