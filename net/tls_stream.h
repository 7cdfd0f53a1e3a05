// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <openssl/ssl.h>

#include <memory>
#include <string>

#include "net/peer_stream.h"

namespace synod::net {

/// What the error queue of OpenSSL says about the call that just failed; empties it.
[[nodiscard]] std::string take_tls_error();

/// Ok if `certificate` carries `name` as tls_node_name says.
[[nodiscard]] base::Status check_certificate_name(const X509* certificate, const std::string& name);

/// TLS over a socket that never waits. Takes a fresh session of a TlsContext.
///
/// Bytes are copied into records of up to 16 KiB, so that many small frames share one.
class TlsStream final : public PeerStream {
 public:
  using Session = std::unique_ptr<SSL, void (*)(SSL*)>;

  /// Null if OpenSSL has no memory for it.
  [[nodiscard]] static std::unique_ptr<TlsStream> make(Session session, int fd,
                                                       std::string cluster_name);

  StreamResult handshake() override;
  StreamResult read(char* out, std::size_t size) override;
  StreamResult write(std::span<const iovec> parts) override;
  [[nodiscard]] bool has_unsent() const override { return !staged_.empty(); }
  [[nodiscard]] base::Status check_identity(PeerId peer) const override;
  [[nodiscard]] const std::string& failure() const override { return failure_; }
  [[nodiscard]] bool failed_in_tls() const override { return failed_in_tls_; }

 private:
  TlsStream(Session session, std::string cluster_name)
      : session_(std::move(session)), cluster_name_(std::move(cluster_name)) {}
  /// The state after a call that returned `rc` <= 0.
  StreamResult judge(int rc);

  const Session session_;
  const std::string cluster_name_;
  std::string staged_;  ///< Taken from the caller, not yet in the socket.
  std::size_t staged_begin_ = 0;
  std::string failure_;
  bool failed_in_tls_ = false;
};

}  // namespace synod::net
