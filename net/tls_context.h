// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <mutex>
#include <string>

#include "base/status.h"
#include "net/peer_stream.h"
#include "net/tcp_peer_options.h"

struct ssl_ctx_st;

namespace synod::net {

/// The name a node's certificate must carry among its subjectAltNames: as a DNS name, or as the URI
/// "synod:<name>".
[[nodiscard]] std::string tls_node_name(const std::string& cluster_name, PeerId node);

/// The certificates of this node, and whom it trusts: mutual TLS 1.3 for connections to peers.
///
/// Invariants
///   TL1  No stream is done with its handshake before the peer's certificate chains to the CA and
///   is
///        valid now; check_identity says whether it names a given node.
///
/// Threads: thread-safe. Failure: the message names the file and what is wrong with it. A reload
/// that fails changes nothing.
class TlsContext {
 public:
  /// Loads and checks: also that our own certificate names `self`, so that a mistake shows here and
  /// not as a refusal at every peer.
  [[nodiscard]] static base::Result<std::unique_ptr<TlsContext>> load(const TlsOptions& options,
                                                                      PeerId self);
  ~TlsContext();
  TlsContext(const TlsContext&) = delete;
  TlsContext& operator=(const TlsContext&) = delete;

  /// Reads the files again; for connections from now on.
  base::Status reload();
  /// Null if OpenSSL has no memory for one.
  [[nodiscard]] std::unique_ptr<PeerStream> make_stream(int fd, bool is_dialer) const;

 private:
  TlsContext(const TlsOptions& options, PeerId self);

  const TlsOptions options_;
  const PeerId self_;
  mutable std::mutex mutex_;  ///< Guards context_.
  std::shared_ptr<ssl_ctx_st> context_;
};

}  // namespace synod::net
