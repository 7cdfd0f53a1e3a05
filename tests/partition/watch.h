// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "base/status.h"
#include "client/cpp/client.h"
#include "tests/group/process_group.h"

namespace synod::partition {

/// How reads at one node ended.
struct ReadCounts {
  std::uint64_t answered = 0;
  std::uint64_t old = 0;                        ///< Answers below what was acknowledged before.
  std::map<std::string, std::uint64_t> failed;  ///< By code.
  [[nodiscard]] std::uint64_t failures() const;
  [[nodiscard]] std::string to_string() const;
};

/// A number that is counted up in one key, and readers at every node that judge each answer.
///
/// Invariants
///   W1  The numbers that were ever current only grow: whoever writes n read a smaller one in the
///       same transaction.
///   W2  A linearizable read is at least what was acknowledged before it began, and a read of any
///       level at most what was attempted before it ended.
///   W3  Local reads of one node never go back while its process lives.
///
/// Threads: one owner; a writer and two readers for each node are its own threads.
class Watch {
 public:
  /// The nodes live at least as long as the watch is on.
  explicit Watch(std::vector<client::Endpoint> endpoints) : endpoints_(std::move(endpoints)) {}
  ~Watch() { stop(); }
  Watch(const Watch&) = delete;
  Watch& operator=(const Watch&) = delete;

  void start();
  void stop();
  [[nodiscard]] std::uint64_t acknowledged() const { return acknowledged_.load(); }
  /// Since the last call.
  [[nodiscard]] ReadCounts take_linearizable(std::size_t node);
  [[nodiscard]] ReadCounts take_local(std::size_t node);
  /// Answers that broke W2 or W3, in words.
  [[nodiscard]] std::vector<std::string> violations();

 private:
  void write();
  bool write_next(client::Client& client);
  void read(std::size_t node, bool is_local);
  void judge(std::size_t node, bool is_local, std::uint64_t value, std::uint64_t floor,
             std::uint64_t ceiling);
  [[nodiscard]] ReadCounts take(ReadCounts& counts);

  const std::vector<client::Endpoint> endpoints_;
  std::vector<std::thread> threads_;
  std::atomic<bool> stopping_{false};
  std::atomic<std::uint64_t> attempted_{0};
  std::atomic<std::uint64_t> acknowledged_{0};
  std::mutex mutex_;
  std::array<ReadCounts, group::kNodes> linearizable_;  // guarded by mutex_
  std::array<ReadCounts, group::kNodes> local_;         // guarded by mutex_
  std::vector<std::string> violations_;                 // guarded by mutex_
};

}  // namespace synod::partition
