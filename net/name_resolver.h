// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/dispatcher.h"
#include "net/peer_address.h"

namespace synod::net {

/// Asks the system for the addresses of a name, without anybody ever waiting for it.
///
/// getaddrinfo cannot be interrupted: behind a name server that does not answer it stands for tens
/// of seconds. Asio's resolver runs it on one thread that the end of the io_context joins, so that
/// a lookup under way would hold up the end of the process, and one name all others. Here each
/// lookup has a thread whose end nobody awaits. It owns what it touches: its copy of the name, and
/// a share of the door through which its answer goes; the end of the resolver shuts that door, and
/// a late answer is thrown away. A thread that is still there when the process ends touches nothing
/// of it.
///
/// Invariants
///   NR1  `done` is called at most once, on the dispatcher, and not handed over any more once the
///        resolver is destroyed;
///   NR2  at most kLookupsMax lookups are under way; one more is answered at once, with an error.
///
/// Threads: confined to the dispatcher. Failure: an Answer without addresses says why.
class NameResolver {
 public:
  static constexpr std::size_t kLookupsMax = 32;

  struct Answer {
    std::vector<PeerAddress> addresses;  ///< Numeric hosts.
    std::string error;
  };
  using Done = std::function<void(Answer)>;
  using Lookup = std::function<Answer(const std::string& host, std::uint16_t port)>;

  /// `lookup` runs on threads of its own and may outlive everything else.
  explicit NameResolver(base::Dispatcher& dispatcher, Lookup lookup = ask_system);
  ~NameResolver();
  NameResolver(const NameResolver&) = delete;
  NameResolver& operator=(const NameResolver&) = delete;

  void resolve(const std::string& host, std::uint16_t port, Done done);

  /// Waits for the answer of the system.
  [[nodiscard]] static Answer ask_system(const std::string& host, std::uint16_t port);

 private:
  struct Door;
  const Lookup lookup_;
  const std::shared_ptr<Door> door_;
};

}  // namespace synod::net
