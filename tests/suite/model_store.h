// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/bytes.h"
#include "kvstore_types.h"

namespace synod::suite {

/// The contract in its plainest form: every version of every key in a std::map, kept for ever.
///
/// The suite runs against it as it runs against the real server, so that a wrong test is told from
/// a wrong server; the client library is tested on it.
///
/// Threads: every method may be called from any thread.
class ModelStore {
 public:
  explicit ModelStore(std::function<std::int64_t()> now_ms) : now_ms_(std::move(now_ms)) {}

  struct Range {
    std::string ns;
    base::Bytes begin;
    bool begin_inclusive = true;
    std::optional<base::Bytes> end;  ///< nullopt: to the last key.
    bool end_inclusive = false;
    std::size_t skip = 0;
    std::size_t limit = 0;  ///< 0: none.
  };

  [[nodiscard]] std::int64_t version() const;
  [[nodiscard]] bool knows_namespace(const std::string& ns) const;
  /// At `at`; not positive or ahead: now.
  [[nodiscard]] std::optional<base::Bytes> get(const std::string& ns, const base::Bytes& key,
                                               std::int64_t at) const;
  [[nodiscard]] std::pair<std::vector<api::KeyValue>, bool> range(const Range& range,
                                                                  std::int64_t at) const;
  /// One commit, all rules of atomicCommit.
  [[nodiscard]] api::AtomicCommitResponse commit(const api::AtomicCommitRequest& request);
  [[nodiscard]] std::int64_t keys() const;

 private:
  struct Cell {
    std::int64_t version = 0;
    std::optional<base::Bytes> value;
    std::int64_t expiry_ms = 0;
  };
  using History = std::vector<Cell>;  ///< Oldest first.
  using Table = std::map<base::Bytes, History>;
  using Key = std::pair<std::string, base::Bytes>;
  using Pending = std::map<Key, Cell>;  ///< Written by the commit under way.
  struct Failure {
    std::string code;
    std::string text;
    std::string detail;
  };

  [[nodiscard]] const Cell* cell(const std::string& ns, const base::Bytes& key,
                                 std::int64_t at) const;
  [[nodiscard]] bool alive(const Cell& cell) const;
  [[nodiscard]] bool changed(const std::string& ns, const base::Bytes& begin,
                             const std::optional<base::Bytes>& end, std::int64_t since) const;
  [[nodiscard]] std::optional<Failure> conflict(const api::AtomicCommitRequest& request) const;
  [[nodiscard]] std::optional<Failure> check_shape(const api::Operation& step) const;
  [[nodiscard]] std::optional<Failure> run_step(const api::Operation& step, std::int64_t version,
                                                std::uint16_t& order, Pending& pending,
                                                api::OperationResult& result) const;
  [[nodiscard]] std::optional<base::Bytes> value_now(const Key& key, const Pending& pending) const;
  [[nodiscard]] std::int64_t expiry_now(const Key& key, const Pending& pending) const;
  void clear(const Key& begin, const base::Bytes& end, Pending& pending,
             api::OperationResult& result) const;
  [[nodiscard]] api::AtomicCommitResponse execute(const api::AtomicCommitRequest& request);

  std::function<std::int64_t()> now_ms_;
  mutable std::mutex mutex_;
  std::int64_t version_ = 0;
  std::map<std::string, Table> tables_;
  std::map<base::Bytes, std::map<std::int64_t, api::AtomicCommitResponse>> tokens_;
};

/// "" and "default" are one namespace.
[[nodiscard]] std::string namespace_of(bool set, const std::string& column_family);

/// `buffer` with its last 10 bytes replaced by the stamp.
[[nodiscard]] base::Bytes stamped(base::Bytes buffer, std::int64_t version, std::uint16_t order);

/// `key` moved by `offset` as the interface's end_offset says.
[[nodiscard]] base::Bytes shifted_key(base::Bytes key, std::int64_t offset);

}  // namespace synod::suite
