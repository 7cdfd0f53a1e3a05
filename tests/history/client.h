// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/status.h"
#include "tests/history/history.h"

namespace synod::history {

/// How a write ended.
struct WriteResult {
  Outcome outcome = Outcome::kUnknown;
  std::int64_t version = 0;  ///< The commit version, if applied.
  std::string error;
};

/// A transaction as the workloads see it; blocking. It must not outlive its client.
class ClientTransaction {
 public:
  virtual ~ClientTransaction() = default;
  [[nodiscard]] virtual std::int64_t read_version() const = 0;
  [[nodiscard]] virtual base::Result<std::optional<base::Bytes>> get(const base::Bytes& key) = 0;
  /// [begin, end), at most `limit` rows; 0: all.
  [[nodiscard]] virtual base::Result<std::vector<Row>> range(const base::Bytes& begin,
                                                             const base::Bytes& end,
                                                             std::uint32_t limit) = 0;
  virtual void set(const base::Bytes& key, const base::Bytes& value) = 0;
  virtual void increment(const base::Bytes& key, std::int64_t delta) = 0;
  [[nodiscard]] virtual WriteResult commit() = 0;
  /// The same commit under the same token, after an unknown outcome; kNotApplied only if that holds
  /// for the first attempt, too.
  [[nodiscard]] virtual WriteResult commit_again() = 0;
};

/// A store as the workloads see it; blocking, one for each thread.
class Client {
 public:
  virtual ~Client() = default;
  [[nodiscard]] virtual base::Result<std::unique_ptr<ClientTransaction>> begin() = 0;
  [[nodiscard]] virtual base::Result<std::optional<base::Bytes>> get(const base::Bytes& key) = 0;
  [[nodiscard]] virtual WriteResult set(const base::Bytes& key, const base::Bytes& value) = 0;
  [[nodiscard]] virtual WriteResult remove(const base::Bytes& key) = 0;
  /// All rows of [begin, end) at a version read before.
  [[nodiscard]] virtual base::Result<std::vector<Row>> range_at(const base::Bytes& begin,
                                                                const base::Bytes& end,
                                                                std::int64_t version) = 0;
};

/// Called on the thread that uses the client, with its number from 0; nullopt for the client that
/// prepares the run and reads at its end.
using ClientFactory =
    std::function<base::Result<std::unique_ptr<Client>>(std::optional<std::size_t> thread)>;

}  // namespace synod::history
