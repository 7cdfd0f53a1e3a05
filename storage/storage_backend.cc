// SPDX-License-Identifier: Apache-2.0
#include "storage/storage_backend.h"

namespace synod::storage {

std::uint64_t WriteBatch::bytes() const {
  std::uint64_t total = 0;
  for (const Put& put : puts) total += put.key.size() + (put.value ? put.value->size() : 0);
  return total;
}

}  // namespace synod::storage
