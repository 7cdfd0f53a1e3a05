// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <memory>

#include "base/status.h"
#include "net/socket.h"
#include "net/stream_connection.h"

namespace synod::net {

/// Accepts on one listening socket and hands the descriptors out. Nothing but `close` ends it:
/// errors of single connections are counted, and when the process has no descriptor left it rests
/// for a moment and tries again.
///
/// Threads: confined to its dispatcher.
class Listener : public std::enable_shared_from_this<Listener> {
 public:
  using Accepted = std::function<void(UniqueFd)>;

  Listener(EventLoop& dispatcher, std::shared_ptr<ServerState> state, Accepted accepted);
  base::Status open(UniqueFd socket);
  void start() { wait_connection(); }
  void close();

 private:
  void wait_connection();
  void accept_some();
  /// False when accepting has to wait: for a client or for descriptors.
  [[nodiscard]] bool accept_one();
  void rest();

  EventLoop& dispatcher_;
  const std::shared_ptr<ServerState> state_;
  WatchedFd socket_;
  const Accepted accepted_;
  bool resting_ = false;
  bool closed_ = false;
};

}  // namespace synod::net
