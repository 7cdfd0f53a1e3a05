// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <thread>
#include <vector>

#include "base/status.h"
#include "client/cpp/client.h"

namespace synod::group {

/// What one writer was told of its transactions. Transaction n wrote left-n and right-n.
struct Page {
  enum class Told : std::uint8_t { kCommitted, kRefused, kUnknown };
  std::vector<Told> told;   ///< Of transaction n at index n.
  std::size_t checked = 0;  ///< Those before were found as told and are settled.
};

/// Writers that commit one transaction after the other at given nodes and keep, outside of the
/// servers, a ledger of what they were told.
///
/// Invariants
///   L1  A transaction is in the ledger before the next one of the same writer is sent.
///   L2  What was told as committed is there, whole; what was told as refused is not; an unknown
///       one is there whole or not at all.
///
/// Threads: one owner; the writers are its own threads.
class Ledger {
 public:
  explicit Ledger(std::size_t writers) : pages_(writers), failures_(writers) {}
  ~Ledger() { stop(); }
  Ledger(const Ledger&) = delete;
  Ledger& operator=(const Ledger&) = delete;

  /// Writer i writes at endpoints[i % size] alone, until stop(). A writer whose connection is lost
  /// connects again.
  void start(const std::vector<client::Endpoint>& endpoints);
  void stop();
  /// Acknowledged since the beginning.
  [[nodiscard]] std::uint64_t acknowledged() const { return acknowledged_.load(); }
  /// Waits until `count` more were acknowledged, at most `seconds`; false: they were not.
  bool wait_for(std::uint64_t count, int seconds) const;
  /// Outcomes that were not "committed", by text, since the last call; only while stopped.
  std::vector<std::string> take_failures();
  /// Those of one writer.
  std::vector<std::string> take_failures(std::size_t writer);
  [[nodiscard]] std::size_t writers() const { return pages_.size(); }

  /// Compares what is there with the ledger: what was written since the last check, or everything.
  base::Status check(client::Client& client, bool everything);

 private:
  void write(std::size_t writer, const client::Endpoint& endpoint);
  base::Status check_writer(client::Client& client, std::size_t writer, bool everything);

  std::vector<Page> pages_;
  std::vector<std::vector<std::string>> failures_;
  std::vector<std::thread> threads_;
  std::atomic<bool> stopping_{false};
  std::atomic<std::uint64_t> acknowledged_{0};
};

}  // namespace synod::group
