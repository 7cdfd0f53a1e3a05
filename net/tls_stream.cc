// SPDX-License-Identifier: Apache-2.0
#include "net/tls_stream.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <strings.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <system_error>
#include <utility>

#include "base/bytes.h"
#include "base/text.h"
#include "net/tls_context.h"

namespace synod::net {
namespace {

constexpr std::size_t kRecordBytes = 16U << 10U;
constexpr std::size_t kNamesShown = 4;

// ---- the socket as OpenSSL sees it: its own would raise SIGPIPE for a peer that is gone

int socket_of(BIO* bio) {
  return static_cast<int>(reinterpret_cast<std::intptr_t>(BIO_get_data(bio)));
}

bool must_wait() { return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR; }

int write_socket(BIO* bio, const char* data, int size) {
  BIO_clear_retry_flags(bio);
  const ssize_t n =
      ::send(socket_of(bio), data, static_cast<std::size_t>(size), MSG_NOSIGNAL | MSG_DONTWAIT);
  if (n < 0 && must_wait()) BIO_set_retry_write(bio);
  return static_cast<int>(n);
}

int read_socket(BIO* bio, char* out, int size) {
  BIO_clear_retry_flags(bio);
  const ssize_t n = ::recv(socket_of(bio), out, static_cast<std::size_t>(size), MSG_DONTWAIT);
  if (n < 0 && must_wait()) BIO_set_retry_read(bio);
  if (n == 0) BIO_set_flags(bio, BIO_FLAGS_IN_EOF);
  return static_cast<int>(n);
}

long control_socket(BIO* bio, int command, long, void*) {
  if (command == BIO_CTRL_EOF) return BIO_test_flags(bio, BIO_FLAGS_IN_EOF) != 0 ? 1 : 0;
  return command == BIO_CTRL_FLUSH ? 1 : 0;
}

const BIO_METHOD* socket_method() {
  static const BIO_METHOD* const kMethod = [] {
    BIO_METHOD* method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "peer socket");
    if (method != nullptr) {
      BIO_meth_set_write(method, &write_socket);
      BIO_meth_set_read(method, &read_socket);
      BIO_meth_set_ctrl(method, &control_socket);
    }
    return method;
  }();
  return kMethod;
}

// ---- names of a certificate

std::string_view text_of(const ASN1_STRING* value) {
  return {reinterpret_cast<const char*>(ASN1_STRING_get0_data(value)),
          static_cast<std::size_t>(ASN1_STRING_length(value))};
}

bool equal_names(std::string_view left, std::string_view right) {
  return left.size() == right.size() && ::strncasecmp(left.data(), right.data(), left.size()) == 0;
}

/// The node's name that one subjectAltName carries; empty if it is none.
std::string_view name_in(const GENERAL_NAME& alternative) {
  constexpr std::string_view kScheme = "synod:";
  if (alternative.type == GEN_DNS) return text_of(alternative.d.dNSName);
  if (alternative.type != GEN_URI) return {};
  const std::string_view uri = text_of(alternative.d.uniformResourceIdentifier);
  return uri.starts_with(kScheme) ? uri.substr(kScheme.size()) : std::string_view();
}

}  // namespace

std::string tls_node_name(const std::string& cluster_name, PeerId node) {
  return cluster_name.empty() ? base::concat("synod-node-", node.value())
                              : base::concat("node-", node.value(), ".", cluster_name);
}

std::string take_tls_error() {
  const unsigned long code = ERR_peek_error();
  const char* reason = code == 0 ? nullptr : ERR_reason_error_string(code);
  std::string text = reason == nullptr ? base::concat("error ", code) : std::string(reason);
  if (code != 0 && ERR_SYSTEM_ERROR(code)) {
    text = std::generic_category().message(ERR_GET_REASON(code));
  }
  ERR_clear_error();
  return text;
}

