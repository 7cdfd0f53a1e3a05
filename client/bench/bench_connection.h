// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "base/bytes.h"
#include "base/status.h"
#include "client/bench/bench_wire.h"
#include "client/bench/workload.h"

namespace synod::client {

/// One socket that never waits, with the operations under way on it in the order they were sent.
///
/// Invariants
///   BC1  Buffers and the ring of operations grow to what one run needs and then stay: an
///        operation allocates nothing.
///
/// Threads: externally synchronized. Failure: a Status ends the connection.
class BenchConnection {
 public:
  static base::Result<std::unique_ptr<BenchConnection>> open(const BenchEndpoint& endpoint);
  ~BenchConnection();
  BenchConnection(const BenchConnection&) = delete;
  BenchConnection& operator=(const BenchConnection&) = delete;

  [[nodiscard]] int fd() const { return fd_; }
  [[nodiscard]] std::size_t under_way() const { return tail_ - head_; }

  /// Composes a request; send() puts it on its way, with all others since the last one.
  void push(const BenchWire& wire, const Request& request);
  [[nodiscard]] base::Status send();
  [[nodiscard]] bool has_unsent() const { return sent_ < out_.size(); }

  /// Takes what has arrived; false: nothing has.
  [[nodiscard]] base::Result<bool> receive();
  /// The oldest operation and its answer, whose detail is valid until the next receive(). False: it
  /// has not arrived whole.
  [[nodiscard]] base::Result<bool> pop(const BenchWire& wire, Request& request, Answer& answer);

  bool watches_output = false;  ///< For the engine: what it last asked epoll for.

 private:
  explicit BenchConnection(int fd);
  void grow_ring();
  void make_room();

  const int fd_;
  base::Bytes out_;
  std::size_t sent_ = 0;
  std::vector<char> in_;
  std::size_t in_begin_ = 0;
  std::size_t in_end_ = 0;
  std::vector<Request> ring_;  ///< A power of two of places, by number.
  std::size_t head_ = 0;
  std::size_t tail_ = 0;
};

}  // namespace synod::client
