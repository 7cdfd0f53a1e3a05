// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "client/cpp/transaction.h"
#include "client/cpp/types.h"

namespace synod::client {

class Wire;

/// A connection to a Synod server, or to one of several nodes of a cluster.
///
/// Reconnects by itself: a read on a lost connection is repeated, a write is not, because it may
/// have happened; it ends in kOutcomeUnknown. Use transactions with run_transaction() where that
/// matters: they carry a token with which the server recognises a repetition.
///
/// A namespace argument is optional everywhere; empty means the default one.
///
/// Threads: externally synchronized; one client for each thread is the usual way.
/// Failure: every call ends within the call timeout. Nothing throws.
class Client {
 public:
  /// Connects now; kClosed if no endpoint can be reached.
  static base::Result<Client> connect(const std::string& host, std::uint16_t port,
                                      ClientOptions options = {});
  /// The first endpoint that answers serves; the next is tried when it is lost.
  static base::Result<Client> connect(std::vector<Endpoint> endpoints, ClientOptions options = {});

  Client(Client&&) noexcept;
  Client& operator=(Client&&) noexcept;
  ~Client();

  /// The current value; nullopt if the key is missing.
  base::Result<std::optional<base::Bytes>> get(base::BytesView key, std::string_view ns = {});
  /// Returns the committed version. A positive ttl makes the key disappear after it.
  base::Result<std::int64_t> set(base::BytesView key, base::BytesView value,
                                 base::Millis ttl = base::Millis(0), std::string_view ns = {});
  /// Returns the committed version; succeeds if the key is missing.
  base::Result<std::int64_t> remove(base::BytesView key, std::string_view ns = {});
  /// All rows at one version, however many replies they take.
  base::Result<std::vector<Row>> range(const RangeQuery& query);

  /// The version a transaction that begins now would read at.
  base::Result<std::int64_t> read_version();
  /// Reads at a version from read_version(); kNotFound once it is older than the history kept.
  base::Result<std::optional<base::Bytes>> get_at(base::BytesView key, std::int64_t version,
                                                  std::string_view ns = {});
  base::Result<std::vector<Row>> range_at(const RangeQuery& query, std::int64_t version);

  /// A transaction that reads at the current version. It must not outlive the client.
  base::Result<Transaction> begin();

  /// Round trip; returns what the server sent back.
  base::Result<base::Bytes> ping(base::BytesView message);

 private:
  explicit Client(std::unique_ptr<Wire> wire);
  std::unique_ptr<Wire> wire_;
};

}  // namespace synod::client
