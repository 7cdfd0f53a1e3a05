// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

#include "tests/suite/test_cluster.h"

namespace synod::suite {

/// Bytes in, bytes out, for what no Thrift library would send.
class RawSocket {
 public:
  explicit RawSocket(const NodeEndpoint& endpoint);
  ~RawSocket();
  RawSocket(RawSocket&& other) noexcept;
  RawSocket& operator=(RawSocket&&) = delete;

  [[nodiscard]] bool connected() const { return fd_ >= 0; }
  /// False if the peer has closed.
  bool send(std::string_view bytes);
  /// Announces that nothing more will be sent.
  void finish_sending();
  /// Exactly `size` bytes, fewer if the peer closes or 10 s pass.
  [[nodiscard]] std::string receive(std::size_t size);
  /// True once the peer has closed, whatever it sent before; false after 10 s.
  [[nodiscard]] bool wait_until_closed();

 private:
  int fd_ = -1;
};

/// "80 01 ff" or "8001ff" as bytes.
[[nodiscard]] std::string from_hex(std::string_view digits);
[[nodiscard]] std::string to_hex(std::string_view bytes);

}  // namespace synod::suite
