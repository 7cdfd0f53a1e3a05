// SPDX-License-Identifier: Apache-2.0
#include "net/tls_context.h"

#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <sys/stat.h>

#include <cerrno>
#include <system_error>
#include <utility>

#include "base/logging.h"
#include "base/text.h"
#include "net/tls_stream.h"

namespace synod::net {
namespace {

base::Status bad_file(std::string_view what, const std::string& path, std::string_view why) {
  return {base::StatusCode::kInvalidArgument, base::concat(what, " ", path, ": ", why)};
}

/// Whoever has the key is this node.
base::Status check_key_mode(const std::string& path) {
  struct stat info {};
  if (::stat(path.c_str(), &info) != 0) {
    return bad_file("the TLS key", path, std::generic_category().message(errno));
  }
  if ((info.st_mode & S_IRWXO) != 0) {
    return bad_file("the TLS key", path, "everybody may read or write it; chmod it to 0600");
  }
  return {};
}

/// There is nobody to ask for the password of an encrypted key.
int no_password(char*, int, int, void*) { return 0; }

void set_protocol(SSL_CTX& context) {
  SSL_CTX_set_min_proto_version(&context, TLS1_3_VERSION);
  SSL_CTX_set_verify(&context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
  // Every connection proves its identity anew: no sessions.
  SSL_CTX_set_session_cache_mode(&context, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_num_tickets(&context, 0);
  SSL_CTX_set_mode(&context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                                 SSL_MODE_RELEASE_BUFFERS);
  // A stream cut short loses what any broken connection loses; frames say where they end.
  SSL_CTX_set_options(&context, SSL_OP_IGNORE_UNEXPECTED_EOF);
  SSL_CTX_set_default_passwd_cb(&context, &no_password);
}

base::Status read_files(SSL_CTX& context, const TlsOptions& options) {
  if (SSL_CTX_load_verify_file(&context, options.ca_file.c_str()) != 1) {
    return bad_file("the TLS CA", options.ca_file, take_tls_error());
  }
  if (SSL_CTX_use_certificate_chain_file(&context, options.cert_file.c_str()) != 1) {
    return bad_file("the TLS certificate", options.cert_file, take_tls_error());
  }
  SYNOD_RETURN_IF_ERROR(check_key_mode(options.key_file));
  if (SSL_CTX_use_PrivateKey_file(&context, options.key_file.c_str(), SSL_FILETYPE_PEM) != 1 ||
      SSL_CTX_check_private_key(&context) != 1) {
    return bad_file("the TLS key", options.key_file, take_tls_error());
  }
  return {};
}

base::Status check_own(const SSL_CTX& context, const TlsOptions& options, PeerId self) {
  const X509* own = SSL_CTX_get0_certificate(&context);
  const base::Status name = check_certificate_name(own, tls_node_name(options.cluster_name, self));
  if (!name.ok()) return bad_file("the TLS certificate", options.cert_file, name.message());
  if (X509_cmp_current_time(X509_get0_notAfter(own)) < 0) {
    // Not an error: a reload mends it, and until then the node may still serve what it can.
    base::log_error("net", base::concat("the TLS certificate ", options.cert_file,
                                        " has expired: other nodes will refuse this one"));
  }
  return {};
}

}  // namespace

TlsContext::TlsContext(const TlsOptions& options, PeerId self) : options_(options), self_(self) {}

TlsContext::~TlsContext() = default;

base::Result<std::unique_ptr<TlsContext>> TlsContext::load(const TlsOptions& options, PeerId self) {
  std::unique_ptr<TlsContext> context(new TlsContext(options, self));
  SYNOD_RETURN_IF_ERROR(context->reload());
  return context;
}

base::Status TlsContext::reload() {
  std::shared_ptr<SSL_CTX> fresh(SSL_CTX_new(TLS_method()), &SSL_CTX_free);
  if (fresh == nullptr) return {base::StatusCode::kInternal, "no memory for TLS"};
  set_protocol(*fresh);
  SYNOD_RETURN_IF_ERROR(read_files(*fresh, options_));
  SYNOD_RETURN_IF_ERROR(check_own(*fresh, options_, self_));
  const std::lock_guard lock(mutex_);
  context_.swap(fresh);
  return {};
}

std::unique_ptr<PeerStream> TlsContext::make_stream(int fd, bool is_dialer) const {
  std::shared_ptr<SSL_CTX> context;
  {
    const std::lock_guard lock(mutex_);
    context = context_;
  }
  TlsStream::Session session(SSL_new(context.get()), &SSL_free);  // keeps the context alive itself
  if (session == nullptr) return nullptr;
  if (is_dialer) {
    SSL_set_connect_state(session.get());
  } else {
    SSL_set_accept_state(session.get());
  }
  return TlsStream::make(std::move(session), fd, options_.cluster_name);
}

}  // namespace synod::net
