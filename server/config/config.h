// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>

#include "base/logging.h"

namespace synod::server {

enum class Durability : std::uint8_t { kSync, kBatched, kAsync };
enum class BackendKind : std::uint8_t { kRocksDb, kLevelDb, kMemory };
enum class LogFormat : std::uint8_t { kText, kJson };

/// [server]: who may connect, and how much one client may hold.
struct ServerSection {
  std::string bind = "127.0.0.1";
  std::uint16_t port = 9090;
  bool insecure_plaintext = false;
  std::uint32_t workers = 0;  ///< 0: as many as the machine and its quota give; worker_count().
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
  std::uint64_t write_buffer_bytes = 64U << 20;
  std::uint64_t block_cache_bytes = 64U << 20;
  std::uint64_t log_segment_bytes = 64U << 20;
  std::uint64_t log_bytes_max = 4ULL << 30;
  std::uint64_t persistence_buffer_bytes_max = 64U << 20;
  std::uint32_t pending_max = 65'536;
  std::uint64_t pending_bytes_max = 64U << 20;
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
  LogSection log;
  FaultInjectionSection fault_injection;
};

/// The address connects only processes of this machine (127/8, ::1, localhost).
[[nodiscard]] bool is_loopback(const std::string& address);

/// Worker threads for this configuration: `server.workers`, or the processors this process may
/// really use.
[[nodiscard]] std::uint32_t worker_count(const Config& config);

}  // namespace synod::server