base::Status check_certificate_name(const X509* certificate, const std::string& name) {
  const std::unique_ptr<GENERAL_NAMES, void (*)(GENERAL_NAMES*)> names(
      static_cast<GENERAL_NAMES*>(
          X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr)),
      &GENERAL_NAMES_free);
  std::string found;
  const int count = names == nullptr ? 0 : sk_GENERAL_NAME_num(names.get());
  for (int i = 0; i < count; ++i) {
    const std::string_view candidate = name_in(*sk_GENERAL_NAME_value(names.get(), i));
    if (equal_names(candidate, name)) return {};
    if (candidate.empty() || static_cast<std::size_t>(i) >= kNamesShown) continue;
    found += base::concat(found.empty() ? "" : ", ", base::escape(candidate));
  }
  return {base::StatusCode::kInvalidArgument,
          base::concat("the certificate is for ", found.empty() ? "no node" : found, ", wanted is ",
                       name, " as a subjectAltName")};
}

std::unique_ptr<TlsStream> TlsStream::make(Session session, int fd, std::string cluster_name) {
  if (session == nullptr || socket_method() == nullptr) return nullptr;
  BIO* bio = BIO_new(socket_method());
  if (bio == nullptr) return nullptr;
  BIO_set_data(bio, reinterpret_cast<void*>(static_cast<std::intptr_t>(fd)));
  BIO_set_init(bio, 1);
  SSL_set_bio(session.get(), bio, bio);  // owns it now
  return std::unique_ptr<TlsStream>(new TlsStream(std::move(session), std::move(cluster_name)));
}

StreamResult TlsStream::handshake() {
  ERR_clear_error();
  const int rc = SSL_do_handshake(session_.get());
  return rc == 1 ? StreamResult() : judge(rc);
}

StreamResult TlsStream::read(char* out, std::size_t size) {
  ERR_clear_error();
  const int rc = SSL_read(session_.get(), out, static_cast<int>(size));
  if (rc <= 0) return judge(rc);
  return {StreamResult::State::kDone, static_cast<std::size_t>(rc)};
}

StreamResult TlsStream::write(std::span<const iovec> parts) {
  std::size_t taken = 0;
  if (staged_.empty()) {
    for (const iovec& part : parts) {
      const std::size_t room = kRecordBytes - staged_.size();
      staged_.append(static_cast<const char*>(part.iov_base), std::min(room, part.iov_len));
    }
    taken = staged_.size();
  }
  if (staged_.empty()) return {};
  ERR_clear_error();
  const int rc = SSL_write(session_.get(), staged_.data() + staged_begin_,
                           static_cast<int>(staged_.size() - staged_begin_));
  if (rc > 0) {
    staged_begin_ += static_cast<std::size_t>(rc);
    if (staged_begin_ == staged_.size()) {
      staged_.clear();
      staged_begin_ = 0;
    }
    return {StreamResult::State::kDone, taken};
  }
  const StreamResult result = judge(rc);
  // What was taken is ours already: the next call says again that the socket is full.
  const bool failed =
      result.state == StreamResult::State::kFailed || result.state == StreamResult::State::kEnd;
  return taken > 0 && !failed ? StreamResult{StreamResult::State::kDone, taken} : result;
}

StreamResult TlsStream::judge(int rc) {
  const int system_error = errno;
  switch (SSL_get_error(session_.get(), rc)) {
    case SSL_ERROR_WANT_READ:
      return {StreamResult::State::kWantRead, 0};
    case SSL_ERROR_WANT_WRITE:
      return {StreamResult::State::kWantWrite, 0};
    case SSL_ERROR_ZERO_RETURN:
      return {StreamResult::State::kEnd, 0};
    case SSL_ERROR_SYSCALL:
      failure_ = rc == 0 || system_error == 0 ? "the peer closed the connection"
                                              : std::generic_category().message(system_error);
      return {StreamResult::State::kFailed, 0};
    default:
      break;
  }
  failed_in_tls_ = true;
  const long verdict = SSL_get_verify_result(session_.get());
  const std::string error = take_tls_error();
  failure_ = verdict == X509_V_OK ? base::concat("TLS: ", error)
                                  : base::concat("TLS: its certificate is refused: ",
                                                 X509_verify_cert_error_string(verdict));
  return {StreamResult::State::kFailed, 0};
}

base::Status TlsStream::check_identity(PeerId peer) const {
  const X509* certificate = SSL_get0_peer_certificate(session_.get());
  if (certificate == nullptr) {
    return {base::StatusCode::kInvalidArgument, "the peer showed no certificate"};
  }
  return check_certificate_name(certificate, tls_node_name(cluster_name_, peer));
}

}  // namespace synod::net
