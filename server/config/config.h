// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>

#include "base/logging.h"

namespace synod::server {

enum class Durability : std::uint8_t { kSync, kBatched, kAsync };
enum class BackendKind : std::uint8_t { kRocksDb, kLevelDb, kMemory };
enum class LogFormat : std::uint8_t { kText, kJson };
enum class ReadMode : std::uint8_t { kReadIndex, kLease };
enum class DefaultReadLevel : std::uint8_t { kLinearizable, kLeader, kLocal };

/// [server]: who may connect, and how much one client may hold.
struct ServerSection {
  std::string bind = "127.0.0.1";
  std::uint16_t port = 9090;
  bool insecure_plaintext = false;
  std::uint32_t workers = 0;  ///< 0: what suits the machine and its quota; worker_count().
  std::string data_dir = "./data";
  std::uint32_t node_id = 0;
  std::uint32_t connections_max = 20'000;
  std::uint32_t in_flight_max = 1024;
  std::uint64_t output_bytes_max = 64U << 20;
  std::uint64_t message_bytes_max = 20U << 20;
  std::uint32_t container_elements_max = 131'072;
  std::uint32_t depth_max = 64;
};

/// [limits]: how large one request or answer may be.
struct LimitsSection {
  std::uint64_t key_bytes_max = 64U << 10;
  std::uint64_t value_bytes_max = 16U << 20;
  std::uint64_t commit_bytes_max = 16U << 20;
  std::uint32_t conflict_ranges_max = 10'000;
  std::uint64_t range_bytes_max = 64U << 20;
  std::uint64_t range_bytes_framed_max = 15U << 20;
};

/// [database]: what is kept, where, and what an acknowledgement promises.
struct DatabaseSection {
  Durability durability = Durability::kSync;
  std::uint32_t batched_interval_ms = 100;
  std::uint32_t snapshot_window_ms = 5'000;
  std::uint32_t conflict_window_ms = 60'000;
  std::uint64_t memory_limit = 0;  ///< 0: none.
  std::uint64_t disk_reserve = 0;  ///< 0: the smaller of 256 MiB and a quarter of the file system.
  BackendKind backend = BackendKind::kRocksDb;
  std::uint32_t cold_read_threads = 4;
  // 0: as memory_plan.h has it.
  std::uint64_t write_buffer_bytes = 0;
  std::uint64_t block_cache_bytes = 0;
  std::uint64_t log_segment_bytes = 64U << 20;
  std::uint64_t log_bytes_max = 4ULL << 30;
  std::uint64_t persistence_buffer_bytes_max = 0;  ///< 0: likewise.
  std::uint32_t pending_max = 65'536;
  std::uint64_t pending_bytes_max = 0;  ///< 0: likewise.
};

/// [cluster]: who the replicas are, and how they reach each other. See group_plan.h.
struct ClusterSection {
  bool replicated = false;
  std::string peers;           ///< "1=host:6001,2=host:6002,..."; empty: all replicas in here.
  std::uint32_t replicas = 3;  ///< Without peers.
  std::uint16_t base_port = 6001;
  std::string bind;
  std::string advertise;
  std::uint32_t first_leader = 0;
  std::uint32_t connect_timeout_ms = 5'000;
  bool insecure_peers = false;
  std::string tls_ca_file;
  std::string tls_cert_file;
  std::string tls_key_file;
  std::string name;
};

/// [consensus]: how replicas agree, and what clients are promised meanwhile.
struct ConsensusSection {
  ReadMode read_mode = ReadMode::kReadIndex;
  DefaultReadLevel read_level = DefaultReadLevel::kLinearizable;
  std::uint32_t hold_ms = 5'000;
  std::uint32_t request_timeout_ms = 10'000;
  std::uint32_t election_timeout_ms = 500;
  std::uint32_t heartbeat_interval_ms = 100;
  std::uint64_t snapshot_every_slots = 1'000'000;
  std::uint64_t keep_slots = 10'000;
};

/// [admin]: HTTP for monitoring.
struct AdminSection {
  std::string http_bind = "127.0.0.1";
  std::uint16_t http_port = 8080;
};

/// [log]: what the process says about itself.
struct LogSection {
  base::LogLevel level = base::LogLevel::kInfo;
  LogFormat format = LogFormat::kText;
  std::string file;
};

/// [fault_injection]: tests only.
struct FaultInjectionSection {
  bool enabled = false;
};

/// Every setting of the server, with its default as initializer. The registry (key_registry.h)
/// names, describes and bounds each field; a field without a row there cannot be set.
struct Config {
  ServerSection server;
  LimitsSection limits;
  DatabaseSection database;
  ClusterSection cluster;
  ConsensusSection consensus;
  AdminSection admin;
  LogSection log;
  FaultInjectionSection fault_injection;
};

/// The address connects only processes of this machine (127/8, ::1, localhost).
[[nodiscard]] bool is_loopback(const std::string& address);

/// An IPv4 or IPv6 address, or localhost.
[[nodiscard]] bool is_address(const std::string& text);

/// Network threads for this configuration: `server.workers`, or what suits the processors this
/// process may really use.
[[nodiscard]] std::uint32_t worker_count(const Config& config);

/// All but one: what commits, replicates and persists needs a processor as well, and a network
/// thread that never waits for one serves more than two that do.
[[nodiscard]] std::uint32_t default_workers(std::uint32_t processors);

}  // namespace synod::server
