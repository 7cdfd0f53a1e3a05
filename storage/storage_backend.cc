// SPDX-License-Identifier: Apache-2.0
#include "storage/storage_backend.h"

namespace synod::storage {

std::uint64_t WriteBatch::bytes() const {
  std::uint64_t total = 0;
  for (const Put& put : puts) total += put.key.size() + (put.value ? put.value->size() : 0);
  return total;
}

base::Result<std::vector<std::optional<base::Bytes>>> StorageBackend::read_checkpoint(
    const std::string& directory, const std::vector<base::Bytes>& /*keys*/) const {
  return base::Status(base::StatusCode::kUnsupported,
                      directory + ": " + name() + " cannot read a checkpoint in place");
}

base::Result<std::shared_ptr<const BackendSnapshot>> StorageBackend::snapshot() const {
  return base::Status(base::StatusCode::kUnsupported, name() + " keeps no snapshots");
}

}  // namespace synod::storage
