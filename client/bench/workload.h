// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <vector>

#include "base/bytes.h"

namespace synod::client {

/// What the store under load speaks.
enum class Target : std::uint8_t { kThrift, kResp, kEtcd };

/// Which key an operation is about.
enum class Distribution : std::uint8_t {
  kUniform,
  kZipf,
  kSequential,  ///< One key after the other: as many operations as keys touch each key once.
};

struct BenchEndpoint {
  std::string host = "127.0.0.1";
  std::uint16_t port = 9090;
};

/// Bytes of a value; which of them a value has follows from its key and tag.
struct ValueSizes {
  std::uint32_t min = 100;
  std::uint32_t max = 100;
};

/// What synod-bench asks of the server.
struct Workload {
  Target target = Target::kThrift;
  std::vector<BenchEndpoint> endpoints = {BenchEndpoint()};  ///< Connections go to them in turn.
  std::uint32_t connections = 16;
  std::uint32_t pipeline = 1;  ///< Operations under way on one connection at most.
  std::uint32_t threads = 1;
  bool loads = true;          ///< False: the keys are there already.
  bool load_only = false;     ///< Nothing after loading.
  std::uint32_t loaders = 1;  ///< Connections that write the keys before the run.
  ValueSizes value_sizes;
  std::uint64_t key_count = 10'000;
  Distribution distribution = Distribution::kUniform;
  double theta = 0.99;
  double read_share = 0.5;
  double rate = 0;  ///< Operations that are due each second; 0: as fast as answers come.
  double warm_up_s = 1;
  double duration_s = 10;        ///< Ignored if operations > 0.
  std::uint64_t operations = 0;  ///< In all, after the warm-up; 0: until the duration is over.
  std::uint64_t seed = 1;
  const std::atomic<bool>* stop = nullptr;  ///< Set: the run ends as if its time were over.
  bool verify = false;  ///< Compares each value read; a key that is missing counts as wrong.
};

/// The smallest value that can carry its own proof.
inline constexpr std::uint32_t kValueBytesMin = 16;
inline constexpr std::size_t kKeyBytes = 18;
/// Keys have twelve digits, and the product of two key numbers must fit into 64 bits.
inline constexpr std::uint64_t kKeysMax = 0xffff'ffff;

void append_bench_key(base::Bytes& out, std::uint64_t number);
[[nodiscard]] base::Bytes bench_key(std::uint64_t number);
[[nodiscard]] std::uint32_t value_size_of(ValueSizes sizes, std::uint64_t key, std::uint64_t tag);
/// A value that only this key and tag make: a read can prove it. The tag is the generation: which
/// connection wrote it, and the how-manieth write of that connection it was.
void append_bench_value(base::Bytes& out, ValueSizes sizes, std::uint64_t key, std::uint64_t tag);
/// True if `value` is one that append_bench_value() makes for `key`.
[[nodiscard]] bool is_bench_value(ValueSizes sizes, std::uint64_t key, base::BytesView value);

}  // namespace synod::client
