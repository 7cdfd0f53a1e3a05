// SPDX-License-Identifier: Apache-2.0
#include "tests/net/peer_certificates.h"

#include <gtest/gtest.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <sys/stat.h>

#include <cstdio>
#include <utility>

namespace synod::net {
namespace {

template <class Write>
void write_pem(const std::string& path, const Write& write) {
  std::FILE* file = std::fopen(path.c_str(), "w");
  ASSERT_NE(file, nullptr) << path;
  EXPECT_EQ(1, write(file));
  std::fclose(file);
  EXPECT_EQ(0, ::chmod(path.c_str(), 0600));
}

void add_extension(X509* certificate, int what, const std::string& value) {
  X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, nullptr, what, value.c_str());
  ASSERT_NE(extension, nullptr) << value;
  EXPECT_EQ(1, X509_add_ext(certificate, extension, -1));
  X509_EXTENSION_free(extension);
}

void set_name(X509_NAME* subject, const std::string& name) {
  EXPECT_EQ(1, X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC,
                                          reinterpret_cast<const unsigned char*>(name.c_str()), -1,
                                          -1, 0));
}

}  // namespace

TestAuthority::TestAuthority(const std::string& name)
    : key_(make_key()), certificate_(nullptr, &X509_free) {
  std::string pattern = (std::filesystem::temp_directory_path() / "synod-ca-XXXXXX").string();
  EXPECT_NE(::mkdtemp(pattern.data()), nullptr);
  folder_ = pattern;
  certificate_ = sign(name, "", key_.get(), 3600);
  write_pem(path("ca.pem"),
            [&](std::FILE* file) { return PEM_write_X509(file, certificate_.get()); });
}

TestAuthority::~TestAuthority() { std::filesystem::remove_all(folder_); }

TestAuthority::Key TestAuthority::make_key() {
  return {EVP_PKEY_Q_keygen(nullptr, nullptr, "EC", "P-256"), &EVP_PKEY_free};
}

TestAuthority::Certificate TestAuthority::sign(const std::string& name,
                                               const std::string& alternative, EVP_PKEY* key,
                                               long valid_seconds) const {
  Certificate made(X509_new(), &X509_free);
  X509_set_version(made.get(), X509_VERSION_3);
  ASN1_INTEGER_set(X509_get_serialNumber(made.get()), 1);
  X509_gmtime_adj(X509_getm_notBefore(made.get()), -7200);
  X509_gmtime_adj(X509_getm_notAfter(made.get()), valid_seconds);
  X509_set_pubkey(made.get(), key);
  set_name(X509_get_subject_name(made.get()), name);
  const bool is_root = certificate_ == nullptr;
  X509_set_issuer_name(made.get(),
                       X509_get_subject_name(is_root ? made.get() : certificate_.get()));
  add_extension(made.get(), NID_basic_constraints, is_root ? "critical,CA:TRUE" : "CA:FALSE");
  if (!alternative.empty()) add_extension(made.get(), NID_subject_alt_name, alternative);
  EXPECT_GT(X509_sign(made.get(), key_.get(), EVP_sha256()), 0);
  return made;
}

TlsOptions TestAuthority::issue(const std::string& file, const std::string& alternative,
                                long valid_seconds) const {
  const Key key = make_key();
  const Certificate made = sign(file, alternative, key.get(), valid_seconds);
  TlsOptions options;
  options.ca_file = path("ca.pem");
  options.cert_file = path(file + ".pem");
  options.key_file = path(file + ".key");
  write_pem(options.cert_file, [&](std::FILE* out) { return PEM_write_X509(out, made.get()); });
  write_pem(options.key_file, [&](std::FILE* out) {
    return PEM_write_PrivateKey(out, key.get(), nullptr, nullptr, 0, nullptr, nullptr);
  });
  return options;
}

}  // namespace synod::net
