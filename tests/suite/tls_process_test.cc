// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "base/text.h"
#include "tests/net/peer_certificates.h"
#include "tests/suite/node_group.h"
#include "tests/suite/raw_socket.h"

// Mutual TLS between nodes as an operator configures it.
namespace synod::suite {
namespace {

using base::concat;

class TlsProcess : public ::testing::Test {
 protected:
  /// Node `node` shows a certificate of this name.
  void give(int node, const std::string& name, const net::TestAuthority& authority,
            const std::string& cluster = "") {
    const net::TlsOptions files = authority.issue(concat("node-", node), "DNS:" + name);
    group_.setup(node).flags = {"--set", "cluster.tls_ca_file=" + files.ca_file,
                                "--set", "cluster.tls_cert_file=" + files.cert_file,
                                "--set", "cluster.tls_key_file=" + files.key_file,
                                "--set", "cluster.name=" + cluster};
  }
  void give_all(const net::TestAuthority& authority) {
    for (int node = 1; node <= 3; ++node) give(node, concat("synod-node-", node), authority);
  }
  bool log_says(int node, const std::string& what) {
    return eventually([&] { return group_.log(node).find(what) != std::string::npos; });
  }

  net::TestAuthority authority_{"authority of the test"};
  NodeGroup group_{"tls", 3, 3};
};

TEST_F(TlsProcess, AGroupFormsAndServesWithMutualTls) {
  give_all(authority_);
  const base::Status started = group_.start_members();
  ASSERT_TRUE(started.ok()) << started.to_string();
  for (int node = 1; node <= 3; ++node) group_.put(node, concat("k", node), "v");
  for (int node = 1; node <= 3; ++node) EXPECT_EQ(group_.read(node, "k1"), "v");
  EXPECT_EQ(group_.ctl(1, {"verify"}).code, 0);
  // Whoever does not speak TLS gets no word out of it.
  RawSocket plain({"127.0.0.1", group_.peer_port(1)});
  ASSERT_TRUE(plain.send("SYNP and nothing that a TLS server understands"));
  plain.finish_sending();
  EXPECT_TRUE(plain.wait_until_closed());
  EXPECT_EQ(group_.read(2, "k1"), "v");
}

TEST_F(TlsProcess, ACertificateThatDoesNotNameItsNodeEndsTheStart) {
  give(1, "synod-node-2", authority_);
  ASSERT_TRUE(group_.start(1).ok());
  EXPECT_NE(group_.exit_code(1), 0);
  EXPECT_NE(group_.log(1).find("synod-node-1"), std::string::npos) << group_.log(1);
}

/// Another name is one of another cluster here: the node itself is content with its certificate.
TEST_F(TlsProcess, ANodeOfAnotherNameIsRefusedAndTheOthersSayWhy) {
  for (int node = 1; node <= 2; ++node) give(node, concat("node-", node, ".a"), authority_, "a");
  give(3, "node-3.b", authority_, "b");
  for (int node = 1; node <= 3; ++node) ASSERT_TRUE(group_.start(node).ok());
  EXPECT_TRUE(log_says(1, "node-3.a")) << group_.log(1);
  EXPECT_TRUE(log_says(2, "node-3.a")) << group_.log(2);
  EXPECT_TRUE(log_says(3, "node-1.b")) << group_.log(3);
  EXPECT_NE(group_.ctl(1, {"health"}).code, 0);
  EXPECT_NE(group_.log(1).find("the group forms when all of"), std::string::npos);
  EXPECT_EQ(group_.log(1).find("the group is formed"), std::string::npos) << group_.log(1);
}

TEST_F(TlsProcess, ANodeOfAnotherAuthorityIsRefusedAndTheOthersServe) {
  give_all(authority_);
  const base::Status started = group_.start_members();
  ASSERT_TRUE(started.ok()) << started.to_string();
  const net::TestAuthority other("somebody else");
  group_.process(3).kill_and_wait();
  give(3, "synod-node-3", other);
  ASSERT_TRUE(group_.start(3).ok());
  EXPECT_TRUE(log_says(3, "its certificate is refused")) << group_.log(3);
  EXPECT_TRUE(log_says(1, "cannot reach node 3")) << group_.log(1);
  EXPECT_NE(group_.ctl(3, {"health"}).code, 0);
  group_.put(1, "k", "v");
  EXPECT_EQ(group_.read(2, "k"), "v");
}

}  // namespace
}  // namespace synod::suite
