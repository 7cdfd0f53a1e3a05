// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <rocksdb/env.h>

#include <memory>

#include "storage/file.h"

namespace synod::storage {

/// How a kNoSpace of the seam begins in the text of a RocksDB status.
inline constexpr const char* kNoSpaceText = "no space left (synod): ";

/// A RocksDB environment whose files are those of the seam, so that the simulated disk covers the
/// engine too. Time and threads stay RocksDB's own. Only storage/ includes this header.
///
/// Hard links and memory maps are refused, RocksDB then copies and reads. I/O errors are marked
/// retryable: the engine keeps its memtables and `Resume` may try again.
/// kNoSpace is one of them, marked by its text alone: RocksDB answers its own subcode for a full
/// disk with a poll of five seconds during which `Resume` is refused. Lifetime: `files` outlives
/// the environment.
[[nodiscard]] std::unique_ptr<rocksdb::Env> make_rocksdb_file_env(FileSystem& files);

}  // namespace synod::storage
