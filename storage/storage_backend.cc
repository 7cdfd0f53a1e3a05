// SPDX-License-Identifier: Apache-2.0
#include "storage/storage_backend.h"

namespace synod::storage {

void WriteBatch::put(base::BytesView key, base::BytesView value) {
  const auto memory = std::make_shared<base::Bytes>(key);
  *memory += value;
  const base::BytesView both(*memory);
  add_view({both.substr(0, key.size()), both.substr(key.size())});
  keep(memory);
}

void WriteBatch::erase(base::BytesView key) {
  const auto memory = std::make_shared<base::Bytes>(key);
  add_view({*memory, std::nullopt});
  keep(memory);
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
