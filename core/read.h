// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/bytes.h"
#include "core/outcome.h"
#include "core/types.h"

namespace synod::core {

/// One key at one version. `at` absent, <= 0 or ahead of every commit: current data.
struct PointReadRequest {
  std::string ns;  ///< Empty and "default" are one namespace.
  Space space = kUserSpace;
  base::Bytes key;
  std::optional<Version> at;
  bool namespace_must_exist = false;  ///< Else an unknown namespace reads as empty.
};

/// Whether a read may wait for the disk.
enum class ReadWait : std::uint8_t {
  kNever,    ///< A value that left memory ends the read: the reply is_cold.
  kForDisk,  ///< Fetched, on the calling thread.
};

struct PointReadReply {
  OutcomeCode code = OutcomeCode::kOk;
  bool is_cold = false;  ///< Nothing else counts: ask again where waiting is allowed.
  std::string message;
  bool found = false;
  base::Bytes value;
  Version version{0};  ///< Of the key's last write; 0 if missing.
  TimeMs expiry{0};    ///< 0: none.
  Version read_at{0};  ///< The version that was read.
};

/// Keys between `begin` and `end` in order at one version.
struct RangeReadRequest {
  std::string ns;
  Space space = kUserSpace;
  base::Bytes begin;
  std::optional<base::Bytes> end;  ///< nullopt: to the last key of the namespace.
  bool begin_inclusive = true;
  bool end_inclusive = false;
  std::uint64_t skip = 0;                ///< Leave out that many matching keys first.
  std::uint64_t limit = 0;               ///< Rows at most; 0: no row limit.
  std::uint64_t bytes_max = 64U << 20;   ///< The reply stops here with has_more = true.
  std::uint64_t row_overhead_bytes = 0;  ///< What the front adds to each row, counted in bytes_max.
  std::optional<Version> at;
  bool namespace_must_exist = false;
};

struct RangeReadReply {
  OutcomeCode code = OutcomeCode::kOk;
  bool is_cold = false;  ///< Nothing else counts: ask again where waiting is allowed.
  std::string message;
  std::vector<std::pair<base::Bytes, base::Bytes>> rows;
  bool has_more = false;
  Version read_at{0};
};

struct VersionReply {
  OutcomeCode code = OutcomeCode::kOk;
  std::string message;
  Version version{0};
};

}  // namespace synod::core
