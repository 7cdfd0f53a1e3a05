// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/random.h"

namespace synod::client {

/// What the store under load speaks.
enum class Protocol : std::uint8_t { kThrift, kEtcd };

struct BenchEndpoint {
  std::string host = "127.0.0.1";
  std::uint16_t port = 9090;
};

/// What synod-bench asks of the server.
struct Workload {
  Protocol protocol = Protocol::kThrift;
  std::vector<BenchEndpoint> endpoints = {BenchEndpoint()};  ///< Connections go to them in turn.
  std::uint32_t connections = 16;
  bool loads = true;          ///< False: the keys are there already.
  std::uint32_t loaders = 1;  ///< Connections that write the keys before the run.
  std::uint32_t value_size = 100;
  std::uint64_t key_count = 10'000;
  double read_ratio = 0.5;
  double warmup_s = 1;
  double duration_s = 10;        ///< Ignored if operations > 0.
  std::uint64_t operations = 0;  ///< In all, after the warm-up; 0: until the duration is over.
  std::uint64_t seed = 1;
};

/// The smallest value that can carry its own proof.
inline constexpr std::uint32_t kValueBytesMin = 16;

[[nodiscard]] base::Bytes bench_key(std::uint64_t number);
/// A value of `size` bytes that only this key and writer tag make: a read can prove it.
[[nodiscard]] base::Bytes bench_value(std::uint64_t key, std::uint64_t tag, std::uint32_t size);
/// True if `value` is one that bench_value() makes for `key`.
[[nodiscard]] bool is_bench_value(std::uint64_t key, base::BytesView value, std::uint32_t size);

}  // namespace synod::client
