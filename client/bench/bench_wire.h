// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include "base/bytes.h"
#include "client/bench/workload.h"

namespace synod::client {

/// One operation, from when it is decided until it is answered.
struct Request {
  enum class Kind : std::uint8_t { kRead, kWrite, kLoad };

  std::uint64_t key = 0;
  std::uint64_t tag = 0;      ///< Of what is written.
  std::int64_t begin_ns = 0;  ///< When it was due, or sent if nothing said when.
  std::uint32_t count = 1;    ///< kLoad: so many keys in a row, in one request.
  Kind kind = Kind::kRead;
};

struct Answer {
  enum class Outcome : std::uint8_t { kDone, kFound, kMissing, kRefused };

  Outcome outcome = Outcome::kDone;
  base::BytesView
      detail;  ///< The value found, or the code of a refusal. Valid until the next parse.
};

/// What a store speaks over a socket, with answers in the order of requests. Composes requests
/// where they are sent from and reads answers where they arrived: nothing is allocated for one.
///
/// Threads: as many as like to; it has no state.
class BenchWire {
 public:
  /// The bytes cannot be an answer to that request.
  static constexpr std::size_t kBroken = static_cast<std::size_t>(-1);

  explicit BenchWire(ValueSizes value_sizes) : value_sizes_(value_sizes) {}
  virtual ~BenchWire() = default;
  BenchWire(const BenchWire&) = delete;
  BenchWire& operator=(const BenchWire&) = delete;

  virtual void append(base::Bytes& out, const Request& request) const = 0;
  /// Reads one answer to a request of that kind from the beginning of `in`: its length; 0 if it has
  /// not arrived whole.
  virtual std::size_t parse(base::BytesView in, Request::Kind kind, Answer& answer) const = 0;

 protected:
  [[nodiscard]] ValueSizes value_sizes() const { return value_sizes_; }

 private:
  const ValueSizes value_sizes_;
};

/// The binary protocol of Thrift in frames.
[[nodiscard]] std::unique_ptr<BenchWire> make_thrift_wire(ValueSizes value_sizes);
/// RESP2: GET, SET, and MSET to load.
[[nodiscard]] std::unique_ptr<BenchWire> make_resp_wire(ValueSizes value_sizes);

}  // namespace synod::client
