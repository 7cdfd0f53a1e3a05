// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <openssl/evp.h>
#include <openssl/x509.h>

#include <filesystem>
#include <memory>
#include <string>

#include "net/tcp_peer_options.h"

namespace synod::net {

/// A certificate authority of a test, and the files of the nodes it signs. Everything lies in a
/// folder that goes with it.
class TestAuthority {
 public:
  explicit TestAuthority(const std::string& name);
  ~TestAuthority();
  TestAuthority(const TestAuthority&) = delete;
  TestAuthority& operator=(const TestAuthority&) = delete;

  /// Writes a certificate whose subjectAltName is `alternative` ("DNS:synod-node-2"; empty: none).
  /// It ends `valid_seconds` from now; negative: it has.
  [[nodiscard]] TlsOptions issue(const std::string& file, const std::string& alternative,
                                 long valid_seconds = 3600) const;
  /// The files of a node with the name it should have.
  [[nodiscard]] TlsOptions issue_node(std::uint32_t id) const {
    return issue("node-" + std::to_string(id), "DNS:synod-node-" + std::to_string(id));
  }
  [[nodiscard]] std::string path(const std::string& file) const {
    return (folder_ / file).string();
  }

 private:
  using Key = std::unique_ptr<EVP_PKEY, void (*)(EVP_PKEY*)>;
  using Certificate = std::unique_ptr<X509, void (*)(X509*)>;
  static Key make_key();
  [[nodiscard]] Certificate sign(const std::string& name, const std::string& alternative,
                                 EVP_PKEY* key, long valid_seconds) const;

  std::filesystem::path folder_;
  Key key_;
  Certificate certificate_;  ///< Null while it is being made.
};

}  // namespace synod::net
