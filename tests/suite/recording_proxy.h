// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace synod::suite {

/// Stands between two nodes and keeps what the one who dials says.
///
/// Invariants
///   RP1  Bytes pass unchanged and in order, in both directions.
///
/// Threads: `recorded` from any; one thread of its own for each connection.
class RecordingProxy {
 public:
  /// Listens on `port` of the loopback interface, and dials `target` there for who comes.
  RecordingProxy(std::uint16_t port, std::uint16_t target);
  ~RecordingProxy();
  RecordingProxy(const RecordingProxy&) = delete;
  RecordingProxy& operator=(const RecordingProxy&) = delete;

  /// What each connection has brought so far.
  [[nodiscard]] std::vector<std::string> recorded() const;

 private:
  void accept_all();
  void pump(int dialer, std::size_t connection);

  const std::uint16_t target_;
  int listener_ = -1;
  int stop_[2] = {-1, -1};  ///< A pipe whose writing end is closed at the end.
  mutable std::mutex mutex_;
  std::vector<std::string> recorded_;  ///< Guarded by mutex_.
  std::vector<std::thread> pumps_;     ///< The acceptor's.
  std::thread acceptor_;
};

}  // namespace synod::suite
