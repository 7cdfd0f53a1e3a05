// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "client/cpp/client.h"
#include "tests/group/process_group.h"

namespace synod::group {

/// Clients of all nodes that add one to a counter and read it, and judge every answer.
///
/// The counter only grows, also by additions whose outcome nobody was told, so a floor is enough to
/// judge a read: the greatest number that anybody had been told when the read was invoked.
///
/// Invariants
///   CC1  the floor was told to some client before; it only grows.
///   CC2  a read returns at least the floor at its invocation, and at most the additions that were
///        begun before its end; no two additions return one number.
///
/// Threads: one owner; note_read() and floor() from any. The clients are its own threads.
class CounterClients {
 public:
  static constexpr const char* kKey = "counter";

  CounterClients() = default;
  ~CounterClients() { stop(); }
  CounterClients(const CounterClients&) = delete;
  CounterClients& operator=(const CounterClients&) = delete;

  /// At each node one client that adds and `readers` that read.
  void start(const std::vector<client::Endpoint>& endpoints, std::size_t readers);
  void stop();

  [[nodiscard]] std::int64_t floor() const { return floor_.load(); }
  /// A read invoked when the floor was `floor` returned `value`; empty means zero.
  void note_read(std::size_t node, std::int64_t floor, const std::string& value);

  /// Additions acknowledged, by a client of `node`.
  [[nodiscard]] std::uint64_t acknowledged(std::size_t node) const { return acked_[node].load(); }
  /// Additions whose outcome the node did not know at first: asked again, under their token.
  [[nodiscard]] std::uint64_t settled(std::size_t node) const { return settled_[node].load(); }
  [[nodiscard]] std::uint64_t settled() const { return settled_[0] + settled_[1] + settled_[2]; }
  [[nodiscard]] std::uint64_t acknowledged() const { return acked_[0] + acked_[1] + acked_[2]; }
  [[nodiscard]] std::uint64_t reads() const { return reads_.load(); }
  /// Additions begun: refused ones count, too.
  [[nodiscard]] std::int64_t begun() const { return begun_.load(); }
  /// What broke CC2.
  [[nodiscard]] std::vector<std::string> violations() const;
  /// What ended in an error at clients of `node`.
  [[nodiscard]] std::vector<std::string> failures(std::size_t node) const;

 private:
  void add(std::size_t node, const client::Endpoint& endpoint);
  void read(std::size_t node, const client::Endpoint& endpoint);
  void raise(std::int64_t value);
  void note_added(std::size_t node, std::int64_t number);
  void note_failure(std::size_t node, const std::string& text);

  std::vector<std::thread> threads_;
  std::atomic<bool> stopping_{false};
  std::atomic<std::int64_t> floor_{0};
  std::atomic<std::int64_t> begun_{0};
  std::array<std::atomic<std::uint64_t>, kNodes> acked_{};
  std::array<std::atomic<std::uint64_t>, kNodes> settled_{};
  std::atomic<std::uint64_t> reads_{0};

  mutable std::mutex mutex_;
  std::set<std::int64_t> numbers_;  ///< That additions returned.
  std::vector<std::string> violations_;
  std::array<std::vector<std::string>, kNodes> failures_;
};

}  // namespace synod::group
