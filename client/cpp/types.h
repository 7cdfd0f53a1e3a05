// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/clock.h"

namespace synod::client {

/// Where a server listens for Thrift.
struct Endpoint {
  std::string host = "127.0.0.1";
  std::uint16_t port = 9090;
};

struct ClientOptions {
  base::Millis connect_timeout{5'000};
  base::Millis call_timeout{10'000};  ///< No call waits longer for its answer.
  std::string auth_token;
  std::string read_level;  ///< "" (the server's default), "linearizable", "leader" or "local".
};

struct Row {
  base::Bytes key;
  base::Bytes value;
  bool operator==(const Row&) const = default;
};

/// The keys in [begin, end) in ascending order, at most `limit` of them.
struct RangeQuery {
  base::Bytes begin;
  base::Bytes end;          ///< Empty: to the last key.
  std::uint32_t limit = 0;  ///< 0: all.
  std::string ns;
};

/// What one write of a transaction produced.
struct WriteResult {
  bool existed = false;     ///< The key was there before.
  std::int64_t number = 0;  ///< increment: the new number; append: length; clear_range: keys gone.
  base::Bytes generated;    ///< Stamped writes: key or value as stored.
};

enum class CommitState : std::uint8_t {
  kCommitted,  ///< Everything is written.
  kConflict,   ///< Nothing is written: something that was read has changed. Run it again.
  kRefused,    ///< Nothing is written; `code` says why.
  kUnknown,    ///< Perhaps written. Transaction::commit_again settles it.
};

struct CommitOutcome {
  CommitState state = CommitState::kUnknown;
  std::int64_t version = 0;  ///< The committed version; a read-only transaction's read version.
  std::string code;          ///< The server's error_code; empty after success.
  std::string detail;        ///< With a conflict: READ, TOO_OLD, FUTURE or CHECK.
  std::string message;
  base::Millis retry_after{0};
  std::vector<WriteResult> results;  ///< One for each write, in order.

  [[nodiscard]] bool committed() const { return state == CommitState::kCommitted; }
};

/// "committed", "conflict", "refused", "unknown".
[[nodiscard]] std::string_view commit_state_name(CommitState state);

}  // namespace synod::client
